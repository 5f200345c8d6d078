package match

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// Certificate says how good an assignment is beside every other one of its batch.
type Certificate struct {
	// Welfare is what the tenants served would have paid at most less what they
	// pay, in micro-denom per hour: the sum of cap x replicas - rate.
	Welfare Uint128
	// Bound is at least the welfare of any assignment of the batch.
	Bound Uint128
	// GapPPM is (Bound - Welfare) / Bound in parts per million, rounded up.
	GapPPM uint32
	// Prices are those that give the bound, by class; each class of the book once.
	// None were looked for when they are nil.
	Prices []ClassPrice
	// Work is what the certificate cost, in pairs of a bid and a class or offer
	// looked at.
	Work uint64
}

// ClassPrice is what capacity of an offer class is worth in a batch: the ask at
// which as much would be demanded as is offered, nearly. It is the price signal
// of the batch; nobody pays it.
type ClassPrice struct {
	Class uint32
	// Price is in the unit of an ask: micro-denom per hour and ask unit. It is 0
	// for what the class has not.
	Price Vector
}

// Certify measures the output of [Clear] and bounds what any assignment of the
// batch could reach. The bound holds for whatever prices it is computed from (see
// the package comment), and those are the best of a few rounds. With Input.Work
// spent before the first round, only caps bound the batch and no prices are
// returned. Bids that Clear left for want of work count: they could have been
// served.
//
// Like that of Clear, the result depends on what the input holds and not on the
// order of its slices, and no input makes it fail.
func Certify(in Input, out Output) Certificate {
	b := newBounds(&in)
	c := Certificate{Welfare: welfare(&in, &out), Bound: b.caps()}
	if len(b.classes) > 0 && b.within(in.Work) {
		prices, bound := b.descend(in.Work)
		if bound.Compare(c.Bound) < 0 {
			c.Bound = bound
		}
		c.Prices = b.classPrices(prices)
	}
	c.GapPPM = gap(c.Welfare, c.Bound)
	c.Work = b.work
	return c
}

// welfare adds up the assignments; those of bids that are not there count nothing.
func welfare(in *Input, out *Output) Uint128 {
	byID := make([]uint32, len(in.Bids))
	for i := range byID {
		byID[i] = uint32(i)
	}
	slices.SortFunc(byID, func(a, b uint32) int { return cmp.Compare(in.Bids[a].ID, in.Bids[b].ID) })
	var value, paid sum
	for _, a := range out.Assignments {
		at, found := slices.BinarySearchFunc(byID, a.Bid, func(i uint32, id uint64) int { return cmp.Compare(in.Bids[i].ID, id) })
		if !found {
			continue
		}
		hi, lo := bits.Mul64(in.Bids[byID[at]].CapPerHour, commonScale)
		value.add(Uint128{hi, lo}, uint64(a.Replicas))
		paid.add(Uint128{Lo: a.RatePerHour}, commonScale)
	}
	return value.units().minus(paid.units())
}

// gap is (bound - welfare) / bound in parts per million, rounded up.
func gap(welfare, bound Uint128) uint32 {
	apart := bound.minus(welfare)
	if apart == (Uint128{}) {
		return 0
	}
	// Both are cut to the 64 leading bits of the bound, apart upwards.
	cut := uint(bits.Len64(bound.Hi))
	low := apart.Lo & (1<<cut - 1)
	part, whole := apart.Hi<<(64-cut)|apart.Lo>>cut, bound.Hi<<(64-cut)|bound.Lo>>cut
	if low != 0 && part < math.MaxUint64 {
		part++
	}
	const million = 1_000_000
	hi, lo := bits.Mul64(part, million)
	lo, carry := bits.Add64(lo, whole-1, 0)
	if hi += carry; hi >= whole {
		return million
	}
	ppm, _ := bits.Div64(hi, lo, whole)
	return uint32(min(ppm, million))
}

// bounds is a batch prepared for pricing.
type bounds struct {
	market  *market
	classes []class
	floors  []Vector // by class, the least ask for each resource: a price below it bounds nothing better
	supply  []Vector // by class, what its pools have
	bidders []bidder // in an order that their ids decide
	work    uint64
	length  int // bits of the longest price

	lists    []uint32 // the classes of all bidders, as positions
	scarcity []Vector // by pool, price over ask; reused by every bound
}

// bidder is a bid with the classes that could take a replica of it.
type bidder struct {
	demand
	order    uint64 // spreads bids of like ids over a round
	from, to uint32 // its classes in the lists
	length   int    // bits of the longest of need.scaled
}

func newBounds(in *Input) *bounds {
	m := newMarket(&in.Book, nil)
	b := &bounds{market: m, classes: m.index.classes, scarcity: make([]Vector, len(m.pools))}
	demands := prepare(in)
	b.bidders = make([]bidder, len(demands))
	for i, d := range demands {
		b.bidders[i] = bidder{demand: d, order: mix(d.bid.ID), length: bits.Len64(slices.Max(d.scaled[:]))}
	}
	slices.SortFunc(b.bidders, func(x, y bidder) int {
		return cmp.Or(cmp.Compare(x.order, y.order), cmp.Compare(x.bid.ID, y.bid.ID))
	})
	b.survey()
	return b
}

