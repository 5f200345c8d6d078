package keeper

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/market/types"
)

// settleLease processes all that is due of a lease and was not processed yet, because blocks have more deadlines than they
// may process, in the order of time and each at its own second: so nothing that a message does depends on that delay. It
// returns the lease as it is then.
func (k *Keeper) settleLease(ctx context.Context, lease types.Lease, now uint64) (types.Lease, error) {
	for lease.State.Live() {
		due, err := k.firstDue(ctx, lease, now)
		if err != nil || due == nil {
			return lease, err
		}
		if err := due.do(ctx); err != nil {
			return types.Lease{}, err
		}
		if lease, err = k.getLease(ctx, lease.Id); err != nil {
			return types.Lease{}, err
		}
	}
	return lease, nil
}

// settledLeases returns the live leases of a deployment by id, once what was due is processed.
func (k *Keeper) settledLeases(ctx context.Context, deployment, now uint64) ([]types.Lease, error) {
	return k.settleAll(ctx, now, func() ([]types.Lease, error) { return k.liveLeasesOf(ctx, deployment) })
}

// settleAll processes what is due of some live leases, in the order of time over all of them, and returns them as they are
// then. What happens to one may befall others at its second: standbys take over, or are not needed any more.
func (k *Keeper) settleAll(
	ctx context.Context, now uint64, read func() ([]types.Lease, error),
) ([]types.Lease, error) {
	for { // each round processes something, and each lease ends once
		leases, err := read()
		if err != nil {
			return nil, err
		}
		queue, err := k.dueOf(ctx, leases, now)
		if err != nil || len(queue) == 0 {
			return leases, err
		}
		for _, next := range queue {
			again, err := k.settleNext(ctx, next, now)
			if err != nil {
				return nil, fmt.Errorf("settle lease %d: %w", next.lease, err)
			}
			if again {
				break
			}
		}
	}
}

// settleWaiting settles what is due of the bid of a lease before its provider takes a standby, or declines: whether a standby is
// wanted at once, and what a bid wants again, depends on what it has lost by now, not on how far blocks have come. It returns the
// lease, which still waits.
func (k *Keeper) settleWaiting(ctx context.Context, lease types.Lease, now uint64) (types.Lease, error) {
	behind, err := k.behind(ctx, now)
	if err != nil || !behind {
		return lease, err
	}
	if err := k.settleBid(ctx, lease.Bid, lease.Deployment, now); err != nil {
		return types.Lease{}, err
	}
	if lease, err = k.getLease(ctx, lease.Id); err != nil {
		return types.Lease{}, err
	}
	if lease.State != types.LeaseState_LEASE_STATE_PENDING {
		return types.Lease{}, types.ErrLeaseState.Wrapf("lease %d has ended", lease.Id)
	}
	return lease, nil
}

// settleBid processes what is due of all leases of a bid and of itself: in the order of time, since a bid leaves the book before it
// loses what ends later.
func (k *Keeper) settleBid(ctx context.Context, id, deployment, now uint64) error {
	_, err := k.settleAll(ctx, now, func() ([]types.Lease, error) {
		leases, err := k.liveLeasesOf(ctx, deployment)
		return slices.DeleteFunc(leases, func(l types.Lease) bool { return l.Bid != id }), err
	})
	if err != nil {
		return err
	}
	bid, err := k.getBid(ctx, id)
	if err != nil || bid.State != types.BidState_BID_STATE_OPEN || bid.ExpiresAt > now {
		return err
	}
	return k.expireBid(ctx, id)
}

// behind tells whether any deadline of the market that is due waits to be processed.
func (k *Keeper) behind(ctx context.Context, now uint64) (bool, error) {
	for _, source := range k.DeadlineSources() {
		second, found, err := source.NextDeadline(ctx)
		if err != nil {
			return false, fmt.Errorf("next deadline of %s: %w", source.Name(), err)
		}
		if found && second <= now {
			return true, nil
		}
	}
	return false, nil
}

// settleNext processes what is due of one lease, unless that has changed meanwhile. It tells whether the queue is another
// from then on: more is due of this lease, or of standbys that took over.
func (k *Keeper) settleNext(ctx context.Context, next dueItem, now uint64) (again bool, err error) {
	lease, err := k.getLease(ctx, next.lease)
	if err != nil || !lease.State.Live() {
		return false, err
	}
	due, err := k.firstDue(ctx, lease, now)
	if err != nil || due == nil {
		return false, err
	}
	if due.compare(next) != 0 {
		return true, nil
	}
	before, err := k.getBid(ctx, lease.Bid)
	if err != nil {
		return false, err
	}
	if err := due.do(ctx); err != nil {
		return false, err
	}
	if lease, err = k.getLease(ctx, lease.Id); err != nil {
		return false, err
	}
	after, err := k.getBid(ctx, lease.Bid)
	return lease.State.Live() || after.StandingBy != before.StandingBy, err
}

// dueItem is what is to be done first of what is due of a lease. The source is the place of its deadlines among those of the
// market.
type dueItem struct {
	second uint64
	source int
	lease  uint64
	do     func(context.Context) error
}

// Places of sources, in the order in which they are registered.
const (
	dueAck = iota
	dueBid
	dueEnd
	dueAnswer
	dueSweep
)

