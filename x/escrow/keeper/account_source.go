package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/escrow/types"
)

// accountSource is the queue of accounts that are due: to be paused when their runway is low, to end when they have run
// out. An account is in it at most once.
type accountSource struct{ *Keeper }

var _ types.DeadlineSource = accountSource{}

func (accountSource) Name() string { return types.AccountSource }

func (q accountSource) NextDeadline(ctx context.Context) (uint64, bool, error) {
	second, _, found, err := first(ctx, types.AccountSource, q.dueAccounts)
	return second, found, err
}

// ProcessNext pauses or ends the account that is due first.
func (q accountSource) ProcessNext(ctx context.Context) (uint64, error) {
	c, err := q.firstDue(ctx)
	if err != nil {
		return 0, err
	}
	if c.account.LowAt == 0 {
		return c.account.Id, c.exhaust(ctx)
	}
	return c.account.Id, c.becomeLow(ctx)
}

// Quarantine stops the money of an account that has run out all the same; only its streams' hooks and its refund wait. One
// that should be paused goes on in full until it runs out, because who provides was not told that it is paid less. One
// whose records are broken is left as it is: whatever is wrong with it, the queue goes on.
func (q accountSource) Quarantine(ctx context.Context) (uint64, error) {
	second, id, found, err := first(ctx, types.AccountSource, q.dueAccounts)
	if err != nil {
		return 0, err
	}
	if !found {
		return 0, types.ErrAccountNotFound.Wrap("no account is due")
	}
	if q.isolate(sdk.UnwrapSDKContext(ctx), func(ctx sdk.Context) error { return q.stopMoney(ctx) }) == nil {
		return id, nil
	}
	return id, q.moveDue(ctx, id, second, 0)
}

// stopMoney does to the account that is due first what can be done without its hooks.
func (q accountSource) stopMoney(ctx context.Context) error {
	c, err := q.firstDue(ctx)
	if err != nil {
		return err
	}
	if c.account.LowAt != 0 {
		due := c.account.DueAt()
		c.account.LowAt = 0
		if err := c.moveDue(ctx, c.account.Id, due, c.account.DueAt()); err != nil {
			return err
		}
		return c.writeAccount(ctx, c.account)
	}
	streams, err := c.stopReadable(ctx)
	if err != nil {
		return err
	}
	for _, s := range streams {
		if err := q.openStreams.Set(ctx, s.Id, packStream(s)); err != nil {
			return fmt.Errorf("write stream %d: %w", s.Id, err)
		}
	}
	return c.save(ctx)
}

// Retry ends an account that was stopped, or pauses one that should be. One that was closed in the meantime, or is no
// longer low, needs nothing more.
func (q accountSource) Retry(ctx context.Context, id uint64) error {
	account, err := q.Account(ctx, id)
	if errors.Is(err, types.ErrAccountNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	c, err := q.change(ctx, account)
	if err != nil {
		return err
	}
	switch {
	case account.State == types.AccountState_ACCOUNT_STATE_CLOSED:
		return nil
	case account.ExhaustedAt != 0:
		return c.finishLate(ctx)
	case due(account, c.now):
		return q.retryAside(ctx, account, c.now)
	default:
		return c.becomeLow(ctx)
	}
}

// retryAside processes an account that was set aside with broken records: it ends at its own second.
func (q accountSource) retryAside(ctx context.Context, account types.Account, now uint64) error {
	waits, err := q.dueAccounts.Has(ctx, collections.Join(account.DueAt(), account.Id))
	if err != nil {
		return fmt.Errorf("look for account %d among those that are due: %w", account.Id, err)
	}
	if waits {
		return behind(account)
	}
	runsOut := account.ZeroAt <= now
	if runsOut {
		ctx, account.LowAt = at(sdk.UnwrapSDKContext(ctx), account.ZeroAt), 0
	}
	c, err := q.change(ctx, account)
	if err != nil {
		return err
	}
	if runsOut {
		return c.exhaust(ctx)
	}
	return c.becomeLow(ctx)
}

// setAside tells that an account is in quarantine and left as it was at its second.
func (k *Keeper) setAside(ctx context.Context, a types.Account) (bool, error) {
	item, err := k.quarantine.Get(ctx, collections.Join(types.AccountSource, a.Id))
	if errors.Is(err, collections.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read quarantine: %w", err)
	}
	return item.Second == a.DueAt(), nil
}

// firstDue begins a step of the account that is due first, at its second.
func (q accountSource) firstDue(ctx context.Context) (*change, error) {
	_, id, found, err := first(ctx, types.AccountSource, q.dueAccounts)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, types.ErrAccountNotFound.Wrap("no account is due")
	}
	account, err := q.Account(ctx, id)
	if err != nil {
		return nil, err
	}
	return q.change(ctx, account)
}

