package keeper

import (
	"context"
	"fmt"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/provider/types"
)

// msgServer answers the module's messages.
type msgServer struct {
	*Keeper
}

// NewMsgServer returns the transaction service of the module.
func NewMsgServer(k *Keeper) types.MsgServer { return msgServer{Keeper: k} }

// Update replaces payout, gateway, TLS keys, info and auditors of a provider. What an auditor said who is not named any
// more is dropped.
func (m msgServer) Update(ctx context.Context, msg *types.MsgUpdate) (*types.MsgUpdateResponse, error) {
	operator, err := m.address(msg.Operator)
	if err != nil {
		return nil, err
	}
	provider, err := m.change(ctx, operator)
	if err != nil {
		return nil, err
	}
	provider, err = m.describe(provider, msg.Payout, msg.GatewayUri, msg.TlsKeys, msg.Info, msg.Auditors)
	if err != nil {
		return nil, err
	}
	if err := m.writeProvider(ctx, operator, provider); err != nil {
		return nil, err
	}
	if err := m.dropAttestations(ctx, operator, provider.Auditors); err != nil {
		return nil, err
	}
	if err := emit(ctx, types.NewEventUpdated(provider.Operator)); err != nil {
		return nil, err
	}
	return &types.MsgUpdateResponse{}, nil
}

// Bond puts more of the operator's coins at stake.
func (m msgServer) Bond(ctx context.Context, msg *types.MsgBond) (*types.MsgBondResponse, error) {
	operator, err := m.address(msg.Operator)
	if err != nil {
		return nil, err
	}
	provider, err := m.changeActive(ctx, operator)
	if err != nil {
		return nil, err
	}
	provider, err = m.addBond(ctx, operator, provider, sdk.Coins{msg.Amount})
	if err != nil {
		return nil, err
	}
	if err := m.writeProvider(ctx, operator, provider); err != nil {
		return nil, err
	}
	if m.hooks != nil {
		if err := m.hooks.AfterBonded(ctx, operator); err != nil {
			return nil, err
		}
	}
	return &types.MsgBondResponse{Bond: provider.Bond}, nil
}

// Withdraw pays matured earnings to the payout address. The agent may ask for it too: it cannot choose who is paid.
func (m msgServer) Withdraw(ctx context.Context, msg *types.MsgWithdraw) (*types.MsgWithdrawResponse, error) {
	provider, err := m.Authorize(ctx, msg.Signer, msg.Provider)
	if err != nil {
		return nil, err
	}
	if err := sdk.ValidateDenom(msg.Denom); err != nil {
		return nil, types.ErrInvalidRequest.Wrap(err.Error())
	}
	operator, err := m.address(provider.Operator)
	if err != nil {
		return nil, err
	}
	payout, err := m.receiver(provider.Payout)
	if err != nil {
		return nil, err
	}
	net, fee, err := m.escrow.WithdrawEarnings(ctx, operator, payout, msg.Denom)
	if err != nil {
		return nil, err
	}
	return &types.MsgWithdrawResponse{Amount: net, Fee: fee}, nil
}

// UpdateParams replaces the parameters; governance only.
func (m msgServer) UpdateParams(ctx context.Context, msg *types.MsgUpdateParams) (*types.MsgUpdateParamsResponse, error) {
	if err := m.checkAuthority(msg.Authority); err != nil {
		return nil, err
	}
	if err := msg.Params.Validate(); err != nil {
		return nil, err
	}
	if err := m.params.Set(ctx, msg.Params); err != nil {
		return nil, fmt.Errorf("write provider parameters: %w", err)
	}
	return &types.MsgUpdateParamsResponse{}, nil
}

func (m msgServer) checkAuthority(signer string) error {
	if signer != m.authority {
		return types.ErrUnauthorized.Wrapf("signer %.100q is not governance", signer)
	}
	return nil
}
