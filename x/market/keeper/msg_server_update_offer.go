package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/market/types"
)

// UpdateOffer replaces asks, labels and terms. Higher asks count after the next clearing. A suspended offer whose time is
// over is active again, with no bad marks.
func (m msgServer) UpdateOffer(ctx context.Context, msg *types.MsgUpdateOffer) (*types.MsgUpdateOfferResponse, error) {
	// 1. The message is well-formed, and its denoms can be paid in.
	if err := msg.Validate(m.addresses); err != nil {
		return nil, err
	}
	if err := m.checkDenoms(ctx, msg.Asks); err != nil {
		return nil, err
	}
	if err := m.checkExpiry(ctx, msg.Terms); err != nil {
		return nil, err
	}
	// 2. The signer acts for the provider of an offer that may be in the book.
	offer, operator, err := m.authorizeOffer(ctx, msg.Signer, msg.Offer)
	if err != nil {
		return nil, err
	}
	if err := m.checkSuspension(ctx, offer); err != nil {
		return nil, err
	}
	// 3. The offer is written, if the bond covers its pool's free capacity.
	updated, err := m.declareOffer(ctx, offer, msg)
	if err != nil {
		return nil, err
	}
	if err := m.requireBond(ctx, operator, func() (bool, error) {
		if err := m.refileOffer(ctx, operator, offer, updated); err != nil {
			return false, err
		}
		return updated.Gained(offer)
	}); err != nil {
		return nil, err
	}
	return &types.MsgUpdateOfferResponse{}, emit(ctx, types.NewEventOfferChanged(updated))
}

// checkSuspension refuses to let a suspended offer return before its time.
func (k *Keeper) checkSuspension(ctx context.Context, offer types.Offer) error {
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return err
	}
	if now < offer.SuspendedUntil {
		return types.ErrSuspended.Wrapf("offer %d until second %d, and it is %d", offer.Id, offer.SuspendedUntil, now)
	}
	return nil
}

// declareOffer returns the offer as the message wants it.
func (k *Keeper) declareOffer(ctx context.Context, offer types.Offer, msg *types.MsgUpdateOffer) (types.Offer, error) {
	clearings, err := k.clearings(ctx)
	if err != nil {
		return types.Offer{}, err
	}
	if offer.State == types.OfferState_OFFER_STATE_SUSPENDED {
		// It is in no book that its asks could matter to.
		offer.MissedAcks, offer.SuspendedUntil, offer.Asks = nil, 0, nil
	}
	if offer, err = offer.Declare(msg.Asks, clearings); err != nil {
		return types.Offer{}, err
	}
	offer.Labels, offer.Terms, offer.State = msg.Labels, msg.Terms, types.OfferState_OFFER_STATE_ACTIVE
	return offer, nil
}

// refileOffer writes an offer whose second in the queue may be another.
func (k *Keeper) refileOffer(ctx context.Context, operator sdk.AccAddress, before, offer types.Offer) error {
	if at := before.Terms.ExpiresAt; at != 0 && at != offer.Terms.ExpiresAt {
		if err := k.offerDeadlines.Remove(ctx, collections.Join(at, offer.Id)); err != nil {
			return fmt.Errorf("drop the deadline of offer %d: %w", offer.Id, err)
		}
	}
	return k.saveOffer(ctx, operator, offer)
}

// authorizeOffer returns an offer that is not withdrawn and whose provider the signer acts for, with its operator. One that
// has expired counts as withdrawn, whether or not that has been processed.
func (k *Keeper) authorizeOffer(ctx context.Context, signer string, id uint64) (types.Offer, sdk.AccAddress, error) {
	offer, err := k.getOffer(ctx, id)
	if err != nil {
		return types.Offer{}, nil, err
	}
	operator, err := k.authorize(ctx, signer, offer.Provider)
	if err != nil {
		return types.Offer{}, nil, err
	}
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return types.Offer{}, nil, err
	}
	if offer.State == types.OfferState_OFFER_STATE_WITHDRAWN || offer.Terms.Expired(now) {
		return types.Offer{}, nil, types.ErrOfferState.Wrapf("offer %d", id)
	}
	return offer, operator, nil
}
