package keeper_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/testutil/chain"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// settledAt lets blocks pass without time until no deadline is pending.
func (b *bench) settledAt() {
	b.t.Helper()
	for range 2_000 {
		clock, err := b.Escrow.Clock(b.Ctx())
		require.NoError(b.t, err)
		if clock.Frontier == clock.Now() {
			return
		}
		b.NextBlock(0)
	}
	b.t.Fatal("deadlines stay behind")
}

// TestAJailingIsExactHoweverLongItTakes jails a provider with 300 leases where blocks process one deadline each. Whether
// their tenants close meanwhile, and when, changes nothing: all leases end at the second of the jailing.
func TestAJailingIsExactHoweverLongItTakes(t *testing.T) {
	const tenants, perTenant = 30, 10
	b := tuned(t, oneAtATime, longEpochs, func(_ *escrowtypes.Params, params *types.Params) { params.MissedAcks = 100 })
	b.sells("p", 1000, hourly)
	deployments := make([]uint64, tenants)
	acked := make([]uint64, tenants)
	for i := range tenants {
		bids := make([]types.BidSpec, perTenant)
		for j := range bids {
			bids[j] = want(fmt.Sprintf("group-%d", j), 1, 5000)
		}
		deployments[i] = b.deploys(fmt.Sprintf("t%d", i), "web", 100_000, bids...)
		b.NextBlock(second)
		var ids []uint64
		for _, lease := range b.live(deployments[i]) {
			ids = append(ids, lease.Id)
		}
		require.Len(t, ids, perTenant, "tenant %d", i)
		acked[i] = b.Now()
		for _, text := range b.acks("p", ids[:perTenant-1]...) { // the last one waits
			require.Empty(t, text)
		}
	}
	b.check()
	jailed := b.Now()
	waiting := b.leases(deployments[tenants-1])[perTenant-1]
	require.Equal(t, pending, waiting.State)
	b.jails("p")
	b.tick(14 * second)
	b.tick(100 * second)
	require.Equal(t, active, b.leases(deployments[7])[0].State, "not processed yet")

	// A tenant closes; a provider acknowledges, and resigns, what is over; another tenant closes one lease, and scales down.
	late := b.Now()
	refund := b.closes("t7", deployments[7])
	require.Contains(t, b.acks("p", b.leases(deployments[8])[perTenant-1].Id)[0], "lease")
	require.Contains(t, b.resigns("p", types.Reason_REASON_POLICY, b.leases(deployments[8])[0].Id)[0], types.ErrLeaseState.Error())
	b.refuses(types.ErrLeaseState, b.closeLease("t8", b.leases(deployments[8])[0].Id, false))
	b.declares("t9", deployments[9], want("group-0", 1, 5000))
	require.Greater(t, late, jailed)

	b.settledAt()
	b.check()
	for i, id := range deployments {
		for j, lease := range b.leases(id) {
			end, reason, at := failed, types.Reason_REASON_JAILED, jailed
			if j == perTenant-1 && lease.AckBy <= jailed {
				reason, at = types.Reason_REASON_NOT_ACKED, lease.AckBy
			}
			b.ended(lease, end, reason, at)
		}
		spent := (perTenant - 1) * int64(jailed-acked[i])
		compensated := int64(0)
		if b.leases(id)[perTenant-1].Reason == types.Reason_REASON_NOT_ACKED {
			compensated = int64(hourly / 2)
		}
		if i == 7 {
			require.Equal(t, 100_000-spent+compensated, refund)
			continue
		}
		require.Equal(t, (100_000-spent+compensated)*3600, b.grains(id))
	}
}

// TestTheSameJailingEndsTheSameWithAnyDelay runs one history with blocks that process everything and with blocks that
// process one deadline each.
func TestTheSameJailingEndsTheSameWithAnyDelay(t *testing.T) {
	run := func(perBlock uint32) ([]types.Lease, int64) {
		b := tuned(t, longEpochs, func(escrow *escrowtypes.Params, _ *types.Params) { escrow.MaxDeadlinesPerBlock = perBlock })
		b.sells("p", 1000, hourly)
		spec := want("web", 2, 5000)
		spec.LeaseSeconds, spec.NoReplace = 60, true
		id := b.deploys("alice", "web", 100_000, want("a", 1, 5000), spec, want("c", 3, 5000))
		b.NextBlock(second)
		leases := b.leases(id)
		b.acks("p", leases[0].Id, leases[1].Id)
		b.NextBlock(5 * second)
		b.resigns("p", types.Reason_REASON_POLICY, leases[0].Id)
		b.NextBlock(45 * second)
		b.jails("p")
		b.NextBlock(600 * second)
		refund := b.closes("alice", id)
		b.settledAt()
		b.check()
		return b.leases(id), refund
	}
	promptly, refund := run(1000)
	slowly, same := run(1)
	require.Equal(t, promptly, slowly)
	require.Equal(t, refund, same)
}

