package sim

import (
	"context"
	"fmt"
	"math/rand"

	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"
)

// governanceName sorts the decisions among the modules.
const governanceName = "souk-decisions"

// governance carries decisions out the way x/gov does when a proposal has passed. Random votes hardly ever let one pass.
type governance struct{ chain *chain }

// GenerateGenesisState adds no state.
func (governance) GenerateGenesisState(*module.SimulationState) {}

// RegisterStoreDecoder registers nothing.
func (governance) RegisterStoreDecoder(simtypes.StoreDecoderRegistry) {}

// WeightedOperations registers one operation for each message that governance may send to our modules.
func (g governance) WeightedOperations(state module.SimulationState) []simtypes.WeightedOperation {
	var operations []simtypes.WeightedOperation
	for _, factory := range decisions(soukModules(g.chain.App), simsx.ParamWeightSource(state.AppParams)) {
		operations = append(operations, decision{factory, g.chain})
	}
	return operations
}

// decisions returns the messages of governance to the modules, always in the same order.
func decisions(modules map[string]played, weights simsx.WeightSource) []simsx.WeightedFactory {
	registry := simsx.NewUnorderedRegistry()
	for _, name := range sorted(modules) {
		modules[name].ProposalMsgsX(weights, registry)
	}
	return registry.Elements()
}

// decision is a message of governance.
type decision struct {
	simsx.WeightedFactory
	chain *chain
}

// Weight is a fraction of that among proposals: the chain is not governed all the time.
func (d decision) Weight() int { return 1 + int(d.WeightedFactory.Weight)/5 }

// Op makes the message and has its module's handler carry it out, with no effect if that fails.
func (d decision) Op() simtypes.Operation {
	return func(
		r *rand.Rand, base *baseapp.BaseApp, ctx sdk.Context, accounts []simtypes.Account, _ string,
	) (simtypes.OperationMsg, []simtypes.FutureOperation, error) {
		reporter := simsx.NewBasicSimulationReporter().WithScope(d.Factory.MsgType())
		testData := simsx.NewChainDataSource(ctx, r, d.chain.AuthKeeper, d.chain.BankKeeper,
			d.chain.AuthKeeper.AddressCodec(), accounts...)
		_, msg := d.Factory.Create()(ctx, testData, reporter)
		if reporter.IsSkipped() {
			return reporter.ToLegacyOperationMsg(), nil, reporter.Close()
		}
		err := decide(base, ctx, msg)
		d.chain.tally.note(msg, err)
		if err := d.Factory.DeliveryResultHandler()(err); err != nil {
			reporter.Fail(err, fmt.Sprint(msg))
		} else {
			reporter.Success(msg)
		}
		return reporter.ToLegacyOperationMsg(), nil, reporter.Close()
	}
}

// decide carries a message out as x/gov does at the end of a block.
func decide(base *baseapp.BaseApp, ctx context.Context, msg sdk.Msg) error {
	handler := base.MsgServiceRouter().Handler(msg)
	if handler == nil {
		return fmt.Errorf("no handler of %s", sdk.MsgTypeURL(msg))
	}
	branch, write := sdk.UnwrapSDKContext(ctx).CacheContext()
	if _, err := handler(branch, msg); err != nil {
		return err
	}
	write()
	return nil
}
