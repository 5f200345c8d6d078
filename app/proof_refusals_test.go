package app_test

import (
	"encoding/json"
	"testing"
	"time"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/app/apptest"
	"github.com/souk-network/souk/app/scope"
	prooftypes "github.com/souk-network/souk/x/proof/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// refusal is a message of x/proof that has to fail.
type refusal struct {
	what   string
	signer *apptest.Account
	msg    sdk.Msg
	err    *errorsmod.Error
	says   string
}

// refuses delivers messages that have to fail with an error that says why, and to change nothing of x/proof.
func (m *provenMarket) refuses(all ...refusal) {
	m.t.Helper()
	for _, r := range all {
		before := m.proofState()
		result := m.Deliver(0, apptest.Tx{Signer: r.signer, Msgs: []sdk.Msg{r.msg}}).Txs[0]
		require.Equal(m.t, r.err.Codespace(), result.Codespace, "%s: %s", r.what, result.Log)
		require.Equal(m.t, r.err.ABCICode(), result.Code, "%s: %s", r.what, result.Log)
		require.Contains(m.t, result.Log, r.says, r.what)
		require.Equal(m.t, before, m.proofState(), r.what)
		conserved(m.t, m.Chain)
	}
}

// proofState is the state of x/proof but for the hashes of the last blocks.
func (m *provenMarket) proofState() string {
	m.t.Helper()
	genesis, err := m.App.ProofKeeper.ExportGenesis(m.Context())
	require.NoError(m.t, err)
	genesis.BlockHashes = nil
	text, err := json.Marshal(genesis)
	require.NoError(m.t, err)
	return string(text)
}

// What comes again, early, late, from others, out of order or too large is refused, says why, and costs nothing but its fee.

func TestReceiptsThatAreNoNewWordOfTheTenantAreRefused(t *testing.T) {
	m := newProvenMarket(t, 1)
	lease := m.rents(m.shops[0], "web")
	m.until(10)
	first := m.word(m.tenant, lease, 1, 5, 3)
	m.must(m.tenant, first)
	m.Deliver(2 * time.Second)
	elsewhere, large := m.word(m.tenant, lease, 1, 6, 4), m.word(m.tenant, lease, 1, 6, 4)
	elsewhere.Receipt.ChainId = "another-1"
	large.Receipt.Signature = make([]byte, 10_000)
	m.refuses(
		refusal{"again", m.tenant, first, prooftypes.ErrStaleReceipt, "number 5"},
		refusal{"out of order", m.tenant, m.word(m.tenant, lease, 1, 4, 4), prooftypes.ErrStaleReceipt, "number 5 until"},
		refusal{"less than before", m.tenant, m.word(m.tenant, lease, 1, 6, 2), prooftypes.ErrStaleReceipt, "with 3"},
		refusal{"too early", m.tenant, m.word(m.tenant, lease, 2, 6, 4), prooftypes.ErrTooEarly, "epoch 1 runs"},
		refusal{"more than passed", m.tenant, m.word(m.tenant, lease, 1, 6, 400), prooftypes.ErrInvalidReceipt, "up for 400 of"},
		refusal{"of another one", m.tenant, m.word(m.poster, lease, 1, 6, 4), prooftypes.ErrUnauthorized, "may watch"},
		refusal{"of another chain", m.tenant, elsewhere, prooftypes.ErrInvalidReceipt, "signature"},
		refusal{"too large", m.tenant, large, prooftypes.ErrInvalidReceipt, "want at most"},
	)
	m.endOf(2)
	m.until(m.epoch(1).CommitUntil + openWindow)
	late := m.word(m.tenant, lease, 1, 6, 4)
	m.refuses(refusal{"too late", m.tenant, late, prooftypes.ErrTooLate, "epoch 1"})
}

func TestCommitmentsThatAreNotGoodAreRefused(t *testing.T) {
	m := newProvenMarket(t, 2)
	shop, other := m.shops[0], m.shops[1]
	m.rents(shop, "web")
	m.rents(other, "elsewhere")
	change := func(of *prooftypes.MsgCommitEpoch, edit func(*prooftypes.MsgCommitEpoch)) *prooftypes.MsgCommitEpoch {
		changed := *of
		changed.Roots = append([]prooftypes.Root(nil), of.Roots...)
		edit(&changed)
		return &changed
	}
	early := &prooftypes.MsgCommitEpoch{
		Signer: shop.Agent.String(), Provider: shop.Operator.String(), Epoch: 1,
		Roots: []prooftypes.Root{{Denom: scope.Denom, Hash: make([]byte, 32), Sum: math.OneInt(), Count: 1}},
	}
	m.refuses(refusal{"early", shop.Agent, early, prooftypes.ErrEpochNotFound, "epoch 1"})
	m.endOf(1)
	tree := m.tree(shop, 1, 100)
	good := commitTo(shop, 1, tree)
	m.refuses(
		refusal{"of another one", other.Agent, change(good, func(c *prooftypes.MsgCommitEpoch) { c.Signer = other.Agent.String() }), providertypes.ErrUnauthorized, "neither operator nor agent"},
		refusal{"too large", shop.Agent, change(good, func(c *prooftypes.MsgCommitEpoch) {
			for range 4 {
				c.Roots = append(c.Roots, c.Roots[0])
			}
		}), prooftypes.ErrInvalidRoots, "4"},
		refusal{"to more than was earned", shop.Agent, change(good, func(c *prooftypes.MsgCommitEpoch) {
			c.Roots[0].Sum = c.Roots[0].Sum.AddRaw(1_000_000)
		}), prooftypes.ErrBeyondAccrual, "grains"},
	)
	m.must(shop.Agent, good)
	m.refuses(refusal{"again", shop.Agent, good, prooftypes.ErrCommitted, "epoch 1"})
	late := commitTo(other, 1, m.tree(other, 1, 100))
	m.until(m.epoch(1).LateUntil)
	m.refuses(refusal{"late", other.Agent, late, prooftypes.ErrTooLate, "until second"})
}

func TestRoundsAndOpeningsThatNothingWaitsForAreRefused(t *testing.T) {
	m := newProvenMarket(t, 2)
	shop, other := m.shops[0], m.shops[1]
	lease := m.rents(shop, "web")
	m.until(10)
	m.must(m.tenant, m.word(m.tenant, lease, 1, 1, 1))
	m.refuses(refusal{"early", m.poster, m.round(1), prooftypes.ErrNotAwaited, "round 1"})
	m.endOf(1)
	tree := m.commits(shop, 1, 100)
	m.until(m.epoch(1).CommitUntil)
	awaited, err := m.proof().Beacon(t.Context(), &prooftypes.QueryBeaconRequest{})
	require.NoError(t, err)
	number := awaited.Awaited[0]
	forged, long := m.round(number+1), m.round(number)
	forged.Round = number
	long.Signature = append(long.Signature, make([]byte, 10_000)...)
	unasked := &prooftypes.MsgOpenAudit{
		Signer: shop.Agent.String(), Provider: shop.Operator.String(), Epoch: 1, Denom: scope.Denom, Openings: []prooftypes.Shown{{Opening: []byte{1}}},
	}
	m.refuses(
		refusal{"the round before", m.poster, m.round(number - 1), prooftypes.ErrNotAwaited, "round"},
		refusal{"the round after", m.poster, m.round(number + 1), prooftypes.ErrNotAwaited, "round"},
		refusal{"another round's signature", m.poster, forged, prooftypes.ErrInvalidSignature, "round"},
		refusal{"a long signature", m.poster, long, prooftypes.ErrInvalidSignature, "bytes"},
		refusal{"openings before the draw", shop.Agent, unasked, prooftypes.ErrNotAudited, "COMMITTED"},
	)
	m.draws()
	good := m.openings(shop, 1, tree)
	change := func(edit func(*prooftypes.MsgOpenAudit)) *prooftypes.MsgOpenAudit {
		changed := *good
		changed.Openings = append([]prooftypes.Shown(nil), good.Openings...)
		edit(&changed)
		return &changed
	}
	m.refuses(
		refusal{"the round again", m.poster, m.round(number), prooftypes.ErrKnown, "round"},
		refusal{"what the tenant's word denies", shop.Agent, good, prooftypes.ErrInvalidOpening, "receipt"},
		refusal{"openings of another one", other.Agent, change(func(o *prooftypes.MsgOpenAudit) { o.Signer = other.Agent.String() }), providertypes.ErrUnauthorized, "neither operator nor agent"},
		refusal{"too few", shop.Agent, change(func(o *prooftypes.MsgOpenAudit) { o.Openings = o.Openings[1:] }), prooftypes.ErrInvalidOpening, "8"},
		refusal{"too large", shop.Agent, change(func(o *prooftypes.MsgOpenAudit) {
			o.Openings[0].Opening = append(o.Openings[0].Opening, make([]byte, 100_000)...)
		}), prooftypes.ErrInvalidOpening, "opening"},
	)
	m.until(m.commitment(shop, 1).Commitment.OpenBy)
	m.refuses(refusal{"late", shop.Agent, good, prooftypes.ErrNotAudited, "FORGED"})
}
