package keeper

import (
	"context"
	"fmt"
	"slices"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/match"
	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// lane is a bid that collects quotes, with what all checks of its quotes look at, each read once.
type lane struct {
	bid      types.Bid
	now      uint64
	params   types.Params
	bonds    providertypes.Params
	owner    string
	received math.Int // by the account; unset until a quote needs it
	placed   []placedAt
}

// placedAt are replicas that a spread bid has somewhere.
type placedAt struct {
	provider, zone string
	replicas       uint32
}

// laneOf reads what the checks of a bid's quotes look at.
func (k *Keeper) laneOf(ctx context.Context, bid types.Bid, now uint64) (*lane, error) {
	l := &lane{bid: bid, now: now}
	var err error
	if l.params, err = k.Params(ctx); err != nil {
		return nil, err
	}
	if l.bonds, err = k.provider.GetParams(ctx); err != nil {
		return nil, fmt.Errorf("read provider parameters: %w", err)
	}
	deployment, err := k.getDeployment(ctx, bid.Deployment)
	if err != nil {
		return nil, err
	}
	l.owner = deployment.Owner
	if !spreadPlaced(bid) {
		return l, nil
	}
	leases, err := k.liveLeasesOf(ctx, bid.Deployment)
	if err != nil {
		return nil, err
	}
	for _, lease := range leases {
		if lease.Bid != bid.Id {
			continue
		}
		at := placedAt{provider: lease.Provider, replicas: lease.Replicas}
		if bid.Spec.MaxPerZone > 0 {
			offer, err := k.getOffer(ctx, lease.Offer)
			if err != nil {
				return nil, err
			}
			at.zone = offer.Zone()
		}
		l.placed = append(l.placed, at)
	}
	return l, nil
}

// acceptable tells why replicas of a quote can not be accepted now; nil if they can.
func (k *Keeper) acceptable(ctx context.Context, l *lane, quote types.Quote, replicas uint32) error {
	if quote.Expired(l.now) {
		return types.ErrQuoteExpired.Wrapf("at second %d, and it is %d", quote.ExpiresAt, l.now)
	}
	offer, err := k.getOffer(ctx, quote.Offer)
	if err != nil {
		return err
	}
	return k.servable(ctx, l, offer, replicas, quote.Rate*uint64(replicas))
}

// servable tells why an offer can not serve replicas of a bid now for a rate of all of them; nil if it can. It asks what
// clearing asks of offers, pools and providers, one by one.
func (k *Keeper) servable(ctx context.Context, l *lane, offer types.Offer, replicas uint32, rate uint64) error {
	switch {
	case offer.State == types.OfferState_OFFER_STATE_SUSPENDED:
		return types.ErrSuspended.Wrapf("offer %d", offer.Id)
	case offer.State != types.OfferState_OFFER_STATE_ACTIVE || offer.Terms.Expired(l.now):
		return types.ErrOfferState.Wrapf("offer %d", offer.Id)
	}
	seller, err := k.sellerOf(ctx, l, offer)
	if err != nil {
		return err
	}
	for _, check := range []func() error{
		func() error { return l.checkSeller(seller) },
		func() error { return k.checkStanding(ctx, l, offer, seller) },
		func() error { return l.checkSpread(offer, replicas) },
		func() error { return k.checkCapacity(ctx, l, offer, seller, replicas) },
		func() error { return k.checkBond(ctx, l, seller, rate) },
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// sellerOf returns the provider of an offer with what is attested of it now, if it takes leases.
func (k *Keeper) sellerOf(ctx context.Context, l *lane, offer types.Offer) (bookProvider, error) {
	operator, err := k.operator(offer.Provider)
	if err != nil {
		return bookProvider{}, err
	}
	provider, err := k.provider.GetProvider(ctx, operator)
	if err != nil {
		return bookProvider{}, fmt.Errorf("read provider %s: %w", offer.Provider, err)
	}
	_, away := maintained(provider, l.now, l.now+uint64(l.params.AckWindowSeconds))
	if away || !mayServe(provider) {
		return bookProvider{}, types.ErrTakesNoLeases.Wrap(offer.Provider)
	}
	seller := bookProvider{Provider: provider, operator: operator}
	if len(l.bid.Spec.AttestedBy) > 0 {
		seller.attested, err = k.attestedAt(ctx, operator, l.now)
	}
	return seller, err
}

// checkSeller refuses a provider that the bid does not take.
func (l *lane) checkSeller(seller bookProvider) error {
	name, spec := seller.Operator, l.bid.Spec
	switch {
	case len(spec.Allow) > 0 && !slices.Contains(spec.Allow, name), slices.Contains(spec.Deny, name):
		return types.ErrUnsuitable.Wrapf("bid %d does not take provider %s", l.bid.Id, name)
	case slices.Contains(l.bid.Excluded, name):
		return types.ErrUnsuitable.Wrapf("provider %s has failed bid %d before", name, l.bid.Id)
	case seller.Reputation < spec.MinReputation:
		return types.ErrUnsuitable.Wrapf("provider %s has a reputation of %d, not %d", name, seller.Reputation, spec.MinReputation)
	}
	return nil
}

// checkStanding refuses an offer whose labels, attestations or terms do not suit the bid.
func (k *Keeper) checkStanding(ctx context.Context, l *lane, offer types.Offer, seller bookProvider) error {
	if len(offer.Terms.MinDeposit) > 0 && l.received.IsNil() {
		account, err := k.escrow.Account(ctx, l.bid.Deployment)
		if err != nil {
			return fmt.Errorf("read account %d: %w", l.bid.Deployment, err)
		}
		l.received = received(account)
	}
	standing := types.Standing{Labels: offer.Labels, Attested: seller.attested, Terms: offer.Terms}
	if !l.bid.Spec.Suits(standing, types.Tenant{Owner: l.owner, Denom: l.bid.Denom, Received: l.received}) {
		return types.ErrUnsuitable.Wrapf("the labels, attestations or terms of offer %d are not what bid %d takes", offer.Id, l.bid.Id)
	}
	return nil
}

// checkSpread refuses more replicas at one provider, or in one zone, than the bid allows, with those that it has there.
func (l *lane) checkSpread(offer types.Offer, replicas uint32) error {
	spec, zone := l.bid.Spec, offer.Zone()
	if spec.MaxPerZone > 0 && zone == "" {
		return types.ErrUnsuitable.Wrapf("offer %d names no zone", offer.Id)
	}
	atProvider, inZone := replicas, replicas
	for _, p := range l.placed {
		if p.provider == offer.Provider {
			atProvider += p.replicas
		}
		if p.zone == zone {
			inZone += p.replicas
		}
	}
	switch {
	case spec.MaxPerProvider > 0 && atProvider > spec.MaxPerProvider:
		return types.ErrUnsuitable.Wrapf("bid %d takes %d replicas at a provider, not %d", l.bid.Id, spec.MaxPerProvider, atProvider)
	case spec.MaxPerZone > 0 && inZone > spec.MaxPerZone:
		return types.ErrUnsuitable.Wrapf("bid %d takes %d replicas in a zone, not %d", l.bid.Id, spec.MaxPerZone, inZone)
	}
	return nil
}

// checkCapacity refuses replicas that the offer's pool does not have free, or that fit none of its machines.
func (k *Keeper) checkCapacity(ctx context.Context, l *lane, offer types.Offer, seller bookProvider, replicas uint32) error {
	pool, err := k.getPool(ctx, seller.operator, offer.Pool)
	if err != nil {
		return err
	}
	unit, free, largest := l.bid.Spec.Unit.Vector(), pool.Free(), pool.LargestUnit.Vector()
	for i, all := range l.bid.Spec.Unit.Times(replicas) {
		if unit[i] > largest[i] {
			return types.ErrNoCapacity.Wrapf("a unit of pool %d of %s has at most %d %s, not %d", pool.Id, offer.Provider, largest[i],
				match.Dim(i).Unit(), unit[i])
		}
		if all > free[i] {
			return types.ErrNoCapacity.Wrapf("pool %d of %s has %d %s free, not %d", pool.Id, offer.Provider, free[i],
				match.Dim(i).Unit(), all)
		}
	}
	return nil
}

// checkBond refuses a rate that the provider's bond does not cover beside its other leases.
func (k *Keeper) checkBond(ctx context.Context, l *lane, seller bookProvider, rate uint64) error {
	exposure, err := k.exposure(ctx, seller.operator, l.bid.Denom)
	if err != nil {
		return err
	}
	if room := providerRoom(seller.Provider, l.bid.Denom, exposure, l.bonds); rate > room {
		return types.ErrBondTooLow.Wrapf("the bond of %s covers %d%s an hour more, not %d", seller.Operator, room, l.bid.Denom, rate)
	}
	return nil
}
