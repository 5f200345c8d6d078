package keeper_test

import (
	"testing"

	"github.com/cometbft/cometbft/crypto/secp256k1"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/sumtree"
	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/proof/types"
)

// claims asks for the refund of a lease, and returns the grains that were paid.
func (b *bench) claims(lease, epoch uint64, opening, absence []byte) math.Int {
	b.t.Helper()
	response, err := chain.Send[types.MsgClaimRefundResponse](b.Chain, b.claim(lease, epoch, opening, absence))
	require.NoError(b.t, err)
	b.check()
	return response.Paid
}

func (b *bench) claim(lease, epoch uint64, opening, absence []byte) *types.MsgClaimRefund {
	return &types.MsgClaimRefund{Signer: b.name("anybody"), Lease: lease, Epoch: epoch, Opening: opening, Absence: absence}
}

// leaf is the opening of a lease's leaf.
func (b *bench) leaf(tree *sumtree.Tree, lease uint64) []byte {
	b.t.Helper()
	opening, err := tree.OpenID(lease)
	require.NoError(b.t, err)
	return b.encode(opening)
}

func (b *bench) absent(tree *sumtree.Tree, lease uint64) []byte {
	b.t.Helper()
	absence, err := tree.ProveAbsence(lease)
	require.NoError(b.t, err)
	encoded, err := absence.Marshal()
	require.NoError(b.t, err)
	return encoded
}

// refund tells what a lease can claim.
func (b *bench) refund(lease, epoch uint64) types.QueryRefundResponse {
	b.t.Helper()
	response, err := b.query().Refund(b.Ctx(), &types.QueryRefundRequest{Lease: lease, Epoch: epoch})
	require.NoError(b.t, err)
	return *response
}

func due(b *bench, provider string, epoch, lease uint64) types.Due {
	b.t.Helper()
	for _, d := range b.dues(provider, epoch, denom) {
		if d.Lease == lease {
			return d
		}
	}
	require.Fail(b.t, "nothing was due")
	return types.Due{}
}

func TestWhatALeafDoesNotCreditIsPaidBackOnce(t *testing.T) {
	b := start(t)
	b.sells("acme", 2)
	lease := b.rents("alice", "acme", 100_000)
	b.proves("acme", 1, 80)
	tree, of := b.tree("acme", 1, 80), due(b, "acme", 1, lease.Id)
	credited := types.CreditOf(of.Grains, of.Seconds*80/100, of.Seconds)
	require.Equal(t, types.RefundState_REFUND_STATE_LEAF, b.refund(lease.Id, 1).State)

	b.refuses(types.ErrInvalidOpening, b.claim(lease.Id, 1, nil, nil))
	b.refuses(types.ErrInvalidOpening, b.claim(lease.Id, 1, nil, b.absent(b.tree("acme", 1, 100), 999)))
	b.refuses(types.ErrInvalidOpening, b.claim(lease.Id, 1, b.leaf(b.tree("acme", 1, 70), lease.Id), nil))
	paid := b.claims(lease.Id, 1, b.leaf(tree, lease.Id), nil)
	require.Equal(t, of.Grains.Sub(credited).String(), paid.String())
	require.Equal(t, credited.String(), b.pot("acme", 1).Payable.String())
	require.True(t, b.pot("acme", 1).Refundable.IsZero())
	b.refuses(types.ErrNothing, b.claim(lease.Id, 1, b.leaf(tree, lease.Id), nil))
	require.Equal(t, paid.String(), b.refund(lease.Id, 1).Paid.String())

	b.refuses(types.ErrEpochNotFound, b.claim(lease.Id, 9, b.leaf(tree, lease.Id), nil))
	b.refusesAny(b.claim(999, 1, b.leaf(tree, lease.Id), nil))
}