// mix spreads numbers that are alike (the finaliser of SplitMix64; Steele, Lea
// and Flood, OOPSLA 2014). Nothing but the pace of the descent depends on it.
func mix(n uint64) uint64 {
	n += 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}

// survey sets the floors and the supply of the classes.
func (b *bounds) survey() {
	b.floors, b.supply = make([]Vector, len(b.classes)), make([]Vector, len(b.classes))
	for at := range b.classes {
		c, floor, supply := &b.classes[at], &b.floors[at], &b.supply[at]
		for i := c.start; i < c.end; i++ {
			e := &b.market.index.entries[i]
			p, ask := &b.market.pools[e.pool], &b.market.book.Offers[e.offer].Ask
			for r := range Dims {
				if p.room[r] == 0 {
					continue
				}
				if supply[r] == 0 || ask[r] < floor[r] {
					floor[r] = ask[r]
				}
				supply[r] = plus(supply[r], p.free[r])
			}
		}
	}
}

// caps bounds the batch by what all bids would pay at most.
func (b *bounds) caps() Uint128 {
	var s sum
	for i := range b.bidders {
		hi, lo := bits.Mul64(b.bidders[i].bid.CapPerHour, commonScale)
		s.add(Uint128{hi, lo}, uint64(b.bidders[i].bid.Wanted))
	}
	return s.units()
}

// within lists the classes of each bidder and reports whether one round of
// pricing fits the work that is allowed.
func (b *bounds) within(allowed uint64) bool {
	b.work = uint64(len(b.bidders)) * uint64(len(b.classes)) / looksPerEntry
	if allowed > 0 && b.work > allowed {
		return false
	}
	for i := range b.bidders {
		x := &b.bidders[i]
		x.from = uint32(len(b.lists))
		for at := range b.classes {
			if c := &b.classes[at]; x.bid.Classes.Has(c.id) && x.fits(&c.largest) {
				b.lists = append(b.lists, uint32(at))
			}
		}
		x.to = uint32(len(b.lists))
	}
	return allowed == 0 || b.work+b.roundWork() <= allowed
}

// roundWork is what one bound costs.
func (b *bounds) roundWork() uint64 {
	return uint64(len(b.lists) + len(b.bidders) + len(b.market.index.entries))
}

// cheapest returns the class in which one replica costs least at the prices, and
// that cost x commonScale; false when no class could take one.
func (b *bounds) cheapest(x *bidder, prices []Vector) (at uint32, cost Uint128, ok bool) {
	if x.length+b.length+3 <= 64 {
		at, cost.Lo = b.cheapestNarrow(x, prices)
		return at, cost, x.to > x.from
	}
	for _, c := range b.lists[x.from:x.to] {
		hi, lo := x.cost(&prices[c])
		if !ok || hi < cost.Hi || hi == cost.Hi && lo < cost.Lo {
			at, cost, ok = c, Uint128{hi, lo}, true
		}
	}
	return at, cost, ok
}

// cheapestNarrow is cheapest where no cost is above 64 bits.
func (b *bounds) cheapestNarrow(x *bidder, prices []Vector) (at uint32, least uint64) {
	least = math.MaxUint64
	for _, c := range b.lists[x.from:x.to] {
		price, cost := &prices[c], uint64(0)
		for i := range x.count {
			cost += x.scaled[i] * price[x.dims[i]%Dims]
		}
		if cost < least {
			at, least = c, cost
		}
	}
	return at, least
}

// gauge sets the length of the prices that are shown next.
func (b *bounds) gauge(prices []Vector) {
	var all uint64
	for i := range prices {
		for _, price := range prices[i] {
			all |= price
		}
	}
	b.length = bits.Len64(all)
}

// bound is the upper bound that prices of the classes give.
func (b *bounds) bound(prices []Vector) Uint128 {
	b.work += b.roundWork()
	b.gauge(prices)
	var s sum
	for i := range b.bidders {
		x := &b.bidders[i]
		if _, cost, ok := b.cheapest(x, prices); ok {
			hi, lo := bits.Mul64(x.bid.CapPerHour, commonScale)
			s.add(Uint128{hi, lo}.minus(cost), uint64(x.bid.Wanted))
		}
	}
	b.price(prices)
	for i := range b.market.pools {
		p := &b.market.pools[i]
		for r, value := range b.scarcity[i] {
			if value > 0 {
				hi, lo := bits.Mul64(p.free[r], value)
				s.add(Uint128{hi, lo}, perUnit[r])
			}
		}
	}
	return s.units()
}

// price sets what each pool's capacity is worth: price less ask, the most of all
// offers that sell it.
func (b *bounds) price(prices []Vector) {
	clear(b.scarcity)
	for at := range b.classes {
		for i := b.classes[at].start; i < b.classes[at].end; i++ {
			e := &b.market.index.entries[i]
			room, ask, value := &b.market.pools[e.pool].room, &b.market.book.Offers[e.offer].Ask, &b.scarcity[e.pool]
			for r := range Dims {
				if room[r] > 0 && prices[at][r] > ask[r] {
					value[r] = max(value[r], prices[at][r]-ask[r])
				}
			}
		}
	}
}

func (b *bounds) classPrices(prices []Vector) []ClassPrice {
	out := make([]ClassPrice, len(prices))
	for i, p := range prices {
		out[i] = ClassPrice{Class: b.classes[i].id, Price: p}
	}
	return out
}
