package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/collections"

	"github.com/souk-network/souk/x/escrow/types"
)

// zeroSource is escrow's own queue of deadlines: the zero seconds of accounts.
type zeroSource struct{ *Keeper }

var _ types.DeadlineSource = zeroSource{}

func (zeroSource) Name() string { return types.ZeroSource }

func (z zeroSource) NextDeadline(ctx context.Context) (uint64, bool, error) {
	second, _, found, err := z.first(ctx)
	return second, found, err
}

// ProcessNext ends the account whose money ran out first.
func (z zeroSource) ProcessNext(ctx context.Context) (uint64, error) {
	account, streams, err := z.stopFirst(ctx)
	if err != nil {
		return 0, err
	}
	return account.Id, z.finishAccount(ctx, account, streams)
}

// Quarantine stops the money of the account all the same; only its streams' hooks and its refund wait.
func (z zeroSource) Quarantine(ctx context.Context) (uint64, error) {
	account, streams, err := z.stopFirst(ctx)
	if err != nil {
		return 0, err
	}
	for _, stream := range streams {
		if err := z.openStreams.Set(ctx, stream.Id, packStream(stream)); err != nil {
			return 0, fmt.Errorf("write stream %d: %w", stream.Id, err)
		}
	}
	return account.Id, nil
}

// Retry ends an account that was stopped; one that was closed in the meantime needs nothing more.
func (z zeroSource) Retry(ctx context.Context, id uint64) error {
	account, err := z.Account(ctx, id)
	if err != nil {
		return err
	}
	if account.State == types.AccountState_ACCOUNT_STATE_CLOSED {
		return nil
	}
	if account.ExhaustedAt == 0 {
		return types.ErrBroken.Wrapf("account %d is in quarantine and not stopped", id)
	}
	streams, err := z.openStreamsOf(ctx, id)
	if err != nil {
		return err
	}
	return z.finishAccount(ctx, account, streams)
}

// stopFirst stops the account whose money ran out first.
func (k *Keeper) stopFirst(ctx context.Context) (types.Account, []types.Stream, error) {
	_, id, found, err := k.first(ctx)
	if err != nil {
		return types.Account{}, nil, err
	}
	if !found {
		return types.Account{}, nil, types.ErrAccountNotFound.Wrap("no account is due")
	}
	return k.stopAccount(ctx, id)
}

// first returns the earliest zero second and its account. Whatever a deadline does, it never moves a zero second to its
// own second or before: so the search may start at the item that was dealt with last.
func (k *Keeper) first(ctx context.Context) (second, id uint64, found bool, err error) {
	from := new(collections.Range[collections.Pair[uint64, uint64]])
	if last, ok := types.LastItem(ctx, types.ZeroSource); ok {
		from = from.StartInclusive(collections.Join(last.Second, last.ID))
	}
	err = k.zeroSeconds.Walk(ctx, from, func(key collections.Pair[uint64, uint64]) (bool, error) {
		second, id, found = key.K1(), key.K2(), true
		return true, nil
	})
	if err != nil {
		return 0, 0, false, fmt.Errorf("walk zero seconds: %w", err)
	}
	return second, id, found, nil
}

// stopAccount stops all streams of an account at its zero second, together, and latches that second. It returns the
// streams with their end, which is not yet written: finishAccount files them as closed, or Quarantine leaves them among the
// open ones until the hooks can be told.
func (k *Keeper) stopAccount(ctx context.Context, id uint64) (types.Account, []types.Stream, error) {
	account, err := k.Account(ctx, id)
	if err != nil {
		return types.Account{}, nil, err
	}
	streams, err := k.openStreamsOf(ctx, id)
	if err != nil {
		return types.Account{}, nil, err
	}
	clock, err := k.Clock(ctx)
	if err != nil {
		return types.Account{}, nil, err
	}
	types.Weigh(ctx, 1+uint32(len(streams)))
	account.ExhaustedAt = account.ZeroAt
	books := booksOf(account)
	for i := range streams {
		streams[i].ClosedAt = account.ExhaustedAt
		books.Outflow = books.Outflow.Stop(streams[i].Rate, streams[i].ClosedAt)
		if err := k.stopInflow(ctx, clock, streams[i], account.Denom); err != nil {
			return types.Account{}, nil, err
		}
	}
	account, err = k.saveAccount(ctx, account, books.Settle(account.ExhaustedAt))
	return account, streams, err
}

// finishAccount files the stopped streams as closed, tells the hooks, and refunds what is left.
func (k *Keeper) finishAccount(ctx context.Context, account types.Account, streams []types.Stream) error {
	account.Streams = 0
	if err := k.writeAccount(ctx, account); err != nil {
		return err
	}
	for _, stream := range streams {
		if err := k.fileClosed(ctx, stream); err != nil {
			return err
		}
	}
	if err := k.tellExhausted(ctx, account, streams); err != nil {
		return err
	}
	_, err := k.CloseAccount(ctx, account.Id)
	return err
}

func (k *Keeper) tellExhausted(ctx context.Context, account types.Account, streams []types.Stream) error {
	if k.hooks == nil {
		return nil
	}
	for _, stream := range streams {
		if err := k.hooks.AfterStreamExhausted(ctx, stream, account.ExhaustedAt); err != nil {
			return fmt.Errorf("after stream %d ended: %w", stream.Id, err)
		}
	}
	if err := k.hooks.AfterAccountExhausted(ctx, account, account.ExhaustedAt); err != nil {
		return fmt.Errorf("after account %d ended: %w", account.Id, err)
	}
	return nil
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
