package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/escrow/types"
)

// TryResume resumes a low account if it lasts long enough, for modules above that made something cheaper. It tells whether
// it did.
func (k *Keeper) TryResume(ctx context.Context, id uint64) (bool, error) {
	c, err := k.liveChange(ctx, id)
	if err != nil {
		return false, err
	}
	swaps, resumed, err := c.resume(ctx, math.ZeroInt())
	if err != nil || !resumed {
		return false, err
	}
	if err := c.save(ctx); err != nil {
		return false, err
	}
	return true, k.tellResumed(ctx, swaps, c.now)
}

// resume closes the hold streams of a low account's pauses, and opens a service stream in the place of each, if the
// account then pays everything, and what is to be added, for twice the runway at which it would pause. It writes nothing of
// the account yet.
func (c *change) resume(ctx context.Context, added math.Int) (swaps []swap, resumed bool, err error) {
	if !c.low() || c.account.ExhaustedAt != 0 || c.halted() {
		return nil, false, nil
	}
	if err := c.checkFrontier(ctx); err != nil {
		return nil, false, err
	}
	if !c.books.Lasts(c.fullRate().Add(added), resumeSeconds(c.params), c.now) {
		return nil, false, nil
	}
	streams, err := c.openStreamsOf(ctx, c.account.Id)
	if err != nil {
		return nil, false, err
	}
	streams = onlyPaused(streams)
	wanted := len(streams)
	if added.IsPositive() {
		wanted++
	}
	if !c.numbers(wanted) {
		return nil, false, nil // its numbers are short: it stays low
	}
	types.Weigh(ctx, 1+2*uint32(len(streams)))
	for _, s := range streams {
		closed, err := c.close(ctx, s, c.now)
		if err != nil {
			return nil, false, err
		}
		s.Kind, s.Rate, s.FullRate, s.Previous = types.StreamKind_STREAM_KIND_SERVICE, s.FullRate, 0, s.Id
		opened, err := c.open(ctx, s)
		if err != nil {
			return nil, false, err
		}
		if err := emit(ctx, types.NewEventStreamResumed(closed, opened)); err != nil {
			return nil, false, err
		}
		swaps = append(swaps, swap{closed, opened})
	}
	c.account.State = types.AccountState_ACCOUNT_STATE_FUNDED
	return swaps, true, emit(ctx, types.NewEventAccountResumed(c.account.Id, c.now))
}

// resumeSeconds is the runway with which a low account resumes.
func resumeSeconds(params types.Params) uint64 { return max(1, 2*uint64(params.PauseRunwaySeconds)) }

// checkFrontier refuses to decide whether to resume while deadlines up to now are pending: one of them may release money, or
// end a stream at an earlier second, and the decision must not depend on when that is processed. Where the frontier is now,
// some of this very second may be left.
func (c *change) checkFrontier(ctx context.Context) error {
	if processing(ctx) {
		return nil
	}
	next, found, err := c.earliest(sdk.UnwrapSDKContext(ctx))
	if err != nil {
		return err
	}
	if c.clock.Frontier < c.now || found && next.second <= c.now {
		return types.ErrBehind.Wrapf("account %d is low, and not all that is due by second %d is processed", c.account.Id, c.now)
	}
	return nil
}

func onlyPaused(streams []types.Stream) []types.Stream {
	var paused []types.Stream
	for _, s := range streams {
		if s.FullRate != 0 {
			paused = append(paused, s)
		}
	}
	return paused
}

// tellResumed tells the hooks which streams took the place of which.
func (k *Keeper) tellResumed(ctx context.Context, swaps []swap, at uint64) error {
	if k.hooks == nil {
		return nil
	}
	for _, s := range swaps {
		if err := k.hooks.AfterStreamResumed(ctx, s.closed, s.opened, at); err != nil {
			return fmt.Errorf("after stream %d resumed: %w", s.closed.Id, err)
		}
	}
	return nil
}