func TestALeasePassesThroughAllThatWasDueInTheOrderOfTime(t *testing.T) {
	b := tuned(t, oneAtATime, longEpochs)
	b.sells("p", 100, hourly)
	blocker := b.deploys("idle", "web", 200, want("x", 1, 1), want("y", 1, 1), want("z", 1, 1))
	id, _ := b.serves("alice", 100_000, want("web", 1, 5000))
	b.tick(1100 * second)
	left := b.Now()
	require.NoError(t, b.Deliver(&providertypes.MsgDeregister{Operator: b.name("p")}))
	b.tick(1000 * second)
	lease := b.lease(id)
	require.Equal(t, active, lease.State, "neither the sweep nor the notice is processed")
	require.NoError(t, b.Deliver(b.update("alice", id, want("web", 1, 5000))))
	b.ended(b.lease(id), closed, types.Reason_REASON_PROVIDER_LEFT, left+notice)
	b.settledAt()
	b.check()
	require.Equal(t, types.BidState_BID_STATE_EXPIRED, b.bids(blocker)[0].State)
}

func TestAJailInTheSecondOfADeregistrationFailsAll(t *testing.T) {
	for _, jailedFirst := range []bool{true, false} {
		b := tuned(t)
		b.sells("p", 100, hourly)
		id, _ := b.serves("alice", 100_000, want("web", 1, 5000))
		at := b.Now()
		if jailedFirst {
			b.jails("p")
		}
		require.NoError(t, b.Deliver(&providertypes.MsgDeregister{Operator: b.name("p")}))
		if !jailedFirst {
			b.jails("p")
		}
		b.check()
		b.tick(second)
		b.ended(b.lease(id), failed, types.Reason_REASON_JAILED, at)
	}
}

func TestAProviderJailedAgainWhileTheFirstSweepIsUnderWay(t *testing.T) {
	b := tuned(t, oneAtATime, longEpochs)
	b.sells("p", 100, hourly)
	id := b.deploys("alice", "web", 100_000, want("a", 1, 5000), want("b", 1, 5000), want("c", 1, 5000), want("d", 1, 5000))
	b.tick(second)
	var ids []uint64
	for _, lease := range b.live(id) {
		ids = append(ids, lease.Id)
	}
	b.acks("p", ids...)
	first := b.Now()
	require.NoError(t, b.Deliver(&providertypes.MsgJail{
		Authority: b.Authority, Provider: b.name("p"), Seconds: 1, Reason: "short",
	}))
	b.tick(second)
	require.NoError(t, b.Deliver(&providertypes.MsgUnjail{Operator: b.name("p")}))
	fresh := b.deploys("bob", "web", 100_000, want("web", 1, 5000))
	b.tick(0)
	require.Len(t, b.leases(fresh), 1)
	b.acks("p", b.lease(fresh).Id)
	again := b.Now()
	b.jails("p")
	b.check()
	b.settledAt()
	b.check()
	for _, lease := range b.leases(id) {
		b.ended(lease, failed, types.Reason_REASON_JAILED, first)
	}
	b.settledAt()
	b.tick(second)
	b.settledAt()
	b.ended(b.lease(fresh), failed, types.Reason_REASON_JAILED, again)
}

func TestAPoisonedLeaseOfASweepGoesIntoQuarantineAndTheOthersEnd(t *testing.T) {
	b := tuned(t, longEpochs)
	b.sells("p", 100, hourly)
	id := b.deploys("alice", "web", 100_000, want("a", 1, 5000), want("b", 1, 5000), want("c", 1, 5000))
	b.tick(second)
	leases := b.leases(id)
	b.acks("p", leases[0].Id, leases[1].Id, leases[2].Id)
	jailed := b.Now()
	b.jails("p")
	mend, err := b.Market.BreakBid(b.Ctx(), leases[1].Bid)
	require.NoError(t, err)
	b.NextBlock(10 * second)
	require.NoError(t, mend(b.Ctx()))
	b.check()
	b.ended(b.leases(id)[0], failed, types.Reason_REASON_JAILED, jailed)
	require.Equal(t, active, b.leases(id)[1].State)
	b.ended(b.leases(id)[2], failed, types.Reason_REASON_JAILED, jailed)

	b.tick(10 * second)
	require.NoError(t, b.Deliver(&escrowtypes.MsgRetry{
		Authority: b.Authority, Source: types.SweepSource, Id: leases[1].Id,
	}))
	b.check()
	b.ended(b.leases(id)[1], failed, types.Reason_REASON_JAILED, jailed)
	require.Equal(t, (100_000-3*int64(jailed-b.leases(id)[0].AckedAt))*3600, b.grains(id))
}

