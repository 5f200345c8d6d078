// Package simulation plays x/provider in the Cosmos SDK's simulator: random parameters and random messages, most of which
// succeed. It reads the chain through the queries of x/provider and x/escrow, and knows nothing of leases.
package simulation

import (
	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	"github.com/cosmos/cosmos-sdk/types/module"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/provider/types"
)

// Module is x/provider as the simulator sees it.
type Module struct {
	queries types.QueryServer
	escrow  escrowtypes.QueryServer
}

// NewModule plays the providers that answer the queries.
func NewModule(queries types.QueryServer, escrow escrowtypes.QueryServer) Module {
	return Module{queries, escrow}
}

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
	reg.Add(weights.Get("souk_register", 60), m.register())
	reg.Add(weights.Get("souk_update", 20), m.update())
	reg.Add(weights.Get("souk_bond", 60), m.bond())
	reg.Add(weights.Get("souk_unbond", 60), m.unbond())
	reg.Add(weights.Get("souk_rotate_agent", 30), m.rotateAgent())
	reg.Add(weights.Get("souk_declare_maintenance", 30), m.declareMaintenance())
	reg.Add(weights.Get("souk_unjail", 40), m.unjail())
	reg.Add(weights.Get("souk_deregister", 6), m.deregister())
	reg.Add(weights.Get("souk_attest", 60), m.attest())
	reg.Add(weights.Get("souk_revoke_attestation", 15), m.revokeAttestation())
	reg.Add(weights.Get("souk_withdraw", 100), m.withdraw())
}

// ProposalMsgsX registers the messages of governance.
func (m Module) ProposalMsgsX(weights simsx.WeightSource, reg simsx.Registry) {
	reg.Add(weights.Get("souk_provider_update_params", 50), m.updateParams())
	reg.Add(weights.Get("souk_jail", 40), m.jail())
}
