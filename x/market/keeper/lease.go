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

func (k *Keeper) setLeaseTerms(ctx context.Context, lease types.Lease) error {
	terms := lease.Terms()
	terms.Id, terms.Account = 0, 0
	if err := k.leases.Set(ctx, lease.Id, terms); err != nil {
		return fmt.Errorf("write terms of lease %d: %w", lease.Id, err)
	}
	return nil
}

// writeLease writes a lease with its indexes.
func (k *Keeper) writeLease(ctx context.Context, provider sdk.AccAddress, lease types.Lease) error {
	if err := errors.Join(k.setLeaseStatus(ctx, lease), k.setLeaseTerms(ctx, lease)); err != nil {
		return err
	}
	err := errors.Join(
		k.deploymentLeases.Set(ctx, collections.Join(lease.Deployment, lease.Id)),
		k.providerLeases.Set(ctx, collections.Join(provider, lease.Id)),
	)
	if lease.State.Live() {
		err = errors.Join(err,
			k.liveLeases.Set(ctx, collections.Join(lease.Deployment, lease.Id)),
			k.providerLiveLeases.Set(ctx, collections.Join(provider, lease.Id)))
		if lease.Standby {
			err = errors.Join(err, k.standbys.Set(ctx, collections.Join(lease.Bid, lease.Id)))
		}
	}
	if lease.State == types.LeaseState_LEASE_STATE_PENDING {
		err = errors.Join(err, k.ackDeadlines.Set(ctx, collections.Join(lease.AckBy, lease.Id)))
	}
	if err != nil {
		return fmt.Errorf("index lease %d: %w", lease.Id, err)
	}
	if err := k.moveAnswer(ctx, lease.Id, 0, lease.AnswerBy); err != nil {
		return err
	}
	return k.moveDeadline(ctx, lease.Id, 0, lease.Deadline())
}

// moveDeadline files the second at which a paid lease ends by itself; 0 is none.
func (k *Keeper) moveDeadline(ctx context.Context, lease, from, to uint64) (err error) {
	if from == to {
		return nil
	}
	if from != 0 {
		err = k.leaseDeadlines.Remove(ctx, collections.Join(from, lease))
	}
	if to != 0 {
		err = errors.Join(err, k.leaseDeadlines.Set(ctx, collections.Join(to, lease)))
	}
	if err != nil {
		return fmt.Errorf("move the deadline of lease %d: %w", lease, err)
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

// activate starts to pay a lease that its provider has acknowledged, and its term. On an account that is low the lease
// begins paused. A standby stands by, unless it is wanted already.
func (k *Keeper) activate(ctx context.Context, provider sdk.AccAddress, lease types.Lease, now uint64) error {
	if lease.Standby {
		var err error
		if lease, err = k.settleWaiting(ctx, lease, now); err != nil {
			return err
		}
		wanted, err := k.fillIn(ctx, lease, now)
		if err != nil {
			return err
		}
		if !wanted {
			return k.standBy(ctx, provider, lease, now)
		}
		if lease, err = k.nowServes(ctx, lease); err != nil {
			return err
		}
	}
	stream, err := k.escrow.OpenHeldStream(ctx, lease.Account, lease.Id, provider, lease.Rate,
		escrowtypes.StreamKind_STREAM_KIND_SERVICE, lease.Held)
	if err != nil {
		return fmt.Errorf("open the stream of lease %d: %w", lease.Id, err)
	}
	if err := k.ackDeadlines.Remove(ctx, collections.Join(lease.AckBy, lease.Id)); err != nil {
		return fmt.Errorf("drop the deadline of lease %d: %w", lease.Id, err)
	}
	lease = paidBy(lease, stream)
	lease.State = paidState(stream)
	lease.Held, lease.AckedAt = math.ZeroInt(), now
	if lease.TermSeconds != 0 {
		lease.EndsAt = now + lease.TermSeconds
	}
	if err := k.moveDeadline(ctx, lease.Id, 0, lease.Deadline()); err != nil {
		return err
	}
	if err := k.setLeaseStatus(ctx, lease); err != nil {
		return err
	}
	return emit(ctx, types.NewEventLeaseActive(lease))
}

// paidBy returns a lease that a stream pays for, in full or for its capacity only.
func paidBy(lease types.Lease, stream escrowtypes.Stream) types.Lease {
	lease.Stream, lease.Paused = stream.Id, stream.FullRate != 0
	return lease
}

// paidState is the state of a lease without notice that a stream pays for.
func paidState(stream escrowtypes.Stream) types.LeaseState {
	if stream.FullRate != 0 {
		return types.LeaseState_LEASE_STATE_PAUSED
	}
	return types.LeaseState_LEASE_STATE_ACTIVE
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
