package simulation

import (
	"context"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"

	"github.com/souk-network/souk/x/escrow/types"
)

// updateParams replaces the parameters by others of the same kind: epochs change their length, denoms are halted and let go. Every
// other time epochs and hold-back stay, because the credit policy refuses most of those that it has no time to decide in.
func (m Module) updateParams() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgUpdateParams, simsx.SimDeliveryResultHandler) {
		r := testData.Rand()
		msg := &types.MsgUpdateParams{
			Authority: testData.ModuleAccountAddress(reporter, govtypes.ModuleName), Params: RandomParams(r),
		}
		now, err := m.queries.Params(ctx, &types.QueryParamsRequest{})
		if err != nil {
			reporter.Fail(err, "read the parameters")
			return nil, nil, nil
		}
		if OneIn(r, 2) {
			msg.Params.EpochSeconds, msg.Params.HoldbackEpochs = now.Params.EpochSeconds, now.Params.HoldbackEpochs
			return nil, msg, nil
		}
		return nil, msg, May(types.ErrInvalidParams)
	})
}

// retry takes an item out of quarantine, or asks in vain for one that is not there: a chain without faults has none.
func (m Module) retry() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgRetry, simsx.SimDeliveryResultHandler) {
		r := testData.Rand()
		items, err := m.queries.Quarantine(ctx, &types.QueryQuarantineRequest{Pagination: Page()})
		if err != nil {
			reporter.Fail(err, "list quarantine")
			return nil, nil, nil
		}
		msg := &types.MsgRetry{Authority: testData.ModuleAccountAddress(reporter, govtypes.ModuleName)}
		if len(items.Items) == 0 {
			msg.Source, msg.Id = simsx.OneOf(r, []string{"account", "lease", "nothing"}), UpTo(r, 100)
			return nil, msg, Refused(types.ErrNotQuarantined, types.ErrUnknownSource)
		}
		item := simsx.OneOf(r, items.Items)
		msg.Source, msg.Id = item.Source, item.Id
		return nil, msg, nil
	})
}
