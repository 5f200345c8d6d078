package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
)

// penaltyHours of a lease's rate go from the provider's bond to the tenant when the lease is not acknowledged.
const (
	penaltyHours  = 1
	penaltyReason = "lease not acknowledged"
)

// getLease returns a lease, or ErrLeaseNotFound.
func (k *Keeper) getLease(ctx context.Context, id uint64) (types.Lease, error) {
	status, err := k.leaseStatuses.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return types.Lease{}, types.ErrLeaseNotFound.Wrapf("lease %d", id)
	}
	if err != nil {
		return types.Lease{}, fmt.Errorf("read lease %d: %w", id, err)
	}
	lease, err := k.leases.Get(ctx, id)
	if err != nil {
		return types.Lease{}, fmt.Errorf("read lease %d: %w", id, err)
	}
	lease.Id, lease.Account = id, lease.Deployment
	return lease.WithStatus(status), nil
}

func (k *Keeper) setLeaseStatus(ctx context.Context, lease types.Lease) error {
	if err := k.leaseStatuses.Set(ctx, lease.Id, lease.Status()); err != nil {
		return fmt.Errorf("write lease %d: %w", lease.Id, err)
	}
	return nil
}

// writeLease writes a lease with its indexes.
func (k *Keeper) writeLease(ctx context.Context, provider sdk.AccAddress, lease types.Lease) error {
	if err := k.setLeaseStatus(ctx, lease); err != nil {
		return err
	}
	terms := lease.Terms()
	terms.Id, terms.Account = 0, 0
	err := errors.Join(
		k.leases.Set(ctx, lease.Id, terms),
		k.deploymentLeases.Set(ctx, collections.Join(lease.Deployment, lease.Id)),
	)
	if lease.State.Live() {
		err = errors.Join(err,
			k.liveLeases.Set(ctx, collections.Join(lease.Deployment, lease.Id)),
			k.providerLiveLeases.Set(ctx, collections.Join(provider, lease.Id)))
	}
	if lease.State == types.LeaseState_LEASE_STATE_PENDING {
		err = errors.Join(err, k.ackDeadlines.Set(ctx, collections.Join(lease.AckBy, lease.Id)))
	}
	if err != nil {
		return fmt.Errorf("write lease %d: %w", lease.Id, err)
	}
	return nil
}

// openLease makes a lease that waits for its provider: money held, capacity taken.
func (k *Keeper) openLease(ctx context.Context, lease types.Lease) (types.Lease, error) {
	provider, err := k.operator(lease.Provider)
	if err != nil {
		return types.Lease{}, err
	}
	params, err := k.Params(ctx)
	if err != nil {
		return types.Lease{}, err
	}
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return types.Lease{}, err
	}
	lease.Held, err = k.escrow.Hold(ctx, lease.Account, lease.Rate, uint64(params.AckWindowSeconds))
	if err != nil {
		return types.Lease{}, fmt.Errorf("hold money for a lease: %w", err)
	}
	if err := k.allocate(ctx, provider, lease.Pool, lease.Unit, lease.Replicas); err != nil {
		return types.Lease{}, err
	}
	if err := k.expose(ctx, provider, lease.Denom, lease.Rate); err != nil {
		return types.Lease{}, err
	}
	if err := k.unsettle(ctx, provider); err != nil {
		return types.Lease{}, err
	}
	if lease.Id, err = k.nextLease.Next(ctx); err != nil {
		return types.Lease{}, fmt.Errorf("number a lease: %w", err)
	}
	lease.State = types.LeaseState_LEASE_STATE_PENDING
	lease.CreatedAt, lease.AckBy = now, now+uint64(params.AckWindowSeconds)
	if err := k.writeLease(ctx, provider, lease); err != nil {
		return types.Lease{}, err
	}
	return lease, emit(ctx, types.NewEventLeaseCreated(lease))
}

// activate starts to pay a lease that its provider has acknowledged.
func (k *Keeper) activate(ctx context.Context, provider sdk.AccAddress, lease types.Lease, now uint64) error {
	stream, err := k.escrow.OpenHeldStream(ctx, lease.Account, lease.Id, provider, lease.Rate,
		escrowtypes.StreamKind_STREAM_KIND_SERVICE, lease.Held)
	if err != nil {
		return fmt.Errorf("open the stream of lease %d: %w", lease.Id, err)
	}
	if err := k.ackDeadlines.Remove(ctx, collections.Join(lease.AckBy, lease.Id)); err != nil {
		return fmt.Errorf("drop the deadline of lease %d: %w", lease.Id, err)
	}
	lease.State, lease.Stream = types.LeaseState_LEASE_STATE_ACTIVE, stream.Id
	lease.Held, lease.AckedAt = math.ZeroInt(), now
	if err := k.setLeaseStatus(ctx, lease); err != nil {
		return err
	}
	return emit(ctx, types.NewEventLeaseActive(lease))
}

