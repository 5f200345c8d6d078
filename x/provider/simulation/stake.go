package simulation

import (
	"context"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowsim "github.com/souk-network/souk/x/escrow/simulation"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/provider/types"
)

// bond puts more at stake.
func (m Module) bond() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgBond, simsx.SimDeliveryResultHandler) {
		r := testData.Rand()
		operator, provider := Any(ctx, m.queries, testData, reporter, "provider", There)
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		denom := simsx.OneOf(r, []string{escrowtypes.DefaultDenom, escrowsim.Stable})
		coin, ok := escrowsim.Spend(operator, denom, bondOf(r))
		if !ok {
			reporter.Skip("nothing to bond")
			return nil, nil, nil
		}
		msg := &types.MsgBond{Operator: operator.AddressBech32, Amount: coin}
		if Active(provider) {
			return escrowsim.Sign(operator), msg, nil
		}
		return escrowsim.Sign(operator), msg, escrowsim.May(types.ErrLifecycle)
	})
}

// unbond takes back what the market does not ask for, or tries to take more.
func (m Module) unbond() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgUnbond, simsx.SimDeliveryResultHandler) {
		r := testData.Rand()
		will := bonded
		if escrowsim.OneIn(r, 2) && len(Providers(ctx, m.queries, reporter, leaving)) > 0 {
			will = leaving
		}
		operator, provider := Any(ctx, m.queries, testData, reporter, "provider with bond", will)
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		coin := r.Coin(provider.Bond)
		if escrowsim.OneIn(r, 10) {
			msg := &types.MsgUnbond{Operator: operator.AddressBech32, Amount: coin.AddAmount(math.OneInt())}
			return escrowsim.Sign(operator), msg, escrowsim.Refused(types.ErrInvalidBond, types.ErrTooManyUnbondings)
		}
		if provider.Lifecycle != types.Lifecycle_LIFECYCLE_LEAVING || escrowsim.OneIn(r, 3) {
			coin = sdk.NewCoin(coin.Denom, math.NewIntFromUint64(escrowsim.UpTo(r, coin.Amount.Uint64())))
		}
		msg := &types.MsgUnbond{Operator: operator.AddressBech32, Amount: coin}
		return escrowsim.Sign(operator), msg, escrowsim.May(types.ErrBondRequired, types.ErrTooManyUnbondings)
	})
}

func bonded(p types.Provider) bool { return There(p) && !p.Bond.Empty() }

func leaving(p types.Provider) bool { return bonded(p) && !Active(p) }

// unjail returns to the market when the time is up and the bond suffices.
func (m Module) unjail() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgUnjail, simsx.SimDeliveryResultHandler) {
		operator, provider := Any(ctx, m.queries, testData, reporter, "jailed provider",
			func(p types.Provider) bool { return There(p) && p.JailedUntil > 0 })
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		msg := &types.MsgUnjail{Operator: operator.AddressBech32}
		if Now(ctx, m.escrow, reporter) < provider.JailedUntil {
			return escrowsim.Sign(operator), msg, escrowsim.Refused(types.ErrJailed)
		}
		return escrowsim.Sign(operator), msg, escrowsim.May(types.ErrBondRequired)
	})
}

// withdraw pays matured earnings.
func (m Module) withdraw() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgWithdraw, simsx.SimDeliveryResultHandler) {
		r := testData.Rand()
		denom := simsx.OneOf(r, []string{escrowtypes.DefaultDenom, escrowsim.Stable})
		matured := func(p types.Provider) bool {
			earned, err := m.escrow.Earnings(ctx, &escrowtypes.QueryEarningsRequest{Payee: p.Operator, Denom: denom})
			return err == nil && earned.Available.IsPositive()
		}
		_, provider := Any(ctx, m.queries, testData, reporter, "matured earnings",
			func(p types.Provider) bool { return There(p) && (matured(p) || escrowsim.OneIn(r, 500)) })
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		signer := Agent(testData, reporter, provider, Now(ctx, m.escrow, reporter))
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		msg := &types.MsgWithdraw{Signer: signer.AddressBech32, Provider: provider.Operator, Denom: denom}
		if !matured(provider) {
			return escrowsim.Sign(signer), msg, escrowsim.May(escrowtypes.ErrNothingToWithdraw, escrowtypes.ErrHalted)
		}
		return escrowsim.Sign(signer), msg, escrowsim.May(escrowtypes.ErrHalted)
	})
}
