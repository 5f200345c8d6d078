package sim

import (
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"
)

func TestAChainGoesOnFromWhatAnotherExported(t *testing.T) {
	eachSeed(t, 2, func(t *testing.T, seed int64) {
		counts := newTally()
		simulate(t, seed, counts, func(tb testing.TB, ti simsx.TestInstance[*chain], accounts []simtypes.Account) {
			exported, err := ti.App.ExportAppStateAndValidators(true, nil, nil)
			require.NoError(tb, err)
			same := func(*rand.Rand, int) []simtypes.Account { return accounts }
			simsx.RunWithSeedAndRandAcc(tb, config(tb), open(tb, counts), exportedState(exported.AppState, ti.App.time),
				seed+1, fewLiars(seed+1), same)
		})
	})
}
