package keeper

import (
	"context"

	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/x/escrow/types"
)

// Most items a page, whatever is asked for.
const (
	maxAccountsPage   = 100
	maxStreamsPage    = types.MaxStreams
	maxQuarantinePage = 100
	maxEpochPotsPage  = 100
)

// queryServer answers the module's queries.
type queryServer struct {
	*Keeper
}

// NewQueryServer returns the query service of the module.
func NewQueryServer(k *Keeper) types.QueryServer { return queryServer{Keeper: k} }

// page bounds a page request. Counting all items would walk all of them, so it is refused silently.
func page(request *query.PageRequest, limit uint64) *query.PageRequest {
	bounded := query.PageRequest{Limit: limit}
	if request != nil {
		bounded.Key, bounded.Offset, bounded.Reverse = request.Key, request.Offset, request.Reverse
		if request.Limit > 0 {
			bounded.Limit = min(request.Limit, limit)
		}
	}
	return &bounded
}

// Params returns the parameters.
func (q queryServer) Params(ctx context.Context, _ *types.QueryParamsRequest) (*types.QueryParamsResponse, error) {
	params, err := q.Keeper.Params(ctx)
	if err != nil {
		return nil, err
	}
	return &types.QueryParamsResponse{Params: params}, nil
}

// Clock returns the service clock.
func (q queryServer) Clock(ctx context.Context, _ *types.QueryClockRequest) (*types.QueryClockResponse, error) {
	clock, err := q.Keeper.Clock(ctx)
	if err != nil {
		return nil, err
	}
	return &types.QueryClockResponse{Clock: clock, Now: clock.Now()}, nil
}

// Conservation compares bank and books in one denom.
func (q queryServer) Conservation(
	ctx context.Context, request *types.QueryConservationRequest,
) (*types.QueryConservationResponse, error) {
	if request == nil || request.Denom == "" {
		return nil, types.ErrInvalidRequest.Wrap("which denom?")
	}
	books, err := q.Books(ctx, request.Denom)
	if err != nil {
		return nil, err
	}
	return &types.QueryConservationResponse{
		Bank: books.Bank, Accounts: books.Accounts, Pots: books.Pots, Dust: books.Dust, Conserved: books.Conserved(),
	}, nil
}

// Quarantine lists due items whose processing failed.
func (q queryServer) Quarantine(
	ctx context.Context, request *types.QueryQuarantineRequest,
) (*types.QueryQuarantineResponse, error) {
	if request == nil {
		return nil, types.ErrInvalidRequest.Wrap("empty request")
	}
	items, pageResponse, err := query.CollectionPaginate(ctx, q.quarantine, page(request.Pagination, maxQuarantinePage),
		func(_ quarantineKey, item types.Quarantined) (types.Quarantined, error) { return item, nil })
	if err != nil {
		return nil, types.ErrInvalidRequest.Wrap(err.Error())
	}
	return &types.QueryQuarantineResponse{Items: items, Pagination: pageResponse}, nil
}
