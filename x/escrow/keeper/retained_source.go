package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	"github.com/souk-network/souk/x/escrow/ledger"
	"github.com/souk-network/souk/x/escrow/types"
)

// RetainUntil returns the second from which nothing that closes now can be claimed any more.
func (k *Keeper) RetainUntil(ctx context.Context) (uint64, error) {
	params, err := k.Params(ctx)
	if err != nil {
		return 0, err
	}
	clock, now, err := k.present(ctx)
	if err != nil {
		return 0, err
	}
	return retainUntil(params, clock, now), nil
}

func retainUntil(params types.Params, clock types.Clock, now uint64) uint64 {
	return ledger.RetainUntil(now, clock.EpochEnd, uint64(params.EpochSeconds), uint64(params.HoldbackEpochs))
}

// retainedSource is the queue of closed accounts and streams that are forgotten once no claim can refer to them.
type retainedSource struct{ *Keeper }

var _ types.DeadlineSource = retainedSource{}

func (retainedSource) Name() string { return types.RetainedSource }

func (q retainedSource) NextDeadline(ctx context.Context) (uint64, bool, error) {
	second, _, found, err := first(ctx, types.RetainedSource, q.retained)
	return second, found, err
}

// ProcessNext forgets a stream, or a whole account. An account with more streams than a chunk stays first in the queue
// until all are gone.
func (q retainedSource) ProcessNext(ctx context.Context) (uint64, error) {
	second, id, found, err := first(ctx, types.RetainedSource, q.retained)
	if err != nil {
		return 0, err
	}
	if !found {
		return 0, types.ErrStreamNotFound.Wrap("nothing is retained")
	}
	done, err := q.prune(ctx, id)
	if err != nil || !done {
		return id, err
	}
	return id, q.drop(ctx, second, id)
}

// Quarantine leaves the item in the state, but out of the queue.
func (q retainedSource) Quarantine(ctx context.Context) (uint64, error) {
	second, id, found, err := first(ctx, types.RetainedSource, q.retained)
	if err != nil {
		return 0, err
	}
	if !found {
		return 0, types.ErrStreamNotFound.Wrap("nothing is retained")
	}
	return id, q.drop(ctx, second, id)
}

// Retry forgets the item, or files it again when it takes more than one chunk.
func (q retainedSource) Retry(ctx context.Context, id uint64) error {
	done, err := q.prune(ctx, id)
	if err != nil || done {
		return err
	}
	now, err := q.Now(ctx)
	if err != nil {
		return err
	}
	return q.retained.Set(ctx, collections.Join(now+1, id))
}

func (q retainedSource) drop(ctx context.Context, second, id uint64) error {
	if err := q.retained.Remove(ctx, collections.Join(second, id)); err != nil {
		return fmt.Errorf("drop retained item %d: %w", id, err)
	}
	return nil
}

// prune forgets a stream, or a chunk of an account. It tells whether all of the item is gone.
func (q retainedSource) prune(ctx context.Context, id uint64) (bool, error) {
	account := types.AccountOfStream(id)
	if id != types.StreamID(account, 0) {
		return true, q.forgetStream(ctx, id)
	}
	closed, err := q.Account(ctx, account)
	if errors.Is(err, types.ErrAccountNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if closed.State != types.AccountState_ACCOUNT_STATE_CLOSED {
		return false, types.ErrBroken.Wrapf("account %d is to be forgotten and not closed", account)
	}
	ids, err := q.closedChunk(ctx, account)
	if err != nil {
		return false, err
	}
	types.Weigh(ctx, 1+uint32(len(ids)))
	for _, id := range ids {
		if err := q.forgetStream(ctx, id); err != nil {
			return false, err
		}
	}
	if len(ids) == types.MaxStreams {
		return false, nil
	}
	return true, q.forgetAccount(ctx, closed)
}

// closedChunk returns the ids of the first closed streams of an account.
func (q retainedSource) closedChunk(ctx context.Context, account uint64) ([]uint64, error) {
	var ids []uint64
	err := q.closedStreams.Walk(ctx, streamsOf(account), func(id uint64, _ types.Stream) (bool, error) {
		ids = append(ids, id)
		return len(ids) == types.MaxStreams, nil
	})
	if err != nil {
		return nil, fmt.Errorf("walk closed streams of account %d: %w", account, err)
	}
	return ids, nil
}

func (q retainedSource) forgetStream(ctx context.Context, id uint64) error {
	if err := q.closedStreams.Remove(ctx, id); err != nil {
		return fmt.Errorf("forget stream %d: %w", id, err)
	}
	return nil
}

func (q retainedSource) forgetAccount(ctx context.Context, account types.Account) error {
	if err := q.addDust(ctx, account.Denom, booksOf(account).Remainder()); err != nil {
		return err
	}
	owner, err := q.address(account.Owner)
	if err != nil {
		return err
	}
	if err := q.owners.Remove(ctx, collections.Join(owner, account.Id)); err != nil {
		return fmt.Errorf("unlist account %d: %w", account.Id, err)
	}
	if err := q.accounts.Remove(ctx, account.Id); err != nil {
		return fmt.Errorf("forget account %d: %w", account.Id, err)
	}
	if q.hooks == nil {
		return nil
	}
	if err := q.hooks.AfterAccountPruned(ctx, account.Id); err != nil {
		return fmt.Errorf("after account %d was forgotten: %w", account.Id, err)
	}
	return nil
}
