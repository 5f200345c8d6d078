package keeper

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/match"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
)

// EndBlock clears the market if there is something to clear, tells the changed requirements to x/provider, and keeps the
// block's hash as the seed of the next clearing. What fails is undone, logged, and does not stop the chain.
func (k *Keeper) EndBlock(ctx context.Context) error {
	sdkCtx := sdk.UnwrapSDKContext(ctx)
	changed, err := k.unsettledProviders(ctx, 1)
	if err != nil {
		return err
	}
	if err := isolate(sdkCtx, func(ctx sdk.Context) error { return k.clear(ctx, len(changed) > 0) }); err != nil {
		k.logger(ctx).Error("clearing failed", "err", err)
	}
	if err := k.settle(sdkCtx); err != nil {
		return err
	}
	return k.keepSeed(sdkCtx)
}

// keepSeed keeps the hash of this block: the next clearing orders equal bids by it, so that no proposer can.
func (k *Keeper) keepSeed(ctx sdk.Context) error {
	hash := ctx.HeaderHash()
	if len(hash) == 0 {
		return nil
	}
	if err := k.seed.Set(ctx, hash); err != nil {
		return fmt.Errorf("keep the hash of the block: %w", err)
	}
	return nil
}

// clear is one clearing: it reads a window of the book and the bids whose turn it is, matches them, and opens leases.
// changed tells that the book may have gained since the last block. With nothing due it reads three records.
func (k *Keeper) clear(ctx sdk.Context, changed bool) error {
	before, err := k.clearing.Get(ctx)
	if err != nil {
		return fmt.Errorf("read where clearing stands: %w", err)
	}
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return err
	}
	turn := before
	turn.Changed = turn.Changed || changed || (turn.RetryAt != 0 && now >= turn.RetryAt)
	if now > turn.Second {
		if err := k.takeTurn(ctx, &turn, now); err != nil {
			return err
		}
	}
	if turn == before {
		return nil
	}
	if err := k.clearing.Set(ctx, turn); err != nil {
		return fmt.Errorf("write where clearing stands: %w", err)
	}
	return nil
}

// takeTurn clears once if there are new bids, or resting bids to be tried again, and moves the cursors. A clearing that
// fails is undone and the cursors move all the same: what made it fail cannot hold up the bids and offers behind it. Its
// bids are tried again after an ack window, as those that were skipped.
func (k *Keeper) takeTurn(ctx sdk.Context, turn *types.Clearing, now uint64) error {
	next, err := k.nextBid.Peek(ctx)
	if err != nil {
		return fmt.Errorf("read the next bid: %w", err)
	}
	turn.BeginSweep()
	if next == turn.NextBid && !turn.Sweeping {
		return nil
	}
	params, err := k.Params(ctx)
	if err != nil {
		return err
	}
	turn.Second = now

	fresh := next != turn.NextBid
	bids, swept, err := k.readBids(ctx, turn, next, int(params.BidsPerBlock))
	if err != nil {
		return err
	}
	bids = slices.DeleteFunc(bids, func(bid types.Bid) bool { return bid.ExpiresAt <= now }) // due, not processed yet
	if len(bids) == 0 && turn.BidCursor == 0 {
		turn.EndWindow(false, swept, 0, false) // no bid rests: the other windows would find none either
		return nil
	}
	offers, more, err := idsBetween(ctx, k.activeOffers, turn.OfferCursor, math.MaxUint64, int(params.OffersPerBlock))
	if err != nil {
		return fmt.Errorf("walk active offers: %w", err)
	}
	if len(bids) > 0 {
		skipped, err := k.clearWindow(ctx, offers, bids, uint64(params.AckWindowSeconds))
		if err != nil {
			k.logger(ctx).Error("clearing failed", "bids", len(bids), "first_bid", bids[0].Id, "offers", len(offers), "err", err)
			fresh, skipped = false, true
		}
		if skipped && turn.RetryAt == 0 {
			turn.RetryAt = now + uint64(params.AckWindowSeconds)
		}
	}
	var last uint64
	if len(offers) > 0 {
		last = offers[len(offers)-1]
	}
	turn.EndWindow(fresh && len(bids) > 0, swept, last, more)
	return nil
}

// clearWindow clears bids beside some offers, or leaves everything as it was. It tells whether a bid had to be skipped.
func (k *Keeper) clearWindow(
	ctx sdk.Context, offers []uint64, bids []types.Bid, ackWindow uint64,
) (skipped bool, err error) {
	err = isolate(ctx, func(ctx sdk.Context) error {
		book, err := k.readBook(ctx, offers)
		if err != nil {
			return err
		}
		seed, err := k.getSeed(ctx)
		if err != nil {
			return err
		}
		skipped = k.match(ctx, book, bids, seed, ackWindow)
		return nil
	})
	return skipped, err
}

