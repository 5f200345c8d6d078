package keeper_test

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	corestore "cosmossdk.io/core/store"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/market/types"
)

// narrow starts a market that reads few bids and offers a block.
func narrow(t *testing.T, bids, offers uint32) *bench {
	t.Helper()
	genesis := types.DefaultGenesis()
	genesis.Params = quick()
	genesis.Params.BidsPerBlock, genesis.Params.OffersPerBlock = bids, offers
	return startFrom(t, genesis, chain.WithEscrowParams(quickEscrow()))
}

// clearing is where clearing stands.
func (b *bench) clearing() types.Clearing {
	b.t.Helper()
	g, err := b.Market.ExportGenesis(b.Ctx())
	require.NoError(b.t, err)
	return g.Clearing
}

// fresh returns the ids of the bids that wait to be read.
func (b *bench) fresh() (ids []uint64) {
	b.t.Helper()
	g, err := b.Market.ExportGenesis(b.Ctx())
	require.NoError(b.t, err)
	for _, f := range g.Fresh {
		ids = append(ids, f.Bid)
	}
	return ids
}

func TestNoBidStarvesHoweverManyRestAndArrive(t *testing.T) {
	b := narrow(t, 4, 4096)
	var resting []uint64
	for i := range 20 {
		resting = append(resting, b.deploys(fmt.Sprintf("old-%d", i), "web", 1000, want("web", 1, 5000)))
	}
	for range 6 {
		b.tick(second)
	}
	require.Empty(t, b.fresh(), "all were read once")
	require.False(t, b.clearing().Sweeping)

	// The capacity that comes now suffices for half of those who rest; those who arrive bid less.
	b.sells("p", 10, hourly)
	for i := range 30 {
		b.deploys(fmt.Sprintf("new-%d", i), "web", 1000, want("web", 1, hourly-1))
	}
	for range 20 {
		b.tick(second)
	}
	served := 0
	for _, id := range resting {
		if len(b.leases(id)) > 0 {
			served++
		}
	}
	require.Equal(t, 10, served)
}

func TestABookThatIsWiderThanABlockIsReadInWindows(t *testing.T) {
	b := narrow(t, 4, 2)
	for i := range 9 {
		b.sells(fmt.Sprintf("dear-%d", i), 10, 9000)
	}
	b.sells("cheap", 10, hourly)
	var ids []uint64
	for i := range 7 {
		ids = append(ids, b.deploys(fmt.Sprintf("t-%d", i), "web", 1000, want("web", 1, 5000)))
	}
	blocks := 0
	for ; blocks < 60; blocks++ {
		b.tick(second)
	}
	for _, id := range ids {
		require.NotEmpty(t, b.leases(id), "every bid has seen every window")
	}
	turn := b.clearing()
	require.False(t, turn.Sweeping, "and then there is nothing to do: %v", turn)
}

func TestTheDensestValueIsServedFirstWhoeverCameFirst(t *testing.T) {
	b := start(t)
	low := b.deploys("low", "web", 1000, want("web", 1, 4000))
	high := b.deploys("high", "web", 1000, want("web", 1, 4001))
	b.sells("p", 1, hourly)
	b.tick(second)
	require.Empty(t, b.leases(low))
	require.Equal(t, hourly, b.lease(high).Rate, "and pays the ask")
}

func TestEqualBidsAreOrderedByTheHashOfTheBlockBefore(t *testing.T) {
	winners := map[uint64]bool{}
	for blocks := range 12 {
		b := start(t)
		for range blocks {
			b.NextBlock(second)
		}
		first := b.deploys("a", "web", 1000, want("web", 1, 4000))
		second1 := b.deploys("b", "web", 1000, want("web", 1, 4000))
		b.sells("p", 1, hourly)
		b.tick(second)
		if len(b.leases(first)) > 0 {
			winners[first] = true
		} else {
			require.Len(t, b.leases(second1), 1)
			winners[second1] = true
		}
	}
	require.Len(t, winners, 2, "not always the first, not always the last")
}

