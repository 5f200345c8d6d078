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
	deployment.Id, deployment.Account = id, id
	return deployment, nil
}

func (k *Keeper) setDeployment(ctx context.Context, deployment types.Deployment) error {
	id := deployment.Id
	deployment.Id, deployment.Account = 0, 0
	if err := k.deployments.Set(ctx, id, deployment); err != nil {
		return fmt.Errorf("write deployment %d: %w", id, err)
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
	return nil
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
	deployment.State, deployment.Reason, deployment.ClosedAt = types.DeploymentState_DEPLOYMENT_STATE_CLOSED, reason, at
	if err := k.setDeployment(ctx, deployment); err != nil {
		return err
	}
	return emit(ctx, types.NewEventDeploymentClosed(deployment))
}
