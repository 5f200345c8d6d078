package match_test

import (
	"math"
	"math/big"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/match"
)

func big128(n match.Uint128) *big.Int {
	return new(big.Int).Add(new(big.Int).Lsh(bigOf(n.Hi), 64), bigOf(n.Lo))
}

// refWelfare is the sum of cap x replicas - rate.
func refWelfare(in match.Input, out []match.Assignment) *big.Int {
	sum := new(big.Int)
	for _, a := range out {
		i := slices.IndexFunc(in.Bids, func(b match.Bid) bool { return b.ID == a.Bid })
		sum.Add(sum, new(big.Int).Mul(bigOf(in.Bids[i].CapPerHour), bigOf(uint64(a.Replicas))))
		sum.Sub(sum, bigOf(a.RatePerHour))
	}
	return sum
}

// refBound is the bound that class prices give, as an exact number rounded up:
// what all pools' capacity is worth beyond the asks, and what the bids keep at
// the prices.
func refBound(in match.Input, prices []match.ClassPrice) *big.Int {
	m := newRefMarket(in)
	priceOf := map[uint32]match.Vector{}
	for _, p := range prices {
		priceOf[p.Class] = p.Price
	}
	total := new(big.Rat)
	for i, pool := range in.Book.Pools {
		for r := range match.Dims {
			var worth uint64
			for _, o := range in.Book.Offers {
				if int(o.Pool) == i && refSells(in.Book, o) && pool.LargestUnit[r] > 0 && priceOf[o.Class][r] > o.Ask[r] {
					worth = max(worth, priceOf[o.Class][r]-o.Ask[r])
				}
			}
			value := new(big.Int).Mul(bigOf(pool.Free[r]), bigOf(worth))
			total.Add(total, new(big.Rat).SetFrac(value, big.NewInt(askUnits[r])))
		}
	}
	for _, b := range in.Bids {
		if !refGood(b) || m.funds != nil && int64(b.Account) >= int64(len(m.funds)) {
			continue
		}
		best := new(big.Rat)
		for class, price := range priceOf {
			if !b.Classes.Has(class) || !refHolds(in.Book, class, b.Unit) {
				continue
			}
			kept := new(big.Rat).SetInt(bigOf(b.CapPerHour))
			for r := range match.Dims {
				cost := new(big.Int).Mul(bigOf(b.Unit[r]), bigOf(price[r]))
				kept.Sub(kept, new(big.Rat).SetFrac(cost, big.NewInt(askUnits[r])))
			}
			if kept.Cmp(best) > 0 {
				best = kept
			}
		}
		total.Add(total, best.Mul(best, new(big.Rat).SetInt64(int64(b.Wanted))))
	}
	up := new(big.Int).Add(total.Num(), new(big.Int).Sub(total.Denom(), big.NewInt(1)))
	return up.Quo(up, total.Denom())
}

// refSells reports whether an offer's pool and provider exist and have anything.
func refSells(book match.Book, o match.Offer) bool {
	if int64(o.Pool) >= int64(len(book.Pools)) || int64(book.Pools[o.Pool].Provider) >= int64(len(book.Providers)) {
		return false
	}
	p := book.Pools[o.Pool]
	return slices.ContainsFunc(identity(match.Dims), func(r int) bool { return min(p.Free[r], p.LargestUnit[r]) > 0 })
}

// refHolds reports whether of each resource some pool of the class has the unit's.
func refHolds(book match.Book, class uint32, unit match.Vector) bool {
	for r := range match.Dims {
		if !slices.ContainsFunc(book.Offers, func(o match.Offer) bool {
			return o.Class == class && refSells(book, o) &&
				min(book.Pools[o.Pool].Free[r], book.Pools[o.Pool].LargestUnit[r]) >= unit[r]
		}) {
			return false
		}
	}
	return true
}

