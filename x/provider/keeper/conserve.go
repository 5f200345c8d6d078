package keeper

import (
	"context"
	"fmt"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/provider/types"
)

// CheckConservation checks that the module's account holds all bonds and all that is unbonding. It walks the whole state:
// for tests and imports.
func (k *Keeper) CheckConservation(ctx context.Context) error {
	bonds, err := k.sumBonds(ctx)
	if err != nil {
		return err
	}
	held := k.bank.GetAllBalances(ctx, k.auth.GetModuleAddress(types.ModuleName))
	if !held.IsAllGTE(bonds) {
		return types.ErrBroken.Wrapf("the bank has %s, the bonds are %s", held, bonds)
	}
	return nil
}

// AssertInvariants is CheckConservation for states into which nobody forced coins: both must be equal.
func (k *Keeper) AssertInvariants(ctx context.Context) error {
	bonds, err := k.sumBonds(ctx)
	if err != nil {
		return err
	}
	held := k.bank.GetAllBalances(ctx, k.auth.GetModuleAddress(types.ModuleName))
	if !held.Equal(bonds) {
		return types.ErrBroken.Wrapf("the bank has %s, the bonds are %s", held, bonds)
	}
	return nil
}

// sumBonds adds up all bonds and all that is unbonding.
func (k *Keeper) sumBonds(ctx context.Context) (sdk.Coins, error) {
	var sum sdk.Coins
	err := k.providers.Walk(ctx, nil, func(_ sdk.AccAddress, provider types.Provider) (bool, error) {
		if err := types.ValidateStoredBond(provider.Bond); err != nil {
			return true, fmt.Errorf("bond of %s: %w", provider.Operator, err)
		}
		sum = sum.Add(provider.Bond...)
		return false, nil
	})
	if err != nil {
		return nil, fmt.Errorf("sum up bonds: %w", err)
	}
	err = k.unbondings.Walk(ctx, nil, func(id uint64, unbonding types.Unbonding) (bool, error) {
		if err := types.ValidateStoredBond(sdk.Coins{unbonding.Amount}); err != nil {
			return true, fmt.Errorf("unbonding %d: %w", id, err)
		}
		sum = sum.Add(unbonding.Amount)
		return false, nil
	})
	if err != nil {
		return nil, fmt.Errorf("sum up unbondings: %w", err)
	}
	return sum, nil
}
