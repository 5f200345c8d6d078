package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/provider/types"
)

// RequirementOf returns the bond that the market last asked of a provider; none if it never asked.
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

// required asks the market freshly what bond a provider must hold: what it last told may be older than the leases and
// parameters of this block.
func (k *Keeper) required(ctx context.Context, operator sdk.AccAddress) (sdk.Coins, error) {
	if k.hooks == nil {
		return k.RequirementOf(ctx, operator)
	}
	coins, err := k.hooks.Required(ctx, operator)
	if err != nil {
		return nil, fmt.Errorf("bond required of %s: %w", k.show(operator), err)
	}
	return coins, nil
}

// SetRequirement stores the bond that the market asks of a provider. Nothing is written when it has not changed. A
// provider that leaves and has nothing at stake is gone once nothing is asked of it.
func (k *Keeper) SetRequirement(ctx context.Context, operator sdk.AccAddress, coins sdk.Coins) error {
	if err := types.ValidateStoredBond(coins); err != nil {
		return err
	}
	before, err := k.RequirementOf(ctx, operator)
	if err != nil {
		return err
	}
	if !before.Equal(coins) {
		if err := k.writeRequirement(ctx, operator, coins); err != nil {
			return err
		}
	}
	if !coins.Empty() {
		return nil
	}
	return k.settleGone(ctx, operator)
}

func (k *Keeper) writeRequirement(ctx context.Context, operator sdk.AccAddress, coins sdk.Coins) error {
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
