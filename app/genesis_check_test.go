package app_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/app"
	"github.com/souk-network/souk/app/apptest"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

func TestAGenesisWhoseHoldBackIsShorterThanTheProofWindowsIsRefused(t *testing.T) {
	chain := apptest.New(t, apptest.Options{})
	cdc, state := chain.App.Encoding().Codec, chain.App.DefaultGenesis()
	check := func() error {
		t.Helper()
		text, err := json.Marshal(state)
		require.NoError(t, err)
		return app.CheckGenesis(cdc, text)
	}
	require.NoError(t, check())
	apptest.EditGenesis(cdc, state, escrowtypes.ModuleName, func(g *escrowtypes.GenesisState) { g.Params.HoldbackEpochs = 4 })
	require.ErrorIs(t, check(), prooftypes.ErrInvalidParams)
	require.ErrorContains(t, check(), "raise holdback_epochs")
	delete(state, prooftypes.ModuleName)
	require.NoError(t, check(), "nothing to fit")
	require.Error(t, app.CheckGenesis(cdc, []byte("{")))
}
