package sim

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/crypto/keys/ed25519"
	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"

	"github.com/souk-network/souk/app/apptest"
	escrowsim "github.com/souk-network/souk/x/escrow/simulation"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	marketsim "github.com/souk-network/souk/x/market/simulation"
	markettypes "github.com/souk-network/souk/x/market/types"
	proofsim "github.com/souk-network/souk/x/proof/simulation"
	prooftypes "github.com/souk-network/souk/x/proof/types"
	providersim "github.com/souk-network/souk/x/provider/simulation"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// TestParallelExecutionOfRandomBlocksLeavesTheSameState gives the same blocks of signed transactions, many of which conflict,
// to a chain that runs them one by one and to one that runs them in parallel.
func TestParallelExecutionOfRandomBlocksLeavesTheSameState(t *testing.T) {
	eachSeed(t, 2, func(t *testing.T, seed int64) {
		r := rand.New(rand.NewSource(seed))
		genesis := randomMarket(seed)
		options := apptest.Options{Accounts: 40, Funds: purse, Genesis: genesis, Time: genesisTime}
		sequential := apptest.New(t, options)
		options.Settings = map[string]any{"block-executor": "block-stm", "block-stm-workers": 4}
		parallel := apptest.New(t, options)

		delivered, passed := 0, 0
		for range setting(t, "BLOCKS", 30) {
			txs := sequential.Sign(randomTxs(sequential, r, 1+r.Intn(30))...)
			step := time.Duration(1+r.Intn(4000)) * time.Second
			one, many := sequential.DeliverBytes(step, txs...), parallel.DeliverBytes(step, txs...)
			for i := range txs {
				delivered++
				if one.Txs[i].Code == 0 {
					passed++
				}
				require.Equal(t, one.Txs[i], many.Txs[i], "block %d, transaction %d", one.Height, i)
			}
			require.Equal(t, one.Events, many.Events, "events of block %d", one.Height)
			require.Equal(t, fmt.Sprintf("%X", one.AppHash), fmt.Sprintf("%X", many.AppHash), "hash of block %d", one.Height)
		}
		require.Greater(t, 2*passed, delivered, "most transactions succeed")
		t.Logf("%d of %d transactions passed", passed, delivered)
	})
}

// randomMarket sets random parameters of our modules.
func randomMarket(seed int64) func(codec.JSONCodec, map[string]json.RawMessage) {
	return func(cdc codec.JSONCodec, state map[string]json.RawMessage) {
		r := rand.New(rand.NewSource(seed))
		apptest.EditGenesis(cdc, state, escrowtypes.ModuleName, func(g *escrowtypes.GenesisState) { *g = *escrowsim.RandomGenesis(r) })
		apptest.EditGenesis(cdc, state, providertypes.ModuleName, func(g *providertypes.GenesisState) { *g = *providersim.RandomGenesis(r) })
		apptest.EditGenesis(cdc, state, markettypes.ModuleName, func(g *markettypes.GenesisState) { *g = *marketsim.RandomGenesis(r) })
		apptest.EditGenesis(cdc, state, prooftypes.ModuleName, func(g *prooftypes.GenesisState) { *g = *proofsim.RandomGenesis(r) })
	}
}

// randomTxs makes up to n transactions that would succeed alone after the last block.
func randomTxs(c *apptest.Chain, r *rand.Rand, n int) []apptest.Tx {
	accounts, keys := simulated(c)
	modules := soukModules(c.App)
	registry := simsx.NewUnorderedRegistry()
	for _, name := range sorted(modules) {
		modules[name].WeightedOperationsX(simsx.ParamWeightSource(simtypes.AppParams{}), registry)
	}
	total := 0
	for _, weighted := range registry.Elements() {
		total += int(weighted.Weight)
	}
	var txs []apptest.Tx
	for range n {
		at := r.Intn(total)
		for _, weighted := range registry.Elements() {
			if at -= int(weighted.Weight); at < 0 {
				txs = append(txs, randomTx(c, r, weighted.Factory, accounts, keys)...)
				break
			}
		}
	}
	return txs
}

// randomTx makes a transaction of one message, none if the factory finds nothing to do.
func randomTx(
	c *apptest.Chain, r *rand.Rand, factory simsx.SimMsgFactoryX, accounts []simtypes.Account, keys map[string]*apptest.Account,
) []apptest.Tx {
	ctx := c.Context()
	reporter := simsx.NewBasicSimulationReporter().WithScope(factory.MsgType())
	testData := simsx.NewChainDataSource(ctx, r, c.App.AuthKeeper, c.App.BankKeeper, c.App.AuthKeeper.AddressCodec(), accounts...)
	signers, msg := factory.Create()(ctx, testData, reporter)
	if reporter.IsSkipped() || len(signers) == 0 {
		return nil
	}
	return []apptest.Tx{{Signer: keys[signers[0].AddressBech32], Msgs: []sdk.Msg{msg}, Gas: 10_000_000}}
}

// simulated returns the chain's accounts as the simulator knows them, and by address.
func simulated(c *apptest.Chain) ([]simtypes.Account, map[string]*apptest.Account) {
	var accounts []simtypes.Account
	keys := map[string]*apptest.Account{}
	for _, account := range c.Accounts {
		keys[account.String()] = account
		accounts = append(accounts, simtypes.Account{
			PrivKey: account.Key, PubKey: account.Key.PubKey(), Address: account.Address, AddressBech32: account.String(),
			ConsKey: ed25519.GenPrivKeyFromSecret(account.Address),
		})
	}
	return accounts, keys
}
