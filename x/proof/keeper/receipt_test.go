package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/sumtree"
	"github.com/souk-network/souk/testutil/chain"
	markettypes "github.com/souk-network/souk/x/market/types"
	"github.com/souk-network/souk/x/proof/types"
)

// signed is a receipt with the signature of a key.
func signed(t testing.TB, key *secp256k1.PrivKey, receipt types.Receipt) types.Receipt {
	t.Helper()
	receipt.PublicKey = key.PubKey().Bytes()
	bz, err := receipt.SignBytes()
	require.NoError(t, err)
	receipt.Signature, err = key.Sign(bz)
	require.NoError(t, err)
	return receipt
}

// watched is a lease of one who watches it with an access key, in an epoch that has closed.
type watched struct {
	*bench
	lease markettypes.Lease
	key   *secp256k1.PrivKey
	due   types.Due
}

// watch starts a chain on which a key was given to the deployment of a lease in epoch 1, and epoch 2 has closed.
func watch(t *testing.T, scope markettypes.Scope, expiresAt uint64) *watched {
	b := start(t)
	b.sells("acme", 1)
	w := &watched{bench: b, lease: b.rents("alice", "acme", 1_000_000), key: secp256k1.GenPrivKeyFromSecret([]byte("watch"))}
	w.setKeys(markettypes.AccessKey{Address: b.Text(sdk.AccAddress(w.key.PubKey().Address())), Scopes: []markettypes.Scope{scope}, ExpiresAt: expiresAt})
	b.until(endOf(2))
	w.due = b.dues("acme", 2, denom)[0]
	return w
}

func (w *watched) setKeys(keys ...markettypes.AccessKey) {
	w.t.Helper()
	deployment, err := w.Market.Deployment(w.Ctx(), w.lease.Deployment)
	require.NoError(w.t, err)
	require.NoError(w.t, w.Deliver(&markettypes.MsgUpdateDeployment{
		Signer: deployment.Owner, Deployment: deployment.Id, Version: deployment.Version, ManifestHash: deployment.ManifestHash, AccessKeys: keys,
		Bids: []markettypes.BidSpec{{
			Name: "web", Unit: units(1), MinReplicas: 1, Replicas: 1, Cap: hourly, Allow: []string{w.name("acme")},
		}},
	}))
}

// receipt says that the lease was up for so many seconds of epoch 2.
func (w *watched) receipt(up uint64) types.Receipt {
	return types.Receipt{ChainId: chain.ID, Lease: w.lease.Id, Epoch: 2, Seq: 1, UpSeconds: up, Until: endOf(2)}
}

// audited commits to a leaf that rests on a receipt, and returns the answer to its audit.
func (w *watched) audited(receipt types.Receipt, up uint64) *types.MsgOpenAudit {
	w.t.Helper()
	hash, err := receipt.Hash()
	require.NoError(w.t, err)
	tree := w.build(leafOf(types.Leaf{
		Epoch: 2, UpSeconds: up, DueSeconds: w.due.Seconds, Evidence: types.Evidence_EVIDENCE_RECEIPT, EvidenceHash: hash,
	}, w.lease.Id, types.CreditOf(w.due.Grains, up, w.due.Seconds)))
	return w.audit(tree, &receipt)
}

func (w *watched) audit(tree *sumtree.Tree, receipt *types.Receipt) *types.MsgOpenAudit {
	w.t.Helper()
	w.commits("acme", 2, tree)
	w.until(w.epoch(2).CommitUntil)
	for w.state("acme", 2) == types.CommitmentState_COMMITMENT_STATE_COMMITTED {
		w.beacon()
	}
	message := w.openings("acme", 2, denom, tree)
	for i := range message.Openings {
		message.Openings[i].Receipt = receipt
	}
	return message
}

func TestALeafMayRestOnAReceiptOfWhoWatchesTheLease(t *testing.T) {
	w := watch(t, markettypes.Scope_SCOPE_WATCH, 0)
	message := w.audited(signed(t, w.key, w.receipt(90)), 90)
	without := *message
	without.Openings = append([]types.Shown{}, message.Openings...)
	without.Openings[0].Receipt = nil
	w.refuses(types.ErrInvalidOpening, &without)
	require.NoError(t, w.Deliver(message))
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_PROVEN, w.state("acme", 2))
}

func TestAReceiptDoesNotJudgeWhatComesAfterIt(t *testing.T) {
	w := watch(t, markettypes.Scope_SCOPE_MANAGE, 0)
	receipt := w.receipt(30)
	receipt.Until -= 60 // 30 of 40 seconds, and the provider has the benefit of the doubt for 60
	require.NoError(t, w.Deliver(w.audited(signed(t, w.key, receipt), 90)))
}

