package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
)

var (
	_ escrowtypes.DeadlineSource = ackDeadlines{}
	_ escrowtypes.DeadlineSource = bidDeadlines{}
	_ escrowtypes.DeadlineSource = leaseDeadlines{}
)

// DeadlineSources are the queues of the market in the order in which the application registers them: that of ties in time.
func (k *Keeper) DeadlineSources() []escrowtypes.DeadlineSource {
	return []escrowtypes.DeadlineSource{
		k.AckDeadlines(), k.BidDeadlines(), k.LeaseDeadlines(), k.OfferDeadlines(), k.SweepDeadlines(), k.RetainedLeases(),
	}
}

// AckDeadlines is the queue of leases that wait for their provider.
func (k *Keeper) AckDeadlines() escrowtypes.DeadlineSource { return ackDeadlines{k} }

// BidDeadlines is the queue of bids that rest in the book.
func (k *Keeper) BidDeadlines() escrowtypes.DeadlineSource { return bidDeadlines{k} }

// LeaseDeadlines is the queue of leases that end by themselves: with their term, or with the notice of their provider.
func (k *Keeper) LeaseDeadlines() escrowtypes.DeadlineSource { return leaseDeadlines{k} }

type ackDeadlines struct{ k *Keeper }

// Name of the source.
func (ackDeadlines) Name() string { return types.AckSource }

// NextDeadline returns the second at which the next acknowledgement is late.
func (d ackDeadlines) NextDeadline(ctx context.Context) (uint64, bool, error) {
	key, ok, err := first(ctx, d.k.ackDeadlines, types.AckSource)
	return key.K1(), ok, err
}

// ProcessNext fails the first lease that was not acknowledged.
func (d ackDeadlines) ProcessNext(ctx context.Context) (uint64, error) {
	key, err := pop(ctx, d.k.ackDeadlines, types.AckSource)
	if err != nil {
		return 0, err
	}
	return key.K2(), d.fail(ctx, key.K2())
}

// Quarantine takes the first lease out of the queue. It stays pending and its money stays held.
func (d ackDeadlines) Quarantine(ctx context.Context) (uint64, error) {
	key, err := pop(ctx, d.k.ackDeadlines, types.AckSource)
	return key.K2(), err
}

// Retry fails a lease that was quarantined, unless it has ended meanwhile.
func (d ackDeadlines) Retry(ctx context.Context, id uint64) error { return d.fail(ctx, id) }

func (d ackDeadlines) fail(ctx context.Context, id uint64) error {
	lease, err := d.k.getLease(ctx, id)
	if err != nil {
		return err
	}
	if lease.State != types.LeaseState_LEASE_STATE_PENDING {
		return nil
	}
	return d.k.failPending(ctx, lease, types.Reason_REASON_NOT_ACKED, lease.AckBy)
}

type leaseDeadlines struct{ k *Keeper }

// Name of the source.
func (leaseDeadlines) Name() string { return types.LeaseSource }

// NextDeadline returns the second at which the next lease ends by itself.
func (d leaseDeadlines) NextDeadline(ctx context.Context) (uint64, bool, error) {
	key, ok, err := first(ctx, d.k.leaseDeadlines, types.LeaseSource)
	return key.K1(), ok, err
}

// ProcessNext ends the first lease whose term or notice is over.
func (d leaseDeadlines) ProcessNext(ctx context.Context) (uint64, error) {
	key, err := pop(ctx, d.k.leaseDeadlines, types.LeaseSource)
	if err != nil {
		return 0, err
	}
	return key.K2(), d.end(ctx, key.K2())
}

// Quarantine takes the first lease out of the queue. It goes on, and is paid.
func (d leaseDeadlines) Quarantine(ctx context.Context) (uint64, error) {
	key, err := pop(ctx, d.k.leaseDeadlines, types.LeaseSource)
	return key.K2(), err
}

// Retry ends a lease that was quarantined, at its second, unless it has ended meanwhile.
func (d leaseDeadlines) Retry(ctx context.Context, id uint64) error { return d.end(ctx, id) }

func (d leaseDeadlines) end(ctx context.Context, id uint64) error {
	lease, err := d.k.getLease(ctx, id)
	if err != nil {
		return err
	}
	return d.k.endDue(ctx, lease)
}

type bidDeadlines struct{ k *Keeper }

// Name of the source.
func (bidDeadlines) Name() string { return types.BidSource }

// NextDeadline returns the second at which the next bid expires.
func (d bidDeadlines) NextDeadline(ctx context.Context) (uint64, bool, error) {
	key, ok, err := first(ctx, d.k.bidDeadlines, types.BidSource)
	return key.K1(), ok, err
}

// ProcessNext takes the first expired bid out of the book. The leases that it has go on.
func (d bidDeadlines) ProcessNext(ctx context.Context) (uint64, error) {
	key, err := pop(ctx, d.k.bidDeadlines, types.BidSource)
	if err != nil {
		return 0, err
	}
	return key.K2(), d.expire(ctx, key.K2())
}

// Quarantine takes the first bid out of the queue. It stays in the book.
func (d bidDeadlines) Quarantine(ctx context.Context) (uint64, error) {
	key, err := pop(ctx, d.k.bidDeadlines, types.BidSource)
	return key.K2(), err
}

// Retry expires a bid that was quarantined, unless it is not open any more.
func (d bidDeadlines) Retry(ctx context.Context, id uint64) error { return d.expire(ctx, id) }

func (d bidDeadlines) expire(ctx context.Context, id uint64) error {
	bid, err := d.k.getBid(ctx, id)
	if err != nil {
		return err
	}
	if bid.State != types.BidState_BID_STATE_OPEN {
		return nil
	}
	if err := d.k.endBid(ctx, bid, types.BidState_BID_STATE_EXPIRED); err != nil {
		return err
	}
	return emit(ctx, types.NewEventBidExpired(bid))
}

// first returns the first key of a queue. It looks from the item that this block dealt with last: nothing is ever filed
// before it.
func first(
	ctx context.Context, queue collections.KeySet[pairKey], source string,
) (key pairKey, ok bool, err error) {
	from := new(collections.Range[pairKey])
	if last, ok := escrowtypes.LastItem(ctx, source); ok {
		from = from.StartInclusive(collections.Join(last.Second, last.ID))
	}
	iterator, err := queue.Iterate(ctx, from)
	if err != nil {
		return pairKey{}, false, fmt.Errorf("look for the first deadline: %w", err)
	}
	defer func() { err = errors.Join(err, iterator.Close()) }()
	if !iterator.Valid() {
		return pairKey{}, false, nil
	}
	key, err = iterator.Key()
	if err != nil {
		return pairKey{}, false, fmt.Errorf("read the first deadline: %w", err)
	}
	return key, true, nil
}

// pop takes the first key out of a queue.
func pop(ctx context.Context, queue collections.KeySet[pairKey], source string) (pairKey, error) {
	key, ok, err := first(ctx, queue, source)
	if err != nil {
		return pairKey{}, err
	}
	if !ok {
		return pairKey{}, types.ErrBroken.Wrap("no deadline is due")
	}
	if err := queue.Remove(ctx, key); err != nil {
		return pairKey{}, fmt.Errorf("drop a deadline: %w", err)
	}
	return key, nil
}
