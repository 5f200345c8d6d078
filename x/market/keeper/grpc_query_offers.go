package keeper

import (
	"context"

	"github.com/souk-network/souk/x/market/types"
)

// Offer returns one offer with its pool.
func (q queryServer) Offer(ctx context.Context, request *types.QueryOfferRequest) (*types.QueryOfferResponse, error) {
	if request == nil {
		return nil, errEmptyRequest
	}
	offer, err := q.getOffer(ctx, request.Id)
	if err != nil {
		return nil, asStatus(err)
	}
	operator, err := q.operator(offer.Provider)
	if err != nil {
		return nil, err
	}
	pool, err := q.getPool(ctx, operator, offer.Pool)
	if err != nil {
		return nil, asStatus(err)
	}
	return &types.QueryOfferResponse{Offer: offer, Pool: pool}, nil
}

// ProviderOffers lists the pools of a provider, its offers that are not withdrawn, and what its live leases cost.
func (q queryServer) ProviderOffers(
	ctx context.Context, request *types.QueryProviderOffersRequest,
) (*types.QueryProviderOffersResponse, error) {
	if request == nil {
		return nil, errEmptyRequest
	}
	operator, err := q.account(request.Provider)
	if err != nil {
		return nil, err
	}
	pools, err := q.providerPools(ctx, operator)
	if err != nil {
		return nil, err
	}
	offers, err := q.offersOf(ctx, operator)
	if err != nil {
		return nil, err
	}
	exposures, err := q.exposuresOf(ctx, operator)
	if err != nil {
		return nil, err
	}
	return &types.QueryProviderOffersResponse{Pools: pools, Offers: offers, Exposures: exposures}, nil
}
