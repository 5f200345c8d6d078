package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	"github.com/souk-network/souk/x/escrow/types"
)

// tally is what the open streams of an account add up to.
type tally struct {
	streams      uint32
	rate, paused math.Int
}

// CheckBooks checks that the books of every account say what its streams do, that the seconds at which it is due are
// right, and that the queues name what they should and nothing else. It walks the whole state.
func (k *Keeper) CheckBooks(ctx context.Context) error {
	tallies, err := k.tallyStreams(ctx)
	if err != nil {
		return err
	}
	queued := 0
	err = k.accounts.Walk(ctx, nil, func(id uint64, a types.Account) (bool, error) {
		a = unpackAccount(id, a)
		if err := checkTally(a, tallies[id]); err != nil {
			return true, err
		}
		waits, err := k.checkSeconds(ctx, a)
		if waits {
			queued++
		}
		return false, err
	})
	if err != nil {
		return err
	}
	err = k.dueAccounts.Walk(ctx, nil, func(collections.Pair[uint64, uint64]) (bool, error) {
		queued--
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("walk accounts that are due: %w", err)
	}
	if queued != 0 {
		return types.ErrBroken.Wrapf("%d accounts are due and not in the queue", queued)
	}
	return k.checkRetained(ctx)
}

// tallyStreams adds up the open streams by account. Those that were stopped count, but do not flow.
func (k *Keeper) tallyStreams(ctx context.Context) (map[uint64]tally, error) {
	tallies := make(map[uint64]tally)
	err := k.openStreams.Walk(ctx, nil, func(id uint64, s types.Stream) (bool, error) {
		s = unpackStream(id, s)
		t, found := tallies[s.Account]
		if !found {
			t = tally{rate: math.ZeroInt(), paused: math.ZeroInt()}
		}
		t.streams++
		if s.ClosedAt == 0 {
			t.rate, t.paused = t.rate.Add(math.NewIntFromUint64(s.Rate)), t.paused.Add(pausedRate(s))
		}
		tallies[s.Account] = t
		return false, nil
	})
	if err != nil {
		return nil, fmt.Errorf("walk open streams: %w", err)
	}
	return tallies, nil
}

func checkTally(a types.Account, t tally) error {
	if t.rate.IsNil() {
		t.rate, t.paused = math.ZeroInt(), math.ZeroInt()
	}
	if a.ExhaustedAt != 0 { // what could not be stopped flows in its pot only
		t.rate, t.paused = math.ZeroInt(), math.ZeroInt()
	}
	if a.Streams != t.streams || !a.Outflow.Slope.Equal(t.rate) || !a.PausedRate.Equal(t.paused) {
		return types.ErrBroken.Wrapf("account %d: %d streams at %s, %s paused; found %d at %s, %s paused", a.Id, a.Streams,
			a.Outflow.Slope, a.PausedRate, t.streams, t.rate, t.paused)
	}
	return nil
}

// checkSeconds checks when an account is due. Its low second may be any before the zero second: it depends on when the
// account was last touched, and on the parameters at that time. It tells whether the account waits in the queue: else it
// is not due, or was set aside.
func (k *Keeper) checkSeconds(ctx context.Context, a types.Account) (bool, error) {
	zero, _ := booksOf(a).ZeroSecond()
	if zero != a.ZeroAt {
		return false, types.ErrBroken.Wrapf("account %d: zero second %d, computed %d", a.Id, a.ZeroAt, zero)
	}
	if a.LowAt > a.ZeroAt || a.LowAt != 0 && a.State != types.AccountState_ACCOUNT_STATE_FUNDED {
		return false, types.ErrBroken.Wrapf("account %d: low at %d, zero second %d, state %s", a.Id, a.LowAt, a.ZeroAt, a.State)
	}
	if a.DueAt() == 0 {
		return false, nil
	}
	found, err := k.dueAccounts.Has(ctx, collections.Join(a.DueAt(), a.Id))
	if err != nil {
		return false, fmt.Errorf("look for account %d among those that are due: %w", a.Id, err)
	}
	if found {
		return true, nil
	}
	aside, err := k.setAside(ctx, a)
	if err == nil && !aside {
		err = types.ErrBroken.Wrapf("account %d is due at %d and not in the queue", a.Id, a.DueAt())
	}
	return false, err
}

// checkRetained checks that nothing is to be forgotten that is still in use.
func (k *Keeper) checkRetained(ctx context.Context) error {
	return k.retained.Walk(ctx, nil, func(key collections.Pair[uint64, uint64]) (bool, error) {
		account := types.AccountOfStream(key.K2())
		if key.K2() == types.StreamID(account, 0) {
			a, err := k.Account(ctx, account)
			if err == nil && a.State != types.AccountState_ACCOUNT_STATE_CLOSED {
				err = types.ErrBroken.Wrapf("account %d is to be forgotten and not closed", account)
			}
			return err != nil, err
		}
		open, err := k.openStreams.Has(ctx, key.K2())
		if err == nil && open {
			err = types.ErrBroken.Wrapf("stream %d is to be forgotten and open", key.K2())
		}
		return err != nil, err
	})
}
