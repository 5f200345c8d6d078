package keeper_test

import (
	"fmt"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/escrow/types"
)

// model is escrow without any cleverness: it walks from second to second, in grains.
type model struct {
	player   *player
	runway   int64 // at which services are paused; 0 never pauses
	bps      int64
	now      uint64
	halted   bool
	accounts []*modelAccount
	streams  []*modelStream
	holds    []*modelHold
	paid     map[int]int64
	pockets  map[string]int64
	limits   map[int]int64 // of what tenants may deposit for the uncle, by tenant
	epochs   map[uint64]types.Epoch
	refunded map[string]int64 // by payee and epoch
}

type modelAccount struct {
	owner       string
	entries     []*modelEntry
	spent       int64
	closed, low bool
	exhaustedAt uint64
}

// modelEntry is somebody's money; grantee is the tenant who may deposit it again, -1 for nobody.
type modelEntry struct {
	depositor string
	grantee   int
	grains    int64
	paidBack  int64 // in micro-denom, since the account closed
}

type modelStream struct {
	account, payee   int
	service          bool
	rate, full       int64 // full is 0 unless it is paused
	opened, closedAt uint64
	served           map[uint64]int64 // what it paid for service, by second
}

type modelHold struct {
	account int
	grains  int64
	until   uint64
	over    bool
}

func newModel(p *player) *model {
	params, err := p.Escrow.Params(p.Ctx())
	require.NoError(p.rt, err)
	m := &model{
		player: p, runway: int64(params.PauseRunwaySeconds), bps: int64(params.PauseBps), now: 1, paid: make(map[int]int64),
		pockets: map[string]int64{"uncle": wealth, "stranger": wealth}, limits: make(map[int]int64),
		epochs: make(map[uint64]types.Epoch), refunded: make(map[string]int64),
	}
	p.Escrow.SetCreditPolicy(m)
	for i := range 6 {
		m.pockets[fmt.Sprintf("tenant %d", i)] = wealth
	}
	return m
}

func (a *modelAccount) deposited() int64 {
	sum := int64(0)
	for _, e := range a.entries {
		sum += e.grains
	}
	return sum
}

func (a *modelAccount) add(depositor string, grantee int, micro int64) {
	for _, e := range a.entries {
		if e.depositor == depositor && e.grantee == grantee {
			e.grains += micro * 3600
			return
		}
	}
	a.entries = append(a.entries, &modelEntry{depositor: depositor, grantee: grantee, grains: micro * 3600})
}

// free is what an account has that is not held.
func (m *model) free(account int) int64 {
	left := m.accounts[account].deposited() - m.accounts[account].spent
	for _, h := range m.holds {
		if h.account == account && !h.over {
			left -= h.grains
		}
	}
	return left
}

func (m *model) held(account int) int64 {
	return m.accounts[account].deposited() - m.accounts[account].spent - m.free(account)
}

// open returns the streams of an account that pay.
func (m *model) open(account int) []*modelStream {
	var open []*modelStream
	for _, s := range m.streams {
		if s.account == account && s.closedAt == 0 {
			open = append(open, s)
		}
	}
	return open
}

func (m *model) rate(account int) int64 {
	sum := int64(0)
	for _, s := range m.open(account) {
		sum += s.rate
	}
	return sum
}

func (m *model) fullRate(account int) int64 {
	sum := int64(0)
	for _, s := range m.open(account) {
		sum += max(s.rate, s.full)
	}
	return sum
}

// share is what a paused service pays.
func (m *model) share(rate int64) int64 { return max(1, (rate*m.bps+9999)/10_000) }

// advance walks over seconds: each one is paid; then accounts are paused or end, then windows end.
func (m *model) advance(seconds uint64) {
	m.endHolds()
	for range seconds {
		for _, s := range m.streams {
			if s.closedAt == 0 {
				m.accounts[s.account].spent += s.rate
				m.paid[s.payee] += s.rate
				if s.service {
					s.served[m.now] = s.rate
				}
			}
		}
		m.now++
		for i := range m.accounts {
			m.checkRunway(i)
		}
		m.endHolds()
	}
}

func (m *model) endHolds() {
	for _, h := range m.holds {
		if h.until <= m.now {
			h.over = true
		}
	}
}

