package keeper

import (
	"context"

	"github.com/souk-network/souk/x/market/types"
)

// CloseLease ends one lease of a deployment now. Its replicas return to the book without that provider, or are wanted no
// more.
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
	if lease, err = m.settleLease(ctx, lease, now); err != nil {
		return nil, err
	}
	if !lease.State.Live() {
		return nil, types.ErrLeaseState.Wrapf("lease %d has ended", lease.Id)
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
		return k.replace(ctx, lease.Bid, lease.Replicas, lease.Provider, now)
	}
	return k.releaseReplicas(ctx, lease.Bid, lease.Replicas)
}
