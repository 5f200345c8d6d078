package misreport

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/match"
)

// example is the batch that docs/market.md works out.
func example() match.Input {
	vcpus := func(n uint64) match.Vector { return match.Vector{match.CPUMillis: n * 1000, match.MemoryMiB: n * 1024} }
	in := match.Input{
		Seed:     []byte{1},
		Accounts: []match.Account{{RateRoom: 1 << 40}},
		Book: match.Book{
			Providers: []match.Provider{{RateRoom: 1 << 40}, {RateRoom: 1 << 40}},
			Pools: []match.Pool{
				{Provider: 0, Free: vcpus(4), LargestUnit: vcpus(4)},
				{Provider: 1, Free: vcpus(4), LargestUnit: vcpus(4)},
			},
			Offers: []match.Offer{
				{ID: 1, Pool: 0, Ask: match.Vector{match.CPUMillis: 10_000}},
				{ID: 2, Pool: 1, Ask: match.Vector{match.CPUMillis: 14_000}},
			},
		},
	}
	for i, b := range []struct{ vcpus, cap uint64 }{{2, 50_000}, {2, 44_000}, {3, 57_000}, {2, 36_000}} {
		bid := match.Bid{ID: uint64(i + 1), Unit: vcpus(b.vcpus), Min: 1, Wanted: 1, CapPerHour: b.cap}
		bid.Classes.Add(0)
		in.Bids = append(in.Bids, bid)
	}
	return in
}

func marketDoc(t *testing.T) string {
	t.Helper()
	doc, err := os.ReadFile("../../docs/market.md")
	require.NoError(t, err)
	return string(doc)
}

// thousands writes a number as the text does.
func thousands(n uint64) string {
	if n < 1000 {
		return strconv.FormatUint(n, 10)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

// The example is computed by the chain's code, and once more by the formula of the text.
func TestTheWorkedExampleOfTheTextIsWhatTheChainComputes(t *testing.T) {
	doc, in := marketDoc(t), example()
	out, c := match.ClearBest(in, proof)
	require.Equal(t, []match.Assignment{
		{Bid: 1, Offer: 1, Replicas: 1, RatePerHour: 20_000},
		{Bid: 2, Offer: 1, Replicas: 1, RatePerHour: 20_000},
		{Bid: 3, Offer: 2, Replicas: 1, RatePerHour: 42_000},
	}, out.Assignments)

	price := c.Prices[0].Price
	bound := func(p match.Vector) (pools, bids uint64) {
		over := func(a, b uint64) uint64 { return a - min(a, b) }
		for i, o := range in.Book.Offers {
			free := in.Book.Pools[i].Free
			pools += free[match.CPUMillis] / 1000 * over(p[match.CPUMillis], o.Ask[match.CPUMillis])
			pools += free[match.MemoryMiB] / 1024 * over(p[match.MemoryMiB], o.Ask[match.MemoryMiB])
		}
		for _, b := range in.Bids {
			bids += uint64(b.Wanted) * over(b.CapPerHour, rateOf(b.Unit, p))
		}
		return pools, bids
	}
	pools, bids := bound(price)
	require.Equal(t, match.Uint128{Lo: pools + bids}, c.Bound)
	for _, other := range []match.Vector{{}, {match.CPUMillis: 15_000}, {match.CPUMillis: 30_000}} {
		pools, bids := bound(other)
		require.GreaterOrEqual(t, pools+bids, c.Welfare.Lo, "any price bounds the welfare")
	}
	for _, said := range []string{
		"= " + thousands(c.Welfare.Lo) + ".",
		"p = " + thousands(price[match.CPUMillis]) + " for a vCPU and " + thousands(price[match.MemoryMiB]) + " for a GiB",
		"together " + thousands(pools) + ".", "together " + thousands(bids) + ".",
		"Bound: " + thousands(c.Bound.Lo) + ". Gap: " + thousands(c.Bound.Lo-c.Welfare.Lo) + " of it, `gap_ppm` " + thousands(uint64(c.GapPPM)),
	} {
		require.Contains(t, doc, said)
	}
}

func TestNoStrategyThatIsMeasuredIsLeftOutOfTheText(t *testing.T) {
	doc := marketDoc(t)
	for _, s := range Strategies() {
		require.Contains(t, doc, "| "+s.Name+" | ")
	}
}
