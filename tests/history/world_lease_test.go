package history

import (
	"cmp"
	"slices"

	markettypes "github.com/souk-network/souk/x/market/types"
)

// end ends a live lease now: nothing is paid or held for it any more.
func (w *world) end(l *lease, state markettypes.LeaseState, reason markettypes.Reason) {
	l.account.held -= l.held
	l.State, l.Reason, l.ClosedAt = state, reason, w.now
	l.paying, l.held, l.AnswerBy = 0, 0, 0
}

// miss ends a lease that its provider did not take.
func (w *world) miss(l *lease, reason markettypes.Reason) {
	w.end(l, markettypes.LeaseState_LEASE_STATE_FAILED, reason)
	w.penalize(l)
	w.lose(l, true)
}

// penalize takes an hour of the rate of a lease from its provider: a half for the tenant, the other for the public.
func (w *world) penalize(l *lease) {
	s := w.supplier(l.Provider)
	public := int64(l.Rate) / 2
	if slashed := s.slash(l.Denom, int64(l.Rate)-public); slashed > 0 {
		w.fund(l.account, l.account.owner, "", slashed)
	}
	w.publish(l.Denom, s.slash(l.Denom, public))
}

// failJailed ends a lease with its provider's jailing.
func (w *world) failJailed(l *lease) {
	pending := l.State == markettypes.LeaseState_LEASE_STATE_PENDING
	w.end(l, markettypes.LeaseState_LEASE_STATE_FAILED, markettypes.Reason_REASON_JAILED)
	w.lose(l, pending || !w.bids[l.Bid].spec.NoReplace)
	if !pending {
		w.resume(l.account, 0)
	}
}

// notice lets a lease go on for so many seconds.
func (w *world) notice(l *lease, reason markettypes.Reason, seconds uint32) {
	l.State, l.LeaveReason, l.LeavesAt = markettypes.LeaseState_LEASE_STATE_LEAVING, reason, w.now+uint64(seconds)
}

// sweepLease does to a lease what happens to all of its provider.
func (w *world) sweepLease(l *lease, cause markettypes.SweepCause) {
	switch {
	case cause == markettypes.SweepCause_SWEEP_CAUSE_JAILED:
		w.failJailed(l)
	case l.State == markettypes.LeaseState_LEASE_STATE_PENDING:
		w.miss(l, markettypes.Reason_REASON_DECLINED)
	case l.State != markettypes.LeaseState_LEASE_STATE_LEAVING:
		w.notice(l, markettypes.Reason_REASON_PROVIDER_LEFT, w.market.NoticeSeconds)
	}
}

// sweepAll does what is to happen to the leases of providers that were jailed or left in this second.
func (w *world) sweepAll() {
	slices.SortFunc(w.sweeps, func(a, b sweep) int { return cmp.Compare(a.number, b.number) })
	for ; len(w.sweeps) > 0; w.sweeps = w.sweeps[1:] {
		s := w.sweeps[0]
		operator := w.providers[s.number-1].operator
		for _, l := range w.live(func(l *lease) bool { return l.Provider == operator }) {
			if l.State.Live() {
				w.sweepLease(l, s.cause)
			}
		}
	}
}

// fileSweep notes that something happens to all leases of a provider. Jail is stronger than leaving.
func (w *world) fileSweep(operator string, cause markettypes.SweepCause) {
	number := 1 + slices.IndexFunc(w.providers, func(s *supplier) bool { return s.operator == operator })
	for i, s := range w.sweeps {
		if s.number == number {
			w.sweeps[i].cause = min(s.cause, cause)
			return
		}
	}
	w.sweeps = append(w.sweeps, sweep{number, cause})
}

// swept is what has happened to all leases of a provider, and did not reach a live lease yet. One with notice needs no other.
func (w *world) swept(l *lease) (markettypes.SweepCause, bool) {
	for _, s := range w.sweeps {
		if w.providers[s.number-1].operator != l.Provider {
			continue
		}
		return s.cause, s.cause == markettypes.SweepCause_SWEEP_CAUSE_JAILED || l.State != markettypes.LeaseState_LEASE_STATE_LEAVING
	}
	return 0, false
}

// settle does to leases, by id, what has happened to all of their providers and did not reach them yet. Which leases these are
// may change with it.
func (w *world) settle(leases func() []*lease) {
	for again := true; again; {
		again = false
		for _, l := range leases() {
			if cause, due := w.swept(l); due && l.State.Live() {
				w.sweepLease(l, cause)
				again = true
				break
			}
		}
	}
}

// live are the leases of an account that have not ended, by id.
func (a *account) live() []*lease {
	return slices.DeleteFunc(slices.Clone(a.leases), func(l *lease) bool { return !l.State.Live() })
}

// closeByTenant ends a lease for a tenant, who pays for the wait if nobody has taken it yet.
func (w *world) closeByTenant(l *lease) {
	pending := l.State == markettypes.LeaseState_LEASE_STATE_PENDING
	rate := int64(l.Rate)
	w.end(l, markettypes.LeaseState_LEASE_STATE_CLOSED, markettypes.Reason_REASON_TENANT)
	if pending {
		w.payForWaiting(l, rate)
	}
}

// payForWaiting pays for capacity that was kept free, but never what the open leases need for their next second.
func (w *world) payForWaiting(l *lease, rate int64) {
	if paid := min(rate*l.window, l.account.free()-l.account.rate()); paid > 0 {
		w.charge(l, paid)
	}
}

// take lets a provider take a lease: paused, on an account that is low and stays so.
func (w *world) take(l *lease) {
	a := l.account
	if l.Standby {
		w.settle(w.bids[l.Bid].live)
	}
	a.held -= l.held
	l.held, l.AckedAt = 0, w.now
	if l.Standby && !w.fillIn(l) {
		w.standBy(l)
		return
	}
	l.State = markettypes.LeaseState_LEASE_STATE_ACTIVE
	if l.TermSeconds != 0 {
		l.EndsAt = w.now + l.TermSeconds
	}
	if w.resume(a, l.Rate); a.low {
		w.pause(l)
	} else {
		w.serve(l)
	}
}

// reshape makes a lease what the chain says that it is now.
func (w *world) reshape(l *lease, to markettypes.Lease) {
	if l.State == markettypes.LeaseState_LEASE_STATE_PENDING {
		shed := int64(l.Rate) - int64(to.Rate)
		held := l.held * shed / int64(l.Rate)
		l.held -= held
		l.account.held -= held
		w.payForWaiting(l, shed)
	}
	l.Unit, l.Replicas, l.Rate = to.Unit, to.Replicas, to.Rate
	switch {
	case l.paying == 0:
	case l.Standby:
		w.standBy(l)
	case l.account.low:
		l.paying = w.share(l.Rate)
	default:
		l.paying = int64(l.Rate)
	}
}
