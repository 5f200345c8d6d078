package app

import (
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/ibc-go/v11/modules/apps/transfer"
	transferkeeper "github.com/cosmos/ibc-go/v11/modules/apps/transfer/keeper"
	transfertypes "github.com/cosmos/ibc-go/v11/modules/apps/transfer/types"
	transferv2 "github.com/cosmos/ibc-go/v11/modules/apps/transfer/v2"
	ibc "github.com/cosmos/ibc-go/v11/modules/core"
	porttypes "github.com/cosmos/ibc-go/v11/modules/core/05-port/types"
	ibcapi "github.com/cosmos/ibc-go/v11/modules/core/api"
	ibcexported "github.com/cosmos/ibc-go/v11/modules/core/exported"
	ibckeeper "github.com/cosmos/ibc-go/v11/modules/core/keeper"
	ibctm "github.com/cosmos/ibc-go/v11/modules/light-clients/07-tendermint"

	"github.com/souk-network/souk/app/scope"
)

// setInterchainKeepers builds what talks to other chains: IBC, token transfers over it in both of its versions, and the one
// light client that is needed to follow chains of CometBFT.
func (app *App) setInterchainKeepers(authority string) {
	cdc := app.encoding.Codec
	app.IBCKeeper = ibckeeper.NewKeeper(cdc, app.store(ibcexported.StoreKey), app.UpgradeKeeper, authority)
	app.TransferKeeper = transferkeeper.NewKeeper(cdc, scope.AddressCodec(), app.store(transfertypes.StoreKey),
		app.IBCKeeper.ChannelKeeper, app.MsgServiceRouter(), app.AuthKeeper, app.BankKeeper, authority)

	app.IBCKeeper.SetRouter(porttypes.NewRouter().
		AddRoute(transfertypes.ModuleName, transfer.NewIBCModule(app.TransferKeeper)))
	app.IBCKeeper.SetRouterV2(ibcapi.NewRouter().
		AddRoute(transfertypes.PortID, transferv2.NewIBCModule(app.TransferKeeper)))

	clients := app.IBCKeeper.ClientKeeper
	app.lightClient = ibctm.NewLightClientModule(cdc, clients.GetStoreProvider())
	clients.AddRoute(ibctm.ModuleName, &app.lightClient)
}

func (app *App) interchainModules() []module.AppModule {
	return []module.AppModule{
		ibc.NewAppModule(app.IBCKeeper),
		transfer.NewAppModule(app.TransferKeeper),
		ibctm.NewAppModule(app.lightClient),
	}
}
