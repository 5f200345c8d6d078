package simulation

import (
	"context"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	escrowsim "github.com/souk-network/souk/x/escrow/simulation"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// failover gives up a lease, as its tenant, or as nobody who may.
func (m Module) failover() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgFailover, simsx.SimDeliveryResultHandler) {
		r := testData.Rand()
		owner, deployment, own := m.leased(ctx, testData, reporter, types.LeaseState.Live)
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		msg := &types.MsgFailover{Signer: owner.AddressBech32, Lease: simsx.OneOf(r, own).Id}
		if escrowsim.OneIn(r, 10) {
			stranger := testData.AnyAccount(reporter, simsx.ExcludeAccounts(owner))
			if reporter.IsSkipped() || hasKey(deployment, stranger.AddressBech32) {
				reporter.Skip("no stranger")
				return nil, nil, nil
			}
			msg.Signer = stranger.AddressBech32
			return escrowsim.Sign(stranger), msg, escrowsim.Refused(types.ErrUnauthorized)
		}
		return escrowsim.Sign(owner), msg, escrowsim.May(types.ErrLeaseState, types.ErrBehind, escrowtypes.ErrBehind)
	})
}

// challengeLease asks for a sign of life: as the tenant, or as another provider of the deployment.
func (m Module) challengeLease() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgChallengeLease, simsx.SimDeliveryResultHandler) {
		r := testData.Rand()
		signer, _, own := m.leased(ctx, testData, reporter, types.LeaseState.Paid)
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		mayFail := []error{
			types.ErrLeaseState, types.ErrChallenged, types.ErrMaintenance, types.ErrBehind, escrowtypes.ErrBehind,
			sdkerrors.ErrInsufficientFunds,
		}
		msg := &types.MsgChallengeLease{Lease: simsx.OneOf(r, own).Id}
		if other := simsx.OneOf(r, own).Provider; testData.HasAccount(other) && escrowsim.OneIn(r, 3) {
			signer = testData.GetAccount(reporter, other) // of another bid, or the challenged one: then it may not
			mayFail = append(mayFail, types.ErrUnauthorized)
		}
		msg.Signer = signer.AddressBech32
		return escrowsim.Sign(signer), msg, escrowsim.May(mayFail...)
	})
}

// answerAlive gives a sign of life for what is challenged, and now and then for what is not.
func (m Module) answerAlive() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgAnswerAlive, simsx.SimDeliveryResultHandler) {
		r := testData.Rand()
		s, leases := m.work(ctx, testData, reporter, func(l types.Lease) bool { return l.AnswerBy != 0 || escrowsim.OneIn(r, 50) })
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		msg := &types.MsgAnswerAlive{Signer: s.signer.AddressBech32, Provider: s.provider.Operator, Leases: some(r, leases)}
		if stranger := testData.AnyAccount(reporter); escrowsim.OneIn(r, 20) && !actsFor(stranger, s.provider) {
			msg.Signer = stranger.AddressBech32
			return escrowsim.Sign(stranger), msg, escrowsim.Refused(providertypes.ErrUnauthorized)
		}
		return escrowsim.Sign(s.signer), msg, nil
	})
}

// hasKey tells whether an address is an access key of a deployment.
func hasKey(d types.Deployment, address string) bool {
	for _, key := range d.AccessKeys {
		if key.Address == address {
			return true
		}
	}
	return false
}
