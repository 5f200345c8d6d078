package keeper

import (
	"context"

	"github.com/souk-network/souk/x/provider/types"
)

// DeclareMaintenance announces a time without service, or cancels one that has not begun.
func (m msgServer) DeclareMaintenance(
	ctx context.Context, msg *types.MsgDeclareMaintenance,
) (*types.MsgDeclareMaintenanceResponse, error) {
	provider, err := m.Authorize(ctx, msg.Signer, msg.Provider)
	if err != nil {
		return nil, err
	}
	operator, err := m.address(provider.Operator)
	if err != nil {
		return nil, err
	}
	if provider, err = m.change(ctx, operator); err != nil {
		return nil, err
	}
	params, err := m.GetParams(ctx)
	if err != nil {
		return nil, err
	}
	now, err := m.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}
	window := types.Maintenance{From: msg.From, Until: msg.Until}
	if provider.Maintenance, err = types.DeclareMaintenance(provider.Maintenance, window, now, params); err != nil {
		return nil, err
	}
	if err := m.writeProvider(ctx, operator, provider); err != nil {
		return nil, err
	}
	if err := emit(ctx, types.NewEventMaintenanceDeclared(provider.Operator, window)); err != nil {
		return nil, err
	}
	return &types.MsgDeclareMaintenanceResponse{}, nil
}
