package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	markettypes "github.com/souk-network/souk/x/market/types"
	"github.com/souk-network/souk/x/proof/types"
)

func TestAnAuditThatIsNotAnsweredForfeitsAllThatIsHeldBack(t *testing.T) {
	b := start(t)
	acme := b.sells("acme", 2)
	lease := b.rents("alice", "acme", 100_000)
	b.proves("acme", 1, 100)
	b.proves("acme", 2, 80)
	b.until(endOf(3))
	b.commits("acme", 3, b.tree("acme", 3, 100))
	b.until(endOf(3) + commitWindow)
	b.beacon()
	before, _ := b.committed("acme", 3)
	require.Equal(t, b.Now()+openWindow, before.OpenBy)
	payable := b.pot("acme", 1).Service.Add(b.pot("acme", 2).Service).Add(b.pot("acme", 3).Service)
	pool := b.CommunityPool()

	b.until(before.OpenBy - 1)
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_AUDITED, b.state("acme", 3))
	b.tick(second)
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_FORGED, b.state("acme", 3))
	b.saw(&types.EventFault{Provider: b.name("acme"), Fault: 1, Kind: types.FaultKind_FAULT_KIND_FORGED, Epoch: 3})

	for epoch := uint64(1); epoch <= 3; epoch++ {
		pot := b.pot("acme", epoch)
		require.True(t, pot.Credited)
		require.True(t, pot.Payable.IsZero(), "epoch %d", epoch)
		require.True(t, pot.Refundable.IsZero())
		require.Equal(t, pot.Service.String(), pot.Forfeited.String())
	}
	slash := int64(bonded / 20)
	provider := b.provider("acme")
	require.Equal(t, int64(bonded)-slash, provider.Bond.AmountOf(denom).Int64())
	require.Equal(t, int64(bonded)-slash, provider.Bond.AmountOf("uother").Int64())
	require.Equal(t, pool+slash/2, b.CommunityPool())
	require.True(t, provider.Jailed())
	require.Equal(t, b.Now()+24*3600, provider.JailedUntil)
	require.Zero(t, provider.Reputation)

	fault := b.faults("acme")[0]
	require.Equal(t, types.Fault{
		Id: 1, Provider: b.name("acme"), Kind: types.FaultKind_FAULT_KIND_FORGED, Epoch: 3, At: before.OpenBy,
		Reason:     fault.Reason,
		Commitment: &before,
		Slashed:    sdk.NewCoins(sdk.NewInt64Coin("uother", slash), chain.Coin(slash)),
		Forfeited:  sdk.NewCoins(sdk.NewCoin(denom, payable)), JailedUntil: provider.JailedUntil,
	}, fault)
	require.Equal(t, types.Standing{Provider: b.name("acme"), ProvenEpochs: 2, Audits: 2, Faults: 1}, b.standing("acme"))

	b.tick(0)
	ended, err := b.Market.Lease(b.Ctx(), lease.Id)
	require.NoError(t, err)
	require.Equal(t, markettypes.LeaseState_LEASE_STATE_FAILED, ended.State)
	require.Equal(t, markettypes.Reason_REASON_JAILED, ended.Reason)

	b.until(endOf(4))
	b.Run((holdbackEpochs+2)*epochLength*second, 5*second)
	b.check()
	_, _, err = b.Escrow.WithdrawEarnings(b.Ctx(), acme, acme, denom)
	require.Error(t, err, "nothing of it can be withdrawn")
}

func TestOneThatIsAuditedInTwoEpochsLosesTheMoneyOnce(t *testing.T) {
	b := start(t)
	b.sells("acme", 1)
	b.rents("alice", "acme", 100_000)
	b.until(endOf(1))
	first := b.tree("acme", 1, 100)
	b.until(endOf(2) - 2) // late, so that both audits run at once
	b.commits("acme", 1, first)

	b.until(endOf(2) + 4)
	b.beacon()
	again := b.tree("acme", 2, 100)
	b.commits("acme", 2, again)
	late, _ := b.committed("acme", 1)
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_AUDITED, late.State)
	b.until(b.epoch(2).CommitUntil)
	b.beacon()
	b.until(late.OpenBy)
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_FORGED, b.state("acme", 1))
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_AUDITED, b.state("acme", 2))
	require.True(t, b.pot("acme", 2).Payable.IsZero())

	b.opens("acme", 2, again)
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_PROVEN, b.state("acme", 2), "what is opened is proven")
	require.True(t, b.pot("acme", 2).Payable.IsZero(), "and forfeited all the same")
	require.Equal(t, b.pot("acme", 2).Service.String(), b.pot("acme", 2).Forfeited.String())
	require.Len(t, b.faults("acme"), 1)
	require.Equal(t, uint64(1), b.standing("acme").CleanEpochs)
}

