package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/proof/types"
)

// EndBlock remembers the hash of the block, and draws audits: epochs that have got their seed first, then late commitments whose
// round is known or did not come. What a block does not get to is left for the next. A step that fails is undone, and tried again
// in the next block: a broken record must not stop the chain.
func (k *Keeper) EndBlock(ctx context.Context) error {
	sdkCtx := sdk.UnwrapSDKContext(ctx)
	budget := 0
	err := escrowtypes.Isolate(sdkCtx, func(ctx sdk.Context) error {
		params, err := k.Params(ctx)
		budget = int(params.DrawsPerBlock)
		return errors.Join(err, k.keepHash(ctx))
	})
	if err != nil {
		k.logger(ctx).Error("block hash not kept", "err", err)
	}
	for _, step := range []struct {
		name string
		take func(context.Context, int) (left int, err error)
	}{
		{"name rounds", k.nameRounds},
		{"draw epochs", k.drawEpochs},
		{"draw late commitments", k.drawRipe},
		{"draw overdue commitments", k.drawOverdue},
		{"judge who is missing", k.judgeTurnouts},
		{"forget rounds", k.forgetRounds},
		{"forget faults", k.forgetFaults},
	} {
		err := escrowtypes.Isolate(sdkCtx, func(ctx sdk.Context) error {
			left, err := step.take(ctx, budget)
			if err == nil {
				budget = max(0, left)
			}
			return err
		})
		if err != nil {
			k.logger(ctx).Error("step of the block failed", "step", step.name, "err", err)
		}
	}
	return nil
}

// drawEpochs draws commitments of epochs with a seed, the oldest epoch first. It returns what is left of the budget.
func (k *Keeper) drawEpochs(ctx context.Context, budget int) (int, error) {
	params, err := k.Params(ctx)
	if err != nil {
		return 0, err
	}
	for budget > 0 {
		number, found, err := escrowtypes.FirstKey(ctx, k.drawing.Iterate, new(collections.Range[uint64]))
		if err != nil || !found {
			return budget, err
		}
		epoch, err := k.Epoch(ctx, number)
		if err != nil {
			return 0, err
		}
		if budget, err = k.drawEpoch(ctx, params, epoch, budget); err != nil {
			return 0, err
		}
	}
	return budget, nil
}

// drawEpoch goes on with the draw of an epoch.
func (k *Keeper) drawEpoch(ctx context.Context, params types.Params, epoch types.Epoch, budget int) (int, error) {
	ids, err := k.undrawn(ctx, epoch, budget)
	if err != nil {
		return 0, err
	}
	epoch.Drawn = len(ids) < budget
	for _, id := range ids {
		commitment, err := k.readCommitment(ctx, id)
		if err != nil {
			return 0, err
		}
		if commitment.Late { // as are all that came after it
			epoch.Drawn = true
			break
		}
		epoch.DrawnUpTo = id
		k.isolated(ctx, commitment, func(ctx sdk.Context) error { return k.drawInTime(ctx, params, epoch, commitment) })
	}
	if epoch.Drawn {
		if err := k.drawing.Remove(ctx, epoch.Number); err != nil {
			return 0, fmt.Errorf("end the draw of epoch %d: %w", epoch.Number, err)
		}
	}
	return budget - max(1, len(ids)), k.writeEpoch(ctx, epoch)
}

// undrawn returns the ids of the next commitments of an epoch, at most limit.
func (k *Keeper) undrawn(ctx context.Context, epoch types.Epoch, limit int) (ids []uint64, err error) {
	after := collections.NewPrefixedPairRange[uint64, uint64](epoch.Number).StartExclusive(epoch.DrawnUpTo)
	err = k.commitmentsIn.Walk(ctx, after, func(key pairKey) (bool, error) {
		ids = append(ids, key.K2())
		return len(ids) >= limit, nil
	})
	if err != nil {
		return nil, fmt.Errorf("walk commitments to epoch %d: %w", epoch.Number, err)
	}
	return ids, nil
}

