package match_test

import (
	"math"

	"pgregory.net/rapid"

	"github.com/souk-network/souk/match"
)

// Two kinds of markets are drawn: tight ones, in which small numbers make bids
// compete and tie, and hostile ones, in which any number may be anything.

// rapid prefers small numbers, so that what a bid needs is drawn as it is and
// what a book has is drawn as what it lacks.

type market struct {
	// need and have draw a number from 0 to most.
	need, have func(most uint64) *rapid.Generator[uint64]
	index      func(length int) *rapid.Generator[uint32]
	replicas   *rapid.Generator[uint32]
}

func tight() market {
	need := func(most uint64) *rapid.Generator[uint64] { return rapid.Uint64Range(0, most) }
	return market{
		need: need,
		have: func(most uint64) *rapid.Generator[uint64] {
			return rapid.Map(need(most), func(lack uint64) uint64 { return most - lack })
		},
		index:    func(length int) *rapid.Generator[uint32] { return rapid.Uint32Range(0, uint32(length-1)) },
		replicas: rapid.Uint32Range(1, 20),
	}
}

func hostile() market {
	edges := rapid.SampledFrom([]uint64{
		0, 1, 2, 999, 1000, 128_000, math.MaxUint32, match.MaxQuantity - 1, match.MaxQuantity,
		match.MaxQuantity + 1, match.MaxRate - 1, match.MaxRate, match.MaxRate + 1, math.MaxUint64 - 1, math.MaxUint64,
	})
	sometimes := func(usual *rapid.Generator[uint64]) *rapid.Generator[uint64] {
		return rapid.OneOf(usual, usual, usual, usual, usual, usual, usual, edges, rapid.Uint64())
	}
	k := tight()
	return market{
		need: func(most uint64) *rapid.Generator[uint64] { return sometimes(k.need(most)) },
		have: func(most uint64) *rapid.Generator[uint64] { return sometimes(k.have(most)) },
		index: func(length int) *rapid.Generator[uint32] {
			in := k.index(length)
			return rapid.OneOf(in, in, in, in, in, in, rapid.SampledFrom([]uint32{uint32(length), 64, math.MaxUint32}))
		},
		replicas: rapid.OneOf(k.replicas, k.replicas, rapid.Uint32Range(0, 20)),
	}
}

// vector has numbers in three resources, now and then in all.
func vector(t *rapid.T, number *rapid.Generator[uint64], label string) match.Vector {
	var v match.Vector
	dims := []match.Dim{match.CPUMillis, match.MemoryMiB, match.GPUMillis}
	if rapid.IntRange(0, 9).Draw(t, label+" wide") == 0 {
		dims = []match.Dim{0, 1, 2, 3, 4, 5, 6, 7}
	}
	for _, r := range dims {
		v[r] = number.Draw(t, label)
	}
	return v
}

func (k market) book(t *rapid.T) match.Book {
	var b match.Book
	for range rapid.IntRange(1, 8).Draw(t, "providers") {
		b.Providers = append(b.Providers, match.Provider{RateRoom: k.have(60).Draw(t, "rate room")})
	}
	for range rapid.IntRange(1, 12).Draw(t, "pools") {
		b.Pools = append(b.Pools, match.Pool{
			Provider:    k.index(len(b.Providers)).Draw(t, "provider of pool"),
			Free:        vector(t, k.have(9000), "free"),
			LargestUnit: vector(t, k.have(6000), "largest"),
		})
	}
	for i := range rapid.IntRange(0, 14).Draw(t, "offers") {
		b.Offers = append(b.Offers, match.Offer{
			ID:         uint64(i) * 7 % 17,
			Pool:       k.index(len(b.Pools)).Draw(t, "pool of offer"),
			Class:      rapid.Uint32Range(0, 2).Draw(t, "class"),
			Reputation: rapid.Uint32Range(0, 2).Draw(t, "reputation"),
			Zone:       k.zone().Draw(t, "zone"),
			Ask:        vector(t, k.need(4), "ask"),
		})
	}
	return b
}

func (k market) bid(t *rapid.T, id uint64, book match.Book) match.Bid {
	b := match.Bid{
		ID:             id,
		Unit:           vector(t, k.need(3000), "unit"),
		Wanted:         k.replicas.Draw(t, "wanted"),
		CapPerHour:     k.have(20).Draw(t, "cap"),
		Classes:        match.ClassSet{7 - rapid.Uint64Range(0, 7).Draw(t, "classes left out")},
		MaxPerProvider: rapid.Uint32Range(0, 3).Draw(t, "most per provider"),
	}
	if b.Unit == (match.Vector{}) && rapid.IntRange(0, 9).Draw(t, "empty unit") > 0 {
		b.Unit[match.CPUMillis] = 1500
	}
	b.Min = rapid.Uint32Range(0, b.Wanted).Draw(t, "min")
	b.Returned = rapid.IntRange(0, 3).Draw(t, "returned") == 0
	if rapid.IntRange(0, 3).Draw(t, "with reputation") == 0 {
		b.MinReputation = rapid.Uint32Range(0, 3).Draw(t, "least reputation")
	}
	if rapid.IntRange(0, 3).Draw(t, "with zones") == 0 {
		b.MaxPerZone = rapid.Uint32Range(1, 3).Draw(t, "most per zone")
	}
	if rapid.IntRange(0, 3).Draw(t, "with allowances") == 0 {
		b.Allowed = rapid.SliceOfN(k.index(len(book.Providers)), 0, 4).Draw(t, "allowed")
	}
	if rapid.IntRange(0, 3).Draw(t, "with exclusions") == 0 {
		b.Excluded = rapid.SliceOfN(k.index(len(book.Providers)), 0, 2).Draw(t, "excluded")
		b.Placed = []match.Placement{{
			Provider: k.index(len(book.Providers)).Draw(t, "placed at"),
			Zone:     k.zone().Draw(t, "placed in"),
			Replicas: rapid.Uint32Range(0, 2).Draw(t, "placed"),
		}}
	}
	return b
}

// zone is one of a few, or any number.
func (k market) zone() *rapid.Generator[uint32] {
	few := rapid.Uint32Range(0, 3)
	return rapid.OneOf(few, few, few, k.index(3), rapid.Just(uint32(math.MaxUint32)))
}

func (k market) input(t *rapid.T) match.Input {
	in := match.Input{Seed: []byte{rapid.Byte().Draw(t, "seed")}, Weights: k.weights(t), Book: k.book(t)}
	for i := range rapid.IntRange(0, 8).Draw(t, "bids") {
		in.Bids = append(in.Bids, k.bid(t, uint64(i), in.Book))
	}
	for range rapid.IntRange(0, 4).Draw(t, "accounts") {
		in.Accounts = append(in.Accounts, match.Account{RateRoom: k.have(60).Draw(t, "money")})
	}
	for i := range in.Bids {
		in.Bids[i].Account = k.index(max(1, len(in.Accounts))).Draw(t, "account of bid")
	}
	return in
}

// weights are not set, or each is what it may be or beyond.
func (k market) weights(t *rapid.T) match.Weights {
	var w match.Weights
	if !rapid.Bool().Draw(t, "with weights") {
		return w
	}
	for r := range w {
		w[r] = rapid.OneOf(rapid.Uint32Range(0, 5<<16), rapid.Uint32()).Draw(t, "weight")
	}
	return w
}
