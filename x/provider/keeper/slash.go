package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/provider/types"
)

// SlashToAccount takes an amount of what a provider has at stake, or all that is left of it in that denom, and gives it to the
// tenant of an escrow account. It returns what was taken, which may be zero.
func (k *Keeper) SlashToAccount(
	ctx context.Context, operator sdk.AccAddress, amount sdk.Coin, account uint64, reason string,
) (sdk.Coin, error) {
	return k.slash(ctx, operator, amount, reason, func(slashed sdk.Coin) error {
		return k.escrow.AddFunds(ctx, account, slashed, types.ModuleName)
	})
}

// SlashToPublic takes an amount of what a provider has at stake, or all that is left of it in that denom, burns half of it and
// gives half to the community pool; coins of other chains all go to the pool. It returns what was taken, which may be
// zero.
func (k *Keeper) SlashToPublic(
	ctx context.Context, operator sdk.AccAddress, amount sdk.Coin, reason string,
) (sdk.Coin, error) {
	return k.slash(ctx, operator, amount, reason, func(slashed sdk.Coin) error { return k.burnHalf(ctx, slashed) })
}

// slash takes from the bond first, then from what is unbonding, the newest first: unbonding saves nothing.
func (k *Keeper) slash(
	ctx context.Context, operator sdk.AccAddress, amount sdk.Coin, reason string, give func(sdk.Coin) error,
) (sdk.Coin, error) {
	if amount.Amount.IsNil() || amount.IsNegative() {
		return sdk.Coin{}, types.ErrInvalidBond.Wrap("slash a negative amount")
	}
	provider, err := k.readProvider(ctx, operator)
	if err != nil {
		return sdk.Coin{}, err
	}
	slashed, err := k.slashBond(ctx, operator, provider, amount)
	if err != nil {
		return sdk.Coin{}, err
	}
	if slashed.IsLT(amount) {
		further, err := k.slashUnbondings(ctx, operator, amount.Sub(slashed))
		if err != nil {
			return sdk.Coin{}, err
		}
		slashed = slashed.Add(further)
	}
	if slashed.IsZero() {
		return slashed, nil
	}
	if err := give(slashed); err != nil {
		return sdk.Coin{}, fmt.Errorf("slash %s of %s: %w", slashed, provider.Operator, err)
	}
	if err := emit(ctx, types.NewEventSlashed(provider.Operator, slashed, reason)); err != nil {
		return sdk.Coin{}, err
	}
	if provider.Lifecycle != types.Lifecycle_LIFECYCLE_LEAVING {
		return slashed, nil
	}
	return slashed, k.settleGone(ctx, operator)
}

// slashBond takes an amount from the bond, or all of it, and returns what it took.
func (k *Keeper) slashBond(
	ctx context.Context, operator sdk.AccAddress, provider types.Provider, amount sdk.Coin,
) (sdk.Coin, error) {
	slashed := sdk.Coin{Denom: amount.Denom, Amount: math.MinInt(amount.Amount, provider.Bond.AmountOf(amount.Denom))}
	if slashed.IsZero() {
		return slashed, nil
	}
	provider.Bond = provider.Bond.Sub(slashed)
	return slashed, k.writeProvider(ctx, operator, provider)
}

// slashUnbondings takes an amount from the unbondings that are not due yet, or all that is there, and returns what it
// took. An unbonding of which nothing is left is dropped.
func (k *Keeper) slashUnbondings(ctx context.Context, operator sdk.AccAddress, amount sdk.Coin) (sdk.Coin, error) {
	unbondings, err := k.slashable(ctx, operator)
	if err != nil {
		return sdk.Coin{}, err
	}
	slashed := sdk.NewCoin(amount.Denom, math.ZeroInt())
	for _, u := range unbondings {
		if u.Amount.Denom != amount.Denom || slashed.Equal(amount) {
			continue
		}
		part := sdk.Coin{Denom: amount.Denom, Amount: math.MinInt(u.Amount.Amount, amount.Amount.Sub(slashed.Amount))}
		slashed, u.Amount = slashed.Add(part), u.Amount.Sub(part)
		if u.Amount.IsZero() {
			err = k.dropUnbonding(ctx, operator, u)
		} else {
			err = k.unbondings.Set(ctx, u.Id, u)
		}
		if err != nil {
			return sdk.Coin{}, fmt.Errorf("slash unbonding %d: %w", u.Id, err)
		}
	}
	return slashed, nil
}

// burnHalf burns half of native coins. Of an odd amount the community pool gets the larger half.
func (k *Keeper) burnHalf(ctx context.Context, slashed sdk.Coin) error {
	burnt := sdk.NewCoin(slashed.Denom, math.ZeroInt())
	if slashed.Denom == types.NativeDenom {
		burnt.Amount = slashed.Amount.QuoRaw(2)
	}
	if burnt.IsPositive() {
		if err := k.bank.BurnCoins(ctx, types.ModuleName, sdk.NewCoins(burnt)); err != nil {
			return fmt.Errorf("burn %s: %w", burnt, err)
		}
	}
	rest := sdk.NewCoins(slashed.Sub(burnt))
	return k.communityPool.FundCommunityPool(ctx, rest, k.auth.GetModuleAddress(types.ModuleName))
}
