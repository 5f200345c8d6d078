package prover

import (
	"cmp"
	"slices"

	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// Kind is what to do.
type Kind string

// The kinds.
const (
	Commit Kind = "commit" // write the book of an epoch and commit to it
	Open   Kind = "open"   // show what an audit drew in a denom
	Disown Kind = "disown" // take back a commitment whose book is lost
	Answer Kind = "answer" // show leaves that were asked for
	Claim  Kind = "claim"  // claim refunds of leases that were credited less than their due
	Drop   Kind = "drop"   // forget an epoch of which nothing can be asked any more
)

// MaxAnswers of one message.
const MaxAnswers = 32

// Step is one thing to do.
type Step struct {
	Kind  Kind
	Epoch uint64
	Denom string
	// Forced are the requests to answer.
	Forced []prooftypes.Forced
}

// View is all that a decision needs.
type View struct {
	// Now is a service second.
	Now uint64
	// Metered is the second of the last look at what runs.
	Metered uint64
	Params  prooftypes.Params
	// Epochs that the chain remembers.
	Epochs []prooftypes.Epoch
	// Commitments of the provider, by epoch.
	Commitments map[uint64]prooftypes.Commitment
	// Forced are the leaves that are asked of it.
	Forced []prooftypes.Forced
	// Kept are the epochs of which something is journalled.
	Kept []uint64
	// Lost are commitments on the chain of which no book is kept, by epoch.
	Lost map[uint64]bool
	// Idle are epochs in which nothing was earned by service.
	Idle map[uint64]bool
	// Refused are commitments whose openings the chain did not take when they were sent last, by epoch.
	Refused map[uint64]bool
	// Unanswered are requests for leaves to which the chain did not take the answer.
	Unanswered map[uint64]bool
	// Disowned tells that the provider may take nothing back for now.
	Disowned bool
	// Claimed are epochs of which all refunds were claimed.
	Claimed map[uint64]bool
	// ClaimRefunds tells whether to.
	ClaimRefunds bool
}

// Plan decides, the most urgent first. It is level-triggered: whatever was lost, done twice or is still on its way, the same
// state of the chain leads to the same steps.
func Plan(v View) []Step {
	steps := v.answersOfLost()
	epochs := slices.SortedFunc(slices.Values(v.Epochs), func(a, b prooftypes.Epoch) int { return cmp.Compare(a.Number, b.Number) })
	for _, e := range epochs {
		if c, committed := v.Commitments[e.Number]; committed {
			steps = append(steps, v.audit(e, c)...)
		}
	}
	steps = append(steps, v.answers()...)
	for _, e := range epochs {
		c, committed := v.Commitments[e.Number]
		switch {
		case !committed && v.commits(e):
			steps = append(steps, Step{Kind: Commit, Epoch: e.Number})
		case committed && v.claims(e, c):
			steps = append(steps, Step{Kind: Claim, Epoch: e.Number})
		}
	}
	for _, epoch := range v.Kept {
		if v.isOver(epoch) {
			steps = append(steps, Step{Kind: Drop, Epoch: epoch})
		}
	}
	return steps
}

// audit is what an audited commitment needs: an opening for each denom, or, when it cannot be opened, to be taken back before it
// counts as forged.
func (v View) audit(e prooftypes.Epoch, c prooftypes.Commitment) (steps []Step) {
	if c.State != prooftypes.CommitmentState_COMMITMENT_STATE_AUDITED || v.Now >= c.OpenBy {
		return nil
	}
	ends := !v.Disowned && v.Now+DisownSeconds(c.OpenBy-min(c.OpenBy, max(e.CommitUntil, c.CommittedAt))) >= c.OpenBy
	switch {
	case ends && (v.Lost[e.Number] || v.Refused[e.Number]):
		return []Step{{Kind: Disown, Epoch: e.Number}}
	case v.Lost[e.Number]:
		return nil
	}
	for _, root := range c.Roots {
		if root.Sum.IsPositive() && !slices.Contains(c.Opened, root.Denom) {
			steps = append(steps, Step{Kind: Open, Epoch: e.Number, Denom: root.Denom})
		}
	}
	return steps
}

// transactionSeconds are enough for a transaction.
const transactionSeconds = 30

// DisownSeconds before openings are late, a commitment that cannot be opened is taken back: until then its leaves may be found. It
// is a quarter of the time that there is for all that follows it, but enough for a transaction. That time is counted from the
// chain's records, since the parameters may have changed.
func DisownSeconds(window uint64) uint64 {
	return min(max(window/4, transactionSeconds), window*4/5)
}

// answersOfLost takes back a commitment of which a leaf is asked for that is lost, before that counts as withheld.
func (v View) answersOfLost() []Step {
	for _, f := range v.Forced {
		c, committed := v.Commitments[f.Epoch]
		asked := committed && v.Lost[f.Epoch] && c.State == prooftypes.CommitmentState_COMMITMENT_STATE_PROVEN && v.Now < f.AnswerBy
		if asked && !v.Disowned && v.Now+max(uint64(v.Params.ForceWindowSeconds)/4, transactionSeconds) >= f.AnswerBy {
			return []Step{{Kind: Disown, Epoch: f.Epoch}} // the others are forfeited with it
		}
	}
	return nil
}

// CommitSeconds after an epoch was closed its commitment is made: by then its tenants' last receipts have come. A short window, as
// of a devnet, leaves no time for that.
func CommitSeconds(window uint64) uint64 {
	const shortSeconds = 30
	if window < shortSeconds {
		return 0
	}
	return window / 5
}

// commits tells whether an epoch is to be committed to now. It waits for the tenants' receipts and for a look at what ran
// until the end, but no longer than half of the time.
func (v View) commits(e prooftypes.Epoch) bool {
	window := e.CommitUntil - min(e.CommitUntil, e.ClosedAt) // as it was then
	if v.Idle[e.Number] || v.Now >= e.LateUntil || v.Now < e.ClosedAt+CommitSeconds(window) {
		return false
	}
	return v.Metered >= e.End || v.Now >= e.ClosedAt+window/2
}

// claims tells whether refunds are to be claimed.
func (v View) claims(e prooftypes.Epoch, c prooftypes.Commitment) bool {
	return v.ClaimRefunds && c.State == prooftypes.CommitmentState_COMMITMENT_STATE_PROVEN && v.Now < e.MaturesAt &&
		!v.Claimed[e.Number] && !v.Lost[e.Number]
}

// answers are the leaves that can be shown, by messages. Those that the chain has not taken come last, and by themselves: they
// must not keep others from being shown.
func (v View) answers() (steps []Step) {
	var forced, again []prooftypes.Forced
	for _, f := range v.Forced {
		_, committed := v.Commitments[f.Epoch]
		switch {
		case !committed || v.Lost[f.Epoch] || v.Now >= f.AnswerBy:
		case v.Unanswered[f.Id]:
			again = append(again, f)
		default:
			forced = append(forced, f)
		}
	}
	return append(answersTo(forced), answersTo(again)...)
}

func answersTo(forced []prooftypes.Forced) (steps []Step) {
	slices.SortFunc(forced, func(a, b prooftypes.Forced) int {
		return cmp.Or(cmp.Compare(a.AnswerBy, b.AnswerBy), cmp.Compare(a.Id, b.Id))
	})
	for some := range slices.Chunk(forced, MaxAnswers) {
		steps = append(steps, Step{Kind: Answer, Forced: some})
	}
	return steps
}

// isOver tells that nothing of an epoch can be asked any more: the chain has forgotten it, or its pots have matured. An epoch
// that is newer than those that the chain knows still runs.
func (v View) isOver(epoch uint64) bool {
	newest := uint64(0)
	for _, e := range v.Epochs {
		if e.Number == epoch {
			return v.Now >= e.MaturesAt
		}
		newest = max(newest, e.Number)
	}
	return epoch < newest
}
