package app_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/app/apptest"
	"github.com/souk-network/souk/app/scope"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// The named cases (cases_*_test.go) each play one danger to the end with signed transactions in real blocks, and then look
// at every coin.

const (
	// caseRunway and casePause are the runways of the cases: that which a new lease must find, and that at which it pauses.
	caseRunway, casePause = 10, 5
	// caseAckWindow is the default of the market.
	caseAckWindow = 60
	gift          = 1000
)

// caseGenesis lets money run low within seconds, earnings mature within a minute, and governance decide at once.
func caseGenesis(edits ...func(*escrowtypes.Params)) func(codec.JSONCodec, map[string]json.RawMessage) {
	return func(cdc codec.JSONCodec, state map[string]json.RawMessage) {
		apptest.ShortVotes(cdc, state)
		apptest.EditGenesis(cdc, state, escrowtypes.ModuleName, func(g *escrowtypes.GenesisState) {
			g.Params.EpochSeconds, g.Params.HoldbackEpochs = 10, 1
			g.Params.MinRunwaySeconds, g.Params.PauseRunwaySeconds = caseRunway, casePause
			g.Params.Denoms[0].MinDeposit = math.OneInt()
			for _, edit := range edits {
				edit(&g.Params)
			}
			g.Clock = escrowtypes.FirstClock(g.Params)
		})
	}
}

// cast are the people of a case, each with a key of their own, so that their transactions may come in any order.
type cast struct {
	operator, agent, tenant, stranger, manager, newcomer *apptest.Account

	*apptest.Chain
	t    *testing.T
	shop apptest.Shop
}

// newCast starts a chain with one shop that has room for so many units.
func newCast(t *testing.T, units uint64, edits ...func(*escrowtypes.Params)) *cast {
	t.Helper()
	chain := apptest.New(t, apptest.Options{Accounts: 6, Genesis: caseGenesis(edits...)})
	a := chain.Accounts
	c := &cast{operator: a[0], agent: a[1], tenant: a[2], stranger: a[3], manager: a[4], newcomer: a[5], Chain: chain, t: t}
	c.Deliver(time.Second)
	c.shop = c.OpenShop(time.Second, c.operator, c.agent, units, bond)
	return c
}

// sound fails unless everything in escrow, in the market and of the providers adds up, and nothing is in quarantine.
func (c *cast) sound() {
	c.t.Helper()
	c.agrees()
	require.Empty(c.t, c.quarantine())
}

// agrees fails unless everything adds up.
func (c *cast) agrees() {
	c.t.Helper()
	ctx := c.Context()
	require.NoError(c.t, c.App.EscrowKeeper.AssertInvariants(ctx))
	require.NoError(c.t, c.App.MarketKeeper.CheckInvariants(ctx))
	require.NoError(c.t, c.App.ProofKeeper.CheckInvariants(ctx))
	require.NoError(c.t, c.App.ProviderKeeper.AssertInvariants(ctx))
}

func (c *cast) quarantine() []escrowtypes.Quarantined {
	c.t.Helper()
	response, err := escrowtypes.NewQueryClient(c.Conn()).Quarantine(c.t.Context(), &escrowtypes.QueryQuarantineRequest{})
	require.NoError(c.t, err)
	return response.Items
}

// now is the service second of the last block.
func (c *cast) now() uint64 {
	c.t.Helper()
	now, err := c.App.EscrowKeeper.Now(c.Context())
	require.NoError(c.t, err)
	return now
}

// until makes blocks until the next one, a second later, is at that service second.
func (c *cast) until(second uint64) {
	c.t.Helper()
	require.Less(c.t, c.now(), second, "the past")
	for c.now()+1 < second {
		c.Deliver(time.Duration(min(second-1-c.now(), 20)) * time.Second)
	}
}

func (c *cast) account(id uint64) escrowtypes.Account {
	c.t.Helper()
	account, err := c.App.EscrowKeeper.Account(c.Context(), id)
	require.NoError(c.t, err)
	return account
}

func (c *cast) lease(id uint64) markettypes.Lease {
	c.t.Helper()
	response, err := markettypes.NewQueryClient(c.Conn()).Lease(c.t.Context(), &markettypes.QueryLeaseRequest{Id: id})
	require.NoError(c.t, err)
	return response.Lease
}

