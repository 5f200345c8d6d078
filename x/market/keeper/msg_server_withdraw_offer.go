package keeper

import (
	"context"

	"github.com/souk-network/souk/x/market/types"
)

// WithdrawOffer ends an offer. Its leases go on, also those that wait to be acknowledged. One that is suspended stays until
// its time is over: without it another could be posted in its place.
func (m msgServer) WithdrawOffer(
	ctx context.Context, msg *types.MsgWithdrawOffer,
) (*types.MsgWithdrawOfferResponse, error) {
	// 1. The message is well-formed.
	if err := msg.Validate(m.addresses); err != nil {
		return nil, err
	}
	// 2. The signer acts for the provider of an offer that is not withdrawn.
	offer, operator, err := m.authorizeOffer(ctx, msg.Signer, msg.Offer)
	if err != nil {
		return nil, err
	}
	if err := m.checkSuspension(ctx, offer); err != nil {
		return nil, err
	}
	// 3. The offer leaves the book.
	return &types.MsgWithdrawOfferResponse{}, m.withdraw(ctx, operator, offer)
}
