package keeper

import (
	"fmt"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/escrow/types"
)

// deadline is the first item of a source.
type deadline struct {
	source types.DeadlineSource
	second uint64
}

// processDeadlines processes what is due in the order of time, as much as a block may, and returns the frontier: the
// second before which nothing is pending. When a source cannot even say what is due, or an item cannot be taken out of
// its queue, the rest waits for the next block: time must not run past it.
func (k *Keeper) processDeadlines(ctx sdk.Context, clock types.Clock, limit uint32) uint64 {
	now, frontier := clock.Now(), clock.Frontier
	ctx, progress := types.WithProgress(ctx)
	for used := uint32(0); ; {
		next, found, err := k.earliest(ctx)
		if err != nil {
			k.logger(ctx).Error("deadlines stall", "err", err)
			return frontier
		}
		if !found || next.second > now {
			return now
		}
		// An item that was filed for a second long past takes effect where time stands.
		frontier = max(frontier, next.second)
		if used >= limit {
			return frontier
		}
		id, err := k.processDeadline(at(ctx, frontier), next)
		if err != nil {
			k.logger(ctx).Error("deadlines stall", "source", next.source.Name(), "second", next.second, "err", err)
			return frontier
		}
		used += progress.Done(next.source.Name(), types.Item{Second: next.second, ID: id})
	}
}

// earliest returns the first item over all sources; of a tie, that of the source registered first.
func (k *Keeper) earliest(ctx sdk.Context) (first deadline, found bool, err error) {
	for _, source := range k.sources {
		var second uint64
		var ok bool
		err := types.Guard(func() (err error) {
			second, ok, err = source.NextDeadline(ctx)
			return err
		})
		if err != nil {
			return deadline{}, false, fmt.Errorf("next deadline of %s: %w", source.Name(), err)
		}
		if ok && (!found || second < first.second) {
			first, found = deadline{source, second}, true
		}
	}
	return first, found, nil
}

// processDeadline processes one item in a context of its own, and returns its id. One that fails leaves nothing behind
// but its entry in quarantine.
func (k *Keeper) processDeadline(ctx sdk.Context, next deadline) (id uint64, err error) {
	failure := types.Isolate(ctx, func(ctx sdk.Context) (err error) {
		id, err = next.source.ProcessNext(ctx)
		return err
	})
	if failure == nil {
		return id, nil
	}
	err = types.Isolate(ctx, func(ctx sdk.Context) (err error) {
		if id, err = next.source.Quarantine(ctx); err != nil {
			return fmt.Errorf("quarantine after %w: %w", failure, err)
		}
		return k.addQuarantined(ctx, types.Quarantined{
			Source: next.source.Name(), Id: id, Second: next.second, Error: brief(failure),
		})
	})
	return id, err
}
