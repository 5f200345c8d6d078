package app_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/app/apptest"
	"github.com/souk-network/souk/app/scope"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

const (
	bond    = 100_000_000_000
	deposit = 10_000_000
	// perSecond is what one replica costs, see apptest.UnitRate.
	perSecond = apptest.UnitRate / 3600
)

// shortEpochs makes earnings mature within a minute.
func shortEpochs(cdc codec.JSONCodec, state map[string]json.RawMessage) {
	apptest.EditGenesis(cdc, state, escrowtypes.ModuleName, func(g *escrowtypes.GenesisState) {
		g.Params.EpochSeconds = 10
		g.Params.HoldbackEpochs = 1
		// The running epoch was laid out for the default length.
		g.Clock.EpochEnd = g.Clock.EpochStart + 10
	})
}

// patientEpochs is shortEpochs for those who prove what they earned.
func patientEpochs(cdc codec.JSONCodec, state map[string]json.RawMessage) {
	shortEpochs(cdc, state)
	apptest.PatientProofs(cdc, state)
}

// conserved fails unless escrow holds exactly what it owes.
func conserved(t *testing.T, chain *apptest.Chain) {
	t.Helper()
	books, err := escrowtypes.NewQueryClient(chain.Conn()).Conservation(t.Context(), &escrowtypes.QueryConservationRequest{Denom: scope.Denom})
	require.NoError(t, err)
	require.True(t, books.Conserved, "%+v", books)
	require.Equal(t, books.Bank, books.Accounts.Add(books.Pots).Add(books.Dust), "nothing was forced in")
	stuck, err := escrowtypes.NewQueryClient(chain.Conn()).Quarantine(t.Context(), &escrowtypes.QueryQuarantineRequest{})
	require.NoError(t, err)
	require.Empty(t, stuck.Items, "no item failed")
}

// deploy creates a deployment and has its leases acknowledged, in two blocks.
func deploy(t *testing.T, chain *apptest.Chain, shop apptest.Shop, owner *apptest.Account, name string, replicas uint32) uint64 {
	t.Helper()
	block := chain.Deliver(time.Second, apptest.Create(owner, name, replicas, deposit))
	require.Zero(t, block.Txs[0].Code, block.Txs[0].Log)
	var created markettypes.MsgCreateDeploymentResponse
	chain.Unpack(block.Txs[0], &created)

	pending := chain.Pending(shop)
	require.Len(t, pending, 1, "the block's end cleared the bid")
	result := chain.Deliver(time.Second, shop.Ack(pending...)).Txs[0]
	require.Zero(t, result.Code, result.Log)
	var acked markettypes.MsgAckLeasesResponse
	chain.Unpack(result, &acked)
	require.Empty(t, acked.Results[0].Error)
	return created.Deployment
}

func TestADeploymentIsPaidByTheSecondAndRefundedExactly(t *testing.T) {
	chain := apptest.New(t, apptest.Options{Genesis: patientEpochs})
	operator, agent, tenant := chain.Accounts[0], chain.Accounts[1], chain.Accounts[2]
	shop := chain.OpenShop(time.Second, operator, agent, 100, bond)
	before := chain.Balance(tenant, scope.Denom)

	deployment := deploy(t, chain, shop, tenant, "web", 3)
	require.Equal(t, before.SubRaw(deposit), chain.Balance(tenant, scope.Denom))
	started := chain.Time
	for range 30 {
		chain.Deliver(time.Second)
		conserved(t, chain)
	}

	result := chain.Deliver(700*time.Millisecond, apptest.Close(tenant, deployment)).Txs[0]
	require.Zero(t, result.Code, result.Log)
	var closed markettypes.MsgCloseDeploymentResponse
	chain.Unpack(result, &closed)
	seconds := int64(chain.Time.Sub(started) / time.Second)
	spent := 3 * perSecond * seconds
	require.Equal(t, int64(30), seconds, "the service clock counts whole seconds")
	require.Equal(t, deposit-spent, closed.Refunded.Amount.Int64())
	require.Equal(t, before.SubRaw(spent), chain.Balance(tenant, scope.Denom))
	conserved(t, chain)
	require.Empty(t, chain.Work(shop))

	for range 12 {
		chain.Deliver(time.Second)
	}
	chain.Prove(shop, func(txs ...apptest.Tx) apptest.Block { return chain.Deliver(time.Second, txs...) }, scope.Denom)
	conserved(t, chain)
	for range 20 {
		chain.Deliver(20 * time.Second)
	}
	earned := chain.Balance(operator, scope.Denom)
	var paid providertypes.MsgWithdrawResponse
	chain.Unpack(chain.Must(time.Second, agent, &providertypes.MsgWithdraw{
		Signer: agent.String(), Provider: operator.String(), Denom: scope.Denom,
	}), &paid)
	require.Equal(t, spent, paid.Amount.Amount.Add(paid.Fee.Amount).Int64(), "the provider and the pool share what the tenant spent")
	require.Equal(t, spent*2/100, paid.Fee.Amount.Int64())
	require.Equal(t, earned.Add(paid.Amount.Amount), chain.Balance(operator, scope.Denom))
	conserved(t, chain)
}

