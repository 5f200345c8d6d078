package keeper

import (
	"context"
	"errors"
	"fmt"
	gomath "math"
	"slices"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/match"
	"github.com/souk-network/souk/x/escrow/ledger"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
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
	bonds     providertypes.Params
	number    uint64 // of the clearing
	now       uint64
	ackWindow uint64

	offerAt    map[uint64]uint32 // offer id to position
	poolAt     map[string]uint32 // provider and pool id to position
	providerAt map[string]uint32 // provider to position
	zoneAt     map[string]uint32 // value of the label zone to number, from 1

	// last is the last offer that was looked at, cut tells that the limit of classes ended the window behind it.
	last uint64
	cut  bool
	// returns is the first second at which a provider that is left out for its maintenance is back; 0 for none.
	returns uint64
}

type bookOffer struct {
	types.Offer
	pool, class, zone uint32
}

type bookPool struct {
	free, largest match.Vector
	provider      uint32
}

type bookProvider struct {
	providertypes.Provider
	operator sdk.AccAddress
	attested []types.Attested
}

// readBook reads a window of the active offers, until there are too many classes. An offer that cannot be read is left out.
func (k *Keeper) readBook(ctx context.Context, ids []uint64, params types.Params) (*book, error) {
	bonds, err := k.provider.GetParams(ctx)
	if err != nil {
		return nil, fmt.Errorf("read provider parameters: %w", err)
	}
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}
	b := &book{
		classes: newClasses(), bonds: bonds, now: now, ackWindow: uint64(params.AckWindowSeconds),
		offerAt: map[uint64]uint32{}, poolAt: map[string]uint32{}, providerAt: map[string]uint32{}, zoneAt: map[string]uint32{},
	}
	for _, id := range ids {
		err := escrowtypes.Guard(func() error { return k.readInto(ctx, b, id, int(params.ClassesPerBlock)) })
		if err != nil {
			k.logger(ctx).Error("offer left out of clearing", "offer", id, "err", err)
		}
		if b.cut {
			break
		}
		b.last = id
	}
	return b, nil
}

