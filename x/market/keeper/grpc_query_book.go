package keeper

import (
	"context"

	"cosmossdk.io/collections"

	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// Book lists active offers with what clearing looks at, so that a tenant can compute who would serve a bid.
func (q queryServer) Book(ctx context.Context, request *types.QueryBookRequest) (*types.QueryBookResponse, error) {
	if request == nil {
		return nil, errEmptyRequest
	}
	bounds, err := page(request.Pagination)
	if err != nil {
		return nil, err
	}
	params, err := q.provider.GetParams(ctx)
	if err != nil {
		return nil, err
	}
	entries, next, err := query.CollectionPaginate(ctx, q.activeOffers, bounds,
		func(id uint64, _ collections.NoValue) (types.BookEntry, error) { return q.bookEntry(ctx, id, params) })
	if err != nil {
		return nil, err
	}
	return &types.QueryBookResponse{Entries: entries, Pagination: next}, nil
}

func (k *Keeper) bookEntry(ctx context.Context, id uint64, params providertypes.Params) (types.BookEntry, error) {
	offer, err := k.getOffer(ctx, id)
	if err != nil {
		return types.BookEntry{}, err
	}
	operator, err := k.operator(offer.Provider)
	if err != nil {
		return types.BookEntry{}, err
	}
	pool, err := k.getPool(ctx, operator, offer.Pool)
	if err != nil {
		return types.BookEntry{}, err
	}
	provider, err := k.provider.GetProvider(ctx, operator)
	if err != nil {
		return types.BookEntry{}, err
	}
	entry := types.BookEntry{
		Offer: offer, Pool: pool, Reputation: provider.Reputation,
		ProviderName: provider.Info.Name, GatewayUri: provider.GatewayUri,
	}
	for _, ask := range offer.Asks {
		exposure, err := k.exposure(ctx, operator, ask.Denom)
		if err != nil {
			return types.BookEntry{}, err
		}
		entry.RateRoom = append(entry.RateRoom, types.RateRoom{
			Denom: ask.Denom, Rate: rateRoom(provider.Bond.AmountOf(ask.Denom), exposure, params.BondHours),
		})
	}
	return entry, nil
}
