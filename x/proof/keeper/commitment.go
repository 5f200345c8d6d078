package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/proof/types"
)

// Commitment returns what a provider committed to in an epoch, or ErrCommitmentNotFound.
func (k *Keeper) Commitment(ctx context.Context, provider sdk.AccAddress, epoch uint64) (types.Commitment, error) {
	commitment, found, err := k.findCommitment(ctx, provider, epoch)
	if err == nil && !found {
		err = types.ErrCommitmentNotFound.Wrapf("to epoch %d", epoch)
	}
	return commitment, err
}

func (k *Keeper) findCommitment(
	ctx context.Context, provider sdk.AccAddress, epoch uint64,
) (commitment types.Commitment, found bool, err error) {
	id, err := k.commitmentsOf.Get(ctx, collections.Join(provider, epoch))
	if errors.Is(err, collections.ErrNotFound) {
		return types.Commitment{}, false, nil
	}
	if err != nil {
		return types.Commitment{}, false, fmt.Errorf("look up the commitment to epoch %d: %w", epoch, err)
	}
	commitment, err = k.readCommitment(ctx, id)
	return commitment, err == nil, err
}

func (k *Keeper) readCommitment(ctx context.Context, id uint64) (types.Commitment, error) {
	commitment, err := k.commitments.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return types.Commitment{}, types.ErrCommitmentNotFound.Wrapf("commitment %d", id)
	}
	if err != nil {
		return types.Commitment{}, fmt.Errorf("read commitment %d: %w", id, err)
	}
	return commitment, nil
}

// lookUpCommitment is readCommitment for one that may be forgotten.
func (k *Keeper) lookUpCommitment(ctx context.Context, id uint64) (types.Commitment, bool, error) {
	c, err := k.readCommitment(ctx, id)
	if errors.Is(err, types.ErrCommitmentNotFound) {
		return types.Commitment{}, false, nil
	}
	return c, err == nil, err
}

func (k *Keeper) writeCommitment(ctx context.Context, commitment types.Commitment) error {
	if err := k.commitments.Set(ctx, commitment.Id, commitment); err != nil {
		return fmt.Errorf("write commitment %d: %w", commitment.Id, err)
	}
	return nil
}

// fileCommitment writes a commitment with its indexes, and files what it waits for.
func (k *Keeper) fileCommitment(ctx context.Context, provider sdk.AccAddress, c types.Commitment) error {
	if err := k.writeCommitment(ctx, c); err != nil {
		return err
	}
	err := errors.Join(
		k.commitmentsOf.Set(ctx, collections.Join(provider, c.Epoch), c.Id),
		k.commitmentsIn.Set(ctx, collections.Join(c.Epoch, c.Id)),
	)
	switch {
	case c.State == types.CommitmentState_COMMITMENT_STATE_AUDITED:
		err = errors.Join(err, k.openQueue.Set(ctx, collections.Join(c.OpenBy, c.Id)))
	case c.AwaitsOwnRound():
		err = errors.Join(err, k.awaitOwnRound(ctx, c))
	}
	if err != nil {
		return fmt.Errorf("index commitment %d: %w", c.Id, err)
	}
	return nil
}

// forgetCommitment removes a commitment with its indexes.
func (k *Keeper) forgetCommitment(ctx context.Context, c types.Commitment) error {
	provider, err := k.address(c.Provider)
	if err != nil {
		return err
	}
	err = errors.Join(
		k.commitments.Remove(ctx, c.Id),
		k.commitmentsOf.Remove(ctx, collections.Join(provider, c.Epoch)),
		k.commitmentsIn.Remove(ctx, collections.Join(c.Epoch, c.Id)),
		k.openQueue.Remove(ctx, collections.Join(c.OpenBy, c.Id)),
		k.awaitNoRound(ctx, c),
	)
	if err != nil {
		return fmt.Errorf("forget commitment %d: %w", c.Id, err)
	}
	return nil
}

// awaitOwnRound files a late commitment under the round that it waits for, if that is named, and the second at which block hashes
// draw it without.
func (k *Keeper) awaitOwnRound(ctx context.Context, c types.Commitment) error {
	if err := k.awaitingLate.Set(ctx, collections.Join(c.Round, c.Id)); err != nil {
		return fmt.Errorf("file late commitment %d: %w", c.Id, err)
	}
	if c.Round == unnamed {
		return nil
	}
	if err := k.lateDue.Set(ctx, collections.Join(c.DrawBy, c.Id)); err != nil {
		return fmt.Errorf("file late commitment %d: %w", c.Id, err)
	}
	return nil
}

// awaitNoRound takes a late commitment out of the queues in which it waits for a round of its own.
func (k *Keeper) awaitNoRound(ctx context.Context, c types.Commitment) error {
	err := errors.Join(
		k.awaitingLate.Remove(ctx, collections.Join(c.Round, c.Id)),
		k.lateDue.Remove(ctx, collections.Join(c.DrawBy, c.Id)),
	)
	if err != nil {
		return fmt.Errorf("take late commitment %d out of the queue: %w", c.Id, err)
	}
	return nil
}