// readBids reads new bids, at most half of the limit while a sweep is under way, and the next resting bids of the sweep.
// It moves the cursors behind them. swept tells that the sweep has read the last resting bid. A bid that cannot be read
// is left out.
func (k *Keeper) readBids(ctx context.Context, turn *types.Clearing, next uint64, limit int) ([]types.Bid, bool, error) {
	resting := turn.NextBid // new bids are from here on, resting ones below
	newLimit := limit
	if turn.Sweeping {
		newLimit = (limit + 1) / 2
	}
	ids, more, err := idsBetween(ctx, k.openBids, resting-1, next, newLimit)
	if err != nil {
		return nil, false, fmt.Errorf("walk new bids: %w", err)
	}
	turn.NextBid = next
	if more {
		turn.NextBid = ids[len(ids)-1] + 1
	}

	swept := true
	if turn.Sweeping {
		old, more, err := idsBetween(ctx, k.openBids, turn.BidCursor, resting, limit-len(ids))
		if err != nil {
			return nil, false, fmt.Errorf("walk resting bids: %w", err)
		}
		if len(old) > 0 {
			turn.BidCursor = old[len(old)-1]
		}
		ids, swept = append(ids, old...), !more
	}

	bids := make([]types.Bid, 0, len(ids))
	for _, id := range ids {
		err := guard(func() error {
			bid, err := k.getBid(ctx, id)
			if err == nil {
				bids = append(bids, bid)
			}
			return err
		})
		if err != nil {
			k.logger(ctx).Error("bid left out of clearing", "bid", id, "err", err)
		}
	}
	return bids, swept, nil
}

// match matches the bids of each denom and opens their leases. Denoms take turns in being first. It tells whether a bid
// had to be skipped.
func (k *Keeper) match(ctx sdk.Context, book *book, bids []types.Bid, seed []byte, ackWindow uint64) (skipped bool) {
	byID := make(map[uint64]types.Bid, len(bids))
	for _, bid := range bids {
		byID[bid.Id] = bid
	}
	for _, denom := range denomsOf(bids, seed) {
		in := match.Input{Seed: seed, Book: k.view(ctx, book, denom)}
		in.Bids, in.Accounts = k.demands(ctx, book, bids, denom, ackWindow)
		out := match.Clear(in)
		for _, id := range out.Short {
			k.skip(ctx, byID[id], escrowtypes.ErrInsufficientFunds.Wrapf("account %d", byID[id].Deployment))
			skipped = true
		}
		served := byBid(out.Assignments)
		room := k.leaseRoom(ctx, served, byID)
		for _, taken := range served {
			if !k.serve(ctx, book, byID[taken[0].Bid], taken, room) {
				skipped = true
			}
		}
	}
	return skipped
}

// demands returns the bids in a denom as package match sees them, with the accounts that pay for them: one a deployment.
// An account that can hold nothing now, whatever the reason, has no room.
func (k *Keeper) demands(
	ctx context.Context, book *book, bids []types.Bid, denom string, ackWindow uint64,
) (demands []match.Bid, accounts []match.Account) {
	accountAt := map[uint64]uint32{} // deployment to position
	for _, bid := range bids {
		if bid.Denom != denom {
			continue
		}
		at, known := accountAt[bid.Deployment]
		if !known {
			at = uint32(len(accounts))
			accountAt[bid.Deployment] = at
			accounts = append(accounts, match.Account{RateRoom: k.accountRoom(ctx, bid.Deployment, ackWindow)})
		}
		demand := book.demand(bid)
		demand.Account = at
		demands = append(demands, demand)
	}
	return demands, accounts
}

// accountRoom is the further lease rate that a deployment's account can hold money for.
func (k *Keeper) accountRoom(ctx context.Context, deployment, ackWindow uint64) (room uint64) {
	err := guard(func() (err error) {
		room, err = k.escrow.RateRoom(ctx, deployment, ackWindow)
		return err
	})
	if err != nil {
		k.logger(ctx).Info("account holds nothing", "account", deployment, "err", err)
		return 0
	}
	return room
}