// TestANodeThatCrashedBetweenBlocksComesBackToTheSameState stops the application after it ran a block but before it
// committed it, and gives the block to its successor again, as CometBFT does.
func TestANodeThatCrashedBetweenBlocksComesBackToTheSameState(t *testing.T) {
	run := func(crash bool) string {
		chain := apptest.New(t, apptest.Options{Genesis: shortEpochs})
		shop := chain.OpenShop(time.Second, chain.Accounts[0], chain.Accounts[1], 100, bond)
		deployment := deploy(t, chain, shop, chain.Accounts[2], "web", 2)
		chain.Deliver(time.Second)

		last := chain.Sign(apptest.Close(chain.Accounts[2], deployment))
		if crash {
			chain.Finalize(time.Second, last...)
			chain.Restart()
			require.Len(t, chain.Work(shop), 1, "the block left no trace")
		}
		block := chain.DeliverBytes(time.Second, last...)
		require.Zero(t, block.Txs[0].Code, block.Txs[0].Log)
		conserved(t, chain)
		return fmt.Sprintf("%X", block.AppHash)
	}
	require.Equal(t, run(false), run(true))
}

// market makes blocks of random but repeatable market transactions of many tenants and one provider, and returns the state
// hash after each.
func market(t *testing.T, settings map[string]any) (*apptest.Chain, []string) {
	t.Helper()
	const tenants, blocks = 6, 12
	chain := apptest.New(t, apptest.Options{Accounts: 2 + tenants, Settings: settings, Genesis: shortEpochs})
	operator, agent := chain.Accounts[0], chain.Accounts[1]
	shop := chain.OpenShop(time.Second, operator, agent, 1000, bond)

	var hashes []string
	open := make([]uint64, tenants)
	for i := range blocks {
		var txs []apptest.Tx
		if pending := chain.Pending(shop); len(pending) > 0 {
			txs = append(txs, shop.Ack(pending...))
		}
		creators := map[int]int{}
		for n, tenant := range chain.Accounts[2:] {
			switch {
			case open[n] == 0:
				creators[len(txs)] = n
				txs = append(txs, apptest.Create(tenant, fmt.Sprintf("web-%d-%d", n, i), uint32(1+n), deposit))
			case (n+i)%4 == 0:
				txs = append(txs, apptest.Close(tenant, open[n]))
				open[n] = 0
			default:
				txs = append(txs, apptest.Tx{Signer: tenant, Msgs: []sdk.Msg{&escrowtypes.MsgDeposit{
					Signer: tenant.String(), Account: open[n], Amount: sdk.NewInt64Coin(scope.Denom, int64(1000+n)),
				}}})
			}
		}
		block := chain.Deliver(1300*time.Millisecond, txs...)
		for n, result := range block.Txs {
			require.Zero(t, result.Code, "block %d transaction %d: %s", i, n, result.Log)
			if tenant, ok := creators[n]; ok {
				var created markettypes.MsgCreateDeploymentResponse
				chain.Unpack(result, &created)
				open[tenant] = created.Deployment
				require.Equal(t, created.Account, created.Deployment)
			}
		}
		conserved(t, chain)
		hashes = append(hashes, fmt.Sprintf("%X", block.AppHash))
	}
	return chain, hashes
}

func TestTheMarketLeavesTheSameStateOnEveryNodeHoweverItExecutes(t *testing.T) {
	_, first := market(t, nil)
	_, second := market(t, nil)
	require.Equal(t, first, second)
	_, parallel := market(t, map[string]any{"block-executor": "block-stm", "block-stm-workers": 4})
	require.Equal(t, first, parallel)
}

func TestARunningMarketSurvivesExportAndImport(t *testing.T) {
	chain, _ := market(t, nil)
	operator := chain.Accounts[0]
	shop := apptest.Shop{Operator: operator, Agent: chain.Accounts[1]}
	work := chain.Work(shop)
	require.NotEmpty(t, work)

	for _, zero := range []bool{false, true} {
		t.Run(fmt.Sprintf("zero height %t", zero), func(t *testing.T) {
			imported := apptest.New(t, apptest.Options{
				Accounts: len(chain.Accounts), Exported: export(t, chain, zero), Time: chain.Time.Add(time.Hour),
			})
			owner := accountOf(t, imported, work[0].Owner)
			before := imported.Balance(owner, scope.Denom)
			imported.Deliver(time.Second)
			conserved(t, imported)
			require.Equal(t, work, imported.Work(shop), "the hour between export and import is nobody's to pay")

			result := imported.Deliver(time.Second, apptest.Close(owner, work[0].Lease.Deployment)).Txs[0]
			require.Zero(t, result.Code, result.Log)
			require.True(t, imported.Balance(owner, scope.Denom).GT(before))
			conserved(t, imported)
		})
	}
}

func accountOf(t *testing.T, chain *apptest.Chain, address string) *apptest.Account {
	t.Helper()
	for _, account := range chain.Accounts {
		if account.String() == address {
			return account
		}
	}
	t.Fatalf("%s is none of the accounts", address)
	return nil
}
