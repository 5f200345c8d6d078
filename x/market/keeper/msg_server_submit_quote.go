package keeper

import (
	"context"

	"github.com/souk-network/souk/match"
	"github.com/souk-network/souk/x/market/types"
)

// SubmitQuote answers a bid that collects quotes, for an offer that could serve a replica of it now. It takes the place of
// the provider's last quote. Nothing is reserved by it.
func (m msgServer) SubmitQuote(ctx context.Context, msg *types.MsgSubmitQuote) (*types.MsgSubmitQuoteResponse, error) {
	// 1. The message is well-formed.
	if err := msg.Validate(m.addresses); err != nil {
		return nil, err
	}
	// 2. The signer acts for the provider of an offer, and the bid takes quotes.
	offer, _, err := m.authorizeOffer(ctx, msg.Signer, msg.Offer)
	if err != nil {
		return nil, err
	}
	now, err := m.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}
	bid, err := m.collecting(ctx, msg.Bid, now)
	if err != nil {
		return nil, err
	}
	// 3. It is in the bid's denom and at most its cap, the bond covers all of it, and a replica could be served now.
	rate, all, err := priceQuote(bid, msg)
	if err != nil {
		return nil, err
	}
	l, err := m.laneOf(ctx, bid, now)
	if err != nil {
		return nil, err
	}
	if err := m.servable(ctx, l, offer, 1, all); err != nil {
		return nil, err
	}
	// 4. It is among the best.
	quote := types.Quote{
		Bid: bid.Id, Provider: offer.Provider, Offer: offer.Id, Ask: msg.Ask, Replicas: msg.Replicas, Rate: rate,
		CreatedAt: now, ExpiresAt: now + msg.ValidSeconds,
	}
	if err := m.fileQuote(ctx, l, quote); err != nil {
		return nil, err
	}
	return &types.MsgSubmitQuoteResponse{Rate: rate}, emit(ctx, types.NewEventQuoteSubmitted(bid, quote))
}

// priceQuote returns the rate of one replica of a quote, and of all of them.
func priceQuote(bid types.Bid, msg *types.MsgSubmitQuote) (rate, all uint64, err error) {
	if msg.Ask.Denom != bid.Denom {
		return 0, 0, types.ErrInvalidQuote.Wrapf("bid %d is in %s, not in %s", bid.Id, bid.Denom, msg.Ask.Denom)
	}
	if all, err = match.Rate(bid.Spec.Unit.Vector(), msg.Ask.Vector(), uint64(msg.Replicas)); err != nil {
		return 0, 0, types.ErrInvalidQuote.Wrapf("bid %d: %v", bid.Id, err)
	}
	rate = all / uint64(msg.Replicas)
	if rate > bid.Spec.Cap {
		return 0, 0, types.ErrTooDear.Wrapf("a replica of bid %d would cost %d, above its cap %d", bid.Id, rate, bid.Spec.Cap)
	}
	return rate, all, nil
}