// readInto adds an offer, unless its provider takes no leases.
func (k *Keeper) readInto(ctx context.Context, b *book, id uint64, classLimit int) error {
	offer, err := k.getOffer(ctx, id)
	if err != nil || offer.Terms.Expired(b.now) {
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
	if !b.takesLeases(b.providers[provider].Provider) {
		return nil
	}
	pool, err := k.readPoolInto(ctx, b, operator, offer, provider)
	if err != nil {
		return err
	}
	class, room, err := b.classes.class(types.Standing{
		Labels: offer.Labels, Attested: b.providers[provider].attested, Terms: offer.Terms,
	}, classLimit)
	if err != nil {
		return err
	}
	if !room {
		b.cut = true
		return nil
	}
	b.offerAt[offer.Id] = uint32(len(b.offers))
	b.offers = append(b.offers, bookOffer{Offer: offer, pool: pool, class: class, zone: b.zone(offer.Zone())})
	return nil
}

// takesLeases tells whether a provider may get leases now, and notes when one in maintenance is back.
func (b *book) takesLeases(p providertypes.Provider) bool {
	if !mayServe(p) {
		return false
	}
	back, away := maintained(p, b.now, b.now+b.ackWindow)
	if away && (b.returns == 0 || back < b.returns) {
		b.returns = back
	}
	return !away
}

// mayServe tells whether a provider may get leases when it is not in maintenance.
func mayServe(p providertypes.Provider) bool {
	return p.Lifecycle == providertypes.Lifecycle_LIFECYCLE_ACTIVE && !p.Jailed()
}

// maintained tells whether a provider is in maintenance at a second between now and until, and when it is back.
func maintained(p providertypes.Provider, now, until uint64) (back uint64, away bool) {
	for _, m := range p.Maintenance {
		if m.From < until && now < m.Until {
			back, away = max(back, m.Until), true
		}
	}
	return back, away
}

func (k *Keeper) readProviderInto(ctx context.Context, b *book, operator sdk.AccAddress, text string) (uint32, error) {
	provider, err := k.provider.GetProvider(ctx, operator)
	if err != nil {
		return 0, fmt.Errorf("read provider %s: %w", text, err)
	}
	attested, err := k.attestedAt(ctx, operator, b.now)
	if err != nil {
		return 0, err
	}
	at := uint32(len(b.providers))
	b.providerAt[text] = at
	b.providers = append(b.providers, bookProvider{Provider: provider, operator: operator, attested: attested})
	return at, nil
}

// attestedAt returns what auditors vouch for of a provider at a second, by auditor.
func (k *Keeper) attestedAt(ctx context.Context, operator sdk.AccAddress, now uint64) ([]types.Attested, error) {
	attestations, err := k.provider.AttestationsOf(ctx, operator)
	if err != nil {
		return nil, err
	}
	var attested []types.Attested
	for _, a := range attestations {
		if !a.CountsAt(now) {
			continue
		}
		labels := make([]types.Label, len(a.Labels))
		for i, l := range a.Labels {
			labels[i] = types.Label{Key: l.Key, Value: l.Value}
		}
		attested = append(attested, types.Attested{Auditor: a.Auditor, Labels: labels})
	}
	return attested, nil
}

func (k *Keeper) readPoolInto(
	ctx context.Context, b *book, operator sdk.AccAddress, offer types.Offer, provider uint32,
) (uint32, error) {
	key := fmt.Sprintf("%s/%d", offer.Provider, offer.Pool)
	if pool, known := b.poolAt[key]; known {
		return pool, nil
	}
	read, err := k.getPool(ctx, operator, offer.Pool)
	if err != nil {
		return 0, err
	}
	pool := uint32(len(b.pools))
	b.poolAt[key] = pool
	b.pools = append(b.pools, bookPool{free: read.Free(), largest: read.LargestUnit.Vector(), provider: provider})
	return pool, nil
}

// zone numbers a value of the label zone, from 1; the empty one is 0: nowhere that is known.
func (b *book) zone(value string) uint32 {
	if value == "" {
		return 0
	}
	number, known := b.zoneAt[value]
	if !known {
		number = uint32(len(b.zoneAt)) + 1
		b.zoneAt[value] = number
	}
	return number
}

// view is a book as package match sees it in one denom. Positions of pools and providers are the same in all denoms.
// A provider whose exposure cannot be read gets no lease, nor does one whose bond is below the least.
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
		view.Providers[i].RateRoom = providerRoom(p.Provider, denom, exposure, b.bonds)
	}
	for i, p := range b.pools {
		view.Pools[i] = match.Pool{Provider: p.provider, Free: p.free, LargestUnit: p.largest}
	}
	for _, o := range b.offers {
		if ask, ok := types.AskIn(o.Asks, denom); ok {
			view.Offers = append(view.Offers, match.Offer{
				ID: o.Id, Pool: o.pool, Class: o.class, Reputation: b.providers[b.pools[o.pool].provider].Reputation,
				Zone: o.zone, Ask: ask.Vector(),
			})
		}
	}
	return view
}

// providerRoom is the further lease rate in a denom that a provider's bond covers: none while it is below the least.
func providerRoom(p providertypes.Provider, denom string, exposure uint64, bonds providertypes.Params) uint64 {
	atStake := p.Bond.AmountOf(denom)
	if atStake.LT(minBond(bonds, denom).Amount) {
		return 0
	}
	return rateRoom(atStake, exposure, bonds.BondHours)
}

// nobody is the position of providers that are not in the book.
const nobody = gomath.MaxUint32

