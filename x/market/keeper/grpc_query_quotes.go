package keeper

import (
	"context"
	"slices"

	"github.com/souk-network/souk/x/market/types"
)

// Quotes lists the quotes of a bid that could be accepted now for a replica, the cheapest first.
func (q queryServer) Quotes(ctx context.Context, request *types.QueryQuotesRequest) (*types.QueryQuotesResponse, error) {
	if request == nil {
		return nil, errEmptyRequest
	}
	bid, err := q.getBid(ctx, request.Bid)
	if err != nil {
		return nil, asStatus(err)
	}
	now, err := q.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}
	l, err := q.laneOf(ctx, bid, now)
	if err != nil {
		return nil, err
	}
	quotes, err := q.quotesOf(ctx, bid.Id)
	if err != nil {
		return nil, err
	}
	quotes = slices.DeleteFunc(quotes, func(quote types.Quote) bool { return q.acceptable(ctx, l, quote, 1) != nil })
	slices.SortFunc(quotes, types.Quote.Before)
	return &types.QueryQuotesResponse{Quotes: quotes}, nil
}
