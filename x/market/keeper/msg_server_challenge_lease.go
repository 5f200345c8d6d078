package keeper

import (
	"context"
	"fmt"

	"github.com/souk-network/souk/x/market/types"
)

// ChallengeLease asks the provider of a lease for a sign of life, and pays it for the answer.
func (m msgServer) ChallengeLease(
	ctx context.Context, msg *types.MsgChallengeLease,
) (*types.MsgChallengeLeaseResponse, error) {
	// 1. The message is well-formed.
	if err := msg.Validate(m.addresses); err != nil {
		return nil, err
	}
	// 2. The lease concerns the signer.
	lease, err := m.getLease(ctx, msg.Lease)
	if err != nil {
		return nil, err
	}
	now, err := m.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}
	if err := m.mayChallenge(ctx, lease, msg.Signer, now); err != nil {
		return nil, err
	}
	// 3. Its provider has something to answer for.
	if lease, err = m.settleLease(ctx, lease, now); err != nil {
		return nil, err
	}
	params, err := m.Params(ctx)
	if err != nil {
		return nil, err
	}
	operator, err := m.operator(lease.Provider)
	if err != nil {
		return nil, err
	}
	provider, err := m.provider.GetProvider(ctx, operator)
	if err != nil {
		return nil, fmt.Errorf("read provider %s: %w", lease.Provider, err)
	}
	answerBy := now + uint64(params.AnswerWindowSeconds)
	if err := m.checkChallenge(ctx, lease, provider, now, answerBy); err != nil {
		return nil, err
	}
	// 4. The fee is paid, and the provider has to answer.
	if err := m.payChallenged(ctx, msg.Signer, provider, params.ChallengeFee); err != nil {
		return nil, err
	}
	if lease, err = m.setAnswerBy(ctx, lease, answerBy); err != nil {
		return nil, err
	}
	return &types.MsgChallengeLeaseResponse{AnswerBy: answerBy},
		emit(ctx, types.NewEventLeaseChallenged(lease, msg.Signer))
}
