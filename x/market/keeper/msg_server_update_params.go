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
	if err := m.checkAnswerWindow(ctx, msg.Params); err != nil {
		return nil, err
	}
	// 3. They are written.
	if err := m.params.Set(ctx, msg.Params); err != nil {
		return nil, fmt.Errorf("write market parameters: %w", err)
	}
	return &types.MsgUpdateParamsResponse{}, nil
}

// checkAnswerWindow refuses to change the answer window to one that a few blocks may pass at once: when the chain has stood
// still, each of the next blocks may move the clock by max_tick_seconds, and a challenge would fail before its provider could
// see it. The one in force may stay, even if escrow's ticks have grown since: it must not keep governance from halting the
// market.
func (k *Keeper) checkAnswerWindow(ctx context.Context, next types.Params) error {
	params, err := k.Params(ctx)
	if err != nil || next.AnswerWindowSeconds == params.AnswerWindowSeconds {
		return err
	}
	escrow, err := k.escrow.Params(ctx)
	if err != nil {
		return fmt.Errorf("read escrow parameters: %w", err)
	}
	return next.CheckAnswerWindow(escrow.MaxTickSeconds)
}
