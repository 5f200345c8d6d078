package match_test

import (
	"encoding/csv"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/match"
)

// The market of these benchmarks: bids want what the pods of the openb trace
// want, pools have what its machines have. A pool is one to eight machines alike,
// drawn from the trace and then scaled so that demand is 1.25 times supply for
// CPU; it comes to about 0.92 for memory and 1.6 to 1.9 for GPU. A class is a
// region and a model of GPU, or none. See [benchBid] and [benchAsk] for the rest.

// machine is a machine of the trace.
type machine struct {
	has   match.Vector
	model uint32 // of its GPUs; 0 without
}

var gpuModels = map[string]uint32{"": 0, "P100": 1, "T4": 2, "V100M16": 3, "V100M32": 4, "G2": 5, "G3": 6, "A10": 7}

func machines(tb testing.TB) []machine {
	tb.Helper()
	f, err := os.Open(filepath.Join(os.Getenv("SOUK_DATA"), "openb", "openb_node_list_all_node.csv"))
	require.NoError(tb, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(tb, err)
	require.Equal(tb, []string{"sn", "cpu_milli", "memory_mib", "gpu", "model"}, rows[0])
	var all []machine
	for _, row := range rows[1:] {
		model, known := gpuModels[row[4]]
		require.True(tb, known, row[4])
		var numbers [3]uint64
		for i := range numbers {
			numbers[i], err = strconv.ParseUint(row[1+i], 10, 64)
			require.NoError(tb, err)
		}
		all = append(all, machine{model: model, has: match.Vector{
			match.CPUMillis: numbers[0], match.MemoryMiB: numbers[1], match.GPUMillis: numbers[2] * 1000,
		}})
	}
	return all
}

// tracedMarket draws a market. With a spread every resource of an offer is priced
// by itself, within so many thousandths; without, all by one factor.
func tracedMarket(units []match.Vector, from []machine, bids, offers int, spreadPermille, seed uint64) match.Input {
	rng := rand.New(rand.NewPCG(seed, 2023))
	in := match.Input{Seed: []byte{byte(seed)}}
	var demand, supply uint64
	for i := range bids {
		b := benchBid(rng, uint64(i), units)
		demand += b.Unit[match.CPUMillis] * uint64(b.Wanted)
		in.Bids = append(in.Bids, b)
	}
	for i := range uint32(offers) {
		m, count := from[rng.IntN(len(from))], 1+rng.Uint64N(8)
		pool := match.Pool{Provider: i, LargestUnit: m.has}
		for r := range match.Dims {
			pool.Free[r] = m.has[r] * count
		}
		supply += pool.Free[match.CPUMillis]
		in.Book.Providers = append(in.Book.Providers, match.Provider{RateRoom: 1 << 50})
		in.Book.Pools = append(in.Book.Pools, pool)
		in.Book.Offers = append(in.Book.Offers, match.Offer{
			ID: uint64(i), Pool: i, Class: rng.Uint32N(regions)*(models+1) + m.model,
			Reputation: rng.Uint32N(1_000_000), Ask: benchAsk(rng, m.model, spreadPermille),
		})
	}
	for i := range in.Book.Pools {
		for r := range match.Dims {
			in.Book.Pools[i].Free[r] = in.Book.Pools[i].Free[r] * (demand * 100 / 125) / supply
		}
	}
	return in
}

var asks = []struct {
	name           string
	spreadPermille uint64
}{{"asks_by_one_factor", 0}, {"free_asks", 200}}

// BenchmarkMarketWelfare says what part of what could be had is had: of the exact
// LP where that is quick, of the certified bound. The lowest of three seeds.
func BenchmarkMarketWelfare(b *testing.B) {
	units, from := openb(b), machines(b)
	for _, size := range sizes {
		for _, ask := range asks {
			b.Run(size.name+"/"+ask.name, func(b *testing.B) {
				least := map[string]float64{}
				note := func(name string, part, whole float64) {
					if had, ok := least[name]; !ok || 100*part/whole < had {
						least[name] = 100 * part / whole
					}
				}
				for seed := uint64(1); seed <= 3; seed++ {
					in := tracedMarket(units, from, size.bids, size.offers, ask.spreadPermille, seed)
					before := tracedMarket(units, from, size.bids, size.offers, ask.spreadPermille, seed+100)
					before.Book = in.Book
					welfareOf(b, in, before, note)
				}
				for b.Loop() { // the figures are not times
				}
				b.ReportMetric(0, "ns/op") // leaves it out
				for name, value := range least {
					b.ReportMetric(value, name)
				}
			})
		}
	}
}

// The steered clearings are by the batch's own certificate, by that of a batch
// before it of other bids on the same book, and by asks alone.
func welfareOf(b *testing.B, in, before match.Input, note func(name string, part, whole float64)) {
	b.Helper()
	first := match.FirstCome(in)
	plain := match.Clear(in)
	c := match.Certify(in, plain)
	_, steered := match.Improve(in, plain, c)
	weighted := in
	weighted.Weights = settled(in)
	byWeight := match.Clear(weighted)
	prior, byAsks := in, in
	prior.Prices = match.Certify(before, match.Clear(before)).Prices
	byAsks.Prices = []match.ClassPrice{{}}
	reached := map[string]float64{
		"": amount(c.Welfare), "steered-": amount(steered.Welfare), "weighted-": float64(surplus(in, byWeight)),
		"first-come-": float64(surplus(in, first)), "by-prior-prices-": float64(surplus(in, match.Clear(prior))),
		"by-asks-": float64(surplus(in, match.Clear(byAsks))),
	}
	bound := amount(c.Bound)
	for name, welfare := range reached {
		note(name+"%-of-bound", welfare, bound)
	}
	if len(in.Bids) > 1000 || !solvable() {
		return
	}
	best := optimum(b, in)
	require.GreaterOrEqual(b, bound, best*0.999999, "no bound is below the optimum")
	for name, welfare := range reached {
		note(name+"%-of-LP", welfare, best)
	}
	note("LP-%-of-bound", best, bound)
}

// settled is what the weights come to when a market is like this batch after
// batch: what the leases take is the demand, as the keeper counts it.
func settled(in match.Input) match.Weights {
	var supply match.Vector
	for _, p := range in.Book.Pools {
		for r := range match.Dims {
			supply[r] += p.Free[r]
		}
	}
	units := map[uint64]match.Vector{}
	for _, b := range in.Bids {
		units[b.ID] = b.Unit
	}
	for range 40 {
		var demand match.Vector
		for _, a := range match.Clear(in).Assignments {
			for r := range match.Dims {
				demand[r] += units[a.Bid][r] * uint64(a.Replicas)
			}
		}
		in.Weights = match.NextWeights(in.Weights, demand, supply)
		if len(in.Bids) > 10_000 {
			for range 40 {
				in.Weights = match.NextWeights(in.Weights, demand, supply)
			}
			break
		}
	}
	return in.Weights
}

// BenchmarkMarketTime is one clearing, its certificate, and both with the second
// clearing by the certificate's prices.
func BenchmarkMarketTime(b *testing.B) {
	units, from := openb(b), machines(b)
	for _, size := range sizes {
		for _, ask := range asks {
			in := tracedMarket(units, from, size.bids, size.offers, ask.spreadPermille, 1)
			timeOf(b, size.name+"/"+ask.name, in)
		}
	}
}

// BenchmarkMarketBlock is as much as one block reads of the bids and of the book,
// with the work that the keeper allows: bids of the trace, and bids that cost the
// most (see [vain]).
func BenchmarkMarketBlock(b *testing.B) {
	const bids, offers, work = 2048, 4096, 8 << 20
	in := tracedMarket(openb(b), machines(b), bids, offers, 0, 1)
	in.Work = work
	timeOf(b, "of_the_trace_with_room_for_all", in)
	in = tracedMarket(openb(b), machines(b), bids, offers, 200, 1)
	for i := range in.Book.Offers {
		in.Book.Offers[i].Class = uint32(i)
	}
	for i := range in.Bids {
		all := make(match.ClassSet, offers/64)
		for word := range all {
			all[word] = math.MaxUint64
		}
		in.Bids[i].Classes = all
	}
	in.Work = work
	timeOf(b, "each_offer_a_class_that_all_may_use", in)
	in = vain(256, offers, bids, 15)
	in.Work = work
	for i := range in.Book.Providers {
		in.Book.Providers[i].RateRoom = 1 << 14
	}
	timeOf(b, "hostile", in)
}

func timeOf(b *testing.B, name string, in match.Input) {
	b.Helper()
	out := match.Clear(in)
	c := match.Certify(in, out)
	b.Run(name+"/clear", func(b *testing.B) {
		for b.Loop() {
			match.Clear(in)
		}
		b.ReportMetric(float64(out.Work), "entries")
		b.ReportMetric(float64(len(out.Left)), "left")
	})
	b.Run(name+"/certify", func(b *testing.B) {
		for b.Loop() {
			match.Certify(in, out)
		}
		b.ReportMetric(float64(c.Work), "pairs")
		b.ReportMetric(float64(len(c.Prices)*match.Dims), "prices")
	})
	b.Run(name+"/improve", func(b *testing.B) {
		for b.Loop() {
			match.Improve(in, out, c)
		}
	})
}

func TestTheTracedMarketIsWhatItIsSaidToBe(t *testing.T) {
	in := tracedMarket(openb(t), machines(t), 10_000, 1000, 0, 1)
	var demand, supply [match.Dims]float64
	for _, b := range in.Bids {
		for r := range match.Dims {
			demand[r] += float64(b.Unit[r]) * float64(b.Wanted)
		}
	}
	for _, p := range in.Book.Pools {
		for r := range match.Dims {
			supply[r] += float64(p.Free[r])
		}
	}
	scarcity := func(r match.Dim) float64 { return demand[r] / supply[r] }
	require.InDelta(t, 1.25, scarcity(match.CPUMillis), 0.01)
	require.InDelta(t, 0.92, scarcity(match.MemoryMiB), 0.05, "memory")
	require.InDelta(t, 1.8, scarcity(match.GPUMillis), 0.2, "GPU")
}
