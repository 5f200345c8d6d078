package keeper

import (
	"context"
	"fmt"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/provider/types"
)

// settleGone makes a provider that leaves be gone once it has nothing at stake and nothing is asked of it: its agent
// accounts are free for others, and it may register again.
func (k *Keeper) settleGone(ctx context.Context, operator sdk.AccAddress) error {
	provider, err := k.readProvider(ctx, operator)
	if err != nil {
		return err
	}
	done, err := k.hasLeft(ctx, operator, provider)
	if err != nil || !done {
		return err
	}
	if provider, err = k.settleRotation(ctx, operator, provider); err != nil {
		return err
	}
	if provider, err = k.cancelRotation(ctx, provider); err != nil {
		return err
	}
	if err := k.freeAgent(ctx, provider.Agent); err != nil {
		return err
	}
	provider.Lifecycle = types.Lifecycle_LIFECYCLE_GONE
	if err := k.writeProvider(ctx, operator, provider); err != nil {
		return err
	}
	return emit(ctx, types.NewEventLifecycle(provider))
}

// hasLeft tells whether nothing keeps a provider that leaves.
func (k *Keeper) hasLeft(ctx context.Context, operator sdk.AccAddress, provider types.Provider) (bool, error) {
	if provider.Lifecycle != types.Lifecycle_LIFECYCLE_LEAVING || !provider.Bond.Empty() {
		return false, nil
	}
	unbondings, err := k.unbondingsFrom(ctx, operator, 0, 1)
	if err != nil || len(unbondings) > 0 {
		return false, err
	}
	required, err := k.required(ctx, operator)
	if err != nil {
		return false, err
	}
	return required.Empty(), nil
}

// change returns a provider for a message that changes it: not one that is gone, and with a rotation completed that is due.
func (k *Keeper) change(ctx context.Context, operator sdk.AccAddress) (types.Provider, error) {
	provider, err := k.readProvider(ctx, operator)
	if err != nil {
		return types.Provider{}, err
	}
	if provider.Lifecycle == types.Lifecycle_LIFECYCLE_GONE {
		return types.Provider{}, types.ErrLifecycle.Wrapf("%s is gone; it may register again", provider.Operator)
	}
	return k.settleRotation(ctx, operator, provider)
}

// changeActive is change for what only a provider may do that does not leave.
func (k *Keeper) changeActive(ctx context.Context, operator sdk.AccAddress) (types.Provider, error) {
	provider, err := k.change(ctx, operator)
	if err != nil {
		return types.Provider{}, err
	}
	if provider.Lifecycle != types.Lifecycle_LIFECYCLE_ACTIVE {
		return types.Provider{}, types.ErrLifecycle.Wrapf("%s is leaving", provider.Operator)
	}
	return provider, nil
}

func (k *Keeper) freeAgent(ctx context.Context, agent string) error {
	addr, err := k.address(agent)
	if err != nil {
		return err
	}
	if err := k.agents.Remove(ctx, addr); err != nil {
		return fmt.Errorf("free agent %s: %w", agent, err)
	}
	return nil
}
