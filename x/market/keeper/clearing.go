package keeper

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/match"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
)

const (
	// maxWork bounds what the matching of one clearing looks at, in the entries of package match: about 0.1 s.
	maxWork = 8 << 20
	// aloneEvery is how many clearings there are to one that reads bids which wait to be read again, and no others, if there
	// are at least aloneFrom.
	aloneEvery = 4
	aloneFrom  = 32
	// fullRetryWindows is how many ack windows go by before bids of a deployment that has all the leases it may have are
	// tried again although none of these is known to have ended.
	fullRetryWindows = 60
	// unknownRoom is that of a deployment whose leases cannot be read: it gets none.
	unknownRoom = -1
)

// EndBlock clears the market if a second has passed and there is something to clear, tells the changed requirements to
// x/provider, and keeps the block's hash as the seed of the next clearing. What fails is undone, logged, and does not stop
// the chain.
func (k *Keeper) EndBlock(ctx context.Context) error {
	sdkCtx := sdk.UnwrapSDKContext(ctx)
	changed, err := k.noteGains(ctx)
	if err != nil {
		return err
	}
	before, err := k.clearing.Get(ctx)
	if err != nil {
		return fmt.Errorf("read where clearing stands: %w", err)
	}
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return err
	}
	if now > before.Second { // else what changed waits for the next clearing
		err := escrowtypes.Isolate(sdkCtx, func(ctx sdk.Context) error { return k.clear(ctx, before, now, changed) })
		if err != nil {
			k.logger(ctx).Error("clearing failed", "err", err)
		}
		if err := k.settle(sdkCtx); err != nil {
			return err
		}
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

// clear is one clearing: it reads a window of the book and the bids whose turn it is, matches them, and opens leases. With
// nothing due it reads a few records, however much there is in the book. When something has changed it counts as a clearing
// even if there is no bid: higher asks and less capacity wait for one.
func (k *Keeper) clear(ctx sdk.Context, before types.Clearing, now uint64, changed bool) error {
	turn := before
	turn.Changed = turn.Changed || turn.RetryAt != 0 && now >= turn.RetryAt
	if changed {
		turn.Second, turn.Number = now, before.Number+1
	}
	if err := k.takeTurn(ctx, &turn, before.Number+1, now); err != nil {
		return err
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
func (k *Keeper) takeTurn(ctx sdk.Context, turn *types.Clearing, number, now uint64) error {
	due, err := k.due(ctx, turn)
	if err != nil || !due {
		return err
	}
	params, err := k.Params(ctx)
	if err != nil || params.Halted {
		return err // what is due stays due
	}
	if err := k.beginBidSweep(ctx, turn); err != nil {
		return err
	}
	turn.Second, turn.Number = now, number
	bids, fresh, swept, err := k.readBids(ctx, turn, int(params.BidsPerBlock))
	if err != nil {
		return err
	}
	bids = slices.DeleteFunc(bids, func(bid types.Bid) bool { return bid.ExpiresAt <= now }) // due, not processed yet
	if len(bids) == 0 && turn.BidCursor == 0 {
		turn.EndWindow(swept, 0, false) // no bid rests: the other windows would find none either
		return k.endBidSweep(ctx, turn)
	}
	w, err := k.window(ctx, turn, fresh, int(params.OffersPerBlock))
	if err != nil {
		return err
	}
	if len(bids) > 0 {
		if err := k.clearWindow(ctx, turn, &w, bids, params); err != nil {
			k.logger(ctx).Error("clearing failed", "bids", len(bids), "first_bid", bids[0].Id, "offers", len(w.offers), "err", err)
			turn.Retry(now + uint64(params.AckWindowSeconds))
			fresh = false // the sweep that follows shows them the whole book
		}
	}
	turn.Changed = turn.Changed || fresh && w.partial
	if swept && turn.Sweeping {
		// Bids of the sweep that were left see the same window before it ends.
		left, err := some(ctx, k.leftBids)
		if err != nil {
			return err
		}
		swept = !left
	}
	turn.EndWindow(swept, w.last, w.more)
	return k.endBidSweep(ctx, turn)
}

// due tells whether there is anything to clear.
func (k *Keeper) due(ctx context.Context, turn *types.Clearing) (bool, error) {
	if turn.Sweeping || turn.Changed {
		return true, nil
	}
	if fresh, err := some(ctx, k.worthiest); err != nil || fresh {
		return fresh, err
	}
	if gained, err := some(ctx, k.gained); err != nil || gained {
		return gained, err
	}
	return some(ctx, k.leftBids)
}

// some tells whether a set has any key.
func some[K any](ctx context.Context, set collections.KeySet[K]) (bool, error) {
	keys, err := firstKeys(ctx, set, 1)
	return len(keys) > 0, err
}

// firstKeys returns the first keys of a set, at most limit.
func firstKeys[K any](ctx context.Context, set collections.KeySet[K], limit int) (keys []K, err error) {
	iterator, err := set.Iterate(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("walk a set: %w", err)
	}
	defer func() { err = errors.Join(err, iterator.Close()) }()
	for ; iterator.Valid() && len(keys) < limit; iterator.Next() {
		key, err := iterator.Key()
		if err != nil {
			return nil, fmt.Errorf("walk a set: %w", err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// clearWindow clears bids beside a window of offers, or leaves everything as it was. It notes in the window where the
// limit of classes ended it, and in the turn when bids are to be tried again.
func (k *Keeper) clearWindow(ctx sdk.Context, turn *types.Clearing, w *window, bids []types.Bid, params types.Params) error {
	return escrowtypes.Isolate(ctx, func(ctx sdk.Context) error {
		book, err := k.readBook(ctx, w.offers, params)
		if err != nil {
			return err
		}
		seed, err := k.getSeed(ctx)
		if err != nil {
			return err
		}
		book.number = turn.Number
		skipped, full, err := k.match(ctx, book, bids, seed, int(params.BidsPerBlock))
		if err != nil {
			return err
		}
		if skipped {
			turn.Retry(book.now + book.ackWindow)
		}
		if full {
			turn.Retry(book.now + fullRetryWindows*book.ackWindow)
		}
		if book.returns != 0 {
			turn.Retry(book.returns)
		}
		if book.cut {
			w.cutAfter(book.last)
		}
		return nil
	})
}

// readBids reads bids that see the book for the first time or anew (fresh tells that there are some), at most half of the
// limit while a sweep is under way, and the next resting bids of the sweep. It moves the cursors behind them. swept tells
// that the sweep has read the last resting bid. A bid that cannot be read is left out. Every so often those that a clearing
// left come alone: bids that value capacity more cannot keep them waiting.
func (k *Keeper) readBids(
	ctx context.Context, turn *types.Clearing, limit int,
) (bids []types.Bid, fresh, swept bool, err error) {
	newLimit := limit
	if turn.Sweeping {
		newLimit = (limit + 1) / 2
	}
	if turn.Number%aloneEvery == 0 {
		waiting, err := firstKeys(ctx, k.leftBids, aloneFrom)
		if err != nil {
			return nil, false, false, err
		}
		if len(waiting) == aloneFrom {
			ids, err := k.takeLeft(ctx, limit)
			return k.openOf(ctx, ids), true, false, err
		}
	}
	ids, err := k.takeLeft(ctx, (newLimit+1)/2)
	if err != nil {
		return nil, false, false, err
	}
	arrived, err := k.nextFresh(ctx, turn, newLimit-len(ids))
	if err != nil {
		return nil, false, false, err
	}
	for _, w := range arrived {
		ids = append(ids, w.id)
	}
	fresh, swept = len(ids) > 0, true
	if turn.Sweeping {
		resting, last, more, err := k.nextResting(ctx, turn.BidCursor, limit-len(ids))
		if err != nil {
			return nil, false, false, fmt.Errorf("walk resting bids: %w", err)
		}
		if more || len(resting) > 0 {
			turn.BidCursor = last
		}
		ids, swept = append(ids, resting...), !more
	}
	if err := k.take(ctx, arrived); err != nil {
		return nil, false, false, err
	}
	slices.Sort(ids)
	return k.openOf(ctx, slices.Compact(ids)), fresh, swept, nil
}

// takeLeft takes bids out of the set of those that a clearing left.
func (k *Keeper) takeLeft(ctx context.Context, limit int) ([]uint64, error) {
	ids, err := firstKeys(ctx, k.leftBids, limit)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if err := k.leftBids.Remove(ctx, id); err != nil {
			return nil, fmt.Errorf("read bid %d again: %w", id, err)
		}
	}
	return ids, nil
}

// openOf returns those of some bids that are open and take part in the auction. One that was closed and forgotten before its turn came is not; one that
// cannot be read is left out.
func (k *Keeper) openOf(ctx context.Context, ids []uint64) []types.Bid {
	bids := make([]types.Bid, 0, len(ids))
	for _, id := range ids {
		err := escrowtypes.Guard(func() error {
			bid, err := k.getBid(ctx, id)
			if errors.Is(err, types.ErrBidNotFound) {
				return nil
			}
			if err == nil && bid.State == types.BidState_BID_STATE_OPEN && !bid.Spec.Quoted() {
				bids = append(bids, bid)
			}
			return err
		})
		if err != nil {
			k.logger(ctx).Error("bid left out of clearing", "bid", id, "err", err)
		}
	}
	return bids
}

// match matches the bids of each denom and opens their leases. Denoms take turns in being first. It tells whether a bid
// had to be skipped, and whether a deployment has all the leases that it may have. Bids whose turn did not come, since the clearing has done enough, are read again like new ones.
func (k *Keeper) match(
	ctx sdk.Context, book *book, bids []types.Bid, seed []byte, leaseReads int,
) (skipped, full bool, err error) {
	byID := make(map[uint64]types.Bid, len(bids))
	for _, bid := range bids {
		byID[bid.Id] = bid
	}
	standing := k.standing(ctx, bids, leaseReads)
	left, work := standing.left, uint64(maxWork)
	for _, denom := range denomsOf(bids, seed) {
		weights, err := k.weightsOf(ctx, denom)
		if err != nil {
			return false, false, err
		}
		in := match.Input{Seed: seed, Weights: weights, Book: k.view(ctx, book, denom), Work: work}
		var unread bool
		in.Bids, in.Accounts, unread = k.demands(ctx, book, bids, denom, standing)
		skipped = skipped || unread
		if work == 0 {
			left = append(left, idsOf(in.Bids)...)
			continue
		}
		out, certificate := match.ClearBest(in, maxProof)
		work -= min(work, out.Work)
		left = append(left, out.Left...)
		for _, id := range out.Short {
			k.skip(ctx, byID[id], escrowtypes.ErrInsufficientFunds.Wrapf("account %d", byID[id].Deployment))
			skipped = true
		}
		served := byBid(out.Assignments)
		room := k.leaseRoom(ctx, served, byID)
		for _, taken := range served {
			err := k.serve(ctx, book, byID[taken[0].Bid], taken, room)
			full := errors.Is(err, types.ErrTooManyLeases) && room[byID[taken[0].Bid].Deployment] != unknownRoom
			standing.full = standing.full || full
			skipped = skipped || err != nil && !full
		}
		k.publish(ctx, book, denom, in, out, certificate)
	}
	for _, id := range left {
		if err := k.setAside(ctx, id); err != nil {
			return skipped, standing.full, err
		}
	}
	return skipped, standing.full, nil
}

func idsOf(bids []match.Bid) []uint64 {
	ids := make([]uint64, len(bids))
	for i, bid := range bids {
		ids[i] = bid.ID
	}
	return ids
}

// standing is what deployments of spread bids have, as far as a clearing may read it.
type standing struct {
	leases map[uint64][]types.Lease // by deployment
	broken map[uint64]error         // those whose leases cannot be read, by deployment
	later  map[uint64]bool          // those that were not read, by deployment
	left   []uint64                 // the bids of these
	full   bool                     // some deployment has all the leases that it may have
}

// standing reads the live leases of each deployment that has a spread bid with something placed, once, until as many were
// read as one clearing may read: the bids of deployments beyond that are left, all of them. One deployment is always read.
func (k *Keeper) standing(ctx context.Context, bids []types.Bid, reads int) *standing {
	s := &standing{leases: map[uint64][]types.Lease{}, broken: map[uint64]error{}, later: map[uint64]bool{}}
	for _, bid := range bids {
		_, read := s.leases[bid.Deployment]
		if !spreadPlaced(bid) || read || s.broken[bid.Deployment] != nil || s.later[bid.Deployment] {
			continue
		}
		if reads <= 0 {
			s.later[bid.Deployment] = true
			continue
		}
		err := escrowtypes.Guard(func() error {
			leases, err := k.liveLeasesOf(ctx, bid.Deployment)
			if err == nil {
				s.leases[bid.Deployment] = leases
			}
			return err
		})
		if err != nil {
			s.broken[bid.Deployment] = err
		}
		reads -= max(1, len(s.leases[bid.Deployment]))
	}
	for _, bid := range bids {
		if s.later[bid.Deployment] {
			s.left = append(s.left, bid.Id)
		}
	}
	return s
}

// bars tells whether a bid takes no part in this clearing: its turn comes later, or its deployment has all the leases that it
// may have and gets none before one has ended, which makes its provider gain and a sweep begin.
func (s *standing) bars(bid types.Bid) bool {
	full := len(s.leases[bid.Deployment]) >= types.MaxLiveLeases
	s.full = s.full || full
	return full || s.later[bid.Deployment]
}

// demands returns the bids in a denom as package match sees them, with the accounts that pay for them: one a deployment.
// An account that can hold nothing now, whatever the reason, has no room. A bid of which something cannot be read is left
// out, and unread.
func (k *Keeper) demands(
	ctx context.Context, book *book, bids []types.Bid, denom string, standing *standing,
) (demands []match.Bid, accounts []match.Account, unread bool) {
	accountAt := map[uint64]uint32{} // deployment to position
	var tenants []types.Tenant
	for _, bid := range bids {
		if bid.Denom != denom || standing.bars(bid) {
			continue
		}
		err := escrowtypes.Guard(func() error {
			if err := standing.broken[bid.Deployment]; err != nil && spreadPlaced(bid) {
				return err
			}
			at, known := accountAt[bid.Deployment]
			if !known {
				tenant, err := k.tenant(ctx, book, bid.Deployment, denom)
				if err != nil {
					return err
				}
				at = uint32(len(accounts))
				accountAt[bid.Deployment] = at
				tenants = append(tenants, tenant)
				accounts = append(accounts, match.Account{RateRoom: k.accountRoom(ctx, bid.Deployment, book.ackWindow)})
			}
			demand, err := k.demand(ctx, book, bid, tenants[at], standing.leases[bid.Deployment])
			if err != nil {
				return err
			}
			demand.Account = at
			demands = append(demands, demand)
			return nil
		})
		if err != nil {
			k.skip(ctx, bid, err)
			unread = true
		}
	}
	return demands, accounts, unread
}

// accountRoom is the further lease rate that a deployment's account can hold money for.
func (k *Keeper) accountRoom(ctx context.Context, deployment, ackWindow uint64) (room uint64) {
	err := escrowtypes.Guard(func() (err error) {
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
		err := escrowtypes.Guard(func() error {
			live, err := idsUnder(ctx, k.liveLeases, deployment)
			room[deployment] = types.MaxLiveLeases - len(live)
			return err
		})
		if err != nil {
			k.logger(ctx).Error("leases can not be read", "deployment", deployment, "err", err)
			room[deployment] = unknownRoom
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
) error {
	var opened []match.Assignment
	err := escrowtypes.Isolate(ctx, func(ctx sdk.Context) (err error) {
		opened, err = k.openLeases(ctx, book, bid, taken, room[bid.Deployment])
		return err
	})
	if err != nil {
		k.skip(ctx, bid, err)
		return err
	}
	room[bid.Deployment] -= len(opened)
	for _, a := range opened {
		book.take(a.Offer, bid.Spec.Unit, a.Replicas)
	}
	return nil
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
	standby, less := bid.Missing() == 0, false
	if standby {
		taken, less = book.oneAZone(taken)
	}
	opened := taken[:0:0]
	for _, a := range taken[:max(0, min(len(taken), room))] {
		offer := book.offers[book.offerAt[a.Offer]].Offer
		if failure = escrowtypes.Attempt(ctx, func(ctx sdk.Context) error {
			return k.openAssigned(ctx, bid, offer, a, standby)
		}); failure != nil {
			break
		}
		replicas += a.Replicas
		opened = append(opened, a)
	}
	if replicas == 0 || replicas < bid.Demand().Min {
		if failure == nil {
			failure = types.ErrTooManyLeases.Wrapf("deployment %d: at most %d", bid.Deployment, types.MaxLiveLeases)
		}
		return nil, failure
	}
	if err := k.place(ctx, bid, replicas); err != nil || !less {
		return opened, err
	}
	return opened, k.readAgain(ctx, bid) // what was left out may be had in another zone
}

func (k *Keeper) openAssigned(
	ctx context.Context, bid types.Bid, offer types.Offer, a match.Assignment, standby bool,
) error {
	ask, ok := types.AskIn(offer.Asks, bid.Denom)
	if !ok {
		return types.ErrBroken.Wrapf("offer %d asks for no %s", offer.Id, bid.Denom)
	}
	_, err := k.openLease(ctx, types.Lease{
		Deployment: bid.Deployment, Bid: bid.Id, Account: bid.Deployment,
		Offer: offer.Id, Provider: offer.Provider, Pool: offer.Pool, Ask: ask, Class: offer.LeaseClass(),
		Unit: bid.Spec.Unit, Replicas: a.Replicas, Rate: a.RatePerHour, Denom: bid.Denom, TermSeconds: bid.Spec.LeaseSeconds,
		Standby: standby,
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
