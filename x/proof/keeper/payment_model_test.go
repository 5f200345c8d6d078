package keeper_test

import (
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"slices"

	"github.com/souk-network/souk/testutil/chain"
)

// The parameters of a history of payments, in seconds unless said. An epoch is short, so that a history has many.
const (
	payEpoch, payHoldback, payPause, payRunway, payPauseBps, payFeeBps          = 40, 5, 10, 12, 1500, 700
	payCommit, payDelay, payOpen, payForce, payTimeout, payGrace, payLateEpochs = 8, 2, 12, 7, 14, 3, 2
	payProbation, payAuditPpm, payLateFeeBps, payWithheldPpm, payPenalty        = 2, 300_000, 130, 300_000, 10
	payForgedBps, payMissedBps, payMissedPpm, payOutagePpm, payJail             = 500, 50, 500_000, 400_000, 15
	payWords                                                                    = 4 // the receipts of a lease and an epoch that are kept
)

// payModel says who has what, by the READMEs of x/proof and x/escrow alone: it goes from second to second, and adds up.
type payModel struct {
	now       uint64
	providers []*payProvider
	accounts  []*payAccount
	leases    []*payLease
	epochs    []*payEpoched // closed ones; number n is at n - 1
	forced    []*payForced
	pool      map[string]int64 // micro-denom
	burned    int64            // of the native denom
	wallets   map[string]map[string]int64
	note      func(what string) // counts what happened, to know that the histories are worth something
}

type payProvider struct {
	name      string
	address   []byte
	bond      map[string]int64
	available map[string]int64 // grains that are matured and less than a micro-denom
	hold      map[string]map[uint64]int64
	withdrawn map[string]uint64 // the last epoch that a withdrawal merged
	clean     uint64
	missed    []uint64
	disowned  uint64
	// disownedAt is the second at which it took a commitment back.
	disownedAt uint64
	commits    map[uint64]*payCommitment
	taken      map[uint64]bool // epochs that were forfeited
	missing    map[uint64]bool // epochs without a commitment, judged
}

type payAccount struct {
	id          uint64
	tenant      string
	denom       string
	total       int64 // grains ever put in and not paid back
	spent       int64
	low, closed bool
}

type payLease struct {
	id       uint64
	account  *payAccount
	provider *payProvider
	bid      int
	rate     int64 // grains a second, of its service
	live     bool
	due      map[uint64]int64  // by epoch
	seconds  map[uint64]uint64 // of service
	refunded map[uint64]int64
	unproven map[uint64]bool
	words    map[uint64][]payWord
}

type payWord struct{ seq, up, until, at uint64 }

type payEpoched struct {
	number, start, end, closed, commitUntil, lateUntil, matures, prune uint64
	drawn, judged, pruned                                              bool
}

// payLeaf is what a provider says of a lease; lie is what an audit would not take.
type payLeaf struct {
	lease    *payLease
	up       uint64
	credited int64
	lie      bool
}

type payCommitment struct {
	id      uint64
	epoch   *payEpoched
	at      uint64
	late    bool
	state   string // "waits", "audited", "proven", "forged", "disowned"
	openBy  uint64
	leaves  map[string][]payLeaf // by denom; no entry is no root
	opened  map[string]bool
	lost    map[string]int64 // dues that stayed withheld
	round   uint64
	drawBy  uint64
	settled bool
}

type payForced struct {
	id       uint64
	lease    *payLease
	epoch    *payEpoched
	by       string
	answerBy uint64
	over     bool
}

var payDenoms = []string{"uother", denom}

func numberAt(second uint64) uint64 { return (second-1)/payEpoch + 1 }

// share is what a paused service goes on to pay.
func share(rate int64) int64 { return max(1, (rate*payPauseBps+9_999)/10_000) }

func (a *payAccount) balance() int64 { return a.total - a.spent }

func (m *payModel) liveOf(a *payAccount) (live []*payLease) {
	for _, l := range m.leases {
		if l.live && l.account == a {
			live = append(live, l)
		}
	}
	return live
}

func (m *payModel) rateOf(a *payAccount, low bool) (rate int64) {
	for _, l := range m.liveOf(a) {
		if low {
			rate += share(l.rate)
		} else {
			rate += l.rate
		}
	}
	return rate
}

// pass lets a second pass for which everybody pays.
func (m *payModel) pass() {
	number := numberAt(m.now)
	for _, l := range m.leases {
		switch {
		case !l.live:
		case l.account.low:
			l.account.spent += share(l.rate)
			holds := l.provider.hold[l.account.denom]
			holds[number] += share(l.rate)
			m.note("paused seconds")
		default:
			l.account.spent += l.rate
			l.due[number] += l.rate
			l.seconds[number]++
		}
	}
	m.now++
}

