package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/proof/types"
)

// Epoch returns an epoch that has closed, or ErrEpochNotFound.
func (k *Keeper) Epoch(ctx context.Context, number uint64) (types.Epoch, error) {
	epoch, found, err := k.findEpoch(ctx, number)
	if err == nil && !found {
		err = types.ErrEpochNotFound.Wrapf("epoch %d", number)
	}
	return epoch, err
}

func (k *Keeper) findEpoch(ctx context.Context, number uint64) (epoch types.Epoch, found bool, err error) {
	epoch, err = k.epochs.Get(ctx, number)
	if errors.Is(err, collections.ErrNotFound) {
		return types.Epoch{}, false, nil
	}
	if err != nil {
		return types.Epoch{}, false, fmt.Errorf("read epoch %d: %w", number, err)
	}
	return epoch, true, nil
}

func (k *Keeper) writeEpoch(ctx context.Context, epoch types.Epoch) error {
	if err := k.epochs.Set(ctx, epoch.Number, epoch); err != nil {
		return fmt.Errorf("write epoch %d: %w", epoch.Number, err)
	}
	return nil
}

// openEpoch stores an epoch that has closed, and files what it comes to. Its windows count from now: escrow may tell late.
func (k *Keeper) openEpoch(ctx context.Context, closed escrowtypes.Epoch) error {
	if _, found, err := k.findEpoch(ctx, closed.Number); err != nil || found {
		return err
	}
	params, err := k.Params(ctx)
	if err != nil {
		return err
	}
	escrowParams, err := k.escrow.Params(ctx)
	if err != nil {
		return err
	}
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return err
	}
	epoch := types.NewEpoch(closed, max(now, closed.ClosedAt), params, escrowParams)
	if err := k.writeEpoch(ctx, epoch); err != nil {
		return err
	}
	return k.fileEpoch(ctx, epoch)
}

// fileEpoch files the seconds at which something is to be done for an epoch that has not been done.
func (k *Keeper) fileEpoch(ctx context.Context, epoch types.Epoch) error {
	seconds := []uint64{epoch.PruneAt()}
	if epoch.Round == 0 && !epoch.Seeded() {
		seconds = append(seconds, epoch.CommitUntil)
	}
	if epoch.Round != 0 && !epoch.Seeded() {
		seconds = append(seconds, epoch.DrawBy)
	}
	if epoch.Turnout.Phase == types.TurnoutWaits {
		seconds = append(seconds, epoch.LateUntil)
	}
	for _, second := range seconds {
		if err := k.fileEpochAt(ctx, second, epoch.Number); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) fileEpochAt(ctx context.Context, second, number uint64) error {
	if err := k.epochQueue.Set(ctx, collections.Join(second, number)); err != nil {
		return fmt.Errorf("file epoch %d at second %d: %w", number, second, err)
	}
	return nil
}

// advanceEpoch does all that is due for an epoch: it names the round that draws it, draws it by block hashes when that did not
// come, begins to judge who is missing, and forgets it. What was done before is not done again.
func (k *Keeper) advanceEpoch(ctx context.Context, number uint64) error {
	epoch, found, err := k.findEpoch(ctx, number)
	if err != nil || !found {
		return err
	}
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return err
	}
	if epoch.Round == 0 && !epoch.Seeded() && now >= epoch.CommitUntil {
		if epoch, err = k.awaitSeed(ctx, epoch, now); err != nil {
			return err
		}
	}
	if epoch.Round != 0 && !epoch.Seeded() && now >= epoch.DrawBy {
		if epoch, err = k.seedByHashes(ctx, epoch); err != nil {
			return err
		}
	}
	if epoch.Turnout.Phase == types.TurnoutWaits && now >= epoch.LateUntil {
		if epoch, err = k.beginTurnout(ctx, epoch); err != nil {
			return err
		}
	}
	if now >= epoch.PruneAt() {
		return k.pruneEpoch(ctx, epoch, now)
	}
	return nil
}

// beginTurnout closes an epoch to commitments, so that it can be judged who is missing.
func (k *Keeper) beginTurnout(ctx context.Context, epoch types.Epoch) (types.Epoch, error) {
	epoch.Turnout.Phase = types.TurnoutCounts
	if err := k.turnouts.Set(ctx, epoch.Number); err != nil {
		return types.Epoch{}, fmt.Errorf("begin the turnout of epoch %d: %w", epoch.Number, err)
	}
	return epoch, k.writeEpoch(ctx, epoch)
}
