package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/provider/types"
)

// Poison writes a provider as no message could.
func (k *Keeper) Poison(ctx context.Context, operator sdk.AccAddress, provider types.Provider) error {
	return k.writeProvider(ctx, operator, provider)
}
