package proof

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/x/proof/types"
)

// cheats are the shares of its value that a liar does not serve, as two leases of so many units, the first of which is dead, with how
// many liars there are, and what the design's own simulation found: epochs of revenue that such a liar is behind in the mean.
var cheats = []struct {
	name      string
	sizes     []uint64
	liars     int
	published float64
}{
	{"1 %", []uint64{1, 99}, 100, -20.0},
	{"5 %", []uint64{1, 19}, 300, -10.8},
	{"20 %", []uint64{1, 4}, 300, -4.8},
	{"100 %", []uint64{1}, 300, -1.0},
}

// longest is after how many epochs a liar that was not caught is taken as it stands: of those who lie about 1 %, one in 1,800.
const longest = 400

func TestEveryFakeTickCostsMoreThanItEarns(t *testing.T) {
	var liars []*liar
	of := make([][]*liar, len(cheats))
	var names []string
	for i, c := range cheats {
		for j := range c.liars {
			l := newLiar(fmt.Sprintf("liar-%d-%d", i, j), c.sizes...)
			liars, of[i], names = append(liars, l), append(of[i], l), append(names, l.name)
		}
	}
	w := newWorld(t, 1, names...)
	w.opens(parties(liars)...)
	w.lies(liars, scheme{commits: fakesTicks}, longest)

	ahead := 0
	t.Log("share | liars | caught an epoch, formula | behind, published | behind, paid out | ahead")
	for i, c := range cheats {
		published, paid := w.behind(of[i])
		risked, caught := rate(of[i])
		chance := detection(w.params, of[i][0].share())
		better := 0
		for _, net := range paid.values {
			if net > 0 {
				better++
			}
		}
		ahead += better
		t.Logf("%5s | %5d | %.4f, %.4f | %6.2f ± %.2f, %5.1f | %6.2f ± %.2f | %d", c.name, c.liars,
			float64(caught)/float64(risked), chance, published.mean(), published.error(), c.published, paid.mean(), paid.error(), better)

		requireShare(t, caught, risked, chance, c.name)
		require.InDelta(t, c.published, published.mean(), 3*published.error()+0.05, "as the design counts, lying about %s", c.name)
		require.Less(t, paid.mean()+3*paid.error(), 0.0, "lying about %s pays", c.name)
	}
	require.LessOrEqual(t, ahead*1000, len(liars), "more than one in a thousand ends ahead")
}

// newLiar is one whose first lease is dead.
func newLiar(name string, sizes ...uint64) *liar {
	l := &liar{party: &party{name: name, sizes: append([]uint64{}, sizes...), dead: make([]bool, len(sizes))}}
	l.dead[0] = true
	return l
}

func parties(liars []*liar) []*party {
	var all []*party
	for _, l := range liars {
		all = append(all, l.party)
	}
	return all
}

// detection is the chance that an epoch's audit catches one who lies about a share of its value.
func detection(params types.Params, share float64) float64 {
	return float64(params.AuditPpm) / types.WholePpm * (1 - math.Pow(1-share, float64(params.Openings)))
}

// rate counts epochs in which liars lied, and those in which they were caught.
func rate(liars []*liar) (risked, caught int) {
	for _, l := range liars {
		risked += int(l.risked)
		if l.caught != 0 {
			caught++
		}
	}
	return risked, caught
}

// requireShare holds a count against the chance of each, within three standard deviations.
func requireShare(t testing.TB, count, of int, chance float64, what string) {
	t.Helper()
	sigma := math.Sqrt(float64(of) * chance * (1 - chance))
	require.InDelta(t, float64(of)*chance, float64(count), 3*sigma, "%s: %d of %d are caught, %.4f should be", what, count, of, chance)
}

// behind tells how many epochs of revenue each liar has more than if it had been honest, in two ways that both count as gained what
// its dead leases would have cost it, taken as their price, in each epoch in which it lied. As the design counts, it loses the pots
// that were forfeited and the epoch that runs. By what was paid out, it has lost what it has not got of its revenue up to the end of
// the epoch in which it was caught. What it could have earned while it was in jail counts in neither, nor does its bond.
func (w *world) behind(liars []*liar) (published, paid sample) {
	for _, l := range liars {
		gained := float64(l.risked) * l.share()
		epochs, running := float64(l.risked), 0.0
		if l.caught != 0 {
			epochs, running = epochs+1, 1
		}
		published.add(gained - float64(l.forfeited) - running)
		grains, _ := w.revenue(l.party).BigInt().Float64()
		micro, _ := l.paid.BigInt().Float64()
		paid.add(gained + micro*3600/grains - epochs)
	}
	return published, paid
}
