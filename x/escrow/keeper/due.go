package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	"github.com/souk-network/souk/x/escrow/types"
)

// Due returns what the service streams paid from second from until second until, without it, of the chain that ends in a
// stream: itself and those whose place it took. Hold streams, pauses too, count nothing; an open stream counts to until. For
// spans in closed epochs the answer is final. It is ErrStreamNotFound when a stream of the span is forgotten already,
// ErrBehind when the account was to be paused or to end within the span and that is not processed, and ErrTooManyStreams when
// more than MaxDueStreams would have to be read.
func (k *Keeper) Due(ctx context.Context, stream, from, until uint64) (types.Due, error) {
	last, err := k.Stream(ctx, stream)
	if err != nil {
		return types.Due{}, err
	}
	openUntil, err := k.paidUntil(ctx, last, until)
	if err != nil {
		return types.Due{}, err
	}
	sum := types.Due{Grains: math.ZeroInt()}
	for s, steps := last, 1; ; steps++ {
		sum = sum.Add(s, from, until, openUntil)
		if s.OpenedAt <= from || s.Previous == 0 {
			return sum, nil
		}
		if steps == types.MaxDueStreams {
			return types.Due{}, types.ErrTooManyStreams.Wrapf("more than %d streams before %d since second %d", steps, stream, from)
		}
		if s, err = k.closedOne(ctx, s.Previous); err != nil {
			return types.Due{}, err
		}
	}
}

// paidUntil is how far an open stream counts in a span: to its end, unless its account ran out before and the stream could
// not be stopped.
func (k *Keeper) paidUntil(ctx context.Context, s types.Stream, until uint64) (uint64, error) {
	if s.ClosedAt != 0 {
		return until, nil
	}
	account, err := k.Account(ctx, s.Account)
	if err != nil {
		return 0, err
	}
	if account.ExhaustedAt != 0 {
		return min(until, account.ExhaustedAt), nil
	}
	now, err := k.Now(ctx)
	if err != nil {
		return 0, err
	}
	if due(account, now) && account.DueAt() < until {
		return 0, behind(account)
	}
	return until, nil
}

// closedOne returns a stream that is closed, or ErrStreamNotFound.
func (k *Keeper) closedOne(ctx context.Context, id uint64) (types.Stream, error) {
	stream, err := k.closedStreams.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return types.Stream{}, types.ErrStreamNotFound.Wrapf("closed stream %d: it may be forgotten", id)
	}
	if err != nil {
		return types.Stream{}, fmt.Errorf("read stream %d: %w", id, err)
	}
	return unpackStream(id, stream), nil
}
