// Package app puts the Souk chain together by hand: the Cosmos SDK's modules and ours, the order in which they run, the
// accounts that modules own, genesis, export and the node's query services.
//
// It decides what is connected to what and in which order. It holds no rule of the market, and it knows nothing of agents,
// containers or the command line.
package app

import (
	"encoding/json"
	"fmt"

	abci "github.com/cometbft/cometbft/abci/types"
	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/baseapp/blockexec"
	"github.com/cosmos/cosmos-sdk/codec"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/version"
	ibctm "github.com/cosmos/ibc-go/v11/modules/light-clients/07-tendermint"

	"github.com/souk-network/souk/app/scope"
)

// Name is the application's name in ABCI and in the genesis file.
const Name = scope.AppName

var _ servertypes.Application = (*App)(nil)

// App is the Souk chain: a state machine that CometBFT drives block by block.
type App struct {
	*baseapp.BaseApp
	Keepers

	encoding     Encoding
	storeKeys    map[string]*storetypes.KVStoreKey
	modules      *module.Manager
	basics       module.BasicManager
	configurator module.Configurator
	// lightClient is kept here because IBC's router holds a pointer to it.
	lightClient ibctm.LightClientModule
}

// New builds the application over db and loads its last committed state. Options come from app.toml, the environment and
// flags through appOpts. It panics when the wiring itself is wrong, which no operator can cause or cure, and when db holds
// state that cannot be loaded.
func New(logger log.Logger, db dbm.DB, appOpts servertypes.AppOptions, options ...func(*baseapp.BaseApp)) *App {
	return NewWithUpgrades(logger, db, appOpts, Upgrades(), options...)
}

// NewWithUpgrades is New for software that can perform other upgrades than this one's.
func NewWithUpgrades(
	logger log.Logger, db dbm.DB, appOpts servertypes.AppOptions, upgrades []Upgrade, options ...func(*baseapp.BaseApp),
) *App {
	app, err := build(logger, db, appOpts, upgrades, options)
	if err != nil {
		panic(fmt.Errorf("build application: %w", err))
	}
	if err := app.LoadLatestVersion(); err != nil {
		panic(fmt.Errorf("load last state: %w", err))
	}
	return app
}

// NewAtHeight builds the application and loads the state it had after the block at height.
func NewAtHeight(logger log.Logger, db dbm.DB, appOpts servertypes.AppOptions, height int64, options ...func(*baseapp.BaseApp)) (*App, error) {
	app, err := build(logger, db, appOpts, Upgrades(), options)
	if err != nil {
		return nil, fmt.Errorf("build application: %w", err)
	}
	if err := app.LoadVersion(height); err != nil {
		return nil, fmt.Errorf("load state of height %d: %w", height, err)
	}
	return app, nil
}

func build(
	logger log.Logger, db dbm.DB, appOpts servertypes.AppOptions, upgrades []Upgrade, options []func(*baseapp.BaseApp),
) (*App, error) {
	encoding, err := newEncoding()
	if err != nil {
		return nil, err
	}

	options = append(options, baseapp.SetOptimisticExecution())
	base := baseapp.NewBaseApp(Name, logger, db, encoding.TxConfig.TxDecoder(), options...)
	base.SetVersion(version.Version)
	base.SetInterfaceRegistry(encoding.InterfaceRegistry)
	base.SetTxEncoder(encoding.TxConfig.TxEncoder())

	app := &App{BaseApp: base, encoding: encoding, storeKeys: storetypes.NewKVStoreKeys(storeNames...)}
	if err := app.setKeepers(appOpts); err != nil {
		return nil, err
	}
	if err := app.setModules(); err != nil {
		return nil, err
	}
	if err := app.setUpgrades(appOpts, upgrades); err != nil {
		return nil, fmt.Errorf("install upgrades: %w", err)
	}
	if err := app.setServices(); err != nil {
		return nil, err
	}
	if err := app.setExecution(appOpts); err != nil {
		return nil, err
	}
	return app, nil
}

// setExecution mounts the stores and installs what CometBFT calls: the hooks of a block, the checks of a transaction and of
// a proposal, and the executor that app.toml names.
func (app *App) setExecution(appOpts servertypes.AppOptions) error {
	app.MountKVStores(app.storeKeys)
	if err := app.RegisterStreamingServices(appOpts, app.storeKeys); err != nil {
		return fmt.Errorf("register state streaming: %w", err)
	}

	app.SetInitChainer(app.InitChainer)
	app.SetPreBlocker(app.preBlocker)
	app.SetBeginBlocker(app.BeginBlocker)
	app.SetEndBlocker(app.EndBlocker)
	if err := app.setAnteHandler(); err != nil {
		return err
	}

	decode := app.encoding.TxConfig.TxDecoder()
	standard := baseapp.NewDefaultProposalHandler(app.Mempool(), app)
	app.SetPrepareProposal(standard.PrepareProposalHandler())
	app.SetProcessProposal(processProposal(decode, standard.ProcessProposalHandler()))

	blockexec.Apply(app.BaseApp, appOpts, app.stores(), decode,
		func(storetypes.MultiStore) string { return scope.Denom })
	return nil
}

func (app *App) preBlocker(ctx sdk.Context, _ *abci.RequestFinalizeBlock) (*sdk.ResponsePreBlock, error) {
	return app.modules.PreBlock(ctx)
}

// BeginBlocker runs the modules' work before the transactions of a block.
func (app *App) BeginBlocker(ctx sdk.Context) (sdk.BeginBlock, error) {
	return app.modules.BeginBlock(ctx)
}

// EndBlocker runs the modules' work after the transactions of a block.
func (app *App) EndBlocker(ctx sdk.Context) (sdk.EndBlock, error) {
	return app.modules.EndBlock(ctx)
}

// InitChainer writes the genesis state of all modules and returns the first validator set.
func (app *App) InitChainer(ctx sdk.Context, req *abci.RequestInitChain) (*abci.ResponseInitChain, error) {
	var state map[string]json.RawMessage
	if err := json.Unmarshal(req.AppStateBytes, &state); err != nil {
		return nil, fmt.Errorf("read genesis state: %w", err)
	}
	if err := app.UpgradeKeeper.SetModuleVersionMap(ctx, app.modules.GetVersionMap()); err != nil {
		return nil, fmt.Errorf("record module versions: %w", err)
	}
	return app.modules.InitGenesis(ctx, app.encoding.Codec, state)
}

// Encoding returns the application's codecs.
func (app *App) Encoding() Encoding { return app.encoding }

// Modules returns the module manager.
func (app *App) Modules() *module.Manager { return app.modules }

// Basics returns the modules' parts that need no state: genesis defaults, codecs, gateway routes.
func (app *App) Basics() module.BasicManager { return app.basics }

// StoreKeys returns the key of every persistent store, by name.
func (app *App) StoreKeys() map[string]*storetypes.KVStoreKey { return app.storeKeys }

// LegacyAmino returns the amino codec that hardware wallets sign with.
func (app *App) LegacyAmino() *codec.LegacyAmino { return app.encoding.Amino }

// LoadHeight loads the state after the block at height.
func (app *App) LoadHeight(height int64) error { return app.LoadVersion(height) }
