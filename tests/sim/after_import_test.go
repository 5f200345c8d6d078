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
			cfg := config(tb)
			// What was unbonding when heights began anew has none that a message could name.
			cfg.ParamsFile = paramsFile(tb, map[string]any{"op_weight_msg_cancel_unbonding_delegation": 0})
			same := func(*rand.Rand, int) []simtypes.Account { return accounts }
			simsx.RunWithSeedAndRandAcc(tb, cfg, open(tb, counts), exportedState(exported.AppState, ti.App.time),
				seed+1, fewLiars(seed+1), same)
		})
	})
}
