package keeper

import (
	"context"

	"github.com/souk-network/souk/x/escrow/types"
)

// msgServer answers the module's messages.
type msgServer struct {
	*types.UnimplementedMsgServer // until every message is answered
	*Keeper
}

// NewMsgServer returns the transaction service of the module.
func NewMsgServer(k *Keeper) types.MsgServer { return msgServer{Keeper: k} }

// checkAuthority refuses everybody but governance.
func (m msgServer) checkAuthority(signer string) error {
	if signer != m.authority {
		return types.ErrUnauthorized.Wrapf("signer %.100q", signer)
	}
	return nil
}

// Deposit adds money of the signer to an account.
func (m msgServer) Deposit(ctx context.Context, msg *types.MsgDeposit) (*types.MsgDepositResponse, error) {
	signer, err := m.address(msg.Signer)
	if err != nil {
		return nil, err
	}
	zeroAt, err := m.Keeper.Deposit(ctx, msg.Account, signer, msg.Amount)
	if err != nil {
		return nil, err
	}
	return &types.MsgDepositResponse{ZeroAt: zeroAt}, nil
}

// UpdateParams replaces the parameters. A new epoch length takes effect with the next epoch.
func (m msgServer) UpdateParams(ctx context.Context, msg *types.MsgUpdateParams) (*types.MsgUpdateParamsResponse, error) {
	if err := m.checkAuthority(msg.Authority); err != nil {
		return nil, err
	}
	if err := msg.Params.Validate(); err != nil {
		return nil, err
	}
	if err := m.params.Set(ctx, msg.Params); err != nil {
		return nil, err
	}
	return &types.MsgUpdateParamsResponse{}, nil
}

// Retry processes a quarantined item again.
func (m msgServer) Retry(ctx context.Context, msg *types.MsgRetry) (*types.MsgRetryResponse, error) {
	if err := m.checkAuthority(msg.Authority); err != nil {
		return nil, err
	}
	if err := m.RetryQuarantined(ctx, msg.Source, msg.Id); err != nil {
		return nil, err
	}
	return &types.MsgRetryResponse{}, nil
}
