package keeper

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/x/market/types"
)

// Deployment returns one deployment with its bids.
func (q queryServer) Deployment(
	ctx context.Context, request *types.QueryDeploymentRequest,
) (*types.QueryDeploymentResponse, error) {
	if request == nil {
		return nil, errEmptyRequest
	}
	deployment, bids, err := q.withBids(ctx, request.Id)
	if err != nil {
		return nil, asStatus(err)
	}
	return &types.QueryDeploymentResponse{Deployment: deployment, Bids: bids}, nil
}

// DeploymentByName returns an owner's open deployment with its bids.
func (q queryServer) DeploymentByName(
	ctx context.Context, request *types.QueryDeploymentByNameRequest,
) (*types.QueryDeploymentByNameResponse, error) {
	if request == nil {
		return nil, errEmptyRequest
	}
	owner, err := q.account(request.Owner)
	if err != nil {
		return nil, err
	}
	id, err := q.openNames.Get(ctx, collections.Join(owner, request.Name))
	if errors.Is(err, collections.ErrNotFound) {
		return nil, status.Errorf(codes.NotFound, "no open deployment %q", request.Name)
	}
	if err != nil {
		return nil, fmt.Errorf("look up the name %q: %w", request.Name, err)
	}
	deployment, bids, err := q.withBids(ctx, id)
	if err != nil {
		return nil, err
	}
	return &types.QueryDeploymentByNameResponse{Deployment: deployment, Bids: bids}, nil
}

// Deployments lists an owner's deployments, newest last: of one state, or of all.
func (q queryServer) Deployments(
	ctx context.Context, request *types.QueryDeploymentsRequest,
) (*types.QueryDeploymentsResponse, error) {
	if request == nil {
		return nil, errEmptyRequest
	}
	owner, err := q.account(request.Owner)
	if err != nil {
		return nil, err
	}
	wanted := func(d types.Deployment) bool {
		return request.State == types.DeploymentState_DEPLOYMENT_STATE_UNSPECIFIED || d.State == request.State
	}
	deployments, next, err := somePages(ctx, q.ownerDeployments, request.Pagination,
		func(key providerKey, _ collections.NoValue) (listed[types.Deployment], error) {
			deployment, err := q.getDeployment(ctx, key.K2())
			return listed[types.Deployment]{entry: deployment, wanted: wanted(deployment)}, err
		},
		query.WithCollectionPaginationPairPrefix[sdk.AccAddress, uint64](owner))
	if err != nil {
		return nil, err
	}
	return &types.QueryDeploymentsResponse{Deployments: deployments, Pagination: next}, nil
}

func (k *Keeper) withBids(ctx context.Context, id uint64) (types.Deployment, []types.Bid, error) {
	deployment, err := k.getDeployment(ctx, id)
	if err != nil {
		return types.Deployment{}, nil, err
	}
	bids, err := k.bidsOf(ctx, id)
	return deployment, bids, err
}
