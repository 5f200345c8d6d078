package ledger_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/x/escrow/ledger"
)

func emptyPot() ledger.Pot {
	return ledger.Pot{Running: ledger.ZeroAccrual(), Next: ledger.ZeroAccrual()}
}

func TestAPotKeepsEventsAfterTheEndApartUntilItRolls(t *testing.T) {
	const end = 100
	start := func(rate, at uint64) func(ledger.Line) ledger.Line {
		return func(l ledger.Line) ledger.Line { return l.Start(rate, at) }
	}
	stop := func(rate, at uint64) func(ledger.Line) ledger.Line {
		return func(l ledger.Line) ledger.Line { return l.Stop(rate, at) }
	}
	p := emptyPot()
	require.True(t, p.Idle())
	p = p.Record(ledger.Service, 90, end, start(5, 90))
	p = p.Record(ledger.Hold, 95, end, start(2, 95))
	p = p.Record(ledger.Service, 110, end, stop(5, 110))
	p = p.Record(ledger.Hold, 120, end, start(3, 120))
	require.Equal(t, "5", p.Rate().String())
	require.Equal(t, "175", p.At(125).String(), "5 x 20 + 2 x 30 + 3 x 5")

	service, hold, rolled := p.Roll(end)
	require.Equal(t, "50", service.String())
	require.Equal(t, "10", hold.String())
	require.True(t, rolled.Next.IsZero())
	require.False(t, rolled.Idle())
	service, hold, rolled = rolled.Roll(200)
	require.Equal(t, "50", service.String())
	require.Equal(t, "440", hold.String())
	require.Equal(t, "5", rolled.Rate().String())
}

func TestRollingLosesNothingAndDelaysNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const end = 1000
		late, prompt := emptyPot(), emptyPot()
		total := math.ZeroInt()
		type flow struct{ rate, from, to uint64 }
		var flows []flow
		for range rapid.IntRange(0, 6).Draw(t, "flows") {
			from := rapid.Uint64Range(1, 2000).Draw(t, "from")
			flows = append(flows, flow{
				rapid.Uint64Range(1, 1<<63-1).Draw(t, "rate"), from, rapid.Uint64Range(from, 2000).Draw(t, "to"),
			})
		}
		// late rolls at the very end, prompt rolls at the epoch's end, before the events after it.
		for _, f := range flows {
			start := func(l ledger.Line) ledger.Line { return l.Start(f.rate, f.from) }
			stop := func(l ledger.Line) ledger.Line { return l.Stop(f.rate, f.to) }
			kind := ledger.Kind(f.rate%2 == 0)
			late = late.Record(kind, f.from, end, start).Record(kind, f.to, end, stop)
			if f.from < end {
				prompt = prompt.Record(kind, f.from, end, start)
			}
			if f.to < end {
				prompt = prompt.Record(kind, f.to, end, stop)
			}
			total = total.Add(ledger.Need(math.NewIntFromUint64(f.rate), f.to-f.from))
		}
		serviceThen, holdThen, prompt := prompt.Roll(end)
		for _, f := range flows {
			kind := ledger.Kind(f.rate%2 == 0)
			if f.from >= end {
				prompt = prompt.Record(kind, f.from, 3000, func(l ledger.Line) ledger.Line { return l.Start(f.rate, f.from) })
			}
			if f.to >= end {
				prompt = prompt.Record(kind, f.to, 3000, func(l ledger.Line) ledger.Line { return l.Stop(f.rate, f.to) })
			}
		}

		before := late.At(2000)
		service, hold, late := late.Roll(end)
		require.Equal(t, total.String(), before.String())
		require.Equal(t, serviceThen.String(), service.String())
		require.Equal(t, holdThen.String(), hold.String())
		require.Equal(t, before.String(), service.Add(hold).Add(late.At(2000)).String())
		require.Equal(t, late.At(2000).String(), prompt.At(2000).String())
		require.False(t, service.IsNegative() || hold.IsNegative())
	})
}

func TestAnEpochThatClosesLateMakesTheNextReachToNow(t *testing.T) {
	require.Equal(t, uint64(110), ledger.NextEpochEnd(100, 10, 100))
	require.Equal(t, uint64(110), ledger.NextEpochEnd(100, 10, 110))
	require.Equal(t, uint64(500), ledger.NextEpochEnd(100, 10, 500))
}
