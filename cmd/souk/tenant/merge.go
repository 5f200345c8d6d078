package tenant

import (
	"cmp"
	"context"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// stream gives items until it ends or one is refused.
type stream[T any] func(ctx context.Context, each func(T) error) error

// merge reads all streams at once and hands their items on one after the other: as they come if they are followed, else in
// the order of their times, as far as each stream has them in order. It ends with all streams, or with the first error.
func merge[T any](ctx context.Context, streams []stream[T], follow bool, at func(T) time.Time, each func(T) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	readers, ctx := errgroup.WithContext(ctx)
	shared, items := make(chan T, 16), make([]chan T, len(streams))
	for i, read := range streams {
		items[i] = shared
		if !follow {
			items[i] = make(chan T, 16)
		}
		readers.Go(func() error {
			if !follow {
				defer close(items[i])
			}
			return read(ctx, func(item T) error {
				select {
				case items[i] <- item:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
		})
	}
	ended := make(chan error, 1)
	go func() {
		err := readers.Wait()
		close(shared)
		ended <- err
	}()
	var err error
	if follow {
		err = asTheyCome(shared, each)
	} else {
		err = inOrder(items, at, each)
	}
	cancel() // those that still read, if an item was refused
	return cmp.Or(err, <-ended)
}

// asTheyCome hands on what arrives until all readers have ended.
func asTheyCome[T any](items chan T, each func(T) error) error {
	for item := range items {
		if err := each(item); err != nil {
			return err
		}
	}
	return nil
}

// inOrder hands on the item with the earliest time again and again.
func inOrder[T any](items []chan T, at func(T) time.Time, each func(T) error) error {
	heads := make([]*T, len(items))
	for {
		first := -1
		for i, c := range items {
			if heads[i] == nil {
				item, more := <-c
				if !more {
					continue
				}
				heads[i] = &item
			}
			if first < 0 || at(*heads[i]).Before(at(*heads[first])) {
				first = i
			}
		}
		if first < 0 {
			return nil
		}
		if err := each(*heads[first]); err != nil {
			return err
		}
		heads[first] = nil
	}
}

func pad(s string, width int) string { return s + strings.Repeat(" ", max(width-len(s), 0)) }
