package misreport

import (
	"math/rand/v2"

	"github.com/souk-network/souk/match"
)

var match32 = match.Vector{match.CPUMillis: 32_000, match.MemoryMiB: 128 << 10}

// Markup is where sellers of one class end who answer each other's asks.
type Markup struct {
	Answer   float64 // the best ask when the others ask what they cost, over cost
	Settled  float64 // the mean ask over the last rounds of answers, over cost
	Low, Top float64 // the range of these
}

var markups = []float64{1, 1.05, 1.1, 1.15, 1.2, 1.3, 1.4, 1.5, 1.75, 2, 2.5, 3, 4}

const settling = 8 // rounds after which, and over which, asks are looked at

// MarkupOf lets n sellers with one pool each of one class and like costs compete
// for bids that want demand times what they have together.
func MarkupOf(n int, demand float64, seeds int) Markup {
	asks := make([]float64, n)
	for i := range asks {
		asks[i] = 1
	}
	m := Markup{Answer: answer(asks, 0, demand, seeds), Low: 100}
	rng := rand.New(rand.NewPCG(uint64(n), 11))
	for round := range 2 * settling {
		for range n { // some seller answers
			i := rng.IntN(n)
			asks[i] = answer(asks, i, demand, seeds)
		}
		if round < settling {
			continue
		}
		for _, ask := range asks {
			m.Settled += ask / float64(n*settling)
			m.Low, m.Top = min(m.Low, ask), max(m.Top, ask)
		}
	}
	return m
}

// answer is the ask that brings a seller the most, on average over seeds.
func answer(asks []float64, who int, demand float64, seeds int) float64 {
	best, most := 1.0, 0.0
	for _, ask := range markups {
		asks := append([]float64(nil), asks...)
		asks[who] = ask
		var profit float64
		for seed := range uint64(seeds) {
			w := oneClass(asks, demand, seed)
			p := play(w)
			profit += p.sellerGets(w, who)
		}
		if profit > most {
			best, most = ask, profit
		}
	}
	return best
}

// oneClass has pools of 32 vCPU and bids for 1 to 4, worth 0.7 to 4.9 times the
// reference, mostly near 1.5; costs are within 10 % of 0.6 times the reference.
func oneClass(asks []float64, demand float64, seed uint64) *world {
	rng := rand.New(rand.NewPCG(seed, 5))
	w := &world{seed: seed}
	machine := Shapes{Machines: []Machine{{Has: match32}}}
	for i, ask := range asks {
		w.addSeller(rng, machine)
		w.book.Pools[i].Free = match32
		w.capacity = append(w.capacity, match32)
		w.costs[i] = scaled(reference, 0.54+0.12*rng.Float64())
		w.book.Offers[i].Ask, w.book.Offers[i].Class = scaled(w.costs[i], ask), 0
		w.region[i] = 0
	}
	for have, want := uint64(0), uint64(demand*32_000*float64(len(asks))); have < want; {
		cpu := 1000 + 1000*rng.Uint64N(4)
		unit := match32
		for r := range unit {
			unit[r] = unit[r] * cpu / 32_000
		}
		i := len(w.tenants)
		w.addTenant(rng, Shapes{Units: []match.Vector{unit}}, i)
		w.orders[i].Classes, w.tenants[i].classes = []uint64{1}, []uint64{1}
		have += cpu * uint64(w.orders[i].Wanted)
	}
	return w
}
