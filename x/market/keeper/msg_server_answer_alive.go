package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
)

// AnswerAlive answers challenges. Each lease has a result of its own: a batch never fails as one.
func (m msgServer) AnswerAlive(ctx context.Context, msg *types.MsgAnswerAlive) (*types.MsgAnswerAliveResponse, error) {
	// 1. The message is well-formed.
	if err := msg.Validate(m.addresses); err != nil {
		return nil, err
	}
	// 2. The signer acts for the provider.
	operator, err := m.authorize(ctx, msg.Signer, msg.Provider)
	if err != nil {
		return nil, err
	}
	now, err := m.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}
	// 3. Each lease is not challenged any more, or left as it was.
	results := make([]types.AckResult, len(msg.Leases))
	for i, id := range msg.Leases {
		err := escrowtypes.Attempt(sdk.UnwrapSDKContext(ctx), func(ctx sdk.Context) error {
			lease, err := m.challengedLease(ctx, operator, id, now)
			if err != nil {
				return err
			}
			if lease, err = m.setAnswerBy(ctx, lease, 0); err != nil {
				return err
			}
			return emit(ctx, types.NewEventLeaseAnswered(lease))
		})
		results[i] = types.AckResult{Lease: id, Error: types.ErrorText(err)}
	}
	return &types.MsgAnswerAliveResponse{Results: results}, nil
}
