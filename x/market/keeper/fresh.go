package keeper

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"cosmossdk.io/collections"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/match"
	"github.com/souk-network/souk/x/market/types"
)

const (
	// oldestEvery is one in how many fresh bids that a clearing reads is read for its age, whatever it is worth.
	oldestEvery = 4
	// maxWaitingDenoms is the most denoms whose fresh bids one clearing reads; there are few.
	maxWaitingDenoms = 64
	// scansPerRead is how many open bids a clearing passes at most for each resting one that it may read.
	scansPerRead = 4
)

// purse is the further lease rate that an account can hold money for, as far as the bids of its deployment that wait to be
// read have not claimed it: all of them share it, of one message or of several.
type purse struct{ room uint64 }

// purseOf returns what an account can hold money for now, less what the fresh bids of its deployment claim of it by id, but
// for some that are about to be filed anew; nothing when that cannot be read. It takes no gas: to order bids is clearing's,
// and clearing_gas pays for that.
func (k *Keeper) purseOf(ctx context.Context, account uint64, params types.Params, anew ...uint64) *purse {
	free := sdk.UnwrapSDKContext(ctx).WithGasMeter(storetypes.NewInfiniteGasMeter())
	funds := &purse{room: k.accountRoom(free, account, uint64(params.AckWindowSeconds))}
	if err := k.claimWaiting(free, account, funds, anew); err != nil {
		k.logger(ctx).Error("claims of fresh bids can not be read", "deployment", account, "err", err)
		return &purse{}
	}
	return funds
}

// claimWaiting lets the fresh bids of a deployment claim what they can pay now, but for some. What they were filed with may be
// less, when money came since.
func (k *Keeper) claimWaiting(ctx context.Context, deployment uint64, funds *purse, but []uint64) error {
	ids, err := idsUnder(ctx, k.deploymentBids, deployment)
	if err != nil {
		return fmt.Errorf("walk bids of deployment %d: %w", deployment, err)
	}
	for _, id := range ids {
		waits, err := k.fresh.Has(ctx, id)
		if err != nil {
			return fmt.Errorf("look up fresh bid %d: %w", id, err)
		}
		if !waits || slices.Contains(but, id) {
			continue
		}
		bid, err := k.getBid(ctx, id)
		if err != nil {
			return err
		}
		funds.claim(bid)
	}
	return nil
}

// claim returns what a bid can pay for a replica in an hour, up to its cap, and takes that off for as many as it needs at
// least.
func (p *purse) claim(bid types.Bid) uint64 {
	least := uint64(max(1, bid.Demand().Min))
	rate := min(bid.Spec.Cap, p.room/least)
	p.room -= rate * least
	return rate
}

// leastUnit is one ask unit: the least size that worth counts, so that crumbs, which cost little, are not worth most.
var leastUnit = types.Resources{CpuMillis: 1000}

// worth is what a bid pays for the resources of a replica, at least one ask unit of them in sum, as [match.KeyOf] says, in 16
// bytes; nothing when it pays nothing.
func worth(rate uint64, unit types.Resources) []byte {
	key, err := match.KeyOf(rate, unit.Vector(), match.Weights{})
	if err != nil {
		key = match.Key{}
	}
	if most, err := match.KeyOf(rate, leastUnit.Vector(), match.Weights{}); err == nil && key.Compare(most) > 0 {
		key = most
	}
	bz := binary.BigEndian.AppendUint64(make([]byte, 0, types.WorthBytes), key.Hi)
	return binary.BigEndian.AppendUint64(bz, key.Lo)
}

// waiting is a fresh bid, with what orders it.
type waiting struct {
	id    uint64
	denom string
	worth []byte
}

// value is what is stored by id.
func (w waiting) value() []byte { return append(slices.Clone(w.worth), w.denom...) }

func waitingOf(id uint64, value []byte) (waiting, error) {
	if len(value) < types.WorthBytes {
		return waiting{}, types.ErrBroken.Wrapf("fresh bid %d has a worth of %d bytes", id, len(value))
	}
	return waiting{id: id, worth: value[:types.WorthBytes], denom: string(value[types.WorthBytes:])}, nil
}

// key orders the worthiest of a denom first.
func (w waiting) key() worthKey {
	return collections.Join3(w.denom, upsideDown(w.worth), w.id)
}