func TestAReceiptThatDoesNotSupportItsLeafIsRefused(t *testing.T) {
	other := secp256k1.GenPrivKeyFromSecret([]byte("other"))
	for name, c := range map[string]struct {
		scope     markettypes.Scope
		expiresAt uint64
		receipt   func(*watched) types.Receipt
	}{
		"it says less": {markettypes.Scope_SCOPE_WATCH, 0, func(w *watched) types.Receipt { return signed(t, w.key, w.receipt(89)) }},
		"of another lease": {markettypes.Scope_SCOPE_WATCH, 0, func(w *watched) types.Receipt {
			r := w.receipt(90)
			r.Lease++
			return signed(t, w.key, r)
		}},
		"of another epoch": {markettypes.Scope_SCOPE_WATCH, 0, func(w *watched) types.Receipt {
			r := w.receipt(90)
			r.Epoch = 1
			return signed(t, w.key, r)
		}},
		"of another chain": {markettypes.Scope_SCOPE_WATCH, 0, func(w *watched) types.Receipt {
			r := w.receipt(90)
			r.ChainId = "souk-other-1"
			return signed(t, w.key, r)
		}},
		"of a time after the epoch": {markettypes.Scope_SCOPE_WATCH, 0, func(w *watched) types.Receipt {
			r := w.receipt(90)
			r.Until++
			return signed(t, w.key, r)
		}},
		"of nobody who may watch": {markettypes.Scope_SCOPE_WATCH, 0, func(w *watched) types.Receipt { return signed(t, other, w.receipt(90)) }},
		"of a key of another scope": {markettypes.Scope_SCOPE_READ, 0, func(w *watched) types.Receipt {
			return signed(t, w.key, w.receipt(90))
		}},
		"of a key that had expired": {markettypes.Scope_SCOPE_WATCH, endOf(1), func(w *watched) types.Receipt {
			return signed(t, w.key, w.receipt(90))
		}},
		"not signed": {markettypes.Scope_SCOPE_WATCH, 0, func(w *watched) types.Receipt {
			r := signed(t, w.key, w.receipt(90))
			r.Signature[3] ^= 1
			return r
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := watch(t, c.scope, c.expiresAt)
			w.refuses(types.ErrInvalidReceipt, w.audited(c.receipt(w), 90))
		})
	}
}

func TestATenantThatTakesAKeyOutCannotMakeItsProviderForge(t *testing.T) {
	w := watch(t, markettypes.Scope_SCOPE_WATCH, 0)
	message := w.audited(signed(t, w.key, w.receipt(90)), 90)
	w.setKeys()
	require.NoError(t, w.Deliver(message))
}

func TestWhatATenantSaidOnTheChainInTimeBindsTheCommitment(t *testing.T) {
	for name, c := range map[string]struct {
		words   []types.Word
		up      uint64
		refused bool
	}{
		"no more than it says":          {[]types.Word{{Seq: 1, UpSeconds: 60, Until: endOf(2), PostedAt: 190}}, 60, false},
		"more than it says":             {[]types.Word{{Seq: 1, UpSeconds: 60, Until: endOf(2), PostedAt: 190}}, 61, true},
		"after its last second":         {[]types.Word{{Seq: 1, UpSeconds: 30, Until: endOf(2) - 50, PostedAt: 190}}, 80, false},
		"too long after":                {[]types.Word{{Seq: 1, UpSeconds: 30, Until: endOf(2) - 50, PostedAt: 190}}, 81, true},
		"just in time":                  {[]types.Word{{Seq: 1, UpSeconds: 60, Until: endOf(2), PostedAt: endOf(2) - grace}}, 61, true},
		"too late to be read":           {[]types.Word{{Seq: 1, UpSeconds: 60, Until: endOf(2), PostedAt: endOf(2) - grace + 1}}, 61, false},
		"the newest that could be read": {[]types.Word{{Seq: 1, UpSeconds: 60, Until: endOf(2), PostedAt: 180}, {Seq: 2, UpSeconds: 70, Until: endOf(2), PostedAt: 190}, {Seq: 3, UpSeconds: 0, Until: endOf(2), PostedAt: 200}}, 70, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t)
			b.sells("acme", 1)
			lease := b.rents("alice", "acme", 1_000_000)
			b.until(endOf(2))
			b = b.editing(func(g *types.GenesisState) {
				g.Posted = []types.Posted{{Epoch: 2, Lease: lease.Id, Words: c.words}}
			})
			w := &watched{bench: b, lease: lease}
			due := w.dues("acme", 2, denom)[0]
			tree := w.build(leafOf(types.Leaf{Epoch: 2, UpSeconds: c.up, DueSeconds: due.Seconds}, lease.Id,
				types.CreditOf(due.Grains, c.up, due.Seconds)))
			message := w.audit(tree, nil)
			// What governance changes later neither binds nor frees what is committed.
			params := quick()
			params.ReceiptGraceSeconds = map[bool]uint32{true: 1000, false: 0}[c.refused]
			require.NoError(t, w.Deliver(&types.MsgUpdateParams{Authority: w.Authority, Params: params}))
			if c.refused {
				w.refuses(types.ErrInvalidOpening, message)
				return
			}
			require.NoError(t, w.Deliver(message))
		})
	}
}
