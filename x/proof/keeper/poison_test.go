package keeper_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/testutil/chain"
	escrowkeeper "github.com/souk-network/souk/x/escrow/keeper"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/proof/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// poison overwrites a record of a module with garbage, and returns what undoes that.
func (b *bench) poison(store string, key []byte) (undo func()) {
	b.t.Helper()
	records := b.StoreService(store).OpenKVStore(b.Ctx())
	before, err := records.Get(key)
	require.NoError(b.t, err)
	require.NotEmpty(b.t, before, "no such record")
	require.NoError(b.t, records.Set(key, []byte{0xff}))
	return func() {
		b.t.Helper()
		require.NoError(b.t, b.StoreService(store).OpenKVStore(b.Ctx()).Set(key, before))
	}
}

func recordKey(prefix []byte, id uint64) []byte { return binary.BigEndian.AppendUint64(prefix, id) }

// stuck returns what is in quarantine.
func (b *bench) stuck() []escrowtypes.Quarantined {
	b.t.Helper()
	response, err := escrowkeeper.NewQueryServer(b.Escrow).Quarantine(b.Ctx(), &escrowtypes.QueryQuarantineRequest{})
	require.NoError(b.t, err)
	return response.Items
}

func TestACommitmentThatCannotBeReadStopsNeitherTheChainNorOtherEpochs(t *testing.T) {
	b := start(t)
	b.sells("acme", 1)
	b.rents("alice", "acme", 1_000_000)
	b.until(endOf(1))
	tree := b.tree("acme", 1, 100)
	b.commits("acme", 1, tree)
	b.until(b.epoch(1).CommitUntil)
	awaited := b.awaited()[0]
	undo := b.poison(types.StoreKey, recordKey(types.CommitmentsKey.Bytes(), 1))
	for range 10 {
		b.NextBlock(second)
	}
	require.NoError(t, b.Deliver(b.round(awaited)))
	b.NextBlock(second)
	require.False(t, b.epoch(1).Drawn)
	undo()
	b.tick(second)
	require.True(t, b.epoch(1).Drawn, "and goes on once it can be read")
	require.True(t, b.opens("acme", 1, tree).Proven)
}

func TestACommitmentThatCannotBeDrawnCountsAsProvenWhenItsEpochIsForgotten(t *testing.T) {
	b := start(t)
	acme := b.sells("acme", 1)
	b.rents("alice", "acme", 1_000_000)
	b.proves("acme", 1, 100)
	b.until(endOf(2))
	b.commits("acme", 2, b.tree("acme", 2, 60))
	b.until(b.epoch(2).CommitUntil)
	b.Run(6*second, second)
	undo := b.poison(types.StoreKey, append(types.StandingsKey.Bytes(), acme...))
	require.NoError(t, b.Deliver(b.round(b.awaited()[0])))
	b.NextBlock(second)
	require.True(t, b.epoch(2).Drawn)
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_COMMITTED, b.state("acme", 2))
	undo()
	b = b.editing(func(g *types.GenesisState) {
		for i := range g.Epochs {
			g.Epochs[i].Turnout.Phase = types.TurnoutDone
		}
	})
	service := b.pot("acme", 2).Service
	b.until(b.epoch(2).PruneAt() - 1)
	require.False(t, b.pot("acme", 2).Credited)
	b.tick(second)
	pot := b.pot("acme", 2)
	require.True(t, pot.Credited)
	require.Equal(t, service.MulRaw(6).QuoRaw(10).String(), pot.Payable.String())
}

func TestAPunishmentThatFailsIsSetAsideAndTriedAgain(t *testing.T) {
	b := start(t)
	acme := b.sells("acme", 1)
	b.rents("alice", "acme", 1_000_000)
	b.until(endOf(1))
	tree := b.tree("acme", 1, 100)
	b.commits("acme", 1, tree)
	b.until(b.epoch(1).CommitUntil)
	b.beacon()
	c, _ := b.committed("acme", 1)
	b.until(c.OpenBy - 1)
	late := b.openings("acme", 1, denom, tree)
	undo := b.poison(providertypes.StoreKey, append(providertypes.ProvidersKey.Bytes(), acme...))
	b.NextBlock(second)
	undo()
	b.check()
	stuck := b.stuck()
	require.Len(t, stuck, 1)
	require.Equal(t, types.OpenSource, stuck[0].Source)
	require.Equal(t, c.Id, stuck[0].Id)
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_AUDITED, b.state("acme", 1))
	b.refuses(types.ErrTooLate, late)
	require.NoError(t, b.Deliver(&escrowtypes.MsgRetry{Authority: b.Authority, Source: types.OpenSource, Id: c.Id}))
	b.check()
	require.Empty(t, b.stuck())
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_FORGED, b.state("acme", 1))
	require.True(t, b.provider("acme").Jailed())
}

func TestWhatNobodyHasToProveIsPaidAtOnce(t *testing.T) {
	b := start(t)
	tenant, payee := b.Funded("tenant", chain.Coin(100_000)), chain.Account("nobody")
	account, err := b.Escrow.OpenAccount(b.Ctx(), tenant, chain.Coin(100_000), nil)
	require.NoError(t, err)
	_, err = b.Escrow.OpenStream(b.Ctx(), account, 1, payee, hourly, escrowtypes.StreamKind_STREAM_KIND_SERVICE)
	require.NoError(t, err)
	b.until(endOf(1))
	b.tick(second)
	pot, err := b.Escrow.EpochPot(b.Ctx(), payee, denom, 1)
	require.NoError(t, err)
	require.True(t, pot.Credited, "a payee that is no provider")
	require.Equal(t, pot.Service.String(), pot.Payable.String())
	require.True(t, pot.Refundable.IsZero())
}

func TestAnEpochThatIsToldLateHasItsWindowsLate(t *testing.T) {
	b := start(t)
	b.sells("acme", 1)
	b.rents("alice", "acme", 1_000_000)
	b.until(endOf(1) - 1)
	undo := b.poison(types.StoreKey, types.ParamsKey.Bytes())
	b.NextBlock(second)
	undo()
	b.refuses(types.ErrEpochNotFound, b.commitment("acme", 1, b.build()))
	require.False(t, b.pot("acme", 1).Credited, "its pots wait")
	b.tick(20 * second)
	require.NoError(t, b.Deliver(&escrowtypes.MsgRetry{Authority: b.Authority, Source: escrowtypes.EpochSource, Id: 1}))
	require.Equal(t, b.Now()+commitWindow, b.epoch(1).CommitUntil)
	tree := b.tree("acme", 1, 100)
	require.False(t, b.commits("acme", 1, tree).Late)
	b.until(b.epoch(1).CommitUntil)
	b.beacon()
	require.True(t, b.opens("acme", 1, tree).Proven)
	require.Equal(t, b.pot("acme", 1).Service.String(), b.pot("acme", 1).Payable.String())
	require.Equal(t, math.ZeroInt().String(), b.pot("acme", 1).Refundable.String())
}
