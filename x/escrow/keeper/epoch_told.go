package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/escrow/types"
)

// maxToldAgain is the most epochs of which the policy could not be told before that are told again when one closes.
const maxToldAgain = 4

// tellClosed tells the credit policy that an epoch has closed, and first of those of which it could not be told before.
// One that fails is noted in quarantine, with what to tell: its pots stay pending as long as the policy leaves them so.
func (k *Keeper) tellClosed(ctx sdk.Context, epoch types.Epoch) error {
	if err := k.tellAgain(ctx); err != nil {
		return err
	}
	failure := types.Isolate(ctx, func(ctx sdk.Context) error { return k.policy.OnEpochClosed(ctx, epoch) })
	if failure == nil {
		return nil
	}
	if err := k.untold.Set(ctx, epoch.Number, epoch); err != nil {
		return fmt.Errorf("note that epoch %d is untold: %w", epoch.Number, err)
	}
	return k.addQuarantined(ctx, types.Quarantined{
		Source: types.EpochSource, Id: epoch.Number, Second: epoch.ClosedAt, Error: brief(failure),
	})
}

// tellAgain tells the policy of the oldest epochs that are in quarantine. Those that fail again stay there.
func (k *Keeper) tellAgain(ctx sdk.Context) error {
	var numbers []uint64
	err := k.untold.Walk(ctx, nil, func(number uint64, _ types.Epoch) (bool, error) {
		numbers = append(numbers, number)
		return len(numbers) == maxToldAgain, nil
	})
	if err != nil {
		return fmt.Errorf("walk untold epochs: %w", err)
	}
	for _, number := range numbers {
		if err := k.RetryQuarantined(ctx, types.EpochSource, number); err != nil {
			k.logger(ctx).Error("epoch stays untold", "epoch", number, "err", err)
		}
	}
	return nil
}

// retryEpoch tells the policy of one epoch that is in quarantine.
func (k *Keeper) retryEpoch(ctx context.Context, number uint64) error {
	epoch, err := k.untold.Get(ctx, number)
	if errors.Is(err, collections.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read untold epoch %d: %w", number, err)
	}
	if err := k.policy.OnEpochClosed(ctx, epoch); err != nil {
		return fmt.Errorf("tell the credit policy of epoch %d: %w", number, err)
	}
	if err := k.untold.Remove(ctx, number); err != nil {
		return fmt.Errorf("note that epoch %d is told: %w", number, err)
	}
	return nil
}