// demand is a bid as package match sees it beside this book. leases are the live ones of its deployment, if it is spread.
func (k *Keeper) demand(
	ctx context.Context, b *book, bid types.Bid, tenant types.Tenant, leases []types.Lease,
) (match.Bid, error) {
	demand := bid.Demand()
	demand.Classes = b.classes.suiting(bid.Spec, tenant)
	if bid.Missing() == 0 { // it wants standbys
		keep(demand.Classes, b.classes.terms.unready, false)
	}
	demand.MinReputation = bid.Spec.MinReputation
	demand.MaxPerProvider, demand.MaxPerZone = bid.Spec.MaxPerProvider, bid.Spec.MaxPerZone
	for _, provider := range bid.Spec.Allow {
		demand.Allowed = append(demand.Allowed, b.position(provider))
	}
	for _, provider := range slices.Concat(bid.Spec.Deny, bid.Excluded) {
		if at := b.position(provider); at != nobody {
			demand.Excluded = append(demand.Excluded, at)
		}
	}
	if !spreadPlaced(bid) {
		return demand, nil
	}
	placed, err := k.placements(ctx, b, bid, leases)
	if err != nil {
		return match.Bid{}, err
	}
	demand.Placed = placed
	return demand, k.keepApart(ctx, b, bid, leases, &demand)
}

// spreadPlaced tells whether a bid has leases that matter for where its next ones may be: they count against its spread, or
// it keeps standbys apart from what they stand by for.
func spreadPlaced(bid types.Bid) bool {
	if bid.Spec.Standbys > 0 || bid.StandingBy > 0 {
		return bid.Placed+bid.StandingBy > 0
	}
	return bid.Placed > 0 && (bid.Spec.MaxPerProvider > 0 || bid.Spec.MaxPerZone > 0)
}

func (b *book) position(provider string) uint32 {
	at, known := b.providerAt[provider]
	if !known {
		return nobody
	}
	return at
}

// placements are the live leases of a bid, out of those of its deployment, by provider and zone; the zone is what the offer
// says now, and is looked up only where it matters. There are at most MaxLiveLeases.
func (k *Keeper) placements(ctx context.Context, b *book, bid types.Bid, leases []types.Lease) ([]match.Placement, error) {
	var placed []match.Placement
	for _, lease := range leases {
		if lease.Bid != bid.Id {
			continue
		}
		var zone uint32
		if bid.Spec.MaxPerZone > 0 {
			var err error
			if zone, _, err = k.zoneOf(ctx, b, lease.Offer); err != nil {
				return nil, err
			}
		}
		placed = append(placed, match.Placement{Provider: b.position(lease.Provider), Zone: zone, Replicas: lease.Replicas})
	}
	return placed, nil
}

// zoneOf returns the number of the zone that an offer is in, whether it is in the book or not, and whether it names one.
func (k *Keeper) zoneOf(ctx context.Context, b *book, id uint64) (zone uint32, named bool, err error) {
	if at, known := b.offerAt[id]; known {
		return b.offers[at].zone, b.offers[at].zone != 0, nil
	}
	offer, err := k.getOffer(ctx, id)
	if err != nil {
		return 0, false, err
	}
	return b.zoneAt[offer.Zone()], offer.Zone() != "", nil
}

// tenant is what the terms of the book's offers look at of a deployment. What no offer looks at is not read.
func (k *Keeper) tenant(ctx context.Context, b *book, deployment uint64, denom string) (types.Tenant, error) {
	tenant := types.Tenant{Denom: denom}
	if b.classes.terms.lists() {
		d, err := k.getDeployment(ctx, deployment)
		if err != nil {
			return types.Tenant{}, err
		}
		tenant.Owner = d.Owner
	}
	if len(b.classes.terms.rich) > 0 {
		account, err := k.escrow.Account(ctx, deployment)
		if err != nil {
			return types.Tenant{}, err
		}
		tenant.Received = received(account)
	}
	return tenant, nil
}

// received is all that an account was given, in micro-denom.
func received(account escrowtypes.Account) math.Int {
	grains := math.ZeroInt()
	for _, d := range account.Deposits {
		grains = grains.Add(d.Remainder).Add(d.Spent)
	}
	return ledger.FloorMicro(grains)
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