func TestOpeningsThatDoNotShowWhatIsDrawnAreRefusedAndChangeNothing(t *testing.T) {
	b := start(t)
	b.sells("acme", 4)
	for _, tenant := range []string{"alice", "bob", "carol"} {
		b.rents(tenant, "acme", 100_000)
	}
	b.sells("other", 1)
	foreign := b.rents("dora", "other", 100_000)
	b.until(endOf(1))
	dues := b.dues("acme", 1, denom)
	require.Len(t, dues, 3)
	tree := b.tree("acme", 1, 100)
	b.refuses(types.ErrCommitmentNotFound, b.openings0("acme", 1))
	b.commits("acme", 1, tree)
	b.refuses(types.ErrNotAudited, b.openings0("acme", 1))
	b.until(endOf(1) + commitWindow)
	b.beacon()
	good := func() *types.MsgOpenAudit { return b.openings("acme", 1, denom, tree) }
	change := func(edit func(*types.MsgOpenAudit)) *types.MsgOpenAudit {
		message := good()
		edit(message)
		return message
	}
	other := b.build(vouch(1, dues[0], 100), vouch(1, types.Due{Lease: foreign.Id, Grains: dues[0].Grains, Seconds: dues[0].Seconds}, 100))
	elsewhere, err := other.Open(0)
	require.NoError(t, err)

	b.refuses(types.ErrInvalidOpening, change(func(m *types.MsgOpenAudit) { m.Openings = nil }))
	b.refuses(types.ErrInvalidOpening, change(func(m *types.MsgOpenAudit) { m.Openings = m.Openings[:7] }))
	b.refuses(types.ErrInvalidOpening, change(func(m *types.MsgOpenAudit) { m.Openings = append(m.Openings, m.Openings[0]) }))
	b.refuses(types.ErrInvalidOpening, change(func(m *types.MsgOpenAudit) { m.Openings[3].Opening = nil }))
	b.refuses(types.ErrInvalidOpening, change(func(m *types.MsgOpenAudit) { m.Openings[3].Opening = []byte{1, 2, 3} }))
	b.refuses(types.ErrInvalidOpening, change(func(m *types.MsgOpenAudit) { m.Openings[3].Opening = make([]byte, 5000) }))
	b.refuses(types.ErrInvalidOpening, change(func(m *types.MsgOpenAudit) { m.Openings[0].Opening = b.encode(elsewhere) }))
	b.refuses(types.ErrInvalidOpening, change(func(m *types.MsgOpenAudit) { m.Openings[0].Receipt = &types.Receipt{ChainId: "x"} }))
	b.refuses(types.ErrInvalidOpening, change(func(m *types.MsgOpenAudit) {
		for i := range m.Openings { // the same leaf for all positions
			m.Openings[i] = m.Openings[0]
		}
	}))
	b.refuses(types.ErrNotAudited, change(func(m *types.MsgOpenAudit) { m.Denom = "uother" }))
	b.refuses(types.ErrCommitmentNotFound, change(func(m *types.MsgOpenAudit) { m.Epoch = 2 }))
	b.refusesAny(change(func(m *types.MsgOpenAudit) { m.Signer = b.name("alice") }))
	b.refusesAny(change(func(m *types.MsgOpenAudit) { m.Provider = b.name("other") }))
	b.refuses(types.ErrInvalidAddress, change(func(m *types.MsgOpenAudit) { m.Provider = "acme" }))
	require.True(t, b.opens("acme", 1, tree).Proven)
	b.refuses(types.ErrNotAudited, &types.MsgOpenAudit{
		Signer: b.name("acme"), Provider: b.name("acme"), Epoch: 1, Denom: denom, Openings: []types.Shown{{Opening: []byte{1}}},
	})
}