// failPending ends a lease that its provider did not acknowledge, or declined, at a second: the tenant is compensated
// from the bond, the replicas return to the book, and the offer gets a bad mark.
func (k *Keeper) failPending(ctx context.Context, lease types.Lease, reason types.Reason, at uint64) error {
	provider, err := k.operator(lease.Provider)
	if err != nil {
		return err
	}
	if err := k.escrow.Release(ctx, lease.Account, lease.Held); err != nil {
		return fmt.Errorf("release what is held for lease %d: %w", lease.Id, err)
	}
	penalty := bond(lease.Denom, lease.Rate, penaltyHours)
	if _, err := k.provider.SlashToAccount(ctx, provider, penalty, lease.Account, penaltyReason); err != nil {
		return fmt.Errorf("compensate the tenant of lease %d: %w", lease.Id, err)
	}
	if err := k.endLease(ctx, lease, types.LeaseState_LEASE_STATE_FAILED, reason, at); err != nil {
		return err
	}
	if err := k.noteMiss(ctx, provider, lease.Offer, at); err != nil {
		return err
	}
	return k.replace(ctx, lease.Bid, lease.Replicas, lease.Provider, at)
}

// closeByTenant ends a live lease of a deployment that is being closed. The stream of an active one ends with its
// account. A provider that still waits to acknowledge gets one ack window of the rate. A lease whose provider is late has
// failed already, at its own second, even if that was not processed yet.
func (k *Keeper) closeByTenant(ctx context.Context, lease types.Lease, now uint64) error {
	if lease.State == types.LeaseState_LEASE_STATE_PENDING {
		if now >= lease.AckBy {
			return k.failPending(ctx, lease, types.Reason_REASON_NOT_ACKED, lease.AckBy)
		}
		if err := k.payForWaiting(ctx, lease); err != nil {
			return err
		}
	}
	return k.endLease(ctx, lease, types.LeaseState_LEASE_STATE_CLOSED, types.Reason_REASON_TENANT, now)
}

// payForWaiting pays the provider of a pending lease for the capacity that it kept free.
func (k *Keeper) payForWaiting(ctx context.Context, lease types.Lease) error {
	provider, err := k.operator(lease.Provider)
	if err != nil {
		return err
	}
	if err := k.escrow.Release(ctx, lease.Account, lease.Held); err != nil {
		return fmt.Errorf("release what is held for lease %d: %w", lease.Id, err)
	}
	window := lease.AckBy - lease.CreatedAt
	if err := k.escrow.PayHold(ctx, lease.Account, lease.Id, provider, lease.Rate, window); err != nil {
		return fmt.Errorf("pay for the wait of lease %d: %w", lease.Id, err)
	}
	return nil
}

// endLease marks a live lease as ended and gives its capacity back. Its money is the caller's: the stream
// must be closed, and what is held released, in the same message or deadline.
func (k *Keeper) endLease(
	ctx context.Context, lease types.Lease, state types.LeaseState, reason types.Reason, at uint64,
) error {
	provider, err := k.operator(lease.Provider)
	if err != nil {
		return err
	}
	err = errors.Join(
		k.liveLeases.Remove(ctx, collections.Join(lease.Deployment, lease.Id)),
		k.providerLiveLeases.Remove(ctx, collections.Join(provider, lease.Id)),
	)
	if lease.State == types.LeaseState_LEASE_STATE_PENDING {
		err = errors.Join(err, k.ackDeadlines.Remove(ctx, collections.Join(lease.AckBy, lease.Id)))
	}
	if err != nil {
		return fmt.Errorf("unlist lease %d: %w", lease.Id, err)
	}
	if err := k.release(ctx, provider, lease.Pool, lease.Unit, lease.Replicas); err != nil {
		return err
	}
	if err := k.unexpose(ctx, provider, lease.Denom, lease.Rate); err != nil {
		return err
	}
	if err := k.unsettle(ctx, provider); err != nil {
		return err
	}
	lease.State, lease.Reason, lease.ClosedAt, lease.Held = state, reason, at, math.ZeroInt()
	if err := k.setLeaseStatus(ctx, lease); err != nil {
		return err
	}
	return emit(ctx, types.NewEventLeaseEnded(lease))
}

// liveLeasesOf returns the live leases of a deployment by id, at most MaxLiveLeases.
func (k *Keeper) liveLeasesOf(ctx context.Context, deployment uint64) ([]types.Lease, error) {
	ids, err := idsUnder(ctx, k.liveLeases, deployment)
	if err != nil {
		return nil, fmt.Errorf("walk leases of deployment %d: %w", deployment, err)
	}
	leases := make([]types.Lease, len(ids))
	for i, id := range ids {
		if leases[i], err = k.getLease(ctx, id); err != nil {
			return nil, err
		}
	}
	return leases, nil
}
