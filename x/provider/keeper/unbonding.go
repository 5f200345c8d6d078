package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/provider/types"
)

// startUnbonding files an amount that returns to the operator when unbonding_seconds have passed.
func (k *Keeper) startUnbonding(ctx context.Context, operator sdk.AccAddress, amount sdk.Coin) (types.Unbonding, error) {
	underWay, err := k.slashable(ctx, operator)
	if err != nil {
		return types.Unbonding{}, err
	}
	if len(underWay) >= types.MaxUnbondings {
		return types.Unbonding{}, types.ErrTooManyUnbondings.Wrapf("%d are under way; the next one may start at second %d",
			len(underWay), types.FirstToReturn(underWay))
	}
	params, err := k.GetParams(ctx)
	if err != nil {
		return types.Unbonding{}, err
	}
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return types.Unbonding{}, err
	}
	id, err := k.nextUnbonding.Next(ctx)
	if err != nil {
		return types.Unbonding{}, fmt.Errorf("number an unbonding: %w", err)
	}
	unbonding := types.Unbonding{
		Id: id, Provider: k.show(operator), Amount: amount, CompletesAt: now + uint64(params.UnbondingSeconds),
	}
	if err := k.fileUnbonding(ctx, operator, unbonding); err != nil {
		return types.Unbonding{}, err
	}
	return unbonding, emit(ctx, types.NewEventUnbonding(unbonding))
}

func (k *Keeper) readUnbonding(ctx context.Context, id uint64) (types.Unbonding, error) {
	unbonding, err := k.unbondings.Get(ctx, id)
	if err != nil {
		return types.Unbonding{}, fmt.Errorf("read unbonding %d: %w", id, err)
	}
	return unbonding, nil
}

// fileUnbonding writes an unbonding, the index by provider, and the queue.
func (k *Keeper) fileUnbonding(ctx context.Context, operator sdk.AccAddress, u types.Unbonding) error {
	err := k.unbondings.Set(ctx, u.Id, u)
	if err == nil {
		err = k.unbondingsOf.Set(ctx, collections.Join3(operator, u.CompletesAt, u.Id))
	}
	if err == nil {
		err = k.unbondingQueue.Set(ctx, collections.Join(u.CompletesAt, u.Id))
	}
	if err != nil {
		return fmt.Errorf("file unbonding %d of %s: %w", u.Id, u.Provider, err)
	}
	return nil
}

// dropUnbonding takes an unbonding out of everything in which fileUnbonding put it.
func (k *Keeper) dropUnbonding(ctx context.Context, operator sdk.AccAddress, u types.Unbonding) error {
	err := k.unbondings.Remove(ctx, u.Id)
	if err == nil {
		err = k.unbondingsOf.Remove(ctx, collections.Join3(operator, u.CompletesAt, u.Id))
	}
	if err == nil {
		err = k.unbondingQueue.Remove(ctx, collections.Join(u.CompletesAt, u.Id))
	}
	if err != nil {
		return fmt.Errorf("drop unbonding %d of %s: %w", u.Id, u.Provider, err)
	}
	return nil
}

// returnBond pays an unbonding to its operator: what slashes have left of it. One that is not there any more was slashed
// or paid before.
func (k *Keeper) returnBond(ctx context.Context, id uint64) error {
	u, err := k.unbondings.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read unbonding %d: %w", id, err)
	}
	operator, err := k.address(u.Provider)
	if err != nil {
		return err
	}
	if err := k.dropUnbonding(ctx, operator, u); err != nil {
		return err
	}
	if err := k.bank.SendCoinsFromModuleToAccount(ctx, types.ModuleName, operator, sdk.NewCoins(u.Amount)); err != nil {
		return fmt.Errorf("return %s to %s: %w", u.Amount, u.Provider, err)
	}
	if err := emit(ctx, types.NewEventUnbonded(u)); err != nil {
		return err
	}
	return k.settleGone(ctx, operator)
}
