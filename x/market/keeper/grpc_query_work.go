package keeper

import (
	"context"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/x/market/types"
)

// Work lists the live leases of a provider with all that its agent needs to know of them.
func (q queryServer) Work(ctx context.Context, request *types.QueryWorkRequest) (*types.QueryWorkResponse, error) {
	if request == nil {
		return nil, errEmptyRequest
	}
	operator, err := q.account(request.Provider)
	if err != nil {
		return nil, err
	}
	bounds, err := page(request.Pagination)
	if err != nil {
		return nil, err
	}
	work, next, err := query.CollectionPaginate(ctx, q.providerLiveLeases, bounds,
		func(key providerKey, _ collections.NoValue) (types.Work, error) { return q.workOf(ctx, key.K2()) },
		query.WithCollectionPaginationPairPrefix[sdk.AccAddress, uint64](operator))
	if err != nil {
		return nil, err
	}
	return &types.QueryWorkResponse{Work: work, Pagination: next}, nil
}

func (k *Keeper) workOf(ctx context.Context, id uint64) (types.Work, error) {
	lease, err := k.getLease(ctx, id)
	if err != nil {
		return types.Work{}, err
	}
	deployment, err := k.getDeployment(ctx, lease.Deployment)
	if err != nil {
		return types.Work{}, err
	}
	bid, err := k.getBid(ctx, lease.Bid)
	if err != nil {
		return types.Work{}, err
	}
	return types.Work{
		Lease: lease, Owner: deployment.Owner, Name: deployment.Name, Group: bid.Spec.Name,
		ManifestHash: deployment.ManifestHash, Version: deployment.Version, AccessKeys: deployment.AccessKeys,
		Custodians: deployment.Custodians,
	}, nil
}
