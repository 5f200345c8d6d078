package keeper_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/market/types"
)

// spreads is a bid for replicas of one plain unit, each at another provider, and at least one of them.
func spreads(name string, replicas uint32) types.BidSpec {
	spec := want(name, replicas, 5000)
	spec.MinReplicas, spec.MaxPerProvider = 1, 1
	return spec
}

func TestSpreadBidsBeyondTheLeasesThatOneClearingMayReadAreServedInLaterOnes(t *testing.T) {
	const deployments, sellers = 8, 5
	genesis := types.DefaultGenesis()
	genesis.Params = quick()
	genesis.Params.BidsPerBlock = 8 // the leases of two deployments
	b := startFrom(t, genesis, chain.WithEscrowParams(quickEscrow()))
	for i := range sellers {
		b.sells(fmt.Sprintf("p-%d", i), 100, hourly)
	}
	var all []uint64
	for i := range deployments {
		all = append(all, b.deploys(fmt.Sprintf("t-%d", i), "web", 1_000_000, spreads("web", sellers+1)))
	}
	for range 3 {
		b.tick(second)
	}
	var live []types.Lease
	for _, id := range all {
		require.Len(t, b.leases(id), sellers, "one at each provider")
		live = append(live, b.leases(id)...)
	}
	for _, lease := range live {
		name := "p-" + fmt.Sprint(lease.Offer-1)
		require.Equal(t, []string{""}, b.acks(name, lease.Id))
	}

	b.sells("late", 100, hourly)
	for range 2 * deployments {
		b.tick(second)
	}
	for _, id := range all {
		require.Len(t, b.leases(id), sellers+1)
		at := map[string]bool{}
		for _, lease := range b.leases(id) {
			require.False(t, at[lease.Provider], "the spread holds over clearings")
			at[lease.Provider] = true
		}
	}
	b.check()
}

func TestDeploymentsWithAllTheirLeasesTakeNothingFromOthersAndStartNoSweeps(t *testing.T) {
	b := start(t)
	for i := range 8 {
		b.joins(fmt.Sprintf("p-%d", i), 1_000_000_000_000)
		b.sets(fmt.Sprintf("p-%d", i), units(100))
		b.posts(fmt.Sprintf("p-%d", i), hourly)
	}
	var bids []types.BidSpec
	for i := range types.MaxBids {
		bids = append(bids, spreads(fmt.Sprintf("group-%d", i), 9))
	}
	full := b.deploys("alice", "web", 100_000_000, bids...)
	b.tick(second)
	page, err := b.Market.LiveLeases(b.Ctx(), full)
	require.NoError(t, err)
	require.Equal(t, types.MaxLiveLeases, len(page))
	for _, lease := range page {
		require.Equal(t, []string{""}, b.acks("p-"+fmt.Sprint(lease.Offer-1), lease.Id))
	}

	b.sells("late", 1, hourly-100)
	poor := b.deploys("bob", "web", 1_000_000, want("web", 1, hourly-50))
	b.tick(second)
	require.Len(t, b.leases(poor), 1, "although others value the capacity more")
	require.Equal(t, []string{""}, b.acks("late", b.lease(poor).Id))

	b.tick(second)
	before := b.clearing()
	for range 3 * window {
		b.tick(second)
	}
	require.Equal(t, before.Number, b.clearing().Number, "nothing is cleared while nothing changes")
	b.check()
}

// BenchmarkSpreadBids is a clearing of 2,048 bids of 64 deployments that rest, with 256 leases each: beside a provider that
// they all could use, if they are spread, or that none can, if they are not.
func BenchmarkSpreadBids(b *testing.B) {
	for _, at := range []struct {
		name   string
		spread uint32
	}{{"spread", 1}, {"anywhere", 0}} {
		b.Run(at.name, func(b *testing.B) {
			m := start(b)
			for i := range 8 {
				m.joins(fmt.Sprintf("p-%d", i), 1_000_000_000_000)
				m.sets(fmt.Sprintf("p-%d", i), units(2048))
				m.posts(fmt.Sprintf("p-%d", i), hourly)
			}
			for i := range 64 {
				var bids []types.BidSpec
				for j := range types.MaxBids {
					spec := spreads(fmt.Sprintf("group-%d", j), 9)
					if at.spread == 0 {
						spec.MaxPerProvider = 0
					}
					bids = append(bids, spec)
				}
				m.deploys(fmt.Sprintf("t-%d", i), "web", 1_000_000_000, bids...)
			}
			m.tick(second)
			m.tick(second)
			m.sells("late", 1, hourly)
			m.NextBlock(second)
			for b.Loop() {
				cache, _ := m.Ctx().CacheContext()
				require.NoError(b, m.Market.EndBlock(cache))
			}
		})
	}
}
