package proof

import (
	"os"
	"testing"

	"github.com/souk-network/souk/app/scope"
)

func TestMain(m *testing.M) {
	scope.Set()
	os.Exit(m.Run())
}
