package match_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"slices"

	"github.com/souk-network/souk/match"
)

// The reference is the rule of the package written as plainly as it can be: big
// integers, no index, one replica at a time. It is slow and shares no code with
// the package.

// askUnits is what an ask is per, resource by resource.
var askUnits = [match.Dims]int64{1000, 1024, 1024, 1024, 1024, 1024, 1000, 1}

// refRate is the rate of one replica as an exact number, rounded up.
func refRate(unit, ask match.Vector) *big.Int {
	sum := new(big.Rat)
	for r := range match.Dims {
		product := new(big.Int).Mul(bigOf(unit[r]), bigOf(ask[r]))
		sum.Add(sum, new(big.Rat).SetFrac(product, big.NewInt(askUnits[r])))
	}
	up := new(big.Int).Add(sum.Num(), new(big.Int).Sub(sum.Denom(), big.NewInt(1)))
	return up.Quo(up, sum.Denom())
}

// refKey is the key as an exact number, rounded down; the unit is not empty.
func refKey(limit uint64, unit match.Vector, weights match.Weights) *big.Int {
	sum := new(big.Rat)
	for r := range match.Dims {
		units := new(big.Rat).SetFrac(bigOf(unit[r]), big.NewInt(askUnits[r]))
		sum.Add(sum, units.Mul(units, refWeight(weights[r])))
	}
	key := new(big.Rat).SetInt(new(big.Int).Lsh(bigOf(limit), 16))
	key.Quo(key, sum)
	return new(big.Int).Quo(key.Num(), key.Denom())
}

// refWeight is a weight as an exact number.
func refWeight(weight uint32) *big.Rat {
	if weight == 0 {
		return big.NewRat(1, 1)
	}
	return big.NewRat(min(max(int64(weight), 1<<14), 1<<18), 1<<16)
}

func bigOf(n uint64) *big.Int { return new(big.Int).SetUint64(n) }

// refMarket is the book as it is used up.
type refMarket struct {
	book  match.Book
	free  []match.Vector
	room  []*big.Int
	funds []*big.Int // nil without accounts
	short []uint64
}

func newRefMarket(in match.Input) *refMarket {
	book := in.Book
	m := &refMarket{book: book}
	for _, a := range in.Accounts {
		m.funds = append(m.funds, bigOf(min(a.RateRoom, match.MaxRate)))
	}
	for _, p := range book.Pools {
		m.free = append(m.free, p.Free)
	}
	for _, p := range book.Providers {
		m.room = append(m.room, bigOf(min(p.RateRoom, match.MaxRate)))
	}
	return m
}

func refGood(b match.Bid) bool {
	if b.Wanted == 0 || b.Min > b.Wanted || b.Unit == (match.Vector{}) {
		return false
	}
	return slices.Max(b.Unit[:]) <= match.MaxQuantity
}

// refPlaced counts the replicas of a bid at each provider and in each zone.
type refPlaced struct{ at, in map[uint32]uint64 }

func (p refPlaced) add(provider, zone uint32, replicas uint64) {
	p.at[provider] += replicas
	p.in[zone] += replicas
}

// can reports whether one more replica of the bid fits an offer.
func (m *refMarket) can(b match.Bid, offer int, placed refPlaced) bool {
	o := m.book.Offers[offer]
	if int64(o.Pool) >= int64(len(m.book.Pools)) {
		return false
	}
	pool := m.book.Pools[o.Pool]
	if int64(pool.Provider) >= int64(len(m.book.Providers)) {
		return false
	}
	if !b.Classes.Has(o.Class) || slices.Contains(b.Excluded, pool.Provider) {
		return false
	}
	if len(b.Allowed) > 0 && !slices.Contains(b.Allowed, pool.Provider) || o.Reputation < b.MinReputation {
		return false
	}
	if b.MaxPerProvider > 0 && placed.at[pool.Provider] >= uint64(b.MaxPerProvider) {
		return false
	}
	if b.MaxPerZone > 0 && (o.Zone == 0 || placed.in[o.Zone] >= uint64(b.MaxPerZone)) {
		return false
	}
	for r := range match.Dims {
		if b.Unit[r] > m.free[o.Pool][r] || b.Unit[r] > pool.LargestUnit[r] {
			return false
		}
	}
	rate := refRate(b.Unit, o.Ask)
	return rate.Cmp(bigOf(b.CapPerHour)) <= 0 && rate.Cmp(m.room[pool.Provider]) <= 0
}

