package proof

import (
	mathrand "math/rand/v2"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/proof/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// span is a time from one service second to before another.
type span struct{ from, until uint64 }

func (s span) holds(at uint64) bool { return s.from <= at && at < s.until }

// overlap is how many seconds two spans have in common.
func (s span) overlap(with span) uint64 {
	from, until := max(s.from, with.from), min(s.until, with.until)
	return until - min(from, until)
}

// agent is an honest provider's agent as the chain sees it: when it runs, it does what is to be done, in every epoch that is open.
type agent struct {
	*party
	random *mathrand.Rand
	// down are the times at which machine and agent are off: past ones that still matter, and the next.
	down []span
	// losses are seconds at which the disk is lost; known is the first second of which its journal knows.
	losses []uint64
	known  uint64
	// maintained is the second before which no other maintenance may begin.
	maintained uint64
	// work are the epochs that are not decided, by number.
	work map[uint64]*work
	// watched tells that its tenant puts its word on the chain when it saw the lease down.
	watched bool
	// harmed tells that it was forged, jailed or slashed: it plays no more.
	harmed bool
	seen   tally
}

// work is what an agent has to do about an epoch.
type work struct {
	// commitAt is when its message gets into a block at the earliest, openAfter how many seconds an answer takes.
	commitAt, openAfter uint64
	committed, lost     bool
	// openAt is when its answer gets into a block at the earliest; 0 before it is asked.
	openAt uint64
}

// tally counts what honest providers went through.
type tally struct {
	epochs, late, missed, audits, disowned, restored, maintained, receipts int
}

func (t *tally) add(o tally) {
	t.epochs += o.epochs
	t.late += o.late
	t.missed += o.missed
	t.audits += o.audits
	t.disowned += o.disowned
	t.restored += o.restored
	t.maintained += o.maintained
	t.receipts += o.receipts
}

// The chances of what may happen to an honest provider. An agent that is asked to open leaves and stays away for the whole open window
// forges, as the design has it, whatever the reason: so it is always back within half of it and then stays a while, and maintenance
// and a network that fails for long do not begin while an answer is awaited.
const (
	// between is the mean time in seconds from an outage to the next, of which an agent stays at least stays. Outages are 120 seconds
	// long in the mean: a provider is there 99 % of the time.
	between       = 99 * 120
	stays         = 900
	usualOutage   = 2 * time.Minute
	longestOutage = 20 * time.Minute
	// lossesAnOutage is how many outages take the disk with them, at most one in a provider's probation.
	lossesAnOutage = 0.01
	// congested is how many messages wait long for a block.
	congested = 0.1
	// maintenanceAnEpoch is how often maintenance is declared.
	maintenanceAnEpoch = 1.0 / 500
	maintenanceNotice  = 2 // epochs, and what is left of the present one
	// quiet is when in an epoch all answers are given, in seconds.
	quiet = 2400
)

// plans draws the outages up to a second.
func (a *agent) plans(until uint64) {
	last := a.down[len(a.down)-1].until
	for last < until {
		from := last + stays + uint64(a.random.ExpFloat64()*(between-stays))
		length := min(a.random.ExpFloat64()*usualOutage.Seconds(), longestOutage.Seconds())
		last = from + 1 + uint64(length)
		a.down = append(a.down, span{from, last})
		if a.random.Float64() < lossesAnOutage && (len(a.losses) == 0 || from > a.losses[len(a.losses)-1]+170*3600) {
			a.losses = append(a.losses, from)
		}
	}
}

// off adds a time at which the agent is off for another reason.
func (a *agent) off(s span) {
	a.down = append(a.down, s)
	slices.SortFunc(a.down, func(a, b span) int { return int(int64(a.until) - int64(b.until)) })
}

// runs tells whether the agent is there.
func (a *agent) runs(at uint64) bool {
	for _, s := range a.down {
		if s.holds(at) {
			return false
		}
	}
	return true
}

// up is how long the leases were up in a span, each second counted once.
func (a *agent) up(in span) uint64 {
	var off []span
	for _, s := range a.down {
		if s.overlap(in) > 0 {
			off = append(off, s)
		}
	}
	slices.SortFunc(off, func(a, b span) int { return int(int64(a.from) - int64(b.from)) })
	up, at := uint64(0), in.from
	for _, s := range off {
		up += max(s.from, at) - at
		at = max(at, min(s.until, in.until))
	}
	return up + in.until - at
}

// forgets drops outages of which nothing is asked any more.
func (a *agent) forgets(before uint64) {
	for len(a.down) > 1 && a.down[0].until < before {
		a.down = a.down[1:]
	}
}

// restores notices that the disk was lost: what was committed to can no more be opened, and nothing is known of the time before.
func (a *agent) restores(now uint64) {
	for _, at := range a.losses {
		if at < a.known || at >= now {
			continue
		}
		a.seen.restored++
		a.known = now
		for epoch, of := range a.work {
			of.lost = of.lost || of.committed
			delete(a.claims, epoch)
		}
	}
}

// acts lets an agent that runs do what is due in a block.
func (w *world) acts(a *agent, now uint64) {
	w.t.Helper()
	if a.harmed || !a.runs(now) {
		return
	}
	a.restores(now)
	for _, epoch := range a.openEpochs() {
		of := a.work[epoch]
		if a.harmed {
			return
		}
		if !of.committed {
			w.commitsHonestly(a, epoch, of, now)
		} else if now >= of.openAt {
			w.answers(a, epoch, of, now)
		}
	}
}

func (a *agent) openEpochs() []uint64 {
	var epochs []uint64
	for epoch := range a.work {
		epochs = append(epochs, epoch)
	}
	slices.Sort(epochs)
	return epochs
}

// commitsHonestly commits to what the journal knows of an epoch, at most what the tenants say on the chain.
func (w *world) commitsHonestly(a *agent, epoch uint64, of *work, now uint64) {
	w.t.Helper()
	end := w.endOf(epoch)
	switch {
	case now < of.commitAt:
		return
	case now >= end+uint64(w.params.LateEpochs)*uint64(w.escrow.EpochSeconds):
		a.seen.missed++
		delete(a.work, epoch)
		return
	}
	in := span{max(w.endOf(epoch-1), a.known), end}
	up := uint64(0)
	if in.from < in.until {
		up = a.up(in)
	}
	tree := w.vouches(a.party, epoch, func(i int) uint64 {
		posted, err := w.Proof.Posted(w.Ctx(), epoch, a.leases[i].Id)
		require.NoError(w.t, err)
		if word, ok := posted.Last(); ok {
			return min(up, word.Allows(end))
		}
		return up
	})
	if pot, _ := w.pot(a.party, epoch); pot.Service.LT(w.revenue(a.party)) {
		a.harmed = true // its leases have ended
		return
	}
	w.commits(a.party, epoch, tree)
	of.committed = true
	if now >= end+uint64(w.params.CommitWindowSeconds) {
		a.seen.late++
	}
}

// answers looks what became of a commitment, and opens it or takes it back when it is audited.
func (w *world) answers(a *agent, epoch uint64, of *work, now uint64) {
	w.t.Helper()
	c := w.committed(a.party, epoch)
	switch c.State {
	case types.CommitmentState_COMMITMENT_STATE_COMMITTED:
		return
	case types.CommitmentState_COMMITMENT_STATE_AUDITED:
		if of.openAt == 0 {
			of.openAt = now + of.openAfter
			return
		}
		if of.lost {
			require.NoError(w.t, w.Deliver(&types.MsgDisown{Signer: a.agent, Provider: a.operator, Epoch: epoch}))
			a.seen.disowned++
			break
		}
		message := w.answer(a.party, epoch, w.drawn(a.party, a.claims[epoch], c.Seed))
		require.NoError(w.t, w.Deliver(message), "%s opens epoch %d", a.name, epoch)
		a.seen.audits++
	case types.CommitmentState_COMMITMENT_STATE_FORGED:
		a.harmed = true
	}
	delete(a.claims, epoch)
	delete(a.work, epoch)
}

// begins is what an agent does, and what happens to it, when an epoch begins.
func (w *world) begins(a *agent, epoch uint64) {
	w.t.Helper()
	if a.harmed {
		return
	}
	now, length := w.Now(), uint64(w.escrow.EpochSeconds)
	a.plans(now + 8*length)
	a.forgets(now - min(now, 4*length))
	if now >= a.maintained && a.random.Float64() < maintenanceAnEpoch && a.runs(now) {
		from := now + maintenanceNotice*length + quiet
		window := span{from, from + length + a.random.Uint64N(3*length)}
		require.NoError(w.t, w.Deliver(&providertypes.MsgDeclareMaintenance{
			Signer: a.agent, Provider: a.operator, From: window.from, Until: window.until,
		}))
		a.off(window)
		a.maintained = now + 31*24*3600
		a.seen.maintained++
	}
	of := &work{commitAt: w.endOf(epoch) + a.random.Uint64N(30), openAfter: a.random.Uint64N(60)}
	if a.random.Float64() < congested {
		of.commitAt, of.openAfter = w.endOf(epoch)+a.random.Uint64N(400), 60+a.random.Uint64N(40)
	}
	a.work[epoch] = of
	a.seen.epochs++
}

// watches lets the tenant of a lease that was down put its word on the chain, of somewhat less than the provider measured.
func (w *world) watches(a *agent, epoch uint64) {
	w.t.Helper()
	in := span{w.endOf(epoch - 1), w.endOf(epoch) - beforeEnd}
	up := a.up(in)
	if a.harmed || !a.watched || up == in.until-in.from {
		return
	}
	for _, lease := range a.leases {
		w.says(a.party, types.Receipt{
			ChainId: chain.ID, Lease: lease.Id, Epoch: epoch, Seq: 1, Until: in.until, UpSeconds: up - min(up, a.random.Uint64N(30)),
		})
		a.seen.receipts++
	}
}
