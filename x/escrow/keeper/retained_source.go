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
type retainedSource struct {
	types.Queue
	*Keeper
}

func (k *Keeper) retainedSource() retainedSource {
	return retainedSource{types.Queue{Source: types.RetainedSource, Keys: k.retained, Handle: k.retryRetained}, k}
}

// ProcessNext forgets a stream, or a whole account. An account with more streams than a chunk stays first in the queue
// until all are gone.
func (q retainedSource) ProcessNext(ctx context.Context) (uint64, error) {
	item, err := q.First(ctx)
	if err != nil {
		return 0, err
	}
	done, err := q.prune(ctx, item.ID)
	if err != nil || !done {
		return item.ID, err
	}
	return item.ID, q.Drop(ctx, item)
}

// retryRetained forgets an item, or files it again when it takes more than one chunk.
func (k *Keeper) retryRetained(ctx context.Context, id uint64) error {
	done, err := k.prune(ctx, id)
	if err != nil || done {
		return err
	}
	now, err := k.Now(ctx)
	if err != nil {
		return err
	}
	return k.retained.Set(ctx, collections.Join(now+1, id))
}

// prune forgets a stream, or a chunk of an account. It tells whether all of the item is gone.
func (k *Keeper) prune(ctx context.Context, id uint64) (bool, error) {
	account := types.AccountOfStream(id)
	if id != types.StreamID(account, 0) {
		return true, k.forgetStream(ctx, id)
	}
	closed, err := k.Account(ctx, account)
	if errors.Is(err, types.ErrAccountNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if closed.State != types.AccountState_ACCOUNT_STATE_CLOSED {
		return false, types.ErrBroken.Wrapf("account %d is to be forgotten and not closed", account)
	}
	ids, err := k.closedChunk(ctx, account)
	if err != nil {
		return false, err
	}
	types.Weigh(ctx, 1+uint32(len(ids)))
	for _, id := range ids {
		if err := k.forgetStream(ctx, id); err != nil {
			return false, err
		}
	}
	if len(ids) == types.MaxStreams {
		return false, nil
	}
	return true, k.forgetAccount(ctx, closed)
}

// closedChunk returns the ids of the first closed streams of an account.
func (k *Keeper) closedChunk(ctx context.Context, account uint64) ([]uint64, error) {
	var ids []uint64
	err := k.closedStreams.Walk(ctx, streamsOf(account), func(id uint64, _ types.Stream) (bool, error) {
		ids = append(ids, id)
		return len(ids) == types.MaxStreams, nil
	})
	if err != nil {
		return nil, fmt.Errorf("walk closed streams of account %d: %w", account, err)
	}
	return ids, nil
}

func (k *Keeper) forgetStream(ctx context.Context, id uint64) error {
	if err := k.closedStreams.Remove(ctx, id); err != nil {
		return fmt.Errorf("forget stream %d: %w", id, err)
	}
	return nil
}

func (k *Keeper) forgetAccount(ctx context.Context, account types.Account) error {
	if err := k.addDust(ctx, account.Denom, booksOf(account).Remainder()); err != nil {
		return err
	}
	owner, err := k.address(account.Owner)
	if err != nil {
		return err
	}
	if err := k.owners.Remove(ctx, collections.Join(owner, account.Id)); err != nil {
		return fmt.Errorf("unlist account %d: %w", account.Id, err)
	}
	if err := k.accounts.Remove(ctx, account.Id); err != nil {
		return fmt.Errorf("forget account %d: %w", account.Id, err)
	}
	if k.hooks == nil {
		return nil
	}
	if err := k.hooks.AfterAccountPruned(ctx, account.Id); err != nil {
		return fmt.Errorf("after account %d was forgotten: %w", account.Id, err)
	}
	return nil
}
