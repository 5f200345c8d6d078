package keeper

import (
	"context"
	"fmt"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/provider/types"
)

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
