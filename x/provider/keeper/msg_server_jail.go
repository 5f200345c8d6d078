package keeper

import (
	"context"

	"github.com/souk-network/souk/x/provider/types"
)

// Jail ends all leases of a provider; governance only.
func (m msgServer) Jail(ctx context.Context, msg *types.MsgJail) (*types.MsgJailResponse, error) {
	if err := m.checkAuthority(msg.Authority); err != nil {
		return nil, err
	}
	operator, err := m.address(msg.Provider)
	if err != nil {
		return nil, err
	}
	if err := m.Keeper.Jail(ctx, operator, msg.Seconds, msg.SlashBps, msg.Reason); err != nil {
		return nil, err
	}
	return &types.MsgJailResponse{}, nil
}

// Unjail lets a provider take leases again whose time is over and whose bond covers what is asked of it.
func (m msgServer) Unjail(ctx context.Context, msg *types.MsgUnjail) (*types.MsgUnjailResponse, error) {
	operator, err := m.address(msg.Operator)
	if err != nil {
		return nil, err
	}
	provider, err := m.change(ctx, operator)
	if err != nil {
		return nil, err
	}
	if !provider.Jailed() {
		return nil, types.ErrNotJailed.Wrap(provider.Operator)
	}
	now, err := m.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}
	if now < provider.JailedUntil {
		return nil, types.ErrJailed.Wrapf("until second %d, %d from now", provider.JailedUntil, provider.JailedUntil-now)
	}
	required, err := m.required(ctx, operator)
	if err != nil {
		return nil, err
	}
	if !provider.Bond.IsAllGTE(required) {
		return nil, types.ErrBondRequired.Wrapf("%s bonded, %s required", provider.Bond, required)
	}
	provider.JailedUntil = 0
	if err := m.writeProvider(ctx, operator, provider); err != nil {
		return nil, err
	}
	if err := emit(ctx, types.NewEventUnjailed(provider.Operator)); err != nil {
		return nil, err
	}
	if m.hooks != nil {
		if err := m.hooks.AfterUnjailed(ctx, operator); err != nil {
			return nil, err
		}
	}
	return &types.MsgUnjailResponse{}, nil
}
