package gateway

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/runtime"
)

func FuzzExecRequest(f *testing.F) {
	f.Add("lease=7&command=sh&command=-c&command=ls&tty=1&columns=80&rows=24&replica=1&service=web&user=a&dir=/srv")
	f.Add("lease=07&command=%00")
	f.Add("lease=-1&command=ls;a=b&tty=yes")
	f.Fuzz(func(t *testing.T, query string) {
		r, err := execRequest(query)
		if err != nil {
			require.True(t, errors.Is(err, runtime.ErrInvalid))
			return
		}
		require.NotZero(t, r.Lease)
		require.NotEmpty(t, r.Command)
		require.NotEmpty(t, r.Command[0])
		require.LessOrEqual(t, len(r.Command), maxCommandWords)
	})
}
