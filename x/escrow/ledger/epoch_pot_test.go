package ledger_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/x/escrow/ledger"
)

func epochPot(service, hold int64) ledger.EpochPot {
	return ledger.NewEpochPot(math.NewInt(service), math.NewInt(hold))
}

// parts are payable, refundable, forfeited, refunded and settled.
func parts(p ledger.EpochPot) []int64 {
	return []int64{p.Payable.Int64(), p.Refundable.Int64(), p.Forfeited.Int64(), p.Refunded.Int64(), p.Settled.Int64()}
}

func TestCreditPaysHoldInFullAndServiceAsFarAsProven(t *testing.T) {
	for _, c := range []struct{ service, hold, proven, payable, refundable int64 }{
		{100, 10, 100, 110, 0},
		{100, 10, 40, 50, 60},
		{100, 10, 0, 10, 100},
		{100, 10, 101, 110, 0},
		{100, 10, -1, 10, 100},
		{0, 0, 0, 0, 0},
	} {
		p := epochPot(c.service, c.hold).Credit(math.NewInt(c.proven))
		require.Equal(t, []int64{c.payable, c.refundable, 0, 0, 0}, parts(p))
		require.True(t, p.Balances())
	}
}

func TestRefundTakesWhatWasNotProvenFirstAndNeverHold(t *testing.T) {
	p := epochPot(100, 10).Credit(math.NewInt(60))
	p, paid := p.Refund(math.NewInt(15))
	require.Equal(t, int64(15), paid.Int64())
	require.Equal(t, []int64{70, 25, 0, 15, 0}, parts(p))
	p, paid = p.Refund(math.NewInt(-1))
	require.True(t, paid.IsZero())
	p, paid = p.Refund(math.NewInt(45))
	require.Equal(t, int64(45), paid.Int64())
	require.Equal(t, []int64{50, 0, 0, 60, 0}, parts(p))
	p, taken := p.Forfeit()
	require.Equal(t, int64(40), taken.Int64())
	p, paid = p.Refund(math.NewInt(1))
	require.Equal(t, int64(1), paid.Int64())
	require.Equal(t, []int64{10, 0, 39, 61, 0}, parts(p))
	p, taken = p.Settle()
	require.Equal(t, int64(39), taken.Int64())
	p, paid = p.Refund(math.NewInt(1000))
	require.True(t, paid.IsZero(), "hold is left, and stays")
	require.Equal(t, []int64{10, 0, 0, 61, 39}, parts(p))
	require.Equal(t, int64(10), p.Left().Int64())
}

func TestForfeitTakesAllServiceOfAnUndecidedPotAndDecidesIt(t *testing.T) {
	p, taken := epochPot(100, 10).Forfeit()
	require.Equal(t, int64(100), taken.Int64())
	require.True(t, p.Decided)
	require.Equal(t, []int64{10, 0, 100, 0, 0}, parts(p))
	again, taken := p.Forfeit()
	require.True(t, taken.IsZero())
	require.Equal(t, p, again)
}

func TestAnEpochPotBalancesWhateverIsDoneToIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.Int64Range(0, 1<<62)
		p := ledger.NewEpochPot(math.NewInt(amount.Draw(t, "service")), math.NewInt(amount.Draw(t, "hold")))
		require.True(t, p.Balances())
		outside := math.ZeroInt()
		all := p.Left()
		for range rapid.IntRange(0, 8).Draw(t, "steps") {
			taken := math.ZeroInt()
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				if !p.Decided {
					p = p.Credit(math.NewInt(rapid.Int64().Draw(t, "proven")))
				}
			case 1:
				if p.Decided {
					wanted := rapid.Int64().Draw(t, "wanted")
					p, taken = p.Refund(math.NewInt(wanted))
					require.True(t, taken.LTE(math.NewInt(max(0, wanted))))
				}
			case 2:
				p, _ = p.Forfeit()
			default:
				p, taken = p.Settle()
			}
			outside = outside.Add(taken)
			require.True(t, p.Balances(), "%v", p)
			require.True(t, p.Left().Add(outside).Equal(all))
			require.True(t, p.Left().GTE(p.Hold))
		}
	})
}
