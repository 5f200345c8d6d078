package app

import (
	"fmt"
	"slices"

	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/x/auth"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/auth/vesting"
	vestingtypes "github.com/cosmos/cosmos-sdk/x/auth/vesting/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
	authzmodule "github.com/cosmos/cosmos-sdk/x/authz/module"
	"github.com/cosmos/cosmos-sdk/x/bank"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"github.com/cosmos/cosmos-sdk/x/consensus"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
	"github.com/cosmos/cosmos-sdk/x/distribution"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	"github.com/cosmos/cosmos-sdk/x/evidence"
	evidencetypes "github.com/cosmos/cosmos-sdk/x/evidence/types"
	"github.com/cosmos/cosmos-sdk/x/feegrant"
	feegrantmodule "github.com/cosmos/cosmos-sdk/x/feegrant/module"
	"github.com/cosmos/cosmos-sdk/x/genutil"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"
	"github.com/cosmos/cosmos-sdk/x/gov"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	"github.com/cosmos/cosmos-sdk/x/mint"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	"github.com/cosmos/cosmos-sdk/x/slashing"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	"github.com/cosmos/cosmos-sdk/x/staking"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/cosmos/cosmos-sdk/x/upgrade"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"
	transfertypes "github.com/cosmos/ibc-go/v11/modules/apps/transfer/types"
	ibcexported "github.com/cosmos/ibc-go/v11/modules/core/exported"

	"github.com/souk-network/souk/x/escrow"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market"
	markettypes "github.com/souk-network/souk/x/market/types"
	"github.com/souk-network/souk/x/proof"
	prooftypes "github.com/souk-network/souk/x/proof/types"
	"github.com/souk-network/souk/x/provider"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

var (
	// preBlockOrder: an upgrade must be applied before anything reads the state it changes.
	preBlockOrder = []string{upgradetypes.ModuleName, authtypes.ModuleName}

	// beginBlockOrder: new stake is minted before it is distributed, and rewards are distributed before slashing takes stake
	// away, so that nothing is left in the fee pool of a slashed validator. IBC leaves a consensus state for its clients
	// elsewhere when the chain is about to upgrade. Escrow ticks the service clock and does all that is due, also for the
	// modules above it.
	beginBlockOrder = []string{
		minttypes.ModuleName,
		distrtypes.ModuleName, slashingtypes.ModuleName, evidencetypes.ModuleName, stakingtypes.ModuleName,
		ibcexported.ModuleName, authz.ModuleName,
		escrowtypes.ModuleName,
	}

	// endBlockOrder: audits are drawn by what the block has brought, and the market clears last, on what all else in the block has
	// left.
	endBlockOrder = []string{
		banktypes.ModuleName, govtypes.ModuleName, stakingtypes.ModuleName, feegrant.ModuleName,
		prooftypes.ModuleName, markettypes.ModuleName,
	}

	// genesisOrder: accounts and balances come first. Genutil delivers the first validators' transactions, so it comes after
	// the modules that these touch, and after IBC, which every transaction passes in the ante handler.
	genesisOrder = []string{
		authtypes.ModuleName, banktypes.ModuleName, distrtypes.ModuleName, stakingtypes.ModuleName, slashingtypes.ModuleName,
		govtypes.ModuleName, minttypes.ModuleName, ibcexported.ModuleName, genutiltypes.ModuleName, evidencetypes.ModuleName,
		authz.ModuleName, transfertypes.ModuleName, feegrant.ModuleName, upgradetypes.ModuleName, vestingtypes.ModuleName,
		consensustypes.ModuleName,
		escrowtypes.ModuleName, providertypes.ModuleName, markettypes.ModuleName, prooftypes.ModuleName,
	}
)

// setModules builds the module manager with its orders, registers every module's types and services, and keeps the parts
// that need no state.
func (app *App) setModules() error {
	app.modules = module.NewManager(slices.Concat(app.sdkModules(), app.interchainModules(), app.soukModules())...)
	app.modules.SetOrderPreBlockers(preBlockOrder...)
	app.modules.SetOrderBeginBlockers(beginBlockOrder...)
	app.modules.SetOrderEndBlockers(endBlockOrder...)
	app.modules.SetOrderInitGenesis(genesisOrder...)
	app.modules.SetOrderExportGenesis(genesisOrder...)

	app.basics = newBasics(app.modules)
	app.basics.RegisterLegacyAminoCodec(app.encoding.Amino)
	app.basics.RegisterInterfaces(app.encoding.InterfaceRegistry)

	app.configurator = module.NewConfigurator(app.encoding.Codec, codedServer{app.MsgServiceRouter()}, app.GRPCQueryRouter())
	if err := app.modules.RegisterServices(app.configurator); err != nil {
		return fmt.Errorf("register module services: %w", err)
	}
	return nil
}

func (app *App) sdkModules() []module.AppModule {
	cdc, registry := app.encoding.Codec, app.encoding.InterfaceRegistry
	return []module.AppModule{
		auth.NewAppModule(cdc, app.AuthKeeper, nil),
		vesting.NewAppModule(app.AuthKeeper, app.BankKeeper),
		authzmodule.NewAppModule(cdc, app.AuthzKeeper, app.AuthKeeper, app.BankKeeper, registry),
		bank.NewAppModule(cdc, app.BankKeeper, app.AuthKeeper),
		consensus.NewAppModule(cdc, app.ConsensusKeeper),
		distribution.NewAppModule(cdc, app.DistributionKeeper, app.AuthKeeper, app.BankKeeper, app.StakingKeeper),
		evidence.NewAppModule(app.EvidenceKeeper),
		feegrantmodule.NewAppModule(cdc, app.AuthKeeper, app.BankKeeper, app.FeeGrantKeeper, registry),
		genutil.NewAppModule(app.AuthKeeper, app.StakingKeeper, app, app.encoding.TxConfig),
		gov.NewAppModule(cdc, app.GovKeeper, app.AuthKeeper, app.BankKeeper),
		mint.NewAppModule(cdc, app.MintKeeper, app.AuthKeeper, nil),
		slashing.NewAppModule(cdc, app.SlashingKeeper, app.AuthKeeper, app.BankKeeper, app.StakingKeeper, registry),
		staking.NewAppModule(cdc, app.StakingKeeper, app.AuthKeeper, app.BankKeeper),
		upgrade.NewAppModule(app.UpgradeKeeper, app.AuthKeeper.AddressCodec()),
	}
}

func (app *App) soukModules() []module.AppModule {
	cdc := app.encoding.Codec
	return []module.AppModule{
		escrow.NewAppModule(cdc, app.EscrowKeeper),
		provider.NewAppModule(cdc, app.ProviderKeeper),
		market.NewAppModule(cdc, app.MarketKeeper),
		proof.NewAppModule(cdc, app.ProofKeeper),
	}
}
