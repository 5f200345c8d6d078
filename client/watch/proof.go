package watch

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// Proof is where the chain's proof of service stands. Without a running epoch nothing is counted, posted or claimed.
type Proof struct {
	Running     Epoch
	Closed      []Epoch // whose pots have not matured, the oldest first
	Tick        uint64  // seconds between two looks of an agent
	ForceBond   sdk.Coin
	ForceWindow uint64 // seconds to answer for a leaf that is asked for on the chain
}

// Epoch is an epoch of the chain, in service seconds.
type Epoch struct {
	Number, Start, End uint64
	PostUntil          uint64 // receipts are taken until then; 0 while it runs
	MaturesAt          uint64 // refunds are paid until then; 0 while it runs
}

// Ended is a lease that has ended and may still be refunded.
type Ended struct {
	ID                uint64
	AckedAt, ClosedAt uint64
}

// RefundState is what a claim needs.
type RefundState int

// States of a refund.
const (
	Waits  RefundState = iota // its epoch is not decided
	Whole                     // nothing was proven
	ByLeaf                    // its leaf tells
	Over                      // nothing is left to claim
)

// Refund is what the chain and the provider say of a lease in a closed epoch.
type Refund struct {
	Lease, Epoch uint64
	State        RefundState
	Due          math.Int // grains
	DueSeconds   uint64
	Claimable    math.Int // grains that a claim brings now
	Until        uint64   // service second until which it is paid
	Posted       *Word    // last receipt on the chain
	Leaf         *Leaf    // that the provider has shown and that holds; nil otherwise
	Why          string   // why there is none
}

// Leaf is what the provider committed to for a lease.
type Leaf struct {
	Up               uint64
	Opening, Absence []byte
}

// Claim is a refund to ask for.
type Claim struct {
	Lease, Epoch     uint64
	Opening, Absence []byte
	Grains           math.Int
}

// Said is a receipt to sign.
type Said struct {
	Lease, Epoch uint64
	Word
}

// RefundMemory is what the watcher remembers of a lease in an epoch.
type RefundMemory struct {
	Asked    time.Time `json:"asked,omitzero"`    // when chain and provider were asked last
	Settled  bool      `json:"settled,omitempty"` // nothing was left to claim then
	Withheld time.Time `json:"withheld,omitzero"` // since when its leaf is missing
	Forced   bool      `json:"forced,omitempty"`  // it was asked for on the chain
	Sent     Word      `json:"sent,omitzero"`     // last receipt that went to the provider
	Posted   Word      `json:"posted,omitzero"`   // last receipt that went to the chain
}

// AsksRefund tells whether it is time to ask chain and provider about a lease in a closed epoch. What was settled is asked for
// again after as long as the epoch was, since later faults of its provider may change it.
func (m Memory) AsksRefund(s Settings, at time.Time, lease uint64, e Epoch) bool {
	known := m.Refunds[lease][e.Number]
	every := s.TryEvery
	if known.Settled {
		every = max(every, time.Duration(e.End-e.Start)*time.Second)
	}
	return at.Sub(known.Asked) >= every
}

// count judges what the leases were seen to be, and forgets what can be neither said nor claimed any more.
func (m Memory) count(s Settings, o Observed, next Memory, blind bool) Memory {
	next.Counts, next.Refunds = maps.Clone(m.Counts), map[uint64]map[uint64]RefundMemory{}
	for lease, epochs := range m.Refunds {
		next.Refunds[lease] = maps.Clone(epochs)
	}
	if o.Proof.Running.End == 0 {
		return next
	}
	if next.Counts == nil {
		next.Counts = map[uint64]Count{}
	}
	gap := uint64(s.JudgeGap / time.Second)
	for _, d := range o.Deployments {
		for _, l := range d.Leases {
			if l.AckedAt == 0 {
				continue
			}
			is := l.service()
			if blind {
				is = Unknown
			}
			c := next.Counts[l.ID]
			c.From = l.AckedAt
			next.Counts[l.ID] = c.Look(o.Second, is, gap)
		}
		for _, l := range d.Ended {
			if c, counted := next.Counts[l.ID]; counted {
				next.Counts[l.ID] = c.Ended(l.ClosedAt, o.Second)
			}
		}
	}
	next.forgetBefore(o.Proof)
	return next
}

