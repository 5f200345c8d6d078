package history

import (
	"fmt"
	"slices"

	sdk "github.com/cosmos/cosmos-sdk/types"

	markettypes "github.com/souk-network/souk/x/market/types"
)

// spec is a bid for a few units, with a wish or two.
func (w *world) spec(s step, i int) markettypes.BidSpec {
	n := s.N + uint64(i)*7
	spec := markettypes.BidSpec{
		Name: fmt.Sprintf("group-%d", i), Unit: units(1 + n%2), Replicas: uint32(1 + n%3), Cap: (hourly + 3) * (1 + n%2),
		NoReplace: n%5 == 0, Standbys: []uint32{0, 1, 0, 2}[n/6%4],
	}
	switch s.B {
	case 0:
		spec.Cap = hourly - 1 // too little
	case 1, 2:
		spec.LeaseSeconds = 1 + n%120
	case 3, 4, 10:
		spec.Class = markettypes.LeaseClass_LEASE_CLASS_SPOT
	case 5:
		spec.MaxPerProvider = 1
		spec.MinReplicas = spec.Replicas
	case 6:
		spec.MaxPerZone = 1
	case 7:
		spec.Requirements = []markettypes.LabelRequirement{{
			Key: "region", Operator: markettypes.Operator_OPERATOR_IN, Values: []string{fmt.Sprint(n % 3)},
		}}
		if s.C%2 == 0 {
			spec.AttestedBy = []string{w.names["auditor"]}
		}
	case 8:
		spec.Deny = []string{w.operator(s.C)}
	case 9:
		spec.LifetimeSeconds = 1 + n%30
	case 11: // wherever it is to be had, with somebody who stands by
		spec.Class, spec.Standbys, spec.Replicas = markettypes.LeaseClass_LEASE_CLASS_SPOT, uint32(1+n/3%2), uint32(1+n/7%2)
		spec.LeaseSeconds = n % 4 / 3 * 300
	}
	if s.B < 11 && n%3 == 2 { // from who offers to serve it
		spec.Mode, spec.Standbys = markettypes.BidMode_BID_MODE_QUOTE, 0
	}
	return spec
}

func (w *world) specs(s step) []markettypes.BidSpec {
	specs := make([]markettypes.BidSpec, 1+s.C%3)
	for i := range specs {
		specs[i] = w.spec(s, i)
	}
	return specs
}

func (w *world) createMessage(s step) sdk.Msg {
	w.deployed++
	m := &markettypes.MsgCreateDeployment{
		Owner: w.tenant(s.A), Name: fmt.Sprintf("d-%d", w.deployed), ManifestHash: hash(s.N), Bids: w.specs(s),
		Deposit: coin(denoms[s.A/3%2], 30+int64(s.small(16_000))),
	}
	if s.A == 11 || s.C == 9 {
		m.Granter = w.names["uncle"]
	}
	if s.C == 10 {
		scope := []markettypes.Scope{markettypes.Scope_SCOPE_MANAGE, markettypes.Scope_SCOPE_WATCH}[s.N%2]
		m.Custodians = []string{w.operator(s.B)}
		m.AccessKeys = []markettypes.AccessKey{{Address: w.names["stranger"], Scopes: []markettypes.Scope{scope}}}
	}
	return m
}

// updateMessage declares a deployment anew: mostly the same bids with another number of replicas, unit or cap.
func (w *world) updateMessage(s step) sdk.Msg {
	a := w.deployment(s)
	if a == nil {
		return nil
	}
	m := &markettypes.MsgUpdateDeployment{Signer: a.owner, Deployment: a.id, ManifestHash: hash(s.N), Version: s.N % 3 / 2}
	if s.C == 10 {
		m.Signer = w.names["stranger"]
	}
	for i, id := range a.bids {
		spec := w.bids[id].spec
		switch s.B {
		case 0, 1, 2:
			spec.Replicas = uint32(1 + s.small(4))
			spec.MinReplicas = min(spec.MinReplicas, spec.Replicas)
			spec.Standbys = uint32(s.small(12) / 4)
		case 3, 4, 5:
			spec.Unit, spec.Cap = units(1+s.small(3)), spec.Cap*3
		case 6:
			spec.Unit.CpuMillis = 500
		case 7:
			if i > 0 {
				continue
			}
		case 8:
			spec.NoReplace = !spec.NoReplace
		}
		m.Bids = append(m.Bids, spec)
	}
	if s.B == 9 {
		m.Bids = w.specs(s)
	}
	return m
}

