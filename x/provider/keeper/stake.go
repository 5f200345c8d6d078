package keeper

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/provider/types"
)

// BondOf returns the bond of a provider, without what is unbonding.
func (k *Keeper) BondOf(ctx context.Context, operator sdk.AccAddress) (sdk.Coins, error) {
	provider, err := k.readProvider(ctx, operator)
	if err != nil {
		return nil, err
	}
	return provider.Bond, nil
}

// AtStake returns all that a provider can lose at present: its bond, and what is unbonding and not due yet.
func (k *Keeper) AtStake(ctx context.Context, operator sdk.AccAddress) (sdk.Coins, error) {
	provider, err := k.readProvider(ctx, operator)
	if err != nil {
		return nil, err
	}
	unbondings, err := k.slashable(ctx, operator)
	if err != nil {
		return nil, err
	}
	sum := provider.Bond
	for _, u := range unbondings {
		sum = sum.Add(u.Amount)
	}
	return sum, nil
}

// slashable returns the unbondings of a provider that are not due yet, the newest first. One that is due belongs to the
// operator, whether or not it has been paid: what a slash takes must not depend on when a block gets to it.
func (k *Keeper) slashable(ctx context.Context, operator sdk.AccAddress) ([]types.Unbonding, error) {
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}
	unbondings, err := k.unbondingsSince(ctx, operator, now+1, types.MaxUnbondings)
	if err != nil {
		return nil, err
	}
	slices.Reverse(unbondings)
	return unbondings, nil
}

// unbondingsSince returns the unbondings of a provider that return at a second or later, by id, at most limit: those that
// return first.
func (k *Keeper) unbondingsSince(
	ctx context.Context, operator sdk.AccAddress, second uint64, limit int,
) ([]types.Unbonding, error) {
	keys, err := k.unbondingsFrom(ctx, operator, second, limit)
	if err != nil {
		return nil, err
	}
	unbondings := make([]types.Unbonding, len(keys))
	for i, key := range keys {
		if unbondings[i], err = k.readUnbonding(ctx, key.K3()); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(unbondings, func(a, b types.Unbonding) int { return cmp.Compare(a.Id, b.Id) })
	return unbondings, nil
}

// unbondingsFrom returns the keys of the unbondings of a provider that return at a second or later, at most limit.
func (k *Keeper) unbondingsFrom(
	ctx context.Context, operator sdk.AccAddress, second uint64, limit int,
) (keys []unbondingKey, err error) {
	within := new(collections.Range[unbondingKey]).
		StartInclusive(collections.Join3(operator, second, uint64(0))).
		EndInclusive(collections.Join3(operator, uint64(math.MaxUint64), uint64(math.MaxUint64)))
	err = k.unbondingsOf.Walk(ctx, within, func(key unbondingKey) (bool, error) {
		keys = append(keys, key)
		return len(keys) >= limit, nil
	})
	if err != nil {
		return nil, fmt.Errorf("walk unbondings of %s: %w", k.show(operator), err)
	}
	return keys, nil
}
