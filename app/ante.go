package app

import (
	"fmt"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/auth/ante"
	ibcante "github.com/cosmos/ibc-go/v11/modules/core/ante"
)

// setAnteHandler installs the checks that every transaction passes before its messages run: the SDK's own, with fee grants
// and unordered transactions, then one that keeps relays out of the mempool which another relayer made first.
func (app *App) setAnteHandler() error {
	standard, err := ante.NewAnteHandler(ante.HandlerOptions{
		AccountKeeper:   app.AuthKeeper,
		BankKeeper:      app.BankKeeper,
		FeegrantKeeper:  app.FeeGrantKeeper,
		SignModeHandler: app.encoding.TxConfig.SignModeHandler(),
		SigGasConsumer:  ante.DefaultSigVerificationGasConsumer,
	})
	if err != nil {
		return fmt.Errorf("build ante handler: %w", err)
	}
	relays := sdk.ChainAnteDecorators(ibcante.NewRedundantRelayDecorator(app.IBCKeeper))
	app.SetAnteHandler(func(ctx sdk.Context, tx sdk.Tx, simulate bool) (sdk.Context, error) {
		ctx, err := standard(ctx, tx, simulate)
		if err != nil {
			return ctx, err
		}
		return relays(ctx, tx, simulate)
	})
	return nil
}
