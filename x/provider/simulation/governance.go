package simulation

import (
	"context"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"

	escrowsim "github.com/souk-network/souk/x/escrow/simulation"
	"github.com/souk-network/souk/x/provider/types"
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

// jail ends all leases of a provider, for a while.
func (m Module) jail() simsx.SimMsgFactoryX {
	return simsx.SimMsgFactoryFn[*types.MsgJail](func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgJail) {
		r := testData.Rand()
		_, provider := Any(ctx, m.queries, testData, reporter, "provider", There)
		if reporter.IsSkipped() {
			return nil, nil
		}
		return nil, &types.MsgJail{
			Authority: testData.ModuleAccountAddress(reporter, govtypes.ModuleName), Provider: provider.Operator,
			Seconds: escrowsim.UpTo(r, simsx.OneOf(r, []uint64{10, 10_000})), SlashBps: uint32(r.Intn(3) * r.Intn(5000)),
			Reason: r.StringN(12),
		}
	})
}
