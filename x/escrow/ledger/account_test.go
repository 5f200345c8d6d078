package ledger_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/x/escrow/ledger"
)

// entries of an account, in grains.
func account(remainders ...int64) ledger.Account {
	a := ledger.Account{Outflow: ledger.ZeroLine(), Held: math.ZeroInt()}
	for i, remainder := range remainders {
		a = a.Deposit(ledger.Source{Depositor: string(rune('a' + i))}, math.NewInt(remainder))
	}
	return a
}

// show writes entries as remainder/spent.
func show(a ledger.Account) []string {
	var out []string
	for _, e := range a.Entries {
		out = append(out, e.Depositor+":"+e.Remainder.String()+"/"+e.Spent.String())
	}
	return out
}

func TestMoneyIsDrawnFromTheOldestEntryAndComesBackToTheNewestDrawn(t *testing.T) {
	a := account(100, 50, 30)
	a.Outflow = a.Outflow.Start(10, 0)
	require.Equal(t, []string{"a:60/40", "b:50/0", "c:30/0"}, show(a.Settle(4)))
	require.Equal(t, []string{"a:0/100", "b:30/20", "c:30/0"}, show(a.Settle(12)))
	settled := a.Settle(16)
	require.Equal(t, []string{"a:0/100", "b:0/50", "c:20/10"}, show(settled))

	// The stream turns out to have closed at 11: 50 grains come back, newest drawn first.
	settled.Outflow = settled.Outflow.Stop(10, 11)
	require.Equal(t, []string{"a:0/100", "b:40/10", "c:30/0"}, show(settled.Settle(16)))
	require.Equal(t, []string{"a:0/100", "b:0/50", "c:20/10"}, show(a.Settle(16)), "settling leaves its input alone")
}

func TestWhatIsAddedToAnOldEntryRelievesThoseAfterIt(t *testing.T) {
	a := account(100, 50)
	a.Outflow = a.Outflow.Shift(math.NewInt(120))
	a = a.Settle(1).Deposit(ledger.Source{Depositor: "a"}, math.NewInt(5))
	require.Equal(t, []string{"a:0/105", "b:35/15"}, show(a.Settle(1)))
	a.Outflow = a.Outflow.Shift(math.NewInt(7))
	require.Equal(t, []string{"a:0/105", "b:28/22"}, show(a.Settle(1)))
}

func TestTheSameDepositorHasAnEntryForEachGrantee(t *testing.T) {
	a := account(100)
	for _, grantee := range []string{"", "x", "y", "x"} {
		a = a.Deposit(ledger.Source{Depositor: "a", Grantee: grantee}, math.NewInt(10))
	}
	require.Equal(t, []string{"a:110/0", "a:20/0", "a:10/0"}, show(a))
	require.Equal(t, "140", a.Remainder().String())
}

func TestTheZeroSecondIsTheLastThatAllCanBePaidInFull(t *testing.T) {
	huge := math.NewIntFromBigInt(math.OneInt().BigInt().Lsh(math.OneInt().BigInt(), 200))
	for name, c := range map[string]struct {
		deposit math.Int
		held    int64
		rate    uint64
		from    uint64
		second  uint64
		found   bool
	}{
		"nothing is drawn":               {math.NewInt(100), 0, 0, 0, 0, false},
		"funds divide evenly":            {math.NewInt(100), 0, 10, 5, 15, true},
		"a remainder stays":              {math.NewInt(109), 0, 10, 5, 15, true},
		"less than a second":             {math.NewInt(9), 0, 10, 5, 5, true},
		"held money does not count":      {math.NewInt(100), 41, 10, 5, 10, true},
		"overdrawn before the beginning": {math.NewInt(0), 41, 10, 1, 0, true},
		"longer than any clock":          {huge, 0, 1, 0, ledger.Never, true},
		"longer than 64 bits by little":  {math.NewIntFromUint64(1 << 63), 0, 1, 0, ledger.Never, true},
	} {
		t.Run(name, func(t *testing.T) {
			a := ledger.Account{Outflow: ledger.ZeroLine(), Held: math.NewInt(c.held)}.Deposit(ledger.Source{Depositor: "a"}, c.deposit)
			if c.rate > 0 {
				a.Outflow = a.Outflow.Start(c.rate, c.from)
			}
			second, found := a.ZeroSecond()
			require.Equal(t, c.found, found)
			require.Equal(t, c.second, second)
		})
	}
}

func TestTheZeroSecondSeparatesWhatCanBePaidFromWhatCannot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := randomAccount(t)
		second, found := a.ZeroSecond()
		if !found {
			require.False(t, a.Outflow.Slope.IsPositive())
			return
		}
		if second == 0 || second == ledger.Never {
			return
		}
		require.False(t, a.Free(second).IsNegative())
		require.True(t, a.Free(second+1).IsNegative())
	})
}