func TestALeaseThatIsNotInTheTreeIsPaidBackWhole(t *testing.T) {
	b := start(t)
	b.sells("acme", 3)
	first, second := b.rents("alice", "acme", 100_000), b.rents("bob", "acme", 100_000)
	b.until(endOf(1))
	tree := b.build(vouch(1, due(b, "acme", 1, first.Id), 100))
	b.commits("acme", 1, tree)
	b.refuses(types.ErrUndecided, b.claim(second.Id, 1, nil, b.absent(tree, second.Id)))
	b.until(endOf(1) + commitWindow)
	b.beacon()
	b.opens("acme", 1, tree)
	b.refuses(types.ErrInvalidOpening, b.claim(second.Id, 1, b.leaf(tree, first.Id), nil))
	require.Equal(t, due(b, "acme", 1, second.Id).Grains.String(), b.claims(second.Id, 1, nil, b.absent(tree, second.Id)).String())
	b.refuses(types.ErrNothing, b.claim(first.Id, 1, b.leaf(tree, first.Id), nil))
}

func TestAnEpochThatNobodyCommittedToIsPaidBackWhole(t *testing.T) {
	b := start(t)
	b.sells("acme", 1)
	lease := b.rents("alice", "acme", 100_000)
	b.until(b.lateUntil(1) - 1)
	require.Equal(t, types.RefundState_REFUND_STATE_WAITS, b.refund(lease.Id, 1).State)
	b.refuses(types.ErrUndecided, b.claim(lease.Id, 1, nil, nil))
	b.tick(second)
	b.tick(second)
	b.tick(second)
	require.Equal(t, types.TurnoutDone, b.epoch(1).Turnout.Phase)
	require.Equal(t, types.RefundState_REFUND_STATE_WHOLE, b.refund(lease.Id, 1).State)
	require.Equal(t, due(b, "acme", 1, lease.Id).Grains.String(), b.claims(lease.Id, 1, nil, nil).String())
	require.True(t, b.pot("acme", 1).Payable.IsZero())
	require.Empty(t, b.faults("acme"), "all of the bond is missing: that is an outage")
}

// lateUntil is the second from which an epoch takes no commitment; it waits for the close of the epoch.
func (b *bench) lateUntil(epoch uint64) uint64 {
	b.t.Helper()
	if b.Now() < endOf(epoch) {
		b.until(endOf(epoch))
	}
	return b.epoch(epoch).LateUntil
}

func TestForfeitedEpochsArePaidBackWhole(t *testing.T) {
	b := start(t)
	b.sells("acme", 1)
	lease := b.rents("alice", "acme", 100_000)
	b.proves("acme", 1, 80)
	part := b.claims(lease.Id, 1, b.leaf(b.tree("acme", 1, 80), lease.Id), nil)
	b.until(endOf(2))
	b.commits("acme", 2, b.tree("acme", 2, 100))
	b.until(endOf(2) + commitWindow)
	b.beacon()
	b.until(b.Now() + openWindow)
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_FORGED, b.state("acme", 2))
	rest := b.claims(lease.Id, 1, nil, nil)
	require.Equal(t, due(b, "acme", 1, lease.Id).Grains.String(), part.Add(rest).String(), "what was proven before, too")
	require.Equal(t, due(b, "acme", 2, lease.Id).Grains.String(), b.claims(lease.Id, 2, nil, nil).String())
	require.True(t, b.pot("acme", 2).Forfeited.IsZero())

	b.until(b.epoch(1).MaturesAt)
	b.refuses(types.ErrTooLate, b.claim(lease.Id, 1, nil, nil))
}

// signs makes a receipt of a tenant.
func signs(b *bench, key secp256k1.PrivKey, r types.Receipt) types.Receipt {
	b.t.Helper()
	r.ChainId, r.PublicKey = chain.ID, key.PubKey().Bytes()
	text, err := r.SignBytes()
	require.NoError(b.t, err)
	r.Signature, err = key.Sign(text)
	require.NoError(b.t, err)
	return r
}

func (b *bench) post(r types.Receipt) *types.MsgPostReceipt {
	return &types.MsgPostReceipt{Signer: b.name("anybody"), Receipt: r}
}