// funds pauses and ends who has too little.
func (m *payModel) funds() {
	for _, a := range m.accounts {
		rate := m.rateOf(a, a.low)
		if a.closed || rate == 0 {
			continue
		}
		if !a.low && a.balance()/rate <= payPause {
			a.low, rate = true, m.rateOf(a, true)
			m.note("pause")
		}
		if a.balance() < rate {
			m.note("exhausted")
			m.close(a)
		}
	}
}

func (m *payModel) close(a *payAccount) {
	for _, l := range m.liveOf(a) {
		l.live = false
	}
	a.closed = true
	m.payOut(a)
}

// payOut gives whole micro-denom of a closed account to its tenant.
func (m *payModel) payOut(a *payAccount) {
	micro := a.balance() / 3600
	a.total -= micro * 3600
	m.wallets[a.tenant][a.denom] += micro
}

func (m *payModel) resume(a *payAccount) {
	if a.low && !a.closed && a.balance() >= m.rateOf(a, false)*2*payPause {
		a.low = false
		m.note("resume")
	}
}

// end ends a lease; what is left to pay may be little enough to resume.
func (m *payModel) end(l *payLease) {
	if l.live {
		l.live = false
		m.resume(l.account)
	}
}

func (m *payModel) fund(a *payAccount, micro int64) {
	if a.closed {
		m.wallets[a.tenant][a.denom] += micro
		return
	}
	a.total += micro * 3600
	m.resume(a)
}

func (m *payModel) payBack(l *payLease, epoch uint64, grains int64) {
	if grains <= 0 {
		return
	}
	l.refunded[epoch] += grains
	l.account.spent -= grains
	if l.account.closed {
		m.note("refund to who has left")
		m.payOut(l.account)
		return
	}
	m.resume(l.account)
}

// public gives forfeited grains, and what was slashed, to nobody: half of the native denom is burned.
func (m *payModel) public(denomination string, micro int64) {
	if denomination == denom {
		m.burned += micro / 2
		micro -= micro / 2
	}
	m.pool[denomination] += micro
}

func (m *payModel) slash(p *payProvider, bps int64) {
	for _, d := range payDenoms {
		part := p.bond[d] * bps / 10_000
		p.bond[d] -= part
		m.public(d, part)
	}
}

func (m *payModel) jail(p *payProvider) {
	for _, l := range m.leases {
		if l.provider == p {
			m.end(l)
		}
	}
	m.note("jail")
}

// service is what a provider earned by service in an epoch.
func (m *payModel) service(p *payProvider, d string, epoch uint64) (sum int64) {
	for _, l := range m.leases {
		if l.provider == p && l.account.denom == d {
			sum += l.due[epoch]
		}
	}
	return sum
}

func (m *payModel) expected(p *payProvider, epoch uint64) bool {
	return m.service(p, "uother", epoch)+m.service(p, denom, epoch) > 0
}

// split says what of the service of an epoch is the provider's, can still be claimed, and is forfeited, now.
func (m *payModel) split(p *payProvider, d string, epoch uint64) (decided bool, provider, claimable, forfeited int64) {
	service, refunded := m.service(p, d, epoch), int64(0)
	for _, l := range m.leases {
		if l.provider == p && l.account.denom == d {
			refunded += l.refunded[epoch]
		}
	}
	c := p.commits[epoch]
	switch {
	case p.taken[epoch]:
		return true, 0, 0, service - refunded
	case p.missing[epoch] || service == 0:
		return true, 0, service - refunded, 0
	case c == nil || !c.settled:
		return false, 0, 0, 0
	}
	// what was not proven is given back first, and then what was
	unproven := service - c.worth(d)
	return true, c.worth(d) - max(0, refunded-unproven), max(0, unproven-refunded), 0
}

func sumOf(leaves []payLeaf) (sum int64) {
	for _, leaf := range leaves {
		sum += leaf.credited
	}
	return sum
}

// worth is what a commitment credits: a late one less its fee.
func (c *payCommitment) worth(d string) int64 {
	sum := sumOf(c.leaves[d])
	if c.late {
		sum -= sum * payLateFeeBps / 10_000
	}
	return sum
}

func (c *payCommitment) forfeited() bool { return c.state == "forged" || c.state == "disowned" }

// portion is what was due for a lease that was up for a part of the seconds.
func (l *payLease) portion(epoch, up uint64) int64 {
	if l.seconds[epoch] == 0 {
		return 0
	}
	product := new(big.Int).Mul(big.NewInt(l.due[epoch]), new(big.Int).SetUint64(min(up, l.seconds[epoch])))
	return product.Quo(product, new(big.Int).SetUint64(l.seconds[epoch])).Int64()
}

func (w payWord) allows(e *payEpoched) uint64 { return w.up + e.end - w.until }

