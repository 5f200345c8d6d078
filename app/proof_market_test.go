package app_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/app/apptest"
	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/beacon/local"
	"github.com/souk-network/souk/sumtree"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// The epochs and windows of a provenMarket, in seconds.
const (
	provenEpoch  = 20
	commitWindow = 4
	openWindow   = 4
	forceWindow  = 4
	probation    = 6
)

// provenMarket is the whole application with providers that must prove what they are paid for, and a tenant. All that is done in it is
// done by signed transactions.
type provenMarket struct {
	*apptest.Chain
	t      *testing.T
	beacon *local.Keys
	shops  []apptest.Shop
	tenant *apptest.Account
	poster *apptest.Account // of rounds of the beacon
}

// proofEdit changes the parameters of a provenMarket.
type proofEdit func(*prooftypes.Params)

func newProvenMarket(t *testing.T, shops int, edits ...proofEdit) *provenMarket {
	t.Helper()
	keys, err := local.Generate(mathrand.NewChaCha8([32]byte{1}), local.Spec{
		Members: 3, Threshold: 2, PeriodSeconds: 1, GenesisTime: uint64(apptest.GenesisTime.Unix()) - 100,
	})
	require.NoError(t, err)
	m := &provenMarket{t: t, beacon: keys}
	m.Chain = apptest.New(t, apptest.Options{
		Accounts: 2*shops + 2,
		Genesis: func(cdc codec.JSONCodec, state map[string]json.RawMessage) {
			apptest.EditGenesis(cdc, state, escrowtypes.ModuleName, func(g *escrowtypes.GenesisState) {
				g.Params.MaxTickSeconds, g.Params.EpochSeconds, g.Params.HoldbackEpochs = 5, provenEpoch, 5
				g.Clock.EpochEnd = g.Clock.EpochStart + provenEpoch
			})
			apptest.EditGenesis(cdc, state, markettypes.ModuleName, func(g *markettypes.GenesisState) {
				g.Params.AckWindowSeconds, g.Params.AnswerWindowSeconds = 15, 15
			})
			apptest.EditGenesis(cdc, state, providertypes.ModuleName, func(g *providertypes.GenesisState) {
				g.Params.MaintenanceNoticeSeconds = 20
			})
			apptest.EditGenesis(cdc, state, prooftypes.ModuleName, func(g *prooftypes.GenesisState) {
				p := &g.Params
				p.Beacon = prooftypes.NewBeacon(keys.Group)
				p.CommitWindowSeconds, p.SeedDelaySeconds, p.BeaconTimeoutSeconds = commitWindow, 2, 6
				p.OpenWindowSeconds, p.ForceWindowSeconds, p.ReceiptGraceSeconds = openWindow, forceWindow, 2
				p.ProbationEpochs, p.MissedPpm, p.FailedLeases = probation, 300_000, 2 // of six epochs one may be missed
				for _, edit := range edits {
					edit(p)
				}
			})
		},
	})
	for i := range shops {
		m.shops = append(m.shops, m.OpenShop(time.Second, m.Accounts[2*i], m.Accounts[2*i+1], 100, bond))
	}
	m.tenant, m.poster = m.Accounts[2*shops], m.Accounts[2*shops+1]
	return m
}

func (m *provenMarket) proof() prooftypes.QueryClient { return prooftypes.NewQueryClient(m.Conn()) }

func (m *provenMarket) now() uint64 {
	m.t.Helper()
	clock, err := escrowtypes.NewQueryClient(m.Conn()).Clock(m.t.Context(), &escrowtypes.QueryClockRequest{})
	require.NoError(m.t, err)
	return clock.Now
}

// until lets blocks pass, a second each, and stops in the first one that is at a service second or after it.
func (m *provenMarket) until(at uint64) {
	m.t.Helper()
	for m.now() < at {
		m.Deliver(time.Second)
	}
	conserved(m.t, m.Chain)
}

// endOf lets time pass until an epoch has closed.
func (m *provenMarket) endOf(number uint64) prooftypes.Epoch {
	m.t.Helper()
	m.until(1 + number*provenEpoch)
	return m.epoch(number)
}

func (m *provenMarket) epoch(number uint64) prooftypes.Epoch {
	m.t.Helper()
	res, err := m.proof().Epoch(m.t.Context(), &prooftypes.QueryEpochRequest{Epoch: number})
	require.NoError(m.t, err)
	return res.Epoch
}

// must makes a block with a transaction that takes effect.
func (m *provenMarket) must(signer *apptest.Account, msgs ...sdk.Msg) *sdk.TxMsgData {
	m.t.Helper()
	result := m.Must(time.Second, signer, msgs...)
	conserved(m.t, m.Chain)
	data := new(sdk.TxMsgData)
	require.NoError(m.t, data.Unmarshal(result.Data))
	return data
}

