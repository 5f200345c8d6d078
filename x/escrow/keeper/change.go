package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	"github.com/souk-network/souk/x/escrow/ledger"
	"github.com/souk-network/souk/x/escrow/types"
)

// change is one step in the life of an account at one second. Streams open and close in it; the account and the pots that
// it pays are written once, at its end.
type change struct {
	*Keeper
	params  types.Params
	clock   types.Clock
	now     uint64
	account types.Account
	books   ledger.Account
	pots    *inflows
}

// change begins a step of an account that was read, with its books settled to now.
func (k *Keeper) change(ctx context.Context, account types.Account) (*change, error) {
	params, err := k.Params(ctx)
	if err != nil {
		return nil, err
	}
	clock, now, err := k.present(ctx)
	if err != nil {
		return nil, err
	}
	return &change{
		Keeper: k, params: params, clock: clock, now: now, account: account, books: booksOf(account).Settle(now),
		pots: k.inflows(clock, account.Denom),
	}, nil
}

// liveChange is change for an account that can be drawn on now.
func (k *Keeper) liveChange(ctx context.Context, id uint64) (*change, error) {
	account, err := k.Account(ctx, id)
	if err != nil {
		return nil, err
	}
	c, err := k.change(ctx, account)
	if err != nil {
		return nil, err
	}
	return c, checkLive(account, c.now)
}

// halted tells that governance has halted the account's denom, or struck it out: nothing new may be owed in it.
func (c *change) halted() bool {
	denom, listed := c.params.Denom(c.account.Denom)
	return denom.Halted || !listed
}

// low tells that the account's services are paused.
func (c *change) low() bool { return c.account.State == types.AccountState_ACCOUNT_STATE_LOW }

// fullRate is what the account would pay if all that is paused resumed, in micro-denom an hour.
func (c *change) fullRate() math.Int { return c.books.Outflow.Slope.Add(c.account.PausedRate) }

// numbers tells that an account has numbers for so many streams more, without those that are kept for pauses and for what
// is held.
func (c *change) numbers(streams int) bool {
	return uint64(c.account.StreamsOpened)+uint64(streams) <= uint64(types.MaxStreamsOpened-types.ReservedStreams)
}

// open numbers a stream of the account, writes it, and lets it pay from now on.
func (c *change) open(ctx context.Context, s types.Stream) (types.Stream, error) {
	c.account.Streams++
	c.account.StreamsOpened++
	s.Account, s.Id = c.account.Id, types.StreamID(c.account.Id, c.account.StreamsOpened)
	s.OpenedAt, s.ClosedAt = c.now, 0
	c.books.Outflow = c.books.Outflow.Start(s.Rate, s.OpenedAt)
	c.account.PausedRate = c.account.PausedRate.Add(pausedRate(s))
	if err := c.pots.start(ctx, s); err != nil {
		return types.Stream{}, err
	}
	if err := c.openStreams.Set(ctx, s.Id, packStream(s)); err != nil {
		return types.Stream{}, fmt.Errorf("write stream %d: %w", s.Id, err)
	}
	return s, emit(ctx, types.NewEventStreamOpened(s))
}

// stop lets a stream pay up to a second. It stays among the open ones.
func (c *change) stop(ctx context.Context, s types.Stream, at uint64) (types.Stream, error) {
	s.ClosedAt = at
	c.books.Outflow = c.books.Outflow.Stop(s.Rate, at)
	c.account.PausedRate = c.account.PausedRate.Sub(pausedRate(s))
	return s, c.pots.stop(ctx, s)
}

// close stops a stream at a second, in an account that stays open: so that it is retained by itself. A second before the
// stream opened counts as the one at which it opened; a second in an epoch that has closed counts as the first of the
// running epoch, because closed epochs are final.
func (c *change) close(ctx context.Context, s types.Stream, at uint64) (types.Stream, error) {
	s, err := c.stop(ctx, s, max(at, s.OpenedAt, c.clock.EpochStart))
	if err != nil {
		return types.Stream{}, err
	}
	c.account.Streams--
	return s, c.retainStream(ctx, s)
}

// retainStream files a stream as closed, until no claim can refer to it.
func (c *change) retainStream(ctx context.Context, s types.Stream) error {
	if err := c.fileClosed(ctx, s); err != nil {
		return err
	}
	return c.retain(ctx, s.Id)
}

// retain keeps something that closes now until no claim can refer to it.
func (c *change) retain(ctx context.Context, id uint64) error {
	second := retainUntil(c.params, c.clock, c.now)
	if err := c.retained.Set(ctx, collections.Join(second, id)); err != nil {
		return fmt.Errorf("retain %d until %d: %w", id, second, err)
	}
	return nil
}

// save settles and writes the account and the pots, and files the second at which the account is due next.
func (c *change) save(ctx context.Context) error {
	before := c.account
	c.account = withBooks(c.account, c.books.Settle(c.now))
	c.account.ZeroAt, _ = c.books.ZeroSecond()
	c.account.LowAt = c.lowAt(before)
	if err := c.pots.write(ctx); err != nil {
		return err
	}
	if err := c.moveDue(ctx, c.account.Id, before.DueAt(), c.account.DueAt()); err != nil {
		return err
	}
	return c.writeAccount(ctx, c.account)
}

// lowAt is the second at which the service of the account is to be paused; 0 for none.
func (c *change) lowAt(before types.Account) uint64 {
	runway := uint64(c.params.PauseRunwaySeconds)
	if c.account.State != types.AccountState_ACCOUNT_STATE_FUNDED || c.account.ZeroAt == 0 || runway == 0 {
		return 0
	}
	if before.LowAt != 0 && c.account.ZeroAt >= before.ZeroAt {
		return ledger.LaterLowSecond(c.account.ZeroAt, runway, before.LowAt)
	}
	return ledger.LowSecond(c.account.ZeroAt, runway, c.now)
}

// pausedRate is how much more a stream would pay if it resumed, in micro-denom an hour.
func pausedRate(s types.Stream) math.Int {
	if s.FullRate == 0 {
		return math.ZeroInt()
	}
	return math.NewIntFromUint64(s.FullRate).Sub(math.NewIntFromUint64(s.Rate))
}

// moveDue moves an account in the queue of deadlines.
func (k *Keeper) moveDue(ctx context.Context, id, from, to uint64) error {
	if from == to {
		return nil
	}
	if from != 0 {
		if err := k.dueAccounts.Remove(ctx, collections.Join(from, id)); err != nil {
			return fmt.Errorf("drop deadline %d of account %d: %w", from, id, err)
		}
	}
	if to != 0 {
		if err := k.dueAccounts.Set(ctx, collections.Join(to, id)); err != nil {
			return fmt.Errorf("set deadline %d of account %d: %w", to, id, err)
		}
	}
	return nil
}
