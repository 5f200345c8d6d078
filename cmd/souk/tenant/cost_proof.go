package tenant

import (
	"fmt"
	"strings"
	"time"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/cmd/souk/output"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// grainsPerMicro: money is counted in grains, of which this many are a micro-denom.
const grainsPerMicro = 3600

// proofCost is what was proven and what comes back, over epochs that are still held back, for programs. Amounts are in
// micro-denom, rounded down; the sum of proven, refunded and pending is what was due of decided epochs, but for rounding.
type proofCost struct {
	Epochs    int      `json:"epochs"`    // of leases, in which something was due
	Undecided int      `json:"undecided"` // of these, not decided yet
	Hidden    int      `json:"hidden"`    // of these, whose provider does not show what it has proven
	Due       math.Int `json:"due"`       // of decided ones that are not hidden
	Proven    math.Int `json:"proven"`
	Refunded  math.Int `json:"refunded"`
	Pending   math.Int `json:"pending"`    // can be claimed
	ProvenPpm uint64   `json:"proven_ppm"` // share of what was due
	Waiting   math.Int `json:"waiting"`    // due of undecided and hidden ones
	// ClaimUntil is the service second at which the first of what is pending matures, and can be claimed no more; 0 if nothing is.
	ClaimUntil uint64 `json:"claim_until,omitempty"`
}

// epochCost is one epoch of a lease, for programs. Amounts are in micro-denom, rounded down.
type epochCost struct {
	Epoch      uint64    `json:"epoch"`
	Start      time.Time `json:"start"` // about: the chain's clock stands still while the chain does
	State      string    `json:"state"` // waits, proven, unproven, hidden or over
	Due        math.Int  `json:"due"`
	DueSeconds uint64    `json:"due_seconds"`
	Up         *uint64   `json:"up_seconds,omitempty"` // that its provider has committed to; unset where no leaf is shown
	Evidence   string    `json:"evidence,omitempty"`   // word of its provider, or receipt
	Proven     *math.Int `json:"proven,omitempty"`
	Refunded   math.Int  `json:"refunded"`
	Pending    math.Int  `json:"pending"`
	Until      uint64    `json:"claim_until"` // service second
	Why        string    `json:"why,omitempty"`
}

// sums adds up, in grains.
type sums struct {
	epochs, undecided, hidden               int
	due, proven, refunded, pending, waiting math.Int
	claimUntil                              uint64 // of what is pending; 0 for none
}

func newSums() sums {
	zero := math.ZeroInt()
	return sums{due: zero, proven: zero, refunded: zero, pending: zero, waiting: zero}
}

// provenOf is what counts as proven of an epoch, in grains; ok is false while nobody knows.
func (r refund) provenOf() (proven math.Int, ok bool) {
	decided := r.State == prooftypes.RefundState_REFUND_STATE_WHOLE || r.State == prooftypes.RefundState_REFUND_STATE_LEAF && r.leaf != nil
	if !decided {
		return math.ZeroInt(), false
	}
	return r.Due.Grains.Sub(r.Paid).Sub(r.claimable()), true
}

func (s *sums) add(r refund) {
	s.refunded = s.refunded.Add(r.Paid)
	if r.Due.Grains.IsZero() || r.State == prooftypes.RefundState_REFUND_STATE_OVER {
		return
	}
	s.epochs++
	proven, known := r.provenOf()
	switch {
	case known:
		s.due, s.proven, s.pending = s.due.Add(r.Due.Grains), s.proven.Add(proven), s.pending.Add(r.claimable())
		if r.claimable().IsPositive() && (s.claimUntil == 0 || r.Until < s.claimUntil) {
			s.claimUntil = r.Until
		}
		return
	case r.State == prooftypes.RefundState_REFUND_STATE_WAITS:
		s.undecided++
	default:
		s.hidden++
	}
	s.waiting = s.waiting.Add(r.Due.Grains)
}

func (s sums) cost() proofCost {
	c := proofCost{
		Epochs: s.epochs, Undecided: s.undecided, Hidden: s.hidden, Due: micro(s.due), Proven: micro(s.proven), Refunded: micro(s.refunded),
		Pending: micro(s.pending), Waiting: micro(s.waiting), ClaimUntil: s.claimUntil,
	}
	if s.due.IsPositive() {
		c.ProvenPpm = s.proven.MulRaw(prooftypes.WholePpm).Quo(s.due).Uint64()
	}
	return c
}

func micro(grains math.Int) math.Int { return grains.QuoRaw(grainsPerMicro) }

// addRefunds adds what was proven and what comes back to what leases cost, with the last epochs of each.
func (c *cost) addRefunds(all []refund, epochs int, at serviceClock) {
	total, byLease, lines := newSums(), map[uint64]*sums{}, map[uint64][]epochCost{}
	for _, r := range all {
		if r.Due.Grains.IsZero() && r.Paid.IsZero() {
			continue
		}
		s := byLease[r.lease.Id]
		if s == nil {
			fresh := newSums()
			s = &fresh
			byLease[r.lease.Id] = s
		}
		total.add(r)
		s.add(r)
		lines[r.lease.Id] = append(lines[r.lease.Id], r.line(at))
	}
	c.Proof = total.cost()
	for i, l := range c.Leases {
		if s := byLease[l.Lease]; s != nil {
			proof := s.cost()
			c.Leases[i].Proof = &proof
		}
		of := lines[l.Lease]
		c.Leases[i].Epochs = of[max(0, len(of)-epochs):]
	}
}

func (r refund) line(at serviceClock) epochCost {
	e := epochCost{
		Epoch: r.epoch.Number, Start: at.at(r.epoch.Start).UTC(), Due: micro(r.Due.Grains), DueSeconds: r.Due.Seconds, Refunded: micro(r.Paid), Pending: micro(r.claimable()), Until: r.Until,
	}
	if proven, known := r.provenOf(); known {
		proven = micro(proven)
		e.Proven = &proven
	}
	switch r.State {
	case prooftypes.RefundState_REFUND_STATE_WAITS:
		e.State = "waits"
	case prooftypes.RefundState_REFUND_STATE_WHOLE:
		e.State = "unproven"
	case prooftypes.RefundState_REFUND_STATE_LEAF:
		e.State = "hidden"
		if r.leaf != nil {
			up := r.leaf.Said.UpSeconds
			e.State, e.Up, e.Evidence = "proven", &up, evidenceText(*r.leaf, r.epoch)
		}
	default:
		e.State = "over"
	}
	e.Why = r.why
	if r.noLeaf != nil {
		e.Why = r.trouble()
	}
	return e
}

// share is the proven share, for people.
func (p proofCost) share() string {
	if !p.Due.IsPositive() {
		return "-"
	}
	return ppmText(p.ProvenPpm)
}

// ppmText shows parts per million as per cent, never more than there are.
func ppmText(ppm uint64) string {
	text := strings.TrimRight(fmt.Sprintf("%d.%02d", ppm/10_000, ppm/100%100), "0")
	return strings.TrimSuffix(text, ".") + " %"
}

// text is for people; now is the service second.
func (p proofCost) text(name, denom string, now uint64) string {
	if p.Epochs == 0 && p.Refunded.IsZero() {
		return "proven   nothing to tell yet: no epoch in which it was paid for is held back\n"
	}
	text := "proven   not decided yet\n"
	if p.Due.IsPositive() {
		text = fmt.Sprintf("proven   %s of %s due in epochs that can still be claimed for\n", p.share(), output.Money(p.Due, denom))
	}
	if p.Waiting.IsPositive() {
		text += fmt.Sprintf("waiting  %s not decided yet, or not shown by its provider\n", output.Money(p.Waiting, denom))
	}
	text += fmt.Sprintf("refunded %s\n", output.Money(p.Refunded, denom))
	if p.Pending.IsPositive() {
		text += fmt.Sprintf("pending  %s; souk refund %s claims it, within %s\n", output.Money(p.Pending, denom), name,
			output.Runway(p.ClaimUntil-min(now, p.ClaimUntil)))
	}
	if p.Hidden > 0 {
		text += fmt.Sprintf("hidden   in %d epochs of leases the provider does not show what it committed to; souk watch run has it shown on the chain\n", p.Hidden)
	}
	return text
}

func (c cost) epochRows() string {
	rows := output.Rows{Columns: []output.Column{
		{Name: "lease", Right: true},
		{Name: "epoch", Right: true},
		{Name: "from"},
		{Name: "state"},
		{Name: "up"},
		{Name: "by"},
		{Name: "due", Right: true},
		{Name: "proven", Right: true},
		{Name: "refunded", Right: true},
		{Name: "pending", Right: true},
		{Name: "why"},
	}}
	for _, l := range c.Leases {
		for _, e := range l.Epochs {
			up, proven := "-", "-"
			if e.Up != nil {
				up = fmt.Sprintf("%d of %d s", *e.Up, e.DueSeconds)
			}
			if e.Proven != nil {
				proven = output.Money(*e.Proven, c.Denom)
			}
			rows.Cells = append(rows.Cells, []string{
				fmt.Sprint(l.Lease), fmt.Sprint(e.Epoch), e.Start.Local().Format("01-02 15:04"), e.State, up, e.Evidence, output.Money(e.Due, c.Denom), proven,
				output.Money(e.Refunded, c.Denom), output.Money(e.Pending, c.Denom), e.Why,
			})
		}
	}
	if len(rows.Cells) == 0 {
		return ""
	}
	return "\n" + rows.Text(true) + "\n"
}
