package app_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/client/flags"
	sdk "github.com/cosmos/cosmos-sdk/types"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"

	"github.com/souk-network/souk/app"
	"github.com/souk-network/souk/app/apptest"
)

// homeOnly are the settings of a node that only knows its home.
type homeOnly string

func (h homeOnly) Get(key string) any {
	if key == flags.FlagHome {
		return string(h)
	}
	return nil
}

func openWith(home string, upgrades ...app.Upgrade) *app.App {
	return app.NewWithUpgrades(log.NewNopLogger(), dbm.NewMemDB(), homeOnly(home), upgrades, baseapp.SetChainID(apptest.ChainID))
}

func TestAnUpgradeRunsTheMigrationsAndThenItsOwnStep(t *testing.T) {
	ran := false
	failing := errors.New("no")
	opened := openWith("",
		app.Upgrade{Name: "v2", Migrate: func(_ sdk.Context, with *app.App) error {
			ran = with != nil
			return nil
		}},
		app.Upgrade{Name: "v3", Migrate: func(sdk.Context, *app.App) error { return failing }},
	)
	ctx := sdk.NewContext(opened.CommitMultiStore().CacheMultiStore(), cmtproto.Header{Height: 1}, false, log.NewNopLogger())
	versions := opened.Modules().GetVersionMap()

	require.NoError(t, opened.UpgradeKeeper.SetModuleVersionMap(ctx, versions))
	require.True(t, opened.UpgradeKeeper.HasHandler("v2"))
	require.False(t, opened.UpgradeKeeper.HasHandler("v4"))
	require.NoError(t, opened.UpgradeKeeper.ApplyUpgrade(ctx, upgradetypes.Plan{Name: "v2", Height: 1}))
	require.True(t, ran)
	require.ErrorIs(t, opened.UpgradeKeeper.ApplyUpgrade(ctx, upgradetypes.Plan{Name: "v3", Height: 2}), failing)
}

func TestUpgradesHaveNamesOfTheirOwn(t *testing.T) {
	require.PanicsWithError(t, `build application: install upgrades: two upgrades are named "v2"`, func() {
		openWith("", app.Upgrade{Name: "v2"}, app.Upgrade{Name: "v2"})
	})
}

func TestANodeDoesNotStartOnWordOfAnUpgradeThatItCannotRead(t *testing.T) {
	home := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(home, "data"), 0o755))
	word := filepath.Join(home, "data", upgradetypes.UpgradeInfoFilename)
	require.NoError(t, os.WriteFile(word, []byte(`{"name":"v2","height":7}`), 0o600))
	require.NotPanics(t, func() { openWith(home, app.Upgrade{Name: "v2"}) })

	require.NoError(t, os.WriteFile(word, []byte(`{"name":`), 0o600))
	require.Panics(t, func() { openWith(home, app.Upgrade{Name: "v2"}) })
}
