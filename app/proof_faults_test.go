package app_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/app/apptest"
	"github.com/souk-network/souk/app/scope"
	markettypes "github.com/souk-network/souk/x/market/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// What a unit costs in an epoch, in micro-denom.
const paidAnEpoch = provenEpoch * perSecond

// Every row of the table of faults in /x/proof/README.md, by transactions that anybody could send.

func TestAnAuditThatNobodyAnswersCostsBondAndAllThatIsHeldBack(t *testing.T) {
	m := newProvenMarket(t, 2)
	shop := m.shops[0]
	lease := m.rents(shop, "web")
	m.proves(shop, 1, 100)
	m.endOf(2)
	require.Equal(t, prooftypes.RefundState_REFUND_STATE_WAITS, m.refund(lease, 2).State)
	m.commits(shop, 2, 100)
	m.draws()
	c := m.commitment(shop, 2).Commitment
	require.Equal(t, prooftypes.CommitmentState_COMMITMENT_STATE_AUDITED, c.State)
	require.Empty(t, m.faults(shop))
	stake, heldBack := m.bondOf(shop), m.earnings(shop).HeldBack
	m.until(c.OpenBy)

	faults := m.faults(shop)
	require.Len(t, faults, 1, kinds(faults))
	fault := faults[0]
	require.Equal(t, prooftypes.FaultKind_FAULT_KIND_FORGED, fault.Kind)
	require.Equal(t, uint64(2), fault.Epoch)
	require.Equal(t, c.Id, fault.Commitment.Id, "the evidence")
	require.Equal(t, c.Roots, fault.Commitment.Roots)
	require.NotEmpty(t, fault.Reason)
	require.Equal(t, stake.QuoRaw(20).String(), fault.Slashed.AmountOf(scope.Denom).String(), "5 %% of the bond")
	require.Equal(t, stake.Sub(stake.QuoRaw(20)).String(), m.bondOf(shop).String())
	require.True(t, m.provider(shop).Jailed())
	require.True(t, fault.Forfeited.AmountOf(scope.Denom).GTE(heldBack), "%s of %s", fault.Forfeited, heldBack)
	require.True(t, m.earnings(shop).HeldBack.IsZero())

	before := m.account(lease)
	for epoch := uint64(1); epoch <= 2; epoch++ {
		due := m.refund(lease, epoch)
		require.Equal(t, prooftypes.RefundState_REFUND_STATE_WHOLE, due.State, "also what was proven")
		m.must(m.poster, &prooftypes.MsgClaimRefund{Signer: m.poster.String(), Lease: lease, Epoch: epoch})
		require.Equal(t, due.Due.Grains.String(), m.refund(lease, epoch).Paid.String())
	}
	ended := m.lease(lease)
	require.Equal(t, markettypes.Reason_REASON_JAILED, ended.Reason, "it is for others to serve")
	back := int64(m.refund(lease, 1).Due.Seconds+m.refund(lease, 2).Due.Seconds) * perSecond
	require.Equal(t, before.AddRaw(back).String(), m.account(lease).String())
}

func TestALeafThatIsNotShownIsPaidBackElevenTimes(t *testing.T) {
	m := newProvenMarket(t, 2, func(p *prooftypes.Params) { p.WithheldPpm = prooftypes.WholePpm })
	shop := m.shops[0]
	lease := m.rents(shop, "web")
	m.proves(shop, 2, 100) // all that was not shown is no more than what was credited
	m.must(m.tenant, &prooftypes.MsgForceOpen{Signer: m.tenant.String(), Lease: lease, Epoch: 2})
	stake, before := m.bondOf(shop), m.account(lease)
	at := m.now()
	m.until(at + forceWindow + 1)

	faults := m.faults(shop)
	require.Len(t, faults, 1, kinds(faults))
	require.Equal(t, prooftypes.FaultKind_FAULT_KIND_WITHHELD, faults[0].Kind)
	require.Equal(t, lease, faults[0].Lease)
	require.Equal(t, int64(10*paidAnEpoch), faults[0].Slashed.AmountOf(scope.Denom).Int64())
	require.Equal(t, stake.SubRaw(10*paidAnEpoch).String(), m.bondOf(shop).String())
	require.False(t, m.provider(shop).Jailed())
	spent := int64(m.now()-at) * perSecond
	require.Equal(t, before.AddRaw(11*paidAnEpoch-spent).String(), m.account(lease).String())
}

