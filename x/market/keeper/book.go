package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/match"
	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// book is the part of the order book that one clearing sees: a window of the active offers, with their pools and
// providers, each read once.
type book struct {
	offers    []bookOffer
	pools     []bookPool
	providers []bookProvider
	classes   *classes
	bondHours uint32

	offerAt    map[uint64]uint32 // offer id to position
	poolAt     map[string]uint32 // provider and pool id to position
	providerAt map[string]uint32 // provider to position
}

type bookOffer struct {
	types.Offer
	pool, class uint32
}

type bookPool struct {
	free, largest match.Vector
	provider      uint32
}

type bookProvider struct {
	providertypes.Provider
	operator sdk.AccAddress
}

// readBook reads a window of the active offers. One that cannot be read is left out.
func (k *Keeper) readBook(ctx context.Context, ids []uint64) (*book, error) {
	params, err := k.provider.GetParams(ctx)
	if err != nil {
		return nil, fmt.Errorf("read provider parameters: %w", err)
	}
	b := &book{
		classes: newClasses(), bondHours: params.BondHours,
		offerAt: map[uint64]uint32{}, poolAt: map[string]uint32{}, providerAt: map[string]uint32{},
	}
	for _, id := range ids {
		if err := guard(func() error { return k.readInto(ctx, b, id) }); err != nil {
			k.logger(ctx).Error("offer left out of clearing", "offer", id, "err", err)
		}
	}
	return b, nil
}

// readInto adds an offer, unless its provider takes no leases.
func (k *Keeper) readInto(ctx context.Context, b *book, id uint64) error {
	offer, err := k.getOffer(ctx, id)
	if err != nil {
		return err
	}
	operator, err := k.operator(offer.Provider)
	if err != nil {
		return err
	}
	provider, known := b.providerAt[offer.Provider]
	if !known {
		if provider, err = k.readProviderInto(ctx, b, operator, offer.Provider); err != nil {
			return err
		}
	}
	if b.providers[provider].Lifecycle != providertypes.Lifecycle_LIFECYCLE_ACTIVE {
		return nil
	}
	key := fmt.Sprintf("%s/%d", offer.Provider, offer.Pool)
	pool, known := b.poolAt[key]
	if !known {
		read, err := k.getPool(ctx, operator, offer.Pool)
		if err != nil {
			return err
		}
		pool = uint32(len(b.pools))
		b.poolAt[key] = pool
		b.pools = append(b.pools, bookPool{free: read.Free(), largest: read.LargestUnit.Vector(), provider: provider})
	}
	b.offerAt[offer.Id] = uint32(len(b.offers))
	b.offers = append(b.offers, bookOffer{Offer: offer, pool: pool, class: b.classes.class(offer.Labels)})
	return nil
}

func (k *Keeper) readProviderInto(ctx context.Context, b *book, operator sdk.AccAddress, text string) (uint32, error) {
	provider, err := k.provider.GetProvider(ctx, operator)
	if err != nil {
		return 0, fmt.Errorf("read provider %s: %w", text, err)
	}
	at := uint32(len(b.providers))
	b.providerAt[text] = at
	b.providers = append(b.providers, bookProvider{Provider: provider, operator: operator})
	return at, nil
}

// view is a book as package match sees it in one denom. Positions of pools and providers are the same in all denoms.
// A provider whose exposure cannot be read gets no lease.
func (k *Keeper) view(ctx context.Context, b *book, denom string) match.Book {
	view := match.Book{
		Providers: make([]match.Provider, len(b.providers)),
		Pools:     make([]match.Pool, len(b.pools)),
	}
	for i, p := range b.providers {
		exposure, err := k.exposure(ctx, p.operator, denom)
		if err != nil {
			k.logger(ctx).Error("provider left out of clearing", "provider", p.Operator, "err", err)
			continue
		}
		view.Providers[i].RateRoom = rateRoom(p.Bond.AmountOf(denom), exposure, b.bondHours)
	}
	for i, p := range b.pools {
		view.Pools[i] = match.Pool{Provider: p.provider, Free: p.free, LargestUnit: p.largest}
	}
	for _, o := range b.offers {
		if ask, ok := types.AskIn(o.Asks, denom); ok {
			view.Offers = append(view.Offers, match.Offer{
				ID: o.Id, Pool: o.pool, Class: o.class, Reputation: b.providers[b.pools[o.pool].provider].Reputation,
				Ask: ask.Vector(),
			})
		}
	}
	return view
}

// demand is a bid as package match sees it beside this book.
func (b *book) demand(bid types.Bid) match.Bid {
	demand := bid.Demand()
	demand.Classes = b.classes.meeting(bid.Spec.Requirements)
	for _, provider := range bid.Excluded {
		if at, known := b.providerAt[provider]; known {
			demand.Excluded = append(demand.Excluded, at)
		}
	}
	return demand
}

// take notes that a lease has taken capacity of an offer's pool.
func (b *book) take(offer uint64, unit types.Resources, replicas uint32) {
	pool := &b.pools[b.offers[b.offerAt[offer]].pool]
	for i, q := range unit.Times(replicas) {
		pool.free[i] -= min(pool.free[i], q)
	}
}

// idsBetween returns at most limit ids of a set above after and below end, and whether there are more.
func idsBetween(
	ctx context.Context, set collections.KeySet[uint64], after, end uint64, limit int,
) (ids []uint64, more bool, err error) {
	if after+1 >= end {
		return nil, false, nil
	}
	iterator, err := set.Iterate(ctx, new(collections.Range[uint64]).StartExclusive(after).EndExclusive(end))
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, iterator.Close()) }()
	for ; iterator.Valid() && len(ids) < limit; iterator.Next() {
		id, err := iterator.Key()
		if err != nil {
			return nil, false, err
		}
		ids = append(ids, id)
	}
	return ids, iterator.Valid(), nil
}