func TestAReceiptOnTheChainBindsTheCommitmentAndTheRefund(t *testing.T) {
	b := start(t)
	b.sells("acme", 1)
	lease := b.rents("alice", "acme", 100_000)
	b.until(90)
	word := types.Receipt{Lease: lease.Id, Epoch: 1, Seq: 1, UpSeconds: 30, Until: 90}
	b.refuses(types.ErrUnauthorized, b.post(signs(b, secp256k1.GenPrivKeySecp256k1([]byte("mallory")), word)))
	forged := signs(b, watchKey, word)
	forged.UpSeconds = 31
	b.refuses(types.ErrInvalidReceipt, b.post(forged))
	ahead := word
	ahead.Until = 95
	b.refuses(types.ErrInvalidReceipt, b.post(signs(b, watchKey, ahead)))
	ahead.Epoch = 2
	b.refuses(types.ErrTooEarly, b.post(signs(b, watchKey, ahead)))
	require.NoError(t, b.Deliver(b.post(signs(b, watchKey, word))))
	b.refuses(types.ErrStaleReceipt, b.post(signs(b, watchKey, word)))

	b.until(endOf(1))
	of := due(b, "acme", 1, lease.Id)
	tree := b.tree("acme", 1, 100)
	b.commits("acme", 1, tree)
	last := types.Receipt{Lease: lease.Id, Epoch: 1, Seq: 2, UpSeconds: 30, Until: endOf(1)}
	require.NoError(t, b.Deliver(b.post(signs(b, watchKey, last))), "after the commitment it binds the refund only")
	b.until(endOf(1) + commitWindow)
	b.beacon()
	b.refuses(types.ErrInvalidOpening, b.openings("acme", 1, denom, tree))
	b.until(b.Now() + openWindow)
	require.Equal(t, types.FaultKind_FAULT_KIND_FORGED, b.faults("acme")[0].Kind, "who says more than the receipt is caught")
	require.Equal(t, of.Grains.String(), b.claims(lease.Id, 1, nil, nil).String())
}

func TestAReceiptThatComesTooLateToBindStillCountsForTheRefund(t *testing.T) {
	b := start(t)
	b.sells("acme", 1)
	lease := b.rents("alice", "acme", 100_000)
	b.until(endOf(1))
	of := due(b, "acme", 1, lease.Id)
	require.NoError(t, b.Deliver(b.post(signs(b, watchKey, types.Receipt{Lease: lease.Id, Epoch: 1, Seq: 1, UpSeconds: 30, Until: endOf(1)}))))
	tree := b.tree("acme", 1, 100)
	b.commits("acme", 1, tree) // in the same block
	b.until(endOf(1) + commitWindow)
	b.beacon()
	require.True(t, b.opens("acme", 1, tree).Proven)
	paid := b.claims(lease.Id, 1, b.leaf(tree, lease.Id), nil)
	require.Equal(t, of.Grains.Sub(types.CreditOf(of.Grains, 30, of.Seconds)).String(), paid.String())
	b.until(b.epoch(1).CommitUntil + openWindow)
	b.refuses(types.ErrTooLate, b.post(signs(b, watchKey, types.Receipt{Lease: lease.Id, Epoch: 1, Seq: 2, UpSeconds: 30, Until: endOf(1)})))
}

