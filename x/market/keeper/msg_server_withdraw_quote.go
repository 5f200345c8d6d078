package keeper

import (
	"context"

	"github.com/souk-network/souk/x/market/types"
)

// WithdrawQuote takes a provider's quote for a bid back.
func (m msgServer) WithdrawQuote(
	ctx context.Context, msg *types.MsgWithdrawQuote,
) (*types.MsgWithdrawQuoteResponse, error) {
	// 1. The message is well-formed.
	if err := msg.Validate(m.addresses); err != nil {
		return nil, err
	}
	// 2. The signer acts for the provider.
	operator, err := m.authorize(ctx, msg.Signer, msg.Provider)
	if err != nil {
		return nil, err
	}
	// 3. The quote goes.
	quote, err := m.getQuote(ctx, msg.Bid, operator)
	if err != nil {
		return nil, err
	}
	return &types.MsgWithdrawQuoteResponse{}, m.removeQuote(ctx, quote)
}
