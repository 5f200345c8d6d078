package keeper

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/collections"

	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// Book lists the active offers of the auction, or those outside of it, whose providers take leases, with what clearing looks at, so that a tenant can compute who
// would serve a bid.
func (q queryServer) Book(ctx context.Context, request *types.QueryBookRequest) (*types.QueryBookResponse, error) {
	if request == nil {
		return nil, errEmptyRequest
	}
	if len(request.Requirements) > types.MaxRequirements {
		return nil, status.Errorf(codes.InvalidArgument, "%d requirements: at most %d", len(request.Requirements), types.MaxRequirements)
	}
	for _, r := range request.Requirements {
		if err := r.Validate(); err != nil {
			return nil, status.Error(codes.InvalidArgument, err.Error())
		}
	}
	view, err := q.bookView(ctx)
	if err != nil {
		return nil, err
	}
	offers := q.activeOffers
	if request.QuotesOnly {
		offers = q.quoteOffers
	}
	entries, next, err := somePages(ctx, offers, request.Pagination,
		func(id uint64, _ collections.NoValue) (listed[types.BookEntry], error) {
			offer, err := q.getOffer(ctx, id)
			if err != nil || !view.shows(offer, request) {
				return listed[types.BookEntry]{}, err
			}
			return q.bookEntry(ctx, offer, view)
		})
	if err != nil {
		return nil, err
	}
	return &types.QueryBookResponse{Entries: entries, Pagination: next}, nil
}

// bookView is when and by what parameters the book is looked at.
type bookView struct {
	now, ackWindow uint64
	bonds          providertypes.Params
}

func (k *Keeper) bookView(ctx context.Context) (bookView, error) {
	params, err := k.Params(ctx)
	if err != nil {
		return bookView{}, err
	}
	bonds, err := k.provider.GetParams(ctx)
	if err != nil {
		return bookView{}, err
	}
	now, err := k.escrow.Now(ctx)
	return bookView{now: now, ackWindow: uint64(params.AckWindowSeconds), bonds: bonds}, err
}

// shows tells whether an offer is what a request wants to see.
func (v bookView) shows(offer types.Offer, request *types.QueryBookRequest) bool {
	if request.Denom != "" {
		if _, asks := types.AskIn(offer.Asks, request.Denom); !asks {
			return false
		}
	}
	return !offer.Terms.Expired(v.now) && types.Satisfies(offer.Labels, request.Requirements)
}

// bookEntry returns an offer with what clearing looks at; none when its provider takes no leases.
func (k *Keeper) bookEntry(ctx context.Context, offer types.Offer, view bookView) (listed[types.BookEntry], error) {
	var none listed[types.BookEntry]
	operator, err := k.operator(offer.Provider)
	if err != nil {
		return none, err
	}
	provider, err := k.provider.GetProvider(ctx, operator)
	if err != nil {
		return none, err
	}
	if _, away := maintained(provider, view.now, view.now+view.ackWindow); away || !mayServe(provider) {
		return none, nil
	}
	entry := types.BookEntry{
		Offer: offer, Reputation: provider.Reputation, ProviderName: provider.Info.Name, GatewayUri: provider.GatewayUri,
	}
	if entry.Pool, err = k.getPool(ctx, operator, offer.Pool); err != nil {
		return none, err
	}
	if entry.Attested, err = k.attestedAt(ctx, operator, view.now); err != nil {
		return none, err
	}
	for _, ask := range offer.Asks {
		exposure, err := k.exposure(ctx, operator, ask.Denom)
		if err != nil {
			return none, err
		}
		entry.RateRoom = append(entry.RateRoom, types.RateRoom{
			Denom: ask.Denom, Rate: providerRoom(provider, ask.Denom, exposure, view.bonds),
		})
	}
	return listed[types.BookEntry]{entry: entry, wanted: true}, nil
}