func TestClearingsAreAtLeastASecondApart(t *testing.T) {
	b := start(t)
	b.sells("p", 10, hourly)
	id := b.deploys("alice", "web", 1000, want("web", 1, 5000))
	b.tick(0)
	require.Len(t, b.leases(id), 1)
	next := b.deploys("bob", "web", 1000, want("web", 1, 5000))
	b.tick(second / 2)
	require.Empty(t, b.leases(next), "this second had its clearing")
	b.tick(second / 2)
	b.tick(0)
	require.Len(t, b.leases(next), 1)
}

func TestABlockWithNothingDueCostsTheSameHoweverMuchRests(t *testing.T) {
	cost := func(resting int) uint64 {
		b := start(t)
		b.sells("p", 100, hourly)
		for i := range resting {
			b.deploys(fmt.Sprintf("t-%d", i), "web", 1000, want("web", 1, hourly-1))
		}
		b.NextBlock(second)
		b.NextBlock(second)
		meter := storetypes.NewInfiniteGasMeter()
		require.NoError(t, b.Market.EndBlock(b.Ctx().WithGasMeter(meter)))
		return meter.GasConsumed()
	}
	few, many := cost(1), cost(500)
	require.InDelta(t, few, many, 100)
	require.Less(t, many, uint64(15_000))
}

func TestADeploymentHasAtMost256LiveLeases(t *testing.T) {
	b := start(t)
	for p := range 17 { // 272 pools of one unit
		name := fmt.Sprintf("p-%d", p)
		b.joins(name, 1_000_000_000)
		for pool := range uint32(types.MaxPools) {
			set, post := b.setPool(name, units(1)), b.postOffer(name, hourly)
			set.Id, post.Pool = pool, pool
			require.NoError(t, b.Deliver(set, post))
		}
	}
	bids := manyBids(28)
	for i := range bids {
		bids[i].Replicas = 10
	}
	id := b.deploys("alice", "web", 100_000_000, bids...)
	for range 3 {
		b.tick(second)
	}
	live, err := b.Market.LiveLeases(b.Ctx(), id)
	require.NoError(t, err)
	require.Len(t, live, types.MaxLiveLeases)
	var placed uint32
	for _, bid := range b.bids(id) {
		placed += bid.Placed
	}
	require.Equal(t, uint32(types.MaxLiveLeases), placed, "the rest waits")
	require.Equal(t, int64(100_000_000-256*window), b.closes("alice", id))
	b.check()
}

func TestAnOfferThatCanNotBeReadIsLeftOut(t *testing.T) {
	b := start(t)
	broken := b.sells("a", 10, hourly)
	b.sells("b", 10, hourly+1)
	offer, err := b.Market.BreakOffer(b.Ctx(), broken)
	require.NoError(t, err)
	id := b.deploys("alice", "web", 1000, want("web", 1, 5000))
	b.NextBlock(second)
	require.NoError(t, b.Market.MendOffer(b.Ctx(), broken, offer))
	b.check()
	require.Equal(t, b.name("b"), b.lease(id).Provider)
}

func TestABidThatIsDueIsNotServedEvenIfItsDeadlineWaits(t *testing.T) {
	params := quickEscrow()
	params.MaxDeadlinesPerBlock = 1
	b := start(t, chain.WithEscrowParams(params))
	var ids []uint64
	for i := range 3 {
		ids = append(ids, b.deploys(fmt.Sprintf("t-%d", i), "web", 1000, want("web", 1, 5000)))
	}
	b.tick(1100 * second) // one expires in this block
	b.sells("p", 10, hourly)
	b.tick(second)
	b.tick(second)
	for _, id := range ids {
		require.Empty(t, b.leases(id))
		require.Equal(t, types.BidState_BID_STATE_EXPIRED, b.bids(id)[0].State)
	}
}

func TestOneHugeBidAndOneHugePoolDoNotOverflow(t *testing.T) {
	b := start(t)
	b.joins("p", 1e18)
	most := types.Resources{CpuMillis: types.MaxQuantity, MemoryMib: types.MaxQuantity, EgressMbps: types.MaxQuantity}
	require.NoError(t, b.Deliver(b.setPool("p", most)))
	require.NoError(t, b.Deliver(&types.MsgPostOffer{
		Signer: b.name("p"), Provider: b.name("p"), Asks: []types.Ask{{Denom: denom, Cpu: 1, Egress: 1}},
	}))
	spec := want("web", 1000, types.MaxRate)
	spec.MinReplicas = 1
	spec.Unit = types.Resources{CpuMillis: types.MaxQuantity, MemoryMib: types.MaxQuantity, EgressMbps: types.MaxQuantity}
	id := b.deploys("alice", "web", 1e18, spec)
	b.tick(second)
	require.Equal(t, uint32(1), b.lease(id).Replicas)
	b.closes("alice", id)
	b.tick(second)
}

