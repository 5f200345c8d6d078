package keeper_test

import (
	"slices"
	"testing"

	"github.com/cometbft/cometbft/crypto/secp256k1"
	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/proof/types"
)

func TestNothingIsPaidBackForALeafOfAnotherTree(t *testing.T) {
	b := start(t)
	b.sells("acme", 3)
	b.sells("other", 1)
	alice, bob := b.rents("alice", "acme", 1_000_000), b.rents("bob", "acme", 1_000_000)
	dora := b.rents("dora", "other", 1_000_000)
	b.until(endOf(1))
	first, others := b.tree("acme", 1, 80), b.tree("other", 1, 80)
	b.commits("acme", 1, first)
	b.commits("other", 1, others)
	b.until(endOf(1) + commitWindow)
	b.beacon()
	b.opens("acme", 1, first)
	b.opens("other", 1, others)
	b.proves("acme", 2, 60)
	second := b.tree("acme", 2, 60)

	good := b.leaf(first, alice.Id)
	for name, claim := range map[string]*types.MsgClaimRefund{
		"another lease of the tree":    b.claim(alice.Id, 1, b.leaf(first, bob.Id), nil),
		"another epoch":                b.claim(alice.Id, 1, b.leaf(second, alice.Id), nil),
		"a leaf for an epoch after it": b.claim(alice.Id, 2, good, nil),
		"another provider's tree":      b.claim(alice.Id, 1, b.leaf(others, dora.Id), nil),
		"another provider's lease":     b.claim(dora.Id, 1, good, nil),
		"both":                         b.claim(alice.Id, 1, good, b.absent(first, 999)),
		"the absence of another":       b.claim(alice.Id, 1, nil, b.absent(first, 999)),
		"the absence in another tree":  b.claim(alice.Id, 1, nil, b.absent(others, alice.Id)),
		"an absence that is cut":       b.claim(alice.Id, 1, nil, b.absent(first, 999)[:20]),
	} {
		t.Run(name, func(*testing.T) { b.refuses(types.ErrInvalidOpening, claim) })
	}
	for i := 0; i < len(good); i += 7 {
		tampered := slices.Clone(good)
		tampered[i] ^= 1
		require.ErrorIs(t, b.Deliver(b.claim(alice.Id, 1, tampered, nil)), types.ErrInvalidOpening, "byte %d", i)
	}
	require.True(t, b.refund(alice.Id, 1).Paid.IsZero())
	require.True(t, b.claims(alice.Id, 1, good, nil).IsPositive())
}

func TestALeafThatCreditsMoreThanItsShareIsPaidBackByItsShareAndCannotBeShown(t *testing.T) {
	params := quick()
	params.ProbationEpochs, params.AuditPpm = 1, 0 // the second epoch is not audited
	b := startWith(t, params)
	b.sells("acme", 2)
	alice, bob := b.rents("alice", "acme", 1_000_000), b.rents("bob", "acme", 1_000_000)
	b.proves("acme", 1, 100)
	b.until(endOf(2))
	of, rest := due(b, "acme", 2, alice.Id), due(b, "acme", 2, bob.Id)
	tree := b.build(leafOf(types.Leaf{Epoch: 2, UpSeconds: 50, DueSeconds: of.Seconds}, alice.Id, of.Grains), vouch(2, rest, 10))
	b.commits("acme", 2, tree)
	b.until(endOf(2) + commitWindow)
	b.beacon()
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_PROVEN, b.state("acme", 2))

	b.Fund(chain.Account("alice"), params.ForceBond)
	forced, err := chain.Send[types.MsgForceOpenResponse](b.Chain, &types.MsgForceOpen{Signer: b.name("alice"), Lease: alice.Id, Epoch: 2})
	require.NoError(t, err)
	b.refusesAnswer(types.ErrInvalidOpening, "acme", types.Answer{Forced: forced.Forced, Opening: b.leaf(tree, alice.Id)})
	paid := b.claims(alice.Id, 2, b.leaf(tree, alice.Id), nil)
	require.Equal(t, of.Grains.Sub(types.CreditOf(of.Grains, 50, of.Seconds)).String(), paid.String())
	b.until(forced.AnswerBy)
	require.Equal(t, types.FaultKind_FAULT_KIND_FORGED, b.faults("acme")[0].Kind)
	require.Equal(t, types.FaultKind_FAULT_KIND_WITHHELD, b.faults("acme")[1].Kind)
	require.Equal(t, of.Grains.String(), b.refund(alice.Id, 2).Paid.String(), "the rest of it")
}

