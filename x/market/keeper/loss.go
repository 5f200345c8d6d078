package keeper

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
)

// releaseReplicas notes that the replicas of a lease that has ended are wanted no more. When nothing is wanted any more the
// standbys end too, for a reason. A standby that ended is wanted anew; a bid that has expired asks for standbys only then.
func (k *Keeper) releaseReplicas(ctx context.Context, lease types.Lease, at uint64, reason types.Reason) error {
	bid, err := k.withoutLease(ctx, lease, at)
	if err != nil {
		return err
	}
	switch {
	case !lease.Standby:
		bid.Released += lease.Replicas
	case bid.State == types.BidState_BID_STATE_EXPIRED:
		bid.Released += bid.Missing()
	}
	return k.refile(ctx, bid, lease.Standby, at, reason)
}

// replaceServed is replace for the replicas of a lease that was served, unless its bid wants none in their stead: then only
// standbys take over.
func (k *Keeper) replaceServed(ctx context.Context, lease types.Lease, at uint64) ([]uint64, error) {
	bid, err := k.withoutLease(ctx, lease, at)
	if err != nil {
		return nil, err
	}
	return k.lose(ctx, bid, lease, at, !bid.Spec.NoReplace)
}

// replace lets standbys take over the replicas of a lease that has ended with its provider, and returns the rest to the book,
// without that provider. It returns the standbys that took over.
func (k *Keeper) replace(ctx context.Context, lease types.Lease, at uint64) ([]uint64, error) {
	bid, err := k.withoutLease(ctx, lease, at)
	if err != nil {
		return nil, err
	}
	return k.lose(ctx, bid, lease, at, true)
}

// withoutLease returns the bid of a lease that has ended at a second, with fewer replicas placed, or standing by. A bid that was to
// expire before does so first, if blocks have not come to it: what comes back to it does not depend on that delay.
func (k *Keeper) withoutLease(ctx context.Context, lease types.Lease, at uint64) (types.Bid, error) {
	if err := k.expireFirst(ctx, lease, at); err != nil {
		return types.Bid{}, err
	}
	bid, err := k.getBid(ctx, lease.Bid)
	if err != nil {
		return types.Bid{}, err
	}
	count := &bid.Placed
	if lease.Standby {
		count = &bid.StandingBy
	}
	if lease.Replicas > *count {
		return types.Bid{}, types.ErrBroken.Wrapf("bid %d has %d replicas placed and %d standing by; lease %d has %d", bid.Id,
			bid.Placed, bid.StandingBy, lease.Id, lease.Replicas)
	}
	*count -= lease.Replicas
	return bid, nil
}

// expireFirst takes the bid of a lease out of the book if that was due before the lease ended. At the same second late
// acknowledgements come before bids, and all else after them.
func (k *Keeper) expireFirst(ctx context.Context, lease types.Lease, at uint64) error {
	bid, err := k.getBid(ctx, lease.Bid)
	if err != nil {
		return err
	}
	unacked := lease.State == types.LeaseState_LEASE_STATE_PENDING && lease.AckBy == at
	if bid.State != types.BidState_BID_STATE_OPEN || bid.ExpiresAt > at || unacked && bid.ExpiresAt == at {
		return nil
	}
	return k.expireBid(ctx, bid.Id)
}

// lose settles what a bid has lost with the provider of a lease that has ended and is not counted any more. What standbys do
// not take over returns to the book if it is wanted. A lost standby is wanted anew. Of a bid that has expired only what was
// placed comes back: what it still missed is wanted no more.
func (k *Keeper) lose(ctx context.Context, bid types.Bid, lease types.Lease, at uint64, wanted bool) ([]uint64, error) {
	var promoted []uint64
	left := lease.Replicas
	if lease.Standby {
		left = 0
	} else {
		var err error
		if promoted, err = k.promote(ctx, bid, lease); err != nil {
			return nil, err
		}
	}
	taken := uint32(len(promoted))
	bid.Placed, bid.StandingBy, left = bid.Placed+taken, bid.StandingBy-taken, left-min(left, taken)
	if !wanted {
		bid.Released += left
		left = 0
	}
	again := left > 0 || taken > 0 || lease.Standby
	if again && bid.State == types.BidState_BID_STATE_EXPIRED {
		bid.Released += bid.Missing() - min(bid.Missing(), left)
	}
	if wanted || bid.Spec.Standbys > 0 {
		bid.Excluded = exclude(bid.Excluded, lease.Provider)
	}
	bid.Returned = bid.Returned || left > 0
	return promoted, k.refile(ctx, bid, again, at, types.Reason_REASON_NOT_NEEDED)
}

// refile writes a bid that has lost something, and puts it into the book, or takes it out, as it wants; again tells that it
// wants more than before. Its standbys end for a reason when it wants nobody to serve.
func (k *Keeper) refile(ctx context.Context, bid types.Bid, again bool, at uint64, reason types.Reason) error {
	expired := bid.State == types.BidState_BID_STATE_EXPIRED
	if bid.Placed == 0 && (bid.Missing() == 0 || expired && !again) {
		if err := k.dismiss(ctx, &bid, reason, at); err != nil {
			return err
		}
	}
	switch {
	case bid.Complete() && bid.State == types.BidState_BID_STATE_OPEN:
		return k.endBid(ctx, bid, types.BidState_BID_STATE_FILLED)
	case bid.Complete() || !again:
		return k.setBid(ctx, bid)
	case bid.State != types.BidState_BID_STATE_OPEN:
		return k.returnBid(ctx, bid, at)
	}
	if err := k.readAgain(ctx, bid); err != nil {
		return err
	}
	return k.setBid(ctx, bid)
}

