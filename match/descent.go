package match

import (
	"math/bits"
)

// descent looks for class prices that give a low bound: it shows the prices to
// the bids, a few at a time, and after each few moves the price of every resource
// of every class by what was demanded of it beyond its supply (a stochastic
// subgradient method in the logarithms of the prices). The average of the prices
// over a round is what is tried.
type descent struct {
	*bounds
	steps  int
	shift  uint     // bits after the point of prices
	prices []Vector // by class
	total  []Vector // by class, sum of the prices over a round, each over steps
	wanted []Vector // by class, demanded by the last few bids, saturating
	offer  []Vector // by class, supplied at the prices, saturating
}

const (
	rounds = 6
	// fewSteps and manySteps bound in how many parts the bids are shown in a round.
	fewSteps, manySteps = 8, 64
	// highest bounds working prices.
	highest = 1 << 62
	// one is 1 in ratios of demand and supply.
	one = 1 << 16
	// enough is the part of the bound, as a shift, by which a round must lower it
	// for a further round to be worth its cost.
	enough = 9
)

// descend returns the best prices found and their bound. At least one bound is
// computed; rounds are begun while they fit the work that is allowed.
func (b *bounds) descend(allowed uint64) ([]Vector, Uint128) {
	d := newDescent(b)
	best := d.rounded(d.prices)
	least := b.bound(best)
	cost := b.roundWork() + d.roundWork()
	for round := range uint64(rounds) {
		if allowed > 0 && b.work+cost > allowed {
			break
		}
		d.round(round)
		tried := d.rounded(d.total)
		bound := b.bound(tried)
		if bound.Compare(least) >= 0 {
			continue
		}
		gain := least.minus(bound)
		best, least = tried, bound
		if round > 0 && gain.Compare(least.half(enough)) < 0 {
			break
		}
	}
	return best, least
}

func newDescent(b *bounds) *descent {
	d := &descent{
		bounds: b, prices: make([]Vector, len(b.classes)), total: make([]Vector, len(b.classes)),
		wanted: make([]Vector, len(b.classes)), offer: make([]Vector, len(b.classes)),
	}
	// A step costs a look at every offer: there are as many as the looks at bids pay for.
	d.steps = min(max(2*len(b.lists)/max(1, len(b.market.index.entries)), fewSteps), manySteps)
	var top uint64
	for i := range b.classes {
		for _, price := range b.classes[i].reference {
			top = max(top, price)
		}
	}
	d.shift = uint(min(8, max(0, 48-bits.Len64(top))))
	for i := range b.classes {
		for r, price := range b.classes[i].reference {
			if b.supply[i][r] > 0 {
				d.prices[i][r] = d.from(max(price, 1))
			}
		}
	}
	return d
}

// roundWork is what one round costs, without the bound.
func (d *descent) roundWork() uint64 {
	return d.bounds.roundWork() + uint64(d.steps*(len(d.market.index.entries)+len(d.classes)))
}

// from turns a price into a working price.
func (d *descent) from(price uint64) uint64 { return min(price, highest>>d.shift) << d.shift }

// rounded turns working prices into prices, none below the least ask.
func (d *descent) rounded(working []Vector) []Vector {
	prices := make([]Vector, len(working))
	for i := range working {
		for r, price := range working[i] {
			if d.supply[i][r] > 0 {
				prices[i][r] = max(d.floors[i][r], (price+1<<d.shift>>1)>>d.shift)
			}
		}
	}
	return prices
}

// round shows the prices to all bids once.
func (d *descent) round(round uint64) {
	d.work += d.roundWork()
	clear(d.total)
	for step := range d.steps {
		from, to := len(d.bidders)*step/d.steps, len(d.bidders)*(step+1)/d.steps
		clear(d.wanted)
		d.gauge(d.prices)
		for i := from; i < to; i++ {
			d.show(&d.bidders[i])
		}
		d.measure()
		for at := range d.prices {
			d.move(at, uint64(to-from), round)
		}
	}
}

// show adds what a bid demands at the prices, of the class where it pays least.
func (d *descent) show(x *bidder) {
	at, cost, ok := d.cheapest(x, d.prices)
	if !ok {
		return
	}
	hi, lo := bits.Mul64(x.bid.CapPerHour, commonScale)
	limit := Uint128{hi<<d.shift | lo>>(64-d.shift), lo << d.shift}
	if limit.Compare(cost) <= 0 {
		return
	}
	for i := range x.count {
		r := x.dims[i]
		d.wanted[at][r] = plus(d.wanted[at][r], times(x.amount[i], uint64(x.bid.Wanted), 1, d.supply[at][r]))
	}
}

// measure sets what is supplied at the prices: the pools whose ask is below.
func (d *descent) measure() {
	clear(d.offer)
	for at := range d.classes {
		c, price, offer := &d.classes[at], &d.prices[at], &d.offer[at]
		for i := c.start; i < c.end; i++ {
			e := &d.market.index.entries[i]
			p, ask := &d.market.pools[e.pool], &d.market.book.Offers[e.offer].Ask
			for r := range Dims {
				if p.room[r] > 0 && price[r]>>d.shift >= ask[r] {
					offer[r] = plus(offer[r], p.free[r])
				}
			}
		}
	}
}

// move moves the prices of a class after so many bids: by the factor 1 + (demand
// - supply) / all supply, the steps smaller in later rounds.
func (d *descent) move(at int, shown, round uint64) {
	for r, supply := range d.supply[at] {
		if supply == 0 {
			continue
		}
		price := d.prices[at][r]
		demanded := times(d.wanted[at][r], one, supply, 2*one)
		offered := times(times(d.offer[at][r], one, supply, one), shown, uint64(len(d.bidders)), one)
		if demanded >= offered {
			price += times(price, min(demanded-offered, one)/(round+1), one, highest)
		} else {
			price -= times(price, min(offered-demanded, one/2)/(round+1), one, price)
		}
		price = min(max(price, d.from(d.floors[at][r]), 1<<d.shift), highest)
		d.prices[at][r] = price
		d.total[at][r] += price / uint64(d.steps)
	}
}
