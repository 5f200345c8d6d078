package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/match"
	"github.com/souk-network/souk/x/market/types"
)

// cleared asks what the last clearing did.
func (b *bench) cleared() *types.QueryClearingResponse {
	b.t.Helper()
	res, err := b.query().Clearing(b.Ctx(), &types.QueryClearingRequest{Denom: denom})
	require.NoError(b.t, err)
	return res
}

func TestAClearingTellsHowGoodItWas(t *testing.T) {
	b := start(t)
	first := b.sells("p", 2, hourly)
	require.Nil(t, b.cleared().Cleared, "none yet")
	b.deploys("high", "web", 1000, want("web", 1, 5000))
	b.deploys("middle", "web", 1000, want("web", 1, 4000))
	b.deploys("low", "web", 1000, want("web", 1, 3700))
	b.tick(second)

	c := b.cleared().Cleared
	require.NotNil(t, c)
	require.Equal(t, b.clearing().Number, c.Number)
	require.Equal(t, []uint32{3, 1, 2}, []uint32{c.Bids, c.Offers, c.Leases})
	require.Equal(t, 5000+4000-2*int64(hourly), c.Welfare.Int64(), "caps less what is paid")
	require.True(t, c.Bound.GTE(c.Welfare))
	require.LessOrEqual(t, c.GapPpm, uint32(20_000), "two of three fit, which prices show: bound %s", c.Bound)
	require.Len(t, c.Prices, 1)
	require.Equal(t, first, c.Prices[0].Offer)

	// The bound follows from the published prices alone: each unit above its ask, and what each bid has left beside them.
	price := c.Prices[0].Price
	rate, err := match.Rate(units(1).Vector(), price.Vector(), 1)
	require.NoError(t, err)
	var bound uint64
	for _, limit := range []uint64{5000, 4000, 3700} {
		bound += limit - min(limit, rate)
	}
	bound += 2 * (max(rate, hourly) - hourly)
	require.InDelta(t, c.Bound.Int64(), bound, 8, "rounding")
}

func TestNothingIsPublishedWhenNothingIsCleared(t *testing.T) {
	b := start(t)
	b.sells("p", 2, hourly)
	b.tick(second)
	require.Nil(t, b.cleared().Cleared)
	b.deploys("a", "web", 1000, want("web", 1, 5000))
	b.tick(second)
	before := b.cleared()
	require.Empty(t, before.Cleared.Prices, "there was enough for all")
	b.tick(second)
	require.Equal(t, before, b.cleared())
	_, err := b.query().Clearing(b.Ctx(), &types.QueryClearingRequest{Denom: "!"})
	require.Error(t, err)
}

func TestOnlyWhatLeasesTookMovesTheWeights(t *testing.T) {
	b := start(t)
	b.sells("p", 100, hourly)
	even := b.cleared().Weights
	require.NoError(t, even.Validate())
	b.deploys("promises", "web", 1000, want("web", 900, 2)) // below every ask
	b.tick(second)
	require.Equal(t, even, b.cleared().Weights, "nobody got anything")

	hungry := want("web", 1, 5000)
	hungry.Unit.MemoryMib /= 2
	b.deploys("a", "web", 1000, hungry)
	b.tick(second)
	after := b.cleared().Weights.Weights
	require.Greater(t, after.CpuMillis, even.Weights.CpuMillis, "more of the cpu went than of the memory")
	require.Less(t, after.MemoryMib, even.Weights.MemoryMib)
}

func TestWhatIsScarceIsLeftToThoseWhoHaveNothingElse(t *testing.T) {
	b := start(t)
	b.sells("cheap", 1, hourly, region("eu")...)
	b.sells("dear", 1, hourly+100, region("us")...)
	anywhere := b.deploys("anywhere", "web", 1000, want("web", 1, 6000))
	bound := want("web", 1, 5000)
	bound.Requirements = []types.LabelRequirement{{Key: "region", Operator: types.Operator_OPERATOR_IN, Values: []string{"eu"}}}
	here := b.deploys("here", "web", 1000, bound)
	b.tick(second)
	require.Equal(t, hourly, b.lease(here).Rate, "the denser bid would have taken it")
	require.Equal(t, hourly+100, b.lease(anywhere).Rate, "and pays what the other asks")
	require.Equal(t, 6000+5000-2*int64(hourly)-100, b.cleared().Cleared.Welfare.Int64())

	// Without anybody who needs it more, the cheapest it is.
	b = start(t)
	b.sells("cheap", 1, hourly, region("eu")...)
	b.sells("dear", 1, hourly+100, region("us")...)
	alone := b.deploys("anywhere", "web", 1000, want("web", 1, 6000))
	b.tick(second)
	require.Equal(t, hourly, b.lease(alone).Rate)
}

func TestPromisesBeyondTheMoneyMoveNoPrices(t *testing.T) {
	large := func(limit uint64) types.BidSpec {
		bid := want("web", 1, limit)
		bid.Unit = units(5)
		return bid
	}
	cleared := func(promise uint64) types.Cleared {
		b := start(t)
		b.sells("p", 5, hourly)
		b.deploys("a", "web", 1000, large(6*hourly))
		b.deploys("b", "web", 1000, large(51*hourly/10))
		sham := b.deploys("sham", "web", 100, large(promise)) // its money holds four units at the ask, for the least time
		b.tick(second)
		require.Empty(t, b.leases(sham))
		return *b.cleared().Cleared
	}
	modest, grand := cleared(4*hourly), cleared(1_000_000*hourly)
	require.Equal(t, modest.Prices, grand.Prices)
	require.Equal(t, modest.Bound, grand.Bound)
}

func TestReplicasBeyondTheMoneyMoveNoPrices(t *testing.T) {
	cleared := func(replicas uint32) types.Cleared {
		b := start(t)
		b.sells("p", 3, hourly)
		b.deploys("a", "web", 1000, want("web", 1, 6*hourly))
		many := want("web", 4, 5*hourly) // its money holds four, the market three
		many.Replicas = replicas
		b.deploys("sham", "web", 100, many)
		b.tick(second)
		return *b.cleared().Cleared
	}
	few, lots := cleared(4), cleared(1000)
	require.Equal(t, few.Prices, lots.Prices)
	require.Equal(t, few.Bound, lots.Bound)
}

func TestCapacityThatCostsNothingToShowMovesNoWeights(t *testing.T) {
	weights := func(shown bool) types.Weights {
		b := start(t)
		b.sells("p", 4, hourly)
		if shown {
			b.joins("q", 1_000_000_000)
			total := units(1)
			total.GpuMillis = 1 << 39 // at no price, and no unit fits
			message := b.setPool("q", total)
			message.LargestUnit.GpuMillis = 0
			require.NoError(t, b.Deliver(message))
			b.posts("q", 100*hourly)
		}
		b.deploys("a", "web", 1000, want("web", 1, 5000))
		b.tick(second)
		return b.cleared().Weights
	}
	require.Equal(t, weights(false).Weights.GpuMillis, weights(true).Weights.GpuMillis)
}
