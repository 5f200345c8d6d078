package keeper

import (
	"context"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
)

var _ escrowtypes.DeadlineSource = offerDeadlines{}

// OfferDeadlines is the queue of offers that leave the book at a second of their own.
func (k *Keeper) OfferDeadlines() escrowtypes.DeadlineSource { return offerDeadlines{k} }

type offerDeadlines struct{ k *Keeper }

// Name of the source.
func (offerDeadlines) Name() string { return types.OfferSource }

// NextDeadline returns the second at which the next offer expires.
func (d offerDeadlines) NextDeadline(ctx context.Context) (uint64, bool, error) {
	key, ok, err := first(ctx, d.k.offerDeadlines, types.OfferSource)
	return key.K1(), ok, err
}

// ProcessNext withdraws the first expired offer. Its leases go on.
func (d offerDeadlines) ProcessNext(ctx context.Context) (uint64, error) {
	key, err := pop(ctx, d.k.offerDeadlines, types.OfferSource)
	if err != nil {
		return 0, err
	}
	return key.K2(), d.Retry(ctx, key.K2())
}

// Quarantine takes the first offer out of the queue. It serves nobody any more: clearing looks at its second too.
func (d offerDeadlines) Quarantine(ctx context.Context) (uint64, error) {
	key, err := pop(ctx, d.k.offerDeadlines, types.OfferSource)
	return key.K2(), err
}

// Retry withdraws an offer that has expired, unless it was withdrawn or prolonged meanwhile.
func (d offerDeadlines) Retry(ctx context.Context, id uint64) error {
	offer, err := d.k.getOffer(ctx, id)
	if err != nil {
		return err
	}
	now, err := d.k.escrow.Now(ctx)
	if err != nil {
		return err
	}
	if offer.State == types.OfferState_OFFER_STATE_WITHDRAWN || !offer.Terms.Expired(now) {
		return nil
	}
	operator, err := d.k.operator(offer.Provider)
	if err != nil {
		return err
	}
	return d.k.withdraw(ctx, operator, offer)
}