// wins lets the tenant bid for a unit of one provider, and returns the lease that it gets, not yet acknowledged.
func (m *provenMarket) wins(shop apptest.Shop, name string) uint64 {
	m.t.Helper()
	hash := sha256.Sum256([]byte(name))
	m.must(m.tenant, &markettypes.MsgCreateDeployment{
		Owner: m.tenant.String(), Name: name, ManifestHash: hash[:], Deposit: sdk.NewInt64Coin(scope.Denom, deposit),
		Bids: []markettypes.BidSpec{{
			Name: "web", Unit: apptest.Unit(), MinReplicas: 1, Replicas: 1, Cap: 2 * apptest.UnitRate, Allow: []string{shop.Operator.String()},
		}},
	})
	pending := m.Pending(shop)
	require.Len(m.t, pending, 1, "the block's end cleared the bid")
	return pending[0]
}

// rents is wins of a lease that is served from now on.
func (m *provenMarket) rents(shop apptest.Shop, name string) uint64 {
	m.t.Helper()
	lease := m.wins(shop, name)
	result := m.Deliver(time.Second, shop.Ack(lease)).Txs[0]
	require.Zero(m.t, result.Code, result.Log)
	return lease
}

// tree is what a provider commits to whose leases were up for a part of the time.
func (m *provenMarket) tree(shop apptest.Shop, epoch, percent uint64) *sumtree.Tree {
	m.t.Helper()
	res, err := m.proof().Dues(m.t.Context(), &prooftypes.QueryDuesRequest{
		Provider: shop.Operator.String(), Epoch: epoch, Denom: scope.Denom,
	})
	require.NoError(m.t, err)
	require.NotEmpty(m.t, res.Dues)
	var leaves []sumtree.Leaf
	for _, due := range res.Dues {
		up := due.Seconds * percent / 100
		payload, err := (&prooftypes.Leaf{Epoch: epoch, UpSeconds: up, DueSeconds: due.Seconds}).Marshal()
		require.NoError(m.t, err)
		credited, err := sumtree.FromBig(prooftypes.CreditOf(due.Grains, up, due.Seconds).BigInt())
		require.NoError(m.t, err)
		leaves = append(leaves, sumtree.Leaf{ID: due.Lease, Sum: credited, Payload: payload})
	}
	tree, err := sumtree.Build(leaves)
	require.NoError(m.t, err)
	return tree
}

func commitTo(shop apptest.Shop, epoch uint64, tree *sumtree.Tree) *prooftypes.MsgCommitEpoch {
	return &prooftypes.MsgCommitEpoch{
		Signer: shop.Agent.String(), Provider: shop.Operator.String(), Epoch: epoch,
		Roots: []prooftypes.Root{prooftypes.NewRoot(scope.Denom, tree.Root())},
	}
}

// commits lets a provider commit to an epoch that has closed, and returns the tree.
func (m *provenMarket) commits(shop apptest.Shop, epoch, percent uint64) *sumtree.Tree {
	m.t.Helper()
	tree := m.tree(shop, epoch, percent)
	m.must(shop.Agent, commitTo(shop, epoch, tree))
	return tree
}

func (m *provenMarket) commitment(shop apptest.Shop, epoch uint64) *prooftypes.QueryCommitmentResponse {
	m.t.Helper()
	res, err := m.proof().Commitment(m.t.Context(), &prooftypes.QueryCommitmentRequest{Provider: shop.Operator.String(), Epoch: epoch})
	require.NoError(m.t, err)
	return res
}

// draws lets time pass until the round of the beacon that is awaited can be known, and posts it.
func (m *provenMarket) draws() {
	m.t.Helper()
	for range 3 * provenEpoch {
		res, err := m.proof().Beacon(m.t.Context(), &prooftypes.QueryBeaconRequest{})
		require.NoError(m.t, err)
		if len(res.Awaited) > 0 {
			at, err := m.beacon.Group.TimeOf(res.Awaited[0])
			require.NoError(m.t, err)
			if uint64(m.Time.Unix()) >= at {
				m.must(m.poster, m.round(res.Awaited[0]))
				return
			}
		}
		m.Deliver(time.Second)
	}
	require.Fail(m.t, "no round is awaited")
}

func (m *provenMarket) round(number uint64) *prooftypes.MsgPostRound {
	m.t.Helper()
	signature, err := m.beacon.Signature(number)
	require.NoError(m.t, err)
	return &prooftypes.MsgPostRound{Signer: m.poster.String(), Round: number, Signature: signature}
}

