package keeper

import (
	"context"
	"errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/market/types"
)

// SetPool declares the capacity of a pool, or creates the pool. Less than there was counts after the next clearing. Less
// than is allocated may be declared: the leases go on, and nothing is free until enough of them have ended.
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
	if err := m.requireBond(ctx, operator, func() (bool, error) { return m.declarePool(ctx, operator, msg) }); err != nil {
		return nil, err
	}
	return &types.MsgSetPoolResponse{}, emit(ctx, types.NewEventPoolSet(msg.Provider, msg.Id))
}

func (m msgServer) declarePool(ctx context.Context, operator sdk.AccAddress, msg *types.MsgSetPool) (bool, error) {
	before, err := m.getPool(ctx, operator, msg.Id)
	if err != nil && !errors.Is(err, types.ErrPoolNotFound) {
		return false, err
	}
	clearings, err := m.clearings(ctx)
	if err != nil {
		return false, err
	}
	pool := before.Declare(msg.Total, clearings)
	pool.Id, pool.LargestUnit = msg.Id, msg.LargestUnit
	return pool.Gained(before), m.setPool(ctx, operator, pool)
}

// authorize returns the operator of a provider that the signer acts for.
func (k *Keeper) authorize(ctx context.Context, signer, provider string) (sdk.AccAddress, error) {
	if _, err := k.provider.Authorize(ctx, signer, provider); err != nil {
		return nil, err
	}
	return k.operator(provider)
}
