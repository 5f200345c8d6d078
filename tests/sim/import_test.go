package sim

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/baseapp"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
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
	prooftypes "github.com/souk-network/souk/x/proof/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// rebuilt are the keys, by store, that do not come back as they were. In the SDK's modules these are queues in which the
// entries of one second stand in the order of their making, and counters that start anew. The market folds into one record
// what it writes bit by bit: a bid's first state into its status, a change of a pool or an offer that counts by now, gains of
// the present block into those of the next sweep. x/proof files epochs that it is not done with once more, later, and who is to
// be jailed for now. What they hold is compared all the same, in what both chains export.
var rebuilt = map[string][][]byte{
	stakingtypes.StoreKey: {
		stakingtypes.UnbondingQueueKey, stakingtypes.RedelegationQueueKey, stakingtypes.ValidatorQueueKey,
		stakingtypes.HistoricalInfoKey, stakingtypes.UnbondingIDKey, stakingtypes.UnbondingIndexKey,
		stakingtypes.UnbondingTypeKey, stakingtypes.ValidatorUpdatesKey, stakingtypes.ParamsKey,
	},
	authzkeeper.StoreKey:   {authzkeeper.GrantQueuePrefix},
	feegrant.StoreKey:      {feegrant.FeeAllowanceQueueKeyPrefix},
	slashingtypes.StoreKey: {slashingtypes.ValidatorMissedBlockBitmapKeyPrefix},
	markettypes.StoreKey: {
		markettypes.PoolsKey.Bytes(), markettypes.OffersKey.Bytes(), markettypes.BidsKey.Bytes(),
		markettypes.BidStatusesKey.Bytes(), markettypes.UnsettledKey.Bytes(), markettypes.GainedKey.Bytes(),
	},
	prooftypes.StoreKey: {prooftypes.EpochQueueKey.Bytes(), prooftypes.JailQueueKey.Bytes()},
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
	for _, name := range []string{escrowtypes.ModuleName, providertypes.ModuleName, markettypes.ModuleName, prooftypes.ModuleName} {
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

// idle begins the keys of what is allocated of the market's pools: nothing, for a pool that is idle again, or no entry for one
// that always was.
var idle = string(markettypes.AllocatedKey.Bytes())

// forgotten tells that a key of the market's is in the queue of retained leases, of one that went with its deployment before
// its turn came: the holdback that counted when the deployment closed was shorter. There is nothing to do for it, and no export
// has it.
func forgotten(key string, market map[string][]byte) bool {
	queue := string(markettypes.RetainedKey.Bytes())
	if !strings.HasPrefix(key, queue) {
		return false
	}
	lease := key[len(queue)+8:] // behind the second
	_, kept := market[string(markettypes.LeasesKey.Bytes())+lease]
	return !kept
}

// sameStores compares all that is stored, key by key.
func sameStores(tb testing.TB, before, after *chain, ctx sdk.Context) {
	tb.Helper()
	past := before.NewContext(true)
	for _, name := range sorted(before.StoreKeys()) {
		a := entries(tb, past.KVStore(before.StoreKeys()[name]), rebuilt[name])
		b := entries(tb, ctx.KVStore(after.StoreKeys()[name]), rebuilt[name])
		for _, key := range sorted(a) {
			other, found := b[key]
			if name == markettypes.StoreKey && (len(a[key]) == 0 && strings.HasPrefix(key, idle) || forgotten(key, a)) {
				continue
			}
			if !found || !same(tb, name, kv.Pair{Key: []byte(key), Value: a[key]}, kv.Pair{Key: []byte(key), Value: other}) {
				tb.Errorf("store %s, key %X: %X before, %X after", name, key, a[key], other)
			}
		}
		for _, key := range sorted(b) {
			if _, found := a[key]; !found {
				tb.Errorf("store %s, key %X: nothing before, %X after", name, key, b[key])
			}
		}
	}
}

// entries returns what a store holds, without keys of the prefixes.
func entries(tb testing.TB, store storetypes.KVStore, without [][]byte) map[string][]byte {
	tb.Helper()
	iterator := store.Iterator(nil, nil)
	defer func() { require.NoError(tb, iterator.Close()) }()
	all := map[string][]byte{}
	for ; iterator.Valid(); iterator.Next() {
		key := iterator.Key()
		if !slices.ContainsFunc(without, func(prefix []byte) bool { return bytes.HasPrefix(key, prefix) }) {
			all[string(key)] = iterator.Value()
		}
	}
	return all
}
