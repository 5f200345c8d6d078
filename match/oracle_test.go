package match_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/match"
)

// optimum is the welfare of a market whose replicas could be split at will: the
// exact optimum of the linear program over bids and offers, by HiGHS. No
// assignment has more. It holds the spread over providers where a provider has
// one offer, and knows neither money nor bonds nor zones. It needs
// the solver: see [solvable].
func optimum(tb testing.TB, in match.Input) float64 {
	tb.Helper()
	root, err := filepath.Abs("..")
	require.NoError(tb, err)
	file := filepath.Join(tb.TempDir(), "market.lp")
	require.NoError(tb, os.WriteFile(file, []byte(linearProgram(in)), 0o600))
	solver := exec.Command("node", filepath.Join(root, "tools", "lp", "solve.js"), file)
	solver.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(root, "build", "lp", "node_modules"))
	out, err := solver.Output()
	require.NoError(tb, err)
	value, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	require.NoError(tb, err)
	return value * 1000
}

// solvable reports whether the LP solver is there; scripts/lp-oracle gets it.
func solvable() bool {
	_, missing := os.Stat(filepath.Join("..", "build", "lp", "node_modules", "highs"))
	_, noNode := exec.LookPath("node")
	return missing == nil && noNode == nil
}

// linearProgram writes the market in the solver's format, in thousandths: x_b_o
// replicas of bid b at offer o.
func linearProgram(in match.Input) string {
	var objective, bids, bounds strings.Builder
	pools := make([]strings.Builder, len(in.Book.Pools)*match.Dims)
	for i, b := range in.Bids {
		var row strings.Builder
		for j, o := range in.Book.Offers {
			rate, err := match.Rate(b.Unit, o.Ask, 1)
			if err != nil || rate >= b.CapPerHour || !b.Classes.Has(o.Class) || !holds(in.Book.Pools[o.Pool], b.Unit) {
				continue
			}
			fmt.Fprintf(&objective, " + %g x%d_%d\n", float64(b.CapPerHour-rate)/1000, i, j)
			fmt.Fprintf(&row, " + x%d_%d\n", i, j)
			if b.MaxPerProvider > 0 {
				fmt.Fprintf(&bounds, " x%d_%d <= %d\n", i, j, b.MaxPerProvider)
			}
			for r, q := range b.Unit {
				if q > 0 {
					fmt.Fprintf(&pools[int(o.Pool)*match.Dims+r], " + %g x%d_%d\n", float64(q)/1000, i, j)
				}
			}
		}
		if row.Len() > 0 {
			fmt.Fprintf(&bids, " b%d: %s <= %d\n", i, row.String(), b.Wanted)
		}
	}
	for at := range pools {
		if pools[at].Len() > 0 {
			free := in.Book.Pools[at/match.Dims].Free[at%match.Dims]
			fmt.Fprintf(&bids, " p%d: %s <= %g\n", at, pools[at].String(), float64(free)/1000)
		}
	}
	return "Maximize\n obj:" + objective.String() + "Subject To\n" + bids.String() + "Bounds\n" + bounds.String() + "End\n"
}

func holds(p match.Pool, unit match.Vector) bool {
	for r, q := range unit {
		if q > min(p.Free[r], p.LargestUnit[r]) {
			return false
		}
	}
	return true
}

func TestSmallMarketsReachMostOfTheExactOptimum(t *testing.T) {
	if !solvable() {
		t.Skip("the LP solver is not there: run scripts/lp-oracle")
	}
	for seed := range uint64(3) {
		in := benchMarket(synthetic(), 200, 20, 0, seed)
		best := optimum(t, in)
		out := match.Clear(in)
		c := match.Certify(in, out)
		_, better := match.Improve(in, out, c)
		t.Logf("seed %d: LP %.0f, bound %s, greedy %s, steered %s", seed, best, c.Bound, c.Welfare, better.Welfare)
		require.GreaterOrEqual(t, amount(c.Bound), best*0.999999, "no bound is below the optimum")
		require.LessOrEqual(t, amount(better.Welfare), best*1.000001)
		require.Greater(t, amount(c.Welfare), best*0.75)
		require.Greater(t, amount(better.Welfare), best*0.85)
	}
}

func amount(n match.Uint128) float64 { return float64(n.Hi)*(1<<32)*(1<<32) + float64(n.Lo) }