// forgetBefore drops what is about times before the oldest epoch that is still open to anything.
func (m Memory) forgetBefore(p Proof) {
	oldest := p.Running
	if len(p.Closed) > 0 {
		oldest = p.Closed[0]
	}
	for lease, c := range m.Counts {
		if c.Until != 0 && c.Until < oldest.Start || c.To != 0 && c.To < oldest.Start {
			delete(m.Counts, lease)
			continue
		}
		m.Counts[lease] = c.Forget(oldest.Start)
	}
	for lease, epochs := range m.Refunds {
		maps.DeleteFunc(epochs, func(number uint64, _ RefundMemory) bool { return number < oldest.Number })
		if len(epochs) == 0 {
			delete(m.Refunds, lease)
		}
	}
}

// service is what a look says of a lease.
func (l Lease) service() Service {
	switch {
	case !l.Paying:
		return Idle
	case l.Gateway == No || l.Served == No:
		return Down
	case l.Gateway == Yes && l.Served == Yes:
		return Up
	default:
		return Unknown
	}
}

// Judged is whether a lease that is paid for is served, as its receipts count it; NotAsked while nobody can tell.
func (l Lease) Judged() Answer {
	switch l.service() {
	case Up:
		return Yes
	case Down:
		return No
	default:
		return NotAsked
	}
}

func (d *decision) remembered(lease, epoch uint64) RefundMemory {
	return d.memory.Refunds[lease][epoch]
}

func (d *decision) remember(lease, epoch uint64, m RefundMemory) {
	if d.memory.Refunds[lease] == nil {
		d.memory.Refunds[lease] = map[uint64]RefundMemory{}
	}
	d.memory.Refunds[lease][epoch] = m
}

// proof says what was seen, to the provider and to the chain, and claims what was not proven.
func (d *decision) proof(x Deployment) {
	if d.seen.Proof.Running.End == 0 {
		return
	}
	// Refunds first: what the chain did not get is said again.
	for _, r := range x.Refunds {
		d.refund(x, r)
	}
	if d.Receipts && x.Trusted {
		for _, l := range x.Leases {
			d.receipts(x, l.ID, l.Gateway == Yes)
		}
		for _, l := range x.Ended {
			d.receipts(x, l.ID, false)
		}
	}
}

// post puts a receipt on the chain, unless that is on its way already.
func (d *decision) post(said Said) {
	if !slices.Contains(d.posts, said) {
		d.posts = append(d.posts, said)
	}
}

// lead is how many seconds before the end of an epoch a receipt is put on the chain: the transaction takes a block, and the
// provider must have read it before it commits.
func (d *decision) lead() uint64 {
	return max(2*d.seen.Proof.Tick, 2*d.round()+2)
}

func (d *decision) round() uint64 { return uint64((d.Every + time.Second - 1) / time.Second) }

// sendsPerEpoch is how often an epoch a provider gets a receipt, at least.
const sendsPerEpoch = 6

// News tells whether a word on a running epoch is worth telling its provider after the one that was told last: a sixth of the epoch
// later, or at the end of the epoch.
func (w Word) News(e Epoch, told Word, last bool) bool {
	return w.Until > told.Until && (last || w.Until-max(told.Until, e.Start) >= (e.End-e.Start)/sendsPerEpoch)
}

// receipts says of the running epoch and the last one what was counted.
func (d *decision) receipts(x Deployment, lease uint64, reachable bool) {
	p := d.seen.Proof
	if n := len(p.Closed); n > 0 {
		d.closing(x, lease, p.Closed[n-1], reachable)
	}
	e := p.Running
	word, down := d.memory.Counts[lease].Word(e.Start, e.End)
	if word.Until == 0 {
		return
	}
	m := d.remembered(lease, e.Number)
	near := d.seen.Second+d.lead() >= e.End
	last := d.seen.Second+d.round()+1 >= e.End
	if reachable && word.News(e, m.Sent, last) {
		m.Sent = word
		d.act(Action{Kind: Receipt, Deployment: x.ID, Lease: lease, Said: []Said{{lease, e.Number, word}}, Why: word.of(e, down)})
	}
	less := m.Posted.Until == 0 || word.Allows(e.End) < m.Posted.Allows(e.End)
	again := last && m.Posted.Until+d.round()+1 < e.End
	if down > 0 && near && less && (m.Posted.Until == 0 || again) {
		m.Posted = word
		d.post(Said{lease, e.Number, word})
	}
	d.remember(lease, e.Number, m)
}

