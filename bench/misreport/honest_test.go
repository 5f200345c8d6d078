package misreport

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/match"
)

// The tests hold a small run of the published simulation to what docs/market.md says of it.

var small = Size{Seeds: 4, Bids: 150, Offers: 24, Deviators: 12}

func gainOf(t *testing.T, name string) Gain {
	t.Helper()
	for _, s := range Strategies() {
		if s.Name == name {
			return Measure(s, Synthetic(), small)
		}
	}
	t.Fatalf("no strategy is called %q", name)
	return Gain{}
}

func TestShamBidsWithoutMoneyChangeNothing(t *testing.T) {
	require.Equal(t, Gain{}, gainOf(t, "20 sham bids without money"))
	require.Equal(t, Gain{}, gainOf(t, "20 sham bids without money for rivals' classes"))
}

func TestABidWithoutMoneyOfAnyShapeLeavesAllLeasesAsTheyAre(t *testing.T) {
	w := draw(Synthetic(), 3, 150, 24)
	truth := play(w)
	for i := range 40 {
		w.sham(w.orders[i*3].Bid, i%batches, 0)
	}
	require.Equal(t, truth, play(w))
}

// A bid that loses changes nobody's price: each lease pays its offer's ask. In a plain
// clearing it does not change who gets what either.
func TestALosingBidSetsNobodysPrice(t *testing.T) {
	w := draw(Synthetic(), 5, 150, 24)
	in := match.Input{Seed: []byte{5}, Book: w.book}
	for i := range w.orders {
		in.Bids = append(in.Bids, w.orders[i].Bid)
	}
	all := match.Clear(in)
	won := map[uint64]bool{}
	for _, a := range all.Assignments {
		won[a.Bid] = true
		offer := in.Book.Offers[a.Offer]
		rate, err := match.Rate(in.Bids[a.Bid].Unit, offer.Ask, uint64(a.Replicas))
		require.NoError(t, err)
		require.InDelta(t, float64(rate), float64(a.RatePerHour), float64(a.Replicas))
		require.LessOrEqual(t, a.RatePerHour, in.Bids[a.Bid].CapPerHour*uint64(a.Replicas))
	}
	require.Less(t, len(won), len(in.Bids), "no bid loses in this market")
	var winners []match.Bid
	for _, b := range in.Bids {
		if won[b.ID] {
			winners = append(winners, b)
		}
	}
	in.Bids = winners
	require.Equal(t, all.Assignments, match.Clear(in).Assignments)
}

func TestWhatIsPaidInAPlayedMarketIsTheAskAndNoMoreThanTheCap(t *testing.T) {
	for seed := range uint64(3) {
		w := draw(Synthetic(), seed, 150, 24)
		for _, l := range play(w).leases {
			o := w.orders[l.order]
			require.InDelta(t, float64(rateOf(o.Unit, w.book.Offers[l.provider].Ask)), l.rate, 1)
			require.LessOrEqual(t, l.rate, float64(o.CapPerHour))
		}
	}
}

func TestALowerCapThanTheValueLosesAndAHigherOneDoesNot(t *testing.T) {
	require.Negative(t, gainOf(t, "cap x 0.5").Mean)
	require.Negative(t, gainOf(t, "cap x 0.8").Mean)
	require.Positive(t, gainOf(t, "cap x 4").Mean, "then docs/market.md is wrong: say so there")
}

func TestTooSmallAUnitLosesEverything(t *testing.T) {
	g := gainOf(t, "unit x 0.9")
	require.LessOrEqual(t, g.Mean, -100.0)
	require.Zero(t, g.Gaining)
}

func TestADearerAskThatIsSentBeforeABatchDoesNotCountInIt(t *testing.T) {
	w := draw(Synthetic(), 2, 150, 24)
	raised := w.clone()
	raiseAt(2, 1.25, false)(raised, 0, nil)
	before, after := play(w), play(raised)
	early := func(p played) []lease { return p.leases[:p.until[1]] }
	require.NotEmpty(t, early(before))
	for i, l := range early(before) {
		m := early(after)[i]
		l.ended, m.ended = false, false
		require.Equal(t, l, m)
	}
}

func TestBestOfAllKnownNeverLosesWhereTheTruthIsAmongTheAlternatives(t *testing.T) {
	require.Zero(t, gainOf(t, "cap: best of these, all known").Losing)
	require.Zero(t, gainOf(t, "ask: best of 9 from x 0.8 to x 2, all known").Losing)
}

func TestFewerCompetitorsAllowAHigherMarkup(t *testing.T) {
	alone, among := MarkupOf(1, 0.7, 2), MarkupOf(6, 0.7, 2)
	require.Greater(t, alone.Settled, among.Settled)
	require.Greater(t, among.Settled, 1.0)
}

func TestTheSameSeedIsTheSameMarket(t *testing.T) {
	require.Equal(t, play(draw(Synthetic(), 9, 90, 12)), play(draw(Synthetic(), 9, 90, 12)))
	require.NotEqual(t, play(draw(Synthetic(), 9, 90, 12)), play(draw(Synthetic(), 10, 90, 12)))
}

// No seller is made to hold more than it has, whatever it or others declare.
func TestNoCapacityIsServedTwice(t *testing.T) {
	for _, s := range Strategies() {
		w := draw(Synthetic(), 4, 90, 12)
		w.window = s.window
		rng := rand.New(rand.NewPCG(1, 1))
		s.alternatives[0](w, s.sample(w, 1, rng)[0], rng)
		p := play(w)
		used := make([]match.Vector, len(w.book.Pools))
		for _, l := range p.leases {
			if l.declined || l.ended {
				continue
			}
			for r, n := range w.orders[l.order].Unit {
				used[l.provider][r] += n * uint64(l.replicas)
				require.LessOrEqual(t, used[l.provider][r], w.capacity[l.provider][r], s.Name)
			}
		}
	}
}
