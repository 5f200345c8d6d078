package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// readSweep returns the sweep of a key. One whose record cannot be read, or is not that of the key, is what the key and the
// provider tell; an error is what stays unknown then. collections.ErrNotFound tells that there is no record.
func (k *Keeper) readSweep(ctx context.Context, key pairKey) (types.ProviderSweep, error) {
	sweep, broken := k.sweeps.Get(ctx, key)
	if broken == nil {
		broken = k.checkSweep(key, sweep)
	}
	if broken == nil {
		return sweep, nil
	}
	if errors.Is(broken, collections.ErrNotFound) {
		return types.ProviderSweep{}, fmt.Errorf("read sweep of provider %d: %w", key.K2(), broken)
	}
	sweep, err := k.mendedSweep(ctx, key)
	if err != nil {
		return types.ProviderSweep{}, fmt.Errorf("mend sweep of provider %d: %w; it was %w", key.K2(), err, broken)
	}
	k.logger(ctx).Error("sweep mended", "provider", sweep.Provider, "second", sweep.Second, "cause", sweep.Cause, "err", broken)
	return sweep, nil
}

// checkSweep refuses a record that nobody has filed under its key.
func (k *Keeper) checkSweep(key pairKey, sweep types.ProviderSweep) error {
	if sweep.Second != key.K1() || sweep.Number != key.K2() {
		return types.ErrBroken.Wrapf("sweep of provider %d at %d is filed as that of %d at %d", sweep.Number, sweep.Second,
			key.K2(), key.K1())
	}
	if sweep.Cause != types.SweepCause_SWEEP_CAUSE_JAILED && sweep.Cause != types.SweepCause_SWEEP_CAUSE_LEAVING {
		return types.ErrBroken.Wrapf("sweep of provider %d: cause %d", sweep.Number, sweep.Cause)
	}
	_, err := k.operator(sweep.Provider)
	return err
}

// mendedSweep is the sweep of a key as it was filed. It has no cursor: leases that it has dealt with have ended, or have their
// notice, and those in quarantine are tried again.
func (k *Keeper) mendedSweep(ctx context.Context, key pairKey) (types.ProviderSweep, error) {
	operator, err := k.provider.ProviderByNumber(ctx, key.K2())
	if err != nil {
		return types.ProviderSweep{}, err
	}
	provider, err := k.provider.GetProvider(ctx, operator)
	if err != nil {
		return types.ProviderSweep{}, err
	}
	cause := causeAt(provider, key.K1())
	if cause == types.SweepCause_SWEEP_CAUSE_UNSPECIFIED {
		return types.ProviderSweep{}, types.ErrBroken.Wrapf("nothing befell %s at %d", provider.Operator, key.K1())
	}
	return types.ProviderSweep{Second: key.K1(), Number: key.K2(), Provider: provider.Operator, Cause: cause}, nil
}

// causeAt tells why a provider's leases were swept at a second. It remembers its last jailing only; one before that is the
// cause when it did not leave then.
func causeAt(provider providertypes.Provider, second uint64) types.SweepCause {
	switch {
	case provider.JailedAt == second:
		return types.SweepCause_SWEEP_CAUSE_JAILED
	case provider.LeavingSince == second:
		return types.SweepCause_SWEEP_CAUSE_LEAVING
	case provider.JailedAt > second:
		return types.SweepCause_SWEEP_CAUSE_JAILED
	default:
		return types.SweepCause_SWEEP_CAUSE_UNSPECIFIED
	}
}

// dropUnknown drops a sweep that cannot be mended. Whoever its provider is, its index entry says nothing without it.
func (k *Keeper) dropUnknown(ctx context.Context, key pairKey) error {
	if operator, err := k.provider.ProviderByNumber(ctx, key.K2()); err == nil {
		return k.dropSweep(ctx, operator, key)
	}
	if err := k.sweeps.Remove(ctx, key); err != nil {
		return fmt.Errorf("drop sweep of provider %d: %w", key.K2(), err)
	}
	return nil
}
