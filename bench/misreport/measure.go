package misreport

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Size says how much is simulated.
type Size struct{ Seeds, Bids, Offers, Deviators int }

// Gain is what a strategy brings, in percent of what honest agents have on average.
type Gain struct {
	Mean, Error     float64 // Error is the standard error over seeds
	Gaining, Losing float64 // percent of the deviators
	Lowest, Highest float64 // one deviator of a hundred has less, or more
}

// Measure simulates a strategy. A gain below a millionth of the mean counts as none.
func Measure(s Strategy, shapes Shapes, size Size) Gain {
	var base float64
	var diffs []float64
	bySeed := make([]float64, 0, size.Seeds)
	var each []float64
	for seed := range uint64(size.Seeds) {
		truth := draw(shapes, seed+1, size.Bids, size.Offers)
		truth.window = s.window
		honest := play(truth)
		rng := rand.New(rand.NewPCG(seed, 7))
		var here, sum float64
		who := s.sample(truth, size.Deviators, rng)
		for _, i := range who {
			had := s.gets(truth, &honest, i)
			d := s.best(truth, i, rng) - had
			diffs = append(diffs, d)
			here += had
			sum += d
		}
		base += here
		if len(who) > 0 {
			each = append(each, sum/float64(len(who)))
		}
	}
	mean := base / float64(max(1, len(diffs)))
	for i := range each {
		bySeed = append(bySeed, 100*each[i]/mean)
	}
	return summary(diffs, bySeed, mean)
}

// best is what the best alternative brings.
func (s Strategy) best(truth *world, who int, rng *rand.Rand) float64 {
	most := math.Inf(-1)
	for _, deviate := range s.alternatives {
		w := truth.clone()
		deviate(w, who, rng)
		p := play(w)
		// Ask changes do not change what truth says of costs, needs and places.
		most = max(most, s.gets(w, &p, who))
	}
	return most
}

func summary(diffs, bySeed []float64, base float64) Gain {
	var g Gain
	for _, x := range bySeed {
		g.Mean += x / float64(len(bySeed))
	}
	for _, x := range bySeed {
		g.Error += (x - g.Mean) * (x - g.Mean)
	}
	if n := float64(len(bySeed)); n > 1 {
		g.Error = math.Sqrt(g.Error / (n - 1) / n)
	}
	slices.Sort(diffs)
	for _, d := range diffs {
		if d > base/1e6 {
			g.Gaining += 100 / float64(len(diffs))
		}
		if d < -base/1e6 {
			g.Losing += 100 / float64(len(diffs))
		}
	}
	g.Lowest = 100 * diffs[len(diffs)/100] / base
	g.Highest = 100 * diffs[len(diffs)-1-len(diffs)/100] / base
	return g
}

// Welfare is what all tenants have when all of them deviate alike, in percent of what
// they have when none does, with its standard error.
func Welfare(deviate func(w *world, who int, rng *rand.Rand), shapes Shapes, size Size) (percent, standardError float64) {
	var shares []float64
	for seed := range uint64(size.Seeds) {
		truth := draw(shapes, seed+1, size.Bids, size.Offers)
		rng := rand.New(rand.NewPCG(seed, 7))
		all := truth.clone()
		for i := range truth.tenants {
			deviate(all, i, rng)
		}
		shares = append(shares, 100*tenantsGet(all)/tenantsGet(truth))
	}
	for _, x := range shares {
		percent += x / float64(len(shares))
	}
	for _, x := range shares {
		standardError += (x - percent) * (x - percent)
	}
	n := float64(len(shares))
	return percent, math.Sqrt(standardError / max(1, n-1) / n)
}

func tenantsGet(w *world) (total float64) {
	p := play(w)
	for i := range w.tenants {
		total += p.tenantGets(w, i)
	}
	return total
}
