package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

var _ escrowtypes.DeadlineSource = sweepDeadlines{}

// sweepDeadlines is the queue of providers that were jailed, or leave. An item is one of their leases.
type sweepDeadlines struct{ k *Keeper }

// Name of the source.
func (sweepDeadlines) Name() string { return types.SweepSource }

// NextDeadline returns the second of the first sweep.
func (d sweepDeadlines) NextDeadline(ctx context.Context) (uint64, bool, error) {
	key, ok, err := d.look(ctx)
	return key.K1(), ok, err
}

// ProcessNext deals with one lease of the first sweep.
func (d sweepDeadlines) ProcessNext(ctx context.Context) (uint64, error) {
	key, err := d.first(ctx)
	if err != nil {
		return 0, err
	}
	sweep, err := d.k.readSweep(ctx, key)
	if err != nil {
		return 0, err
	}
	id, err := d.k.passLease(ctx, sweep)
	if err != nil || id == 0 {
		return 0, err
	}
	lease, err := d.k.getLease(ctx, id)
	if err != nil {
		return 0, err
	}
	return id, d.k.sweepLease(ctx, lease, sweep.Cause, sweep.Second)
}

// Quarantine passes over one lease of the first sweep. It goes on as it is, and so do all of a sweep of which nothing can be
// known any more: it is dropped, as item 0, since time must go on.
func (d sweepDeadlines) Quarantine(ctx context.Context) (uint64, error) {
	key, err := d.first(ctx)
	if err != nil {
		return 0, err
	}
	sweep, unknown := d.k.readSweep(ctx, key)
	if unknown != nil {
		return 0, d.k.dropUnknown(ctx, key)
	}
	return d.k.passLease(ctx, sweep)
}

// Retry deals with a lease that was quarantined, unless it has ended meanwhile. Of a sweep that was dropped nothing is left.
func (d sweepDeadlines) Retry(ctx context.Context, id uint64) error {
	if id == 0 {
		return nil
	}
	lease, err := d.k.getLease(ctx, id)
	if err != nil || !lease.State.Live() {
		return err
	}
	operator, err := d.k.operator(lease.Provider)
	if err != nil {
		return err
	}
	provider, err := d.k.provider.GetProvider(ctx, operator)
	if err != nil {
		return fmt.Errorf("read provider %s: %w", lease.Provider, err)
	}
	sweep, found := missed(provider, lease)
	if !found {
		return nil
	}
	return d.k.sweepLease(ctx, lease, sweep.Cause, sweep.Second)
}

// missed is the sweep that a lease would have been in.
func missed(provider providertypes.Provider, lease types.Lease) (types.ProviderSweep, bool) {
	for _, sweep := range []types.ProviderSweep{
		{Cause: types.SweepCause_SWEEP_CAUSE_JAILED, Second: provider.JailedAt},
		{Cause: types.SweepCause_SWEEP_CAUSE_LEAVING, Second: provider.LeavingSince},
	} {
		if sweep.Second != 0 && concerns(sweep, lease) {
			return sweep, true
		}
	}
	return types.ProviderSweep{}, false
}

// look returns the key of the first sweep, from the second that this block dealt with last: nothing is ever filed before it.
func (d sweepDeadlines) look(ctx context.Context) (pairKey, bool, error) {
	from := new(collections.Range[pairKey])
	if last, ok := escrowtypes.LastItem(ctx, types.SweepSource); ok {
		from = from.StartInclusive(collections.Join(last.Second, uint64(0)))
	}
	return escrowtypes.FirstKey(ctx, d.k.sweeps.Iterate, from)
}

// first is look when there must be one.
func (d sweepDeadlines) first(ctx context.Context) (pairKey, error) {
	key, ok, err := d.look(ctx)
	if err == nil && !ok {
		err = escrowtypes.ErrNothingDue.Wrap(types.SweepSource)
	}
	return key, err
}

// passLease moves a sweep on by one lease, whose id it returns; 0 if there is none. The sweep is over with its last lease.
func (k *Keeper) passLease(ctx context.Context, sweep types.ProviderSweep) (uint64, error) {
	provider, err := k.operator(sweep.Provider)
	if err != nil {
		return 0, err
	}
	ids, err := k.nextSwept(ctx, provider, sweep)
	if err != nil {
		return 0, err
	}
	switch len(ids) {
	case 0:
		return 0, k.dropSweep(ctx, provider, sweepKey(sweep))
	case 1:
		return ids[0], k.dropSweep(ctx, provider, sweepKey(sweep))
	default:
		sweep.Cursor = ids[0]
		return ids[0], k.setSweep(ctx, sweep)
	}
}

