package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/escrow/types"
)

// msgServer answers the module's messages.
type msgServer struct {
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

// Deposit adds money of the signer, or of a granter, to an account.
func (m msgServer) Deposit(ctx context.Context, msg *types.MsgDeposit) (*types.MsgDepositResponse, error) {
	signer, err := m.address(msg.Signer)
	if err != nil {
		return nil, err
	}
	var granter sdk.AccAddress
	if msg.Granter != "" {
		if granter, err = m.address(msg.Granter); err != nil {
			return nil, err
		}
	}
	account, err := m.Keeper.Deposit(ctx, msg.Account, signer, msg.Amount, granter)
	if err != nil {
		return nil, err
	}
	return &types.MsgDepositResponse{ZeroAt: account.ZeroAt, State: account.State}, nil
}

// UpdateParams replaces the parameters, unless earnings would mature before the credit policy has decided about them. A new epoch
// length takes effect with the next epoch.
func (m msgServer) UpdateParams(ctx context.Context, msg *types.MsgUpdateParams) (*types.MsgUpdateParamsResponse, error) {
	if err := m.checkAuthority(msg.Authority); err != nil {
		return nil, err
	}
	if err := msg.Params.Validate(); err != nil {
		return nil, err
	}
	if err := m.policy.CheckParams(ctx, msg.Params); err != nil {
		return nil, types.ErrInvalidParams.Wrapf("the credit policy refuses them: %s", err)
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