// checkRunway pauses an account that pays for no longer than the runway, and ends one that cannot pay the next second.
func (m *model) checkRunway(account int) {
	a, rate := m.accounts[account], m.rate(account)
	if a.closed || rate == 0 {
		return
	}
	if m.runway > 0 && !a.low && m.free(account)/rate <= m.runway {
		paused := int64(0)
		for _, s := range m.open(account) {
			if paused += s.rate; s.service {
				paused += m.share(s.rate) - s.rate
			}
		}
		if m.free(account) >= paused {
			m.pause(account)
			return
		}
		m.exhaust(account)
	} else if m.free(account) < rate {
		m.exhaust(account)
	}
}

func (m *model) pause(account int) {
	m.accounts[account].low = true
	for _, s := range m.open(account) {
		if s.service {
			s.service, s.full, s.rate, s.opened = false, s.rate, m.share(s.rate), m.now
		}
	}
}

// resume lets a low account pay in full if it then lasts for twice the runway, with what is to be added.
func (m *model) resume(account int, added int64) {
	a := m.accounts[account]
	if !a.low || m.halted || m.free(account) < (m.fullRate(account)+added)*max(1, 2*m.runway) {
		return
	}
	a.low = false
	for _, s := range m.open(account) {
		if s.full != 0 {
			s.service, s.rate, s.full, s.opened = true, s.full, 0, m.now
		}
	}
}

func (m *model) exhaust(account int) {
	for _, h := range m.holds {
		if h.account == account {
			h.over = true
		}
	}
	m.accounts[account].exhaustedAt = m.now
	m.close(account)
}

// close stops all streams and pays back what is left: the oldest entries have paid first.
func (m *model) close(account int) {
	for _, s := range m.open(account) {
		s.closedAt = m.now
	}
	a := m.accounts[account]
	a.closed = true
	m.payBack(a)
}

// payBack pays what the entries of a closed account have left and was not paid yet.
func (m *model) payBack(a *modelAccount) {
	due := a.spent
	for _, e := range a.entries {
		spent := min(due, e.grains)
		due -= spent
		refund := (e.grains-spent)/3600 - e.paidBack
		e.paidBack += refund
		m.pockets[e.depositor] += refund
		if _, stands := m.limits[e.grantee]; stands {
			m.limits[e.grantee] += refund
		}
	}
}

// apply does to the model what the chain did. Whether a step was allowed is the chain's to say; what it changes is the
// model's.
func (m *model) apply(s step, err error) {
	if s.Kind == "block" {
		m.advance(min(s.Seconds, 60))
		return
	}
	if err != nil {
		return
	}
	account, name := 0, fmt.Sprintf("tenant %d", s.Account)
	if len(m.accounts) > 0 {
		account = s.Account % len(m.accounts)
	}
	micro := int64(s.Seconds)
	switch s.Kind {
	case "open account":
		micro = 100 + int64(s.Rate/4)
		m.pockets[name] -= micro
		m.accounts = append(m.accounts, &modelAccount{owner: name})
		m.accounts[len(m.accounts)-1].add(name, -1, micro)
	case "stream":
		m.openStream(account, s)
	case "stop":
		m.stop(s, m.now)
	case "stop earlier":
		m.stop(s, m.now-min(m.now, s.Seconds%10))
	case "replace":
		stream := m.streams[(s.Other+s.Account*6)%len(m.streams)]
		switch rate := int64(s.Rate); {
		case rate == max(stream.rate, stream.full):
		case stream.full != 0:
			stream.full, stream.rate, stream.opened = rate, m.share(rate), m.now
		default:
			stream.rate, stream.opened = rate, m.now
		}
	case "serve":
		m.serve(m.streams[(s.Other+s.Account*6)%len(m.streams)], int64(s.Rate))
	case "refund":
		m.refund(account, s)
	case "resume":
		m.resume(account, 0)
	case "deposit":
		m.pockets[name] -= micro
		m.fund(account, m.accounts[account].owner, -1, micro)
	case "gift":
		m.pockets["stranger"] -= micro
		m.fund(account, m.accounts[account].owner, -1, micro)
	case "deposit of another":
		m.pockets["uncle"] -= micro
		m.limits[s.Account] -= micro
		m.fund(account, "uncle", s.Account, micro)
	case "add funds":
		m.fund(account, m.accounts[account].owner, -1, micro)
	case "grant":
		m.limits[s.Account] = int64(s.Rate)
	case "revoke":
		delete(m.limits, s.Account)
	case "halt", "go on":
		m.halted = s.Kind == "halt"
	case "hold":
		grains := int64(s.Rate) * int64(s.Seconds+10)
		m.holds = append(m.holds, &modelHold{account: account, grains: grains, until: m.now + s.Seconds})
	case "release":
		if len(m.holds) > 0 {
			m.holds[s.Other%len(m.holds)].over = true
		}
	case "pay hold":
		paid := min(int64(s.Rate)*int64(s.Seconds), m.free(account)-m.rate(account))
		if a := m.accounts[account]; !a.closed && paid > 0 {
			a.spent += paid
			m.paid[s.Other%3] += paid
		}
	case "close account", "end account":
		m.close(account)
	}
}