// nextSwept returns the ids of the next live leases of a sweep, of any state: at most two. One that cannot be read counts:
// who deals with it fails, and the sweep can pass over it.
func (k *Keeper) nextSwept(ctx context.Context, provider sdk.AccAddress, sweep types.ProviderSweep) ([]uint64, error) {
	ids, err := k.liveLeasesAfter(ctx, provider, sweep.Cursor, 2)
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		if lease, err := k.getLease(ctx, id); err == nil && lease.CreatedAt > sweep.Second { // ids rise with time
			return ids[:i], nil
		}
	}
	return ids, nil
}

// liveLeasesAfter returns the first live leases of a provider after some id.
func (k *Keeper) liveLeasesAfter(
	ctx context.Context, provider sdk.AccAddress, after uint64, limit int,
) (ids []uint64, err error) {
	iterator, err := k.providerLiveLeases.Iterate(ctx,
		collections.NewPrefixedPairRange[sdk.AccAddress, uint64](provider).StartExclusive(after))
	if err != nil {
		return nil, fmt.Errorf("walk leases of %s: %w", provider, err)
	}
	defer func() { err = errors.Join(err, iterator.Close()) }()
	for ; iterator.Valid() && len(ids) < limit; iterator.Next() {
		key, err := iterator.Key()
		if err != nil {
			return nil, fmt.Errorf("walk leases of %s: %w", provider, err)
		}
		ids = append(ids, key.K2())
	}
	return ids, nil
}

// sweepLease does to a live lease what is done to all of its provider at a second: it fails with a jailed one, and gets
// notice from one that leaves. One that was not acknowledged yet counts as declined then.
func (k *Keeper) sweepLease(ctx context.Context, lease types.Lease, cause types.SweepCause, at uint64) error {
	switch {
	case cause == types.SweepCause_SWEEP_CAUSE_JAILED:
		return k.failJailed(ctx, lease, at)
	case lease.State == types.LeaseState_LEASE_STATE_PENDING:
		return k.failPending(ctx, lease, types.Reason_REASON_DECLINED, at)
	case lease.State == types.LeaseState_LEASE_STATE_LEAVING:
		return nil
	default:
		params, err := k.Params(ctx)
		if err != nil {
			return err
		}
		return k.giveNotice(ctx, lease, types.Reason_REASON_PROVIDER_LEFT, at, at+uint64(params.NoticeSeconds))
	}
}

// beginSweep files a sweep over the leases that a provider has at a second. A provider that was jailed in the second in
// which it left fails its leases all the same.
func (k *Keeper) beginSweep(
	ctx context.Context, provider sdk.AccAddress, number, at uint64, cause types.SweepCause,
) error {
	leases, err := k.liveLeasesAfter(ctx, provider, 0, 1)
	if err != nil || len(leases) == 0 {
		return err
	}
	before, err := k.readSweep(ctx, collections.Join(at, number))
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return err
	}
	if before.Cause == types.SweepCause_SWEEP_CAUSE_JAILED {
		return nil
	}
	text, err := k.addresses.BytesToString(provider)
	if err != nil {
		return fmt.Errorf("provider of a sweep: %w", err)
	}
	return k.fileSweep(ctx, provider, types.ProviderSweep{Second: at, Number: number, Provider: text, Cause: cause})
}

// fileSweep writes a sweep with its index.
func (k *Keeper) fileSweep(ctx context.Context, provider sdk.AccAddress, sweep types.ProviderSweep) error {
	if err := k.setSweep(ctx, sweep); err != nil {
		return err
	}
	if err := k.providerSweeps.Set(ctx, collections.Join(provider, sweep.Second), sweep.Number); err != nil {
		return fmt.Errorf("index sweep of %s: %w", sweep.Provider, err)
	}
	return nil
}

func sweepKey(sweep types.ProviderSweep) pairKey { return collections.Join(sweep.Second, sweep.Number) }

func (k *Keeper) setSweep(ctx context.Context, sweep types.ProviderSweep) error {
	if err := k.sweeps.Set(ctx, sweepKey(sweep), sweep); err != nil {
		return fmt.Errorf("write sweep of %s: %w", sweep.Provider, err)
	}
	return nil
}

// dropSweep takes a sweep out of its queue and out of its index.
func (k *Keeper) dropSweep(ctx context.Context, provider sdk.AccAddress, key pairKey) error {
	err := errors.Join(
		k.sweeps.Remove(ctx, key),
		k.providerSweeps.Remove(ctx, collections.Join(provider, key.K1())),
	)
	if err != nil {
		return fmt.Errorf("drop sweep of provider %d: %w", key.K2(), err)
	}
	return nil
}
