package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/escrow/ledger"
	"github.com/souk-network/souk/x/escrow/types"
)

// OpenStream starts to pay a payee from an account, from now on, and returns the stream. The account must last for
// at least one second; a longer runway is what Hold is for.
func (k *Keeper) OpenStream(
	ctx context.Context, id, ref uint64, payee sdk.AccAddress, rate uint64, kind types.StreamKind,
) (types.Stream, error) {
	return k.openStream(ctx, id, ref, payee, rate, kind, math.ZeroInt())
}

// OpenHeldStream releases what was held for a stream and opens it, with one write of the account.
func (k *Keeper) OpenHeldStream(
	ctx context.Context, id, ref uint64, payee sdk.AccAddress, rate uint64, kind types.StreamKind, held math.Int,
) (types.Stream, error) {
	return k.openStream(ctx, id, ref, payee, rate, kind, held)
}

func (k *Keeper) openStream(
	ctx context.Context, id, ref uint64, payee sdk.AccAddress, rate uint64, kind types.StreamKind, held math.Int,
) (types.Stream, error) {
	if err := errors.Join(types.ValidateRate(rate), types.ValidateKind(kind)); err != nil {
		return types.Stream{}, err
	}
	payeeText, err := k.text(payee)
	if err != nil {
		return types.Stream{}, err
	}
	clock, now, err := k.present(ctx)
	if err != nil {
		return types.Stream{}, err
	}
	account, err := k.liveAccount(ctx, id, now)
	if err != nil {
		return types.Stream{}, err
	}
	if account.Streams >= types.MaxStreams || account.StreamsOpened >= types.MaxStreamsOpened {
		return types.Stream{}, types.ErrTooManyStreams.Wrapf("account %d has %d open, opened %d", id, account.Streams, account.StreamsOpened)
	}
	books, err := unhold(account, booksOf(account).Settle(now), held)
	if err != nil {
		return types.Stream{}, err
	}
	books.Outflow = books.Outflow.Start(rate, now)
	if err := checkFree(account, books.Free(now), books.Outflow.Slope); err != nil {
		return types.Stream{}, err
	}

	account.Streams++
	account.StreamsOpened++
	stream := types.Stream{
		Id: types.StreamID(id, account.StreamsOpened), Ref: ref, Account: id, Payee: payeeText, Rate: rate, Kind: kind,
		OpenedAt: now,
	}
	if _, err := k.saveAccount(ctx, account, books); err != nil {
		return types.Stream{}, err
	}
	start := func(l ledger.Line) ledger.Line { return l.Start(rate, now) }
	if err := k.record(ctx, clock, payee, account.Denom, ledgerKind(kind), now, start); err != nil {
		return types.Stream{}, err
	}
	if err := k.openStreams.Set(ctx, stream.Id, packStream(stream)); err != nil {
		return types.Stream{}, fmt.Errorf("write stream %d: %w", stream.Id, err)
	}
	return stream, emit(ctx, types.NewEventStreamOpened(stream))
}

// CloseStream stops a stream at a second that is not in the future. A second before the stream opened counts as the one
// at which it opened; a second in an epoch that has closed counts as the first of the running epoch, because closed
// epochs are final. Closing a closed stream changes nothing.
func (k *Keeper) CloseStream(ctx context.Context, id, at uint64) error {
	stream, err := k.openStreams.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return k.checkClosed(ctx, id)
	}
	if err != nil {
		return fmt.Errorf("read stream %d: %w", id, err)
	}
	stream = unpackStream(id, stream)
	if stream.ClosedAt != 0 {
		return k.fileStopped(ctx, stream)
	}
	clock, now, err := k.present(ctx)
	if err != nil {
		return err
	}
	if at > now {
		return types.ErrInvalidSecond.Wrapf("close stream %d at %d, in the future of %d", id, at, now)
	}
	account, err := k.liveAccount(ctx, stream.Account, now)
	if err != nil {
		return err
	}

	stream.ClosedAt = max(at, stream.OpenedAt, clock.EpochStart)
	account.Streams--
	books := booksOf(account)
	books.Outflow = books.Outflow.Stop(stream.Rate, stream.ClosedAt)
	if _, err := k.saveAccount(ctx, account, books.Settle(now)); err != nil {
		return err
	}
	if err := k.stopInflow(ctx, clock, stream, account.Denom); err != nil {
		return err
	}
	return k.fileClosed(ctx, stream)
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
func (k *Keeper) fileStopped(ctx context.Context, stream types.Stream) error {
	account, err := k.Account(ctx, stream.Account)
	if err != nil {
		return err
	}
	account.Streams--
	if err := k.writeAccount(ctx, account); err != nil {
		return err
	}
	return k.fileClosed(ctx, stream)
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

// stopInflow takes a stream out of the pot that it pays, at its closed_at.
func (k *Keeper) stopInflow(ctx context.Context, clock types.Clock, stream types.Stream, denom string) error {
	payee, err := k.address(stream.Payee)
	if err != nil {
		return err
	}
	stop := func(l ledger.Line) ledger.Line { return l.Stop(stream.Rate, stream.ClosedAt) }
	return k.record(ctx, clock, payee, denom, ledgerKind(stream.Kind), stream.ClosedAt, stop)
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

// streamsOf is the range of the ids that streams of an account have.
func streamsOf(account uint64) *collections.Range[uint64] {
	return new(collections.Range[uint64]).
		StartInclusive(types.StreamID(account, 0)).
		EndInclusive(types.StreamID(account, types.MaxStreamsOpened))
}