func TestALeafThatLiesCannotBeOpened(t *testing.T) {
	for name, lie := range map[string]func(due types.Due) (types.Leaf, types.Due){
		"more than was due": func(due types.Due) (types.Leaf, types.Due) {
			due.Grains = due.Grains.AddRaw(1)
			return types.Leaf{Epoch: 2, UpSeconds: due.Seconds, DueSeconds: due.Seconds}, due
		},
		"more than the share of the time": func(due types.Due) (types.Leaf, types.Due) {
			due.Grains = types.CreditOf(due.Grains, 50, due.Seconds).AddRaw(1)
			return types.Leaf{Epoch: 2, UpSeconds: 50, DueSeconds: due.Seconds}, due
		},
		"more seconds than were due": func(due types.Due) (types.Leaf, types.Due) {
			return types.Leaf{Epoch: 2, UpSeconds: due.Seconds + 1, DueSeconds: due.Seconds}, due
		},
		"fewer seconds due than were": func(due types.Due) (types.Leaf, types.Due) {
			return types.Leaf{Epoch: 2, UpSeconds: due.Seconds - 1, DueSeconds: due.Seconds - 1}, due
		},
		"another epoch": func(due types.Due) (types.Leaf, types.Due) {
			return types.Leaf{Epoch: 1, UpSeconds: due.Seconds, DueSeconds: due.Seconds}, due
		},
		"a lease that is not there": func(due types.Due) (types.Leaf, types.Due) {
			due.Lease += 1000
			return types.Leaf{Epoch: 2, UpSeconds: due.Seconds, DueSeconds: due.Seconds}, due
		},
		"a receipt that it does not have": func(due types.Due) (types.Leaf, types.Due) {
			return types.Leaf{
				Epoch: 2, UpSeconds: due.Seconds, DueSeconds: due.Seconds, Evidence: types.Evidence_EVIDENCE_RECEIPT,
				EvidenceHash: make([]byte, 32),
			}, due
		},
		"evidence that is not known": func(due types.Due) (types.Leaf, types.Due) {
			return types.Leaf{Epoch: 2, UpSeconds: due.Seconds, DueSeconds: due.Seconds, Evidence: 7}, due
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t)
			b.sells("acme", 2)
			b.rents("alice", "acme", 100_000)
			b.sells("other", 1)
			b.rents("dora", "other", 100_000)
			b.until(endOf(2))
			b.until(endOf(2) + 1)
			due := b.dues("acme", 2, denom)[0]
			leaf, as := lie(due)
			credited := as.Grains
			if credited.GT(b.pot("acme", 2).Service) { // which no root may claim
				credited = b.pot("acme", 2).Service
				leaf.UpSeconds--
			}
			tree := b.build(leafOf(leaf, as.Lease, credited))
			b.commits("acme", 2, tree)
			b.until(endOf(2) + commitWindow)
			for b.state("acme", 2) == types.CommitmentState_COMMITMENT_STATE_COMMITTED {
				b.beacon()
			}
			b.refuses(types.ErrInvalidOpening, b.openings("acme", 2, denom, tree))
			c, _ := b.committed("acme", 2)
			b.until(c.OpenBy)
			require.Equal(t, types.CommitmentState_COMMITMENT_STATE_FORGED, b.state("acme", 2))
		})
	}
}

func TestOneMayTakeBackAnEpochOfWhichItLostTheLeavesOnce(t *testing.T) {
	b := start(t)
	b.sells("acme", 1)
	b.rents("alice", "acme", 1_000_000)
	b.proves("acme", 1, 100)
	disown := func(epoch uint64) *types.MsgDisown {
		return &types.MsgDisown{Signer: b.name("acme-agent"), Provider: b.name("acme"), Epoch: epoch}
	}
	b.refuses(types.ErrNotAudited, disown(1))
	b.refuses(types.ErrCommitmentNotFound, disown(2))
	b.until(endOf(2))
	b.commits("acme", 2, b.tree("acme", 2, 100))
	b.refuses(types.ErrNotAudited, disown(2))
	b.until(endOf(2) + commitWindow)
	b.beacon()
	foreign := disown(2)
	foreign.Signer = b.name("alice")
	b.refusesAny(foreign)
	require.NoError(t, b.Deliver(disown(2)))
	at := b.Now()
	b.check()
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_DISOWNED, b.state("acme", 2))
	for epoch := uint64(1); epoch <= 2; epoch++ {
		require.Equal(t, b.pot("acme", epoch).Service.String(), b.pot("acme", epoch).Forfeited.String())
	}
	require.False(t, b.provider("acme").Jailed())
	require.Equal(t, int64(bonded), b.provider("acme").Bond.AmountOf(denom).Int64())
	require.Equal(t, types.Standing{
		Provider: b.name("acme"), ProvenEpochs: 1, Audits: 1, Missed: []uint64{2}, Faults: 1, Disowned: 2, DisownedAt: at,
	}, b.standing("acme"))
	require.Equal(t, types.FaultKind_FAULT_KIND_MISSED, b.faults("acme")[0].Kind)
	b.refuses(types.ErrNotAudited, disown(2))

	b.until(endOf(3))
	tree := b.tree("acme", 3, 100)
	b.commits("acme", 3, tree)
	b.until(endOf(3) + commitWindow)
	b.beacon()
	b.refuses(types.ErrDisowned, disown(3))
	require.True(t, b.opens("acme", 3, tree).Proven)
	for epoch := uint64(4); epoch < 2+probation; epoch++ {
		b.proves("acme", epoch, 100)
	}
	b.until(endOf(2 + probation))
	b.commits("acme", 2+probation, b.tree("acme", 2+probation, 100))
	b.until(endOf(2+probation) + commitWindow)
	b.beacon()
	require.NoError(t, b.Deliver(disown(2+probation)), "after as many epochs it may again")
}

