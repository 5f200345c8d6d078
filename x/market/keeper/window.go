package keeper

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/souk-network/souk/x/market/types"
)

const (
	// maxGained is the most providers that a sweep goes beside alone; with more it goes beside the whole book.
	maxGained = 256
	// maxForgotten is the most providers whose gain the beginning of a sweep beside the whole book strikes off; others keep
	// theirs for a sweep of their own.
	maxForgotten = 10_000
)

// beginBidSweep begins a sweep if one is due and none is under way: beside the whole book when some bids have not seen all of
// it, else beside the offers of the providers that gained.
func (k *Keeper) beginBidSweep(ctx context.Context, turn *types.Clearing) error {
	if turn.Sweeping {
		return nil
	}
	gained, err := firstKeys(ctx, k.gained, maxGained+1)
	if err != nil {
		return fmt.Errorf("read who gained: %w", err)
	}
	whole := turn.Changed || len(gained) > maxGained
	switch {
	case whole:
		if gained, err = firstKeys(ctx, k.gained, maxForgotten); err != nil {
			return fmt.Errorf("read who gained: %w", err)
		}
	case len(gained) == 0:
		return nil
	}
	for _, provider := range gained {
		err := k.gained.Remove(ctx, provider)
		if !whole {
			err = errors.Join(err, k.swept.Set(ctx, provider))
		}
		if err != nil {
			return fmt.Errorf("begin a sweep: %w", err)
		}
	}
	turn.BeginSweep(whole)
	return nil
}

// endBidSweep forgets what a sweep that is over was about.
func (k *Keeper) endBidSweep(ctx context.Context, turn *types.Clearing) error {
	if turn.Sweeping {
		return nil
	}
	swept, err := firstKeys(ctx, k.swept, maxGained)
	if err != nil {
		return fmt.Errorf("end a sweep: %w", err)
	}
	for _, provider := range swept {
		if err := k.swept.Remove(ctx, provider); err != nil {
			return fmt.Errorf("end a sweep: %w", err)
		}
	}
	return nil
}

// window is a part of the book: some active offers by id.
type window struct {
	offers []uint64
	last   uint64 // the last of them
	more   bool   // offers that the sweep is about follow
	// partial tells that bids which see the book for the first time do not see all of it.
	partial bool
}

// cutAfter ends the window after an offer.
func (w *window) cutAfter(last uint64) { w.last, w.more, w.partial = last, true, true }

// window returns the offers that this turn is about: those behind the cursor, of the whole book, or in a sweep beside
// providers that gained of those. Bids that see the book for the first time see the whole book in such a sweep too, if that
// fits a window.
func (k *Keeper) window(ctx context.Context, turn *types.Clearing, fresh bool, limit int) (window, error) {
	if !turn.Sweeping || turn.Whole {
		return k.wholeWindow(ctx, turn.OfferCursor, turn.OfferLast, limit)
	}
	if fresh {
		w, err := k.wholeWindow(ctx, 0, 0, limit)
		if err != nil || !w.more {
			return w, err
		}
	}
	offers, err := k.sweptOffers(ctx, turn.OfferCursor)
	if err != nil {
		return window{}, err
	}
	more := len(offers) > limit
	return windowOf(offers[:min(len(offers), limit)], more, true), nil
}

// wholeWindow returns active offers above after, up to last if that is not 0.
func (k *Keeper) wholeWindow(ctx context.Context, after, last uint64, limit int) (window, error) {
	end := uint64(math.MaxUint64)
	if last != 0 {
		end = last + 1
	}
	offers, more, err := idsBetween(ctx, k.activeOffers, after, end, limit)
	if err != nil {
		return window{}, fmt.Errorf("walk active offers: %w", err)
	}
	return windowOf(offers, more, after != 0 || last != 0), nil
}

func windowOf(offers []uint64, more, partial bool) window {
	w := window{offers: offers, more: more, partial: partial || more}
	if len(offers) > 0 {
		w.last = offers[len(offers)-1]
	}
	return w
}

// sweptOffers returns the active offers above after of the providers that the sweep is about, by id: at most
// maxGained x MaxOffers.
func (k *Keeper) sweptOffers(ctx context.Context, after uint64) ([]uint64, error) {
	providers, err := firstKeys(ctx, k.swept, maxGained)
	if err != nil {
		return nil, fmt.Errorf("read what the sweep is about: %w", err)
	}
	var offers []uint64
	for _, provider := range providers {
		ids, err := k.offerIDs(ctx, provider)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			active, err := k.activeOffers.Has(ctx, id)
			if err != nil {
				return nil, fmt.Errorf("look up offer %d: %w", id, err)
			}
			if active && id > after {
				offers = append(offers, id)
			}
		}
	}
	slices.Sort(offers)
	return offers, nil
}