func TestSettlingTwiceIsSettlingOnceAndLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := randomAccount(t)
		limit, found := a.ZeroSecond()
		if !found || limit > 1<<40 {
			limit = 1 << 40
		}
		first := rapid.Uint64Range(0, limit).Draw(t, "first")
		second := rapid.Uint64Range(0, limit).Draw(t, "second")
		if a.Balance(first).IsNegative() || a.Balance(second).IsNegative() || a.Outflow.At(first).IsNegative() ||
			a.Outflow.At(second).IsNegative() {
			t.Skip("outside of the account's life")
		}
		once := a.Settle(second)
		require.Equal(t, show(once), show(once.Settle(second)))
		require.Equal(t, a.Total().String(), once.Total().String())
		spent, remainder := math.ZeroInt(), math.ZeroInt()
		for _, e := range a.Settle(first).Settle(second).Entries {
			require.False(t, e.Remainder.IsNegative() || e.Spent.IsNegative())
			spent, remainder = spent.Add(e.Spent), remainder.Add(e.Remainder)
		}
		require.Equal(t, a.Outflow.At(second).String(), spent.String())
		require.Equal(t, a.Balance(second).String(), remainder.String())
	})
}

func TestWholeMicroDenomArePaidBackAndLessThanOneStaysInAnEntry(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := randomAccount(t)
		a.Outflow = ledger.ZeroLine()
		a = a.Settle(1)
		paid, refunds := a.PayBack()
		sum := paid.Remainder()
		for _, r := range refunds {
			require.True(t, r.Micro.IsPositive())
			sum = sum.Add(ledger.Grains(r.Micro))
		}
		require.Equal(t, a.Balance(1).String(), sum.String())
		for _, e := range paid.Entries {
			require.True(t, e.Remainder.LT(math.NewInt(ledger.GrainsPerMicro)))
		}
		again, refunds := paid.PayBack()
		require.Empty(t, refunds)
		require.Len(t, again.Entries, len(paid.Entries))
		for i, e := range paid.Entries {
			require.Equal(t, e.Remainder.String(), again.Entries[i].Remainder.String())
			require.Equal(t, e.Spent.String(), again.Entries[i].Spent.String())
		}
	})
}

// TestHowDepositorsShareNeverDependsOnWhenItWasSettled plays deposits and closing streams with and without settlements
// in between.
func TestHowDepositorsShareNeverDependsOnWhenItWasSettled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		often := randomAccount(t)
		once := often
		for range rapid.IntRange(1, 10).Draw(t, "events") {
			second := rapid.Uint64Range(1, 1<<33).Draw(t, "second")
			rate := rapid.Uint64Range(1, 1<<40).Draw(t, "rate")
			deposit := amount(t, "deposit", 90)
			source := ledger.Source{Depositor: rapid.StringMatching("[a-d]").Draw(t, "depositor")}
			if rapid.Bool().Draw(t, "stream") {
				often.Outflow, once.Outflow = often.Outflow.Start(rate, second), once.Outflow.Start(rate, second)
			} else {
				often, once = often.Deposit(source, deposit), once.Deposit(source, deposit)
			}
			often = often.Settle(rapid.Uint64Range(1, 1<<33).Draw(t, "settled at"))
		}
		end := rapid.Uint64Range(1, 1<<33).Draw(t, "end")
		require.Equal(t, show(once.Settle(end)), show(often.Settle(end)))
	})
}

// randomAccount draws an account with up to five entries and five streams that opened, and some closed, before 2^32.
func randomAccount(t *rapid.T) ledger.Account {
	a := ledger.Account{Outflow: ledger.ZeroLine(), Held: amount(t, "held", 64)}
	for range rapid.IntRange(1, 5).Draw(t, "entries") {
		a = a.Deposit(ledger.Source{Depositor: rapid.StringMatching("[a-d]").Draw(t, "depositor")}, amount(t, "deposit", 120))
	}
	for range rapid.IntRange(0, 5).Draw(t, "streams") {
		rate := rapid.Uint64Range(1, 1<<62).Draw(t, "rate")
		from := rapid.Uint64Range(1, 1<<32).Draw(t, "from")
		a.Outflow = a.Outflow.Start(rate, from)
		if rapid.Bool().Draw(t, "closed") {
			a.Outflow = a.Outflow.Stop(rate, from+rapid.Uint64Range(0, 1<<20).Draw(t, "seconds"))
		}
	}
	return a
}