// compare orders items as the deadlines that they are.
func (d dueItem) compare(other dueItem) int {
	return cmp.Or(cmp.Compare(d.second, other.second), cmp.Compare(d.source, other.source), cmp.Compare(d.lease, other.lease))
}

// dueOf returns what is due first of each of some live leases, in the order of time.
func (k *Keeper) dueOf(ctx context.Context, leases []types.Lease, now uint64) ([]dueItem, error) {
	var queue []dueItem
	for _, lease := range leases {
		due, err := k.firstDue(ctx, lease, now)
		if err != nil {
			return nil, fmt.Errorf("settle lease %d: %w", lease.Id, err)
		}
		if due != nil {
			queue = append(queue, *due)
		}
	}
	slices.SortFunc(queue, dueItem.compare)
	return queue, nil
}

// firstDue returns what is to be done first of what is due of a live lease; nil for nothing. Ties go in the order in which
// the deadline sources are registered.
func (k *Keeper) firstDue(ctx context.Context, lease types.Lease, now uint64) (*dueItem, error) {
	due := dueItem{
		second: lease.Deadline(), source: dueEnd, lease: lease.Id,
		do: func(ctx context.Context) error { return k.endDue(ctx, lease) },
	}
	if lease.State == types.LeaseState_LEASE_STATE_PENDING {
		due.second, due.source = lease.AckBy, dueAck
		due.do = func(ctx context.Context) error {
			return k.failPending(ctx, lease, types.Reason_REASON_NOT_ACKED, lease.AckBy)
		}
	}
	if err := k.bidDue(ctx, lease, &due); err != nil {
		return nil, err
	}
	if lease.AnswerBy != 0 && (due.second == 0 || lease.AnswerBy < due.second) {
		due.second, due.source = lease.AnswerBy, dueAnswer
		due.do = func(ctx context.Context) error { return k.failUnreachable(ctx, lease, lease.AnswerBy) }
	}
	provider, err := k.operator(lease.Provider)
	if err != nil {
		return nil, err
	}
	sweeps, err := k.sweepsOf(ctx, provider)
	if err != nil {
		return nil, err
	}
	for _, sweep := range sweeps { // by second
		if concerns(sweep, lease) && (due.second == 0 || sweep.Second < due.second) {
			due.second, due.source = sweep.Second, dueSweep
			due.do = func(ctx context.Context) error { return k.sweepLease(ctx, lease, sweep.Cause, sweep.Second) }
		}
	}
	if due.second == 0 || due.second > now {
		return nil, nil
	}
	return &due, nil
}

// bidDue makes the second at which the bid of a standby leaves the book the first that is due, if it is: where nothing is placed,
// the standby ends with it.
func (k *Keeper) bidDue(ctx context.Context, lease types.Lease, due *dueItem) error {
	if !lease.Standby {
		return nil
	}
	bid, err := k.getBid(ctx, lease.Bid)
	if err != nil {
		return err
	}
	expires := bid.State == types.BidState_BID_STATE_OPEN && bid.Placed == 0
	if expires && (due.second == 0 || cmp.Or(cmp.Compare(bid.ExpiresAt, due.second), cmp.Compare(dueBid, due.source)) < 0) {
		due.second, due.source = bid.ExpiresAt, dueBid
		due.do = func(ctx context.Context) error { return k.expireBid(ctx, bid.Id) }
	}
	return nil
}

// endDue ends a paid lease at the second of its term or of its notice, whichever is first.
func (k *Keeper) endDue(ctx context.Context, lease types.Lease) error {
	switch at := lease.Deadline(); at {
	case 0:
		return nil
	case lease.EndsAt:
		return k.expire(ctx, lease)
	default:
		return k.leave(ctx, lease)
	}
}

// concerns tells whether a sweep has something to do with a live lease: it was there at the second of the sweep, which
// has not come to it yet. One with notice needs no other.
func concerns(sweep types.ProviderSweep, lease types.Lease) bool {
	if lease.CreatedAt > sweep.Second || lease.Id <= sweep.Cursor {
		return false
	}
	return sweep.Cause == types.SweepCause_SWEEP_CAUSE_JAILED || lease.State != types.LeaseState_LEASE_STATE_LEAVING
}

// sweepsOf returns the sweeps of a provider that are under way, by second.
func (k *Keeper) sweepsOf(ctx context.Context, provider sdk.AccAddress) ([]types.ProviderSweep, error) {
	iterator, err := k.providerSweeps.Iterate(ctx, collections.NewPrefixedPairRange[sdk.AccAddress, uint64](provider))
	if err != nil {
		return nil, fmt.Errorf("walk sweeps of %s: %w", provider, err)
	}
	entries, err := iterator.KeyValues()
	if err != nil {
		return nil, fmt.Errorf("walk sweeps of %s: %w", provider, err)
	}
	sweeps := make([]types.ProviderSweep, 0, len(entries))
	for _, entry := range entries {
		sweep, err := k.readSweep(ctx, collections.Join(entry.Key.K2(), entry.Value))
		if errors.Is(err, collections.ErrNotFound) {
			continue // dropped when nobody could know whose it was
		}
		if err != nil {
			return nil, err
		}
		sweeps = append(sweeps, sweep)
	}
	return sweeps, nil
}
