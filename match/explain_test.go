package match_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/match"
)

func TestExplain(t *testing.T) {
	one := func(room uint64, pool match.Pool, price uint64) match.Book {
		return match.Book{
			Providers: providers(room),
			Pools:     []match.Pool{pool},
			Offers:    []match.Offer{{ID: 5, Ask: ask(price), Class: 1}},
		}
	}
	three := match.Book{
		Providers: providers(100, 8, 9),
		Pools:     []match.Pool{poolOf(0, 1), poolOf(1, 4), poolOf(2, 3)},
		Offers: []match.Offer{
			{ID: 1, Pool: 0, Ask: ask(30)},
			{ID: 2, Pool: 1, Ask: ask(10), Class: 1},
			{ID: 3, Pool: 2, Ask: ask(11), Class: 2},
		},
	}
	unit := func(v match.Vector) func(*match.Bid) { return func(b *match.Bid) { b.Unit = v } }
	for name, c := range map[string]struct {
		book match.Book
		bid  match.Bid
		want match.Reason
		says string
	}{
		"a bid that clears": {
			book: one(100, poolOf(0, 4), 10), bid: bidFor(1, 10, 2, 9),
			want: match.Reason{Block: match.Clears, Matched: 1, Need: 2, Have: 4},
			says: "1 offer matches and can take 4 replicas",
		},
		"a bid that wants no replica": {
			bid: bidFor(1, 10, 0, 0), want: match.Reason{Block: match.BadBid, Err: match.ErrReplicas},
			says: "the bid cannot clear: replicas wanted are none or below the minimum",
		},
		"a bid for nothing": {
			bid: bidFor(1, 10, 1, 1, unit(match.Vector{})), want: match.Reason{Block: match.BadBid, Err: match.ErrEmptyUnit},
			says: "the bid cannot clear: unit asks for no resource",
		},
		"an empty book": {
			bid: bidFor(1, 10, 1, 1), want: match.Reason{Block: match.NoOffers}, says: "no offer has anything free",
		},
		"a book that is sold out": {
			book: one(100, match.Pool{LargestUnit: cpus(9)}, 10), bid: bidFor(1, 10, 1, 1),
			want: match.Reason{Block: match.NoOffers}, says: "no offer has anything free",
		},
		"no offer of the class": {
			book: three, bid: bidFor(1, 10, 1, 1, func(b *match.Bid) { b.Classes = match.NewClassSet(7) }),
			want: match.Reason{Block: match.NoClass, Matched: 3}, says: "none of 3 offers meets the requirements",
		},
		"all providers excluded": {
			book: three, bid: bidFor(1, 10, 1, 1, func(b *match.Bid) { b.Excluded = []uint32{0, 1, 2} }),
			want: match.Reason{Block: match.NoProvider, Matched: 3},
			says: "3 offers match but all are of providers that are excluded, not allowed, or have as many replicas already as may be",
		},
		"no allowed provider": {
			book: three, bid: bidFor(1, 10, 1, 1, func(b *match.Bid) { b.Allowed = []uint32{99} }),
			want: match.Reason{Block: match.NoProvider, Matched: 3},
			says: "3 offers match but all are of providers that are excluded, not allowed, or have as many replicas already as may be",
		},
		"no provider with the reputation": {
			book: three, bid: bidFor(1, 10, 1, 1, func(b *match.Bid) { b.Allowed, b.MinReputation = []uint32{1, 2}, 7 }),
			want: match.Reason{Block: match.NoReputation, Matched: 2, Need: 7, Offer: 2},
			says: "2 offers match but no provider has a reputation of 7 parts per million; the best has 0",
		},
		"no zone that is known": {
			book: three, bid: bidFor(1, 10, 1, 1, func(b *match.Bid) { b.MaxPerZone = 1 }),
			want: match.Reason{Block: match.NoZone, Matched: 3},
			says: "3 offers match but all are in no known zone or in one that has as many replicas already as may be",
		},
		"no machine with as many vCPUs": {
			book: three, bid: bidFor(1, 10, 1, 1, unit(cpus(5))),
			want: match.Reason{Block: match.ShortOf, Dim: match.CPUMillis, Matched: 3, Need: 5000, Have: 4000, Offer: 2},
			says: "3 offers match but none has 5000 milli-cpu free in one unit; the nearest has 4000",
		},
		"no offer with both resources": {
			book: three, bid: bidFor(1, 10, 1, 1, unit(match.Vector{match.CPUMillis: 3000, match.GPUMillis: 500})),
			want: match.Reason{Block: match.ShortOf, Dim: match.GPUMillis, Matched: 2, Need: 500, Offer: 2},
			says: "2 offers match but none has 500 milli-gpu free in one unit; the nearest has 0",
		},
		"a cap below every ask": {
			book: three, bid: bidFor(1, 9, 1, 1),
			want: match.Reason{Block: match.TooDear, Matched: 3, Need: 10, Have: 9, Offer: 2},
			says: "3 offers match but none asks 9 or less for a replica and hour; the cheapest asks 10",
		},
		"an ask above every rate": {
			book: one(100, poolOf(0, 4), math.MaxUint64), bid: bidFor(1, math.MaxUint64, 1, 1),
			want: match.Reason{Block: match.TooDear, Matched: 1, Need: math.MaxUint64, Have: match.MaxRate, Offer: 5},
			says: "1 offer matches but none asks 9223372036854775807 or less for a replica and hour; the cheapest asks 18446744073709551615",
		},
		"bonds that are used up": {
			book: three, bid: bidFor(1, 11, 1, 1),
			want: match.Reason{Block: match.NoBond, Matched: 2, Need: 10, Have: 8, Offer: 2},
			says: "2 offers match but no provider's bond carries one more replica at 10 an hour; the nearest carries 8",
		},
		"of equally near offers the lowest id is named": {
			book: match.Book{
				Providers: providers(0),
				Pools:     []match.Pool{poolOf(0, 2), poolOf(0, 1), poolOf(0, 2)},
				Offers:    []match.Offer{{ID: 9, Pool: 0}, {ID: 1, Pool: 1, Class: 1}, {ID: 4, Pool: 2, Class: 2}},
			},
			bid:  bidFor(1, 9, 1, 1, unit(cpus(3))),
			want: match.Reason{Block: match.ShortOf, Matched: 3, Need: 3000, Have: 2000, Offer: 4},
			says: "3 offers match but none has 3000 milli-cpu free in one unit; the nearest has 2000",
		},
		"fewer replicas than the minimum": {
			book: one(100, poolOf(0, 4), 10), bid: bidFor(1, 10, 5, 9),
			want: match.Reason{Block: match.TooFew, Matched: 1, Need: 5, Have: 4},
			says: "1 offer matches but only 4 replicas can be had, not 5",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := match.Explain(c.bid, c.book)
			require.Equal(t, c.want, got)
			require.Equal(t, c.says, got.String())
		})
	}
	require.Equal(t, "unknown reason", match.Reason{Block: 99}.String())
	large := match.Explain(bidFor(1, 1, 1, 1, unit(match.Vector{match.SSDMiB: match.MaxQuantity + 1})), three)
	require.ErrorIs(t, large.Err, match.ErrQuantity)
}

func TestCandidates(t *testing.T) {
	book := match.Book{
		Providers: providers(100, 25, 0),
		Pools:     []match.Pool{poolOf(0, 2), poolOf(1, 9), poolOf(2, 9)},
		Offers: []match.Offer{
			{ID: 1, Pool: 0, Ask: ask(10)},
			{ID: 2, Pool: 1, Ask: ask(10), Reputation: 1, Class: 1},
			{ID: 3, Pool: 2, Ask: ask(1)},
			{ID: 4, Pool: 1, Ask: ask(6)},
			{ID: 5, Pool: 1, Ask: ask(11)},
		},
	}
	require.Equal(t, []match.Candidate{
		{Offer: 4, Replicas: 4, RatePerHour: 6},
		{Offer: 2, Replicas: 2, RatePerHour: 10},
		{Offer: 1, Replicas: 2, RatePerHour: 10},
	}, match.Candidates(bidFor(1, 10, 1, 6), book))
	require.Empty(t, match.Candidates(bidFor(1, 10, 2, 1), book), "a bad bid has none")
}
