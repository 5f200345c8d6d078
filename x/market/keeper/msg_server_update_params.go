package keeper

import (
	"context"
	"fmt"

	"github.com/souk-network/souk/x/market/types"
)

// UpdateParams replaces all parameters.
func (m msgServer) UpdateParams(
	ctx context.Context, msg *types.MsgUpdateParams,
) (*types.MsgUpdateParamsResponse, error) {
	// 1. The signer is governance.
	if msg.Authority != m.authority {
		return nil, types.ErrUnauthorized.Wrapf("%.100q is not the governance account", msg.Authority)
	}
	// 2. The parameters are in range.
	if err := msg.Params.Validate(); err != nil {
		return nil, err
	}
	// 3. They are written.
	if err := m.params.Set(ctx, msg.Params); err != nil {
		return nil, fmt.Errorf("write market parameters: %w", err)
	}
	return &types.MsgUpdateParamsResponse{}, nil
}
