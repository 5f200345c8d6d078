package simulation

import (
	"context"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"

	"github.com/souk-network/souk/x/market/types"
)

// updateParams replaces the parameters by others of the same kind.
func (Module) updateParams() simsx.SimMsgFactoryX {
	return simsx.SimMsgFactoryFn[*types.MsgUpdateParams](func(
		_ context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgUpdateParams) {
		return nil, &types.MsgUpdateParams{
			Authority: testData.ModuleAccountAddress(reporter, govtypes.ModuleName), Params: RandomParams(testData.Rand()),
		}
	})
}
