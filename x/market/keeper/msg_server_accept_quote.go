package keeper

import (
	"context"
	"fmt"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/market/types"
)

// AcceptQuote makes a lease of a quote, or of a part of it, that waits for its provider as one of the auction does. All that
// clearing asks must hold now.
func (m msgServer) AcceptQuote(ctx context.Context, msg *types.MsgAcceptQuote) (*types.MsgAcceptQuoteResponse, error) {
	// 1. The message is well-formed.
	if err := msg.Validate(m.addresses); err != nil {
		return nil, err
	}
	// 2. The signer may manage the deployment of a bid that takes quotes.
	now, err := m.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}
	bid, err := m.getBid(ctx, msg.Bid)
	if err != nil {
		return nil, err
	}
	if _, _, err := m.managed(ctx, bid.Deployment, msg.Signer, now); err != nil {
		return nil, err
	}
	if bid, err = m.collecting(ctx, msg.Bid, now); err != nil {
		return nil, err
	}
	// 3. The quote is what the signer saw, and can be served.
	provider, err := m.operator(msg.Provider)
	if err != nil {
		return nil, err
	}
	quote, err := m.getQuote(ctx, bid.Id, provider)
	if err != nil {
		return nil, err
	}
	replicas, err := replicasOf(bid, quote, msg)
	if err != nil {
		return nil, err
	}
	if err := m.checkAcceptance(ctx, bid, quote, replicas, now); err != nil {
		return nil, err
	}
	// 4. The lease opens, if the account can hold money for it, and the quote becomes smaller.
	lease, err := m.openQuoted(ctx, bid, quote, replicas)
	if err != nil {
		return nil, err
	}
	if err := m.useQuote(ctx, provider, quote, replicas); err != nil {
		return nil, err
	}
	return &types.MsgAcceptQuoteResponse{Lease: lease.Id}, m.place(ctx, bid, replicas)
}

// replicasOf returns how many replicas of a quote are accepted, at a rate of at most what the signer saw.
func replicasOf(bid types.Bid, quote types.Quote, msg *types.MsgAcceptQuote) (uint32, error) {
	if quote.Rate > msg.MaxRate {
		return 0, types.ErrTooDear.Wrapf("a replica costs %d, not %d", quote.Rate, msg.MaxRate)
	}
	most := min(quote.Replicas, bid.Missing())
	if msg.Replicas > most {
		return 0, types.ErrTooManyReplicas.Wrapf("%d are quoted and bid %d misses %d: want at most that, not %d", quote.Replicas,
			bid.Id, bid.Missing(), msg.Replicas)
	}
	if msg.Replicas == 0 {
		return most, nil
	}
	return msg.Replicas, nil
}

// checkAcceptance refuses a lease that the market does not allow now.
func (m msgServer) checkAcceptance(
	ctx context.Context, bid types.Bid, quote types.Quote, replicas uint32, now uint64,
) error {
	l, err := m.laneOf(ctx, bid, now)
	if err != nil {
		return err
	}
	if l.params.Halted {
		return types.ErrHalted.Wrap("no new leases begin")
	}
	live, err := idsUnder(ctx, m.liveLeases, bid.Deployment)
	if err != nil {
		return fmt.Errorf("walk leases of deployment %d: %w", bid.Deployment, err)
	}
	if len(live) >= types.MaxLiveLeases {
		return types.ErrTooManyLeases.Wrapf("deployment %d: at most %d", bid.Deployment, types.MaxLiveLeases)
	}
	return m.acceptable(ctx, l, quote, replicas)
}

func (m msgServer) openQuoted(
	ctx context.Context, bid types.Bid, quote types.Quote, replicas uint32,
) (types.Lease, error) {
	offer, err := m.getOffer(ctx, quote.Offer)
	if err != nil {
		return types.Lease{}, err
	}
	return m.openLease(ctx, types.Lease{
		Deployment: bid.Deployment, Bid: bid.Id, Account: bid.Deployment,
		Offer: offer.Id, Provider: offer.Provider, Pool: offer.Pool, Ask: quote.Ask, Class: offer.LeaseClass(),
		Unit: bid.Spec.Unit, Replicas: replicas, Rate: quote.Rate * uint64(replicas), Denom: bid.Denom,
		TermSeconds: bid.Spec.LeaseSeconds,
	})
}

// useQuote takes replicas off a quote; one that is used up goes.
func (m msgServer) useQuote(ctx context.Context, provider sdk.AccAddress, quote types.Quote, replicas uint32) error {
	quote.Replicas -= replicas
	if quote.Replicas == 0 {
		return m.removeQuote(ctx, quote)
	}
	return m.setQuote(ctx, provider, quote)
}
