package sim

import (
	"bytes"
	"encoding/json"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/baseapp"
	simtestutil "github.com/cosmos/cosmos-sdk/testutil/sims"
	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/kv"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"
	authzkeeper "github.com/cosmos/cosmos-sdk/x/authz/keeper"
	"github.com/cosmos/cosmos-sdk/x/feegrant"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// rebuilt are the keys, by store, that the SDK's modules do not bring back as they were: queues in which the order of entries
// of one second is that of their making, and counters that start anew. Of our modules nothing is left out.
var rebuilt = map[string][][]byte{
	stakingtypes.StoreKey: {
		stakingtypes.UnbondingQueueKey, stakingtypes.RedelegationQueueKey, stakingtypes.ValidatorQueueKey,
		stakingtypes.HistoricalInfoKey, stakingtypes.UnbondingIDKey, stakingtypes.UnbondingIndexKey,
		stakingtypes.UnbondingTypeKey, stakingtypes.ValidatorUpdatesKey, stakingtypes.ParamsKey,
	},
	authzkeeper.StoreKey:   {authzkeeper.GrantQueuePrefix},
	feegrant.StoreKey:      {feegrant.FeeAllowanceQueueKeyPrefix},
	slashingtypes.StoreKey: {slashingtypes.ValidatorMissedBlockBitmapKeyPrefix},
}

func TestAnImportedStateIsTheExportedOneStoreByStore(t *testing.T) {
	eachSeed(t, 2, func(t *testing.T, seed int64) {
		simulate(t, seed, newTally(), func(tb testing.TB, ti simsx.TestInstance[*chain], _ []simtypes.Account) {
			exported, err := ti.App.ExportAppStateAndValidators(false, nil, nil)
			require.NoError(tb, err)
			imported, ctx := importState(tb, ti, exported.AppState)
			require.NoError(tb, imported.check(ctx), "invariants after the import")

			again, err := imported.Modules().ExportGenesis(ctx, imported.Encoding().Codec)
			require.NoError(tb, err)
			sameExport(tb, exported.AppState, again)
			sameStores(tb, ti.App, imported, ctx)
		})
	})
}

// importState starts a new chain from an exported state. Its first block is still to come.
func importState(tb testing.TB, ti simsx.TestInstance[*chain], state json.RawMessage) (*chain, sdk.Context) {
	tb.Helper()
	imported := open(tb, newTally())(log.NewNopLogger(), dbm.NewMemDB(), true, simtestutil.AppOptionsMap{},
		baseapp.SetChainID(ti.Cfg.ChainID))
	tb.Cleanup(func() { require.NoError(tb, imported.Close()) })
	params := ti.App.GetConsensusParams(ti.App.NewContext(true))
	_, err := imported.InitChain(&abci.RequestInitChain{
		ChainId: ti.Cfg.ChainID, Time: ti.App.time, ConsensusParams: &params, AppStateBytes: state,
		InitialHeight: ti.App.LastBlockHeight() + 1,
	})
	require.NoError(tb, err, "import")
	return imported, imported.NewContext(false).WithBlockHeight(ti.App.LastBlockHeight()).WithBlockTime(ti.App.time)
}

// sameExport holds what the imported chain exports against what it was imported from.
func sameExport(tb testing.TB, state json.RawMessage, again map[string]json.RawMessage) {
	tb.Helper()
	var want map[string]json.RawMessage
	require.NoError(tb, json.Unmarshal(state, &want))
	for _, name := range []string{escrowtypes.ModuleName, providertypes.ModuleName, markettypes.ModuleName} {
		require.JSONEq(tb, string(want[name]), string(again[name]), "export of x/%s", name)
	}
}

// same tells that two entries are equal, but for the time of the last block in escrow's clock, which an import forgets so that
// the first block after it bills nothing.
func same(tb testing.TB, store string, a, b kv.Pair) bool {
	tb.Helper()
	if store == escrowtypes.StoreKey && bytes.Equal(a.Key, escrowtypes.ClockKey.Bytes()) {
		var clocks [2]escrowtypes.Clock
		require.NoError(tb, clocks[0].Unmarshal(a.Value))
		require.NoError(tb, clocks[1].Unmarshal(b.Value))
		clocks[0].LastBlockTime = nil
		return clocks[0] == clocks[1]
	}
	return bytes.Equal(a.Value, b.Value)
}

// sameStores compares all that is stored, key by key.
func sameStores(tb testing.TB, before, after *chain, ctx sdk.Context) {
	tb.Helper()
	past := before.NewContext(true)
	for _, name := range sorted(before.StoreKeys()) {
		a, b := past.KVStore(before.StoreKeys()[name]), ctx.KVStore(after.StoreKeys()[name])
		left, right := simtestutil.DiffKVStores(a, b, rebuilt[name])
		require.Equal(tb, len(left), len(right))
		for i := range left {
			if !same(tb, name, left[i], right[i]) {
				tb.Errorf("store %s, key %X: %X before, %X after", name, left[i].Key, left[i].Value, right[i].Value)
			}
		}
	}
}
