package chain

import (
	"encoding/json"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
)

// quiet is a module of the SDK without its services and block hooks: there are no validators whom it could serve.
type quiet struct{ module.AppModule }

// DefaultGenesis returns the module's own.
func (q quiet) DefaultGenesis(cdc codec.JSONCodec) json.RawMessage {
	return q.AppModule.(module.HasGenesisBasics).DefaultGenesis(cdc)
}

// InitGenesis imports the module's state and drops its answer about validators.
func (q quiet) InitGenesis(ctx sdk.Context, cdc codec.JSONCodec, state json.RawMessage) {
	switch m := q.AppModule.(type) {
	case interface {
		InitGenesis(sdk.Context, codec.JSONCodec, json.RawMessage) []abci.ValidatorUpdate
	}:
		m.InitGenesis(ctx, cdc, state)
	case interface {
		InitGenesis(sdk.Context, codec.JSONCodec, json.RawMessage)
	}:
		m.InitGenesis(ctx, cdc, state)
	}
}

// ExportGenesis exports the module's state.
func (q quiet) ExportGenesis(ctx sdk.Context, cdc codec.JSONCodec) json.RawMessage {
	return q.AppModule.(genesisExporter).ExportGenesis(ctx, cdc)
}
