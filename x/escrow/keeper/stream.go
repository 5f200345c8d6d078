package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/escrow/types"
)

// OpenStream starts to pay a payee from an account, from now on, and returns the stream. The account must last for at
// least one second; a longer runway is what Hold is for. A service stream of a low account opens paused, as a hold stream,
// unless the account has enough to resume with it.
func (k *Keeper) OpenStream(
	ctx context.Context, id, ref uint64, payee sdk.AccAddress, rate uint64, kind types.StreamKind,
) (types.Stream, error) {
	return k.OpenHeldStream(ctx, id, ref, payee, rate, kind, math.ZeroInt())
}

// OpenHeldStream is OpenStream that first releases what was held for the stream, with one write of the account. What is
// held was promised before: so its stream opens also in a halted denom.
func (k *Keeper) OpenHeldStream(
	ctx context.Context, id, ref uint64, payee sdk.AccAddress, rate uint64, kind types.StreamKind, held math.Int,
) (types.Stream, error) {
	if err := errors.Join(types.ValidateRate(rate), types.ValidateKind(kind)); err != nil {
		return types.Stream{}, err
	}
	payeeText, err := k.text(payee)
	if err != nil {
		return types.Stream{}, err
	}
	c, err := k.liveChange(ctx, id)
	if err != nil {
		return types.Stream{}, err
	}
	if c.halted() && (held.IsNil() || !held.IsPositive()) {
		return types.Stream{}, types.ErrHalted.Wrap(c.account.Denom)
	}
	if c.books, err = unhold(c.account, c.books, held); err != nil {
		return types.Stream{}, err
	}
	if held.IsZero() && !c.numbers(1) { // who holds money was promised a number
		return types.Stream{}, tooMany(c.account)
	}
	return c.openAndSave(ctx, types.Stream{Ref: ref, Payee: payeeText, Rate: rate, Kind: kind})
}

// openAndSave opens a stream in the way that the account's money allows.
func (c *change) openAndSave(ctx context.Context, s types.Stream) (types.Stream, error) {
	swaps, err := c.fitIn(ctx, &s)
	if err != nil {
		return types.Stream{}, err
	}
	if c.account.Streams >= types.MaxStreams || c.account.StreamsOpened >= types.MaxStreamsOpened {
		return types.Stream{}, tooMany(c.account)
	}
	if s, err = c.open(ctx, s); err != nil {
		return types.Stream{}, err
	}
	if err := checkFree(c.account, c.books.Free(c.now), c.books.Outflow.Slope); err != nil {
		return types.Stream{}, err
	}
	if err := c.save(ctx); err != nil {
		return types.Stream{}, err
	}
	return s, c.tellResumed(ctx, swaps, c.now)
}

// fitIn resumes a low account for a service stream that is about to open, or makes that a paused one.
func (c *change) fitIn(ctx context.Context, s *types.Stream) ([]swap, error) {
	if !c.low() || s.Kind != types.StreamKind_STREAM_KIND_SERVICE {
		return nil, nil
	}
	swaps, resumed, err := c.resume(ctx, math.NewIntFromUint64(s.Rate))
	if err == nil && !resumed {
		*s = paused(*s, s.Rate, c.params)
	}
	return swaps, err
}

func tooMany(a types.Account) error {
	return types.ErrTooManyStreams.Wrapf("account %d has %d open, opened %d", a.Id, a.Streams, a.StreamsOpened)
}

// CloseStream stops a stream at a second that is not in the future. A second before the stream opened counts as the one
// at which it opened; a second in an epoch that has closed counts as the first of the running epoch, because closed
// epochs are final. Closing a closed stream changes nothing.
func (k *Keeper) CloseStream(ctx context.Context, id, at uint64) error {
	stream, err := k.openOne(ctx, id)
	if errors.Is(err, types.ErrStreamNotFound) {
		return k.checkClosed(ctx, id)
	}
	if err != nil {
		return err
	}
	account, err := k.Account(ctx, stream.Account)
	if err != nil {
		return err
	}
	c, err := k.change(ctx, account)
	if err != nil {
		return err
	}
	if account.ExhaustedAt != 0 {
		return c.fileStopped(ctx, stream)
	}
	if at > c.now {
		return types.ErrInvalidSecond.Wrapf("close stream %d at %d, in the future of %d", id, at, c.now)
	}
	if err := checkLive(account, c.now); err != nil {
		return err
	}
	if _, err := c.close(ctx, stream, at); err != nil {
		return err
	}
	return c.save(ctx)
}

