package keeper_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/market/types"
)

// crowd opens deployments until there are as many live leases, all acknowledged.
func (b *bench) crowd(provider string, live int) {
	b.t.Helper()
	for done := 0; done < live; {
		n := min(types.MaxBids, live-done)
		bids := make([]types.BidSpec, n)
		for i := range bids {
			bids[i] = want(fmt.Sprintf("group-%d", i), 1, 5000)
		}
		id := b.deploys(fmt.Sprintf("old-%d", done), "web", 100_000_000, bids...)
		b.NextBlock(second)
		ids := make([]uint64, n)
		for i, lease := range b.leases(id) {
			ids[i] = lease.Id
		}
		for _, err := range b.acks(provider, ids...) {
			require.Empty(b.t, err)
		}
		done += n
	}
}

// gasOf returns the gas that handlers take to create a deployment with one bid, to acknowledge a lease in a batch of 50,
// and to close a deployment with one lease, beside leases that live already.
func gasOf(t *testing.T, live int) (create, ack, closing uint64) {
	t.Helper()
	b := start(t)
	b.sells("p", uint64(live)+200, hourly)
	b.Fund(chain.Account("p"), chain.Coin(1e12))
	require.NoError(t, b.Deliver(b.addBond("p", 1e12)))
	b.crowd("p", live)

	var ids, leases []uint64
	for i := range 50 {
		ids = append(ids, b.deploys(fmt.Sprintf("new-%d", i), "web", 1_000_000, want("web", 1, 5000)))
	}
	create = b.GasUsed
	b.NextBlock(second)
	for _, id := range ids {
		leases = append(leases, b.lease(id).Id)
	}
	for _, err := range b.acks("p", leases...) {
		require.Empty(t, err)
	}
	ack = b.GasUsed / uint64(len(leases))
	b.NextBlock(second)
	require.NoError(t, b.Deliver(&types.MsgCloseDeployment{Owner: b.name("new-7"), Deployment: ids[7]}))
	closing = b.GasUsed
	t.Logf("beside %d leases: create %d, ack %d, close %d gas", live, create, ack, closing)
	return create, ack, closing
}

// gasOfTheRest returns the gas of the other messages about leases by name, beside leases that live already: a resignation in
// a batch of 50, an update that shrinks a lease, one that resizes it, and the closing of one lease.
func gasOfTheRest(t *testing.T, live int) map[string]uint64 {
	t.Helper()
	b := start(t)
	b.sells("p", uint64(live)+400, hourly)
	b.Fund(chain.Account("p"), chain.Coin(1e12))
	require.NoError(t, b.Deliver(b.addBond("p", 1e12)))
	b.crowd("p", live)
	var ids, leases []uint64
	for i := range 50 {
		ids = append(ids, b.deploys(fmt.Sprintf("new-%d", i), "web", 1_000_000, want("web", 3, 5000)))
	}
	b.NextBlock(second)
	for _, id := range ids {
		leases = append(leases, b.lease(id).Id)
	}
	for _, err := range b.acks("p", leases...) {
		require.Empty(t, err)
	}
	b.NextBlock(second)

	gas := map[string]uint64{}
	require.NoError(t, b.Deliver(b.update("new-7", ids[7], want("web", 1, 5000))))
	gas["shrink"] = b.GasUsed
	resized := want("web", 3, 50_000)
	resized.Unit = units(2)
	require.NoError(t, b.Deliver(b.update("new-8", ids[8], resized)))
	gas["resize"] = b.GasUsed
	for _, text := range b.resigns("p", types.Reason_REASON_POLICY, leases...) {
		require.Empty(t, text)
	}
	gas["resign"] = b.GasUsed / uint64(len(leases))
	require.NoError(t, b.Deliver(b.closeLease("new-9", leases[9], false)))
	gas["close lease"] = b.GasUsed
	t.Logf("beside %d leases: %v gas", live, gas)
	return gas
}

// gasOfFailover returns the gas of the messages of failover by name, beside leases that live already: standbys acknowledged
// and challenges answered in batches of 50, a challenge of a tenant and of who stands by, and a lease given up to a standby.
func gasOfFailover(t *testing.T, live int) map[string]uint64 {
	t.Helper()
	b := start(t)
	for i, name := range []string{"p", "q"} {
		b.sells(name, uint64(live)+400, hourly+uint64(i))
		b.Fund(chain.Account(name), chain.Coin(1e12))
		require.NoError(t, b.Deliver(b.addBond(name, 1e12)))
	}
	b.crowd("p", live)
	const n = 50
	var ids, leases, standbys []uint64
	for i := range n {
		ids = append(ids, b.deploys(fmt.Sprintf("new-%d", i), "web", 1_000_000, wantStandbys("web", 1, 1)))
	}
	b.NextBlock(second)
	for _, id := range ids {
		leases = append(leases, b.lease(id).Id)
	}
	b.acks("p", leases...)
	b.NextBlock(second)
	for _, id := range ids {
		standbys = append(standbys, b.leases(id)[1].Id)
	}
	gas := map[string]uint64{}
	for _, err := range b.acks("q", standbys...) {
		require.Empty(t, err)
	}
	gas["stand by"] = b.GasUsed / n
	for i, lease := range leases {
		name := "challenge by a tenant"
		signer := fmt.Sprintf("new-%d", i)
		if i%2 == 1 {
			name, signer = "challenge by a standby", "q-agent"
		}
		b.challenges(signer, lease)
		gas[name] = b.GasUsed
	}
	for _, err := range b.answersAlive("p", leases...) {
		require.Empty(t, err)
	}
	gas["answer"] = b.GasUsed / n
	b.NextBlock(second)
	require.Len(t, b.failsOver("new-7", leases[7]), 1)
	gas["fail over"] = b.GasUsed
	t.Logf("beside %d leases: %v gas", live, gas)
	return gas
}

func TestTheGasOfFailoverStaysWithinItsBudgetAndDoesNotGrowWithTheMarket(t *testing.T) {
	few, many := gasOfFailover(t, 100), gasOfFailover(t, 10_000)
	for name, most := range map[string]uint64{
		"stand by": 40_000, "challenge by a tenant": 70_000, "challenge by a standby": 70_000, "answer": 10_000, "fail over": 130_000,
	} {
		require.LessOrEqual(t, few[name], most, name)
		require.InEpsilon(t, few[name], many[name], 0.02, name)
	}
}

func TestTheGasOfEveryMessageAboutLeasesDoesNotGrowWithTheMarket(t *testing.T) {
	few, many := gasOfTheRest(t, 100), gasOfTheRest(t, 10_000)
	for name, gas := range few {
		require.InEpsilon(t, gas, many[name], 0.02, name)
	}
}

func TestGasStaysWithinItsBudgetAndDoesNotGrowWithTheMarket(t *testing.T) {
	create, ack, closing := gasOf(t, 100)
	require.LessOrEqual(t, create+ack, uint64(90_000))
	require.LessOrEqual(t, closing, uint64(70_000))

	createMany, ackMany, closeMany := gasOf(t, 10_000)
	require.InEpsilon(t, create+ack, createMany+ackMany, 0.02)
	require.InEpsilon(t, closing, closeMany, 0.02)
}