// bound is the most seconds that a commitment made now may say of a lease; all if no receipt binds it.
func (m *payModel) bound(l *payLease, e *payEpoched, at uint64) uint64 {
	most := uint64(1 << 40)
	for _, w := range l.words[e.number] {
		if w.at+payGrace <= at {
			most = w.allows(e)
		}
	}
	return most
}

// refund says what a tenant may have back in all: state is that of the table of refunds.
func (m *payModel) refund(l *payLease, e *payEpoched) (state string, entitled int64) {
	p, due := l.provider, l.due[e.number]
	c := p.commits[e.number]
	switch {
	case m.now >= e.matures || due == 0:
		return "OVER", 0
	case l.unproven[e.number] || p.taken[e.number] || p.missing[e.number] || c != nil && c.forfeited():
		return "WHOLE", due
	case c == nil || c.state != "proven":
		return "WAITS", 0
	case len(c.leaves[l.account.denom]) == 0:
		return "WHOLE", due
	}
	for _, leaf := range c.leaves[l.account.denom] {
		if leaf.lease != l {
			continue
		}
		up := leaf.up
		if words := l.words[e.number]; len(words) > 0 {
			up = min(up, words[len(words)-1].allows(e))
		}
		return "LEAF", due - min(leaf.credited, l.portion(e.number, up))
	}
	return "LEAF", due
}

// prove credits what was committed to.
func (m *payModel) prove(p *payProvider, c *payCommitment) {
	c.state, c.settled = "proven", true
	for d := range c.leaves {
		if c.worth(d) > 0 {
			p.clean++
			break
		}
	}
	m.note("proven")
}

// takeBack forfeits all that has not matured of a provider.
func (m *payModel) takeBack(p *payProvider, c *payCommitment, state string) {
	c.state, p.clean = state, 0
	for _, e := range m.epochs {
		if m.now < e.matures && m.expected(p, e.number) {
			p.taken[e.number] = true
		}
	}
	m.note(state)
}

func (m *payModel) forge(p *payProvider, c *payCommitment) {
	if c.state == "proven" {
		m.note("forged by withholding")
	}
	m.takeBack(p, c, "forged")
	m.slash(p, payForgedBps)
	m.jail(p)
}

// unanswered is what comes of an audit that is not answered: what a provider had committed to when it took something back is lost
// already.
func (m *payModel) unanswered(p *payProvider, c *payCommitment) {
	if p.disownedAt != 0 && c.at <= p.disownedAt {
		c.state = "disowned"
		m.note("disowned with another")
		return
	}
	m.forge(p, c)
}

// withhold is what comes of a leaf that was asked for and not shown.
func (m *payModel) withhold(f *payForced) {
	f.over = true
	m.wallets[f.by][denom] += forceBond
	l, number := f.lease, f.epoch.number
	if state, _ := m.refund(l, f.epoch); state != "LEAF" {
		m.note("asked for in vain")
		return
	}
	m.note("withheld")
	p, c, d := l.provider, l.provider.commits[number], l.account.denom
	l.unproven[number] = true
	m.payBack(l, number, l.due[number]-l.refunded[number])
	penalty := min(p.bond[d], l.due[number]*payPenalty/3600)
	p.bond[d] -= penalty
	m.fund(l.account, penalty)
	c.lost[d] += l.due[number]
	p.clean = 0
	if c.lost[d]*1_000_000 > sumOf(c.leaves[d])*payWithheldPpm {
		m.forge(p, c)
	}
}

// deadlines does what is due at this second, in the order in which it is done: money, epochs, audits, leaves that were asked for.
func (m *payModel) deadlines() {
	m.funds()
	for _, e := range m.epochs {
		if e.prune <= m.now && e.judged && !e.pruned {
			m.pruneEpoch(e)
		}
	}
	for _, p := range m.providers {
		for _, e := range m.epochs {
			if c := p.commits[e.number]; c != nil && c.state == "audited" && c.openBy == m.now {
				m.unanswered(p, c)
			}
		}
	}
	for _, f := range m.forced {
		if !f.over && f.answerBy == m.now {
			m.withhold(f)
		}
	}
}

// pruneEpoch gives what was forfeited and not claimed to the public, unless a withdrawal did.
func (m *payModel) pruneEpoch(e *payEpoched) {
	e.pruned = true
	for _, p := range m.providers {
		for _, d := range payDenoms {
			if _, _, _, forfeited := m.split(p, d, e.number); forfeited > 0 && p.withdrawn[d] < e.number {
				m.public(d, forfeited/3600)
				m.note("settled when forgotten")
			}
		}
	}
}