func (w *world) closeMessage(s step) sdk.Msg {
	a := w.deployment(s)
	if a == nil {
		return nil
	}
	signer := a.owner
	if s.B == 11 {
		signer = w.names["stranger"]
	}
	if s.Kind == "close deployment" {
		return &markettypes.MsgCloseDeployment{Owner: signer, Deployment: a.id}
	}
	lease := pick(a.leases, s.B)
	if lease == nil {
		return nil
	}
	return &markettypes.MsgCloseLease{Signer: signer, Lease: lease.Id, Replace: s.C%2 == 0}
}

// watchMessage gives up a lease, or asks whether its provider lives: mostly the tenant does, and of a lease that serves.
func (w *world) watchMessage(s step) sdk.Msg {
	leases := w.live(func(l *lease) bool { return s.C > 8 || l.State.Paid() })
	if guarded := w.guardedOf(leases); s.C%3 > 0 && len(guarded) > 0 {
		leases = guarded
	}
	l := pick(leases, s.A)
	if l == nil {
		return nil
	}
	signer := l.account.owner
	switch s.B {
	case 9:
		signer = w.clerk(w.operator(s.C), 2)
	case 10:
		for _, other := range l.account.live() {
			if other.Provider != l.Provider && other.Bid == l.Bid {
				signer = w.clerk(other.Provider, s.C)
			}
		}
	case 11:
		signer = w.names["stranger"]
	}
	if s.Kind == "failover" {
		return &markettypes.MsgFailover{Signer: signer, Lease: l.Id}
	}
	return &markettypes.MsgChallengeLease{Signer: signer, Lease: l.Id}
}

// guardedOf are those of leases that somebody is ready to take over.
func (w *world) guardedOf(leases []*lease) []*lease {
	return slices.DeleteFunc(slices.Clone(leases), func(l *lease) bool {
		return l.Standby || !slices.ContainsFunc(l.account.live(), func(o *lease) bool {
			return o.Bid == l.Bid && o.Standby && o.State.Paid()
		})
	})
}

// aliveMessage answers for leases of a provider that are challenged.
func (w *world) aliveMessage(s step) sdk.Msg {
	challenged := w.live(func(l *lease) bool { return l.AnswerBy != 0 || s.C == 10 })
	if len(challenged) == 0 {
		return nil
	}
	operator := pick(challenged, s.A).Provider
	m := &markettypes.MsgAnswerAlive{Signer: w.clerk(operator, s.C), Provider: operator}
	for _, l := range challenged {
		if l.Provider == operator || s.C == 9 {
			m.Leases = append(m.Leases, l.Id)
		}
	}
	return m
}

