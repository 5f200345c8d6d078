package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/market/types"
)

// settleLease processes all that is due of a lease and was not processed yet, because blocks have more deadlines than they
// may process, in the order of time and each at its own second: so nothing that a message does depends on that delay. It
// returns the lease as it is then.
func (k *Keeper) settleLease(ctx context.Context, lease types.Lease, now uint64) (types.Lease, error) {
	for lease.State.Live() {
		due, err := k.firstDue(ctx, lease, now)
		if err != nil || due == nil {
			return lease, err
		}
		if err := due(ctx); err != nil {
			return types.Lease{}, err
		}
		if lease, err = k.getLease(ctx, lease.Id); err != nil {
			return types.Lease{}, err
		}
	}
	return lease, nil
}

// settledLeases returns the live leases of a deployment by id, once what was due is processed.
func (k *Keeper) settledLeases(ctx context.Context, deployment, now uint64) ([]types.Lease, error) {
	leases, err := k.liveLeasesOf(ctx, deployment)
	if err != nil {
		return nil, err
	}
	changed := false
	for _, lease := range leases {
		if changed { // what a tenant is compensated with may have resumed what is paused
			if lease, err = k.getLease(ctx, lease.Id); err != nil {
				return nil, err
			}
		}
		settled, err := k.settleLease(ctx, lease, now)
		if err != nil {
			return nil, fmt.Errorf("settle lease %d: %w", lease.Id, err)
		}
		changed = changed || settled.State != lease.State
	}
	if changed {
		return k.liveLeasesOf(ctx, deployment)
	}
	return leases, nil
}

// firstDue returns what is to be done first of what is due of a live lease; nil for nothing. Ties go in the order in which
// the deadline sources are registered.
func (k *Keeper) firstDue(ctx context.Context, lease types.Lease, now uint64) (func(context.Context) error, error) {
	second := lease.Deadline()
	do := func(ctx context.Context) error { return k.endDue(ctx, lease) }
	if lease.State == types.LeaseState_LEASE_STATE_PENDING {
		second = lease.AckBy
		do = func(ctx context.Context) error {
			return k.failPending(ctx, lease, types.Reason_REASON_NOT_ACKED, lease.AckBy)
		}
	}
	provider, err := k.operator(lease.Provider)
	if err != nil {
		return nil, err
	}
	sweeps, err := k.sweepsOf(ctx, provider)
	if err != nil {
		return nil, err
	}
	for _, sweep := range sweeps { // by second
		if concerns(sweep, lease) && (second == 0 || sweep.Second < second) {
			second = sweep.Second
			do = func(ctx context.Context) error { return k.sweepLease(ctx, lease, sweep.Cause, sweep.Second) }
		}
	}
	if second == 0 || second > now {
		return nil, nil
	}
	return do, nil
}

// endDue ends a paid lease at the second of its term or of its notice, whichever is first.
func (k *Keeper) endDue(ctx context.Context, lease types.Lease) error {
	switch at := lease.Deadline(); at {
	case 0:
		return nil
	case lease.EndsAt:
		return k.expire(ctx, lease)
	default:
		return k.leave(ctx, lease)
	}
}

// concerns tells whether a sweep has something to do with a live lease: it was there at the second of the sweep, which
// has not come to it yet. One with notice needs no other.
func concerns(sweep types.ProviderSweep, lease types.Lease) bool {
	if lease.CreatedAt > sweep.Second || lease.Id <= sweep.Cursor {
		return false
	}
	return sweep.Cause == types.SweepCause_SWEEP_CAUSE_JAILED || lease.State != types.LeaseState_LEASE_STATE_LEAVING
}

// sweepsOf returns the sweeps of a provider that are under way, by second.
func (k *Keeper) sweepsOf(ctx context.Context, provider sdk.AccAddress) ([]types.ProviderSweep, error) {
	iterator, err := k.providerSweeps.Iterate(ctx, collections.NewPrefixedPairRange[sdk.AccAddress, uint64](provider))
	if err != nil {
		return nil, fmt.Errorf("walk sweeps of %s: %w", provider, err)
	}
	entries, err := iterator.KeyValues()
	if err != nil {
		return nil, fmt.Errorf("walk sweeps of %s: %w", provider, err)
	}
	sweeps := make([]types.ProviderSweep, 0, len(entries))
	for _, entry := range entries {
		sweep, err := k.readSweep(ctx, collections.Join(entry.Key.K2(), entry.Value))
		if errors.Is(err, collections.ErrNotFound) {
			continue // dropped when nobody could know whose it was
		}
		if err != nil {
			return nil, err
		}
		sweeps = append(sweeps, sweep)
	}
	return sweeps, nil
}
