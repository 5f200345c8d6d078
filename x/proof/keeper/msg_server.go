package keeper

import (
	"context"
	"errors"
	"fmt"

	"github.com/souk-network/souk/x/proof/types"
)

// msgServer answers the module's messages.
type msgServer struct {
	*Keeper
	types.UnimplementedMsgServer
}

// NewMsgServer returns the transaction service of the module.
func NewMsgServer(k *Keeper) types.MsgServer { return &msgServer{Keeper: k} }

// UpdateParams replaces the parameters; governance only. Windows that have begun keep their seconds.
func (m msgServer) UpdateParams(ctx context.Context, msg *types.MsgUpdateParams) (*types.MsgUpdateParamsResponse, error) {
	if msg.Authority != m.authority {
		return nil, types.ErrUnauthorized.Wrapf("signer %.100q is not governance", msg.Authority)
	}
	if err := msg.Validate(m.addresses); err != nil {
		return nil, err
	}
	escrowParams, err := m.escrow.Params(ctx)
	if err != nil {
		return nil, err
	}
	if err := msg.Params.Fits(escrowParams); err != nil {
		return nil, err
	}
	before, err := m.Params(ctx)
	if err != nil {
		return nil, err
	}
	if !before.Beacon.Equal(msg.Params.Beacon) {
		if err := m.forgetBeacon(ctx); err != nil {
			return nil, err
		}
	}
	if err := m.params.Set(ctx, msg.Params); err != nil {
		return nil, fmt.Errorf("write proof parameters: %w", err)
	}
	return &types.MsgUpdateParamsResponse{}, nil
}

// forgetBeacon forgets the rounds of a beacon that does not count any more: another one numbers its own. What waits for one of its
// rounds is drawn by block hashes.
func (k *Keeper) forgetBeacon(ctx context.Context) error {
	if err := errors.Join(k.rounds.Clear(ctx, nil), k.ripe.Clear(ctx, nil)); err != nil {
		return fmt.Errorf("forget rounds: %w", err)
	}
	return nil
}
