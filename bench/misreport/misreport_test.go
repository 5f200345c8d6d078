package misreport

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// shapes are those of the trace below SOUK_DATA, or synthetic ones.
func shapes(tb testing.TB) Shapes {
	tb.Helper()
	folder := os.Getenv("SOUK_DATA")
	if folder == "" {
		tb.Log("SOUK_DATA is not set: synthetic shapes")
		return Synthetic()
	}
	s, err := OpenB(folder)
	require.NoError(tb, err)
	return s
}

func sizeFor(tb testing.TB) Size {
	tb.Helper()
	size := Size{Seeds: 20, Bids: 300, Offers: 40, Deviators: 15}
	if n := os.Getenv("SEEDS"); n != "" {
		seeds, err := strconv.Atoi(n)
		require.NoError(tb, err)
		size.Seeds = seeds
	}
	return size
}

// BenchmarkMisreport measures every strategy; the figures are gains, not times.
func BenchmarkMisreport(b *testing.B) {
	s, size := shapes(b), sizeFor(b)
	for _, strategy := range Strategies() {
		who := "tenant"
		if strategy.seller {
			who = "seller"
		}
		b.Run(who+"/"+strings.NewReplacer(" ", "_", "/", "_").Replace(strategy.Name), func(b *testing.B) {
			var g Gain
			for b.Loop() {
				g = Measure(strategy, s, size)
			}
			b.ReportMetric(0, "ns/op") // leaves it out
			b.ReportMetric(g.Mean, "gain-%")
			b.ReportMetric(g.Error, "gain-%-standard-error")
			b.ReportMetric(g.Gaining, "gaining-%")
			b.ReportMetric(g.Losing, "losing-%")
			b.ReportMetric(g.Lowest, "gain-%-of-lowest-1%")
			b.ReportMetric(g.Highest, "gain-%-of-highest-1%")
		})
	}
}

// BenchmarkEverybody is what all tenants have if all bid by one factor of their value, or by any from 1 to 4.
func BenchmarkEverybody(b *testing.B) {
	s, size := shapes(b), sizeFor(b)
	for name, deviate := range map[string]deviation{"cap_x_4": capTimes(4), "cap_x_1_to_16": capAtRandom} {
		b.Run(name, func(b *testing.B) {
			var welfare, standardError float64
			for b.Loop() {
				welfare, standardError = Welfare(deviate, s, size)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(welfare, "welfare-%")
			b.ReportMetric(standardError, "welfare-%-standard-error")
		})
	}
}

// BenchmarkMarkup is where sellers of a class end who answer each other's asks.
func BenchmarkMarkup(b *testing.B) {
	for _, demand := range []float64{0.7, 1.25} {
		for _, n := range []int{1, 2, 3, 5, 10} {
			b.Run(fmt.Sprintf("demand_%v/sellers_%d", demand, n), func(b *testing.B) {
				var m Markup
				for b.Loop() {
					m = MarkupOf(n, demand, 6)
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(m.Answer, "times-cost-first-answer")
				b.ReportMetric(m.Settled, "times-cost-settled")
				b.ReportMetric(m.Low, "times-cost-lowest")
				b.ReportMetric(m.Top, "times-cost-highest")
			})
		}
	}
}
