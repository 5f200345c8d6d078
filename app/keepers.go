package app

import (
	"path/filepath"

	"github.com/spf13/cast"

	corestore "cosmossdk.io/core/store"

	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/server"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	authkeeper "github.com/cosmos/cosmos-sdk/x/auth/keeper"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	authzkeeper "github.com/cosmos/cosmos-sdk/x/authz/keeper"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	consensuskeeper "github.com/cosmos/cosmos-sdk/x/consensus/keeper"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
	distrkeeper "github.com/cosmos/cosmos-sdk/x/distribution/keeper"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	evidencekeeper "github.com/cosmos/cosmos-sdk/x/evidence/keeper"
	evidencetypes "github.com/cosmos/cosmos-sdk/x/evidence/types"
	"github.com/cosmos/cosmos-sdk/x/feegrant"
	feegrantkeeper "github.com/cosmos/cosmos-sdk/x/feegrant/keeper"
	govkeeper "github.com/cosmos/cosmos-sdk/x/gov/keeper"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1beta1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1beta1"
	mintkeeper "github.com/cosmos/cosmos-sdk/x/mint/keeper"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	slashingkeeper "github.com/cosmos/cosmos-sdk/x/slashing/keeper"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	upgradekeeper "github.com/cosmos/cosmos-sdk/x/upgrade/keeper"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"
	transferkeeper "github.com/cosmos/ibc-go/v11/modules/apps/transfer/keeper"
	transfertypes "github.com/cosmos/ibc-go/v11/modules/apps/transfer/types"
	ibcexported "github.com/cosmos/ibc-go/v11/modules/core/exported"
	ibckeeper "github.com/cosmos/ibc-go/v11/modules/core/keeper"

	"github.com/souk-network/souk/app/scope"
	escrowkeeper "github.com/souk-network/souk/x/escrow/keeper"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	marketkeeper "github.com/souk-network/souk/x/market/keeper"
	markettypes "github.com/souk-network/souk/x/market/types"
	proofkeeper "github.com/souk-network/souk/x/proof/keeper"
	prooftypes "github.com/souk-network/souk/x/proof/types"
	providerkeeper "github.com/souk-network/souk/x/provider/keeper"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// Keepers are the modules' state handlers.
type Keepers struct {
	AuthKeeper         authkeeper.AccountKeeper
	AuthzKeeper        authzkeeper.Keeper
	BankKeeper         bankkeeper.BaseKeeper
	ConsensusKeeper    consensuskeeper.Keeper
	DistributionKeeper distrkeeper.Keeper
	EvidenceKeeper     evidencekeeper.Keeper
	FeeGrantKeeper     feegrantkeeper.Keeper
	GovKeeper          *govkeeper.Keeper
	MintKeeper         mintkeeper.Keeper
	SlashingKeeper     slashingkeeper.Keeper
	StakingKeeper      *stakingkeeper.Keeper
	UpgradeKeeper      *upgradekeeper.Keeper

	IBCKeeper      *ibckeeper.Keeper
	TransferKeeper *transferkeeper.Keeper

	EscrowKeeper   *escrowkeeper.Keeper
	ProviderKeeper *providerkeeper.Keeper
	MarketKeeper   *marketkeeper.Keeper
	ProofKeeper    *proofkeeper.Keeper
}

// storeNames are the names of all persistent stores.
var storeNames = []string{
	authtypes.StoreKey, authzkeeper.StoreKey, banktypes.StoreKey, consensustypes.StoreKey, distrtypes.StoreKey,
	evidencetypes.StoreKey, feegrant.StoreKey, govtypes.StoreKey, minttypes.StoreKey, slashingtypes.StoreKey,
	stakingtypes.StoreKey, upgradetypes.StoreKey,
	ibcexported.StoreKey, transfertypes.StoreKey,
	escrowtypes.StoreKey, providertypes.StoreKey, markettypes.StoreKey, prooftypes.StoreKey,
}

// stores returns the store keys in the order of their names above.
func (app *App) stores() []storetypes.StoreKey {
	stores := make([]storetypes.StoreKey, 0, len(storeNames))
	for _, name := range storeNames {
		stores = append(stores, app.storeKeys[name])
	}
	return stores
}

// setKeepers builds all keepers, lower modules first. Governance is the authority over every module's parameters.
func (app *App) setKeepers(appOpts servertypes.AppOptions) error {
	cdc := app.encoding.Codec
	authority, err := scope.AddressCodec().BytesToString(authtypes.NewModuleAddress(govtypes.ModuleName))
	if err != nil {
		return err
	}

	app.ConsensusKeeper = consensuskeeper.NewKeeper(cdc, app.store(consensustypes.StoreKey), authority, runtime.EventService{})
	app.SetParamStore(app.ConsensusKeeper.ParamsStore)

	app.AuthKeeper = authkeeper.NewAccountKeeper(cdc, app.store(authtypes.StoreKey), authtypes.ProtoBaseAccount,
		accountPermissions(), scope.AddressCodec(), scope.AccountPrefix, authority, authkeeper.WithUnorderedTransactions(true))
	app.BankKeeper = bankkeeper.NewBaseKeeper(cdc, app.store(banktypes.StoreKey), app.AuthKeeper, blockedAddresses(),
		authority, app.Logger())
	app.AuthzKeeper = authzkeeper.NewKeeper(app.store(authzkeeper.StoreKey), cdc, app.MsgServiceRouter(), app.AuthKeeper)
	app.FeeGrantKeeper = feegrantkeeper.NewKeeper(cdc, app.store(feegrant.StoreKey), app.AuthKeeper)

	app.setStakingKeepers(authority)
	app.setGovernanceKeepers(appOpts, authority)
	app.setInterchainKeepers(authority)
	app.setMarketKeepers(authority)
	return nil
}

// setStakingKeepers builds the keepers around the validator set: stake, its rewards and its punishments.
func (app *App) setStakingKeepers(authority string) {
	cdc := app.encoding.Codec
	app.StakingKeeper = stakingkeeper.NewKeeper(cdc, app.store(stakingtypes.StoreKey), app.AuthKeeper, app.BankKeeper,
		authority, scope.ValidatorAddressCodec(), scope.ConsensusAddressCodec())
	app.MintKeeper = mintkeeper.NewKeeper(cdc, app.store(minttypes.StoreKey), app.StakingKeeper, app.AuthKeeper,
		app.BankKeeper, authtypes.FeeCollectorName, authority)
	app.DistributionKeeper = distrkeeper.NewKeeper(cdc, app.store(distrtypes.StoreKey), app.AuthKeeper, app.BankKeeper,
		app.StakingKeeper, authtypes.FeeCollectorName, authority)
	app.SlashingKeeper = slashingkeeper.NewKeeper(cdc, app.encoding.Amino, app.store(slashingtypes.StoreKey),
		app.StakingKeeper, authority)
	app.StakingKeeper.SetHooks(stakingtypes.NewMultiStakingHooks(app.DistributionKeeper.Hooks(), app.SlashingKeeper.Hooks()))

	// Double signing reaches the module from CometBFT; nothing can be submitted by hand, so the router stays empty.
	evidence := evidencekeeper.NewKeeper(cdc, app.store(evidencetypes.StoreKey), app.StakingKeeper, app.SlashingKeeper,
		scope.AddressCodec(), runtime.ProvideCometInfoService())
	evidence.SetRouter(evidencetypes.NewRouter())
	app.EvidenceKeeper = *evidence
}

// setGovernanceKeepers builds the keepers of votes and of the software upgrades they decide.
func (app *App) setGovernanceKeepers(appOpts servertypes.AppOptions, authority string) {
	cdc := app.encoding.Codec
	home := cast.ToString(appOpts.Get(flags.FlagHome))
	app.UpgradeKeeper = upgradekeeper.NewKeeper(skippedUpgrades(appOpts), app.store(upgradetypes.StoreKey), cdc,
		filepath.Clean(home), app.BaseApp, authority)

	app.GovKeeper = govkeeper.NewKeeper(cdc, app.store(govtypes.StoreKey), app.AuthKeeper, app.BankKeeper,
		app.DistributionKeeper, app.MsgServiceRouter(), govtypes.DefaultConfig(), authority,
		govkeeper.NewDefaultCalculateVoteResultsAndVotingPower(app.StakingKeeper))
	// Without a router a legacy text proposal would dereference nil.
	app.GovKeeper.SetLegacyRouter(govv1beta1.NewRouter().AddRoute(govtypes.RouterKey, govv1beta1.ProposalHandler))
}

// setMarketKeepers builds Souk's own keepers. Each knows those below it; escrow reaches those above through the hooks and
// deadline sources that they register.
func (app *App) setMarketKeepers(authority string) {
	cdc, addresses := app.encoding.Codec, scope.AddressCodec()
	app.EscrowKeeper = escrowkeeper.NewKeeper(cdc, app.store(escrowtypes.StoreKey), addresses, app.BankKeeper,
		app.AuthKeeper, app.DistributionKeeper, app.AuthzKeeper, authority)
	app.ProviderKeeper = providerkeeper.NewKeeper(cdc, app.store(providertypes.StoreKey), addresses, app.BankKeeper,
		app.AuthKeeper, app.EscrowKeeper, app.DistributionKeeper, authority)
	app.MarketKeeper = marketkeeper.NewKeeper(cdc, app.store(markettypes.StoreKey), addresses, app.EscrowKeeper,
		app.ProviderKeeper, app.BankKeeper, authority)
	app.ProofKeeper = proofkeeper.NewKeeper(cdc, app.store(prooftypes.StoreKey), addresses, app.BankKeeper, app.AuthKeeper,
		app.EscrowKeeper, app.ProviderKeeper, app.MarketKeeper, authority)

	app.EscrowKeeper.SetCreditPolicy(app.ProofKeeper.Policy())
	app.MarketKeeper.SetHooks(app.ProofKeeper.MarketHooks())
	app.EscrowKeeper.SetHooks(app.MarketKeeper.EscrowHooks())
	app.ProviderKeeper.SetHooks(app.MarketKeeper.ProviderHooks())
	for _, source := range app.MarketKeeper.DeadlineSources() {
		app.EscrowKeeper.RegisterDeadlines(source)
	}
	for _, source := range app.ProofKeeper.DeadlineSources() {
		app.EscrowKeeper.RegisterDeadlines(source)
	}
	app.EscrowKeeper.RegisterDeadlines(app.ProviderKeeper.UnbondingDeadlines())
	app.EscrowKeeper.RegisterDeadlines(app.ProviderKeeper.RotationDeadlines())
}

func (app *App) store(name string) corestore.KVStoreService {
	return runtime.NewKVStoreService(app.storeKeys[name])
}

// skippedUpgrades returns the heights whose planned upgrade the operator told this node to pass over.
func skippedUpgrades(appOpts servertypes.AppOptions) map[int64]bool {
	skip := map[int64]bool{}
	for _, height := range cast.ToIntSlice(appOpts.Get(server.FlagUnsafeSkipUpgrades)) {
		skip[int64(height)] = true
	}
	return skip
}
