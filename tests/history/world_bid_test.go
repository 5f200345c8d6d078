package history

import (
	"cmp"
	"slices"

	markettypes "github.com/souk-network/souk/x/market/types"
)

// missing is how many replicas a bid still wants.
func (b *bid) missing() uint32 { return b.spec.Replicas - min(b.spec.Replicas, b.placed+b.released) }

// complete tells that a bid has all that it wants. One that wants nobody to serve wants nobody to stand by either.
func (b *bid) complete() bool {
	return b.missing() == 0 && (b.placed == 0 || b.standing >= b.spec.Standbys)
}

// bidsOf are the bids that a deployment has declared, by id.
func (w *world) bidsOf(a *account) (bids []*bid) {
	for _, id := range a.bids {
		bids = append(bids, w.bids[id])
	}
	slices.SortFunc(bids, func(a, b *bid) int { return cmp.Compare(a.id, b.id) })
	return bids
}

// rest puts a bid into the book for as long as it may rest there.
func (w *world) rest(b *bid) {
	b.state = markettypes.BidState_BID_STATE_OPEN
	b.expires = w.now + b.spec.Lifetime(w.market.BidLifetimeSeconds)
}

// fill takes a bid that has all that it wants out of the book.
func (b *bid) fill() {
	if b.missing() == 0 {
		b.returned = false
	}
	if b.complete() {
		b.state = markettypes.BidState_BID_STATE_FILLED
	}
}

// expireBids takes out of the book what has rested there long enough. Who stands by for a bid of which nothing is placed then
// is not needed.
func (w *world) expireBids() {
	for _, a := range w.accounts {
		if a.closed {
			continue
		}
		for _, b := range w.bidsOf(a) {
			if b.state != markettypes.BidState_BID_STATE_OPEN || b.expires > w.now {
				continue
			}
			b.state, b.returned = markettypes.BidState_BID_STATE_EXPIRED, false
			w.noted("bid expired")
			if b.placed == 0 && b.standing > 0 {
				w.dismiss(b, markettypes.Reason_REASON_NOT_NEEDED)
				w.resume(a, 0)
			}
		}
	}
}

// fail notes that a bid does not want a provider any more.
func (b *bid) fail(provider string) {
	if !slices.Contains(b.failed, provider) {
		b.failed = append(b.failed, provider)
	}
}

// lose is what becomes of the replicas of a lease that has ended with its provider. Who stands by takes them over; the others
// return to the book, or are wanted no more. Then another standby is wanted, as when one is lost.
func (w *world) lose(l *lease, wanted bool) (heirs []uint64) {
	b, left := w.bids[l.Bid], l.Replicas
	if l.Standby {
		b.standing--
		left = 0
	} else {
		b.placed -= left
		heirs = w.inherit(b, l)
		left -= uint32(len(heirs))
	}
	again := len(heirs) > 0 || l.Standby
	if wanted {
		b.fail(l.Provider)
		b.returned = b.returned || left > 0
		again = again || left > 0
	} else {
		b.released += left
	}
	if b.state == markettypes.BidState_BID_STATE_EXPIRED && again {
		if !wanted {
			left = 0
		}
		b.released += b.missing() - min(b.missing(), left) // only what was placed comes back
	}
	if left > 0 && wanted {
		w.noted("replicas returned")
	}
	w.refile(b, again, markettypes.Reason_REASON_NOT_NEEDED)
	return heirs
}

// release notes that the replicas of a lease that has ended are wanted no more. A standby is wanted again.
func (w *world) release(l *lease, reason markettypes.Reason) {
	b := w.bids[l.Bid]
	switch {
	case !l.Standby:
		b.placed -= l.Replicas
		b.released += l.Replicas
	case b.state == markettypes.BidState_BID_STATE_EXPIRED:
		b.standing--
		b.released += b.missing()
	default:
		b.standing--
	}
	w.refile(b, l.Standby, reason)
}

// refile puts a bid that has lost something into the book, or takes it out; again tells that it wants something for it.
func (w *world) refile(b *bid, again bool, reason markettypes.Reason) {
	expired := b.state == markettypes.BidState_BID_STATE_EXPIRED
	if b.placed == 0 && (b.missing() == 0 || expired && !again) {
		w.dismiss(b, reason)
	}
	switch {
	case b.state == markettypes.BidState_BID_STATE_OPEN:
		b.fill()
	case again && !b.complete():
		w.rest(b)
		w.noted("bid returned")
	}
}

// dismiss ends what stands by for a bid that wants nobody to serve any more. Who has not taken it yet is paid for the wait.
func (w *world) dismiss(b *bid, reason markettypes.Reason) {
	for _, l := range b.live() {
		if l.Standby {
			pending := l.State == markettypes.LeaseState_LEASE_STATE_PENDING
			w.end(l, markettypes.LeaseState_LEASE_STATE_CLOSED, reason)
			if pending {
				w.payForWaiting(l, int64(l.Rate))
			}
		}
	}
	b.standing = 0
}

// redeclare makes bids what an update declares. Which leases have ended is known.
func (w *world) redeclare(a *account, m *markettypes.MsgUpdateDeployment, ids []uint64) {
	for _, b := range w.bidsOf(a) {
		if !slices.Contains(ids, b.id) {
			b.state, b.placed, b.released, b.standing, b.returned = markettypes.BidState_BID_STATE_CLOSED, 0, 0, 0, false
		}
	}
	a.bids = ids
	for i, id := range ids {
		b, spec := w.bids[id], m.Bids[i]
		if b == nil {
			b = &bid{id: id, account: a, state: markettypes.BidState_BID_STATE_CLOSED}
			w.bids[id] = b
		}
		b.count()
		same, err := b.spec.Same(spec)
		if err != nil {
			panic(err)
		}
		if same && !m.Again && b.state != markettypes.BidState_BID_STATE_CLOSED {
			continue
		}
		b.spec, b.released, b.returned = spec, 0, false
		if w.rest(b); b.complete() {
			b.fill()
		}
	}
}

// live are the leases of a bid that have not ended, by id.
func (b *bid) live() []*lease {
	return slices.DeleteFunc(b.account.live(), func(l *lease) bool { return l.Bid != b.id })
}

// count counts what is placed and what stands by.
func (b *bid) count() {
	b.placed, b.standing = 0, 0
	for _, l := range b.live() {
		if l.Standby {
			b.standing++
		} else {
			b.placed += l.Replicas
		}
	}
}

// leavingOrder are the live leases of bids, bid by bid: who waits for its provider first, and the newest first.
func (a *account) leavingOrder(bids []uint64) []*lease {
	leases := a.live()
	slices.SortFunc(leases, func(x, y *lease) int {
		return cmp.Or(
			cmp.Compare(slices.Index(bids, x.Bid), slices.Index(bids, y.Bid)),
			cmp.Compare(waits(y), waits(x)),
			cmp.Compare(y.Id, x.Id),
		)
	})
	return leases
}

func waits(l *lease) int {
	if l.State == markettypes.LeaseState_LEASE_STATE_PENDING {
		return 1
	}
	return 0
}