// isolated draws one commitment. One that cannot be drawn is left as it is: its pots stay pending until the epoch is forgotten,
// and then count as proven, because the fault is not its provider's.
func (k *Keeper) isolated(ctx context.Context, c types.Commitment, draw func(sdk.Context) error) {
	if err := escrowtypes.Isolate(sdk.UnwrapSDKContext(ctx), draw); err != nil {
		k.logger(ctx).Error("commitment cannot be drawn", "commitment", c.Id, "provider", c.Provider, "epoch", c.Epoch, "err", err)
	}
}

// drawInTime audits a commitment or takes it as proven, by the seed of its epoch.
func (k *Keeper) drawInTime(ctx context.Context, params types.Params, epoch types.Epoch, c types.Commitment) error {
	provider, err := k.address(c.Provider)
	if err != nil {
		return err
	}
	standing, err := k.Standing(ctx, provider)
	if err != nil {
		return err
	}
	c.Seed = epoch.Seed
	if c.Empty() || !types.Audited(epoch.Seed, provider, params.ChanceOf(standing.CleanEpochs, epoch.Doubled)) {
		_, err := k.prove(ctx, provider, c)
		return err
	}
	return k.audit(ctx, params, c)
}

// audit asks for the openings of a commitment.
func (k *Keeper) audit(ctx context.Context, params types.Params, c types.Commitment) error {
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return err
	}
	c.State, c.OpenBy = types.CommitmentState_COMMITMENT_STATE_AUDITED, now+uint64(params.OpenWindowSeconds)
	if err := k.writeCommitment(ctx, c); err != nil {
		return err
	}
	if err := k.openQueue.Set(ctx, collections.Join(c.OpenBy, c.Id)); err != nil {
		return fmt.Errorf("file the audit of commitment %d: %w", c.Id, err)
	}
	return emit(ctx, types.NewEventAudited(c))
}

// unnamed is what late commitments wait for until their round is named.
const unnamed = 0

// nameRounds names the rounds that draw late commitments of earlier seconds, and so of earlier blocks. The first block after a halt
// may bear the time before it: a round that was named by that time could be known by whoever commits in that block.
func (k *Keeper) nameRounds(ctx context.Context, budget int) (int, error) {
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return 0, err
	}
	ids, err := k.waitingFor(ctx, k.awaitingLate, unnamed, budget)
	if err != nil {
		return 0, err
	}
	for i, id := range ids {
		c, err := k.readCommitment(ctx, id)
		if err != nil {
			return 0, err
		}
		if c.CommittedAt >= now { // as are all that came after it
			return budget - i, nil
		}
		if err := k.awaitNoRound(ctx, c); err != nil {
			return 0, err
		}
		if c.Round, c.DrawBy, err = k.nextRound(ctx, now); err != nil {
			return 0, err
		}
		if err := errors.Join(k.writeCommitment(ctx, c), k.awaitOwnRound(ctx, c)); err != nil {
			return 0, err
		}
	}
	return budget - len(ids), nil
}

// drawRipe draws late commitments whose round is known.
func (k *Keeper) drawRipe(ctx context.Context, budget int) (int, error) {
	params, err := k.Params(ctx)
	if err != nil {
		return 0, err
	}
	for budget > 0 {
		number, found, err := escrowtypes.FirstKey(ctx, k.ripe.Iterate, new(collections.Range[uint64]))
		if err != nil || !found {
			return budget, err
		}
		round, err := k.rounds.Get(ctx, number)
		if err != nil {
			return 0, fmt.Errorf("read round %d: %w", number, err)
		}
		ids, err := k.waitingFor(ctx, k.awaitingLate, number, budget)
		if err != nil {
			return 0, err
		}
		for _, id := range ids {
			if err := k.drawLate(ctx, params, id, types.LateSeed(round.Randomness, id)); err != nil {
				return 0, err
			}
		}
		left, err := k.awaits(ctx, k.awaitingLate, number)
		if err != nil {
			return 0, err
		}
		if !left {
			if err := k.ripe.Remove(ctx, number); err != nil {
				return 0, fmt.Errorf("be done with round %d: %w", number, err)
			}
		}
		budget -= max(1, len(ids))
	}
	return budget, nil
}

