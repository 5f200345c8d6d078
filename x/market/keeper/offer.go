package keeper

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/market/types"
)

const secondsPerDay = 24 * 3600

// getOffer returns an offer as it is now, or ErrOfferNotFound.
func (k *Keeper) getOffer(ctx context.Context, id uint64) (types.Offer, error) {
	offer, err := k.offers.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return types.Offer{}, types.ErrOfferNotFound.Wrapf("offer %d", id)
	}
	if err != nil {
		return types.Offer{}, fmt.Errorf("read offer %d: %w", id, err)
	}
	offer.Id = id
	if len(offer.NextAsks) == 0 {
		return offer, nil
	}
	clearings, err := k.clearings(ctx)
	return offer.At(clearings), err
}

// clearings returns the number of the last clearing: what counts after a clearing counts once it is higher. During a
// clearing it is still that of the one before.
func (k *Keeper) clearings(ctx context.Context) (uint64, error) {
	turn, err := k.clearing.Get(ctx)
	if err != nil {
		return 0, fmt.Errorf("read the number of the last clearing: %w", err)
	}
	return turn.Number, nil
}

// saveOffer writes an offer, its indexes, and the highest asks of its pool.
func (k *Keeper) saveOffer(ctx context.Context, provider sdk.AccAddress, offer types.Offer) error {
	if err := k.writeOffer(ctx, provider, offer); err != nil {
		return err
	}
	pool, err := k.getPool(ctx, provider, offer.Pool)
	if err != nil {
		return err
	}
	offers, err := k.offersOf(ctx, provider)
	if err != nil {
		return err
	}
	highest := types.HighestAsks(slices.DeleteFunc(offers, func(o types.Offer) bool {
		return o.Pool != offer.Pool || o.State != types.OfferState_OFFER_STATE_ACTIVE
	}))
	if slices.Equal(highest, pool.HighestAsks) {
		return nil
	}
	pool.HighestAsks = highest
	return k.setPool(ctx, provider, pool)
}

// writeOffer writes an offer and its indexes.
func (k *Keeper) writeOffer(ctx context.Context, provider sdk.AccAddress, offer types.Offer) error {
	id := offer.Id
	active := offer.State == types.OfferState_OFFER_STATE_ACTIVE
	listed := offer.State != types.OfferState_OFFER_STATE_WITHDRAWN
	offer.Id = 0
	err := errors.Join(
		k.offers.Set(ctx, id, offer),
		include(ctx, k.activeOffers, id, active && !offer.Terms.QuotesOnly),
		include(ctx, k.quoteOffers, id, active && offer.Terms.QuotesOnly),
		include(ctx, k.providerOffers, collections.Join(provider, id), listed),
	)
	if offer.Terms.ExpiresAt != 0 {
		err = errors.Join(err, include(ctx, k.offerDeadlines, collections.Join(offer.Terms.ExpiresAt, id), listed))
	}
	if err != nil {
		return fmt.Errorf("write offer %d: %w", id, err)
	}
	return nil
}

// include puts a key into a set or takes it out.
func include[K any](ctx context.Context, set collections.KeySet[K], key K, in bool) error {
	if in {
		return set.Set(ctx, key)
	}
	return set.Remove(ctx, key)
}

// offersOf returns the offers of a provider that are not withdrawn, by id, at most MaxOffers.
func (k *Keeper) offersOf(ctx context.Context, provider sdk.AccAddress) ([]types.Offer, error) {
	ids, err := k.offerIDs(ctx, provider)
	if err != nil {
		return nil, err
	}
	offers := make([]types.Offer, len(ids))
	for i, id := range ids {
		if offers[i], err = k.getOffer(ctx, id); err != nil {
			return nil, err
		}
	}
	return offers, nil
}

// offerIDs returns the ids of the offers of a provider that are not withdrawn, at most MaxOffers.
func (k *Keeper) offerIDs(ctx context.Context, provider sdk.AccAddress) ([]uint64, error) {
	iterator, err := k.providerOffers.Iterate(ctx, collections.NewPrefixedPairRange[sdk.AccAddress, uint64](provider))
	if err != nil {
		return nil, fmt.Errorf("walk offers of %s: %w", provider, err)
	}
	keys, err := iterator.Keys()
	if err != nil {
		return nil, fmt.Errorf("walk offers of %s: %w", provider, err)
	}
	ids := make([]uint64, len(keys))
	for i, key := range keys {
		ids[i] = key.K2()
	}
	return ids, nil
}

// withdraw ends an offer for good. Its leases go on, also those that wait to be acknowledged.
func (k *Keeper) withdraw(ctx context.Context, provider sdk.AccAddress, offer types.Offer) error {
	offer.State, offer.SuspendedUntil = types.OfferState_OFFER_STATE_WITHDRAWN, 0
	if err := k.saveOffer(ctx, provider, offer); err != nil {
		return err
	}
	if err := k.unsettle(ctx, provider); err != nil {
		return err
	}
	return emit(ctx, types.NewEventOfferChanged(offer))
}

// withdrawAll ends all offers of a provider, at most MaxOffers.
func (k *Keeper) withdrawAll(ctx context.Context, provider sdk.AccAddress) error {
	offers, err := k.offersOf(ctx, provider)
	if err != nil {
		return err
	}
	for _, offer := range offers {
		if err := k.withdraw(ctx, provider, offer); err != nil {
			return err
		}
	}
	return nil
}

// noteMiss remembers that a lease of the offer was not acknowledged, and suspends the offer when that happened too often
// within a day.
func (k *Keeper) noteMiss(ctx context.Context, provider sdk.AccAddress, id, at uint64) error {
	params, err := k.Params(ctx)
	if err != nil {
		return err
	}
	offer, err := k.getOffer(ctx, id)
	if err != nil {
		return err
	}
	offer.MissedAcks = lastMisses(offer.MissedAcks, at, int(params.MissedAcks))
	if len(offer.MissedAcks) < int(params.MissedAcks) || offer.State != types.OfferState_OFFER_STATE_ACTIVE {
		return k.writeOffer(ctx, provider, offer)
	}
	offer.State = types.OfferState_OFFER_STATE_SUSPENDED
	offer.SuspendedUntil = at + uint64(params.SuspensionSeconds)
	if err := k.saveOffer(ctx, provider, offer); err != nil {
		return err
	}
	return emit(ctx, types.NewEventOfferChanged(offer))
}

// lastMisses adds a second to those of earlier misses, and forgets what is more than a day older than the latest, or one
// too many. A deadline that is processed late may lie before a miss that is noted already.
func lastMisses(seconds []uint64, at uint64, limit int) []uint64 {
	seconds = append(slices.Clone(seconds), at)
	slices.Sort(seconds)
	latest := seconds[len(seconds)-1]
	seconds = slices.DeleteFunc(seconds, func(second uint64) bool { return second+secondsPerDay <= latest })
	return seconds[max(0, len(seconds)-limit):]
}