func TestWhatIsTakenBackIsPaidBackWhole(t *testing.T) {
	b := start(t)
	b.sells("acme", 1)
	lease := b.rents("alice", "acme", 1_000_000)
	b.proves("acme", 1, 100)
	b.until(endOf(2))
	b.commits("acme", 2, b.tree("acme", 2, 100))
	b.until(endOf(2) + commitWindow)
	b.beacon()
	require.Equal(t, types.RefundState_REFUND_STATE_WAITS, b.refund(lease.Id, 2).State)
	require.NoError(t, b.Deliver(&types.MsgDisown{Signer: b.name("acme-agent"), Provider: b.name("acme"), Epoch: 2}))
	for epoch := uint64(1); epoch <= 2; epoch++ {
		require.Equal(t, types.RefundState_REFUND_STATE_WHOLE, b.refund(lease.Id, epoch).State)
		require.Equal(t, due(b, "acme", epoch, lease.Id).Grains.String(), b.claims(lease.Id, epoch, nil, nil).String())
		require.True(t, b.pot("acme", epoch).Forfeited.IsZero())
	}
}

// refusesAnswer answers a request by something that must fail with an error, and ends nothing.
func (b *bench) refusesAnswer(expected error, provider string, answer types.Answer) {
	b.t.Helper()
	before := b.text()
	response, err := chain.Send[types.MsgAnswerForcedResponse](b.Chain, &types.MsgAnswerForced{
		Signer: b.name(provider + "-agent"), Provider: b.name(provider), Answers: []types.Answer{answer},
	})
	require.NoError(b.t, err)
	require.Contains(b.t, response.Results[0], expected.Error())
	require.Equal(b.t, before, b.text())
}

