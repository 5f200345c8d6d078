package types

import (
	"context"
	"math"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// progressKey marks a context in which a block's deadlines are processed.
type progressKey struct{}

// Item names a due item: its second and its id within the source.
type Item struct{ Second, ID uint64 }

// Progress notes, for one block and in memory only, how far each source has got and what the item at hand weighs.
type Progress struct {
	last   map[string]Item
	weight uint32
}

// WithProgress returns a context in which sources can ask and tell.
func WithProgress(ctx sdk.Context) (sdk.Context, *Progress) {
	progress := &Progress{last: make(map[string]Item)}
	return ctx.WithValue(progressKey{}, progress), progress
}

// Done notes that an item of a source was processed or put into quarantine, and returns its weight, at least 1.
func (p *Progress) Done(source string, item Item) uint32 {
	weight := max(1, p.weight)
	p.last[source], p.weight = item, 0
	return weight
}

// LastItem returns the item of a source that was dealt with last in this block. A source keeps its queue in the order of
// (second, id) and looks for the next item from here on: looking from the start of the queue would step over every item
// that this block has removed, which makes a thousand due items cost a million steps. Nothing that is filed meanwhile
// may come before it.
func LastItem(ctx context.Context, source string) (Item, bool) {
	progress, ok := ctx.Value(progressKey{}).(*Progress)
	if !ok {
		return Item{}, false
	}
	item, ok := progress.last[source]
	return item, ok
}

// Weigh tells that the item at hand takes as much work as so many small ones; it counts against the cap of the block. What
// an item sets off in other modules adds to its weight.
func Weigh(ctx context.Context, weight uint32) {
	if progress, ok := ctx.Value(progressKey{}).(*Progress); ok {
		progress.weight += min(weight, math.MaxUint32-progress.weight)
	}
}