// A provider that has lost its leaves can show none that a tenant asks for, of epochs that were proven long ago.
func TestOneMayTakeBackAProvenEpochOfWhichALeafIsAskedFor(t *testing.T) {
	b := start(t)
	b.sells("acme", 2)
	lease, other := b.rents("alice", "acme", 1_000_000), b.rents("bob", "acme", 1_000_000)
	b.proves("acme", 1, 100)
	b.proves("acme", 2, 100)
	disown := &types.MsgDisown{Signer: b.name("acme-agent"), Provider: b.name("acme"), Epoch: 1}
	b.refuses(types.ErrNotAudited, disown)
	ask := func(tenant string, lease, epoch uint64) {
		b.Fund(chain.Account(tenant), types.DefaultParams().ForceBond)
		require.NoError(t, b.Deliver(&types.MsgForceOpen{Signer: b.name(tenant), Lease: lease, Epoch: epoch}))
	}
	ask("bob", other.Id, 2)
	b.refuses(types.ErrNotAudited, disown)
	ask("alice", lease.Id, 1)
	require.NoError(t, b.Deliver(disown))
	b.check()
	b.until(b.Now() + 2*forceWindow)
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_DISOWNED, b.state("acme", 1))
	faults := b.faults("acme")
	require.Len(t, faults, 1, "neither is withheld: all that is held back is forfeited")
	require.Equal(t, types.FaultKind_FAULT_KIND_MISSED, faults[0].Kind)
	require.Equal(t, "epoch 1 was taken back when a leaf of it was asked for", faults[0].Reason)
	require.False(t, b.provider("acme").Jailed())
	require.Equal(t, int64(bonded), b.provider("acme").Bond.AmountOf(denom).Int64())
	for epoch := uint64(1); epoch <= 2; epoch++ {
		for _, l := range []uint64{lease.Id, other.Id} {
			require.Equal(t, due(b, "acme", epoch, l).Grains.String(), b.claims(l, epoch, nil, nil).String())
		}
	}
	require.Equal(t, types.DefaultParams().ForceBond.Amount.Int64(), b.Balance(chain.Account("alice")), "who asked has the bond back")
}

// Two epochs may wait for their openings at once: one that was committed to late, and the next.
func TestWhatWasCommittedToBeforeAnEpochWasTakenBackIsNotForged(t *testing.T) {
	b := start(t)
	b.sells("acme", 1)
	b.rents("alice", "acme", 1_000_000)
	b.until(endOf(2))
	b.commits("acme", 1, b.tree("acme", 1, 100))
	b.commits("acme", 2, b.tree("acme", 2, 100))
	b.until(endOf(2) + commitWindow)
	for _, epoch := range []uint64{1, 2} {
		for b.state("acme", epoch) == types.CommitmentState_COMMITMENT_STATE_COMMITTED {
			b.beacon()
		}
	}
	disown := func(epoch uint64) *types.MsgDisown {
		return &types.MsgDisown{Signer: b.name("acme-agent"), Provider: b.name("acme"), Epoch: epoch}
	}
	require.NoError(t, b.Deliver(disown(1)))
	b.refuses(types.ErrDisowned, disown(2))
	c, _ := b.committed("acme", 2)
	b.until(c.OpenBy)
	b.check()
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_DISOWNED, b.state("acme", 2))
	require.False(t, b.provider("acme").Jailed())
	require.Equal(t, int64(bonded), b.provider("acme").Bond.AmountOf(denom).Int64())
	require.Len(t, b.faults("acme"), 1)

	b.until(endOf(3))
	b.commits("acme", 3, b.tree("acme", 3, 100))
	b.until(endOf(3) + commitWindow)
	b.beacon()
	c, _ = b.committed("acme", 3)
	b.until(c.OpenBy)
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_FORGED, b.state("acme", 3), "what comes later is to be shown")
}