// drawOverdue draws late commitments by block hashes whose round did not come.
func (k *Keeper) drawOverdue(ctx context.Context, budget int) (int, error) {
	params, err := k.Params(ctx)
	if err != nil {
		return 0, err
	}
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return 0, err
	}
	ids, err := k.overdue(ctx, now, budget)
	if err != nil || len(ids) == 0 {
		return budget, err
	}
	hashes, err := k.recentHashes(ctx)
	if err != nil {
		return 0, err
	}
	k.logger(ctx).Warn("the beacon's round did not come: block hashes draw late commitments", "commitments", len(ids))
	for _, id := range ids {
		if err := k.drawLate(ctx, params, id, types.LateFallbackSeed(hashes, id)); err != nil {
			return 0, err
		}
	}
	return budget - len(ids), nil
}

// overdue returns the late commitments that are to be drawn by block hashes, at most limit.
func (k *Keeper) overdue(ctx context.Context, now uint64, limit int) (ids []uint64, err error) {
	if limit <= 0 {
		return nil, nil
	}
	err = k.lateDue.Walk(ctx, collections.NewPrefixUntilPairRange[uint64, uint64](now), func(key pairKey) (bool, error) {
		ids = append(ids, key.K2())
		return len(ids) >= limit, nil
	})
	if err != nil {
		return nil, fmt.Errorf("walk late commitments that are due: %w", err)
	}
	return ids, nil
}

// drawLate audits a late commitment by a seed of its own, unless it claims nothing.
func (k *Keeper) drawLate(ctx context.Context, params types.Params, id uint64, seed []byte) error {
	c, err := k.readCommitment(ctx, id)
	if err != nil {
		return err
	}
	if err := k.awaitNoRound(ctx, c); err != nil {
		return err
	}
	c.Seed = seed
	k.isolated(ctx, c, func(ctx sdk.Context) error {
		if !c.Empty() {
			return k.audit(ctx, params, c)
		}
		provider, err := k.address(c.Provider)
		if err != nil {
			return err
		}
		_, err = k.prove(ctx, provider, c)
		return err
	})
	return nil
}

// forgetRounds forgets the oldest rounds once nothing can wait for them any more, but for the last one: a round that is not newer
// than that is never waited for.
func (k *Keeper) forgetRounds(ctx context.Context, budget int) (int, error) {
	params, err := k.Params(ctx)
	if err != nil {
		return 0, err
	}
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return 0, err
	}
	last, err := k.lastRound(ctx)
	if err != nil {
		return 0, err
	}
	keep := uint64(params.SeedDelaySeconds) + uint64(params.BeaconTimeoutSeconds)
	var old []uint64
	err = k.rounds.Walk(ctx, new(collections.Range[uint64]).EndExclusive(last), func(number uint64, round types.Round) (bool, error) {
		if round.KnownAt+keep > now || len(old) >= maxForgotten {
			return true, nil
		}
		old = append(old, number)
		return false, nil
	})
	if err != nil {
		return 0, fmt.Errorf("walk rounds: %w", err)
	}
	for _, number := range old {
		if ripe, err := k.ripe.Has(ctx, number); err != nil || ripe {
			return budget, err
		}
		if err := k.rounds.Remove(ctx, number); err != nil {
			return 0, fmt.Errorf("forget round %d: %w", number, err)
		}
	}
	return budget, nil
}

// maxForgotten is the most rounds that a block forgets, and the most faults.
const maxForgotten = 16
