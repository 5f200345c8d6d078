// Package node is the command line of a consensus node: it starts the node, serves its settings, keys, snapshots and
// export, and gives every message and query of the chain a command.
//
// The application itself is given to it, so that tests can run a node of the next version or of a dishonest validator with
// everything else as it is. It holds no rule of the chain.
package node

import (
	"fmt"

	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/server"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"

	"github.com/souk-network/souk/app"
)

// noOptions is an application without settings, for commands that only ask it about itself.
type noOptions struct{}

func (noOptions) Get(string) any { return nil }

// NewApp builds the application over db with the settings of a node. It panics as app.New does.
func NewApp(logger log.Logger, db dbm.DB, appOpts servertypes.AppOptions) servertypes.Application {
	return app.New(logger, db, appOpts, server.DefaultBaseappOptions(appOpts)...)
}

// exportApp returns the state after the block at height as a genesis file's parts, the last one when height is -1.
func exportApp(
	logger log.Logger, db dbm.DB, height int64, forZeroHeight bool, allowed []string, appOpts servertypes.AppOptions, modules []string,
) (servertypes.ExportedApp, error) {
	if height == -1 {
		return app.New(logger, db, appOpts).ExportAppStateAndValidators(forZeroHeight, allowed, modules)
	}
	past, err := app.NewAtHeight(logger, db, appOpts, height)
	if err != nil {
		return servertypes.ExportedApp{}, fmt.Errorf("open state to export: %w", err)
	}
	return past.ExportAppStateAndValidators(forZeroHeight, allowed, modules)
}
