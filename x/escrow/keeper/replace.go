package keeper

import (
	"context"
	"errors"

	"github.com/souk-network/souk/x/escrow/ledger"
	"github.com/souk-network/souk/x/escrow/types"
)

// ReplaceStream closes an open stream now and opens one of another rate in its place, for the same ref, payee and kind.
// The rate of a paused stream is that of its service; what it pays while paused follows. A higher rate needs the minimal
// runway for everything that the account would then pay in full; a lower one never fails for money. The same rate changes
// nothing. It is ErrTooManyStreams when that has happened MaxReplaced times within the length of an epoch.
func (k *Keeper) ReplaceStream(ctx context.Context, id, newRate uint64) (types.Stream, error) {
	if err := types.ValidateRate(newRate); err != nil {
		return types.Stream{}, err
	}
	old, err := k.openOne(ctx, id)
	if err != nil {
		return types.Stream{}, err
	}
	c, err := k.liveChange(ctx, old.Account)
	if err != nil {
		return types.Stream{}, err
	}
	rate := max(old.Rate, old.FullRate)
	if rate == newRate {
		return old, nil
	}
	if newRate > rate && c.halted() {
		return types.Stream{}, types.ErrHalted.Wrap(c.account.Denom)
	}
	if !c.numbers(1) {
		return types.Stream{}, tooMany(c.account)
	}
	if err := k.checkPace(ctx, old, c.now, c.params); err != nil {
		return types.Stream{}, err
	}
	if _, err := c.close(ctx, old, c.now); err != nil {
		return types.Stream{}, err
	}
	next := old
	next.Rate = newRate
	if old.FullRate != 0 {
		next = paused(old, newRate, c.params)
	}
	next.Previous = old.Id
	opened, err := c.open(ctx, next)
	if err != nil {
		return types.Stream{}, err
	}
	if newRate > rate {
		need := ledger.Need(c.fullRate(), uint64(c.params.MinRunwaySeconds))
		if err := checkFree(c.account, c.books.Free(c.now), need); err != nil {
			return types.Stream{}, err
		}
	}
	return opened, c.save(ctx)
}

// checkPace refuses to replace a stream that has taken the place of another too often of late. Who pays could otherwise replace it
// until Due cannot follow: then its payee could not show what it was paid for, and would be punished for that.
func (k *Keeper) checkPace(ctx context.Context, old types.Stream, now uint64, params types.Params) error {
	s, epoch := old, uint64(params.EpochSeconds)
	for times := 0; s.Previous != 0 && s.OpenedAt+epoch > now; {
		if times++; times == types.MaxReplaced {
			return types.ErrTooManyStreams.Wrapf("stream %d: replaced %d times within %d seconds: try again from second %d", old.Id, times,
				epoch, s.OpenedAt+epoch)
		}
		before, err := k.closedOne(ctx, s.Previous)
		if errors.Is(err, types.ErrStreamNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		s = before
	}
	return nil
}
