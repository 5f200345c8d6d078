package keeper

import (
	"context"

	"github.com/souk-network/souk/x/market/types"
)

// CloseLease ends one lease of a deployment now. Standbys take over its replicas, or they return to the book, without that
// provider; or they are wanted no more.
func (m msgServer) CloseLease(ctx context.Context, msg *types.MsgCloseLease) (*types.MsgCloseLeaseResponse, error) {
	// 1. The message is well-formed.
	if err := msg.Validate(m.addresses); err != nil {
		return nil, err
	}
	// 2. The signer may manage the deployment, which is open.
	lease, err := m.getLease(ctx, msg.Lease)
	if err != nil {
		return nil, err
	}
	now, err := m.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}
	if _, _, err := m.managed(ctx, lease.Deployment, msg.Signer, now); err != nil {
		return nil, err
	}
	// 3. The lease lives still.
	if lease, err = m.settleWithBid(ctx, lease, now); err != nil {
		return nil, err
	}
	if !lease.State.Live() {
		return nil, types.ErrLeaseState.Wrapf("lease %d has ended", lease.Id)
	}
	if msg.Replace {
		if err := m.checkHeirs(ctx, lease, now); err != nil {
			return nil, err
		}
	}
	// 4. It ends, and what is paused for want of money may resume.
	if err := m.closeByTenant(ctx, lease, now); err != nil {
		return nil, err
	}
	if err := m.closeReplicas(ctx, lease, msg.Replace, now); err != nil {
		return nil, err
	}
	return &types.MsgCloseLeaseResponse{}, m.tryResume(ctx, lease.Account)
}

func (k *Keeper) closeReplicas(ctx context.Context, lease types.Lease, replace bool, now uint64) error {
	if replace {
		_, err := k.replace(ctx, lease, now)
		return err
	}
	return k.releaseReplicas(ctx, lease, now, types.Reason_REASON_TENANT)
}