func TestAReceiptThatIsNoNewWordOfTheTenantIsRefused(t *testing.T) {
	b := start(t)
	b.sells("acme", 2)
	lease := b.rents("alice", "acme", 1_000_000)
	pending := b.wins("bob", "acme", chain.Coin(1_000_000))
	b.until(150)
	first := types.Receipt{Lease: lease.Id, Epoch: 2, Seq: 5, UpSeconds: 20, Until: 140}
	sign := func(edit func(*types.Receipt)) *types.MsgPostReceipt {
		receipt := first
		edit(&receipt)
		return b.post(signs(b, watchKey, receipt))
	}
	b.refuses(types.ErrInvalidReceipt, sign(func(r *types.Receipt) { r.Until = endOf(1) }))      // judges nothing
	b.refuses(types.ErrInvalidReceipt, sign(func(r *types.Receipt) { r.Until = 151 }))           // judges what comes
	b.refuses(types.ErrInvalidReceipt, sign(func(r *types.Receipt) { r.UpSeconds = 140 - 100 })) // of 39 seconds
	b.refuses(types.ErrInvalidReceipt, sign(func(r *types.Receipt) { r.Lease = pending }))
	b.refuses(types.ErrInvalidReceipt, sign(func(r *types.Receipt) { r.Seq = 0 }))
	b.refuses(types.ErrTooEarly, sign(func(r *types.Receipt) { r.Epoch = 3 }))
	b.refusesAny(sign(func(r *types.Receipt) { r.Lease = 999 }))
	b.refuses(types.ErrUnauthorized, b.post(signs(b, secp256k1.GenPrivKeySecp256k1([]byte("mallory")), first)))
	elsewhere := sign(func(*types.Receipt) {})
	elsewhere.Receipt.ChainId = "souk-other-1"
	b.refuses(types.ErrInvalidReceipt, elsewhere)
	abroad := first // that chain's word, signed as such
	abroad.ChainId, abroad.PublicKey = "souk-other-1", watchKey.PubKey().Bytes()
	text, err := abroad.SignBytes()
	require.NoError(t, err)
	abroad.Signature, err = watchKey.Sign(text)
	require.NoError(t, err)
	b.refuses(types.ErrInvalidReceipt, b.post(abroad))

	require.NoError(t, b.Deliver(sign(func(*types.Receipt) {})))
	b.refuses(types.ErrStaleReceipt, sign(func(*types.Receipt) {}))
	b.refuses(types.ErrStaleReceipt, sign(func(r *types.Receipt) { r.Seq = 4 }))
	b.refuses(types.ErrStaleReceipt, sign(func(r *types.Receipt) { r.Seq, r.Until = 6, 139 }))
	b.refuses(types.ErrStaleReceipt, sign(func(r *types.Receipt) { r.Seq, r.UpSeconds = 6, 19 }))
	b.refuses(types.ErrInvalidReceipt, sign(func(r *types.Receipt) { r.Seq, r.UpSeconds, r.Until = 6, 26, 145 })) // 6 of 5 seconds

	for i := range uint64(types.MaxWords) { // the oldest is kept, and the newest
		require.NoError(t, b.Deliver(sign(func(r *types.Receipt) { r.Seq, r.Until = 6+i, 141+i })))
	}
	b.until(endOf(2))
	posted := b.refund(lease.Id, 2).Posted
	require.Len(t, posted.Words, types.MaxWords)
	require.Equal(t, uint64(5), posted.Words[0].Seq)
	require.Equal(t, uint64(5+types.MaxWords), posted.Words[types.MaxWords-1].Seq)
	b.until(b.epoch(2).CommitUntil + openWindow)
	b.refuses(types.ErrTooLate, sign(func(r *types.Receipt) { r.Seq, r.Until = 99, endOf(2) }))
}

func TestForcedLeavesAreAnsweredOnlyByWhoMustAndInTime(t *testing.T) {
	b := start(t)
	b.sells("acme", 2)
	b.sells("other", 1)
	alice, bob := b.rents("alice", "acme", 1_000_000), b.rents("bob", "acme", 1_000_000)
	b.rents("dora", "other", 1_000_000)
	b.until(endOf(1))
	tree := b.build(vouch(1, due(b, "acme", 1, alice.Id), 100)) // bob's is left out
	b.commits("acme", 1, tree)
	force := func(tenant string, lease uint64) *types.MsgForceOpen {
		return &types.MsgForceOpen{Signer: b.name(tenant), Lease: lease, Epoch: 1}
	}
	bond := types.DefaultParams().ForceBond
	b.Fund(chain.Account("bob"), bond)
	b.refuses(types.ErrUndecided, force("bob", bob.Id))
	b.until(endOf(1) + commitWindow)
	b.beacon()
	b.opens("acme", 1, tree)
	b.refuses(types.ErrUnauthorized, force("bob", alice.Id))
	asked, err := chain.Send[types.MsgForceOpenResponse](b.Chain, force("bob", bob.Id))
	require.NoError(t, err)
	require.Equal(t, b.Now()+forceWindow, asked.AnswerBy)
	b.check()

	absent := types.Answer{Forced: asked.Forced, Absence: b.absent(tree, bob.Id)}
	b.refusesAnswer(types.ErrUnauthorized, "other", absent)
	b.refusesAnswer(types.ErrInvalidOpening, "acme", types.Answer{Forced: asked.Forced, Absence: b.absent(b.tree("other", 1, 100), bob.Id)})
	b.refusesAnswer(types.ErrInvalidOpening, "acme", types.Answer{Forced: asked.Forced, Opening: b.leaf(tree, alice.Id)})
	b.refuses(types.ErrInvalidAnswers, &types.MsgAnswerForced{Signer: b.name("acme-agent"), Provider: b.name("acme")})
	b.refusesAny(&types.MsgAnswerForced{Signer: b.name("alice"), Provider: b.name("acme"), Answers: []types.Answer{absent}})
	answered, err := chain.Send[types.MsgAnswerForcedResponse](b.Chain, &types.MsgAnswerForced{
		Signer: b.name("acme-agent"), Provider: b.name("acme"), Answers: []types.Answer{absent, absent},
	})
	require.NoError(t, err)
	require.Empty(t, answered.Results[0])
	require.Contains(t, answered.Results[1], types.ErrForcedNotFound.Error(), "the bond is paid once")
	require.Zero(t, b.ModuleBalance(types.ModuleName))
	b.check()
	require.True(t, b.claims(bob.Id, 1, nil, absent.Absence).IsPositive())

	b.Fund(chain.Account("alice"), bond)
	b.until(b.epoch(1).MaturesAt - forceWindow)
	b.refuses(types.ErrTooLate, force("alice", alice.Id))
}

