package keeper

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/market/types"
)

// Clearing returns what the last clearing of a denom did, and the weights of the next one.
func (q queryServer) Clearing(ctx context.Context, request *types.QueryClearingRequest) (*types.QueryClearingResponse, error) {
	if request == nil {
		return nil, errEmptyRequest
	}
	if err := sdk.ValidateDenom(request.Denom); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	weights, err := q.weightsOf(ctx, request.Denom)
	if err != nil {
		return nil, err
	}
	res := &types.QueryClearingResponse{Weights: types.WeightsOf(request.Denom, weights)}
	cleared, err := q.cleared.Get(ctx, request.Denom)
	if errors.Is(err, collections.ErrNotFound) {
		return res, nil
	}
	if err != nil {
		return nil, err
	}
	res.Cleared = &cleared
	return res, nil
}
