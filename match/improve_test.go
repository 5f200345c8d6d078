package match_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/match"
)

// prices are of some of the classes.
func (k market) prices(t *rapid.T) []match.ClassPrice {
	var prices []match.ClassPrice
	for class := range uint32(4) {
		if rapid.IntRange(0, 3).Draw(t, "class without a price") > 0 {
			prices = append(prices, match.ClassPrice{Class: class, Price: vector(t, k.need(6), "price")})
		}
	}
	return prices
}

func TestSteeredClearKeepsEveryLimit(t *testing.T) {
	forBoth(t, func(t *rapid.T, k market) {
		in := k.input(t)
		in.Prices = k.prices(t)
		out := match.Clear(in)
		requireLimits(t, in, out)
		other := permuted(t, in)
		require.Equal(t, out, match.Clear(other))
	})
}

func TestSteeringServesABidAloneWheneverPlainClearingDoes(t *testing.T) {
	forBoth(t, func(t *rapid.T, k market) {
		book := k.book(t)
		in := match.Input{Bids: []match.Bid{k.bid(t, 1, book)}, Book: book}
		in.Bids[0].Min = min(in.Bids[0].Min, 1)
		plain := match.Clear(in)
		in.Prices = k.prices(t)
		require.Equal(t, len(plain.Assignments) > 0, len(match.Clear(in).Assignments) > 0)
	})
}

func TestPricesOfZeroSteerByAsksAndAnEighthAtMost(t *testing.T) {
	forBoth(t, func(t *rapid.T, k market) {
		book := k.book(t)
		in := match.Input{Bids: []match.Bid{k.bid(t, 1, book)}, Book: book, Prices: []match.ClassPrice{{}}}
		in.Bids[0].Wanted, in.Bids[0].Min = 1, 1
		candidates, out := match.Candidates(in.Bids[0], book), match.Clear(in).Assignments
		if len(candidates) == 0 {
			require.Empty(t, out)
			return
		}
		least := candidates[0].RatePerHour
		require.LessOrEqual(t, out[0].RatePerHour-least, least/8)
	})
}

func TestImproveNeverLowersWelfareNorBeatsTheBound(t *testing.T) {
	forBoth(t, func(t *rapid.T, k market) {
		in := k.input(t)
		out := match.Clear(in)
		before := match.Certify(in, out)
		better, after := match.Improve(in, out, before)
		requireLimits(t, in, better)
		require.Equal(t, refWelfare(in, better.Assignments).String(), after.Welfare.String())
		require.GreaterOrEqual(t, after.Welfare.Compare(before.Welfare), 0)
		require.GreaterOrEqual(t, after.Bound.Compare(after.Welfare), 0)
		require.LessOrEqual(t, after.GapPPM, before.GapPPM)
	})
}

func TestSteeringLeavesScarceCapacityToThoseWhoHaveNoOther(t *testing.T) {
	// Bid 1 could use both classes, of which the scarce one is a little cheaper;
	// bid 2, which pays less, only the scarce one.
	in := match.Input{
		Bids: []match.Bid{
			bidFor(1, 900_000, 1, 1, func(b *match.Bid) { b.Classes = match.NewClassSet(0, 1) }),
			bidFor(2, 800_000, 1, 1, func(b *match.Bid) { b.Classes = match.NewClassSet(0) }),
		},
		Book: match.Book{
			Providers: []match.Provider{{RateRoom: 1 << 40}, {RateRoom: 1 << 40}},
			Pools:     []match.Pool{poolOf(0, 1), poolOf(1, 1)},
			Offers:    []match.Offer{{ID: 1, Pool: 0, Class: 0, Ask: ask(100)}, {ID: 2, Pool: 1, Class: 1, Ask: ask(110)}},
		},
	}
	out := match.Clear(in)
	require.Len(t, out.Assignments, 1)
	better, c := match.Improve(in, out, match.Certify(in, out))
	require.Len(t, better.Assignments, 2)
	require.EqualValues(t, 2, better.Assignments[0].Offer)
	require.Zero(t, c.GapPPM)
}
