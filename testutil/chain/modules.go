package chain

import (
	"encoding/json"

	"github.com/stretchr/testify/require"

	gogoproto "github.com/cosmos/gogoproto/proto"

	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/std"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/x/auth"
	authkeeper "github.com/cosmos/cosmos-sdk/x/auth/keeper"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	authzkeeper "github.com/cosmos/cosmos-sdk/x/authz/keeper"
	authzmodule "github.com/cosmos/cosmos-sdk/x/authz/module"
	"github.com/cosmos/cosmos-sdk/x/bank"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"github.com/cosmos/cosmos-sdk/x/distribution"
	distrkeeper "github.com/cosmos/cosmos-sdk/x/distribution/keeper"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	"github.com/cosmos/cosmos-sdk/x/staking"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/cosmos/cosmos-sdk/x/tx/signing"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/x/escrow"
	escrowkeeper "github.com/souk-network/souk/x/escrow/keeper"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/provider"
	providerkeeper "github.com/souk-network/souk/x/provider/keeper"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// faucet is the module account that makes coins for tests.
const faucet = "faucet"

var storeNames = []string{
	authtypes.StoreKey, authzkeeper.StoreKey, banktypes.StoreKey, stakingtypes.StoreKey, distrtypes.StoreKey, escrowtypes.StoreKey,
	providertypes.StoreKey,
}

func moduleAccounts() map[string][]string {
	return map[string][]string{
		authtypes.FeeCollectorName:          nil,
		distrtypes.ModuleName:               nil,
		govtypes.ModuleName:                 {authtypes.Burner},
		stakingtypes.BondedPoolName:         {authtypes.Burner, authtypes.Staking},
		stakingtypes.NotBondedPoolName:      {authtypes.Burner, authtypes.Staking},
		stakingtypes.KeyRotationFeePoolName: {authtypes.Burner},
		faucet:                              {authtypes.Minter},
		escrowtypes.ModuleName:              {authtypes.Burner},
		providertypes.ModuleName:            {authtypes.Burner},
	}
}

func (c *Chain) setCodec() {
	registry, err := codectypes.NewInterfaceRegistryWithOptions(codectypes.InterfaceRegistryOptions{
		ProtoFiles: gogoproto.HybridResolver,
		SigningOptions: signing.Options{
			AddressCodec:          scope.AddressCodec(),
			ValidatorAddressCodec: scope.ValidatorAddressCodec(),
		},
	})
	require.NoError(c.t, err)
	std.RegisterInterfaces(registry)
	c.registry, c.Codec = registry, codec.NewProtoCodec(registry)
}

func (c *Chain) setKeepers(settings settings) {
	authority, err := c.Addresses.BytesToString(authtypes.NewModuleAddress(govtypes.ModuleName))
	require.NoError(c.t, err)
	c.Authority = authority

	accounts, blocked := moduleAccounts(), make(map[string]bool)
	for name, permissions := range settings.accounts {
		accounts[name] = permissions
	}
	for name := range accounts {
		if name != govtypes.ModuleName {
			blocked[authtypes.NewModuleAddress(name).String()] = true
		}
	}
	c.Auth = authkeeper.NewAccountKeeper(c.Codec, c.StoreService(authtypes.StoreKey), authtypes.ProtoBaseAccount, accounts,
		c.Addresses, scope.AccountPrefix, authority)
	c.Bank = bankkeeper.NewBaseKeeper(c.Codec, c.StoreService(banktypes.StoreKey), c.Auth, blocked, authority,
		log.NewNopLogger())
	c.Staking = stakingkeeper.NewKeeper(c.Codec, c.StoreService(stakingtypes.StoreKey), c.Auth, c.Bank, authority,
		scope.ValidatorAddressCodec(), scope.ConsensusAddressCodec())
	c.Distribution = distrkeeper.NewKeeper(c.Codec, c.StoreService(distrtypes.StoreKey), c.Auth, c.Bank, c.Staking,
		authtypes.FeeCollectorName, authority)
	c.router = baseapp.NewMsgServiceRouter()
	c.Authz = authzkeeper.NewKeeper(c.StoreService(authzkeeper.StoreKey), c.Codec, c.router, c.Auth)
	c.Escrow = escrowkeeper.NewKeeper(c.Codec, c.StoreService(escrowtypes.StoreKey), c.Addresses, c.Bank, c.Auth,
		c.Distribution, c.Authz, authority)
	c.Provider = providerkeeper.NewKeeper(c.Codec, c.StoreService(providertypes.StoreKey), c.Addresses, c.Bank, c.Auth,
		c.Escrow, c.Distribution, authority)
}

func (c *Chain) setModules(settings settings) {
	c.modules = []module.AppModule{
		auth.NewAppModule(c.Codec, c.Auth, nil),
		bank.NewAppModule(c.Codec, c.Bank, c.Auth),
		quiet{staking.NewAppModule(c.Codec, c.Staking, c.Auth, c.Bank)},
		quiet{distribution.NewAppModule(c.Codec, c.Distribution, c.Auth, c.Bank, c.Staking)},
		authzmodule.NewAppModule(c.Codec, c.Authz, c.Auth, c.Bank, c.registry),
		escrow.NewAppModule(c.Codec, c.Escrow),
		provider.NewAppModule(c.Codec, c.Provider),
	}
	for _, build := range settings.modules {
		c.modules = append(c.modules, build(c))
	}
	// After those of the modules above, as in the application: ties in time are processed in this order.
	c.Escrow.RegisterDeadlines(c.Provider.UnbondingDeadlines())
	c.Escrow.RegisterDeadlines(c.Provider.RotationDeadlines())
	c.router.SetInterfaceRegistry(c.registry)
	queries := baseapp.NewGRPCQueryRouter()
	queries.SetInterfaceRegistry(c.registry)
	configurator := module.NewConfigurator(c.Codec, c.router, queries)
	for _, m := range c.modules {
		m.RegisterInterfaces(c.registry)
	}
	require.NoError(c.t, module.NewManager(c.modules...).RegisterServices(configurator))
}

func (c *Chain) initGenesis(settings settings) {
	for _, m := range c.modules {
		genesis, ok := m.(genesisImporter)
		if !ok {
			continue
		}
		state, ok := settings.genesis[m.Name()]
		if !ok {
			state = genesis.DefaultGenesis(c.Codec)
		}
		genesis.InitGenesis(c.Ctx(), c.Codec, state)
	}
}

// genesisImporter and genesisExporter are what the SDK's two kinds of genesis have in common here.
type genesisImporter interface {
	DefaultGenesis(cdc codec.JSONCodec) json.RawMessage
	InitGenesis(ctx sdk.Context, cdc codec.JSONCodec, state json.RawMessage)
}

type genesisExporter interface {
	ExportGenesis(ctx sdk.Context, cdc codec.JSONCodec) json.RawMessage
}
