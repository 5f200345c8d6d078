// Command soukd-next is soukd as its next version would be, for tests: it can perform one upgrade that the present soukd
// does not know. With GREEDY=1 in its environment it is a validator that does not keep to the rules: it proposes blocks
// without looking at max_gas, and votes for every block.
//
// Everything else is soukd's own code. It is never built into what operators run.
package main

import (
	"fmt"
	"os"

	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/server"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/app"
	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/cmd/soukd/node"
)

const (
	upgradeName = "next"
	storeName   = "next"
	// upgradedAt is the key in the new store under which the upgrade notes its height.
	upgradedAt = "upgraded-at"
)

func main() {
	scope.Set()
	if err := node.Execute(newApp); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func newApp(logger log.Logger, db dbm.DB, appOpts servertypes.AppOptions) servertypes.Application {
	if os.Getenv("GREEDY") != "" {
		return &greedy{App: app.New(logger, db, appOpts, server.DefaultBaseappOptions(appOpts)...)}
	}
	key := storetypes.NewKVStoreKey(storeName)
	mount := func(base *baseapp.BaseApp) { base.MountStores(key) }
	return app.NewWithUpgrades(logger, db, appOpts, []app.Upgrade{next(key)}, append(server.DefaultBaseappOptions(appOpts), mount)...)
}

// next adds a store and notes in it when it was performed.
func next(key storetypes.StoreKey) app.Upgrade {
	return app.Upgrade{
		Name:   upgradeName,
		Stores: storetypes.StoreUpgrades{Added: []string{storeName}},
		Migrate: func(ctx sdk.Context, _ *app.App) error {
			ctx.KVStore(key).Set([]byte(upgradedAt), sdk.Uint64ToBigEndian(uint64(ctx.BlockHeight())))
			return nil
		},
	}
}