// serve places a bid and keeps the capacity; the result is empty when the
// minimum is missed.
func (m *refMarket) serve(b match.Bid) []match.Assignment {
	if !refGood(b) || m.funds != nil && int64(b.Account) >= int64(len(m.funds)) {
		return nil
	}
	placed := refPlaced{at: map[uint32]uint64{}, in: map[uint32]uint64{}}
	for _, p := range b.Placed {
		placed.add(p.Provider, p.Zone, uint64(p.Replicas))
	}
	if !m.reaches(b, placed) {
		return nil
	}
	var offers []int // in the order of first use
	here := map[int]uint64{}
	for range b.Wanted {
		best := m.best(b, placed, true)
		if best < 0 {
			break
		}
		if here[best] == 0 {
			offers = append(offers, best)
		}
		here[best]++
		placed.add(m.book.Pools[m.book.Offers[best].Pool].Provider, m.book.Offers[best].Zone, 1)
		m.move(b, best, 1, false)
	}
	var out []match.Assignment
	var got uint64
	for _, i := range offers {
		total := new(big.Int).Mul(refRate(b.Unit, m.book.Offers[i].Ask), bigOf(here[i]))
		out = append(out, match.Assignment{
			Bid: b.ID, Offer: m.book.Offers[i].ID, Replicas: uint32(here[i]), RatePerHour: total.Uint64(),
		})
		got += here[i]
	}
	if got > 0 && got >= uint64(b.Min) {
		return out
	}
	if m.best(b, placed, false) >= 0 {
		m.short = append(m.short, b.ID)
	}
	for _, i := range offers {
		m.move(b, i, here[i], true)
	}
	return nil
}

// reaches reports whether all pools together could hold the minimum within the spread over providers, were there an offer
// of each that would do.
func (m *refMarket) reaches(b match.Bid, placed refPlaced) bool {
	if b.Min <= 1 {
		return true
	}
	var sum uint64
	for provider := range m.book.Providers {
		at := uint32(provider)
		if slices.Contains(b.Excluded, at) || len(b.Allowed) > 0 && !slices.Contains(b.Allowed, at) {
			continue
		}
		var here uint64
		for i, pool := range m.book.Pools {
			if pool.Provider == at {
				here += m.units(b, i)
			}
		}
		if b.MaxPerProvider > 0 {
			here = min(here, uint64(b.MaxPerProvider)-min(uint64(b.MaxPerProvider), placed.at[at]))
		}
		sum += here
	}
	return sum >= uint64(b.Min)
}

// units is how many units of the bid are free in a pool, at most its minimum.
func (m *refMarket) units(b match.Bid, pool int) uint64 {
	n := uint64(b.Min)
	for r := range match.Dims {
		if b.Unit[r] == 0 {
			continue
		}
		if b.Unit[r] > m.book.Pools[pool].LargestUnit[r] {
			return 0
		}
		n = min(n, m.free[pool][r]/b.Unit[r])
	}
	return n
}

// pays reports whether the account of the bid can hold one more replica at an offer.
func (m *refMarket) pays(b match.Bid, o match.Offer) bool {
	return m.funds == nil || refRate(b.Unit, o.Ask).Cmp(m.funds[b.Account]) <= 0
}

// best is the offer for the next replica, or -1. Money counts unless paid is false.
func (m *refMarket) best(b match.Bid, placed refPlaced, paid bool) int {
	best := -1
	for i, o := range m.book.Offers {
		if m.can(b, i, placed) && (!paid || m.pays(b, o)) && (best < 0 || refBefore(b, o, m.book.Offers[best])) {
			best = i
		}
	}
	return best
}

func refBefore(b match.Bid, x, y match.Offer) bool {
	if c := refRate(b.Unit, x.Ask).Cmp(refRate(b.Unit, y.Ask)); c != 0 {
		return c < 0
	}
	if x.Reputation != y.Reputation {
		return x.Reputation > y.Reputation
	}
	return x.ID < y.ID
}

func (m *refMarket) move(b match.Bid, offer int, replicas uint64, back bool) {
	o := m.book.Offers[offer]
	room := m.room[m.book.Pools[o.Pool].Provider]
	rate := new(big.Int).Mul(refRate(b.Unit, o.Ask), bigOf(replicas))
	for r := range match.Dims {
		if back {
			m.free[o.Pool][r] += b.Unit[r] * replicas
		} else {
			m.free[o.Pool][r] -= b.Unit[r] * replicas
		}
	}
	if back {
		rate.Neg(rate)
	}
	room.Sub(room, rate)
	if m.funds != nil {
		m.funds[b.Account].Sub(m.funds[b.Account], rate)
	}
}

// refOrder returns the good bids in the order in which they are served.
func refOrder(in match.Input) []match.Bid {
	var bids []match.Bid
	for _, b := range in.Bids {
		if refGood(b) {
			bids = append(bids, b)
		}
	}
	hash := func(b match.Bid) []byte {
		h := sha256.New()
		h.Write(in.Seed)
		_ = binary.Write(h, binary.BigEndian, b.ID)
		return h.Sum(nil)
	}
	slices.SortFunc(bids, func(a, b match.Bid) int {
		if c := refKey(b.CapPerHour, b.Unit, in.Weights).Cmp(refKey(a.CapPerHour, a.Unit, in.Weights)); c != 0 {
			return c
		}
		if a.Returned != b.Returned {
			if a.Returned {
				return -1
			}
			return 1
		}
		return bytes.Compare(hash(a), hash(b))
	})
	return bids
}

func refClear(in match.Input) ([]match.Assignment, *refMarket) {
	m := newRefMarket(in)
	var out []match.Assignment
	for _, b := range refOrder(in) {
		out = append(out, m.serve(b)...)
	}
	return out, m
}
