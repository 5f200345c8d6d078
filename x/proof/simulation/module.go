// Package simulation plays x/proof in the Cosmos SDK's simulator: random parameters and random messages, most of which succeed:
// providers commit, open, disown and answer, some of them lie; tenants post receipts, claim refunds and ask for leaves; somebody
// brings the beacon's rounds. It reads the chain through the modules' queries, and remembers nothing: what a provider commits to
// follows from what the chain says, so that it can be made again to open it.
package simulation

import (
	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	"github.com/cosmos/cosmos-sdk/types/module"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	"github.com/souk-network/souk/x/proof/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// Module is x/proof as the simulator sees it.
type Module struct {
	queries   types.QueryServer
	market    markettypes.QueryServer
	providers providertypes.QueryServer
	escrow    escrowtypes.QueryServer
}

// NewModule plays the module that answers the queries.
func NewModule(
	queries types.QueryServer, market markettypes.QueryServer, providers providertypes.QueryServer, escrow escrowtypes.QueryServer,
) Module {
	return Module{queries, market, providers, escrow}
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
	reg.Add(weights.Get("souk_commit_epoch", 300), m.commitEpoch())
	reg.Add(weights.Get("souk_open_audit", 300), m.openAudit())
	reg.Add(weights.Get("souk_disown", 10), m.disown())
	reg.Add(weights.Get("souk_post_round", 200), m.postRound())
	reg.Add(weights.Get("souk_post_receipt", 60), m.postReceipt())
	reg.Add(weights.Get("souk_claim_refund", 150), m.claimRefund())
	reg.Add(weights.Get("souk_force_open", 60), m.forceOpen())
	reg.Add(weights.Get("souk_answer_forced", 60), m.answerForced())
}

// ProposalMsgsX registers the messages of governance.
func (m Module) ProposalMsgsX(weights simsx.WeightSource, reg simsx.Registry) {
	reg.Add(weights.Get("souk_proof_update_params", 50), m.updateParams())
}
