package app

import (
	"encoding/json"
	"fmt"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"

	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	"github.com/cosmos/cosmos-sdk/x/staking"
)

// ExportAppStateAndValidators returns the committed state as a genesis file's parts. All modules are exported when modules
// is empty.
//
// With forZeroHeight the new chain starts counting blocks at 1, so all that refers to heights is settled or reset first;
// if allowed then is not empty, the validators that it does not name (by operator address) are jailed.
func (app *App) ExportAppStateAndValidators(forZeroHeight bool, allowed, modules []string) (servertypes.ExportedApp, error) {
	ctx := app.NewContextLegacy(true, cmtproto.Header{Height: app.LastBlockHeight()})

	height := app.LastBlockHeight() + 1
	if forZeroHeight {
		height = 0
		if err := app.restartHeights(ctx, allowed); err != nil {
			return servertypes.ExportedApp{}, fmt.Errorf("prepare state for height zero: %w", err)
		}
	}

	state, err := app.modules.ExportGenesisForModules(ctx, app.encoding.Codec, modules)
	if err != nil {
		return servertypes.ExportedApp{}, fmt.Errorf("export modules: %w", err)
	}
	bz, err := json.Marshal(state)
	if err != nil {
		return servertypes.ExportedApp{}, fmt.Errorf("write exported state: %w", err)
	}
	validators, err := staking.WriteValidators(ctx, app.StakingKeeper)
	if err != nil {
		return servertypes.ExportedApp{}, fmt.Errorf("export validators: %w", err)
	}
	return servertypes.ExportedApp{
		AppState:        bz,
		Validators:      validators,
		Height:          height,
		ConsensusParams: app.GetConsensusParams(ctx),
	}, nil
}
