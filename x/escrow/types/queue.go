package types

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
)

var _ DeadlineSource = Queue{}

// Queue is a source of deadlines that keeps its items as keys in the store of its module, in the order of (second, id).
type Queue struct {
	Source string // the name of the source
	Keys   collections.KeySet[collections.Pair[uint64, uint64]]
	// Handle does what is due of an item that is in the queue no more. One that was dealt with otherwise needs nothing.
	Handle func(ctx context.Context, id uint64) error
}

// Name of the source.
func (q Queue) Name() string { return q.Source }

// NextDeadline returns the second of the first item.
func (q Queue) NextDeadline(ctx context.Context) (uint64, bool, error) {
	item, ok, err := q.look(ctx)
	return item.Second, ok, err
}

// ProcessNext takes the first item out of the queue, and handles it.
func (q Queue) ProcessNext(ctx context.Context) (uint64, error) {
	id, err := q.Quarantine(ctx)
	if err != nil {
		return 0, err
	}
	return id, q.Handle(ctx, id)
}

// Quarantine takes the first item out of the queue. What it stands for stays as it is.
func (q Queue) Quarantine(ctx context.Context) (uint64, error) {
	item, err := q.First(ctx)
	if err != nil {
		return 0, err
	}
	return item.ID, q.Drop(ctx, item)
}

// Retry handles an item that was quarantined.
func (q Queue) Retry(ctx context.Context, id uint64) error { return q.Handle(ctx, id) }

// First returns the first item, or ErrNothingDue.
func (q Queue) First(ctx context.Context) (Item, error) {
	item, ok, err := q.look(ctx)
	if err == nil && !ok {
		err = ErrNothingDue.Wrap(q.Source)
	}
	return item, err
}

// Drop takes an item out of the queue.
func (q Queue) Drop(ctx context.Context, item Item) error {
	if err := q.Keys.Remove(ctx, collections.Join(item.Second, item.ID)); err != nil {
		return fmt.Errorf("drop item %d of %s: %w", item.ID, q.Source, err)
	}
	return nil
}

// look returns the first item, from the one that this block dealt with last: nothing is ever filed before it.
func (q Queue) look(ctx context.Context) (Item, bool, error) {
	from := new(collections.Range[collections.Pair[uint64, uint64]])
	if last, ok := LastItem(ctx, q.Source); ok {
		from = from.StartInclusive(collections.Join(last.Second, last.ID))
	}
	key, ok, err := FirstKey(ctx, q.Keys.Iterate, from)
	if err != nil {
		return Item{}, false, fmt.Errorf("first item of %s: %w", q.Source, err)
	}
	return Item{Second: key.K1(), ID: key.K2()}, ok, nil
}

// FirstKey returns the first key of a walk; ok is false when there is none. It reads no value.
func FirstKey[K any, I interface {
	Valid() bool
	Key() (K, error)
	Close() error
}](
	ctx context.Context, iterate func(context.Context, collections.Ranger[K]) (I, error), within collections.Ranger[K],
) (key K, ok bool, err error) {
	iterator, err := iterate(ctx, within)
	if err != nil {
		return key, false, fmt.Errorf("look for the first key: %w", err)
	}
	defer func() { err = errors.Join(err, iterator.Close()) }()
	if !iterator.Valid() {
		return key, false, nil
	}
	if key, err = iterator.Key(); err != nil {
		return key, false, fmt.Errorf("read the first key: %w", err)
	}
	return key, true, nil
}