func TestALeafThatIsForcedIsShownForTheBond(t *testing.T) {
	b := start(t)
	b.sells("acme", 1)
	lease := b.rents("alice", "acme", 100_000)
	b.proves("acme", 1, 80)
	tree := b.tree("acme", 1, 80)
	bond := types.DefaultParams().ForceBond
	force := &types.MsgForceOpen{Signer: b.name("alice"), Lease: lease.Id, Epoch: 1}
	b.refuses(types.ErrUnauthorized, &types.MsgForceOpen{Signer: b.name("mallory"), Lease: lease.Id, Epoch: 1})
	b.refusesAny(force) // alice has no coins left
	b.Fund(chain.Account("alice"), bond)
	require.NoError(t, b.Deliver(force))
	b.check()
	b.refuses(types.ErrForced, force)
	response, err := b.query().Forced(b.Ctx(), &types.QueryForcedRequest{Provider: b.name("acme")})
	require.NoError(t, err)
	require.Len(t, response.Forced, 1)

	answer := &types.MsgAnswerForced{
		Signer: b.name("acme-agent"), Provider: b.name("acme"),
		Answers: []types.Answer{
			{Forced: 77, Opening: b.leaf(tree, lease.Id)},
			{Forced: response.Forced[0].Id, Opening: b.leaf(b.tree("acme", 1, 90), lease.Id)},
			{Forced: response.Forced[0].Id, Opening: b.leaf(tree, lease.Id)},
		},
	}
	before := b.Balance(chain.Account("acme"))
	results, err := chain.Send[types.MsgAnswerForcedResponse](b.Chain, answer)
	require.NoError(t, err)
	require.Contains(t, results.Results[0], types.ErrForcedNotFound.Error())
	require.Contains(t, results.Results[1], types.ErrInvalidOpening.Error())
	require.Empty(t, results.Results[2])
	b.saw(&types.EventForcedAnswered{Forced: response.Forced[0].Id, Lease: lease.Id, Epoch: 1, Opening: answer.Answers[2].Opening})
	require.Equal(t, before+bond.Amount.Int64(), b.Balance(chain.Account("acme")))
	b.check()
	b.until(b.Now() + 2*forceWindow)
	require.Empty(t, b.faults("acme"))
}

func TestALeafThatStaysWithheldCostsElevenTimesItsDue(t *testing.T) {
	params := quick()
	params.WithheldPpm = types.WholePpm // so that one lease alone is no forgery
	b := startWith(t, params)
	b.sells("acme", 1)
	lease := b.rents("alice", "acme", 100_000)
	b.proves("acme", 1, 100)
	of := due(b, "acme", 1, lease.Id)
	b.Fund(chain.Account("alice"), params.ForceBond)
	require.NoError(t, b.Deliver(&types.MsgForceOpen{Signer: b.name("alice"), Lease: lease.Id, Epoch: 1}))
	bonded := b.provider("acme").Bond.AmountOf(denom)
	b.until(b.Now() + forceWindow)

	fault := b.faults("acme")[0]
	require.Equal(t, types.FaultKind_FAULT_KIND_WITHHELD, fault.Kind)
	require.Equal(t, lease.Id, fault.Lease)
	penalty := of.Grains.MulRaw(10).QuoRaw(3600)
	require.Equal(t, penalty.String(), fault.Slashed.AmountOf(denom).String())
	require.Equal(t, bonded.Sub(penalty).String(), b.provider("acme").Bond.AmountOf(denom).String())
	require.Equal(t, of.Grains.String(), b.refund(lease.Id, 1).Paid.String(), "unasked")
	require.Equal(t, params.ForceBond.Amount.Int64(), b.Balance(chain.Account("alice")), "who asked has the bond back")
	require.Zero(t, b.standing("acme").CleanEpochs)
	b.refuses(types.ErrUnproven, &types.MsgForceOpen{Signer: b.name("alice"), Lease: lease.Id, Epoch: 1})
	b.refuses(types.ErrNothing, b.claim(lease.Id, 1, nil, nil))
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_PROVEN, b.state("acme", 1))
}

func TestWhoWithholdsMuchIsAForger(t *testing.T) {
	b := start(t)
	b.sells("acme", 1)
	lease := b.rents("alice", "acme", 100_000)
	b.proves("acme", 1, 80)
	b.Fund(chain.Account("alice"), types.DefaultParams().ForceBond)
	require.NoError(t, b.Deliver(&types.MsgForceOpen{Signer: b.name("alice"), Lease: lease.Id, Epoch: 1}))
	b.until(b.Now() + forceWindow)
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_FORGED, b.state("acme", 1))
	require.Len(t, b.faults("acme"), 2)
	require.True(t, b.provider("acme").Jailed())
}