// leaseRoom tells how many leases more each deployment that was matched may have. It is read before anything is written:
// walking a set that is being written to is slow. One whose leases cannot be read has none.
func (k *Keeper) leaseRoom(
	ctx context.Context, served [][]match.Assignment, bids map[uint64]types.Bid,
) map[uint64]int {
	room := map[uint64]int{}
	for _, taken := range served {
		deployment := bids[taken[0].Bid].Deployment
		if _, known := room[deployment]; known {
			continue
		}
		err := guard(func() error {
			live, err := idsUnder(ctx, k.liveLeases, deployment)
			room[deployment] = types.MaxLiveLeases - len(live)
			return err
		})
		if err != nil {
			k.logger(ctx).Error("leases can not be read", "deployment", deployment, "err", err)
			room[deployment] = 0
		}
	}
	return room
}

// denomsOf returns the denoms of the bids, sorted, from a start that the seed gives.
func denomsOf(bids []types.Bid, seed []byte) []string {
	var denoms []string
	for _, bid := range bids {
		if i, found := slices.BinarySearch(denoms, bid.Denom); !found {
			denoms = slices.Insert(denoms, i, bid.Denom)
		}
	}
	if len(seed) == 0 || len(denoms) == 0 {
		return denoms
	}
	start := int(seed[0]) % len(denoms)
	return slices.Concat(denoms[start:], denoms[:start])
}

// byBid splits assignments into those of each bid; they stand together.
func byBid(assignments []match.Assignment) [][]match.Assignment {
	var out [][]match.Assignment
	for start := 0; start < len(assignments); {
		end := start + 1
		for end < len(assignments) && assignments[end].Bid == assignments[start].Bid {
			end++
		}
		out = append(out, assignments[start:end])
		start = end
	}
	return out
}

// serve opens the leases of one bid, all or nothing as to its minimum: a bid whose deployment can have a part of them only
// gets that. A bid that cannot be served stays in the book, and the reason is told.
func (k *Keeper) serve(
	ctx sdk.Context, book *book, bid types.Bid, taken []match.Assignment, room map[uint64]int,
) bool {
	var opened []match.Assignment
	err := isolate(ctx, func(ctx sdk.Context) (err error) {
		opened, err = k.openLeases(ctx, book, bid, taken, room[bid.Deployment])
		return err
	})
	if err != nil {
		k.skip(ctx, bid, err)
		return false
	}
	room[bid.Deployment] -= len(opened)
	for _, a := range opened {
		book.take(a.Offer, bid.Spec.Unit, a.Replicas)
	}
	return true
}

// skip tells why a bid could not be served.
func (k *Keeper) skip(ctx context.Context, bid types.Bid, reason error) {
	k.logger(ctx).Info("bid skipped", "bid", bid.Id, "err", reason)
	if err := emit(ctx, types.NewEventBidSkipped(bid, reason)); err != nil {
		k.logger(ctx).Error("event lost", "err", err)
	}
}

// openLeases opens as many of the leases of a bid as can be opened, at most room, and returns those.
func (k *Keeper) openLeases(
	ctx sdk.Context, book *book, bid types.Bid, taken []match.Assignment, room int,
) ([]match.Assignment, error) {
	var replicas uint32
	var failure error
	opened := taken[:0:0]
	for _, a := range taken[:max(0, min(len(taken), room))] {
		offer := book.offers[book.offerAt[a.Offer]].Offer
		if failure = attempt(ctx, func(ctx sdk.Context) error {
			return k.openAssigned(ctx, bid, offer, a)
		}); failure != nil {
			break
		}
		replicas += a.Replicas
		opened = append(opened, a)
	}
	if replicas == 0 || bid.Placed+replicas < bid.Spec.MinReplicas {
		if failure == nil {
			failure = types.ErrTooManyLeases.Wrapf("deployment %d: at most %d", bid.Deployment, types.MaxLiveLeases)
		}
		return nil, failure
	}
	return opened, k.place(ctx, bid, replicas)
}

func (k *Keeper) openAssigned(ctx context.Context, bid types.Bid, offer types.Offer, a match.Assignment) error {
	_, err := k.openLease(ctx, types.Lease{
		Deployment: bid.Deployment, Bid: bid.Id, Account: bid.Deployment,
		Offer: offer.Id, Provider: offer.Provider, Pool: offer.Pool,
		Unit: bid.Spec.Unit, Replicas: a.Replicas, Rate: a.RatePerHour, Denom: bid.Denom,
	})
	return err
}

// getSeed returns the hash of the previous block; nothing in the first one.
func (k *Keeper) getSeed(ctx context.Context) ([]byte, error) {
	seed, err := k.seed.Get(ctx)
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return nil, fmt.Errorf("read the seed: %w", err)
	}
	return seed, nil
}
