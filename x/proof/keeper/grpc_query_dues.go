package keeper

import (
	"context"
	"errors"

	sdkmath "cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/proof/types"
)

// Dues lists what was due for each lease of a provider in an epoch and denom, by lease, and the receipts on the chain that may
// bind its leaf: what its tree must be made of. A page reads
// at most 1,000 leases, of which some may have had nothing due: it may be short although there is a next one.
func (q *queryServer) Dues(ctx context.Context, request *types.QueryDuesRequest) (*types.QueryDuesResponse, error) {
	if request == nil {
		return nil, errEmpty
	}
	provider, err := q.address(request.Provider)
	if err != nil {
		return nil, err
	}
	if err := sdk.ValidateDenom(request.Denom); err != nil {
		return nil, types.ErrInvalidRequest.Wrap(err.Error())
	}
	epoch, err := q.Keeper.Epoch(ctx, request.Epoch)
	if err != nil {
		return nil, err
	}
	service, err := q.serviceOf(ctx, provider, request.Denom, epoch.Number)
	if err != nil {
		return nil, err
	}
	bounds, err := page(request.Pagination, maxDues, false)
	if err != nil {
		return nil, err
	}
	leases, next, err := q.market.LeasesOf(ctx, provider, bounds)
	if err != nil {
		return nil, err
	}
	response := &types.QueryDuesResponse{Service: service, Pagination: next}
	for _, lease := range leases {
		if lease.Denom != request.Denom || lease.CreatedAt >= epoch.End {
			continue
		}
		due, err := q.DueOf(ctx, lease, epoch)
		if unknowable(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if due.Seconds == 0 {
			continue
		}
		response.Dues = append(response.Dues, types.Due{Lease: lease.Id, Grains: due.Grains, Seconds: due.Seconds})
		posted, err := q.Posted(ctx, epoch.Number, lease.Id)
		if err != nil {
			return nil, err
		}
		if len(posted.Words) > 0 {
			response.Posted = append(response.Posted, posted)
		}
	}
	return response, nil
}

// unknowable tells that what was due for a lease cannot be said: its streams are forgotten, were replaced too often, or stopped by
// something that could not be processed. Nothing can be proven of such a lease, and nobody can ask for it; it must not keep its
// provider from proving the others.
func unknowable(err error) bool {
	for _, reason := range []error{escrowtypes.ErrStreamNotFound, escrowtypes.ErrTooManyStreams, escrowtypes.ErrBehind} {
		if errors.Is(err, reason) {
			return true
		}
	}
	return false
}

// serviceOf returns what service earned in an epoch, in grains; 0 when it earned nothing. It rolls the pot if that was not done, in
// a state that is thrown away.
func (q *queryServer) serviceOf(ctx context.Context, provider sdk.AccAddress, denom string, epoch uint64) (sdkmath.Int, error) {
	cache, _ := sdk.UnwrapSDKContext(ctx).CacheContext()
	pot, err := q.escrow.EpochPot(cache, provider, denom, epoch)
	if errors.Is(err, escrowtypes.ErrEpochPot) {
		return sdkmath.ZeroInt(), nil
	}
	return pot.Service, err
}
