package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/x/market/types"
)

// Lease returns a lease for modules above, an ended one too until nothing can be claimed of it; ErrLeaseNotFound else.
func (k *Keeper) Lease(ctx context.Context, id uint64) (types.Lease, error) {
	return k.getLease(ctx, id)
}

// Deployment returns a deployment for modules above, a closed one too until escrow forgets its account; ErrDeploymentNotFound else.
func (k *Keeper) Deployment(ctx context.Context, id uint64) (types.Deployment, error) {
	return k.getDeployment(ctx, id)
}

// LeasesOf returns a page of the leases of a provider that are kept, ended ones too, by id. The caller bounds the page.
func (k *Keeper) LeasesOf(
	ctx context.Context, operator sdk.AccAddress, page *query.PageRequest,
) ([]types.Lease, *query.PageResponse, error) {
	leases, next, err := query.CollectionPaginate(ctx, k.providerLeases, page,
		func(key providerKey, _ collections.NoValue) (types.Lease, error) { return k.getLease(ctx, key.K2()) },
		query.WithCollectionPaginationPairPrefix[sdk.AccAddress, uint64](operator))
	if err != nil {
		return nil, nil, fmt.Errorf("list leases of a provider: %w", err)
	}
	return leases, next, nil
}
