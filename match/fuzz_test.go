package match_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/match"
)

// FuzzClear holds hostile markets against the reference and the limits; nothing
// may panic.
func FuzzClear(f *testing.F) {
	// rapid reads its choices from the input; a short one ends the drawing early.
	for seed := range byte(8) {
		data := make([]byte, 16<<10)
		if _, err := rand.NewChaCha8([32]byte{seed}).Read(data); err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
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
