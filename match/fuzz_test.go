package match_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/match"
)

// FuzzClear holds hostile markets against the reference and the limits; nothing
// may panic.
func FuzzClear(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		in := hostile().input(t)
		out := match.Clear(in)
		want, _ := refClear(in)
		require.Equal(t, want, out.Assignments)
		requireLimits(t, in, out)
		for _, b := range in.Bids {
			alone := match.Clear(match.Input{Bids: []match.Bid{b}, Book: in.Book})
			reason := match.Explain(b, in.Book)
			require.Equal(t, len(alone.Assignments) > 0, reason.Block == match.Clears)
			require.NotEmpty(t, reason.String())
			match.Candidates(b, in.Book)
		}
	}))
}