// leaseMessage is about leases of a provider: all that wait, or some.
func (w *world) leaseMessage(s step) sdk.Msg {
	waits := s.Kind == "ack" || s.Kind == "decline"
	candidates := w.live(func(l *lease) bool {
		waiting := l.State == markettypes.LeaseState_LEASE_STATE_PENDING
		return waiting == waits || s.C == 10
	})
	if spot := slices.DeleteFunc(slices.Clone(candidates), func(l *lease) bool {
		return l.Class != markettypes.LeaseClass_LEASE_CLASS_SPOT
	}); s.Kind == "reclaim" && len(spot) > 0 {
		candidates = spot
	}
	if guarded := w.guardedOf(candidates); s.Kind != "ack" && s.C%3 == 1 && len(guarded) > 0 {
		candidates = guarded
	}
	if len(candidates) == 0 {
		return nil
	}
	operator := pick(candidates, s.A).Provider
	var ids []uint64
	for _, l := range candidates {
		if l.Provider == operator || s.C == 9 {
			ids = append(ids, l.Id)
		}
	}
	if s.B < 4 || s.Kind != "ack" {
		ids = ids[:1+s.B%len(ids)]
	}
	signer := w.clerk(operator, s.C)
	switch s.Kind {
	case "ack":
		m := &markettypes.MsgAckLeases{Signer: signer, Provider: operator, Accept: ids}
		if s.B == 11 {
			m.Accept, m.Decline = ids[1:], ids[:1]
		}
		return m
	case "decline":
		return &markettypes.MsgAckLeases{Signer: signer, Provider: operator, Decline: ids}
	case "resign":
		return &markettypes.MsgResignLeases{
			Signer: signer, Provider: operator, Leases: ids, Reason: markettypes.Reason_REASON_PROVIDER_LEFT + markettypes.Reason(s.A%2),
		}
	default:
		return &markettypes.MsgReclaimLeases{Signer: signer, Provider: operator, Leases: ids}
	}
}

func (w *world) offerMessage(n *net, s step) sdk.Msg {
	terms := markettypes.OfferTerms{}
	switch s.C {
	case 0, 1, 2:
		terms.Class = markettypes.LeaseClass_LEASE_CLASS_SPOT
	case 3:
		terms.ExpiresAt = w.now + s.small(50)
	case 4:
		terms.MinDeposit = sdk.NewCoins(coin(native, 1000))
	case 5:
		terms.MaxLeaseSeconds = 50
	case 6:
		terms.Deny = []string{w.tenant(s.A)}
	}
	switch s.Kind {
	case "pool":
		m := n.setPool(s.A%providers, uint32(s.B%2), units(s.small(12)))
		m.Signer = w.clerk(m.Provider, s.C)
		return m
	case "post offer":
		m := n.postOffer(s.A%providers, uint32(s.B%2), hourly+s.small(4))
		m.Signer, m.Terms = w.clerk(m.Provider, s.C), terms
		return m
	}
	standing := slices.DeleteFunc(slices.Clone(w.offers), func(o *offer) bool { return o.over && s.B != 11 })
	o := pick(standing, s.A)
	if o == nil {
		return nil
	}
	if s.Kind == "withdraw offer" {
		return &markettypes.MsgWithdrawOffer{Signer: w.clerk(o.provider, s.C), Offer: o.id}
	}
	return &markettypes.MsgUpdateOffer{
		Signer: w.clerk(o.provider, s.B), Offer: o.id, Asks: asks(hourly + s.small(6)), Terms: terms,
		Labels: []markettypes.Label{{Key: "region", Value: fmt.Sprint(s.B % 3)}, {Key: "zone", Value: fmt.Sprint(s.C % 3)}},
	}
}

func (w *world) marketParams(authority string, s step) sdk.Msg {
	p := w.market
	switch s.B % 7 {
	case 0:
		p.AckWindowSeconds = 1 + uint32(s.small(40))
	case 1:
		p.NoticeSeconds, p.ReclaimNoticeSeconds = 1+uint32(s.small(200)), 1+uint32(s.small(20))
	case 2, 3:
		p.Halted = !p.Halted
	case 4:
		p.BidsPerBlock, p.OffersPerBlock, p.ClassesPerBlock = 2+uint32(s.small(3)), 1+uint32(s.A), 1+uint32(s.A%3)
	case 5:
		p.BidLifetimeSeconds, p.MissedAcks, p.SuspensionSeconds = 1+uint32(s.small(300)), 1+uint32(s.A%3), uint32(s.small(50))
	case 6:
		p.StandbyBps = 1 + uint32(s.small(10_000))
	}
	return &markettypes.MsgUpdateParams{Authority: authority, Params: p}
}
