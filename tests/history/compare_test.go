package history

import (
	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// compare checks that every open deployment is on the chain as it is in the world, to the grain and the second.
func (p *player) compare() {
	for _, a := range p.w.accounts {
		if !a.closed {
			p.compareAccount(a)
		}
	}
	if p.played%12 == 0 {
		p.compareAll()
	}
}

func (p *player) compareAccount(a *account) {
	t, n := p.t, p.prompt
	stored, err := n.Escrow.Account(n.Ctx(), a.id)
	require.NoError(t, err)
	require.NotEqual(t, escrowtypes.AccountState_ACCOUNT_STATE_CLOSED, stored.State, "account %d", a.id)
	require.Equal(t, a.low, stored.State == escrowtypes.AccountState_ACCOUNT_STATE_LOW, "account %d is low", a.id)
	require.Equal(t, a.held, stored.Held.Int64(), "held in account %d", a.id)
	require.Equal(t, a.rate(), stored.Outflow.Slope.Int64(), "rate of account %d", a.id)
	require.Equal(t, a.spent, stored.Outflow.Intercept.Int64()+stored.Outflow.Slope.Int64()*int64(p.w.now), "spent of account %d", a.id)
	for _, l := range a.leases {
		if l.State.Live() {
			p.compareLease(l)
		}
	}
	for _, b := range p.w.bidsOf(a) {
		p.compareBid(b)
	}
}

// compareBid checks what a bid has, and until when it wants more.
func (p *player) compareBid(b *bid) {
	r, err := p.prompt.queries().Bid(p.prompt.Ctx(), &markettypes.QueryBidRequest{Id: b.id})
	require.NoError(p.t, err)
	require.Equal(p.t, b.state, r.Bid.State, "bid %d", b.id)
	require.Equal(p.t, [...]uint32{b.placed, b.standing, b.released}, [...]uint32{r.Bid.Placed, r.Bid.StandingBy, r.Bid.Released},
		"bid %d: placed, standing by, released", b.id)
	require.Equal(p.t, b.returned, r.Bid.Returned, "bid %d has lost replicas", b.id)
	if b.state == markettypes.BidState_BID_STATE_OPEN {
		require.Equal(p.t, b.expires, r.Bid.ExpiresAt, "bid %d", b.id)
	}
}

func (p *player) compareLease(l *lease) {
	seen, found := p.prompt.lease(p.t, l.Id)
	require.True(p.t, found, "lease %d", l.Id)
	require.Equal(p.t, l.State, seen.State, "lease %d: %s %s %d", l.Id, seen.State, seen.Reason, seen.ClosedAt)
	require.Equal(p.t, [...]uint64{l.AckedAt, l.EndsAt, l.LeavesAt, l.Rate}, [...]uint64{seen.AckedAt, seen.EndsAt, seen.LeavesAt, seen.Rate},
		"lease %d", l.Id)
	require.Equal(p.t, l.Standby, seen.Standby, "lease %d stands by", l.Id)
	require.Equal(p.t, [...]uint64{uint64(l.StandbyBps), l.AnswerBy}, [...]uint64{uint64(seen.StandbyBps), seen.AnswerBy}, "lease %d", l.Id)
	require.Equal(p.t, l.State.Paid() && l.account.low && !l.Standby, seen.Paused, "lease %d is paused", l.Id)
}

// compareAll compares also what has ended and what everybody has, and checks all invariants.
func (p *player) compareAll() {
	p.prompt.check(p.t)
	if p.slow != nil {
		p.slow.check(p.t)
	}
	if p.w.wild {
		return
	}
	for _, a := range p.w.accounts {
		for _, l := range a.leases {
			if seen, found := p.prompt.lease(p.t, l.Id); found {
				require.Equal(p.t, l.State, seen.State, "lease %d: %s", l.Id, seen.Reason)
				require.Equal(p.t, l.Reason, seen.Reason, "lease %d", l.Id)
				require.Equal(p.t, l.ClosedAt, seen.ClosedAt, "lease %d", l.Id)
			}
		}
		if stored, err := p.prompt.Escrow.Account(p.prompt.Ctx(), a.id); err == nil && a.closed {
			require.Equal(p.t, escrowtypes.AccountState_ACCOUNT_STATE_CLOSED, stored.State, "account %d", a.id)
			require.Equal(p.t, a.exhausted, stored.ExhaustedAt != 0, "account %d", a.id)
			require.Equal(p.t, a.spent, stored.Outflow.Intercept.Int64(), "spent of account %d", a.id)
		}
	}
	p.compareMoney()
}

// compareMoney compares what everybody has, to the micro-denom: people, bonds, the community, the supply.
func (p *player) compareMoney() {
	w, n := p.w, p.prompt
	for _, denom := range denoms {
		for _, name := range people {
			require.Equal(p.t, w.pockets[purse{w.names[name], denom}], n.has(name, denom), "%s has of %s", name, denom)
		}
		require.Equal(p.t, w.community[denom], n.community(denom), "the community has of %s", denom)
		supply := n.Bank.GetSupply(n.Ctx(), denom).Amount.Int64()
		require.Equal(p.t, int64(len(people))*wealth-w.burnt[denom], supply, "supply of %s", denom)
		staked := int64(0)
		for _, s := range w.providers {
			staked += s.atStake(denom)
			require.LessOrEqual(p.t, s.withdrawn[denom]*grains, s.earned[denom], "%s withdrew more %s than it earned", s.operator, denom)
		}
		require.Equal(p.t, staked, n.moduleHas("provider", denom), "bonds of %s", denom)
	}
}

// compareSlow checks that what lives is the same on both chains, in the block in which the slow one has caught up.
func (p *player) compareSlow() {
	for _, a := range p.w.accounts {
		if a.closed {
			continue
		}
		stored, err := p.prompt.Escrow.Account(p.prompt.Ctx(), a.id)
		require.NoError(p.t, err)
		same, err := p.slow.Escrow.Account(p.slow.Ctx(), a.id)
		require.NoError(p.t, err)
		require.Equal(p.t, settled(stored), settled(same), "account %d of the slow chain", a.id)
	}
}

// settled is an account without what depends on when it was settled last.
func settled(a escrowtypes.Account) string {
	for i, d := range a.Deposits {
		a.Deposits[i].Remainder, a.Deposits[i].Spent = d.Remainder.Add(d.Spent), math.ZeroInt()
	}
	return a.String()
}