func TestWhoWithholdsMuchIsAForger(t *testing.T) {
	m := newProvenMarket(t, 2)
	shop := m.shops[0]
	lease := m.rents(shop, "web")
	m.proves(shop, 1, 80)
	m.must(m.tenant, &prooftypes.MsgForceOpen{Signer: m.tenant.String(), Lease: lease, Epoch: 1})
	m.until(m.now() + forceWindow + 1)
	faults := m.faults(shop)
	require.Len(t, faults, 2, kinds(faults))
	require.Equal(t, prooftypes.FaultKind_FAULT_KIND_FORGED, faults[0].Kind)
	require.Equal(t, prooftypes.FaultKind_FAULT_KIND_WITHHELD, faults[1].Kind)
	require.True(t, m.provider(shop).Jailed())
}

func TestALeafThatIsShownEarnsTheBondOfWhoAsked(t *testing.T) {
	m := newProvenMarket(t, 2)
	shop := m.shops[0]
	lease := m.rents(shop, "web")
	tree := m.proves(shop, 1, 80)
	before, payout := m.Balance(m.tenant, scope.Denom), m.Balance(shop.Operator, scope.Denom)
	m.must(m.tenant, &prooftypes.MsgForceOpen{Signer: m.tenant.String(), Lease: lease, Epoch: 1})
	forced, err := m.proof().Forced(t.Context(), &prooftypes.QueryForcedRequest{Provider: shop.Operator.String()})
	require.NoError(t, err)
	require.Len(t, forced.Forced, 1)
	m.must(shop.Agent, &prooftypes.MsgAnswerForced{
		Signer: shop.Agent.String(), Provider: shop.Operator.String(),
		Answers: []prooftypes.Answer{{Forced: forced.Forced[0].Id, Opening: m.leafOf(tree, lease)}},
	})
	price := prooftypes.DefaultParams().ForceBond.Amount
	require.Equal(t, before.Sub(price).String(), m.Balance(m.tenant, scope.Denom).String())
	require.Equal(t, payout.Add(price).String(), m.Balance(shop.Operator, scope.Denom).String())
	m.until(m.now() + 2*forceWindow)
	require.Empty(t, m.faults(shop))

	due := m.refund(lease, 1).Due
	m.must(m.tenant, &prooftypes.MsgClaimRefund{Signer: m.tenant.String(), Lease: lease, Epoch: 1, Opening: m.leafOf(tree, lease)})
	credited := prooftypes.CreditOf(due.Grains, due.Seconds*80/100, due.Seconds)
	require.Equal(t, due.Grains.Sub(credited).String(), m.refund(lease, 1).Paid.String(), "the share that was not proven")
}

// enough is how many providers there must be so that one of them is no outage of the network.
const enough = 6

func TestWhoMissesMoreEpochsThanItMayIsJailed(t *testing.T) {
	m := newProvenMarket(t, enough)
	leases := m.all()
	shop, others := m.shops[0], m.shops[1:]
	stake := m.bondOf(shop)
	for epoch := uint64(1); epoch <= 4; epoch++ {
		m.allProve(others, epoch)
	}
	m.until(m.epoch(2).LateUntil + 3)

	faults := m.faults(shop)
	require.Len(t, faults, 2, kinds(faults))
	for i, fault := range faults {
		require.Equal(t, prooftypes.FaultKind_FAULT_KIND_MISSED, fault.Kind)
		require.Equal(t, uint64(2-i), fault.Epoch)
		require.Equal(t, i == 1, fault.Slashed.IsZero(), "the second one is one too many")
	}
	require.True(t, m.provider(shop).Jailed())
	require.Equal(t, stake.Sub(stake.QuoRaw(200)).String(), m.bondOf(shop).String(), "half a percent")
	require.Equal(t, prooftypes.RefundState_REFUND_STATE_WHOLE, m.refund(leases[0], 1).State, "and is not paid")
	for _, other := range others {
		require.Empty(t, m.faults(other))
	}
}

func TestWhoFailsLeasesIsJailed(t *testing.T) {
	m := newProvenMarket(t, 2, func(p *prooftypes.Params) { p.OutagePpm = prooftypes.WholePpm })
	shop := m.shops[0]
	m.wins(shop, "silent")
	m.until(m.now() + 15 + 1)
	faults := m.faults(shop)
	require.Len(t, faults, 1, kinds(faults))
	require.Equal(t, prooftypes.FaultKind_FAULT_KIND_FAILED, faults[0].Kind)
	require.False(t, m.provider(shop).Jailed())

	lease := m.rents(shop, "dead")
	m.must(m.tenant, &markettypes.MsgChallengeLease{Signer: m.tenant.String(), Lease: lease})
	m.until(m.now() + 15 + 2)
	require.Equal(t, markettypes.Reason_REASON_UNREACHABLE, m.lease(lease).Reason)
	faults = m.faults(shop)
	require.Len(t, faults, 2, kinds(faults))
	require.Equal(t, lease, faults[0].Lease)
	require.Equal(t, prooftypes.FaultKind_FAULT_KIND_FAILED, faults[0].Kind)
	require.True(t, m.provider(shop).Jailed(), "two are too many")
}

