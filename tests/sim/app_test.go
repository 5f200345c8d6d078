package sim

import (
	"errors"
	"fmt"
	"testing"
	"time"

	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/client"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/x/auth"
	authsim "github.com/cosmos/cosmos-sdk/x/auth/simulation"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	transfertypes "github.com/cosmos/ibc-go/v11/modules/apps/transfer/types"
	ibcexported "github.com/cosmos/ibc-go/v11/modules/core/exported"

	"github.com/souk-network/souk/app"
	escrowkeeper "github.com/souk-network/souk/x/escrow/keeper"
	escrowsim "github.com/souk-network/souk/x/escrow/simulation"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	marketkeeper "github.com/souk-network/souk/x/market/keeper"
	marketsim "github.com/souk-network/souk/x/market/simulation"
	markettypes "github.com/souk-network/souk/x/market/types"
	proofkeeper "github.com/souk-network/souk/x/proof/keeper"
	proofsim "github.com/souk-network/souk/x/proof/simulation"
	prooftypes "github.com/souk-network/souk/x/proof/types"
	providerkeeper "github.com/souk-network/souk/x/provider/keeper"
	providersim "github.com/souk-network/souk/x/provider/simulation"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

var _ simsx.SimulationApp = (*chain)(nil)

// chain is the application as the simulator drives it.
type chain struct {
	*app.App
	manager *module.SimulationManager
	// tally counts what became of the messages.
	tally *tally
	// time is that of the last block that was committed.
	time time.Time
}

// open returns a function that builds the application, as the simulator wants it. Everything is checked before each commit.
func open(tb testing.TB, counts *tally) func(log.Logger, dbm.DB, bool, servertypes.AppOptions, ...func(*baseapp.BaseApp)) *chain {
	tb.Helper()
	return func(
		logger log.Logger, db dbm.DB, _ bool, appOpts servertypes.AppOptions, options ...func(*baseapp.BaseApp),
	) *chain {
		c := &chain{tally: counts}
		// A store that is pruned in the background is never let go of, and a run has hundreds of chains.
		options = append(options, baseapp.SetIAVLSyncPruning(true), func(base *baseapp.BaseApp) {
			base.SetPrecommiter(func(ctx sdk.Context) {
				c.time = ctx.BlockTime()
				if err := errors.Join(c.check(ctx), c.look(ctx)); err != nil {
					tb.Fatalf("after block %d: %v", ctx.BlockHeight(), err)
				}
			})
		})
		c.App = app.New(strict{logger, tb}, db, appOpts, options...)
		c.manager = c.simulation()
		return c
	}
}

// check holds the books of the whole chain against each other.
func (c *chain) check(ctx sdk.Context) error {
	if err := c.EscrowKeeper.AssertInvariants(ctx); err != nil {
		return fmt.Errorf("escrow: %w", err)
	}
	if err := c.ProviderKeeper.AssertInvariants(ctx); err != nil {
		return fmt.Errorf("provider: %w", err)
	}
	if err := c.MarketKeeper.CheckInvariants(ctx); err != nil {
		return fmt.Errorf("market: %w", err)
	}
	if err := c.ProofKeeper.CheckInvariants(ctx); err != nil {
		return fmt.Errorf("proof: %w", err)
	}
	stuck, err := escrowkeeper.NewQueryServer(c.EscrowKeeper).Quarantine(ctx, &escrowtypes.QueryQuarantineRequest{})
	if err != nil {
		return fmt.Errorf("list quarantine: %w", err)
	}
	if len(stuck.Items) > 0 {
		return fmt.Errorf("quarantined: %v", stuck.Items)
	}
	return nil
}

// simulation returns the modules that take part, with ours in the place of what the application knows of them.
func (c *chain) simulation() *module.SimulationManager {
	own := map[string]module.AppModuleSimulation{
		authtypes.ModuleName: auth.NewAppModule(c.Encoding().Codec, c.AuthKeeper, authsim.RandomGenesisAccounts),
		governanceName:       governance{c},
	}
	modules := map[string]any{governanceName: governance{c}}
	for name, m := range c.Modules().Modules {
		modules[name] = m
	}
	// No relayer takes part.
	delete(modules, ibcexported.ModuleName)
	delete(modules, transfertypes.ModuleName)
	for name, played := range soukModules(c.App) {
		own[name] = counted{played, c.tally}
	}
	return module.NewSimulationManagerFromAppModules(modules, own)
}

// played is a module of ours in the simulator.
type played interface {
	module.AppModuleSimulation
	simsx.HasWeightedOperationsX
	simsx.HasProposalMsgsX
}

// soukModules returns our modules by name.
func soukModules(a *app.App) map[string]played {
	escrow := escrowkeeper.NewQueryServer(a.EscrowKeeper)
	provider := providerkeeper.NewQueryServer(a.ProviderKeeper)
	market := marketkeeper.NewQueryServer(a.MarketKeeper)
	return map[string]played{
		escrowtypes.ModuleName:   escrowsim.NewModule(escrow, a.AuthzKeeper),
		providertypes.ModuleName: providersim.NewModule(provider, escrow),
		markettypes.ModuleName:   marketsim.NewModule(market, provider, escrow, a.AuthzKeeper),
		prooftypes.ModuleName:    proofsim.NewModule(proofkeeper.NewQueryServer(a.ProofKeeper), market, provider, escrow),
	}
}

// SimulationManager returns the modules that take part.
func (c *chain) SimulationManager() *module.SimulationManager { return c.manager }

// GetBaseApp returns what the simulator delivers to.
func (c *chain) GetBaseApp() *baseapp.BaseApp { return c.BaseApp }

// TxConfig returns the codec of transactions.
func (c *chain) TxConfig() client.TxConfig { return c.Encoding().TxConfig }
