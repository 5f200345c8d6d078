package app

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cast"

	"github.com/cosmos/cosmos-sdk/client/flags"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"
)

// Upgrade is one step from the software of before to this one. Governance plans it by name with MsgSoftwareUpgrade; the
// software of before stops at the planned height, and this one performs the step in the first block that it makes.
type Upgrade struct {
	// Name is the plan's name, the version to install: "v1.1.0".
	Name string
	// Stores are the stores that the step adds, renames or deletes.
	Stores storetypes.StoreUpgrades
	// Migrate changes the state after the modules' own migrations have run. An error stops the chain before the block, so
	// that nothing of a step that failed is kept. Nil for a step that only needs the modules' migrations.
	Migrate func(ctx sdk.Context, app *App) error
}

// Upgrades returns the steps that this software can perform, oldest first. An entry is added with the release that needs it
// and stays, so that a node may replay old blocks with it.
func Upgrades() []Upgrade {
	return nil
}

// setUpgrades installs the steps. When the software of before has left word on disk that it stopped for one of them, the
// stores are loaded as that step wants them.
func (app *App) setUpgrades(appOpts servertypes.AppOptions, upgrades []Upgrade) error {
	for i, upgrade := range upgrades {
		if slices.ContainsFunc(upgrades[:i], func(u Upgrade) bool { return u.Name == upgrade.Name }) {
			return fmt.Errorf("two upgrades are named %q", upgrade.Name)
		}
		app.UpgradeKeeper.SetUpgradeHandler(upgrade.Name, app.perform(upgrade))
	}
	// Without a home, as in tests and in commands that only ask the application about itself, there is no such word.
	if len(upgrades) == 0 || cast.ToString(appOpts.Get(flags.FlagHome)) == "" {
		return nil
	}
	stopped, err := app.UpgradeKeeper.ReadUpgradeInfoFromDisk()
	if err != nil {
		return fmt.Errorf("read what upgrade the last software stopped for: %w", err)
	}
	i := slices.IndexFunc(upgrades, func(u Upgrade) bool { return u.Name == stopped.Name })
	if i < 0 || app.UpgradeKeeper.IsSkipHeight(stopped.Height) {
		return nil
	}
	app.SetStoreLoader(upgradetypes.UpgradeStoreLoader(stopped.Height, &upgrades[i].Stores))
	return nil
}

// perform returns the handler of a step: migrations of the modules, in their order, then the step's own.
func (app *App) perform(upgrade Upgrade) upgradetypes.UpgradeHandler {
	return func(goCtx context.Context, plan upgradetypes.Plan, from module.VersionMap) (module.VersionMap, error) {
		ctx := sdk.UnwrapSDKContext(goCtx)
		ctx.Logger().Info("upgrading", "name", plan.Name, "height", plan.Height)
		to, err := app.modules.RunMigrations(ctx, app.configurator, from)
		if err != nil {
			return nil, fmt.Errorf("migrate the modules for upgrade %s: %w", upgrade.Name, err)
		}
		if upgrade.Migrate == nil {
			return to, nil
		}
		if err := upgrade.Migrate(ctx, app); err != nil {
			return nil, fmt.Errorf("perform upgrade %s: %w", upgrade.Name, err)
		}
		return to, nil
	}
}
