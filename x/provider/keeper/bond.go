package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/provider/types"
)

// BondOf returns what a provider has at stake.
func (k *Keeper) BondOf(ctx context.Context, operator sdk.AccAddress) (sdk.Coins, error) {
	provider, err := k.GetProvider(ctx, operator)
	if err != nil {
		return nil, err
	}
	return provider.Bond, nil
}

// RequirementOf returns the bond that the market asks of a provider; none if it never asked.
func (k *Keeper) RequirementOf(ctx context.Context, operator sdk.AccAddress) (sdk.Coins, error) {
	requirement, err := k.requirements.Get(ctx, operator)
	if errors.Is(err, collections.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read requirement of %s: %w", k.show(operator), err)
	}
	return requirement.Coins, nil
}

// SetRequirement stores the bond that the market asks of a provider. Nothing is written when it has not changed.
func (k *Keeper) SetRequirement(ctx context.Context, operator sdk.AccAddress, coins sdk.Coins) error {
	if err := types.ValidateStoredBond(coins); err != nil {
		return err
	}
	before, err := k.RequirementOf(ctx, operator)
	if err != nil {
		return err
	}
	if before.Equal(coins) {
		return nil
	}
	if coins.Empty() {
		if err := k.requirements.Remove(ctx, operator); err != nil {
			return fmt.Errorf("drop requirement of %s: %w", k.show(operator), err)
		}
		return nil
	}
	text, err := k.addresses.BytesToString(operator)
	if err != nil {
		return types.ErrInvalidAddress.Wrap(err.Error())
	}
	if err := k.requirements.Set(ctx, operator, types.Requirement{Provider: text, Coins: coins}); err != nil {
		return fmt.Errorf("write requirement of %s: %w", text, err)
	}
	return nil
}

// addBond moves coins from the operator to the module, and returns the provider with the greater bond, not yet written.
func (k *Keeper) addBond(
	ctx context.Context, operator sdk.AccAddress, provider types.Provider, coins sdk.Coins,
) (types.Provider, error) {
	if err := types.ValidateBond(coins); err != nil {
		return types.Provider{}, err
	}
	for _, coin := range coins {
		ok, err := k.escrow.IsSettlementDenom(ctx, coin.Denom)
		if err != nil {
			return types.Provider{}, err
		}
		if !ok {
			return types.Provider{}, types.ErrInvalidBond.Wrapf("%q is not a settlement currency", coin.Denom)
		}
	}
	provider.Bond = provider.Bond.Add(coins...)
	if err := types.ValidateStoredBond(provider.Bond); err != nil {
		return types.Provider{}, err
	}
	if coins.Empty() {
		return provider, nil
	}
	if err := k.bank.SendCoinsFromAccountToModule(ctx, operator, types.ModuleName, coins); err != nil {
		return types.Provider{}, fmt.Errorf("bond %s of %s: %w", coins, provider.Operator, err)
	}
	return provider, emit(ctx, types.NewEventBonded(provider.Operator, coins))
}

// SlashToAccount takes an amount from a provider's bond, or all that is left of it in that denom, and gives it to the
// tenant of an escrow account. It returns what was taken, which may be zero.
func (k *Keeper) SlashToAccount(
	ctx context.Context, operator sdk.AccAddress, amount sdk.Coin, account uint64, reason string,
) (sdk.Coin, error) {
	return k.slash(ctx, operator, amount, reason, func(slashed sdk.Coin) error {
		return k.escrow.AddFunds(ctx, account, slashed, types.ModuleName)
	})
}

// SlashToPublic takes an amount from a provider's bond, or all that is left of it in that denom, burns half of it and
// gives half to the community pool; coins of other chains all go to the pool. It returns what was taken, which may be
// zero.
func (k *Keeper) SlashToPublic(
	ctx context.Context, operator sdk.AccAddress, amount sdk.Coin, reason string,
) (sdk.Coin, error) {
	return k.slash(ctx, operator, amount, reason, func(slashed sdk.Coin) error { return k.burnHalf(ctx, slashed) })
}

func (k *Keeper) slash(
	ctx context.Context, operator sdk.AccAddress, amount sdk.Coin, reason string, give func(sdk.Coin) error,
) (sdk.Coin, error) {
	if amount.Amount.IsNil() || amount.IsNegative() {
		return sdk.Coin{}, types.ErrInvalidBond.Wrap("slash a negative amount")
	}
	provider, err := k.GetProvider(ctx, operator)
	if err != nil {
		return sdk.Coin{}, err
	}
	slashed := sdk.Coin{Denom: amount.Denom, Amount: math.MinInt(amount.Amount, provider.Bond.AmountOf(amount.Denom))}
	if slashed.IsZero() {
		return slashed, nil
	}
	provider.Bond = provider.Bond.Sub(slashed)
	if err := k.writeProvider(ctx, operator, provider); err != nil {
		return sdk.Coin{}, err
	}
	if err := give(slashed); err != nil {
		return sdk.Coin{}, fmt.Errorf("slash %s of %s: %w", slashed, provider.Operator, err)
	}
	return slashed, emit(ctx, types.NewEventSlashed(provider.Operator, slashed, reason))
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

// CheckConservation checks that the module's account holds all bonds. It walks all providers: for tests and imports.
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
	return sum, nil
}
