package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/market/types"
)

// getDeployment returns a deployment, or ErrDeploymentNotFound.
func (k *Keeper) getDeployment(ctx context.Context, id uint64) (types.Deployment, error) {
	deployment, err := k.deployments.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return types.Deployment{}, types.ErrDeploymentNotFound.Wrapf("deployment %d", id)
	}
	if err != nil {
		return types.Deployment{}, fmt.Errorf("read deployment %d: %w", id, err)
	}
	deployment.Id, deployment.Account, deployment.State = id, id, types.DeploymentState_DEPLOYMENT_STATE_OPEN
	end, err := k.deploymentEnds.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return deployment, nil
	}
	if err != nil {
		return types.Deployment{}, fmt.Errorf("read the end of deployment %d: %w", id, err)
	}
	deployment.State = types.DeploymentState_DEPLOYMENT_STATE_CLOSED
	deployment.Reason, deployment.ClosedAt = end.Reason, end.ClosedAt
	return deployment, nil
}

// setDeployment writes all of a deployment but its end.
func (k *Keeper) setDeployment(ctx context.Context, deployment types.Deployment) error {
	id := deployment.Id
	deployment.Id, deployment.Account, deployment.State, deployment.Reason, deployment.ClosedAt = 0, 0, 0, 0, 0
	if err := k.deployments.Set(ctx, id, deployment); err != nil {
		return fmt.Errorf("write deployment %d: %w", id, err)
	}
	return nil
}

// setEnd writes that a deployment is closed.
func (k *Keeper) setEnd(ctx context.Context, deployment types.Deployment) error {
	end := types.DeploymentEnd{Reason: deployment.Reason, ClosedAt: deployment.ClosedAt}
	if err := k.deploymentEnds.Set(ctx, deployment.Id, end); err != nil {
		return fmt.Errorf("write the end of deployment %d: %w", deployment.Id, err)
	}
	return nil
}

// addDeployment writes a new deployment with its indexes.
func (k *Keeper) addDeployment(ctx context.Context, owner sdk.AccAddress, deployment types.Deployment) error {
	if err := k.setDeployment(ctx, deployment); err != nil {
		return err
	}
	err := errors.Join(
		k.openNames.Set(ctx, collections.Join(owner, deployment.Name), deployment.Id),
		k.ownerDeployments.Set(ctx, collections.Join(owner, deployment.Id)),
	)
	if err != nil {
		return fmt.Errorf("index deployment %d: %w", deployment.Id, err)
	}
	return k.moveCustody(ctx, deployment.Id, nil, deployment.Custodians)
}

// endDeployment closes the bids of a deployment and the deployment itself. Its leases must have ended.
func (k *Keeper) endDeployment(ctx context.Context, deployment types.Deployment, reason types.Reason, at uint64) error {
	bids, err := k.bidsOf(ctx, deployment.Id)
	if err != nil {
		return err
	}
	for _, bid := range bids {
		if err := k.closeBid(ctx, bid); err != nil {
			return err
		}
	}
	owner, err := k.addresses.StringToBytes(deployment.Owner)
	if err != nil {
		return types.ErrInvalidAddress.Wrapf("owner of deployment %d: %v", deployment.Id, err)
	}
	if err := k.openNames.Remove(ctx, collections.Join(sdk.AccAddress(owner), deployment.Name)); err != nil {
		return fmt.Errorf("free the name of deployment %d: %w", deployment.Id, err)
	}
	if err := k.moveCustody(ctx, deployment.Id, deployment.Custodians, nil); err != nil {
		return err
	}
	deployment.State, deployment.Reason, deployment.ClosedAt = types.DeploymentState_DEPLOYMENT_STATE_CLOSED, reason, at
	if err := k.setEnd(ctx, deployment); err != nil {
		return err
	}
	return emit(ctx, types.NewEventDeploymentClosed(deployment))
}
