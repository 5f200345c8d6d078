package keeper

import (
	"context"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
)

// DeadlineSources are the queues of the market in the order in which the application registers them: that of ties in time.
func (k *Keeper) DeadlineSources() []escrowtypes.DeadlineSource {
	return []escrowtypes.DeadlineSource{
		escrowtypes.Queue{Source: types.AckSource, Keys: k.ackDeadlines, Handle: k.failUnacked},
		escrowtypes.Queue{Source: types.BidSource, Keys: k.bidDeadlines, Handle: k.expireBid},
		escrowtypes.Queue{Source: types.LeaseSource, Keys: k.leaseDeadlines, Handle: k.endLeaseDue},
		escrowtypes.Queue{Source: types.ChallengeSource, Keys: k.answerDeadlines, Handle: k.failUnanswered},
		escrowtypes.Queue{Source: types.OfferSource, Keys: k.offerDeadlines, Handle: k.expireOffer},
		sweepDeadlines{k},
		escrowtypes.Queue{Source: types.RetainedSource, Keys: k.retained, Handle: k.forgetRetained},
	}
}

// failUnacked fails a lease that waits for its provider. In quarantine it stays pending and its money stays held.
func (k *Keeper) failUnacked(ctx context.Context, id uint64) error {
	lease, err := k.getLease(ctx, id)
	if err != nil {
		return err
	}
	if lease.State != types.LeaseState_LEASE_STATE_PENDING {
		return nil
	}
	return k.failPending(ctx, lease, types.Reason_REASON_NOT_ACKED, lease.AckBy)
}

// endLeaseDue ends a lease whose term or notice is over, at its second. In quarantine it goes on, and is paid.
func (k *Keeper) endLeaseDue(ctx context.Context, id uint64) error {
	lease, err := k.getLease(ctx, id)
	if err != nil {
		return err
	}
	return k.endDue(ctx, lease)
}

// expireBid takes a bid out of the book, where it stays in quarantine. The leases that it has go on; standbys end when
// nothing is left to stand by for.
func (k *Keeper) expireBid(ctx context.Context, id uint64) error {
	bid, err := k.getBid(ctx, id)
	if err != nil {
		return err
	}
	if bid.State != types.BidState_BID_STATE_OPEN {
		return nil
	}
	dismissed := bid.Placed == 0 && bid.StandingBy > 0
	if dismissed {
		if err := k.dismiss(ctx, &bid, types.Reason_REASON_NOT_NEEDED, bid.ExpiresAt); err != nil {
			return err
		}
	}
	if err := k.endBid(ctx, bid, types.BidState_BID_STATE_EXPIRED); err != nil {
		return err
	}
	if dismissed {
		if err := k.resumeAfter(ctx, bid.Deployment); err != nil {
			return err
		}
	}
	return emit(ctx, types.NewEventBidExpired(bid))
}

// expireOffer withdraws an offer, unless it was prolonged; its leases go on. In quarantine it serves nobody any more:
// clearing looks at its second too.
func (k *Keeper) expireOffer(ctx context.Context, id uint64) error {
	offer, err := k.getOffer(ctx, id)
	if err != nil {
		return err
	}
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return err
	}
	if offer.State == types.OfferState_OFFER_STATE_WITHDRAWN || !offer.Terms.Expired(now) {
		return nil
	}
	operator, err := k.operator(offer.Provider)
	if err != nil {
		return err
	}
	return k.withdraw(ctx, operator, offer)
}
