package misreport

import (
	"math/rand/v2"
	"slices"

	"github.com/souk-network/souk/match"
)

const (
	regions  = 3
	batches  = 3
	termHour = 24.0        // of a lease
	ackHour  = 60.0 / 3600 // of the market's ack window
	roomFull = 23          // a deposit of 24 hours holds the rate of a lease so many times
)

// reference is the price of an ask unit, in micro-denom per hour.
var reference = match.Vector{20_000, 3_000, 80, 30, 100, 150, 900_000, 5_000}

// tenant is who needs something, truly.
type tenant struct {
	unit        match.Vector
	least, most uint32  // replicas
	value       float64 // of a replica, per hour
	classes     match.ClassSet
}

// order is a bid as the chain sees it.
type order struct {
	match.Bid
	tenant  int    // who needs it; nobody's if below 0
	parts   uint32 // replicas of the order that make one of the tenant's
	arrives int    // before this batch
	sham    bool   // closed while pending, if it becomes a lease
	seen    bool   // by a batch
	payer   int    // the seller that pays for a sham of its own; nobody if below 0
}

// world is a market and what everybody tells it.
type world struct {
	seed     uint64
	tenants  []tenant
	orders   []order
	rooms    []uint64 // further rate of each account
	book     match.Book
	costs    []match.Vector // of each provider, by ask unit
	capacity []match.Vector // capacity of each provider
	region   []uint32       // where each provider is, truly
	changes  []change
	window   int // bids that a batch reads; 0 is all
}

// change is of one provider, before a batch is cleared.
type change struct {
	batch, provider int
	ask             func(match.Vector) match.Vector // nil leaves it
	newID           bool
	share           float64 // of the pool that is declared; 0 leaves it
}

// draw makes a market of bids and offers. Demand is 1.25 times supply for CPU.
func draw(s Shapes, seed uint64, bids, offers int) *world {
	rng := rand.New(rand.NewPCG(seed, 2023))
	w := &world{seed: seed}
	var demand, supply match.Vector
	for i := range bids {
		w.addTenant(rng, s, i)
		t := &w.tenants[i]
		for r := range t.unit {
			demand[r] += t.unit[r] * uint64(t.most)
		}
	}
	for range offers {
		w.addSeller(rng, s)
		for r, has := range w.book.Pools[len(w.book.Pools)-1].Free {
			supply[r] += has
		}
	}
	for i := range w.book.Pools {
		p := &w.book.Pools[i]
		for r := range p.Free {
			p.Free[r] = p.Free[r] * (demand[match.CPUMillis] * 100 / 125) / supply[match.CPUMillis]
		}
		w.capacity = append(w.capacity, p.Free)
	}
	return w
}

func (w *world) addTenant(rng *rand.Rand, s Shapes, i int) {
	t := tenant{unit: s.Units[rng.IntN(len(s.Units))], most: 1}
	if rng.IntN(4) == 0 {
		t.most = 2 + rng.Uint32N(5)
	}
	t.least = 1 + rng.Uint32N(t.most)
	first, last := uint32(0), uint32(models)
	if t.unit[match.GPUMillis] > 0 {
		first = 1
		if rng.IntN(3) == 0 {
			first = 1 + rng.Uint32N(models)
			last = first
		}
	}
	for range 1 + rng.IntN(2) {
		region := rng.Uint32N(regions)
		for model := first; model <= last; model++ {
			t.classes.Add(region*(models+1) + model)
		}
	}
	value := float64(rateOf(t.unit, reference)) * (0.7 + 0.7*rng.Float64()) *
		(1 + float64(rng.Uint64N(50)*rng.Uint64N(50)*rng.Uint64N(50)/500)/100)
	t.value = value
	b := match.Bid{
		ID: uint64(i), Account: uint32(i), Unit: t.unit, Min: t.least, Wanted: t.most,
		CapPerHour: uint64(value), Classes: slices.Clone(t.classes),
	}
	w.tenants = append(w.tenants, t)
	w.orders = append(w.orders, order{Bid: b, tenant: i, parts: 1, arrives: i % batches, payer: -1})
	room := b.CapPerHour * uint64(b.Wanted)
	if rng.IntN(5) > 0 {
		room *= roomFull
	}
	w.rooms = append(w.rooms, room)
}

func (w *world) addSeller(rng *rand.Rand, s Shapes) {
	m, count := s.Machines[rng.IntN(len(s.Machines))], 1+rng.Uint64N(8)
	i := uint32(len(w.book.Providers))
	pool := match.Pool{Provider: i, LargestUnit: m.Has}
	for r := range pool.Free {
		pool.Free[r] = m.Has[r] * count
	}
	ask := reference
	ask[match.GPUMillis] = ask[match.GPUMillis] * (60 + 15*uint64(m.Model)) / 100
	ask = scaled(ask, 0.8+0.5*rng.Float64())
	region := rng.Uint32N(regions)
	w.book.Providers = append(w.book.Providers, match.Provider{RateRoom: 1 << 50})
	w.book.Pools = append(w.book.Pools, pool)
	w.book.Offers = append(w.book.Offers, match.Offer{
		ID: uint64(i), Pool: i, Class: region*(models+1) + m.Model, Reputation: rng.Uint32N(1_000_000), Ask: ask,
	})
	w.costs = append(w.costs, scaled(ask, 0.5+0.4*rng.Float64()))
	w.region = append(w.region, region)
}

// clone is what a deviator may change.
func (w *world) clone() *world {
	c := *w
	c.tenants, c.orders, c.rooms = slices.Clone(w.tenants), slices.Clone(w.orders), slices.Clone(w.rooms)
	c.book.Providers, c.book.Pools, c.book.Offers = slices.Clone(w.book.Providers), slices.Clone(w.book.Pools), slices.Clone(w.book.Offers)
	c.changes = slices.Clone(w.changes)
	return &c
}

func scaled(v match.Vector, by float64) match.Vector {
	for r := range v {
		v[r] = uint64(float64(v[r]) * by)
	}
	return v
}

// rateOf is that of one replica; what the trace has never overflows it.
func rateOf(unit, ask match.Vector) uint64 {
	rate, err := match.Rate(unit, ask, 1)
	if err != nil {
		return match.MaxRate
	}
	return rate
}
