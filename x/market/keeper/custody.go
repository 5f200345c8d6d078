package keeper

import (
	"context"
	"fmt"
	"slices"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/x/market/types"
)

// moveCustody lists an open deployment under other custodians than before.
func (k *Keeper) moveCustody(ctx context.Context, deployment uint64, before, after []string) error {
	change := func(custodian string, apply func(context.Context, providerKey) error) error {
		operator, err := k.operator(custodian)
		if err != nil {
			return err
		}
		if err := apply(ctx, collections.Join(operator, deployment)); err != nil {
			return fmt.Errorf("list deployment %d under custodian %s: %w", deployment, custodian, err)
		}
		return nil
	}
	for _, custodian := range before {
		if slices.Contains(after, custodian) {
			continue
		}
		if err := change(custodian, k.custody.Remove); err != nil {
			return err
		}
	}
	for _, custodian := range after {
		if slices.Contains(before, custodian) {
			continue
		}
		if err := change(custodian, k.custody.Set); err != nil {
			return err
		}
	}
	return nil
}

// Custody lists the open deployments of which a provider is a custodian.
func (q queryServer) Custody(ctx context.Context, request *types.QueryCustodyRequest) (*types.QueryCustodyResponse, error) {
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
	deployments, next, err := query.CollectionPaginate(ctx, q.custody, bounds,
		func(key providerKey, _ collections.NoValue) (types.Deployment, error) {
			return q.getDeployment(ctx, key.K2())
		},
		query.WithCollectionPaginationPairPrefix[sdk.AccAddress, uint64](operator))
	if err != nil {
		return nil, err
	}
	return &types.QueryCustodyResponse{Deployments: deployments, Pagination: next}, nil
}
