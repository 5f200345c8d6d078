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
func (k *Keeper) addBid(ctx context.Context, bid types.Bid, funds *purse) (types.Bid, error) {
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
	if err := k.enterBook(ctx, bid); err != nil {
		return types.Bid{}, err
	}
	return bid, k.await(ctx, bid, funds)
}

func (k *Keeper) setBid(ctx context.Context, bid types.Bid) error {
	if err := k.bidStatuses.Set(ctx, bid.Id, bid.Status()); err != nil {
		return fmt.Errorf("write bid %d: %w", bid.Id, err)
	}
	return nil
}

// setBidTerms writes what of a bid changes only by an update.
func (k *Keeper) setBidTerms(ctx context.Context, bid types.Bid) error {
	terms := bid.Terms()
	terms.Id = 0
	if err := k.bids.Set(ctx, bid.Id, terms); err != nil {
		return fmt.Errorf("write terms of bid %d: %w", bid.Id, err)
	}
	return nil
}

func (k *Keeper) enterBook(ctx context.Context, bid types.Bid) error {
	err := errors.Join(
		k.openBids.Set(ctx, bid.Id),
		k.bidDeadlines.Set(ctx, collections.Join(bid.ExpiresAt, bid.Id)),
	)
	if bid.Spec.Quoted() {
		err = errors.Join(err, k.quoteBids.Set(ctx, bid.Id))
	}
	if err != nil {
		return fmt.Errorf("put bid %d into the book: %w", bid.Id, err)
	}
	return nil
}

// leaveBook takes an open bid out of the book, with its quotes. What the bid says of its mode may be what it becomes.
func (k *Keeper) leaveBook(ctx context.Context, bid types.Bid) error {
	err := errors.Join(
		k.openBids.Remove(ctx, bid.Id),
		k.bidDeadlines.Remove(ctx, collections.Join(bid.ExpiresAt, bid.Id)),
		k.leftBids.Remove(ctx, bid.Id),
	)
	if err != nil {
		return fmt.Errorf("take bid %d out of the book: %w", bid.Id, err)
	}
	if err := k.unfile(ctx, bid.Id); err != nil {
		return err
	}
	return k.dropQuotes(ctx, bid.Id)
}

// endBid takes an open bid out of the book for good; of any other it changes the state.
func (k *Keeper) endBid(ctx context.Context, bid types.Bid, state types.BidState) error {
	if bid.State == types.BidState_BID_STATE_OPEN {
		if err := k.leaveBook(ctx, bid); err != nil {
			return err
		}
	}
	bid.State, bid.Returned = state, false
	return k.setBid(ctx, bid)
}

// closeBid ends a bid whose leases have ended.
func (k *Keeper) closeBid(ctx context.Context, bid types.Bid) error {
	if bid.State == types.BidState_BID_STATE_CLOSED {
		return nil
	}
	bid.Placed, bid.Released, bid.StandingBy = 0, 0, 0
	return k.endBid(ctx, bid, types.BidState_BID_STATE_CLOSED)
}

// place counts replicas that got a lease, or standbys when none was missing; a bid that has all leaves the book. One that
// wants standbys beside the replicas that it has now is read again for them.
func (k *Keeper) place(ctx context.Context, bid types.Bid, replicas uint32) error {
	stoodFor := bid.Missing() == 0
	if stoodFor {
		bid.StandingBy += replicas
	} else {
		bid.Placed += replicas
	}
	if bid.Complete() {
		return k.endBid(ctx, bid, types.BidState_BID_STATE_FILLED)
	}
	if bid.Missing() == 0 {
		bid.Returned = false
		if !stoodFor {
			if err := k.readAgain(ctx, bid); err != nil {
				return err
			}
		}
	}
	return k.setBid(ctx, bid)
}

// returnBid puts a bid that is not open into the book again, from a second on.
func (k *Keeper) returnBid(ctx context.Context, bid types.Bid, at uint64) error {
	params, err := k.Params(ctx)
	if err != nil {
		return err
	}
	return k.returnFunded(ctx, bid, params, k.purseOf(ctx, bid.Deployment, params), at)
}

// returnFunded does the same for a bid that shares the money of its account with others.
func (k *Keeper) returnFunded(ctx context.Context, bid types.Bid, params types.Params, funds *purse, at uint64) error {
	bid.State = types.BidState_BID_STATE_OPEN
	bid.ExpiresAt = at + bid.Spec.Lifetime(params.BidLifetimeSeconds)
	if err := k.enterBook(ctx, bid); err != nil {
		return err
	}
	if err := k.await(ctx, bid, funds); err != nil {
		return err
	}
	return k.setBid(ctx, bid)
}

// readAgain lets a clearing read a bid that rests like one that is new: it wants other things than it did when the offers
// that rest beside it were matched.
func (k *Keeper) readAgain(ctx context.Context, bid types.Bid) error {
	if err := k.unfile(ctx, bid.Id); err != nil {
		return err
	}
	params, err := k.Params(ctx)
	if err != nil {
		return err
	}
	return k.await(ctx, bid, k.purseOf(ctx, bid.Deployment, params))
}

// setAside keeps a bid that a clearing left for a later one.
func (k *Keeper) setAside(ctx context.Context, id uint64) error {
	if err := k.leftBids.Set(ctx, id); err != nil {
		return fmt.Errorf("let bid %d be read again: %w", id, err)
	}
	return nil
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

// bidsOf returns the bids of a deployment by id, closed ones too, at most MaxBidNames.
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
