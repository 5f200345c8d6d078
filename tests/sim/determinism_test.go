package sim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"
)

func TestOneSeedMakesOneAppHash(t *testing.T) {
	eachSeed(t, 2, func(t *testing.T, seed int64) {
		var hashes [2][]byte
		for i := range hashes {
			simulate(t, seed, newTally(), func(_ testing.TB, ti simsx.TestInstance[*chain], _ []simtypes.Account) {
				hashes[i] = ti.App.LastCommitID().Hash
			})
		}
		require.NotEmpty(t, hashes[0])
		require.Equal(t, hashes[0], hashes[1], "hashes of two runs")
	})
}