func TestADeploymentWhoseLeasesCanNotBeReadHoldsUpNobodyElse(t *testing.T) {
	b := start(t)
	b.sells("p", 10, hourly)
	bad := b.deploys("bad", "web", 1000, want("web", 1, 5001))
	good := b.deploys("good", "web", 1000, want("web", 1, 5000))
	key := append(binary.BigEndian.AppendUint64(types.LiveLeasesKey.Bytes(), bad), 1) // no lease id
	store := func() corestore.KVStore { return b.StoreService(types.StoreKey).OpenKVStore(b.Ctx()) }
	require.NoError(t, store().Set(key, []byte{}))
	b.NextBlock(second)
	require.Len(t, b.leases(good), 1)
	require.Empty(t, b.leases(bad))

	require.NoError(t, store().Delete(key))
	b.acks("p", b.lease(good).Id)
	b.tick(window * second)
	b.tick(second)
	require.Len(t, b.leases(bad), 1, "and is tried again")
}

func TestAClearingThatFailsMovesOnAndItsBidsAreTriedAgain(t *testing.T) {
	b := narrow(t, 4, 2)
	for i := range 3 {
		b.sells(fmt.Sprintf("p-%d", i), 10, hourly)
	}
	id := b.deploys("alice", "web", 1000, want("web", 1, 5000))
	before := b.clearing()
	mend := b.Market.BreakProviders()
	defer mend()
	require.NoError(t, b.Market.EndBlock(b.Ctx()))
	mend()
	after := b.clearing()
	require.Empty(t, b.leases(id))
	require.Equal(t, b.Now(), after.Second)
	require.Equal(t, before.Number+1, after.Number)
	require.Empty(t, b.fresh(), "the next batch is another")
	require.Equal(t, uint64(2), after.OfferCursor, "beside another window")
	require.Equal(t, b.Now()+window, after.RetryAt)

	next := b.deploys("bob", "web", 1000, want("web", 1, 5000))
	b.tick(second)
	b.tick(second)
	require.Len(t, b.leases(next), 1)
	for range window + 2 {
		b.tick(second)
	}
	require.NotEmpty(t, b.leases(id))
}

func TestAWindowIsNotTheLastBecauseTheLastRestingBidsAreDue(t *testing.T) {
	params := quickEscrow()
	params.MaxDeadlinesPerBlock = 1
	genesis := types.DefaultGenesis()
	genesis.Params = quick()
	genesis.Params.BidsPerBlock, genesis.Params.OffersPerBlock = 2, 1
	genesis.Params.BidLifetimeSeconds = 100
	b := startFrom(t, genesis, chain.WithEscrowParams(params))

	// The bids that will be due rest behind the one that stays: it was replaced, and its time began anew.
	b.sells("first", 1, hourly)
	stays := b.deploys("alice", "web", 1000, want("web", 1, 5000))
	b.tick(second)
	lease := b.lease(stays)
	for i := range 6 {
		b.deploys(fmt.Sprintf("t-%d", i), "web", 1000, want("web", 1, 1))
	}
	due := b.Now() + 100
	for range 10 {
		b.tick(second)
	}
	require.Equal(t, types.LeaseState_LEASE_STATE_PENDING, b.lease(stays).State)
	require.Equal(t, []string{""}, b.declines("first", lease.Id))
	for range 5 {
		b.tick(second)
	}
	require.False(t, b.clearing().Sweeping)

	b.sells("second", 1, hourly)
	b.tick(time.Duration(due-b.Now()) * second) // the six are due, and a block processes one of them
	for range 5 {
		b.tick(second)
	}
	require.Len(t, b.leases(stays), 2, "the second window was read")
}
