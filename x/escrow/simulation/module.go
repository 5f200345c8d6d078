// Package simulation plays x/escrow in the Cosmos SDK's simulator: random parameters and random messages, most of which
// succeed. It reads the chain through the module's queries, as every client does, and knows nothing of markets.
package simulation

import (
	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	"github.com/cosmos/cosmos-sdk/types/module"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"

	"github.com/souk-network/souk/x/escrow/types"
)

// Module is x/escrow as the simulator sees it.
type Module struct {
	queries types.QueryServer
	grants  Grants
}

// NewModule plays the escrow that answers the queries.
func NewModule(queries types.QueryServer, grants Grants) Module { return Module{queries, grants} }

// GenerateGenesisState sets random parameters.
func (Module) GenerateGenesisState(state *module.SimulationState) {
	state.GenState[types.ModuleName] = state.Cdc.MustMarshalJSON(RandomGenesis(state.Rand))
}

// RegisterStoreDecoder registers nothing: stores are compared byte by byte.
func (Module) RegisterStoreDecoder(simtypes.StoreDecoderRegistry) {}

// WeightedOperations is what WeightedOperationsX took the place of.
func (Module) WeightedOperations(module.SimulationState) []simtypes.WeightedOperation { return nil }

// WeightedOperationsX registers the messages that accounts sign.
func (m Module) WeightedOperationsX(weights simsx.WeightSource, reg simsx.Registry) {
	reg.Add(weights.Get("souk_deposit", 150), m.deposit())
	reg.Add(weights.Get("souk_grant_deposits", 40), m.grant())
	reg.Add(weights.Get("souk_deposit_by_exec", 20), m.execute())
}

// ProposalMsgsX registers the messages of governance.
func (m Module) ProposalMsgsX(weights simsx.WeightSource, reg simsx.Registry) {
	reg.Add(weights.Get("souk_escrow_update_params", 100), m.updateParams())
	reg.Add(weights.Get("souk_escrow_retry", 20), m.retry())
}
