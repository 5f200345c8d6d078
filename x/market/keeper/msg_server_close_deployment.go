package keeper

import (
	"context"
	"fmt"

	"github.com/souk-network/souk/x/market/types"
)

// CloseDeployment ends all leases, bids and the account of a deployment, and refunds what is left.
func (m msgServer) CloseDeployment(
	ctx context.Context, msg *types.MsgCloseDeployment,
) (*types.MsgCloseDeploymentResponse, error) {
	// 1. The message is well-formed.
	if err := msg.Validate(m.addresses); err != nil {
		return nil, err
	}
	// 2. The signer owns the deployment, which is open.
	deployment, err := m.getDeployment(ctx, msg.Deployment)
	if err != nil {
		return nil, err
	}
	if err := m.sameAccount(msg.Owner, deployment.Owner, fmt.Sprintf("deployment %d", deployment.Id)); err != nil {
		return nil, err
	}
	if deployment.State != types.DeploymentState_DEPLOYMENT_STATE_OPEN {
		return nil, types.ErrDeploymentState.Wrapf("deployment %d", deployment.Id)
	}
	// 3. Its leases end now.
	now, err := m.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}
	if err := m.closeLeases(ctx, deployment.Id, now); err != nil {
		return nil, err
	}
	// 4. Their streams stop with the account, which refunds what is left.
	refunded, err := m.escrow.EndAccount(ctx, deployment.Account)
	if err != nil {
		return nil, fmt.Errorf("refund deployment %d: %w", deployment.Id, err)
	}
	// 5. The bids leave the book, and its name is free.
	if err := m.endDeployment(ctx, deployment, types.Reason_REASON_TENANT, now); err != nil {
		return nil, err
	}
	return &types.MsgCloseDeploymentResponse{Refunded: refunded}, nil
}

// closeLeases ends the live leases of a deployment, at most MaxLiveLeases, each at its own second if it is due. Their
// streams end with the account, and all is kept as long as the account is.
func (k *Keeper) closeLeases(ctx context.Context, deployment, now uint64) error {
	leases, err := k.settledLeases(ctx, deployment, now)
	if err != nil {
		return err
	}
	for _, lease := range leases {
		if lease.State == types.LeaseState_LEASE_STATE_PENDING {
			if err := k.payForWaiting(ctx, lease, lease.Rate, lease.Held); err != nil {
				return err
			}
		}
		if err := k.endLease(ctx, lease, closed(types.Reason_REASON_TENANT, now)); err != nil {
			return err
		}
	}
	return nil
}