// openOne returns a stream that is open, or ErrStreamNotFound.
func (k *Keeper) openOne(ctx context.Context, id uint64) (types.Stream, error) {
	stream, err := k.openStreams.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return types.Stream{}, types.ErrStreamNotFound.Wrapf("no open stream %d", id)
	}
	if err != nil {
		return types.Stream{}, fmt.Errorf("read stream %d: %w", id, err)
	}
	return unpackStream(id, stream), nil
}

// checkClosed tells a closed stream from one that never was.
func (k *Keeper) checkClosed(ctx context.Context, id uint64) error {
	found, err := k.closedStreams.Has(ctx, id)
	if err != nil {
		return fmt.Errorf("read stream %d: %w", id, err)
	}
	if !found {
		return types.ErrStreamNotFound.Wrapf("stream %d", id)
	}
	return nil
}

// fileStopped files a stream whose money stopped when its exhausted account went into quarantine.
func (c *change) fileStopped(ctx context.Context, stream types.Stream) error {
	if stream.ClosedAt == 0 {
		var err error
		if stream, err = c.stopPot(ctx, stream); err != nil {
			return err
		}
		if err := c.pots.write(ctx); err != nil {
			return err
		}
	}
	c.account.Streams--
	if err := c.writeAccount(ctx, c.account); err != nil {
		return err
	}
	return c.retainStream(ctx, stream)
}

// fileClosed moves a stream from the open ones to the closed.
func (k *Keeper) fileClosed(ctx context.Context, stream types.Stream) error {
	if err := k.openStreams.Remove(ctx, stream.Id); err != nil {
		return fmt.Errorf("drop open stream %d: %w", stream.Id, err)
	}
	if err := k.closedStreams.Set(ctx, stream.Id, packStream(stream)); err != nil {
		return fmt.Errorf("write closed stream %d: %w", stream.Id, err)
	}
	return emit(ctx, types.NewEventStreamClosed(stream))
}

// Stream returns a stream, open or closed, or ErrStreamNotFound.
func (k *Keeper) Stream(ctx context.Context, id uint64) (types.Stream, error) {
	for _, streams := range []collections.Map[uint64, types.Stream]{k.openStreams, k.closedStreams} {
		stream, err := streams.Get(ctx, id)
		if err == nil {
			return unpackStream(id, stream), nil
		}
		if !errors.Is(err, collections.ErrNotFound) {
			return types.Stream{}, fmt.Errorf("read stream %d: %w", id, err)
		}
	}
	return types.Stream{}, types.ErrStreamNotFound.Wrapf("stream %d", id)
}

// openStreamsOf returns the open streams of an account, at most MaxStreams.
func (k *Keeper) openStreamsOf(ctx context.Context, account uint64) ([]types.Stream, error) {
	var streams []types.Stream
	err := k.openStreams.Walk(ctx, streamsOf(account), func(id uint64, stream types.Stream) (bool, error) {
		streams = append(streams, unpackStream(id, stream))
		return false, nil
	})
	if err != nil {
		return nil, fmt.Errorf("walk streams of account %d: %w", account, err)
	}
	return streams, nil
}

// streamsOf is the range of the ids that streams of an account have.
func streamsOf(account uint64) *collections.Range[uint64] {
	return new(collections.Range[uint64]).
		StartInclusive(types.StreamID(account, 0)).
		EndInclusive(types.StreamID(account, types.MaxStreamsOpened))
}
