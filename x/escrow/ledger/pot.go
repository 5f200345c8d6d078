package ledger

import "cosmossdk.io/math"

// Accrual is an inflow by kind.
type Accrual struct {
	// Service is what streams for service pay.
	Service Line
	// Hold is what streams for capacity kept free pay.
	Hold Line
}

// ZeroAccrual is an inflow of nothing.
func ZeroAccrual() Accrual { return Accrual{Service: ZeroLine(), Hold: ZeroLine()} }

// IsZero tells that neither line has anything.
func (a Accrual) IsZero() bool { return a.Service.IsZero() && a.Hold.IsZero() }

// Plus adds two inflows.
func (a Accrual) Plus(b Accrual) Accrual {
	return Accrual{Service: a.Service.Plus(b.Service), Hold: a.Hold.Plus(b.Hold)}
}

// At returns the sum of both kinds at second t.
func (a Accrual) At(t uint64) math.Int { return a.Service.At(t).Add(a.Hold.At(t)) }

// Kind tells the two inflows of a pot apart.
type Kind bool

const (
	// Service pays for service.
	Service Kind = false
	// Hold pays for capacity kept free.
	Hold Kind = true
)

// Change replaces the line of one kind by what change makes of it.
func (a Accrual) Change(kind Kind, change func(Line) Line) Accrual {
	if kind == Hold {
		a.Hold = change(a.Hold)
	} else {
		a.Service = change(a.Service)
	}
	return a
}

// Pot is what a payee earns: the epoch that runs and what happened after its end.
type Pot struct {
	// Running is the inflow since the start of the epoch.
	Running Accrual
	// Next is the change to Running made by events at or after the end of the epoch, when the epoch closes late.
	Next Accrual
}

// Record applies an event of the given second to the epoch that it belongs to; end is the end of the running one.
func (p Pot) Record(kind Kind, second, end uint64, change func(Line) Line) Pot {
	if second >= end {
		p.Next = p.Next.Change(kind, change)
	} else {
		p.Running = p.Running.Change(kind, change)
	}
	return p
}

// At returns all that has accrued at second t since the start of the running epoch.
func (p Pot) At(t uint64) math.Int { return p.Running.At(t).Add(p.Next.At(t)) }

// Rate returns what flows in now, in grains a second.
func (p Pot) Rate() math.Int {
	return p.Running.Service.Slope.Add(p.Running.Hold.Slope).Add(p.Next.Service.Slope).Add(p.Next.Hold.Slope)
}

// Idle tells that nothing accrues in the pot and nothing has since its epoch began.
func (p Pot) Idle() bool { return p.Running.IsZero() && p.Next.IsZero() }

// Roll closes the running epoch at its end: it returns what accrued in it by kind, and the pot of the epoch after,
// which starts at end. Nothing is lost: for every t, accrued + rolled.At(t) equals p.At(t).
func (p Pot) Roll(end uint64) (service, hold math.Int, rolled Pot) {
	rolled = Pot{
		Running: Accrual{Service: p.Running.Service.From(end), Hold: p.Running.Hold.From(end)}.Plus(p.Next),
		Next:    ZeroAccrual(),
	}
	return p.Running.Service.At(end), p.Running.Hold.At(end), rolled
}

// Late returns a pot that was left behind for more than an epoch, so that all its events lie before the running one: it
// can be rolled out of all of them at once.
func (p Pot) Late() Pot { return Pot{Running: p.Running.Plus(p.Next), Next: ZeroAccrual()} }

// NextEpochEnd returns the end of the epoch that follows one that closes. An epoch that closes late makes the next
// one reach at least to now, so that every event after the closed end lies in the next epoch.
func NextEpochEnd(end, epochSeconds, now uint64) uint64 { return max(end+epochSeconds, now) }