// withdraw pays a provider what has matured, and the public what nobody claimed. It returns the net amount.
func (m *payModel) withdraw(p *payProvider, d string) (net int64, ok bool) {
	grains, unclaimed, forfeited, last := p.available[d], int64(0), int64(0), p.withdrawn[d]
	for _, e := range m.epochs[last:] {
		decided, mine, claimable, taken := m.split(p, d, e.number)
		if !decided || e.matures > m.now {
			break
		}
		grains, unclaimed, last = grains+mine+p.hold[d][e.number], unclaimed+claimable, e.number
		if !e.pruned {
			forfeited += taken
		}
	}
	if grains < 3600 {
		return 0, false
	}
	micro := grains / 3600
	fee := micro * payFeeBps / 10_000
	p.available[d], p.withdrawn[d] = grains%3600, last
	m.pool[d] += fee + unclaimed/3600
	m.public(d, forfeited/3600)
	m.wallets[p.name][d] += micro - fee
	m.note("withdrawal")
	if unclaimed >= 3600 {
		m.note("unclaimed")
	}
	if forfeited >= 3600 {
		m.note("forfeit withdrawn")
	}
	return micro - fee, true
}

// drawnBy tells whether a seed audits a provider: SHA-256 of souk/proof/audit, the seed and its address, against a chance of 2^64.
func (m *payModel) drawnBy(p *payProvider, seed []byte, doubled bool) bool {
	if p.clean < payProbation {
		return true
	}
	chance := int64(payAuditPpm)
	if doubled {
		chance *= 2
	}
	sum := sha256.Sum256(slices.Concat([]byte("souk/proof/audit"), seed, p.address))
	limit := new(big.Int).Quo(new(big.Int).Mul(big.NewInt(chance), new(big.Int).Lsh(big.NewInt(1), 64)), big.NewInt(1_000_000))
	return new(big.Int).SetUint64(binary.BigEndian.Uint64(sum[:8])).Cmp(limit) < 0
}

// draw audits a commitment, or takes it as proven.
func (m *payModel) draw(p *payProvider, c *payCommitment, audited bool) {
	if sumOf(c.leaves["uother"])+sumOf(c.leaves[denom]) == 0 {
		m.note("commitment to nothing")
		m.prove(p, c)
		return
	}
	if !audited {
		m.note("spared")
		m.prove(p, c)
		return
	}
	c.state, c.openBy = "audited", m.now+payOpen
	m.note("audited")
	if c.late {
		m.note("late")
	}
}

// judge finds out who is missing, and whether that counts.
func (m *payModel) judge(e *payEpoched) {
	e.judged = true
	bond, missing := int64(0), int64(0)
	for _, p := range m.providers {
		if m.expected(p, e.number) {
			bond += p.bond[denom]
			if p.commits[e.number] == nil {
				missing += p.bond[denom]
			}
		}
	}
	for _, p := range m.providers {
		if !m.expected(p, e.number) || p.commits[e.number] != nil {
			continue
		}
		p.missing[e.number] = true
		m.note("missed")
		if missing*1_000_000 > bond*payOutagePpm {
			m.note("outage")
			continue
		}
		p.miss(e.number)
		if len(p.missed)*1_000_000 > payMissedPpm*payProbation {
			p.missed, p.clean = nil, 0
			m.slash(p, payMissedBps)
			m.jail(p)
			m.note("jail for misses")
		}
	}
}

// miss remembers an epoch that was missed, as long as the newest one is less than the probation later.
func (p *payProvider) miss(epoch uint64) {
	p.missed = append(p.missed, epoch)
	newest := slices.Max(p.missed)
	p.missed = slices.DeleteFunc(p.missed, func(e uint64) bool { return e+payProbation <= newest })
}

func (m *payModel) closeEpoch() {
	number := uint64(len(m.epochs)) + 1
	end := number*payEpoch + 1
	if m.now < end {
		return
	}
	m.epochs = append(m.epochs, &payEpoched{
		number: number, start: end - payEpoch, end: end, closed: m.now, commitUntil: m.now + payCommit,
		lateUntil: m.now + payLateEpochs*payEpoch, matures: end + payHoldback*payEpoch, prune: end + (payHoldback+1)*payEpoch,
	})
	for _, l := range m.leases {
		if s := l.seconds[number]; s > 0 && s < payEpoch {
			m.note("part of an epoch")
		}
	}
}

func newPayModel(names []string) *payModel {
	m := &payModel{now: 1, pool: map[string]int64{}, wallets: map[string]map[string]int64{}}
	for _, name := range names {
		m.wallets[name] = map[string]int64{}
		m.providers = append(m.providers, &payProvider{
			name: name, address: chain.Account(name), bond: map[string]int64{"uother": bonded, denom: bonded}, available: map[string]int64{},
			hold: map[string]map[uint64]int64{"uother": {}, denom: {}}, withdrawn: map[string]uint64{},
			commits: map[uint64]*payCommitment{}, taken: map[uint64]bool{}, missing: map[uint64]bool{},
		})
	}
	return m
}
