package simulation

import (
	"context"
	"errors"
	"fmt"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowsim "github.com/souk-network/souk/x/escrow/simulation"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/provider/types"
)

// register makes an account a provider that is none, or not any more. Its agent may be about to take over elsewhere, which the
// query does not tell.
func (m Module) register() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgRegister, simsx.SimDeliveryResultHandler) {
		r := testData.Rand()
		operator, _ := escrowsim.FirstFrom(testData, reporter, "account that is no provider",
			func(account simsx.SimAccount) (struct{}, bool) {
				known, err := m.queries.Provider(ctx, &types.QueryProviderRequest{Operator: account.AddressBech32})
				return struct{}{}, errors.Is(err, types.ErrNotFound) || err == nil && !There(known.Provider)
			})
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		agent := m.free(ctx, testData, reporter)
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		payout := testData.AnyAccount(reporter)
		var bond sdk.Coins
		for _, denom := range []string{escrowtypes.DefaultDenom, escrowsim.Stable} {
			if coin, ok := escrowsim.Spend(operator, denom, bondOf(r)); ok && !escrowsim.OneIn(r, 6) {
				bond = bond.Add(coin)
			}
		}
		msg := &types.MsgRegister{
			Operator: operator.AddressBech32, Agent: agent.AddressBech32, Payout: payout.AddressBech32,
			GatewayUri: gateway(r), TlsKeys: keys(r), Info: types.Info{Name: r.StringN(10)}, Bond: bond,
			Auditors: auditors(testData, reporter),
		}
		if escrowsim.OneIn(r, 30) {
			msg.TlsKeys = [][]byte{{1}}
			return escrowsim.Sign(operator), msg, escrowsim.Refused(types.ErrInvalidTLSKeys, types.ErrAgentTaken)
		}
		return escrowsim.Sign(operator), msg, escrowsim.May(types.ErrAgentTaken)
	})
}

// update replaces what a provider says of itself.
func (m Module) update() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgUpdate, simsx.SimDeliveryResultHandler) {
		r := testData.Rand()
		operator, _ := Any(ctx, m.queries, testData, reporter, "provider", There)
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		payout := testData.AnyAccount(reporter)
		msg := &types.MsgUpdate{
			Operator: operator.AddressBech32, Payout: payout.AddressBech32, GatewayUri: gateway(r), TlsKeys: keys(r),
			Info: types.Info{Name: r.StringN(10)}, Auditors: auditors(testData, reporter),
		}
		if escrowsim.OneIn(r, 20) {
			msg.GatewayUri = "http://" + r.StringN(10)
			return escrowsim.Sign(operator), msg, escrowsim.Refused(types.ErrInvalidGateway)
		}
		return escrowsim.Sign(operator), msg, nil
	})
}

// deregister starts to leave.
func (m Module) deregister() simsx.SimMsgFactoryX {
	return simsx.SimMsgFactoryFn[*types.MsgDeregister](func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgDeregister) {
		operator, _ := Any(ctx, m.queries, testData, reporter, "provider that stays", Active)
		if reporter.IsSkipped() {
			return nil, nil
		}
		return escrowsim.Sign(operator), &types.MsgDeregister{Operator: operator.AddressBech32}
	})
}

// rotateAgent names another agent, or cancels a rotation that is under way.
func (m Module) rotateAgent() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgRotateAgent, simsx.SimDeliveryResultHandler) {
		operator, provider := Any(ctx, m.queries, testData, reporter, "provider", There)
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		agent := m.free(ctx, testData, reporter).AddressBech32
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		now := Now(ctx, m.escrow, reporter)
		if provider.RotatesAt > now && escrowsim.OneIn(testData.Rand(), 2) {
			agent = provider.Agent
		}
		msg := &types.MsgRotateAgent{Operator: operator.AddressBech32, Agent: agent}
		return escrowsim.Sign(operator), msg, escrowsim.May(types.ErrAgentTaken)
	})
}

// bondOf draws a bond in micro-denom, from too little for anything to enough for everything.
func bondOf(r *simsx.XRand) uint64 {
	return escrowsim.UpTo(r, simsx.OneOf(r, []uint64{1000, 50_000_000, 100_000_000_000}))
}

func gateway(r *simsx.XRand) string {
	return fmt.Sprintf("https://gateway-%d.example:8443", r.Intn(1000))
}

func keys(r *simsx.XRand) [][]byte {
	hashes := make([][]byte, 1+r.Intn(2))
	for i := range hashes {
		hashes[i] = make([]byte, 32)
		r.Read(hashes[i])
	}
	return hashes
}

// auditors draws up to three accounts, in the order of their addresses.
func auditors(testData *simsx.ChainDataSource, reporter simsx.SimulationReporter) []string {
	return Accounts(testData, reporter, testData.Rand().Intn(4))
}
