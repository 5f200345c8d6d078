package simulation

import (
	"context"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
)

// updateParams replaces the parameters by others of the same kind.
func (m Module) updateParams() simsx.SimMsgFactoryX {
	return simsx.SimMsgFactoryFn[*types.MsgUpdateParams](func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgUpdateParams) {
		before, err := m.queries.Params(ctx, &types.QueryParamsRequest{})
		if err != nil {
			reporter.Fail(err, "read parameters")
			return nil, nil
		}
		escrow, err := m.escrow.Params(ctx, &escrowtypes.QueryParamsRequest{})
		if err != nil {
			reporter.Fail(err, "read escrow's parameters")
			return nil, nil
		}
		params := RandomParams(testData.Rand())
		if params.CheckAnswerWindow(escrow.Params.MaxTickSeconds) != nil {
			params.AnswerWindowSeconds = before.Params.AnswerWindowSeconds
		}
		return nil, &types.MsgUpdateParams{
			Authority: testData.ModuleAccountAddress(reporter, govtypes.ModuleName), Params: params,
		}
	})
}
