package keeper

import (
	"context"
	"errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/market/types"
)

// SetPool declares the capacity of a pool, or creates the pool. Less than is allocated may be declared: the leases go
// on, and nothing is free until enough of them have ended.
func (m msgServer) SetPool(ctx context.Context, msg *types.MsgSetPool) (*types.MsgSetPoolResponse, error) {
	// 1. The message is well-formed.
	if err := msg.Validate(m.addresses); err != nil {
		return nil, err
	}
	// 2. The signer acts for the provider.
	operator, err := m.authorize(ctx, msg.Signer, msg.Provider)
	if err != nil {
		return nil, err
	}
	// 3. The pool is written, if the bond covers its free capacity.
	if err := m.requireBond(ctx, operator, func() error { return m.declarePool(ctx, operator, msg) }); err != nil {
		return nil, err
	}
	return &types.MsgSetPoolResponse{}, emit(ctx, types.NewEventPoolSet(msg.Provider, msg.Id))
}

func (m msgServer) declarePool(ctx context.Context, operator sdk.AccAddress, msg *types.MsgSetPool) error {
	pool, err := m.getPool(ctx, operator, msg.Id)
	if err != nil && !errors.Is(err, types.ErrPoolNotFound) {
		return err
	}
	pool.Id, pool.Total, pool.LargestUnit = msg.Id, msg.Total, msg.LargestUnit
	return m.setPool(ctx, operator, pool)
}

// authorize returns the operator of a provider that the signer acts for.
func (k *Keeper) authorize(ctx context.Context, signer, provider string) (sdk.AccAddress, error) {
	if _, err := k.provider.Authorize(ctx, signer, provider); err != nil {
		return nil, err
	}
	return k.operator(provider)
}
