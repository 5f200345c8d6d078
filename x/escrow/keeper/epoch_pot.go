package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/escrow/types"
)

// EpochPot returns what a payee earned in a closed epoch; if the sweep has not come to it yet, it is rolled first. It is
// ErrEpochPot when the epoch is not closed, nothing was earned in it, or it was withdrawn.
func (k *Keeper) EpochPot(ctx context.Context, payee sdk.AccAddress, denom string, epoch uint64) (types.EpochPot, error) {
	if err := sdk.ValidateDenom(denom); err != nil {
		return types.EpochPot{}, types.ErrDenom.Wrap(err.Error())
	}
	pot, found, err := k.storedEpochPot(ctx, payee, denom, epoch)
	if err != nil || found {
		return pot, err
	}
	if err := k.rollOut(ctx, payee, denom, epoch); err != nil {
		return types.EpochPot{}, err
	}
	pot, found, err = k.storedEpochPot(ctx, payee, denom, epoch)
	if err == nil && !found {
		err = types.ErrEpochPot.Wrapf("no pot in %s for epoch %d", denom, epoch)
	}
	return pot, err
}

// storedEpochPot returns an epoch pot if there is one.
func (k *Keeper) storedEpochPot(
	ctx context.Context, payee sdk.AccAddress, denom string, epoch uint64,
) (pot types.EpochPot, found bool, err error) {
	key := collections.Join3(payee, denom, epoch)
	pot, err = k.epochPots.Get(ctx, key)
	if errors.Is(err, collections.ErrNotFound) {
		return types.EpochPot{}, false, nil
	}
	if err != nil {
		return types.EpochPot{}, false, fmt.Errorf("read epoch pot %d in %s: %w", epoch, denom, err)
	}
	pot, err = k.unpackEpochPot(key, pot)
	return pot, true, err
}

// rollOut rolls a pot that still lies in a closed epoch; nothing is done to any other.
func (k *Keeper) rollOut(ctx context.Context, payee sdk.AccAddress, denom string, epoch uint64) error {
	pot, err := k.pot(ctx, payee, denom)
	if errors.Is(err, collections.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	clock, err := k.Clock(ctx)
	if err != nil {
		return err
	}
	if pot.Epoch != epoch || epoch >= clock.Epoch || inflowOf(pot).Idle() {
		return nil
	}
	if pot, err = k.roll(ctx, clock, payee, pot); err != nil {
		return err
	}
	return k.writePot(ctx, payee, pot)
}

// unmatured returns an epoch pot of which something can still be refunded or forfeited.
func (k *Keeper) unmatured(
	ctx context.Context, payee sdk.AccAddress, denom string, epoch uint64,
) (types.EpochPot, error) {
	pot, err := k.EpochPot(ctx, payee, denom, epoch)
	if err != nil {
		return types.EpochPot{}, err
	}
	now, err := k.Now(ctx)
	if err != nil {
		return types.EpochPot{}, err
	}
	if pot.MaturesAt <= now {
		return types.EpochPot{}, types.ErrEpochPot.Wrapf("pot in %s for epoch %d has matured at second %d", denom, epoch, pot.MaturesAt)
	}
	return pot, nil
}