func TestAPoisonedTermGoesIntoQuarantineAndEndsByRetryAtItsSecond(t *testing.T) {
	b := tuned(t, longEpochs)
	b.sells("p", 100, hourly)
	spec := want("web", 1, 5000)
	spec.LeaseSeconds = 50
	id, lease := b.serves("alice", 10_000, spec)
	mend, err := b.Market.BreakBid(b.Ctx(), lease.Bid)
	require.NoError(t, err)
	b.NextBlock(60 * second)
	require.NoError(t, mend(b.Ctx()))
	b.check()
	require.Equal(t, active, b.lease(id).State)
	b.tick(10 * second)
	require.NoError(t, b.Deliver(&escrowtypes.MsgRetry{Authority: b.Authority, Source: types.LeaseSource, Id: lease.Id}))
	b.check()
	b.ended(b.lease(id), closed, types.Reason_REASON_EXPIRED, lease.EndsAt)
	require.Equal(t, int64(10_000-50)*3600, b.grains(id))
}

func TestAPoisonedBidAndAPoisonedRetainedLeaseGoIntoQuarantine(t *testing.T) {
	b := tuned(t)
	b.sells("p", 1, hourly)
	id, lease := b.serves("alice", 1_000_000, want("web", 1, 5000))
	resting := b.deploys("bob", "web", 10_000, want("web", 1, 5000))
	bid := b.bids(resting)[0]
	mend, err := b.Market.BreakBid(b.Ctx(), bid.Id)
	require.NoError(t, err)
	b.Run(1001*second, 100*second)
	require.NoError(t, mend(b.Ctx()))
	b.check()
	require.Equal(t, types.BidState_BID_STATE_OPEN, b.bids(resting)[0].State)
	require.NoError(t, b.Deliver(&escrowtypes.MsgRetry{Authority: b.Authority, Source: types.BidSource, Id: bid.Id}))
	b.check()
	require.Equal(t, types.BidState_BID_STATE_EXPIRED, b.bids(resting)[0].State)

	require.NoError(t, b.Deliver(b.closeLease("alice", lease.Id, false)))
	b.tick(second)
	mend, err = b.Market.BreakLease(b.Ctx(), lease.Id)
	require.NoError(t, err)
	b.Run(600*second, 50*second)
	require.NoError(t, mend(b.Ctx()))
	b.check()
	require.Len(t, b.leases(id), 1)
	require.NoError(t, b.Deliver(&escrowtypes.MsgRetry{Authority: b.Authority, Source: types.RetainedSource, Id: lease.Id}))
	b.check()
	require.Empty(t, b.leases(id))
}

func TestSweepsAndRetainedLeasesSurviveAnExport(t *testing.T) {
	b := tuned(t, oneAtATime)
	b.sells("p", 100, hourly)
	spec := want("d", 1, 5000)
	spec.LeaseSeconds = 5000
	id := b.deploys("alice", "web", 100_000, want("a", 1, 5000), want("b", 1, 5000), want("c", 1, 5000), spec)
	b.tick(second)
	var ids []uint64
	for _, lease := range b.live(id) {
		ids = append(ids, lease.Id)
	}
	b.acks("p", ids...)
	require.NoError(t, b.Deliver(b.closeLease("alice", ids[0], false)))
	b.jails("p")
	b.tick(second)
	g, err := b.Market.ExportGenesis(b.Ctx())
	require.NoError(t, err)
	require.Len(t, g.Sweeps, 1)
	require.NotEmpty(t, g.Retained)
	again := startFrom(t, nil, chain.WithState(b.Export()))
	again.check()
	for range 4 {
		b.tick(0)
		again.tick(0)
	}
	require.Equal(t, b.leases(id), again.leases(id))
	require.Empty(t, again.live(id))
}
