package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// maxPruned is the most leases that one item forgets.
const maxPruned = 256

// retain keeps a lease that has just ended until nothing can be claimed of it.
func (k *Keeper) retain(ctx context.Context, lease uint64) error {
	until, err := k.escrow.RetainUntil(ctx)
	if err != nil {
		return fmt.Errorf("retain lease %d: %w", lease, err)
	}
	if err := k.retained.Set(ctx, collections.Join(until, lease)); err != nil {
		return fmt.Errorf("retain lease %d: %w", lease, err)
	}
	return nil
}

// forgetRetained forgets an ended lease, which may be gone already; of a deployment that was pruned as many as one item may.
// In quarantine it is kept.
func (k *Keeper) forgetRetained(ctx context.Context, id uint64) error {
	lease, err := k.getLease(ctx, id)
	if errors.Is(err, types.ErrLeaseNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	kept, err := k.deployments.Has(ctx, lease.Deployment)
	if err != nil {
		return fmt.Errorf("look up deployment %d: %w", lease.Deployment, err)
	}
	if !kept {
		return k.forgetLeases(ctx, lease.Deployment)
	}
	return k.forgetLease(ctx, lease.Deployment, id)
}

// forgetLeases removes the first leases of a pruned deployment. If others are left they follow in the next second.
func (k *Keeper) forgetLeases(ctx context.Context, deployment uint64) error {
	ids, more, err := k.firstLeases(ctx, deployment, maxPruned)
	if err != nil {
		return err
	}
	escrowtypes.Weigh(ctx, 1+uint32(len(ids)))
	for _, id := range ids {
		if err := k.forgetLease(ctx, deployment, id); err != nil {
			return err
		}
	}
	if more == 0 {
		return nil
	}
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return err
	}
	if err := k.retained.Set(ctx, collections.Join(now+1, more)); err != nil {
		return fmt.Errorf("forget more of deployment %d: %w", deployment, err)
	}
	return nil
}

// firstLeases returns the ids of the first leases of a deployment, and the one after them; 0 if there is none.
func (k *Keeper) firstLeases(ctx context.Context, deployment uint64, limit int) (ids []uint64, next uint64, err error) {
	iterator, err := k.deploymentLeases.Iterate(ctx, collections.NewPrefixedPairRange[uint64, uint64](deployment))
	if err != nil {
		return nil, 0, fmt.Errorf("walk leases of deployment %d: %w", deployment, err)
	}
	defer func() { err = errors.Join(err, iterator.Close()) }()
	for ; iterator.Valid(); iterator.Next() {
		key, err := iterator.Key()
		if err != nil {
			return nil, 0, fmt.Errorf("walk leases of deployment %d: %w", deployment, err)
		}
		if len(ids) == limit {
			return ids, key.K2(), nil
		}
		ids = append(ids, key.K2())
	}
	return ids, 0, nil
}

// forgetLease removes an ended lease. One that was served to its end counts in its provider's record now, so that closing
// it need not write that.
func (k *Keeper) forgetLease(ctx context.Context, deployment, id uint64) error {
	lease, err := k.getLease(ctx, id)
	if err != nil {
		return err
	}
	if err := k.noteCompleted(ctx, lease); err != nil {
		return err
	}
	provider, err := k.operator(lease.Provider)
	if err != nil {
		return err
	}
	err = errors.Join(
		k.leases.Remove(ctx, id),
		k.leaseStatuses.Remove(ctx, id),
		k.deploymentLeases.Remove(ctx, collections.Join(deployment, id)),
		k.providerLeases.Remove(ctx, collections.Join(provider, id)),
	)
	if err != nil {
		return fmt.Errorf("forget lease %d: %w", id, err)
	}
	return nil
}

// noteCompleted counts a lease that its tenant, its money or its term ended after it was acknowledged.
func (k *Keeper) noteCompleted(ctx context.Context, lease types.Lease) error {
	if lease.AckedAt == 0 || lease.State != types.LeaseState_LEASE_STATE_CLOSED || lease.LeavesAt != 0 {
		return nil
	}
	provider, err := k.operator(lease.Provider)
	if err != nil {
		return err
	}
	if err := k.provider.Note(ctx, provider, providertypes.OutcomeCompleted, 1); err != nil {
		return fmt.Errorf("note that lease %d was completed: %w", lease.Id, err)
	}
	return nil
}

// forgetDeployment removes a closed deployment with its bids, and as many of its leases as one item may; the rest follows.
func (k *Keeper) forgetDeployment(ctx context.Context, deployment types.Deployment) error {
	bids, err := idsUnder(ctx, k.deploymentBids, deployment.Id)
	if err != nil {
		return fmt.Errorf("walk bids of deployment %d: %w", deployment.Id, err)
	}
	for _, id := range bids {
		err := errors.Join(
			k.bids.Remove(ctx, id),
			k.bidStatuses.Remove(ctx, id),
			k.deploymentBids.Remove(ctx, collections.Join(deployment.Id, id)),
		)
		if err != nil {
			return fmt.Errorf("forget bid %d: %w", id, err)
		}
	}
	owner, err := k.operator(deployment.Owner)
	if err != nil {
		return err
	}
	err = errors.Join(
		k.deployments.Remove(ctx, deployment.Id),
		k.deploymentEnds.Remove(ctx, deployment.Id),
		k.ownerDeployments.Remove(ctx, collections.Join(owner, deployment.Id)),
	)
	if err != nil {
		return fmt.Errorf("forget deployment %d: %w", deployment.Id, err)
	}
	if err := k.forgetLeases(ctx, deployment.Id); err != nil {
		return err
	}
	return emit(ctx, types.NewEventPruned(deployment.Id))
}
