package ledger

import "cosmossdk.io/math"

// EpochPot is what was earned in one closed epoch, in grains. Of a decided one, Payable + Refundable + Forfeited +
// Refunded + Settled is Service + Hold, and Payable holds all of Hold: hold accrual is never refunded or forfeited.
type EpochPot struct {
	// Service and Hold accrued in the epoch.
	Service, Hold math.Int
	// Decided tells that the service accrual was split.
	Decided bool
	// Payable is the payee's.
	Payable math.Int
	// Refundable was not proven.
	Refundable math.Int
	// Forfeited was taken from the payee.
	Forfeited math.Int
	// Refunded went back to those who had paid.
	Refunded math.Int
	// Settled was forfeited and has gone to the public.
	Settled math.Int
}

// NewEpochPot is what accrued in an epoch, undecided.
func NewEpochPot(service, hold math.Int) EpochPot {
	zero := math.ZeroInt()
	return EpochPot{
		Service: service, Hold: hold,
		Payable: zero, Refundable: zero, Forfeited: zero, Refunded: zero, Settled: zero,
	}
}

// Left is what the pot still has.
func (p EpochPot) Left() math.Int { return p.Service.Add(p.Hold).Sub(p.Refunded).Sub(p.Settled) }

// Balances tells that no amount is negative and that the parts add up.
func (p EpochPot) Balances() bool {
	for _, amount := range []math.Int{p.Service, p.Hold, p.Payable, p.Refundable, p.Forfeited, p.Refunded, p.Settled} {
		if amount.IsNegative() {
			return false
		}
	}
	parts := p.Payable.Add(p.Refundable).Add(p.Forfeited)
	if !p.Decided {
		return parts.Add(p.Refunded).Add(p.Settled).IsZero()
	}
	return parts.Equal(p.Left()) && p.Payable.GTE(p.Hold)
}

// Credit splits what accrued: all of hold and the proven part of service are payable, the rest of service is refundable. A
// proven part beyond the service accrual counts as all of it, one below 0 as none.
func (p EpochPot) Credit(proven math.Int) EpochPot {
	proven = math.MaxInt(math.ZeroInt(), math.MinInt(proven, p.Service))
	p.Payable, p.Refundable, p.Decided = p.Hold.Add(proven), p.Service.Sub(proven), true
	return p
}

// Refund takes at most so many grains out of a decided pot: of what is refundable first, then of what is forfeited, then of
// the proven service. It returns what it took.
func (p EpochPot) Refund(grains math.Int) (EpochPot, math.Int) {
	wanted := math.MaxInt(math.ZeroInt(), grains)
	take := func(from, keep math.Int) math.Int {
		part := math.MinInt(wanted, from.Sub(keep))
		wanted, p.Refunded = wanted.Sub(part), p.Refunded.Add(part)
		return from.Sub(part)
	}
	before := p.Refunded
	p.Refundable = take(p.Refundable, math.ZeroInt())
	p.Forfeited = take(p.Forfeited, math.ZeroInt())
	p.Payable = take(p.Payable, p.Hold)
	return p, p.Refunded.Sub(before)
}

// Forfeit takes from the payee all that service earned and is not refunded, also of an undecided pot. It returns what it
// took.
func (p EpochPot) Forfeit() (EpochPot, math.Int) {
	if !p.Decided {
		p = p.Credit(p.Service)
	}
	taken := p.Payable.Sub(p.Hold).Add(p.Refundable)
	p.Payable, p.Refundable, p.Forfeited = p.Hold, math.ZeroInt(), p.Forfeited.Add(taken)
	return p, taken
}

// Settle takes out what is forfeited and was not claimed. It returns what it took.
func (p EpochPot) Settle() (EpochPot, math.Int) {
	taken := p.Forfeited
	p.Forfeited, p.Settled = math.ZeroInt(), p.Settled.Add(taken)
	return p, taken
}