func upsideDown(worth []byte) []byte {
	flipped := make([]byte, len(worth))
	for i, b := range worth {
		flipped[i] = ^b
	}
	return flipped
}

// await lets a clearing read an open bid of the auction that does not wait for that yet, in the order of what its account can
// pay now. One that collects quotes is never read.
func (k *Keeper) await(ctx context.Context, bid types.Bid, funds *purse) error {
	if bid.Spec.Quoted() {
		return nil
	}
	return k.file(ctx, waiting{id: bid.Id, denom: bid.Denom, worth: worth(funds.claim(bid), bid.Spec.Unit)})
}

func (k *Keeper) file(ctx context.Context, w waiting) error {
	if err := errors.Join(k.fresh.Set(ctx, w.id, w.value()), k.worthiest.Set(ctx, w.key())); err != nil {
		return fmt.Errorf("let bid %d be read: %w", w.id, err)
	}
	return nil
}

// unfile takes a bid out of those that wait to be read, if it does.
func (k *Keeper) unfile(ctx context.Context, id uint64) error {
	value, err := k.fresh.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look up fresh bid %d: %w", id, err)
	}
	w, err := waitingOf(id, value)
	if err != nil {
		return err
	}
	return k.take(ctx, []waiting{w})
}

// take takes bids out of those that wait to be read.
func (k *Keeper) take(ctx context.Context, bids []waiting) error {
	for _, w := range bids {
		if err := errors.Join(k.fresh.Remove(ctx, w.id), k.worthiest.Remove(ctx, w.key())); err != nil {
			return fmt.Errorf("take fresh bid %d: %w", w.id, err)
		}
	}
	return nil
}

// nextFresh returns the fresh bids whose turn it is, at most limit: one in oldestEvery for its age, the others for their
// worth, the denoms by turns. It moves the cursor of the former. All stay where they wait.
func (k *Keeper) nextFresh(ctx context.Context, turn *types.Clearing, limit int) ([]waiting, error) {
	oldest, err := k.oldestFresh(ctx, turn, (limit+int(turn.Number%oldestEvery))/oldestEvery)
	if err != nil {
		return nil, fmt.Errorf("walk fresh bids by age: %w", err)
	}
	read, err := k.worthiestFresh(ctx, turn.Number, oldest, limit)
	if err != nil {
		return nil, fmt.Errorf("walk fresh bids by worth: %w", err)
	}
	return read, nil
}

// oldestFresh returns the next fresh bids of a round through all of them, by id. A round ends before the bids that were made
// after it began, so that each ends, however many come.
func (k *Keeper) oldestFresh(ctx context.Context, turn *types.Clearing, limit int) ([]waiting, error) {
	if limit <= 0 {
		return nil, nil // the round stays where it is
	}
	found, err := k.freshBetween(ctx, turn.FreshCursor, turn.FreshEnd, limit)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		if turn.FreshEnd, err = k.nextBid.Peek(ctx); err != nil {
			return nil, err
		}
		if found, err = k.freshBetween(ctx, 0, turn.FreshEnd, limit); err != nil {
			return nil, err
		}
		turn.FreshCursor = 0
	}
	if len(found) > 0 {
		turn.FreshCursor = found[len(found)-1].id
	}
	return found, nil
}

// freshBetween returns at most limit fresh bids above after and below end.
func (k *Keeper) freshBetween(ctx context.Context, after, end uint64, limit int) (found []waiting, err error) {
	if after+1 >= end || limit <= 0 {
		return nil, nil
	}
	iterator, err := k.fresh.Iterate(ctx, new(collections.Range[uint64]).StartExclusive(after).EndExclusive(end))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, iterator.Close()) }()
	for ; iterator.Valid() && len(found) < limit; iterator.Next() {
		entry, err := iterator.KeyValue()
		if err != nil {
			return nil, err
		}
		w, err := waitingOf(entry.Key, entry.Value)
		if err != nil {
			return nil, err
		}
		found = append(found, w)
	}
	return found, nil
}

