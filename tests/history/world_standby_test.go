package history

import (
	"cmp"
	"slices"

	markettypes "github.com/souk-network/souk/x/market/types"
)

// noted counts something that happened by itself, so that it is seen that histories come to it.
func (w *world) noted(event string) { w.events = append(w.events, event) }

// standBy pays a lease that its provider has taken for standing by: a share of its rate, as the market says now.
func (w *world) standBy(l *lease) {
	if l.State == markettypes.LeaseState_LEASE_STATE_PENDING {
		l.State = markettypes.LeaseState_LEASE_STATE_STANDBY
		w.noted("standby taken")
	}
	l.StandbyBps = w.market.StandbyBps
	l.paying = (int64(l.Rate)*int64(l.StandbyBps) + 9999) / 10_000
}

// fillIn lets a standby that is being taken serve at once if a replica of its bid was lost and nobody has it yet.
func (w *world) fillIn(l *lease) bool {
	b := w.bids[l.Bid]
	if !b.returned || b.missing() == 0 {
		return false
	}
	l.Standby = false
	b.standing--
	b.placed++
	b.returned = b.missing() > 0
	w.refile(b, true, markettypes.Reason_REASON_NOT_NEEDED)
	w.noted("standby serves at once")
	return true
}

// inherit lets who stands by for a bid take over the replicas of a lease that has ended, one each: by id, those with notice last.
func (w *world) inherit(b *bid, lost *lease) (heirs []uint64) {
	ready := slices.DeleteFunc(b.live(), func(l *lease) bool {
		return !l.Standby || !l.State.Paid() || l.Provider == lost.Provider
	})
	slices.SortStableFunc(ready, func(x, y *lease) int {
		return cmp.Compare(leaves(x), leaves(y))
	})
	for _, l := range ready {
		switch {
		case len(heirs) == int(lost.Replicas):
		case w.due(l):
			w.noted("standby passed over")
		case w.takeOver(l, lost):
			heirs = append(heirs, l.Id)
			b.standing--
			b.placed++
		default:
			w.noted("standby not paid")
		}
	}
	return heirs
}

func leaves(l *lease) int {
	if l.State == markettypes.LeaseState_LEASE_STATE_LEAVING {
		return 1
	}
	return 0
}

// due tells that something happens to a standby in this very second.
func (w *world) due(l *lease) bool {
	if _, swept := w.swept(l); swept {
		return true
	}
	return l.LeavesAt != 0 && l.LeavesAt <= w.now || l.AnswerBy != 0 && l.AnswerBy <= w.now
}

// takeOver lets a standby serve in the place of a lease that has ended, for as long as that would have; paused, on an account
// that is low and stays so. It stands by still if the account cannot pay it for a second.
func (w *world) takeOver(l, lost *lease) bool {
	a, hold := l.account, l.paying
	l.paying = 0
	low := a.low
	if w.resume(a, l.Rate); a.low {
		l.paying = w.share(l.Rate)
	} else {
		l.paying = int64(l.Rate)
	}
	if a.free() < a.rate() {
		l.paying = hold
		if low != a.low {
			panic("an account resumed that cannot pay for a second")
		}
		return false
	}
	l.Standby, l.StandbyBps, l.EndsAt = false, 0, lost.EndsAt
	if l.EndsAt == 0 && l.TermSeconds != 0 {
		l.EndsAt = w.now + l.TermSeconds
	}
	if a.low {
		w.pause(l)
		w.noted("standby took over paused")
	} else {
		w.serve(l)
	}
	if l.State == markettypes.LeaseState_LEASE_STATE_LEAVING {
		w.noted("standby with notice took over")
	}
	w.noted("standby took over " + lost.Reason.String())
	return true
}

// unanswered fails a lease that was challenged and not answered for.
func (w *world) unanswered(l *lease) {
	if !l.State.Paid() || l.AnswerBy == 0 || l.AnswerBy > w.now {
		return
	}
	w.end(l, markettypes.LeaseState_LEASE_STATE_FAILED, markettypes.Reason_REASON_UNREACHABLE)
	w.penalize(l)
	w.lose(l, !w.bids[l.Bid].spec.NoReplace)
	w.resume(l.account, 0)
}
