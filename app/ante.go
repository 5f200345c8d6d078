package app

import (
	"fmt"

	"github.com/cosmos/cosmos-sdk/x/auth/ante"
)

// setAnteHandler installs the checks that every transaction passes before its messages run: the SDK's own, with fee grants
// and unordered transactions.
func (app *App) setAnteHandler() error {
	handler, err := ante.NewAnteHandler(ante.HandlerOptions{
		AccountKeeper:   app.AuthKeeper,
		BankKeeper:      app.BankKeeper,
		FeegrantKeeper:  app.FeeGrantKeeper,
		SignModeHandler: app.encoding.TxConfig.SignModeHandler(),
		SigGasConsumer:  ante.DefaultSigVerificationGasConsumer,
	})
	if err != nil {
		return fmt.Errorf("build ante handler: %w", err)
	}
	app.SetAnteHandler(handler)
	return nil
}
