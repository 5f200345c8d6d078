package history

import (
	"cmp"
	"slices"

	markettypes "github.com/souk-network/souk/x/market/types"
)

// advance lets everything happen until a second. Ties go in the order in which the modules say that they do: bond
// that is due is the operator's, then accounts, late acknowledgements, bids, ends of leases.
func (w *world) advance(to uint64) {
	w.sweepAll()
	for w.now < to {
		w.pay(min(to, w.nextDue()))
		w.returnBond()
		for _, a := range w.accounts {
			w.runLow(a)
		}
		live := w.live(func(*lease) bool { return true })
		for _, l := range live {
			if l.State == markettypes.LeaseState_LEASE_STATE_PENDING && l.AckBy <= w.now {
				w.miss(l, markettypes.Reason_REASON_NOT_ACKED)
			}
		}
		w.expireBids()
		for _, l := range live {
			w.endDue(l)
		}
		for _, l := range live {
			w.unanswered(l)
		}
	}
}

// nextDue is the next second at which something happens.
func (w *world) nextDue() uint64 {
	next := never
	for _, a := range w.accounts {
		if a.closed {
			continue
		}
		next = min(next, w.dueAt(a))
		for _, b := range w.bidsOf(a) {
			if b.state == markettypes.BidState_BID_STATE_OPEN {
				next = min(next, b.expires)
			}
		}
		for _, l := range a.leases {
			switch {
			case l.State == markettypes.LeaseState_LEASE_STATE_PENDING:
				next = min(next, l.AckBy)
			case l.State.Paid():
				for _, at := range []uint64{l.Deadline(), l.AnswerBy} {
					if at != 0 {
						next = min(next, at)
					}
				}
			}
		}
	}
	for _, s := range w.providers {
		for _, u := range s.unbondings {
			next = min(next, u.at)
		}
	}
	return next
}

// endDue ends a lease whose term or notice is over.
func (w *world) endDue(l *lease) {
	at := l.Deadline()
	if !l.State.Paid() || at == 0 || at > w.now {
		return
	}
	if at == l.EndsAt {
		w.end(l, markettypes.LeaseState_LEASE_STATE_CLOSED, markettypes.Reason_REASON_EXPIRED)
		w.release(l, markettypes.Reason_REASON_NOT_NEEDED)
	} else {
		w.end(l, markettypes.LeaseState_LEASE_STATE_CLOSED, l.LeaveReason)
		w.lose(l, !w.bids[l.Bid].spec.NoReplace)
	}
	w.resume(l.account, 0)
}

// returnBond pays what has been unbonded to its operators.
func (w *world) returnBond() {
	for _, s := range w.providers {
		s.unbondings = slices.DeleteFunc(s.unbondings, func(u *unbonding) bool {
			if u.at <= w.now {
				w.pockets[purse{s.operator, u.denom}] += u.micro
			}
			return u.at <= w.now
		})
	}
}

// slash takes an amount of what a provider has at stake: bond first, then what is unbonding, the newest first.
func (s *supplier) slash(denom string, amount int64) int64 {
	slashed := min(amount, s.bond[denom])
	s.bond[denom] -= slashed
	newest := slices.Clone(s.unbondings)
	slices.SortFunc(newest, func(a, b *unbonding) int { return cmp.Compare(b.id, a.id) })
	for _, u := range newest {
		if u.denom == denom {
			part := min(u.micro, amount-slashed)
			u.micro -= part
			slashed += part
		}
	}
	s.unbondings = slices.DeleteFunc(s.unbondings, func(u *unbonding) bool { return u.micro == 0 })
	return slashed
}

func (s *supplier) atStake(denom string) int64 {
	sum := s.bond[denom]
	for _, u := range s.unbondings {
		if u.denom == denom {
			sum += u.micro
		}
	}
	return sum
}

// publish burns half of native coins and gives the rest to the community; all of others.
func (w *world) publish(denom string, micro int64) {
	burnt := int64(0)
	if denom == native {
		burnt = micro / 2
	}
	w.burnt[denom] += burnt
	w.community[denom] += micro - burnt
}
