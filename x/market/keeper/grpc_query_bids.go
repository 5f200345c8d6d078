package keeper

import (
	"context"

	"cosmossdk.io/collections"

	"github.com/souk-network/souk/x/market/types"
)

// Bid returns one bid.
func (q queryServer) Bid(ctx context.Context, request *types.QueryBidRequest) (*types.QueryBidResponse, error) {
	if request == nil {
		return nil, errEmptyRequest
	}
	bid, err := q.getBid(ctx, request.Id)
	if err != nil {
		return nil, asStatus(err)
	}
	return &types.QueryBidResponse{Bid: bid}, nil
}

// OpenBids lists the bids in the book, of one denom and mode or of all.
func (q queryServer) OpenBids(
	ctx context.Context, request *types.QueryOpenBidsRequest,
) (*types.QueryOpenBidsResponse, error) {
	if request == nil {
		return nil, errEmptyRequest
	}
	open := q.openBids
	if request.Mode == types.BidMode_BID_MODE_QUOTE {
		open = q.quoteBids
	}
	bids, next, err := somePages(ctx, open, request.Pagination,
		func(id uint64, _ collections.NoValue) (listed[types.Bid], error) {
			bid, err := q.getBid(ctx, id)
			return listed[types.Bid]{entry: bid, wanted: wants(request, bid)}, err
		})
	if err != nil {
		return nil, err
	}
	return &types.QueryOpenBidsResponse{Bids: bids, Pagination: next}, nil
}

// wants tells whether a bid is what a request wants to see.
func wants(request *types.QueryOpenBidsRequest, bid types.Bid) bool {
	if request.Denom != "" && bid.Denom != request.Denom {
		return false
	}
	return request.Mode == types.BidMode_BID_MODE_UNSPECIFIED || bid.Spec.Quoted() == (request.Mode == types.BidMode_BID_MODE_QUOTE)
}