// closing gives the last word on an epoch that has closed, while it counts.
func (d *decision) closing(x Deployment, lease uint64, e Epoch, reachable bool) {
	word, down := d.memory.Counts[lease].Word(e.Start, e.End)
	m := d.remembered(lease, e.Number)
	if word.Until == 0 || d.seen.Second >= e.PostUntil {
		return
	}
	if reachable && word.Until > m.Sent.Until && d.due(fmt.Sprintf("receipt/%d/%d", lease, e.Number), d.TryEvery) {
		m.Sent = word
		d.act(Action{Kind: Receipt, Deployment: x.ID, Lease: lease, Said: []Said{{lease, e.Number, word}}, Why: word.of(e, down)})
	}
	if down > 0 && word.Until > m.Posted.Until && (m.Posted.Until == 0 || word.Allows(e.End) < m.Posted.Allows(e.End)) {
		m.Posted = word
		d.post(Said{lease, e.Number, word})
	}
	d.remember(lease, e.Number, m)
}

func (w Word) of(e Epoch, down uint64) string {
	text := fmt.Sprintf("up %d s of epoch %d so far", w.Up, e.Number)
	if down > 0 {
		text += fmt.Sprintf(", down %d s", down)
	}
	return text
}

// refund claims what a lease gets back for an epoch, or has its leaf shown.
func (d *decision) refund(x Deployment, r Refund) {
	m := d.remembered(r.Lease, r.Epoch)
	m.Asked, m.Settled = d.seen.At, false
	e, known := d.closed(r.Epoch)
	switch {
	case r.State == Over || !known:
		m.Settled = true
	case r.State == Waits:
		if r.Posted == nil {
			m.Posted = Word{} // it did not get there: it is said again
		}
	case r.State == ByLeaf && r.Leaf == nil:
		d.withheld(x, r, e, &m)
	case r.State == ByLeaf || r.State == Whole:
		m.Withheld = time.Time{}
		d.compare(x, r, e)
		if r.Claimable.IsPositive() {
			// What the chain refuses now it may pay once others have claimed.
			again := max(d.TryEvery, time.Duration(e.End-e.Start)*time.Second)
			if d.Claims && d.due(fmt.Sprintf("claim/%d/%d", r.Lease, r.Epoch), again) {
				claim := Claim{Lease: r.Lease, Epoch: r.Epoch, Grains: r.Claimable}
				if r.Leaf != nil && r.State == ByLeaf {
					claim.Opening, claim.Absence = r.Leaf.Opening, r.Leaf.Absence
				}
				d.claims = append(d.claims, claim)
			}
		} else {
			m.Settled = d.seen.Second >= e.PostUntil
		}
	}
	d.remember(r.Lease, r.Epoch, m)
}

func (d *decision) closed(number uint64) (Epoch, bool) {
	i := slices.IndexFunc(d.seen.Proof.Closed, func(e Epoch) bool { return e.Number == number })
	if i < 0 {
		return Epoch{}, false
	}
	return d.seen.Proof.Closed[i], true
}

// compare holds what the provider committed to against what was seen, and says so on the chain while that counts.
func (d *decision) compare(x Deployment, r Refund, e Epoch) {
	if r.Leaf == nil {
		return
	}
	word, down := d.memory.Counts[r.Lease].Word(e.Start, e.End)
	if word.Until == 0 || down == 0 || r.Leaf.Up <= word.Allows(e.End) {
		return
	}
	d.warn(Action{Deployment: x.ID, Lease: r.Lease, Why: fmt.Sprintf(
		"its provider says that it was up for %d of %d s in epoch %d, it was seen for at most %d", r.Leaf.Up, r.DueSeconds, e.Number, word.Allows(e.End))})
	unsaid := r.Posted == nil || word.Allows(e.End) < r.Posted.Allows(e.End) && word.Until > r.Posted.Until
	if unsaid && d.Receipts && x.Trusted && d.seen.Second < e.PostUntil {
		d.post(Said{r.Lease, r.Epoch, word})
	}
}

