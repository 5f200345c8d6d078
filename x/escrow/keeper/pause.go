package keeper

import (
	"context"
	"fmt"

	"github.com/souk-network/souk/x/escrow/ledger"
	"github.com/souk-network/souk/x/escrow/types"
)

// swap is a stream that took the place of another.
type swap struct{ closed, opened types.Stream }

// pause closes the service streams of a low account now, and opens a hold stream in the place of each. It writes nothing of
// the account yet.
func (c *change) pause(ctx context.Context, streams []types.Stream) ([]swap, error) {
	var swaps []swap
	for _, s := range streams {
		if s.Kind != types.StreamKind_STREAM_KIND_SERVICE {
			continue
		}
		closed, err := c.close(ctx, s, c.now)
		if err != nil {
			return nil, err
		}
		next := paused(s, s.Rate, c.params)
		next.Previous = s.Id
		opened, err := c.open(ctx, next)
		if err != nil {
			return nil, err
		}
		if err := emit(ctx, types.NewEventStreamPaused(closed, opened)); err != nil {
			return nil, err
		}
		swaps = append(swaps, swap{closed, opened})
	}
	c.account.State = types.AccountState_ACCOUNT_STATE_LOW
	return swaps, emit(ctx, types.NewEventAccountLow(c.account.Id, c.now))
}

// paused returns the stream that stands in for a service of a rate while it is paused.
func paused(s types.Stream, rate uint64, params types.Params) types.Stream {
	s.Kind = types.StreamKind_STREAM_KIND_HOLD
	s.Rate, s.FullRate = ledger.HoldRate(rate, params.PauseBps), rate
	return s
}

// canPause tells that an account can go on with its services paused: it can number the streams, and pay them for a second.
func (c *change) canPause(streams []types.Stream) bool {
	rate, services := ledger.Need(c.books.Outflow.Slope, 1), uint32(0)
	for _, s := range streams {
		if s.Kind == types.StreamKind_STREAM_KIND_SERVICE {
			services++
			rate = rate.Sub(pausedRate(paused(s, s.Rate, c.params)))
		}
	}
	return services <= types.MaxStreamsOpened-c.account.StreamsOpened && c.books.Lasts(rate, 1, c.now)
}

// tellPaused tells the hooks which streams took the place of which.
func (k *Keeper) tellPaused(ctx context.Context, swaps []swap, at uint64) error {
	if k.hooks == nil {
		return nil
	}
	for _, s := range swaps {
		if err := k.hooks.AfterStreamPaused(ctx, s.closed, s.opened, at); err != nil {
			return fmt.Errorf("after stream %d was paused: %w", s.closed.Id, err)
		}
	}
	return nil
}