// has is what an account holds of the native coin.
func (c *cast) has(account *apptest.Account) int64 {
	return c.Balance(account, scope.Denom).Int64()
}

// managed is a deployment of the tenant that the manager may update.
func (c *cast) managed(name string, replicas uint32, deposit int64) apptest.Tx {
	tx := apptest.Create(c.tenant, name, replicas, deposit)
	tx.Msgs[0].(*markettypes.MsgCreateDeployment).AccessKeys = c.keys()
	return tx
}

func (c *cast) keys() []markettypes.AccessKey {
	return []markettypes.AccessKey{{Address: c.manager.String(), Scopes: []markettypes.Scope{markettypes.Scope_SCOPE_MANAGE}}}
}

// update declares that many replicas of a deployment that is managed, and another manifest.
func (c *cast) update(signer *apptest.Account, deployment uint64, replicas uint32, manifest string) apptest.Tx {
	created := apptest.Create(signer, manifest, replicas, 1).Msgs[0].(*markettypes.MsgCreateDeployment)
	return apptest.Tx{Signer: signer, Msgs: []sdk.Msg{&markettypes.MsgUpdateDeployment{
		Signer: signer.String(), Deployment: deployment, ManifestHash: created.ManifestHash, Bids: created.Bids,
		AccessKeys: c.keys(),
	}}}
}

func deposits(signer *apptest.Account, account uint64, amount int64) apptest.Tx {
	return apptest.Tx{Signer: signer, Msgs: []sdk.Msg{&escrowtypes.MsgDeposit{
		Signer: signer.String(), Account: account, Amount: sdk.NewInt64Coin(scope.Denom, amount),
	}}}
}

func withdraws(shop apptest.Shop, signer *apptest.Account) apptest.Tx {
	return apptest.Tx{Signer: signer, Msgs: []sdk.Msg{&providertypes.MsgWithdraw{
		Signer: signer.String(), Provider: shop.Operator.String(), Denom: scope.Denom,
	}}}
}

// created are the deployments that transactions of a block opened, all of which must.
func (c *cast) created(block apptest.Block) []uint64 {
	c.t.Helper()
	var ids []uint64
	for i, result := range block.Txs {
		require.Zero(c.t, result.Code, "transaction %d: %s", i, result.Log)
		var response markettypes.MsgCreateDeploymentResponse
		c.Unpack(result, &response)
		ids = append(ids, response.Deployment)
	}
	return ids
}

// acks makes a block in which the shop acknowledges all that is pending.
func (c *cast) acks() {
	c.t.Helper()
	pending := c.Pending(c.shop)
	var txs []apptest.Tx
	for len(pending) > 0 {
		n := min(len(pending), markettypes.MaxBatch)
		tx := c.shop.Ack(pending[:n]...)
		tx.Gas = 20_000_000
		txs, pending = append(txs, tx), pending[n:]
	}
	for _, result := range c.Deliver(time.Second, txs...).Txs {
		require.Zero(c.t, result.Code, result.Log)
		c.accepted(result)
	}
}

// accepted fails unless an acknowledgement took every lease.
func (c *cast) accepted(result *abci.ExecTxResult) {
	c.t.Helper()
	var acked markettypes.MsgAckLeasesResponse
	c.Unpack(result, &acked)
	for _, one := range acked.Results {
		require.Empty(c.t, one.Error, "lease %d", one.Lease)
	}
}

// deployAll opens deployments with deposits of their own in one block, and has them acknowledged in the next.
func (c *cast) deployAll(replicas uint32, deposits ...int64) []uint64 {
	c.t.Helper()
	var txs []apptest.Tx
	for i, deposit := range deposits {
		txs = append(txs, c.managed(fmt.Sprintf("web-%d-%d", c.Height, i), replicas, deposit))
	}
	ids := c.created(c.Deliver(time.Second, txs...))
	c.acks()
	return ids
}

// orders returns the items in every order.
func orders(items ...string) [][]string {
	if len(items) == 0 {
		return [][]string{nil}
	}
	var all [][]string
	for i, first := range items {
		rest := append(append([]string{}, items[:i]...), items[i+1:]...)
		for _, order := range orders(rest...) {
			all = append(all, append([]string{first}, order...))
		}
	}
	return all
}
