package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/proof/types"
)

// fileForced writes a request for a leaf with its indexes, its deadline and the sum of bonds. The bond is paid by the caller.
func (k *Keeper) fileForced(ctx context.Context, provider sdk.AccAddress, forced types.Forced) error {
	err := errors.Join(
		k.forced.Set(ctx, forced.Id, forced),
		k.forcedOf.Set(ctx, collections.Join3(provider, forced.Epoch, forced.Id)),
		k.forcedFor.Set(ctx, collections.Join(forced.Lease, forced.Epoch), forced.Id),
		k.forcedQueue.Set(ctx, collections.Join(forced.AnswerBy, forced.Id)),
		k.addBond(ctx, forced.Bond.Denom, forced.Bond.Amount),
	)
	if err != nil {
		return fmt.Errorf("write forced opening %d: %w", forced.Id, err)
	}
	return nil
}

// dropForced removes a request with all that fileForced wrote. The bond is paid out by the caller.
func (k *Keeper) dropForced(ctx context.Context, provider sdk.AccAddress, forced types.Forced) error {
	err := errors.Join(
		k.forced.Remove(ctx, forced.Id),
		k.forcedOf.Remove(ctx, collections.Join3(provider, forced.Epoch, forced.Id)),
		k.forcedFor.Remove(ctx, collections.Join(forced.Lease, forced.Epoch)),
		k.forcedQueue.Remove(ctx, collections.Join(forced.AnswerBy, forced.Id)),
		k.addBond(ctx, forced.Bond.Denom, forced.Bond.Amount.Neg()),
	)
	if err != nil {
		return fmt.Errorf("forget forced opening %d: %w", forced.Id, err)
	}
	return nil
}

// addBond changes the sum of bonds that the module holds in a denom.
func (k *Keeper) addBond(ctx context.Context, denom string, amount math.Int) error {
	sum, err := k.bonds(ctx, denom)
	if err != nil {
		return err
	}
	if sum = sum.Add(amount); sum.IsZero() {
		return k.forcedBonds.Remove(ctx, denom)
	}
	return k.forcedBonds.Set(ctx, denom, sum)
}

// bonds returns the sum of bonds that the module holds in a denom.
func (k *Keeper) bonds(ctx context.Context, denom string) (math.Int, error) {
	sum, err := k.forcedBonds.Get(ctx, denom)
	if errors.Is(err, collections.ErrNotFound) {
		return math.ZeroInt(), nil
	}
	if err != nil {
		return math.Int{}, fmt.Errorf("read bonds in %s: %w", denom, err)
	}
	return sum, nil
}
