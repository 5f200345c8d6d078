package keeper

import (
	"context"

	"cosmossdk.io/collections"

	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/x/market/types"
)

// Lease returns one lease.
func (q queryServer) Lease(ctx context.Context, request *types.QueryLeaseRequest) (*types.QueryLeaseResponse, error) {
	if request == nil {
		return nil, errEmptyRequest
	}
	lease, err := q.getLease(ctx, request.Id)
	if err != nil {
		return nil, asStatus(err)
	}
	return &types.QueryLeaseResponse{Lease: lease}, nil
}

// Leases lists the leases of a deployment: those that live, or ended ones too.
func (q queryServer) Leases(ctx context.Context, request *types.QueryLeasesRequest) (*types.QueryLeasesResponse, error) {
	if request == nil {
		return nil, errEmptyRequest
	}
	bounds, err := page(request.Pagination)
	if err != nil {
		return nil, err
	}
	set := q.deploymentLeases
	if request.Live {
		set = q.liveLeases
	}
	leases, next, err := query.CollectionPaginate(ctx, set, bounds,
		func(key pairKey, _ collections.NoValue) (types.Lease, error) { return q.getLease(ctx, key.K2()) },
		query.WithCollectionPaginationPairPrefix[uint64, uint64](request.Deployment))
	if err != nil {
		return nil, err
	}
	return &types.QueryLeasesResponse{Leases: leases, Pagination: next}, nil
}
