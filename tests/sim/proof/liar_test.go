package proof

import (
	"slices"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/sumtree"
	"github.com/souk-network/souk/x/proof/types"
)

// liar credits itself service that it does not give, until it is caught.
type liar struct {
	*party
	// risked are the epochs in which it lied.
	risked uint64
	// caught is the epoch whose audit caught it; 0 as long as none did.
	caught uint64
	// forfeited are the pots that it lost when it was caught.
	forfeited uint64
	// paid is what it had got in all, in micro-denom, before fees.
	paid math.Int
	done bool
	// old tells that it commits to leaves of other epochs.
	old bool
	// undone tells that it could not answer the audit of the last epoch.
	undone bool
}

// scheme is how liars go about it.
type scheme struct {
	// commits gives a liar's word on an epoch that has closed.
	commits func(w *world, l *liar, epoch uint64)
	// caught is what a liar does when an audit draws what it cannot show, if anything.
	caught func(w *world, l *liar, epoch uint64)
}

// fakesTicks credits all leases, also the dead ones.
func fakesTicks(w *world, l *liar, epoch uint64) {
	w.commits(l.party, epoch, w.vouches(l.party, epoch, w.whole))
}

// disowns takes back what is drawn.
func disowns(w *world, l *liar, epoch uint64) {
	require.NoError(w.t, w.Deliver(&types.MsgDisown{Signer: l.agent, Provider: l.operator, Epoch: epoch}))
}

// hides tells that an opening shows what must not be seen: a leaf that its tenant's word contradicts, or one that proves nothing.
func (l *liar) hides(of claim, opening sumtree.Opening) bool {
	if _, err := opening.Verify(of.Root()); err != nil {
		return true
	}
	lease := l.index(opening.Leaf.ID)
	return l.caught == 0 && (l.dead[lease] || l.old)
}

// exposed tells that one of the openings must not be seen.
func (l *liar) exposed(of claim, openings []sumtree.Opening) bool {
	return slices.ContainsFunc(openings, func(opening sumtree.Opening) bool { return l.hides(of, opening) })
}

// lies lets liars play until all are caught, or for so many epochs, and then so long that all they earned has matured. What they got
// is withdrawn.
func (w *world) lies(liars []*liar, s scheme, atMost uint64) {
	w.t.Helper()
	for epoch := uint64(2); epoch < 2+atMost && !all(liars, func(l *liar) bool { return l.done }); epoch++ {
		w.playEpoch(liars, s, epoch)
	}
	w.until(w.Now() + 1)
	w.check()
	for range w.escrow.HoldbackEpochs + 2 {
		w.NextBlock(3600 * second)
	}
	for _, l := range liars {
		l.paid = w.withdrawn(l.party)
	}
	w.check()
}

func all[T any](of []T, ok func(T) bool) bool {
	for _, one := range of {
		if !ok(one) {
			return false
		}
	}
	return true
}

// playEpoch is one epoch of all liars: tenants complain of leases that are dead, the liars say that they were not, and some are drawn.
// Who was caught tells the truth of the epoch that ran meanwhile, and is done.
func (w *world) playEpoch(liars []*liar, s scheme, epoch uint64) {
	w.t.Helper()
	w.until(w.endOf(epoch) - beforeEnd)
	for _, l := range liars {
		for i, lease := range l.leases {
			if l.caught == 0 && l.dead[i] {
				w.complains(l.party, lease, epoch)
			}
		}
	}
	w.until(w.endOf(epoch))
	for _, l := range liars {
		switch {
		case l.done:
		case l.caught != 0:
			w.confesses(l, epoch)
		default:
			l.risked++
			s.commits(w, l, epoch)
		}
	}
	w.until(w.endOf(epoch) + uint64(w.params.CommitWindowSeconds))
	w.beacon()
	for _, l := range liars {
		w.audits(l, s, epoch)
	}
	w.until(w.openedBy(epoch))
	for _, l := range liars {
		w.sees(l, epoch)
	}
}

// audits lets a liar answer if it is drawn: what it cannot show, the chain refuses.
func (w *world) audits(l *liar, s scheme, epoch uint64) {
	w.t.Helper()
	of, committed := l.claims[epoch]
	if !committed {
		return
	}
	c := w.committed(l.party, epoch)
	if c.State != types.CommitmentState_COMMITMENT_STATE_AUDITED {
		return
	}
	openings := w.drawn(l.party, of, c.Seed)
	err := w.Deliver(w.answer(l.party, epoch, openings))
	if l.undone = l.exposed(of, openings); !l.undone {
		require.NoError(w.t, err, "%s opens what is true", l.name)
		return
	}
	require.ErrorIs(w.t, err, types.ErrInvalidOpening, "%s shows what is not true", l.name)
	if s.caught != nil {
		s.caught(w, l, epoch)
	}
}

// sees notes that a liar was caught, and what that cost it.
func (w *world) sees(l *liar, epoch uint64) {
	w.t.Helper()
	if _, committed := l.claims[epoch]; !committed {
		return
	}
	c := w.committed(l.party, epoch)
	delete(l.claims, epoch)
	if l.caught != 0 {
		require.Equal(w.t, types.CommitmentState_COMMITMENT_STATE_PROVEN, c.State, "%s told the truth of epoch %d", l.name, epoch)
		l.done = true
		return
	}
	require.Equal(w.t, l.undone, c.State.Forfeited(), "commitment of %s to epoch %d is %s; drawn: %v", l.name, epoch, c.State, l.undone)
	if !l.undone {
		require.Equal(w.t, types.CommitmentState_COMMITMENT_STATE_PROVEN, c.State)
		return
	}
	l.caught = epoch
	for e := epoch; e >= 2; e-- {
		pot, found := w.pot(l.party, e)
		if !found || !pot.Forfeited.IsPositive() {
			break
		}
		require.Equal(w.t, w.revenue(l.party), pot.Forfeited, "all of epoch %d is forfeited", e)
		l.forfeited++
	}
}

// confesses commits one that was caught to what it gave in the rest of its time.
func (w *world) confesses(l *liar, epoch uint64) {
	w.t.Helper()
	var leaves []leafOf
	for _, due := range w.dues(l.party, epoch) {
		up := due.Seconds
		if l.dead[l.index(due.Lease)] {
			up = 0
		}
		leaves = append(leaves, leafOf{due, up})
	}
	w.commits(l.party, epoch, w.treeOf(epoch, leaves))
	if w.committed(l.party, epoch).Empty() {
		l.done = true
	}
}

func (p *party) index(lease uint64) int {
	for i, of := range p.leases {
		if of.Id == lease {
			return i
		}
	}
	return -1
}
