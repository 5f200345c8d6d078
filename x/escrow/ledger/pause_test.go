package ledger_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/x/escrow/ledger"
)

func TestThePausedRateIsItsShareRoundedUpAndNeverNothing(t *testing.T) {
	for _, c := range []struct {
		rate uint64
		bps  uint32
		want uint64
	}{
		{1, 0, 1},
		{1, 1000, 1},
		{10_000, 0, 1},
		{10_000, 1, 1},
		{10_001, 1, 2},
		{5_000, 1000, 500},
		{5_001, 1000, 501},
		{7, 10_000, 7},
		{1<<63 - 1, 10_000, 1<<63 - 1},
		{1<<63 - 1, 5_000, 1 << 62},
	} {
		require.Equal(t, c.want, ledger.HoldRate(c.rate, c.bps), "%d bps of %d", c.bps, c.rate)
	}
	rapid.Check(t, func(t *rapid.T) {
		rate, bps := rapid.Uint64Range(1, 1<<63-1).Draw(t, "rate"), rapid.Uint32Range(0, 10_000).Draw(t, "bps")
		paid := ledger.HoldRate(rate, bps)
		require.True(t, paid >= 1 && paid <= rate)
	})
}

func TestAnAccountIsLowARunwayBeforeItsEnd(t *testing.T) {
	for name, c := range map[string]struct{ zero, runway, now, want uint64 }{
		"long before":                {1000, 100, 5, 900},
		"it was so before now":       {1000, 100, 950, 951},
		"it is so now":               {1000, 100, 900, 901},
		"it ends at the next second": {1000, 100, 999, 1000},
		"it has ended":               {1000, 100, 1000, 1000},
		"it never lasted that long":  {50, 100, 5, 6},
		"it lasts longer than time":  {ledger.Never, 100, 5, ledger.Never - 100},
	} {
		require.Equal(t, c.want, ledger.LowSecond(c.zero, c.runway, c.now), name)
	}
	require.Equal(t, uint64(900), ledger.LaterLowSecond(1000, 100, 800))
	require.Equal(t, uint64(950), ledger.LaterLowSecond(1000, 100, 950), "an event in the past moves nothing back")
	require.Equal(t, uint64(1000), ledger.LaterLowSecond(1000, 100, 1010))
}

func TestWhatIsMissingMakesAnAccountLast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := randomAccount(t)
		rate, seconds := amount(t, "rate", 64), rapid.Uint64Range(0, 1<<32).Draw(t, "seconds")
		second := rapid.Uint64Range(1, 1<<33).Draw(t, "second")
		missing := a.Missing(rate, seconds, second)
		require.Equal(t, missing.IsZero(), a.Lasts(rate, seconds, second))
		enough := a.Deposit(ledger.Source{Depositor: "z"}, missing)
		require.True(t, enough.Lasts(rate, seconds, second))
		if missing.IsPositive() {
			require.False(t, a.Deposit(ledger.Source{Depositor: "z"}, missing.Sub(math.OneInt())).Lasts(rate, seconds, second))
		}
	})
}

func TestNothingIsForgottenBeforeItsEarningsMatured(t *testing.T) {
	require.Equal(t, uint64(150+4*100), ledger.RetainUntil(150, 200, 100, 2))
	require.Equal(t, uint64(900+3*100), ledger.RetainUntil(150, 900, 100, 2), "in an epoch longer than the next")
	rapid.Check(t, func(t *rapid.T) {
		now, length := rapid.Uint64Range(1, 1<<40).Draw(t, "now"), rapid.Uint64Range(1, 31*86400).Draw(t, "epoch")
		end, holdback := now+rapid.Uint64Range(0, 1<<20).Draw(t, "left"), rapid.Uint64Range(0, 10_000).Draw(t, "holdback")
		require.GreaterOrEqual(t, ledger.RetainUntil(now, end, length, holdback), end+(holdback+1)*length)
	})
}

func TestALatePotIsRolledOutOfAllItsEpochsAtOnce(t *testing.T) {
	p := emptyPot()
	p = p.Record(ledger.Service, 10, 100, func(l ledger.Line) ledger.Line { return l.Start(5, 10) })
	p = p.Record(ledger.Service, 110, 100, func(l ledger.Line) ledger.Line { return l.Stop(5, 110) })
	p = p.Record(ledger.Hold, 120, 100, func(l ledger.Line) ledger.Line { return l.Start(1, 120) })
	before := p.At(500)
	service, hold, rolled := p.Late().Roll(300)
	require.Equal(t, "500", service.String())
	require.Equal(t, "180", hold.String())
	require.Equal(t, before.String(), service.Add(hold).Add(rolled.At(500)).String())
	require.Equal(t, "1", rolled.Rate().String())
}
