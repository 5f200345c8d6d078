package operator

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAProviderIsTheOneThatIsNamedElseOnesOwn(t *testing.T) {
	require.Equal(t, "souk1own", named(nil, "souk1own"))
	require.Equal(t, "souk1other", named([]string{"souk1other"}, "souk1own"))
}