func TestCertificateIsTheExactSumOfItsPrices(t *testing.T) {
	forBoth(t, func(t *rapid.T, k market) {
		in := k.input(t)
		out := match.Clear(in)
		c := match.Certify(in, out)
		require.Equal(t, refWelfare(in, out.Assignments).String(), c.Welfare.String())
		want := new(big.Int)
		for _, b := range in.Bids {
			if refGood(b) && (len(in.Accounts) == 0 || int64(b.Account) < int64(len(in.Accounts))) {
				want.Add(want, new(big.Int).Mul(bigOf(b.CapPerHour), bigOf(uint64(b.Wanted))))
			}
		}
		if c.Prices != nil {
			if byPrices := refBound(in, c.Prices); byPrices.Cmp(want) < 0 {
				want = byPrices
			}
		}
		require.Equal(t, want.String(), big128(c.Bound).String())
	})
}

func TestNoOrderOfServingBeatsTheBound(t *testing.T) {
	forBoth(t, func(t *rapid.T, k market) {
		in := k.input(t)
		bound := big128(match.Certify(in, match.Clear(in)).Bound)
		shuffled := in
		shuffled.Bids = nil
		for _, i := range rapid.Permutation(identity(len(in.Bids))).Draw(t, "order of serving") {
			shuffled.Bids = append(shuffled.Bids, in.Bids[i])
		}
		for name, out := range map[string]match.Output{
			"greedy": match.Clear(in), "first come": match.FirstCome(in), "another order": match.FirstCome(shuffled),
		} {
			require.True(t, refWelfare(in, out.Assignments).Cmp(bound) <= 0, name)
		}
	})
}

func TestNoAssignmentAtAllBeatsTheBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := tight().input(t)
		in.Bids = in.Bids[:min(len(in.Bids), 3)]
		for i := range in.Bids {
			in.Bids[i].Wanted = min(in.Bids[i].Wanted, 2)
			in.Bids[i].Min = min(in.Bids[i].Min, in.Bids[i].Wanted)
		}
		in.Book.Offers = in.Book.Offers[:min(len(in.Book.Offers), 4)]
		c := match.Certify(in, match.Clear(in))
		best := bestOf(in)
		require.True(t, best.Cmp(big128(c.Bound)) <= 0, "best %s, bound %s", best, c.Bound)
		require.True(t, big128(c.Welfare).Cmp(best) <= 0)
	})
}

// bestOf is the highest welfare of any assignment, by trying all, replica by replica.
func bestOf(in match.Input) *big.Int {
	return (&search{in: in, market: newRefMarket(in)}).from(0)
}

type search struct {
	in     match.Input
	market *refMarket
}

// from is the best of the bids from a position on, with what is left.
func (s *search) from(bid int) *big.Int {
	for ; bid < len(s.in.Bids); bid++ {
		b := s.in.Bids[bid]
		if !refGood(b) || s.market.funds != nil && int64(b.Account) >= int64(len(s.market.funds)) {
			continue
		}
		placed := refPlaced{at: map[uint32]uint64{}, in: map[uint32]uint64{}}
		for _, p := range b.Placed {
			placed.add(p.Provider, p.Zone, uint64(p.Replicas))
		}
		return s.with(bid, 0, 0, placed)
	}
	return new(big.Int)
}

// with is the best when the bid has so many replicas already and takes more from
// the offers from a position on only; nil when it cannot reach its minimum.
func (s *search) with(bid, offer int, got uint32, placed refPlaced) (best *big.Int) {
	b := s.in.Bids[bid]
	if got == 0 || got >= b.Min {
		best = s.from(bid + 1)
	}
	for i := offer; got < b.Wanted && i < len(s.in.Book.Offers); i++ {
		o := s.in.Book.Offers[i]
		if !s.market.can(b, i, placed) || !s.market.pays(b, o) {
			continue
		}
		provider := s.in.Book.Pools[o.Pool].Provider
		s.market.move(b, i, 1, false)
		placed.add(provider, o.Zone, 1)
		if rest := s.with(bid, i, got+1, placed); rest != nil {
			rest.Add(rest, bigOf(b.CapPerHour)).Sub(rest, refRate(b.Unit, o.Ask))
			if best == nil || rest.Cmp(best) > 0 {
				best = rest
			}
		}
		placed.add(provider, o.Zone, ^uint64(0))
		s.market.move(b, i, 1, true)
	}
	return best
}