// openings shows what an audit drew.
func (m *provenMarket) openings(shop apptest.Shop, epoch uint64, tree *sumtree.Tree) *prooftypes.MsgOpenAudit {
	m.t.Helper()
	msg := &prooftypes.MsgOpenAudit{Signer: shop.Agent.String(), Provider: shop.Operator.String(), Epoch: epoch, Denom: scope.Denom}
	drawn := m.commitment(shop, epoch).Drawn
	require.Len(m.t, drawn, 1, "the epoch is audited")
	for _, position := range drawn[0].Positions {
		at, err := sumtree.FromBig(position.BigInt())
		require.NoError(m.t, err)
		opening, err := tree.OpenAt(at)
		require.NoError(m.t, err)
		encoded, err := opening.Marshal()
		require.NoError(m.t, err)
		msg.Openings = append(msg.Openings, prooftypes.Shown{Opening: encoded})
	}
	return msg
}

// proves lets a provider prove a part of an epoch, in time.
func (m *provenMarket) proves(shop apptest.Shop, epoch, percent uint64) *sumtree.Tree {
	m.t.Helper()
	m.endOf(epoch)
	tree := m.commits(shop, epoch, percent)
	m.draws()
	m.must(shop.Agent, m.openings(shop, epoch, tree))
	require.Equal(m.t, prooftypes.CommitmentState_COMMITMENT_STATE_PROVEN, m.commitment(shop, epoch).Commitment.State)
	return tree
}

// leafOf shows the leaf of a lease.
func (m *provenMarket) leafOf(tree *sumtree.Tree, lease uint64) []byte {
	m.t.Helper()
	opening, err := tree.OpenID(lease)
	require.NoError(m.t, err)
	encoded, err := opening.Marshal()
	require.NoError(m.t, err)
	return encoded
}

// word is what somebody says, until now, of an epoch of a lease. The tenant posts it.
func (m *provenMarket) word(by *apptest.Account, lease, epoch, seq, up uint64) *prooftypes.MsgPostReceipt {
	m.t.Helper()
	receipt := prooftypes.Receipt{
		ChainId: apptest.ChainID, Lease: lease, Epoch: epoch, Seq: seq, Until: m.now(), UpSeconds: up, PublicKey: by.Key.PubKey().Bytes(),
	}
	bytes, err := receipt.SignBytes()
	require.NoError(m.t, err)
	receipt.Signature, err = by.Key.Sign(bytes)
	require.NoError(m.t, err)
	return &prooftypes.MsgPostReceipt{Signer: m.tenant.String(), Receipt: receipt}
}

func (m *provenMarket) refund(lease, epoch uint64) *prooftypes.QueryRefundResponse {
	m.t.Helper()
	res, err := m.proof().Refund(m.t.Context(), &prooftypes.QueryRefundRequest{Lease: lease, Epoch: epoch})
	require.NoError(m.t, err)
	return res
}

// faults are what a provider did wrong, the newest first.
func (m *provenMarket) faults(shop apptest.Shop) []prooftypes.Fault {
	m.t.Helper()
	res, err := m.proof().Faults(m.t.Context(), &prooftypes.QueryFaultsRequest{Provider: shop.Operator.String()})
	require.NoError(m.t, err)
	return res.Faults
}

func (m *provenMarket) provider(shop apptest.Shop) providertypes.Provider {
	m.t.Helper()
	res, err := providertypes.NewQueryClient(m.Conn()).Provider(m.t.Context(), &providertypes.QueryProviderRequest{Operator: shop.Operator.String()})
	require.NoError(m.t, err)
	return res.Provider
}

func (m *provenMarket) bondOf(shop apptest.Shop) math.Int {
	m.t.Helper()
	return m.provider(shop).Bond.AmountOf(scope.Denom)
}

func (m *provenMarket) lease(id uint64) markettypes.Lease {
	m.t.Helper()
	res, err := markettypes.NewQueryClient(m.Conn()).Lease(m.t.Context(), &markettypes.QueryLeaseRequest{Id: id})
	require.NoError(m.t, err)
	return res.Lease
}

// account is the balance of the account that pays for a lease, in micro-denom, and the part below one in grains.
func (m *provenMarket) account(lease uint64) math.Int {
	m.t.Helper()
	res, err := escrowtypes.NewQueryClient(m.Conn()).Account(m.t.Context(), &escrowtypes.QueryAccountRequest{Id: m.lease(lease).Deployment})
	require.NoError(m.t, err)
	return res.Balance
}

// earnings are what a provider has in its pots.
func (m *provenMarket) earnings(shop apptest.Shop) *escrowtypes.QueryEarningsResponse {
	m.t.Helper()
	res, err := escrowtypes.NewQueryClient(m.Conn()).Earnings(m.t.Context(), &escrowtypes.QueryEarningsRequest{
		Payee: shop.Operator.String(), Denom: scope.Denom,
	})
	require.NoError(m.t, err)
	return res
}

// name of a fault, for messages.
func kinds(faults []prooftypes.Fault) string {
	var text string
	for _, fault := range faults {
		text += fmt.Sprintf("%s of epoch %d, lease %d: %s\n", fault.Kind, fault.Epoch, fault.Lease, fault.Reason)
	}
	return text
}
