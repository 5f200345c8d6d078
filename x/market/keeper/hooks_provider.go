package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// AfterJailed notes that a provider serves no longer.
func (h ProviderHooks) AfterJailed(ctx context.Context, operator sdk.AccAddress, _, _ uint64) error {
	return h.k.unsettle(ctx, operator)
}

// AfterUnjailed notes that a provider may take leases again.
func (h ProviderHooks) AfterUnjailed(ctx context.Context, operator sdk.AccAddress) error {
	return h.k.gain(ctx, operator)
}

// AfterLeaving notes that a provider takes no more leases.
func (h ProviderHooks) AfterLeaving(ctx context.Context, operator sdk.AccAddress, _, _ uint64) error {
	return h.k.unsettle(ctx, operator)
}

// AfterAttested notes that other bids may take a provider than before.
func (h ProviderHooks) AfterAttested(ctx context.Context, operator sdk.AccAddress) error {
	return h.k.gain(ctx, operator)
}

// Required returns the bond that a provider must hold at present.
func (h ProviderHooks) Required(ctx context.Context, operator sdk.AccAddress) (sdk.Coins, error) {
	return h.k.requirement(ctx, operator)
}