// first returns the first item of a queue of (second, id). Whatever a deadline does, it never files anything before
// itself: so the search may start at the item that was dealt with last.
func first(
	ctx context.Context, source string, queue collections.KeySet[collections.Pair[uint64, uint64]],
) (second, id uint64, found bool, err error) {
	from := new(collections.Range[collections.Pair[uint64, uint64]])
	if last, ok := types.LastItem(ctx, source); ok {
		from = from.StartInclusive(collections.Join(last.Second, last.ID))
	}
	err = queue.Walk(ctx, from, func(key collections.Pair[uint64, uint64]) (bool, error) {
		second, id, found = key.K1(), key.K2(), true
		return true, nil
	})
	if err != nil {
		return 0, 0, false, fmt.Errorf("walk the queue of %s: %w", source, err)
	}
	return second, id, found, nil
}

// becomeLow pauses the services of an account whose runway is low. If the parameters have changed so that it is not, the
// account is filed anew. If not even what is paused can be paid, it has run out.
func (c *change) becomeLow(ctx context.Context) error {
	if c.account.State != types.AccountState_ACCOUNT_STATE_FUNDED || c.account.ZeroAt == 0 || !c.isLow() {
		return c.save(ctx)
	}
	streams, err := c.openStreamsOf(ctx, c.account.Id)
	if err != nil {
		return err
	}
	if !c.canPause(streams) {
		return c.exhaust(ctx)
	}
	types.Weigh(ctx, 1+2*uint32(len(streams)))
	swaps, err := c.pause(ctx, streams)
	if err != nil {
		return err
	}
	if err := c.save(ctx); err != nil {
		return err
	}
	return c.tellPaused(ctx, swaps, c.now)
}

// isLow tells that the runway of an account is not longer than that at which it is paused.
func (c *change) isLow() bool {
	runway := uint64(c.params.PauseRunwaySeconds)
	return runway != 0 && c.account.ZeroAt <= c.now+runway
}

// exhaust ends an account now: all its streams stop together, the hooks are told, and what is left is refunded.
func (c *change) exhaust(ctx context.Context) error {
	streams, err := c.stopAll(ctx)
	if err != nil {
		return err
	}
	if err := c.save(ctx); err != nil {
		return err
	}
	return c.finish(ctx, streams)
}

// stopAll stops all streams of an account now, and latches the second.
func (c *change) stopAll(ctx context.Context) ([]types.Stream, error) {
	streams, err := c.openStreamsOf(ctx, c.account.Id)
	if err != nil {
		return nil, err
	}
	types.Weigh(ctx, 1+uint32(len(streams)))
	c.account.ExhaustedAt = c.now
	for i, s := range streams {
		if streams[i], err = c.stop(ctx, s, c.now); err != nil {
			return nil, err
		}
	}
	return streams, nil
}

// stopReadable is stopAll for an account of whose payees some have broken pots: the account pays nothing any more, and the
// streams to them go on in their pots only, still open, until finishLate.
func (c *change) stopReadable(ctx context.Context) ([]types.Stream, error) {
	streams, err := c.openStreamsOf(ctx, c.account.Id)
	if err != nil {
		return nil, err
	}
	types.Weigh(ctx, 1+uint32(len(streams)))
	c.account.ExhaustedAt = c.now
	for i, s := range streams {
		s.ClosedAt = c.now
		c.books.Outflow = c.books.Outflow.Stop(s.Rate, c.now)
		c.account.PausedRate = c.account.PausedRate.Sub(pausedRate(s))
		if guard(func() error { return c.pots.stop(ctx, s) }) == nil {
			streams[i] = s
		}
	}
	return streams, nil
}

// finishLate stops in their pots what could not be stopped when the account ran out, and finishes it.
func (c *change) finishLate(ctx context.Context) error {
	streams, err := c.openStreamsOf(ctx, c.account.Id)
	if err != nil {
		return err
	}
	for i, s := range streams {
		if s.ClosedAt == 0 {
			if streams[i], err = c.stopPot(ctx, s); err != nil {
				return err
			}
		}
	}
	if err := c.pots.write(ctx); err != nil {
		return err
	}
	return c.finish(ctx, streams)
}

// stopPot stops a stream of an exhausted account in its pot, at the second at which the account ran out.
func (c *change) stopPot(ctx context.Context, s types.Stream) (types.Stream, error) {
	s.ClosedAt = c.account.ExhaustedAt
	return s, c.pots.stop(ctx, s)
}

// finish files the stopped streams as closed, tells the hooks, and refunds what is left.
func (c *change) finish(ctx context.Context, streams []types.Stream) error {
	c.account.Streams = 0
	if err := c.writeAccount(ctx, c.account); err != nil {
		return err
	}
	for _, stream := range streams {
		if err := c.fileClosed(ctx, stream); err != nil {
			return err
		}
	}
	if err := c.tellExhausted(ctx, c.account, streams); err != nil {
		return err
	}
	_, err := c.CloseAccount(ctx, c.account.Id)
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
