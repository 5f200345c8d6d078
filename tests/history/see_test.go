package history

import (
	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/authz"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// seeLeases takes the leases of a clearing into the world, which knows that each was possible, and notes that there was one.
func (p *player) seeLeases() {
	w := p.w
	if w.wild {
		p.seeStates()
	}
	if p.slow != nil && !p.lagged {
		p.compareSlow()
	}
	p.takeNew()
	if w.now > w.clearedAt {
		w.clearedAt = w.now
		for _, pool := range w.pools {
			pool.counting = pool.total
		}
	}
}

// takeNew takes the leases into the world that it does not know.
func (p *player) takeNew() {
	w := p.w
	opened := map[*pool]bool{}
	for {
		seen, found := p.prompt.lease(p.t, uint64(len(w.leases)+1))
		if !found {
			break
		}
		if p.slow != nil {
			same, _ := p.slow.lease(p.t, seen.Id)
			require.Equal(p.t, seen, same, "lease %d of the slow chain", seen.Id)
		}
		a := w.account(seen.Deployment)
		l := &lease{Lease: seen, account: a, held: seen.Held.Int64(), window: int64(seen.AckBy - seen.CreatedAt)}
		w.leases, a.leases = append(w.leases, l), append(a.leases, l)
		a.held += l.held
		if !w.wild {
			p.checkNew(l)
			w.place(l)
		}
		opened[w.pool(l.Provider, l.Pool)] = true
	}
	for pool := range opened {
		p.checkCapacity(pool)
	}
}

// checkNew checks that a lease is what its bid and its provider allow.
func (p *player) checkNew(l *lease) {
	w, t := p.w, p.t
	require.Equal(t, markettypes.LeaseState_LEASE_STATE_PENDING, l.State)
	require.Equal(t, w.now, l.CreatedAt)
	require.Equal(t, w.now+uint64(w.market.AckWindowSeconds), l.AckBy)
	require.Equal(t, int64(l.Rate)*int64(w.market.AckWindowSeconds+w.escrow.MinRunwaySeconds), l.held)
	require.False(t, w.market.Halted || w.halted(l.Denom) || l.account.low || l.account.closed, "lease %d", l.Id)
	s, b := w.supplier(l.Provider), w.bids[l.Bid]
	require.Equal(t, markettypes.BidState_BID_STATE_OPEN, b.state, "bid %d", b.id)
	require.Equal(t, b.missing() == 0, l.Standby, "lease %d: replicas come first", l.Id)
	p.checkApart(l)
	require.False(t, s.jailed || s.leaving, "lease %d", l.Id)
	require.NotContains(t, b.failed, l.Provider, "lease %d at one that failed its bid", l.Id)
	require.LessOrEqual(t, l.Rate, b.spec.Cap*uint64(l.Replicas), "lease %d costs more than its bid allows", l.Id)
	replicas := uint32(0)
	for _, other := range l.account.leases {
		if other.Bid == l.Bid && other.State.Live() && !other.Standby {
			replicas += other.Replicas
		}
	}
	require.LessOrEqual(t, replicas, b.spec.Replicas, "bid %d", l.Bid)
	require.GreaterOrEqual(t, l.account.free(), int64(0))
	exposed := int64(0)
	for _, other := range w.live(func(o *lease) bool { return o.Provider == l.Provider && o.Denom == l.Denom }) {
		exposed += int64(other.Rate)
	}
	require.LessOrEqual(t, exposed*int64(w.provider.BondHours), s.bond[l.Denom], "lease %d is not bonded", l.Id)
}

// checkApart checks that a bid does not stand by where it is served, and that it stands by at one provider and in one zone once.
func (p *player) checkApart(l *lease) {
	if l.Standby {
		require.Equal(p.t, uint32(1), l.Replicas, "standby %d", l.Id)
		require.Less(p.t, p.w.bids[l.Bid].standing, p.w.bids[l.Bid].spec.Standbys, "standby %d", l.Id)
	}
	for _, other := range l.account.live() {
		if other == l || other.Bid != l.Bid || !l.Standby && !other.Standby {
			continue
		}
		require.NotEqual(p.t, other.Provider, l.Provider, "leases %d and %d of bid %d", other.Id, l.Id, l.Bid)
		if l.Standby {
			require.NotEqual(p.t, p.w.offers[other.Offer-1].zone, p.w.offers[l.Offer-1].zone, "leases %d and %d of bid %d", other.Id, l.Id, l.Bid)
		}
	}
}

// place counts a new lease as what its bid still missed.
func (w *world) place(l *lease) {
	b := w.bids[l.Bid]
	if l.Standby {
		b.standing++
		w.noted("standby placed")
	} else {
		b.placed += l.Replicas
	}
	b.fill()
}

// checkCapacity checks that a pool out of which something was just given has not given more than it has.
func (p *player) checkCapacity(pool *pool) {
	if pool == nil {
		return
	}
	has := pool.counting.Vector()
	for _, l := range p.w.live(func(l *lease) bool { return l.Provider == pool.provider && l.Pool == pool.id }) {
		for i, q := range l.Unit.Times(l.Replicas) {
			require.GreaterOrEqual(p.t, has[i], q, "pool %d of %s is oversold", pool.id, pool.provider)
			has[i] -= q
		}
	}
}

// note takes who and what there is into a wild world.
func (w *world) note(message sdk.Msg, answer any) {
	switch m := message.(type) {
	case *escrowtypes.MsgUpdateParams, *providertypes.MsgUpdateParams, *markettypes.MsgUpdateParams, *markettypes.MsgCreateDeployment,
		*providertypes.MsgRegister, *markettypes.MsgSetPool, *markettypes.MsgPostOffer, *markettypes.MsgWithdrawOffer:
		w.apply(message, answer)
	case *authz.MsgGrant, *authz.MsgRevoke:
		w.applyGrant(message)
	case *providertypes.MsgJail:
		w.supplier(m.Provider).jailed = true
	case *providertypes.MsgUnjail:
		w.supplier(m.Operator).jailed = false
	case *markettypes.MsgUpdateDeployment:
		r := answer.(*markettypes.MsgUpdateDeploymentResponse)
		w.account(m.Deployment).bids = r.Bids
		for i, id := range r.Bids {
			w.bids[id] = &bid{spec: m.Bids[i]}
		}
	}
}

// seeStates reads the leases and the accounts that a wild world believes to live.
func (p *player) seeStates() {
	w := p.w
	w.now = p.prompt.Now()
	for _, a := range w.accounts {
		if a.closed {
			continue
		}
		stored, err := p.prompt.Escrow.Account(p.prompt.Ctx(), a.id)
		a.closed = err != nil || stored.State == escrowtypes.AccountState_ACCOUNT_STATE_CLOSED
		for _, l := range a.leases {
			if !l.State.Live() {
				continue
			}
			seen, found := p.prompt.lease(p.t, l.Id)
			if !found {
				seen.State = markettypes.LeaseState_LEASE_STATE_CLOSED
			}
			l.State, l.Unit, l.Replicas, l.Standby, l.AnswerBy = seen.State, seen.Unit, seen.Replicas, seen.Standby, seen.AnswerBy
		}
	}
}