// openStream opens a service paused if the account is low and stays so.
func (m *model) openStream(account int, s step) {
	stream := &modelStream{
		account: account, payee: s.Other % 3, service: s.Other != 0, rate: int64(s.Rate), opened: m.now,
		served: make(map[uint64]int64),
	}
	if stream.service {
		m.resume(account, stream.rate)
		if m.accounts[account].low {
			stream.service, stream.full, stream.rate = false, stream.rate, m.share(stream.rate)
		}
	}
	m.streams = append(m.streams, stream)
}

// fund adds to an open account, or pays the owner of a closed one.
func (m *model) fund(account int, depositor string, grantee int, micro int64) {
	a := m.accounts[account]
	if a.closed {
		m.pockets[a.owner] += micro
		return
	}
	a.add(depositor, grantee, micro)
	m.resume(account, 0)
}

func (m *model) stop(s step, at uint64) {
	stream := m.streams[(s.Other+s.Account*6)%len(m.streams)]
	if stream.closedAt != 0 {
		return
	}
	at = max(at, stream.opened, m.player.clock().EpochStart)
	stream.closedAt = at
	for second := at; second < m.now; second++ {
		delete(stream.served, second)
	}
	over := stream.rate * int64(m.now-at)
	m.accounts[stream.account].spent -= over
	m.paid[stream.payee] -= over
}

func (m *model) compare(t *rapid.T) {
	p := m.player
	require.Equal(t, m.now, p.Now())
	require.Len(t, p.accounts, len(m.accounts))
	for i, want := range m.accounts {
		got, err := p.Escrow.Account(p.Ctx(), p.accounts[i])
		require.NoError(t, err)
		require.Equal(t, want.closed, got.State == types.AccountState_ACCOUNT_STATE_CLOSED, "account %d", i)
		require.Equal(t, want.low && !want.closed, got.State == types.AccountState_ACCOUNT_STATE_LOW, "account %d", i)
		require.Equal(t, want.exhaustedAt, got.ExhaustedAt, "account %d", i)
		require.Equal(t, m.held(i), got.Held.Int64(), "account %d", i)
		require.Equal(t, m.rate(i), got.Outflow.Slope.Int64(), "account %d", i)
		require.Equal(t, m.fullRate(i)-m.rate(i), got.PausedRate.Int64(), "account %d", i)
		spent := got.Outflow.Intercept.Int64() + got.Outflow.Slope.Int64()*int64(m.now)
		require.Equal(t, want.spent, spent, "account %d", i)
		if !want.closed {
			require.Equal(t, (want.deposited()-want.spent)/3600, p.left(p.accounts[i]), "account %d", i)
		}
	}
	genesis, err := p.Escrow.ExportGenesis(p.Ctx())
	require.NoError(t, err)
	for payee := range 3 {
		require.Equal(t, m.paid[payee], p.earned(genesis, p.payeeText(payee)).Int64(), "payee %d", payee)
	}
	for name, has := range m.pockets {
		require.Equal(t, has, p.Balance(chain.Account(name)), name)
	}
	for i := range 6 {
		limit := "nothing"
		if left, stands := m.limits[i]; stands {
			limit = fmt.Sprint(left)
		}
		require.Equal(t, limit, p.limit(i), "tenant %d", i)
	}
}