// all rents a unit of every provider.
func (m *provenMarket) all() (leases []uint64) {
	m.t.Helper()
	for i, shop := range m.shops {
		leases = append(leases, m.rents(shop, fmt.Sprintf("web-%d", i)))
	}
	require.Less(m.t, m.now(), uint64(provenEpoch), "all begin in epoch 1")
	return leases
}

// allProve lets providers prove an epoch, in one block each time.
func (m *provenMarket) allProve(shops []apptest.Shop, epoch uint64) {
	m.t.Helper()
	m.endOf(epoch)
	send := func(message func(apptest.Shop) sdk.Msg) {
		var txs []apptest.Tx
		for _, shop := range shops {
			if msg := message(shop); msg != nil {
				txs = append(txs, apptest.Tx{Signer: shop.Agent, Msgs: []sdk.Msg{msg}})
			}
		}
		for i, result := range m.Deliver(time.Second, txs...).Txs {
			require.Zero(m.t, result.Code, "%d: %s", i, result.Log)
		}
	}
	send(func(shop apptest.Shop) sdk.Msg { return commitTo(shop, epoch, m.tree(shop, epoch, 100)) })
	m.draws()
	send(func(shop apptest.Shop) sdk.Msg { return m.openings(shop, epoch, m.tree(shop, epoch, 100)) })
}

// Nothing of it befalls who is honest.

func TestWhoCrashedAndComesBackInTimeHasNoFault(t *testing.T) {
	m := newProvenMarket(t, enough)
	leases := m.all()
	shop, others := m.shops[0], m.shops[1:]
	stake := m.bondOf(shop)
	m.allProve(others, 1)
	m.allProve(others, 2)
	require.Less(t, m.now(), m.epoch(1).LateUntil)

	tree := m.commits(shop, 1, 50)
	m.draws()
	m.must(shop.Agent, m.openings(shop, 1, tree))
	c := m.commitment(shop, 1).Commitment
	require.True(t, c.Late)
	require.Equal(t, prooftypes.CommitmentState_COMMITMENT_STATE_PROVEN, c.State)
	m.until(m.epoch(2).LateUntil - 3)
	tree = m.commits(shop, 2, 100)
	m.until(m.epoch(1).LateUntil + 3)
	m.draws()
	m.must(shop.Agent, m.openings(shop, 2, tree))
	m.until(m.epoch(2).LateUntil + 5)
	require.Empty(t, m.faults(shop), kinds(m.faults(shop)))
	require.Equal(t, stake.String(), m.bondOf(shop).String())
	require.Equal(t, markettypes.LeaseState_LEASE_STATE_ACTIVE, m.lease(leases[0]).State)
}

func TestWhoDeclaredMaintenanceHasNoFault(t *testing.T) {
	m := newProvenMarket(t, enough)
	m.all()
	shop, others := m.shops[0], m.shops[1:]
	from := m.now() + 21 // after the notice, in epoch 2
	m.must(shop.Operator, &providertypes.MsgDeclareMaintenance{
		Signer: shop.Operator.String(), Provider: shop.Operator.String(), From: from, Until: from + 2*provenEpoch,
	})
	m.allProve(m.shops, 1)
	for epoch := uint64(2); epoch <= 3; epoch++ {
		m.allProve(others, epoch)
	}
	for epoch := uint64(4); epoch <= 5; epoch++ {
		m.allProve(m.shops, epoch)
	}
	require.Equal(t, uint64(1), m.epoch(2).Turnout.Missing)
	require.Equal(t, uint64(1), m.epoch(3).Turnout.Missing)
	require.Empty(t, m.faults(shop), kinds(m.faults(shop)))
	require.False(t, m.provider(shop).Jailed())
}

func TestAnOutageOfTheNetworkIsNobodysFault(t *testing.T) {
	m := newProvenMarket(t, enough)
	m.all()
	for epoch := uint64(1); epoch <= 4; epoch++ {
		m.allProve(m.shops[2:], epoch) // a third of the bond is away
	}
	m.until(m.epoch(3).LateUntil + 3)
	require.Equal(t, uint64(2), m.epoch(1).Turnout.Missing)
	for i, shop := range m.shops {
		require.Empty(t, m.faults(shop), "provider %d: %s", i, kinds(m.faults(shop)))
		require.False(t, m.provider(shop).Jailed())
		require.Equal(t, int64(bond), m.bondOf(shop).Int64())
	}
}
