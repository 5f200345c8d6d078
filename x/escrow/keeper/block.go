package keeper

import (
	"context"
	"fmt"

	"github.com/cosmos/gogoproto/proto"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// BeginBlock ticks the clock, processes what is due in the order of time, and closes the epoch if it may. It fails only
// when the module's own records cannot be read or written.
func (k *Keeper) BeginBlock(ctx context.Context) error {
	sdkCtx := sdk.UnwrapSDKContext(ctx)
	params, err := k.Params(ctx)
	if err != nil {
		return err
	}
	clock, err := k.tick(sdkCtx, params)
	if err != nil {
		return err
	}
	clock.Frontier = k.processDeadlines(sdkCtx, clock, params.MaxDeadlinesPerBlock)
	if err := k.clock.Set(ctx, clock); err != nil {
		return fmt.Errorf("write service clock: %w", err)
	}
	return k.closeEpochs(sdkCtx, params)
}

// emit emits a typed event.
func emit(ctx context.Context, event proto.Message) error {
	if err := sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(event); err != nil {
		return fmt.Errorf("emit event: %w", err)
	}
	return nil
}
