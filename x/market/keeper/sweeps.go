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

// SweepDeadlines is the queue of providers that were jailed, or leave. An item is one of their leases.
func (k *Keeper) SweepDeadlines() escrowtypes.DeadlineSource { return sweepDeadlines{k} }

type sweepDeadlines struct{ k *Keeper }

// Name of the source.
func (sweepDeadlines) Name() string { return types.SweepSource }

// NextDeadline returns the second of the first sweep.
func (d sweepDeadlines) NextDeadline(ctx context.Context) (uint64, bool, error) {
	key, ok, err := d.first(ctx)
	return key.K1(), ok, err
}

// ProcessNext deals with one lease of the first sweep.
func (d sweepDeadlines) ProcessNext(ctx context.Context) (uint64, error) {
	sweep, id, err := d.step(ctx)
	if err != nil || id == 0 {
		return 0, err
	}
	lease, err := d.k.getLease(ctx, id)
	if err != nil {
		return 0, err
	}
	return id, d.k.sweepLease(ctx, lease, sweep.Cause, sweep.Second)
}

// Quarantine passes over one lease of the first sweep. It goes on as it is.
func (d sweepDeadlines) Quarantine(ctx context.Context) (uint64, error) {
	_, id, err := d.step(ctx)
	return id, err
}

// Retry deals with a lease that was quarantined, unless it has ended meanwhile.
func (d sweepDeadlines) Retry(ctx context.Context, id uint64) error {
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

// first returns the key of the first sweep. It looks from the second that this block dealt with last: nothing is ever
// filed before it.
func (d sweepDeadlines) first(ctx context.Context) (key pairKey, ok bool, err error) {
	from := new(collections.Range[pairKey])
	if last, ok := escrowtypes.LastItem(ctx, types.SweepSource); ok {
		from = from.StartInclusive(collections.Join(last.Second, uint64(0)))
	}
	iterator, err := d.k.sweeps.Iterate(ctx, from)
	if err != nil {
		return pairKey{}, false, fmt.Errorf("look for the first sweep: %w", err)
	}
	defer func() { err = errors.Join(err, iterator.Close()) }()
	if !iterator.Valid() {
		return pairKey{}, false, nil
	}
	key, err = iterator.Key()
	if err != nil {
		return pairKey{}, false, fmt.Errorf("read the first sweep: %w", err)
	}
	return key, true, nil
}

// step moves the first sweep on by one lease, whose id it returns; 0 if there is none. The sweep is over with its last
// lease.
func (d sweepDeadlines) step(ctx context.Context) (sweep types.ProviderSweep, lease uint64, err error) {
	key, ok, err := d.first(ctx)
	if err != nil {
		return types.ProviderSweep{}, 0, err
	}
	if !ok {
		return types.ProviderSweep{}, 0, types.ErrBroken.Wrap("no sweep is due")
	}
	if sweep, err = d.k.getSweep(ctx, key); err != nil {
		return types.ProviderSweep{}, 0, err
	}
	if lease, err = d.k.nextSwept(ctx, sweep); err != nil {
		return types.ProviderSweep{}, 0, err
	}
	if lease == 0 {
		return sweep, 0, d.k.dropSweep(ctx, sweep)
	}
	sweep.Cursor = lease
	next, err := d.k.nextSwept(ctx, sweep)
	if err != nil {
		return types.ProviderSweep{}, 0, err
	}
	if next == 0 {
		return sweep, lease, d.k.dropSweep(ctx, sweep)
	}
	return sweep, lease, d.k.setSweep(ctx, sweep)
}

// nextSwept returns the id of the next live lease of a sweep, of any state; 0 when none is left. One that cannot be read
// counts: who deals with it fails, and the sweep can pass over it.
func (k *Keeper) nextSwept(ctx context.Context, sweep types.ProviderSweep) (uint64, error) {
	provider, err := k.operator(sweep.Provider)
	if err != nil {
		return 0, err
	}
	id, found, err := k.nextLiveLease(ctx, provider, sweep.Cursor)
	if err != nil || !found {
		return 0, err
	}
	if lease, err := k.getLease(ctx, id); err == nil && lease.CreatedAt > sweep.Second { // ids rise with time
		return 0, nil
	}
	return id, nil
}

// nextLiveLease returns the first live lease of a provider after some id.
func (k *Keeper) nextLiveLease(ctx context.Context, provider sdk.AccAddress, after uint64) (id uint64, found bool, err error) {
	iterator, err := k.providerLiveLeases.Iterate(ctx,
		collections.NewPrefixedPairRange[sdk.AccAddress, uint64](provider).StartExclusive(after))
	if err != nil {
		return 0, false, fmt.Errorf("walk leases of %s: %w", provider, err)
	}
	defer func() { err = errors.Join(err, iterator.Close()) }()
	if !iterator.Valid() {
		return 0, false, nil
	}
	key, err := iterator.Key()
	if err != nil {
		return 0, false, fmt.Errorf("walk leases of %s: %w", provider, err)
	}
	return key.K2(), true, nil
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
	_, found, err := k.nextLiveLease(ctx, provider, 0)
	if err != nil || !found {
		return err
	}
	before, err := k.sweeps.Get(ctx, collections.Join(at, number))
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return fmt.Errorf("read sweep of provider %d: %w", number, err)
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

func (k *Keeper) getSweep(ctx context.Context, key pairKey) (types.ProviderSweep, error) {
	sweep, err := k.sweeps.Get(ctx, key)
	if err != nil {
		return types.ProviderSweep{}, fmt.Errorf("read sweep of provider %d: %w", key.K2(), err)
	}
	return sweep, nil
}

func (k *Keeper) setSweep(ctx context.Context, sweep types.ProviderSweep) error {
	if err := k.sweeps.Set(ctx, collections.Join(sweep.Second, sweep.Number), sweep); err != nil {
		return fmt.Errorf("write sweep of %s: %w", sweep.Provider, err)
	}
	return nil
}

func (k *Keeper) dropSweep(ctx context.Context, sweep types.ProviderSweep) error {
	provider, err := k.operator(sweep.Provider)
	if err != nil {
		return err
	}
	err = errors.Join(
		k.sweeps.Remove(ctx, collections.Join(sweep.Second, sweep.Number)),
		k.providerSweeps.Remove(ctx, collections.Join(provider, sweep.Second)),
	)
	if err != nil {
		return fmt.Errorf("drop sweep of %s: %w", sweep.Provider, err)
	}
	return nil
}
