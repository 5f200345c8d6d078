package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/provider/types"
)

// Unbond takes bond back that the market does not ask for; until it has returned it can be slashed like the bond.
func (m msgServer) Unbond(ctx context.Context, msg *types.MsgUnbond) (*types.MsgUnbondResponse, error) {
	operator, err := m.address(msg.Operator)
	if err != nil {
		return nil, err
	}
	if err := types.ValidateBond(sdk.Coins{msg.Amount}); err != nil {
		return nil, err
	}
	provider, err := m.change(ctx, operator)
	if err != nil {
		return nil, err
	}
	if err := m.checkSpare(ctx, operator, provider, msg.Amount); err != nil {
		return nil, err
	}
	provider.Bond = provider.Bond.Sub(msg.Amount)
	if err := m.writeProvider(ctx, operator, provider); err != nil {
		return nil, err
	}
	unbonding, err := m.startUnbonding(ctx, operator, msg.Amount)
	if err != nil {
		return nil, err
	}
	return &types.MsgUnbondResponse{Unbonding: unbonding.Id, CompletesAt: unbonding.CompletesAt}, nil
}

// checkSpare refuses to take back what is not bonded or what the market asks for. What is short in another denom does not
// matter.
func (m msgServer) checkSpare(ctx context.Context, operator sdk.AccAddress, provider types.Provider, amount sdk.Coin) error {
	bonded := provider.Bond.AmountOf(amount.Denom)
	if amount.Amount.GT(bonded) {
		return types.ErrInvalidBond.Wrapf("%s are bonded", sdk.NewCoin(amount.Denom, bonded))
	}
	required, err := m.required(ctx, operator)
	if err != nil {
		return err
	}
	if need := required.AmountOf(amount.Denom); bonded.Sub(amount.Amount).LT(need) {
		return types.ErrBondRequired.Wrapf("%s bonded, %s required", sdk.NewCoin(amount.Denom, bonded), sdk.NewCoin(amount.Denom, need))
	}
	return nil
}
