package keeper

import (
	"context"

	"github.com/souk-network/souk/x/provider/types"
)

// Deregister starts to leave: the provider takes no new leases for good, and the module above gives notice to those that
// it has.
func (m msgServer) Deregister(ctx context.Context, msg *types.MsgDeregister) (*types.MsgDeregisterResponse, error) {
	operator, err := m.address(msg.Operator)
	if err != nil {
		return nil, err
	}
	provider, err := m.changeActive(ctx, operator)
	if err != nil {
		return nil, err
	}
	now, err := m.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}
	provider.Lifecycle, provider.LeavingSince = types.Lifecycle_LIFECYCLE_LEAVING, now
	if err := m.writeProvider(ctx, operator, provider); err != nil {
		return nil, err
	}
	if err := emit(ctx, types.NewEventLifecycle(provider)); err != nil {
		return nil, err
	}
	if m.hooks != nil {
		if err := m.hooks.AfterLeaving(ctx, operator, provider.Number, now); err != nil {
			return nil, err
		}
	}
	if err := m.settleGone(ctx, operator); err != nil {
		return nil, err
	}
	return &types.MsgDeregisterResponse{}, nil
}
