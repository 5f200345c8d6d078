package quote

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/match"
	markettypes "github.com/souk-network/souk/x/market/types"
)

const self = "souk1self"

func asListed(_ markettypes.Bid, ask markettypes.Ask) *markettypes.Ask { return &ask }

// world has one offer of 4 CPUs with 1 taken, and a bid for three replicas of one CPU.
func world() Input {
	vcpu := func(n uint64) markettypes.Resources {
		return markettypes.Resources{CpuMillis: 1000 * n, MemoryMib: 1024 * n}
	}
	return Input{
		Now: 1000, Provider: self, ValidSeconds: 600, Ask: asListed,
		Pools: []markettypes.CapacityPool{{Id: 0, Total: vcpu(4), Allocated: vcpu(1), LargestUnit: vcpu(4)}},
		Offers: []markettypes.Offer{{
			Id: 7, Provider: self, Asks: []markettypes.Ask{{Denom: "usouk", Cpu: 100}}, State: markettypes.OfferState_OFFER_STATE_ACTIVE,
			Labels: []markettypes.Label{{Key: "region", Value: "eu"}},
		}},
		Bids: []Bid{{
			Bid: markettypes.Bid{
				Id: 3, Denom: "usouk", State: markettypes.BidState_BID_STATE_OPEN, ExpiresAt: 2000,
				Spec: markettypes.BidSpec{Unit: vcpu(1), MinReplicas: 1, Replicas: 2, Cap: 100, Mode: markettypes.BidMode_BID_MODE_QUOTE},
			},
			Tenant: markettypes.Tenant{Owner: "souk1owner", Denom: "usouk"},
		}},
	}
}

func TestWhichBidsAreQuoted(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Input)
		want   uint32 // replicas; 0 for no quote
	}{
		{"it suits", func(*Input) {}, 2},
		{"an auction", func(in *Input) { in.Bids[0].Bid.Spec.Mode = markettypes.BidMode_BID_MODE_AUCTION }, 0},
		{"it has left the book", func(in *Input) { in.Bids[0].Bid.State = markettypes.BidState_BID_STATE_FILLED }, 0},
		{"it is due", func(in *Input) { in.Bids[0].Bid.ExpiresAt = 1000 }, 0},
		{"a replica is placed", func(in *Input) { in.Bids[0].Bid.Placed = 1 }, 1},
		{"nothing is missing", func(in *Input) { in.Bids[0].Bid.Placed, in.Bids[0].Bid.Released = 1, 1 }, 0},
		{"this provider failed it", func(in *Input) { in.Bids[0].Bid.Excluded = []string{self} }, 0},
		{"this provider is denied", func(in *Input) { in.Bids[0].Bid.Spec.Deny = []string{self} }, 0},
		{"others are allowed", func(in *Input) { in.Bids[0].Bid.Spec.Allow = []string{"souk1other"} }, 0},
		{"one at each provider", func(in *Input) { in.Bids[0].Bid.Spec.MaxPerProvider = 1 }, 1},
		{"the cap is too low", func(in *Input) { in.Bids[0].Bid.Spec.Cap = 99 }, 0},
		{"another coin", func(in *Input) { in.Bids[0].Bid.Denom = "ustable" }, 0},
		{"a label is missing", func(in *Input) {
			in.Bids[0].Bid.Spec.Requirements = []markettypes.LabelRequirement{{Key: "region", Operator: markettypes.Operator_OPERATOR_IN, Values: []string{"us"}}}
		}, 0},
		{"the offer is suspended", func(in *Input) { in.Offers[0].State = markettypes.OfferState_OFFER_STATE_SUSPENDED }, 0},
		{"an offer for quotes alone", func(in *Input) { in.Offers[0].Terms.QuotesOnly = true }, 2},
		{"the tenant is denied", func(in *Input) { in.Offers[0].Terms.Deny = []string{"souk1owner"} }, 0},
		{"little is free", func(in *Input) { in.Pools[0].Allocated.CpuMillis = 3000 }, 1},
		{"nothing is free", func(in *Input) { in.Pools[0].Allocated.CpuMillis = 3001 }, 0},
		{"no machine is large enough", func(in *Input) { in.Pools[0].LargestUnit.CpuMillis = 999 }, 0},
		{"the machines have less room than the pool", func(in *Input) { in.Fits = func(match.Vector, uint32) uint32 { return 1 } }, 1},
		{"the strategy wants none", func(in *Input) { in.Ask = func(markettypes.Bid, markettypes.Ask) *markettypes.Ask { return nil } }, 0},
		{"it is quoted already", func(in *Input) {
			in.Quotes = []markettypes.Quote{{Bid: 3, Offer: 7, Ask: in.Offers[0].Asks[0], Replicas: 2, ExpiresAt: 1600}}
		}, 0},
		{"its quote ends soon", func(in *Input) {
			in.Quotes = []markettypes.Quote{{Bid: 3, Offer: 7, Ask: in.Offers[0].Asks[0], Replicas: 2, ExpiresAt: 1200}}
		}, 2},
		{"its quote has another price", func(in *Input) {
			in.Quotes = []markettypes.Quote{{Bid: 3, Offer: 7, Ask: markettypes.Ask{Denom: "usouk", Cpu: 90}, Replicas: 2, ExpiresAt: 1600}}
		}, 2},
		{"its quote promises more than is free", func(in *Input) {
			in.Pools[0].Allocated.CpuMillis = 3000
			in.Quotes = []markettypes.Quote{{Bid: 3, Offer: 7, Ask: in.Offers[0].Asks[0], Replicas: 2, ExpiresAt: 1600}}
		}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := world()
			tt.change(&in)
			plan, passed := Plan(in)
			if tt.want == 0 {
				require.Empty(t, plan)
				require.Equal(t, len(in.Quotes) == 0, len(passed) == 1, "%v", passed)
				return
			}
			require.Len(t, plan, 1)
			require.Equal(t, &markettypes.MsgSubmitQuote{Bid: 3, Offer: 7, Ask: in.Offers[0].Asks[0], Replicas: tt.want, ValidSeconds: 600}, plan[0])
		})
	}
}

