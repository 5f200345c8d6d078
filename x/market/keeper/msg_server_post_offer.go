package keeper

import (
	"context"
	"fmt"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// PostOffer offers a pool at a price.
func (m msgServer) PostOffer(ctx context.Context, msg *types.MsgPostOffer) (*types.MsgPostOfferResponse, error) {
	// 1. The message is well-formed, and its denoms can be paid in.
	if err := msg.Validate(m.addresses); err != nil {
		return nil, err
	}
	if err := m.checkDenoms(ctx, msg.Asks); err != nil {
		return nil, err
	}
	// 2. The signer acts for the provider, which stays, has the pool and not too many offers.
	operator, err := m.authorize(ctx, msg.Signer, msg.Provider)
	if err != nil {
		return nil, err
	}
	if err := m.checkStays(ctx, operator); err != nil {
		return nil, err
	}
	if _, err := m.getPool(ctx, operator, msg.Pool); err != nil {
		return nil, err
	}
	if err := m.checkOffers(ctx, operator, msg.Pool); err != nil {
		return nil, err
	}
	if err := m.checkExpiry(ctx, msg.Terms); err != nil {
		return nil, err
	}
	// 3. The offer enters the book, if the bond covers its pool's free capacity.
	id, err := m.nextOffer.Next(ctx)
	if err != nil {
		return nil, fmt.Errorf("number an offer: %w", err)
	}
	offer := types.Offer{
		Id: id, Provider: msg.Provider, Pool: msg.Pool, Asks: msg.Asks, Labels: msg.Labels, Terms: msg.Terms,
		State: types.OfferState_OFFER_STATE_ACTIVE,
	}
	if err := m.requireBond(ctx, operator, func() (bool, error) {
		return true, m.saveOffer(ctx, operator, offer)
	}); err != nil {
		return nil, err
	}
	return &types.MsgPostOfferResponse{Offer: id}, emit(ctx, types.NewEventOfferPosted(offer))
}

// checkStays refuses a provider that leaves or is gone: nobody could be served, and its bond would be asked for all the same.
func (k *Keeper) checkStays(ctx context.Context, operator sdk.AccAddress) error {
	provider, err := k.provider.GetProvider(ctx, operator)
	if err != nil {
		return fmt.Errorf("read provider %s: %w", operator, err)
	}
	if provider.Lifecycle != providertypes.Lifecycle_LIFECYCLE_ACTIVE {
		return providertypes.ErrLifecycle.Wrapf("%s offers nothing any more", provider.Operator)
	}
	return nil
}

func (k *Keeper) checkDenoms(ctx context.Context, asks []types.Ask) error {
	for _, ask := range asks {
		accepted, err := k.escrow.IsSettlementDenom(ctx, ask.Denom)
		if err != nil {
			return fmt.Errorf("look up denom %s: %w", ask.Denom, err)
		}
		if !accepted {
			return types.ErrDenom.Wrap(ask.Denom)
		}
	}
	return nil
}

// checkExpiry refuses an offer that has expired already.
func (k *Keeper) checkExpiry(ctx context.Context, terms types.OfferTerms) error {
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return err
	}
	if terms.Expired(now) {
		return types.ErrInvalidTerms.Wrapf("it expires at second %d, and it is %d", terms.ExpiresAt, now)
	}
	return nil
}

// checkOffers refuses one offer too many, and one on a pool of which another is suspended: it would sell what that may not.
func (k *Keeper) checkOffers(ctx context.Context, operator sdk.AccAddress, pool uint32) error {
	offers, err := k.offersOf(ctx, operator)
	if err != nil {
		return err
	}
	if len(offers) >= types.MaxOffers {
		return types.ErrTooManyOffers.Wrapf("at most %d that are not withdrawn", types.MaxOffers)
	}
	for _, offer := range offers {
		if offer.Pool != pool {
			continue
		}
		if err := k.checkSuspension(ctx, offer); err != nil {
			return fmt.Errorf("offer pool %d again: %w", pool, err)
		}
	}
	return nil
}
