package keeper

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"cosmossdk.io/collections"

	"github.com/souk-network/souk/x/market/types"
)

// getBid returns a bid, or ErrBidNotFound.
func (k *Keeper) getBid(ctx context.Context, id uint64) (types.Bid, error) {
	bid, err := k.bids.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return types.Bid{}, types.ErrBidNotFound.Wrapf("bid %d", id)
	}
	if err != nil {
		return types.Bid{}, fmt.Errorf("read bid %d: %w", id, err)
	}
	bid.Id = id
	status, err := k.bidStatuses.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return bid, nil // as it was made
	}
	if err != nil {
		return types.Bid{}, fmt.Errorf("read bid %d: %w", id, err)
	}
	return bid.WithStatus(status), nil
}

// addBid writes a new bid and puts it into the book. What changes is written apart once it changes.
func (k *Keeper) addBid(ctx context.Context, bid types.Bid) (types.Bid, error) {
	id, err := k.nextBid.Next(ctx)
	if err != nil {
		return types.Bid{}, fmt.Errorf("number a bid: %w", err)
	}
	if err := k.bids.Set(ctx, id, bid); err != nil {
		return types.Bid{}, fmt.Errorf("write bid %d: %w", id, err)
	}
	if err := k.deploymentBids.Set(ctx, collections.Join(bid.Deployment, id)); err != nil {
		return types.Bid{}, fmt.Errorf("index bid %d: %w", id, err)
	}
	bid.Id = id
	return bid, k.enterBook(ctx, bid)
}

func (k *Keeper) setBid(ctx context.Context, bid types.Bid) error {
	if err := k.bidStatuses.Set(ctx, bid.Id, bid.Status()); err != nil {
		return fmt.Errorf("write bid %d: %w", bid.Id, err)
	}
	return nil
}

func (k *Keeper) enterBook(ctx context.Context, bid types.Bid) error {
	err := errors.Join(
		k.openBids.Set(ctx, bid.Id),
		k.bidDeadlines.Set(ctx, collections.Join(bid.ExpiresAt, bid.Id)),
	)
	if err != nil {
		return fmt.Errorf("put bid %d into the book: %w", bid.Id, err)
	}
	return nil
}

func (k *Keeper) leaveBook(ctx context.Context, bid types.Bid) error {
	err := errors.Join(
		k.openBids.Remove(ctx, bid.Id),
		k.bidDeadlines.Remove(ctx, collections.Join(bid.ExpiresAt, bid.Id)),
	)
	if err != nil {
		return fmt.Errorf("take bid %d out of the book: %w", bid.Id, err)
	}
	return nil
}

// endBid takes an open bid out of the book for good; of any other it changes the state.
func (k *Keeper) endBid(ctx context.Context, bid types.Bid, state types.BidState) error {
	if bid.State == types.BidState_BID_STATE_OPEN {
		if err := k.leaveBook(ctx, bid); err != nil {
			return err
		}
	}
	bid.State = state
	return k.setBid(ctx, bid)
}

// place counts replicas that got a lease; a bid that has all leaves the book.
func (k *Keeper) place(ctx context.Context, bid types.Bid, replicas uint32) error {
	bid.Placed += replicas
	if bid.Missing() == 0 {
		return k.endBid(ctx, bid, types.BidState_BID_STATE_FILLED)
	}
	return k.setBid(ctx, bid)
}

// replace returns replicas whose provider failed to the book, without that provider. A bid that was full rests anew;
// one that has expired or was closed wants nothing any more.
func (k *Keeper) replace(ctx context.Context, id uint64, replicas uint32, failed string, at uint64) error {
	bid, err := k.getBid(ctx, id)
	if err != nil {
		return err
	}
	if replicas > bid.Placed {
		return types.ErrBroken.Wrapf("bid %d has %d replicas placed, not %d", id, bid.Placed, replicas)
	}
	bid.Placed -= replicas
	bid.Excluded = exclude(bid.Excluded, failed)
	if bid.State == types.BidState_BID_STATE_FILLED {
		params, err := k.Params(ctx)
		if err != nil {
			return err
		}
		bid.State = types.BidState_BID_STATE_OPEN
		bid.ExpiresAt = at + uint64(params.BidLifetimeSeconds)
		if err := k.enterBook(ctx, bid); err != nil {
			return err
		}
	}
	return k.setBid(ctx, bid)
}

// exclude adds a provider; the oldest of too many is forgotten.
func exclude(excluded []string, provider string) []string {
	if slices.Contains(excluded, provider) {
		return excluded
	}
	if len(excluded) >= types.MaxExcluded {
		excluded = excluded[len(excluded)-types.MaxExcluded+1:]
	}
	return append(slices.Clone(excluded), provider)
}

// bidsOf returns the bids of a deployment by id, at most MaxBids.
func (k *Keeper) bidsOf(ctx context.Context, deployment uint64) ([]types.Bid, error) {
	ids, err := idsUnder(ctx, k.deploymentBids, deployment)
	if err != nil {
		return nil, fmt.Errorf("walk bids of deployment %d: %w", deployment, err)
	}
	bids := make([]types.Bid, len(ids))
	for i, id := range ids {
		if bids[i], err = k.getBid(ctx, id); err != nil {
			return nil, err
		}
	}
	return bids, nil
}

// idsUnder returns the second halves of the keys that begin with first.
func idsUnder(ctx context.Context, set collections.KeySet[pairKey], first uint64) ([]uint64, error) {
	iterator, err := set.Iterate(ctx, collections.NewPrefixedPairRange[uint64, uint64](first))
	if err != nil {
		return nil, err
	}
	keys, err := iterator.Keys()
	if err != nil {
		return nil, err
	}
	ids := make([]uint64, len(keys))
	for i, key := range keys {
		ids[i] = key.K2()
	}
	return ids, nil
}
