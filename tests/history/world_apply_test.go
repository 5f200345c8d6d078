package history

import (
	"fmt"
	"slices"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/authz"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// apply does what an accepted message does.
func (w *world) apply(message sdk.Msg, response any) {
	switch m := message.(type) {
	case *escrowtypes.MsgDeposit:
		w.deposit(m)
	case *escrowtypes.MsgUpdateParams:
		w.escrow = m.Params
	case *providertypes.MsgUpdateParams:
		w.provider = m.Params
	case *markettypes.MsgUpdateParams:
		w.market = m.Params
	case *authz.MsgGrant, *authz.MsgRevoke:
		w.applyGrant(message)
	case *markettypes.MsgCreateDeployment:
		w.create(m, response.(*markettypes.MsgCreateDeploymentResponse))
	case *markettypes.MsgUpdateDeployment, *markettypes.MsgCloseLease, *markettypes.MsgCloseDeployment, *markettypes.MsgFailover,
		*markettypes.MsgChallengeLease:
		w.applyTenant(message, response)
	case *markettypes.MsgAckLeases:
		results := response.(*markettypes.MsgAckLeasesResponse).Results
		w.each(results[:len(m.Accept)], w.take)
		w.each(results[len(m.Accept):], func(l *lease) {
			w.settle(w.bids[l.Bid].live)
			w.miss(l, markettypes.Reason_REASON_DECLINED)
		})
	case *markettypes.MsgResignLeases:
		w.each(response.(*markettypes.MsgResignLeasesResponse).Results, func(l *lease) { w.notice(l, m.Reason, w.market.NoticeSeconds) })
	case *markettypes.MsgAnswerAlive:
		w.each(response.(*markettypes.MsgAnswerAliveResponse).Results, func(l *lease) { l.AnswerBy = 0 })
	case *markettypes.MsgReclaimLeases:
		w.each(response.(*markettypes.MsgReclaimLeasesResponse).Results, func(l *lease) {
			w.notice(l, markettypes.Reason_REASON_RECLAIMED, w.market.ReclaimNoticeSeconds)
		})
	default:
		w.applyProvider(message, response)
	}
}

// each does something to the leases of which a result tells no error.
func (w *world) each(results []markettypes.AckResult, do func(*lease)) {
	for _, r := range results {
		if r.Error == "" {
			do(w.lease(r.Lease))
		}
	}
}

func (w *world) deposit(m *escrowtypes.MsgDeposit) {
	a, micro := w.account(m.Account), m.Amount.Amount.Int64()
	if m.Granter == "" {
		w.pockets[purse{m.Signer, a.denom}] -= micro
		w.fund(a, a.owner, "", micro)
		return
	}
	w.pockets[purse{m.Granter, a.denom}] -= micro
	w.spend(grant{m.Granter, m.Signer}, a.denom, micro)
	w.fund(a, m.Granter, m.Signer, micro)
}

// spend takes a deposit off what one may deposit for another.
func (w *world) spend(by grant, denom string, micro int64) {
	if limit, stands := w.limits[by]; stands {
		limit.left[denom] -= micro
		limit.spent[denom] += micro
	}
}

// applyGrant does what the messages of authz do: all grants of a history are of deposits and never expire.
func (w *world) applyGrant(message sdk.Msg) {
	switch m := message.(type) {
	case *authz.MsgGrant:
		limit := allowance{left: map[string]int64{}, spent: map[string]int64{}}
		for _, c := range m.Grant.Authorization.GetCachedValue().(*escrowtypes.DepositAuthorization).SpendLimit {
			limit.left[c.Denom] = c.Amount.Int64()
		}
		w.limits[grant{m.Granter, m.Grantee}] = limit
	case *authz.MsgRevoke:
		delete(w.limits, grant{m.Granter, m.Grantee})
	}
}

func (w *world) create(m *markettypes.MsgCreateDeployment, r *markettypes.MsgCreateDeploymentResponse) {
	a := &account{id: r.Account, owner: m.Owner, name: m.Name, denom: m.Deposit.Denom, bids: r.Bids}
	w.accounts = append(w.accounts, a)
	micro := m.Deposit.Amount.Int64()
	if m.Granter == "" {
		w.pockets[purse{m.Owner, a.denom}] -= micro
		a.add(m.Owner, "", micro)
	} else {
		w.pockets[purse{m.Granter, a.denom}] -= micro
		w.spend(grant{m.Granter, m.Owner}, a.denom, micro)
		a.add(m.Granter, m.Owner, micro)
	}
	for i, id := range r.Bids {
		w.bids[id] = &bid{id: id, account: a, spec: m.Bids[i]}
		w.rest(w.bids[id])
	}
}

// applyTenant does what a tenant did to leases. What an update does to them is seen afterwards.
func (w *world) applyTenant(message sdk.Msg, response any) {
	switch m := message.(type) {
	case *markettypes.MsgCloseLease:
		l := w.lease(m.Lease)
		w.settle(w.bids[l.Bid].live)
		w.closeByTenant(l)
		if m.Replace {
			w.lose(l, true)
		} else {
			w.release(l, markettypes.Reason_REASON_TENANT)
		}
		w.resume(l.account, 0)
	case *markettypes.MsgCloseDeployment:
		a := w.account(m.Deployment)
		w.settle(a.live)
		// Nothing stops flowing before all who waited are paid.
		for _, l := range a.leases {
			if l.State == markettypes.LeaseState_LEASE_STATE_PENDING {
				w.closeByTenant(l)
			}
		}
		for _, l := range a.leases {
			if l.State.Live() {
				w.closeByTenant(l)
			}
		}
		w.refund(a)
	case *markettypes.MsgFailover:
		w.failover(m, response.(*markettypes.MsgFailoverResponse))
	case *markettypes.MsgChallengeLease:
		l := w.lease(m.Lease)
		w.settle(func() []*lease { return []*lease{l} })
		w.pockets[purse{m.Signer, native}] -= w.market.ChallengeFee.Amount.Int64()
		w.pockets[purse{w.supplier(l.Provider).payout, native}] += w.market.ChallengeFee.Amount.Int64()
		l.AnswerBy = w.now + uint64(w.market.AnswerWindowSeconds)
	case *markettypes.MsgUpdateDeployment:
		w.settle(w.account(m.Deployment).live)
	}
}

// failover gives up a lease. The chain has told who takes over.
func (w *world) failover(m *markettypes.MsgFailover, r *markettypes.MsgFailoverResponse) {
	l := w.lease(m.Lease)
	w.settle(w.bids[l.Bid].live)
	if l.State == markettypes.LeaseState_LEASE_STATE_PENDING {
		w.closeByTenant(l)
	} else {
		w.end(l, markettypes.LeaseState_LEASE_STATE_FAILED, markettypes.Reason_REASON_TENANT_FAILOVER)
	}
	if heirs := w.lose(l, true); !slices.Equal(heirs, r.Promoted) {
		panic(fmt.Sprintf("lease %d is taken over by %v, not by %v", l.Id, heirs, r.Promoted))
	}
	w.resume(l.account, 0)
}

// updated does to the leases of a deployment what the chain says that an update did to them: some ended, some have another
// shape.
func (w *world) updated(m *markettypes.MsgUpdateDeployment, r *markettypes.MsgUpdateDeploymentResponse, now []markettypes.Lease) {
	a := w.account(m.Deployment)
	live := map[uint64]markettypes.Lease{}
	for _, l := range now {
		live[l.Id] = l
	}
	for _, l := range a.leavingOrder(slices.Concat(r.Bids, a.bids)) {
		if _, lives := live[l.Id]; l.State.Live() && !lives {
			w.closeByTenant(l)
		}
	}
	for _, l := range a.leases {
		if to, lives := live[l.Id]; lives && l.State.Live() && to.Rate != l.Rate || lives && to.Unit != l.Unit {
			w.reshape(l, to)
		}
	}
	w.redeclare(a, m, r.Bids)
	w.resume(a, 0)
}

func (w *world) applyProvider(message sdk.Msg, response any) {
	switch m := message.(type) {
	case *providertypes.MsgRegister:
		w.enlist(m)
	case *providertypes.MsgUpdate:
		w.supplier(m.Operator).payout = payout(m.Operator, m.Payout)
	case *providertypes.MsgBond:
		w.addBond(m.Operator, m.Amount)
	case *providertypes.MsgUnbond:
		r := response.(*providertypes.MsgUnbondResponse)
		s := w.supplier(m.Operator)
		s.bond[m.Amount.Denom] -= m.Amount.Amount.Int64()
		s.unbondings = append(s.unbondings, &unbonding{r.Unbonding, r.CompletesAt, m.Amount.Denom, m.Amount.Amount.Int64()})
	case *providertypes.MsgJail:
		w.jail(m)
	case *providertypes.MsgUnjail:
		w.supplier(m.Operator).jailed = false
	case *providertypes.MsgDeregister:
		w.supplier(m.Operator).leaving = true
		for _, o := range w.offers {
			o.over = o.over || o.provider == m.Operator
		}
		w.fileSweep(m.Operator, markettypes.SweepCause_SWEEP_CAUSE_LEAVING)
	case *providertypes.MsgWithdraw:
		r := response.(*providertypes.MsgWithdrawResponse)
		s := w.supplier(m.Provider)
		w.pockets[purse{s.payout, m.Denom}] += r.Amount.Amount.Int64()
		w.community[m.Denom] += r.Fee.Amount.Int64()
		s.withdrawn[m.Denom] += r.Amount.Amount.Int64() + r.Fee.Amount.Int64()
	case *markettypes.MsgSetPool:
		w.declare(m)
	case *markettypes.MsgPostOffer:
		id := response.(*markettypes.MsgPostOfferResponse).Offer
		w.offers = append(w.offers, &offer{id: id, provider: m.Provider, pool: m.Pool, zone: zoneOf(m.Labels)})
	case *markettypes.MsgUpdateOffer:
		w.offers[m.Offer-1].zone = zoneOf(m.Labels)
	case *markettypes.MsgWithdrawOffer:
		w.offers[m.Offer-1].over = true
	}
}

func payout(operator, payout string) string {
	if payout == "" {
		return operator
	}
	return payout
}

func (w *world) enlist(m *providertypes.MsgRegister) {
	s := w.supplier(m.Operator)
	if s == nil {
		s = &supplier{
			operator: m.Operator, bond: map[string]int64{}, earned: map[string]int64{}, withdrawn: map[string]int64{},
		}
		w.providers = append(w.providers, s)
	}
	s.payout, s.leaving = payout(m.Operator, m.Payout), false
	for _, c := range m.Bond {
		w.addBond(m.Operator, c)
	}
}

func (w *world) addBond(operator string, c sdk.Coin) {
	w.pockets[purse{operator, c.Denom}] -= c.Amount.Int64()
	w.supplier(operator).bond[c.Denom] += c.Amount.Int64()
}

func (w *world) jail(m *providertypes.MsgJail) {
	s := w.supplier(m.Provider)
	for _, denom := range denoms {
		w.publish(denom, s.slash(denom, s.atStake(denom)*int64(m.SlashBps)/10_000))
	}
	if !s.jailed {
		w.fileSweep(m.Provider, markettypes.SweepCause_SWEEP_CAUSE_JAILED)
	}
	s.jailed = true
}

func (w *world) declare(m *markettypes.MsgSetPool) {
	p := w.pool(m.Provider, m.Id)
	if p == nil {
		p = &pool{provider: m.Provider, id: m.Id, counting: m.Total}
		w.pools = append(w.pools, p)
	}
	p.total = m.Total
	p.counting = larger(p.counting, m.Total)
}

// larger is the larger of two amounts of each resource.
func larger(a, b markettypes.Resources) markettypes.Resources {
	x, y := a.Vector(), b.Vector()
	for i := range x {
		x[i] = max(x[i], y[i])
	}
	return markettypes.ResourcesOf(x)
}