// promote lets standbys of a bid take over the replicas of a lease that has ended, by id, those with notice last, and returns
// those that did. The bid does not count them yet. One that cannot, because the account has not enough for its whole rate, or
// because what is due of the account waits to be processed, goes on standing by, and the replica is left to the book: nothing
// that a standby meets may keep the lost lease from ending at its second.
func (k *Keeper) promote(ctx context.Context, bid types.Bid, lost types.Lease) ([]uint64, error) {
	if bid.StandingBy == 0 {
		return nil, nil
	}
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}
	ready, err := k.readyStandbys(ctx, bid, lost, now)
	if err != nil {
		return nil, err
	}
	var promoted []uint64
	for _, lease := range ready {
		if len(promoted) == int(lost.Replicas) {
			break
		}
		err := escrowtypes.Attempt(sdk.UnwrapSDKContext(ctx), func(ctx sdk.Context) error {
			return k.takeOver(ctx, lease, lost, now)
		})
		if err != nil {
			k.logger(ctx).Error("standby did not take over", "lease", lease.Id, "lost", lost.Id, "err", err)
			continue
		}
		promoted = append(promoted, lease.Id)
	}
	return promoted, nil
}

// readyStandbys returns the standbys of a bid that may take over now, those with notice last: they were acknowledged, nothing
// is due of them, and they are not of the provider that is lost.
func (k *Keeper) readyStandbys(ctx context.Context, bid types.Bid, lost types.Lease, now uint64) ([]types.Lease, error) {
	standbys, err := k.standbysOf(ctx, bid)
	if err != nil {
		return nil, err
	}
	var ready []types.Lease
	for _, lease := range standbys {
		if !lease.State.Paid() || lease.Provider == lost.Provider {
			continue
		}
		due, err := k.firstDue(ctx, lease, now)
		if err != nil {
			return nil, err
		}
		if due == nil {
			ready = append(ready, lease)
		}
	}
	slices.SortStableFunc(ready, func(a, b types.Lease) int { return cmp.Compare(min(a.LeavesAt, 1), min(b.LeavesAt, 1)) })
	return ready, nil
}

// takeOver lets a standby serve from now on, for as long as the lease would have whose replica it takes over. One with notice
// keeps it. On an account that is low it begins paused.
func (k *Keeper) takeOver(ctx context.Context, lease, lost types.Lease, now uint64) error {
	stream, err := k.escrow.ServeStream(ctx, lease.Stream, lease.Rate)
	if err != nil {
		return err
	}
	before := lease.Deadline()
	lease = paidBy(lease, stream)
	if lease, err = k.nowServes(ctx, lease); err != nil {
		return err
	}
	if lease.State == types.LeaseState_LEASE_STATE_STANDBY {
		lease.State = paidState(stream)
	}
	lease.EndsAt = lost.EndsAt
	if lost.EndsAt == 0 && lease.TermSeconds != 0 { // what is lost was not acknowledged
		lease.EndsAt = now + lease.TermSeconds
	}
	if err := k.moveDeadline(ctx, lease.Id, before, lease.Deadline()); err != nil {
		return err
	}
	if err := k.setLeaseStatus(ctx, lease); err != nil {
		return err
	}
	return emit(ctx, types.NewEventLeasePromoted(lease, lost.Id, now))
}

// settleWithBid is settleLease for a lease whose end concerns its bid: while blocks are behind, what is due of the whole bid is
// settled too, standbys that have to take over, or to end, among it, all in the order of time.
func (k *Keeper) settleWithBid(ctx context.Context, lease types.Lease, now uint64) (types.Lease, error) {
	behind, err := k.behind(ctx, now)
	if err != nil {
		return types.Lease{}, err
	}
	if !behind {
		return k.settleLease(ctx, lease, now)
	}
	if err := k.settleBid(ctx, lease.Bid, lease.Deployment, now); err != nil {
		return types.Lease{}, err
	}
	return k.getLease(ctx, lease.Id)
}

// checkHeirs refuses to give up a lease while those who stand by for it could not take over, since what is due of the account
// waits to be processed: the message may come again in the next block.
func (k *Keeper) checkHeirs(ctx context.Context, lease types.Lease, now uint64) error {
	bid, err := k.getBid(ctx, lease.Bid)
	if err != nil || lease.Standby || bid.StandingBy == 0 {
		return err
	}
	account, err := k.escrow.Account(ctx, lease.Account)
	if err != nil {
		return fmt.Errorf("read account %d: %w", lease.Account, err)
	}
	if due := account.DueAt(); due != 0 && due <= now {
		return types.ErrBehind.Wrapf("account %d, due at second %d: try again in the next block", account.Id, due)
	}
	return nil
}
