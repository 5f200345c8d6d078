package keeper

import (
	"context"
	"fmt"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/escrow/types"
)

const nanosPerSecond = uint64(1_000_000_000)

// instantKey marks a context in which a deadline is processed; its value is the deadline's second.
type instantKey struct{}

// at returns a context whose present is a deadline's second.
func at(ctx sdk.Context, second uint64) sdk.Context { return ctx.WithValue(instantKey{}, second) }

// processing tells that a deadline is processed, in the order of time.
func processing(ctx context.Context) bool {
	_, ok := ctx.Value(instantKey{}).(uint64)
	return ok
}

// Now returns the service clock in whole seconds. While a deadline is processed it is the second of that deadline,
// however late the block that gets to it: so all effects are exact at their second.
func (k *Keeper) Now(ctx context.Context) (uint64, error) {
	if second, ok := ctx.Value(instantKey{}).(uint64); ok {
		return second, nil
	}
	clock, err := k.Clock(ctx)
	if err != nil {
		return 0, err
	}
	return clock.Now(), nil
}

// Clock returns the service clock as of the last tick.
func (k *Keeper) Clock(ctx context.Context) (types.Clock, error) {
	clock, err := k.clock.Get(ctx)
	if err != nil {
		return types.Clock{}, fmt.Errorf("read service clock: %w", err)
	}
	return clock, nil
}

// present returns the clock and the second at which the caller acts.
func (k *Keeper) present(ctx context.Context) (types.Clock, uint64, error) {
	clock, err := k.Clock(ctx)
	if err != nil {
		return types.Clock{}, 0, err
	}
	if second, ok := ctx.Value(instantKey{}).(uint64); ok {
		return clock, second, nil
	}
	return clock, clock.Now(), nil
}

// tick moves the clock to the time of this block, by at most max_tick: a chain that halted bills no more than that.
// After an import the first block only sets the time.
func (k *Keeper) tick(ctx sdk.Context, params types.Params) (types.Clock, error) {
	clock, err := k.Clock(ctx)
	if err != nil {
		return types.Clock{}, err
	}
	blockTime := ctx.BlockTime()
	if clock.LastBlockTime != nil && blockTime.After(*clock.LastBlockTime) {
		step := uint64(blockTime.Sub(*clock.LastBlockTime))
		clock.Nanos += min(step, uint64(params.MaxTickSeconds)*nanosPerSecond)
	}
	clock.LastBlockTime = &blockTime
	if err := k.clock.Set(ctx, clock); err != nil {
		return types.Clock{}, fmt.Errorf("write service clock: %w", err)
	}
	return clock, nil
}
