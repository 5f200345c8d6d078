package keeper

import (
	"context"

	"github.com/souk-network/souk/x/escrow/ledger"
	"github.com/souk-network/souk/x/escrow/types"
)

// ReplaceStream closes an open stream now and opens one of another rate in its place, for the same ref, payee and kind.
// The rate of a paused stream is that of its service; what it pays while paused follows. A higher rate needs the minimal
// runway for everything that the account would then pay in full; a lower one never fails for money. The same rate changes
// nothing.
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
	if _, err := c.close(ctx, old, c.now); err != nil {
		return types.Stream{}, err
	}
	next := old
	next.Rate = newRate
	if old.FullRate != 0 {
		next = paused(old, newRate, c.params)
	}
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