// worthiestFresh adds to some fresh bids the worthiest others, one of each denom by turns, until there are limit. Which denom
// is the first changes with the number.
func (k *Keeper) worthiestFresh(ctx context.Context, number uint64, read []waiting, limit int) (_ []waiting, err error) {
	known := make(map[uint64]bool, len(read))
	for _, w := range read {
		known[w.id] = true
	}
	denoms, err := k.waitingDenoms(ctx)
	if err != nil || len(denoms) == 0 {
		return read, err
	}
	lanes := make([]collections.KeySetIterator[worthKey], 0, len(denoms))
	defer func() {
		for _, lane := range lanes {
			err = errors.Join(err, lane.Close())
		}
	}()
	for i := range denoms {
		denom := denoms[(i+int(number%uint64(len(denoms))))%len(denoms)]
		lane, err := k.worthiest.Iterate(ctx, collections.NewPrefixedTripleRange[string, []byte, uint64](denom))
		if err != nil {
			return nil, err
		}
		lanes = append(lanes, lane)
	}
	for left := true; left; {
		left = false
		for _, lane := range lanes {
			for ; lane.Valid() && len(read) < limit; lane.Next() {
				key, err := lane.Key()
				if err != nil {
					return nil, err
				}
				if !known[key.K3()] {
					read = append(read, waiting{id: key.K3(), denom: key.K1(), worth: upsideDown(key.K2())})
					lane.Next()
					left = true
					break
				}
			}
		}
	}
	return read, nil
}

// waitingDenoms returns the denoms of fresh bids, sorted, without walking these.
func (k *Keeper) waitingDenoms(ctx context.Context) ([]string, error) {
	var denoms []string
	for len(denoms) < maxWaitingDenoms {
		var after collections.Ranger[worthKey]
		if len(denoms) > 0 {
			// No denom is between one and the same with the least of all bytes behind it.
			next := collections.Join3(denoms[len(denoms)-1]+"\x01", []byte{}, uint64(0))
			after = new(collections.Range[worthKey]).StartInclusive(next)
		}
		denom, found, err := k.firstDenom(ctx, after)
		if err != nil || !found {
			return denoms, err
		}
		denoms = append(denoms, denom)
	}
	return denoms, nil
}

func (k *Keeper) firstDenom(ctx context.Context, from collections.Ranger[worthKey]) (denom string, found bool, err error) {
	iterator, err := k.worthiest.Iterate(ctx, from)
	if err != nil {
		return "", false, err
	}
	defer func() { err = errors.Join(err, iterator.Close()) }()
	if !iterator.Valid() {
		return "", false, nil
	}
	key, err := iterator.Key()
	return key.K1(), true, err
}

// nextResting returns open bids of the auction above the cursor of a sweep that do not wait to be read anyhow, at most
// limit, the last bid that it looked at, and whether there are more behind it. It passes over as many others as it may.
func (k *Keeper) nextResting(ctx context.Context, after uint64, limit int) (ids []uint64, last uint64, more bool, err error) {
	behind := new(collections.Range[uint64]).StartExclusive(after)
	open, err := k.openBids.Iterate(ctx, behind)
	if err != nil {
		return nil, 0, false, err
	}
	defer func() { err = errors.Join(err, open.Close()) }()
	fresh, err := k.fresh.Iterate(ctx, behind)
	if err != nil {
		return nil, 0, false, err
	}
	defer func() { err = errors.Join(err, fresh.Close()) }()
	quoting, err := k.quoteBids.Iterate(ctx, behind)
	if err != nil {
		return nil, 0, false, err
	}
	defer func() { err = errors.Join(err, quoting.Close()) }()
	for scans := limit * scansPerRead; open.Valid() && scans > 0 && len(ids) < limit; open.Next() {
		scans--
		if last, err = open.Key(); err != nil {
			return nil, 0, false, err
		}
		waits, err := reaches(fresh, last)
		if err != nil {
			return nil, 0, false, err
		}
		collects, err := reaches(quoting, last)
		if err != nil {
			return nil, 0, false, err
		}
		if !waits && !collects {
			ids = append(ids, last)
		}
	}
	return ids, last, open.Valid(), nil
}

// ascending is an iterator by id.
type ascending interface {
	Valid() bool
	Next()
	Key() (uint64, error)
}

// reaches moves an iterator up to an id, and tells whether it is there.
func reaches(iterator ascending, id uint64) (bool, error) {
	for ; iterator.Valid(); iterator.Next() {
		at, err := iterator.Key()
		if err != nil || at >= id {
			return at == id, err
		}
	}
	return false, nil
}
