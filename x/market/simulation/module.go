// Package simulation plays x/market in the Cosmos SDK's simulator: random parameters and random messages, most of which
// succeed: providers offer and answer, tenants deploy, change and close. It reads the chain through the modules' queries.
package simulation

import (
	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	"github.com/cosmos/cosmos-sdk/types/module"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"

	escrowsim "github.com/souk-network/souk/x/escrow/simulation"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// Module is x/market as the simulator sees it.
type Module struct {
	queries   types.QueryServer
	providers providertypes.QueryServer
	escrow    escrowtypes.QueryServer
	grants    escrowsim.Grants
}

// NewModule plays the market that answers the queries.
func NewModule(
	queries types.QueryServer, providers providertypes.QueryServer, escrow escrowtypes.QueryServer, grants escrowsim.Grants,
) Module {
	return Module{queries, providers, escrow, grants}
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
	reg.Add(weights.Get("souk_set_pool", 100), m.setPool())
	reg.Add(weights.Get("souk_post_offer", 120), m.postOffer())
	reg.Add(weights.Get("souk_update_offer", 70), m.updateOffer())
	reg.Add(weights.Get("souk_withdraw_offer", 15), m.withdrawOffer())
	reg.Add(weights.Get("souk_create_deployment", 250), m.createDeployment())
	reg.Add(weights.Get("souk_update_deployment", 200), m.updateDeployment())
	reg.Add(weights.Get("souk_close_lease", 50), m.closeLease())
	reg.Add(weights.Get("souk_close_deployment", 50), m.closeDeployment())
	reg.Add(weights.Get("souk_ack_leases", 400), m.ackLeases())
	reg.Add(weights.Get("souk_resign_leases", 25), m.resignLeases())
	reg.Add(weights.Get("souk_reclaim_leases", 25), m.reclaimLeases())
	reg.Add(weights.Get("souk_submit_quote", 200), m.submitQuote())
	reg.Add(weights.Get("souk_withdraw_quote", 10), m.withdrawQuote())
	reg.Add(weights.Get("souk_accept_quote", 80), m.acceptQuote())
	reg.Add(weights.Get("souk_failover", 25), m.failover())
	reg.Add(weights.Get("souk_challenge_lease", 80), m.challengeLease())
	reg.Add(weights.Get("souk_answer_alive", 60), m.answerAlive())
}

// ProposalMsgsX registers the messages of governance.
func (m Module) ProposalMsgsX(weights simsx.WeightSource, reg simsx.Registry) {
	reg.Add(weights.Get("souk_market_update_params", 50), m.updateParams())
}