func TestWhoAskedGetsTheBondBackWhenTheEpochIsForfeitedMeanwhile(t *testing.T) {
	params := quick()
	params.ForceWindowSeconds = 60
	b := startWith(t, params)
	b.sells("acme", 1)
	lease := b.rents("alice", "acme", 1_000_000)
	b.proves("acme", 1, 100)
	b.until(endOf(2))
	b.commits("acme", 2, b.tree("acme", 2, 100))
	b.until(endOf(2) + commitWindow)
	b.beacon()
	b.Fund(chain.Account("alice"), params.ForceBond)
	asked, err := chain.Send[types.MsgForceOpenResponse](b.Chain, &types.MsgForceOpen{Signer: b.name("alice"), Lease: lease.Id, Epoch: 1})
	require.NoError(t, err)
	b.until(b.Now() + openWindow)
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_FORGED, b.state("acme", 2))
	before := b.Balance(chain.Account("alice"))
	b.until(asked.AnswerBy)
	require.Equal(t, before+params.ForceBond.Amount.Int64(), b.Balance(chain.Account("alice")))
	require.Len(t, b.faults("acme"), 1, "that was all of the fault")
}

func TestNobodyIsKeptFromAskingByOthersWhoAsk(t *testing.T) {
	b := start(t)
	b.sells("acme", 70)
	var asks []sdk.Msg
	for i := range types.MaxAnswers + 1 {
		tenant := "t" + string(rune('A'+i))
		lease := b.rents(tenant, "acme", 1_000_000)
		b.Fund(chain.Account(tenant), types.DefaultParams().ForceBond)
		asks = append(asks, &types.MsgForceOpen{Signer: b.name(tenant), Lease: lease.Id, Epoch: 2})
	}
	b.until(endOf(2))
	tree := b.tree("acme", 2, 100)
	b.commits("acme", 2, tree)
	b.until(b.epoch(2).CommitUntil)
	for b.state("acme", 2) == types.CommitmentState_COMMITMENT_STATE_COMMITTED {
		b.beacon()
	}
	b.opens("acme", 2, tree)
	require.NoError(t, b.Deliver(asks...))
	response, err := b.query().Forced(b.Ctx(), &types.QueryForcedRequest{Provider: b.name("acme")})
	require.NoError(t, err)
	require.Len(t, response.Forced, types.MaxAnswers+1)

	message := &types.MsgAnswerForced{Signer: b.name("acme-agent"), Provider: b.name("acme")}
	for _, forced := range response.Forced[:types.MaxAnswers] {
		message.Answers = append(message.Answers, types.Answer{Forced: forced.Id, Opening: b.leaf(tree, forced.Lease)})
	}
	answered, err := chain.Send[types.MsgAnswerForcedResponse](b.Chain, message)
	require.NoError(t, err)
	require.Equal(t, make([]string, types.MaxAnswers), answered.Results)
	b.check()
	asked := b.Now()
	b.until(response.Forced[types.MaxAnswers].AnswerBy)
	require.Greater(t, b.Now(), asked)
	require.Equal(t, types.FaultKind_FAULT_KIND_WITHHELD, b.faults("acme")[len(b.faults("acme"))-1].Kind, "the one that was not answered")
	b.check()
}
