package keeper_test

import (
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/x/escrow/types"
)

// model is escrow without any cleverness: it walks from second to second, in grains.
type model struct {
	now      uint64
	accounts []*modelAccount
	streams  []*modelStream
	holds    []*modelHold
	paid     map[int]int64
}

type modelAccount struct {
	deposited, spent, refunded int64
	closed                     bool
	exhaustedAt                uint64
}

type modelStream struct {
	account, payee   int
	rate             int64
	opened, closedAt uint64
}

type modelHold struct {
	account int
	grains  int64
	until   uint64
	over    bool
}

func newModel(now uint64) *model { return &model{now: now, paid: make(map[int]int64)} }

func (m *model) held(account int) int64 {
	sum := int64(0)
	for _, h := range m.holds {
		if h.account == account && !h.over {
			sum += h.grains
		}
	}
	return sum
}

func (m *model) rate(account int) int64 {
	sum := int64(0)
	for _, s := range m.streams {
		if s.account == account && s.closedAt == 0 {
			sum += s.rate
		}
	}
	return sum
}

// advance walks over seconds: at each one accounts that cannot pay the next second in full end, then windows end, then
// the next second is paid.
func (m *model) advance(seconds uint64) {
	m.endHolds()
	for range seconds {
		for i, a := range m.accounts {
			if !a.closed {
				rate := m.rate(i)
				a.spent += rate
			}
		}
		for _, s := range m.streams {
			if s.closedAt == 0 {
				m.paid[s.payee] += s.rate
			}
		}
		m.now++
		m.endAccounts()
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

func (m *model) endAccounts() {
	for i, a := range m.accounts {
		rate := m.rate(i)
		if a.closed || rate == 0 || a.deposited-a.spent-m.held(i) >= rate {
			continue
		}
		for _, s := range m.streams {
			if s.account == i && s.closedAt == 0 {
				s.closedAt = m.now
			}
		}
		for _, h := range m.holds {
			if h.account == i {
				h.over = true
			}
		}
		a.exhaustedAt = m.now
		m.close(a)
	}
}

func (m *model) close(a *modelAccount) {
	a.refunded = (a.deposited - a.spent) / 3600
	a.closed = true
}

// apply does to the model what the chain did. Whether a step was allowed is the chain's to say; what it changes is the
// model's.
func (m *model) apply(s step, err error, p *player) {
	if s.Kind == "block" {
		m.advance(min(s.Seconds, 60))
		return
	}
	if err != nil {
		return
	}
	account := 0
	if len(m.accounts) > 0 {
		account = s.Account % len(m.accounts)
	}
	switch s.Kind {
	case "open account":
		m.accounts = append(m.accounts, &modelAccount{deposited: (100 + int64(s.Rate/4)) * 3600})
	case "stream":
		m.streams = append(m.streams, &modelStream{account: account, payee: s.Other % 3, rate: int64(s.Rate), opened: m.now})
	case "stop":
		m.stop(s, m.now, p)
	case "stop earlier":
		m.stop(s, m.now-min(m.now, s.Seconds%10), p)
	case "deposit", "gift", "add funds":
		if a := m.accounts[account]; !a.closed {
			a.deposited += int64(s.Seconds) * 3600
		}
	case "hold":
		grains := int64(s.Rate) * int64(s.Seconds+10)
		m.holds = append(m.holds, &modelHold{account: account, grains: grains, until: m.now + s.Seconds})
	case "release":
		if len(m.holds) > 0 {
			m.holds[s.Other%len(m.holds)].over = true
		}
	case "pay hold":
		a := m.accounts[account]
		if a.closed {
			return
		}
		paid := min(int64(s.Rate)*int64(s.Seconds), a.deposited-a.spent-m.held(account)-m.rate(account))
		if paid > 0 {
			a.spent += paid
			m.paid[s.Other%3] += paid
		}
	case "close account":
		m.close(m.accounts[account])
	}
}

func (m *model) stop(s step, at uint64, p *player) {
	stream := m.streams[(s.Other+s.Account*6)%len(m.streams)]
	if stream.closedAt != 0 {
		return
	}
	at = max(at, stream.opened, p.clock().EpochStart)
	stream.closedAt = at
	over := stream.rate * int64(m.now-at)
	m.accounts[stream.account].spent -= over
	m.paid[stream.payee] -= over
}

func (m *model) compare(t *rapid.T, p *player) {
	require.Equal(t, m.now, p.Now())
	require.Len(t, p.accounts, len(m.accounts))
	for i, want := range m.accounts {
		got, err := p.Escrow.Account(p.Ctx(), p.accounts[i])
		require.NoError(t, err)
		require.Equal(t, want.closed, got.State == types.AccountState_ACCOUNT_STATE_CLOSED, "account %d", i)
		require.Equal(t, want.exhaustedAt, got.ExhaustedAt, "account %d", i)
		require.Equal(t, m.held(i), got.Held.Int64(), "account %d", i)
		spent := got.Outflow.Intercept.Int64() + got.Outflow.Slope.Int64()*int64(m.now)
		require.Equal(t, want.spent, spent, "account %d", i)
		if !want.closed {
			require.Equal(t, (want.deposited-want.spent)/3600, p.left(p.accounts[i]), "account %d", i)
		}
	}
	genesis, err := p.Escrow.ExportGenesis(p.Ctx())
	require.NoError(t, err)
	for payee := range 3 {
		require.Equal(t, m.paid[payee], p.earned(genesis, p.payeeText(payee)).Int64(), "payee %d", payee)
	}
	balances := int64(0)
	for i := range 6 {
		balances += p.Balance(tenant(i))
	}
	require.Equal(t, p.pockets+m.refunds(), balances)
}

func (m *model) refunds() int64 {
	sum := int64(0)
	for _, a := range m.accounts {
		sum += a.refunded
	}
	return sum
}
