package history

import (
	"math"
	"slices"

	markettypes "github.com/souk-network/souk/x/market/types"
)

func (a *account) deposits() (sum int64) {
	for _, e := range a.entries {
		sum += e.grains
	}
	return sum
}

// free is what an account has that is not held, in grains.
func (a *account) free() int64 { return a.deposits() - a.spent - a.held }

// rate is what an account pays a second, in grains.
func (a *account) rate() (sum int64) {
	for _, l := range a.leases {
		sum += l.paying
	}
	return sum
}

// full is what it would pay if nothing were paused.
func (a *account) full() (sum int64) {
	for _, l := range a.leases {
		switch {
		case l.Standby:
			sum += l.paying
		case l.paying > 0:
			sum += int64(l.Rate)
		}
	}
	return sum
}

// services are the leases that an account pays for, without those that stand by.
func (a *account) services() []*lease {
	return slices.DeleteFunc(slices.Clone(a.leases), func(l *lease) bool { return l.paying == 0 || l.Standby })
}

func (a *account) add(depositor, grantee string, micro int64) {
	for _, e := range a.entries {
		if e.depositor == depositor && e.grantee == grantee {
			e.grains += micro * grains
			return
		}
	}
	a.entries = append(a.entries, &entry{depositor, grantee, micro * grains})
}

// share is what is paid of a rate while it is paused.
func (w *world) share(rate uint64) int64 {
	return max(1, (int64(rate)*int64(w.escrow.PauseBps)+9999)/10_000)
}

func (w *world) halted(denom string) bool {
	p, _ := w.escrow.Denom(denom)
	return p.Halted
}

// dueAt is the next second at which the money of an account runs low or out; never for none.
func (w *world) dueAt(a *account) uint64 {
	rate := a.rate()
	if a.closed || rate == 0 {
		return never
	}
	zero := w.now + uint64(a.free()/rate)
	if runway := uint64(w.escrow.PauseRunwaySeconds); runway > 0 && !a.low {
		zero = min(zero, max(zero-min(zero, runway), w.now+1))
	}
	return max(zero, w.now+1)
}

const never = uint64(math.MaxUint64)

// pay lets all that flows flow until a second.
func (w *world) pay(until uint64) {
	seconds := int64(until - w.now)
	for _, a := range w.accounts {
		if a.closed {
			continue
		}
		for _, l := range a.leases {
			if l.paying > 0 {
				w.charge(l, l.paying*seconds)
			}
		}
	}
	w.now = until
}

func (w *world) charge(l *lease, amount int64) {
	l.account.spent += amount
	w.supplier(l.Provider).earned[l.Denom] += amount
}

// runLow pauses an account that pays for no longer than the runway, and ends one that cannot pay the next second.
func (w *world) runLow(a *account) {
	rate := a.rate()
	if a.closed || rate == 0 {
		return
	}
	if runway := int64(w.escrow.PauseRunwaySeconds); runway > 0 && !a.low && a.free()/rate <= runway {
		paused := rate
		for _, l := range a.services() {
			paused += w.share(l.Rate) - l.paying
		}
		if a.free() < paused {
			w.exhaust(a)
			return
		}
		a.low = true
		for _, l := range a.services() {
			w.pause(l)
		}
	} else if a.free() < rate {
		w.exhaust(a)
	}
}

func (w *world) pause(l *lease) {
	l.paying = w.share(l.Rate)
	if l.State != markettypes.LeaseState_LEASE_STATE_LEAVING {
		l.State = markettypes.LeaseState_LEASE_STATE_PAUSED
	}
}

func (w *world) serve(l *lease) {
	l.paying = int64(l.Rate)
	if l.State != markettypes.LeaseState_LEASE_STATE_LEAVING {
		l.State = markettypes.LeaseState_LEASE_STATE_ACTIVE
	}
}

// resume lets a low account pay in full if it then lasts for twice the runway, with what is to be added.
func (w *world) resume(a *account, added uint64) {
	if !a.low || a.closed || w.halted(a.denom) {
		return
	}
	if a.free() < (a.full()+int64(added))*max(1, 2*int64(w.escrow.PauseRunwaySeconds)) {
		return
	}
	a.low = false
	for _, l := range a.services() {
		w.serve(l)
	}
}

// exhaust ends an account whose money has run out, with all of its leases.
func (w *world) exhaust(a *account) {
	a.exhausted = true
	for _, l := range a.leases {
		if l.State.Live() {
			w.end(l, markettypes.LeaseState_LEASE_STATE_CLOSED, markettypes.Reason_REASON_INSUFFICIENT_FUNDS)
		}
	}
	w.refund(a)
}

// refund pays back what is left: the oldest entries have paid first.
func (w *world) refund(a *account) {
	a.closed, a.closedAt = true, w.now
	due := a.spent
	for _, e := range a.entries {
		spent := min(due, e.grains)
		due -= spent
		refund := (e.grains - spent) / grains
		w.pockets[purse{e.depositor, a.denom}] += refund
		if limit, stands := w.limits[grant{e.depositor, e.grantee}]; stands && e.grantee != "" {
			restored := min(refund, limit.spent[a.denom])
			limit.left[a.denom] += restored
			limit.spent[a.denom] -= restored
		}
	}
}

// fund puts money that has left a pocket into an account, or gives it to the owner if that is closed.
func (w *world) fund(a *account, depositor, grantee string, micro int64) {
	if a.closed {
		w.pockets[purse{a.owner, a.denom}] += micro
		return
	}
	a.add(depositor, grantee, micro)
	w.resume(a, 0)
}
