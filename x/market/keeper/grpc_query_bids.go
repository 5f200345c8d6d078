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

// OpenBids lists the bids in the book, of one denom or of all.
func (q queryServer) OpenBids(
	ctx context.Context, request *types.QueryOpenBidsRequest,
) (*types.QueryOpenBidsResponse, error) {
	if request == nil {
		return nil, errEmptyRequest
	}
	bids, next, err := somePages(ctx, q.openBids, request.Pagination,
		func(id uint64, _ collections.NoValue) (listed[types.Bid], error) {
			bid, err := q.getBid(ctx, id)
			return listed[types.Bid]{entry: bid, wanted: request.Denom == "" || bid.Denom == request.Denom}, err
		})
	if err != nil {
		return nil, err
	}
	return &types.QueryOpenBidsResponse{Bids: bids, Pagination: next}, nil
}
