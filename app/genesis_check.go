package app

import (
	"encoding/json"
	"fmt"

	"github.com/cosmos/cosmos-sdk/codec"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// CheckGenesis refuses a genesis whose modules do not fit each other, which none of them can see alone: the hold-back of x/escrow
// must outlast the windows of x/proof. A module that is missing is not checked.
func CheckGenesis(cdc codec.JSONCodec, appState json.RawMessage) error {
	var state map[string]json.RawMessage
	if err := json.Unmarshal(appState, &state); err != nil {
		return fmt.Errorf("decode app_state: %w", err)
	}
	var escrow escrowtypes.GenesisState
	var proof prooftypes.GenesisState
	if len(state[escrowtypes.ModuleName]) == 0 || len(state[prooftypes.ModuleName]) == 0 {
		return nil
	}
	if err := cdc.UnmarshalJSON(state[escrowtypes.ModuleName], &escrow); err != nil {
		return fmt.Errorf("decode the state of x/%s: %w", escrowtypes.ModuleName, err)
	}
	if err := cdc.UnmarshalJSON(state[prooftypes.ModuleName], &proof); err != nil {
		return fmt.Errorf("decode the state of x/%s: %w", prooftypes.ModuleName, err)
	}
	if err := proof.Params.Fits(escrow.Params); err != nil {
		return fmt.Errorf("x/%s does not fit x/%s, raise holdback_epochs or shorten the windows: %w", prooftypes.ModuleName,
			escrowtypes.ModuleName, err)
	}
	return nil
}
