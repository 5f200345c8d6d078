package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/provider/types"
)

// UnbondingDeadlines is the queue of bond on its way back.
func (k *Keeper) UnbondingDeadlines() escrowtypes.DeadlineSource {
	return source{name: types.UnbondingSource, queue: k.unbondingQueue, handle: k.returnBond}
}

// RotationDeadlines is the queue of agents that take over.
func (k *Keeper) RotationDeadlines() escrowtypes.DeadlineSource {
	return source{name: types.RotationSource, queue: k.rotations, handle: k.completeRotation}
}

// completeRotation lets the agent of a provider take over that is due.
func (k *Keeper) completeRotation(ctx context.Context, number uint64) error {
	operator, err := k.ProviderByNumber(ctx, number)
	if err != nil {
		return err
	}
	provider, err := k.readProvider(ctx, operator)
	if err != nil {
		return err
	}
	_, err = k.settleRotation(ctx, operator, provider)
	return err
}

// source is a queue in the order of (second, id). Handling an item that has been dealt with does nothing.
type source struct {
	name   string
	queue  collections.KeySet[dueKey]
	handle func(ctx context.Context, id uint64) error
}

// Name of the source.
func (s source) Name() string { return s.name }

// NextDeadline returns the second of the first item.
func (s source) NextDeadline(ctx context.Context) (uint64, bool, error) {
	key, ok, err := s.first(ctx)
	if err != nil || !ok {
		return 0, false, err
	}
	return key.K1(), true, nil
}

// ProcessNext handles the first item.
func (s source) ProcessNext(ctx context.Context) (uint64, error) {
	id, err := s.Quarantine(ctx)
	if err != nil {
		return 0, err
	}
	return id, s.handle(ctx, id)
}

// Quarantine takes the first item out of the queue. What it stands for stays as it is: bond stays with the module, and
// counted; an agent has taken over all the same, only the former one is not free for others.
func (s source) Quarantine(ctx context.Context) (uint64, error) {
	key, ok, err := s.first(ctx)
	if err != nil {
		return 0, err
	}
	if !ok {
		return 0, types.ErrQueue.Wrapf("nothing is due in %s", s.name)
	}
	if err := s.queue.Remove(ctx, key); err != nil {
		return 0, fmt.Errorf("drop item %d of %s: %w", key.K2(), s.name, err)
	}
	return key.K2(), nil
}

// Retry handles an item that was quarantined, unless it has been dealt with meanwhile.
func (s source) Retry(ctx context.Context, id uint64) error { return s.handle(ctx, id) }

// first returns the first key of the queue. It looks from the item that this block dealt with last: nothing is ever filed
// before it.
func (s source) first(ctx context.Context) (key dueKey, ok bool, err error) {
	from := new(collections.Range[dueKey])
	if last, ok := escrowtypes.LastItem(ctx, s.name); ok {
		from = from.StartInclusive(collections.Join(last.Second, last.ID))
	}
	iterator, err := s.queue.Iterate(ctx, from)
	if err != nil {
		return dueKey{}, false, fmt.Errorf("look for the first item of %s: %w", s.name, err)
	}
	defer func() { err = errors.Join(err, iterator.Close()) }()
	if !iterator.Valid() {
		return dueKey{}, false, nil
	}
	key, err = iterator.Key()
	if err != nil {
		return dueKey{}, false, fmt.Errorf("read the first item of %s: %w", s.name, err)
	}
	return key, true, nil
}
