package simulation

import (
	"context"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"

	escrowsim "github.com/souk-network/souk/x/escrow/simulation"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/proof/types"
)

// updateParams replaces the parameters by others of the same kind, which are refused when their windows outlast the hold-back.
func (m Module) updateParams() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgUpdateParams, simsx.SimDeliveryResultHandler) {
		escrow, err := m.escrow.Params(ctx, &escrowtypes.QueryParamsRequest{})
		if err != nil {
			reporter.Fail(err, "read escrow's parameters")
			return nil, nil, nil
		}
		msg := &types.MsgUpdateParams{
			Authority: testData.ModuleAccountAddress(reporter, govtypes.ModuleName), Params: RandomParams(testData.Rand()),
		}
		if msg.Params.Fits(escrow.Params) != nil {
			return nil, msg, escrowsim.Refused(types.ErrInvalidParams)
		}
		return nil, msg, nil
	})
}
