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
// out. An account is in it at most once, and leaves it as what it is due for is booked.
type accountSource struct {
	types.Queue
	*Keeper
}

func (k *Keeper) accountSource() accountSource {
	return accountSource{types.Queue{Source: types.AccountSource, Keys: k.dueAccounts, Handle: k.retryAccount}, k}
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
	item, err := q.First(ctx)
	if err != nil {
		return 0, err
	}
	if types.Isolate(sdk.UnwrapSDKContext(ctx), func(ctx sdk.Context) error { return q.stopMoney(ctx) }) == nil {
		return item.ID, nil
	}
	return item.ID, q.Drop(ctx, item)
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

// retryAccount ends an account that was stopped, or pauses one that should be. One that was closed in the meantime, or is no
// longer low, needs nothing more.
func (k *Keeper) retryAccount(ctx context.Context, id uint64) error {
	account, err := k.Account(ctx, id)
	if errors.Is(err, types.ErrAccountNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	c, err := k.change(ctx, account)
	if err != nil {
		return err
	}
	switch {
	case account.State == types.AccountState_ACCOUNT_STATE_CLOSED:
		return nil
	case account.ExhaustedAt != 0:
		return c.finishLate(ctx)
	case due(account, c.now):
		return k.retryAside(ctx, account, c.now)
	default:
		return c.becomeLow(ctx)
	}
}

// retryAside processes an account that was set aside with broken records: it ends at its own second.
func (k *Keeper) retryAside(ctx context.Context, account types.Account, now uint64) error {
	waits, err := k.dueAccounts.Has(ctx, collections.Join(account.DueAt(), account.Id))
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
	c, err := k.change(ctx, account)
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
	item, err := q.First(ctx)
	if err != nil {
		return nil, err
	}
	account, err := q.Account(ctx, item.ID)
	if err != nil {
		return nil, err
	}
	return q.change(ctx, account)
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
		if types.Guard(func() error { return c.pots.stop(ctx, s) }) == nil {
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