func TestCertificateDoesNotDependOnTheOrderOfTheInput(t *testing.T) {
	forBoth(t, func(t *rapid.T, k market) {
		in := k.input(t)
		in.Work = rapid.SampledFrom([]uint64{0, 1, 5, 50, 2000}).Draw(t, "work")
		other := permuted(t, in)
		require.Equal(t, match.Certify(in, match.Clear(in)), match.Certify(other, match.Clear(other)))
	})
}

func TestCertificateKeepsToItsWork(t *testing.T) {
	in := benchMarket(synthetic(), 300, 30, 0, 1)
	out := match.Clear(in)
	whole := match.Certify(in, out)
	require.NotEmpty(t, whole.Prices)
	last := match.Uint128{Hi: math.MaxUint64}
	for _, work := range []uint64{1, whole.Work / 20, whole.Work / 4, whole.Work / 2, whole.Work} {
		in.Work = work
		c := match.Certify(in, out)
		require.True(t, c.Work <= work || c.Prices == nil)
		require.LessOrEqual(t, c.Bound.Compare(last), 0, "more work makes no worse bound")
		last = c.Bound
	}
	require.Equal(t, whole.Bound, last)
}

func TestCertificateOfAPerfectMarketHasNoGap(t *testing.T) {
	in := match.Input{
		Bids: []match.Bid{bidFor(1, 500_000, 1, 3)},
		Book: match.Book{
			Providers: []match.Provider{{RateRoom: 1 << 40}},
			Pools:     []match.Pool{poolOf(0, 10)},
			Offers:    []match.Offer{{ID: 1, Ask: ask(200)}},
		},
	}
	c := match.Certify(in, match.Clear(in))
	require.Equal(t, c.Bound, c.Welfare)
	require.Zero(t, c.GapPPM)
	require.Equal(t, []match.ClassPrice{{Price: c.Prices[0].Price}}, c.Prices)
}

func TestUint128(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := match.Uint128{Hi: rapid.Uint64().Draw(t, "hi"), Lo: rapid.Uint64().Draw(t, "lo")}
		require.Equal(t, big128(n).String(), n.String())
		other := match.Uint128{Hi: rapid.Uint64().Draw(t, "hi"), Lo: rapid.Uint64().Draw(t, "lo")}
		require.Equal(t, big128(n).Cmp(big128(other)), n.Compare(other))
	})
}

func TestNextWeights(t *testing.T) {
	const one = match.WeightOne
	for name, c := range map[string]struct {
		demand, supply match.Vector
		want           match.Weights // where they come to rest
	}{
		"nothing demanded keeps all":             {supply: match.Vector{5, 5}, want: match.Weights{one, one}},
		"nothing supplied keeps all":             {demand: match.Vector{5, 5}, want: match.Weights{one, one}},
		"equal scarcity is a weight of one":      {demand: match.Vector{3, 30}, supply: match.Vector{4, 40}, want: match.Weights{one, one}},
		"the scarcer counts more":                {demand: match.Vector{3, 1}, supply: match.Vector{4, 4}, want: match.Weights{one * 3 / 2, one / 2}},
		"what nobody wants counts a quarter":     {demand: match.Vector{4, 0}, supply: match.Vector{4, 4}, want: match.Weights{one * 2, one / 4}},
		"numbers at the edge stay in the bounds": {demand: match.Vector{math.MaxUint64, 1}, supply: match.Vector{1, math.MaxUint64}, want: match.Weights{one * 2, one / 4}},
	} {
		t.Run(name, func(t *testing.T) {
			var w match.Weights
			for range 300 {
				before := w
				w = match.NextWeights(w, c.demand, c.supply)
				if before[0] != 0 {
					require.InDelta(t, before[0], w[0], match.MaxWeight/16+1, "a sixteenth of the way at most")
				}
			}
			require.InDelta(t, c.want[0], w[0], 16)
			require.InDelta(t, c.want[1], w[1], 16)
			require.EqualValues(t, one, w[2])
		})
	}
}
