package simulation

import (
	"context"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"

	escrowsim "github.com/souk-network/souk/x/escrow/simulation"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
	providersim "github.com/souk-network/souk/x/provider/simulation"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// quoteErrors are why a quote that is well formed may not be taken, or not be accepted.
var quoteErrors = []error{
	types.ErrInvalidQuote, types.ErrTooDear, types.ErrQuoteBeaten, types.ErrQuoteExpired, types.ErrUnsuitable, types.ErrTakesNoLeases,
	types.ErrBidState, types.ErrNoCapacity, types.ErrBondTooLow, types.ErrSuspended, types.ErrOfferState,
}

// submitQuote answers a bid that collects quotes, cheaply or not.
func (m Module) submitQuote() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgSubmitQuote, simsx.SimDeliveryResultHandler) {
		r := testData.Rand()
		bid := m.collecting(ctx, r, reporter)
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		s := m.shop(ctx, testData, reporter, "provider with an offer", sells)
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		ask := asks(r)[0]
		ask.Denom = bid.Denom
		msg := &types.MsgSubmitQuote{
			Signer: s.signer.AddressBech32, Bid: bid.Id, Offer: simsx.OneOf(r, s.offers).Id, Ask: ask,
			Replicas: uint32(escrowsim.UpTo(r, uint64(bid.Spec.Replicas))), ValidSeconds: escrowsim.UpTo(r, simsx.OneOf(r, []uint64{100, 10_000})),
		}
		if stranger := testData.AnyAccount(reporter); escrowsim.OneIn(r, 20) && !actsFor(stranger, s.provider) {
			msg.Signer = stranger.AddressBech32
			return escrowsim.Sign(stranger), msg, escrowsim.Refused(providertypes.ErrUnauthorized)
		}
		return escrowsim.Sign(s.signer), msg, escrowsim.May(quoteErrors...)
	})
}

// withdrawQuote takes a quote back.
func (m Module) withdrawQuote() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgWithdrawQuote, simsx.SimDeliveryResultHandler) {
		r := testData.Rand()
		quote := m.quote(ctx, r, reporter)
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		provider, err := m.providers.Provider(ctx, &providertypes.QueryProviderRequest{Operator: quote.Provider})
		if err != nil {
			reporter.Fail(err, "read provider")
			return nil, nil, nil
		}
		signer := providersim.Agent(testData, reporter, provider.Provider, providersim.Now(ctx, m.escrow, reporter))
		return escrowsim.Sign(signer), &types.MsgWithdrawQuote{
			Signer: signer.AddressBech32, Provider: quote.Provider, Bid: quote.Bid,
		}, nil
	})
}

// acceptQuote makes a lease of a quote or of a part of it; at times for less than is asked.
func (m Module) acceptQuote() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgAcceptQuote, simsx.SimDeliveryResultHandler) {
		r := testData.Rand()
		quote := m.quote(ctx, r, reporter)
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		bid, err := m.queries.Bid(ctx, &types.QueryBidRequest{Id: quote.Bid})
		if err != nil {
			reporter.Fail(err, "read bid")
			return nil, nil, nil
		}
		deployment, err := m.queries.Deployment(ctx, &types.QueryDeploymentRequest{Id: bid.Bid.Deployment})
		if err != nil {
			reporter.Fail(err, "read deployment")
			return nil, nil, nil
		}
		owner := testData.GetAccount(reporter, deployment.Deployment.Owner)
		msg := &types.MsgAcceptQuote{
			Signer: owner.AddressBech32, Bid: quote.Bid, Provider: quote.Provider, MaxRate: quote.Rate,
			Replicas: uint32(r.Intn(int(min(quote.Replicas, bid.Bid.Missing())) + 1)),
		}
		if quote.Rate > 1 && escrowsim.OneIn(r, 10) {
			msg.MaxRate = quote.Rate - 1
			return escrowsim.Sign(owner), msg, escrowsim.Refused(types.ErrTooDear, types.ErrBehind, types.ErrBidState)
		}
		return escrowsim.Sign(owner), msg, escrowsim.May(append([]error{
			types.ErrBehind, types.ErrHalted, types.ErrTooManyLeases, types.ErrDeploymentState, escrowtypes.ErrInsufficientFunds,
			escrowtypes.ErrHalted, escrowtypes.ErrBehind, escrowtypes.ErrExhausted, escrowtypes.ErrLow, escrowtypes.ErrTooManyStreams,
		}, quoteErrors...)...)
	})
}

// collecting returns an open bid that collects quotes; it skips the operation if there is none.
func (m Module) collecting(ctx context.Context, r *simsx.XRand, reporter simsx.SimulationReporter) types.Bid {
	bids, err := m.queries.OpenBids(ctx, &types.QueryOpenBidsRequest{Mode: types.BidMode_BID_MODE_QUOTE, Pagination: escrowsim.Page()})
	switch {
	case err != nil:
		reporter.Fail(err, "list bids")
		return types.Bid{}
	case len(bids.Bids) == 0:
		reporter.Skip("no bid collects quotes")
		return types.Bid{}
	}
	return simsx.OneOf(r, bids.Bids)
}

// quote returns a quote that can be accepted; it skips the operation if it finds none.
func (m Module) quote(ctx context.Context, r *simsx.XRand, reporter simsx.SimulationReporter) types.Quote {
	for range 5 {
		bid := m.collecting(ctx, r, reporter)
		if reporter.IsSkipped() {
			return types.Quote{}
		}
		quotes, err := m.queries.Quotes(ctx, &types.QueryQuotesRequest{Bid: bid.Id})
		if err != nil {
			reporter.Fail(err, "list quotes")
			return types.Quote{}
		}
		if len(quotes.Quotes) > 0 {
			return simsx.OneOf(r, quotes.Quotes)
		}
	}
	reporter.Skip("no quote found")
	return types.Quote{}
}