func TestTheCheapestOfferThatSuitsIsQuoted(t *testing.T) {
	in := world()
	cheap := in.Offers[0]
	cheap.Id, cheap.Asks = 9, []markettypes.Ask{{Denom: "usouk", Cpu: 50}}
	in.Offers = append(in.Offers, cheap)
	plan, passed := Plan(in)
	require.EqualValues(t, 9, plan[0].Offer)
	require.Empty(t, passed)
}

func TestWhyABidIsNotQuoted(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Input)
		want   string
	}{
		{"no offer", func(in *Input) { in.Offers = nil }, "there is no active offer"},
		{"excluded", func(in *Input) { in.Bids[0].Bid.Excluded = []string{self} }, "this provider lost a lease of it"},
		{"others are wanted", func(in *Input) { in.Bids[0].Bid.Spec.Allow = []string{"souk1other"} }, "it names other providers"},
		{"a tenant that is denied", func(in *Input) { in.Offers[0].Terms.Deny = []string{"souk1owner"} }, "labels or terms of offer 7 do not suit"},
		{"another coin", func(in *Input) { in.Bids[0].Bid.Denom = "ustable" }, "offer 7 has no price in ustable"},
		{"no room", func(in *Input) { in.Pools[0].Allocated.CpuMillis = 3001 }, "pool 0 has no room for a replica"},
		{"no price", func(in *Input) { in.Ask = func(markettypes.Bid, markettypes.Ask) *markettypes.Ask { return nil } }, "the strategy gives no price"},
		{"too dear", func(in *Input) { in.Bids[0].Bid.Spec.Cap = 99 }, "a replica would cost 100usouk an hour, and 99 is the most that it pays"},
		{"the offer that comes closest", func(in *Input) {
			in.Bids[0].Bid.Spec.Cap = 99
			other := in.Offers[0]
			other.Id, other.Asks = 8, nil
			in.Offers = append(in.Offers, other)
		}, "a replica would cost 100usouk an hour, and 99 is the most that it pays"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := world()
			tt.change(&in)
			plan, passed := Plan(in)
			require.Empty(t, plan)
			require.Equal(t, []Passed{{3, tt.want}}, passed)
		})
	}
}

func TestADiscountRoundsUpAndNeverPassesTheAsk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		price, bps := rapid.Uint64Range(0, math.MaxInt64).Draw(t, "price"), rapid.Uint64Range(0, 12_000).Draw(t, "bps")
		got := Discounted(markettypes.Ask{Cpu: price}, bps).Cpu
		require.LessOrEqual(t, got, price)
		hi := price / 10_000 * (10_000 - min(bps, 10_000)) // without the rest
		require.GreaterOrEqual(t, got, hi)
		require.LessOrEqual(t, got-hi, uint64(10_000))
		if bps < 10_000 && price > 0 {
			require.Positive(t, got, "what had a price keeps one")
		}
	})
	require.Equal(t, markettypes.Ask{Denom: "usouk", Cpu: 96, Memory: 1}, Discounted(markettypes.Ask{Denom: "usouk", Cpu: 101, Memory: 1}, 500))
}
