package keeper

import (
	"context"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/provider/types"
)

// UnbondingDeadlines is the queue of bond on its way back. In quarantine it stays with the module, and counted.
func (k *Keeper) UnbondingDeadlines() escrowtypes.DeadlineSource {
	return escrowtypes.Queue{Source: types.UnbondingSource, Keys: k.unbondingQueue, Handle: k.returnBond}
}

// RotationDeadlines is the queue of agents that take over. In quarantine they have taken over all the same, only the former
// ones are not free for others.
func (k *Keeper) RotationDeadlines() escrowtypes.DeadlineSource {
	return escrowtypes.Queue{Source: types.RotationSource, Keys: k.rotations, Handle: k.completeRotation}
}

// completeRotation lets the agent of a provider take over that is due.
func (k *Keeper) completeRotation(ctx context.Context, number uint64) error {
	operator, err := k.ProviderByNumber(ctx, number)
	if err != nil {
		return err
	}
	provider, err := k.readProvider(ctx, operator)
	if err != nil {
		return err
	}
	_, err = k.settleRotation(ctx, operator, provider)
	return err
}