// withheld has a leaf shown on the chain when its provider does not show it for as long as it would have to answer there.
func (d *decision) withheld(x Deployment, r Refund, e Epoch, m *RefundMemory) {
	p := d.seen.Proof
	if m.Withheld.IsZero() {
		m.Withheld = d.seen.At
	}
	patience := max(time.Duration(p.ForceWindow)*time.Second, 2*d.TryEvery)
	since := d.seen.At.Sub(m.Withheld)
	if since < patience || m.Forced || d.seen.blind() {
		return
	}
	why := fmt.Sprintf("its provider has not shown the leaf of epoch %d for %s: %s", r.Epoch, since.Round(time.Second), r.Why)
	if !d.Forces || !x.Trusted || d.seen.Second+p.ForceWindow+d.lead() >= r.Until {
		d.warn(Action{Deployment: x.ID, Lease: r.Lease, Why: why})
		return
	}
	if !d.worthForcing(x, r, e) {
		d.warn(Action{Deployment: x.ID, Lease: r.Lease, Why: why + fmt.Sprintf("; what was seen to be missing is not worth the bond of %s to ask for it on the chain", p.ForceBond)})
		return
	}
	if p.ForceBond.IsValid() && p.ForceBond.IsPositive() {
		left, short := d.purse.SafeSub(p.ForceBond)
		if short {
			d.warn(Action{Deployment: x.ID, Lease: r.Lease, Why: why + fmt.Sprintf("; the watch key has not the bond of %s to ask for it on the chain", p.ForceBond)})
			return
		}
		d.purse = left
	}
	m.Forced = true
	d.act(Action{Kind: Force, Deployment: x.ID, Lease: r.Lease, Epoch: r.Epoch, Why: why})
}

// grainsPerMicro: money is counted in grains, of which this many are a micro-denom.
const grainsPerMicro = 3600

// worthForcing tells whether what was seen to be missing of an epoch is more than the bond, which a provider that answers gets: else it
// could live on withholding leaves. A bond in another coin than the lease's can not be compared.
func (d *decision) worthForcing(x Deployment, r Refund, e Epoch) bool {
	_, down := d.memory.Counts[r.Lease].Word(e.Start, e.End)
	bond := d.seen.Proof.ForceBond
	if down == 0 || bond.Denom != x.Denom || r.DueSeconds == 0 {
		return down > 0
	}
	missing := r.Due.Mul(math.NewIntFromUint64(down)).Quo(math.NewIntFromUint64(r.DueSeconds))
	return missing.GT(bond.Amount.MulRaw(grainsPerMicro))
}

// messagesAtOnce go into one transaction.
const messagesAtOnce = 12

// gather makes actions of what goes to the chain together.
func (d *decision) gather() {
	for said := range slices.Chunk(d.posts, messagesAtOnce) {
		d.act(Action{Kind: Post, Said: said, Why: fmt.Sprintf("down time was seen: %s", leasesText(said, func(s Said) (uint64, uint64) { return s.Lease, s.Epoch }))})
	}
	for claims := range slices.Chunk(d.claims, messagesAtOnce) {
		d.act(Action{Kind: Refunds, Claims: claims, Why: fmt.Sprintf("not proven: %s", leasesText(claims, func(c Claim) (uint64, uint64) { return c.Lease, c.Epoch }))})
	}
}

func leasesText[T any](all []T, of func(T) (lease, epoch uint64)) string {
	text := ""
	for i, one := range all {
		if i > 0 {
			text += ", "
		}
		lease, epoch := of(one)
		text += fmt.Sprintf("lease %d in epoch %d", lease, epoch)
	}
	return text
}
