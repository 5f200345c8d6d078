package keeper

import (
	"context"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// BreakOffer takes an offer's record away, as no message can, so that what needs it fails; the result puts it back.
func (k *Keeper) BreakOffer(ctx context.Context, id uint64) (types.Offer, error) {
	offer, err := k.offers.Get(ctx, id)
	if err != nil {
		return types.Offer{}, err
	}
	return offer, k.offers.Remove(ctx, id)
}

// MendOffer puts back what BreakOffer took away.
func (k *Keeper) MendOffer(ctx context.Context, id uint64, offer types.Offer) error {
	return k.offers.Set(ctx, id, offer)
}

// LiveLeases returns the live leases of a deployment.
func (k *Keeper) LiveLeases(ctx context.Context, deployment uint64) ([]types.Lease, error) {
	return k.liveLeasesOf(ctx, deployment)
}

// NextLease returns the id that the next lease will have.
func (k *Keeper) NextLease(ctx context.Context) (uint64, error) { return k.nextLease.Peek(ctx) }

// BreakProviders makes every read of x/provider's parameters panic, until the result is called.
func (k *Keeper) BreakProviders() (mend func()) {
	whole := k.provider
	k.provider = brokenProviders{whole}
	return func() { k.provider = whole }
}

type brokenProviders struct{ types.ProviderKeeper }

func (brokenProviders) GetParams(context.Context) (providertypes.Params, error) { panic("poison") }

// LagAccounts lets every takeover meet an account of which something is due, until the result is called.
func (k *Keeper) LagAccounts() (catchUp func()) {
	whole := k.escrow
	k.escrow = laggingAccounts{whole}
	return func() { k.escrow = whole }
}

type laggingAccounts struct{ types.EscrowKeeper }

func (laggingAccounts) ServeStream(context.Context, uint64, uint64) (escrowtypes.Stream, error) {
	return escrowtypes.Stream{}, escrowtypes.ErrBehind
}

// BreakBid takes a bid's record away, so that what needs it fails; mend puts it back.
func (k *Keeper) BreakBid(ctx context.Context, id uint64) (mend func(context.Context) error, err error) {
	bid, err := k.bids.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error { return k.bids.Set(ctx, id, bid) }, k.bids.Remove(ctx, id)
}

// BreakLease takes the terms of a lease away, so that what needs them fails; mend puts them back.
func (k *Keeper) BreakLease(ctx context.Context, id uint64) (mend func(context.Context) error, err error) {
	lease, err := k.leases.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error { return k.leases.Set(ctx, id, lease) }, k.leases.Remove(ctx, id)
}

// ForceParams sets parameters that no proposal can set.
func (k *Keeper) ForceParams(ctx context.Context, params types.Params) error {
	return k.params.Set(ctx, params)
}
