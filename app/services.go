package app

import (
	"fmt"

	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"
	reflectionv1 "cosmossdk.io/api/cosmos/reflection/v1"
	"cosmossdk.io/core/appmodule"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/grpc/cmtservice"
	nodeservice "github.com/cosmos/cosmos-sdk/client/grpc/node"
	runtimeservices "github.com/cosmos/cosmos-sdk/runtime/services"
	"github.com/cosmos/cosmos-sdk/server"
	"github.com/cosmos/cosmos-sdk/server/api"
	"github.com/cosmos/cosmos-sdk/server/config"
	authtx "github.com/cosmos/cosmos-sdk/x/auth/tx"

	"github.com/souk-network/souk/app/openapi"
)

// setServices registers the queries that describe the application itself: its command line and its protobuf files.
func (app *App) setServices() error {
	autocliv1.RegisterQueryServer(app.GRPCQueryRouter(), runtimeservices.NewAutoCLIQueryService(app.modules.Modules))

	reflection, err := runtimeservices.NewReflectionService()
	if err != nil {
		return fmt.Errorf("build reflection service: %w", err)
	}
	reflectionv1.RegisterReflectionServiceServer(app.GRPCQueryRouter(), reflection)
	return nil
}

// RegisterAPIRoutes adds the REST gateway's routes, and the API's documentation if app.toml asks for it.
func (app *App) RegisterAPIRoutes(apiSvr *api.Server, apiConfig config.APIConfig) {
	clientCtx, router := apiSvr.ClientCtx, apiSvr.GRPCGatewayRouter
	authtx.RegisterGRPCGatewayRoutes(clientCtx, router)
	cmtservice.RegisterGRPCGatewayRoutes(clientCtx, router)
	nodeservice.RegisterGRPCGatewayRoutes(clientCtx, router)
	app.basics.RegisterGRPCGatewayRoutes(clientCtx, router)

	if !apiConfig.Swagger {
		return
	}
	if err := openapi.Register(apiSvr.Router); err != nil {
		app.Logger().Error("the API serves no documentation", "err", err)
	}
}

// RegisterTxService adds the queries for transactions: simulation, lookup by hash, broadcast.
func (app *App) RegisterTxService(clientCtx client.Context) {
	authtx.RegisterTxService(app.GRPCQueryRouter(), clientCtx, app.Simulate, app.encoding.InterfaceRegistry)
}

// RegisterTendermintService adds the queries for blocks, validators and the node behind them.
func (app *App) RegisterTendermintService(clientCtx client.Context) {
	query := server.NewCometABCIWrapper(app).Query
	cmtservice.RegisterTendermintService(clientCtx, app.GRPCQueryRouter(), app.encoding.InterfaceRegistry, query)
}

// RegisterNodeService adds the queries for this node's own settings.
func (app *App) RegisterNodeService(clientCtx client.Context, cfg config.Config) {
	nodeservice.RegisterNodeService(clientCtx, app.GRPCQueryRouter(), cfg, func() int64 {
		return app.CommitMultiStore().EarliestVersion()
	})
}

// AutoCLIModules returns the modules whose commands are generated from their protobuf services, by name.
func (app *App) AutoCLIModules() map[string]appmodule.AppModule {
	modules := make(map[string]appmodule.AppModule, len(app.modules.Modules))
	for _, name := range app.modules.ModuleNames() {
		if mod, ok := app.modules.Modules[name].(appmodule.AppModule); ok {
			modules[name] = mod
		}
	}
	return modules
}

// AutoCLIOptions returns how the generated commands are spelled, by module; the node's own services are among them.
func (app *App) AutoCLIOptions() map[string]*autocliv1.ModuleOptions {
	options := runtimeservices.ExtractAutoCLIOptions(app.modules.Modules)
	node, comet := nodeservice.NewNodeCommands(), cmtservice.NewCometBFTCommands()
	options[node.Name()] = node.AutoCLIOptions()
	options[comet.Name()] = comet.AutoCLIOptions()
	return options
}
