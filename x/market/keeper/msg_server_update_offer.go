package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/market/types"
)

// UpdateOffer replaces asks and labels. A suspended offer is active again, with no bad marks.
func (m msgServer) UpdateOffer(ctx context.Context, msg *types.MsgUpdateOffer) (*types.MsgUpdateOfferResponse, error) {
	// 1. The message is well-formed, and its denoms can be paid in.
	if err := msg.Validate(m.addresses); err != nil {
		return nil, err
	}
	if err := m.checkDenoms(ctx, msg.Asks); err != nil {
		return nil, err
	}
	// 2. The signer acts for the provider of an offer that is not withdrawn.
	offer, operator, err := m.authorizeOffer(ctx, msg.Signer, msg.Offer)
	if err != nil {
		return nil, err
	}
	// 3. The offer is written, if the bond covers its pool's free capacity.
	if offer.State == types.OfferState_OFFER_STATE_SUSPENDED {
		offer.MissedAcks = nil
	}
	offer.Asks, offer.Labels, offer.State = msg.Asks, msg.Labels, types.OfferState_OFFER_STATE_ACTIVE
	if err := m.requireBond(ctx, operator, func() error { return m.saveOffer(ctx, operator, offer) }); err != nil {
		return nil, err
	}
	return &types.MsgUpdateOfferResponse{}, emit(ctx, types.NewEventOfferChanged(offer))
}

// authorizeOffer returns an offer that is not withdrawn and whose provider the signer acts for, with its operator.
func (k *Keeper) authorizeOffer(ctx context.Context, signer string, id uint64) (types.Offer, sdk.AccAddress, error) {
	offer, err := k.getOffer(ctx, id)
	if err != nil {
		return types.Offer{}, nil, err
	}
	operator, err := k.authorize(ctx, signer, offer.Provider)
	if err != nil {
		return types.Offer{}, nil, err
	}
	if offer.State == types.OfferState_OFFER_STATE_WITHDRAWN {
		return types.Offer{}, nil, types.ErrOfferState.Wrapf("offer %d", id)
	}
	return offer, operator, nil
}
