package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/provider/types"
)

// rotatesAt returns the second at which an agent named now takes over: the end of the running epoch, and the epochs after
// it. When that end is past, because blocks are behind, it counts from now.
func (k *Keeper) rotatesAt(ctx context.Context) (uint64, error) {
	params, err := k.GetParams(ctx)
	if err != nil {
		return 0, err
	}
	epochs, err := k.escrow.Params(ctx)
	if err != nil {
		return 0, fmt.Errorf("length of an epoch: %w", err)
	}
	clock, err := k.escrow.Clock(ctx)
	if err != nil {
		return 0, fmt.Errorf("end of the epoch: %w", err)
	}
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return 0, err
	}
	further := uint64(params.RotationEpochs-1) * uint64(epochs.EpochSeconds)
	return max(clock.EpochEnd, now+1) + further, nil
}

// fileRotation writes the index of the agent that takes over, and the queue.
func (k *Keeper) fileRotation(ctx context.Context, operator sdk.AccAddress, provider types.Provider) error {
	agent, err := k.address(provider.NextAgent)
	if err != nil {
		return err
	}
	if err := k.agents.Set(ctx, agent, operator); err != nil {
		return fmt.Errorf("index agent %s: %w", provider.NextAgent, err)
	}
	if err := k.rotations.Set(ctx, collections.Join(provider.RotatesAt, provider.Number)); err != nil {
		return fmt.Errorf("file rotation of %s: %w", provider.Operator, err)
	}
	return nil
}

// dropRotation takes a rotation out of the queue.
func (k *Keeper) dropRotation(ctx context.Context, provider types.Provider) error {
	if err := k.rotations.Remove(ctx, collections.Join(provider.RotatesAt, provider.Number)); err != nil {
		return fmt.Errorf("drop rotation of %s: %w", provider.Operator, err)
	}
	return nil
}

// cancelRotation forgets the agent that would take over, if there is one. The provider is not yet written.
func (k *Keeper) cancelRotation(ctx context.Context, provider types.Provider) (types.Provider, error) {
	if provider.NextAgent == "" {
		return provider, nil
	}
	if err := k.dropRotation(ctx, provider); err != nil {
		return types.Provider{}, err
	}
	if err := k.freeAgent(ctx, provider.NextAgent); err != nil {
		return types.Provider{}, err
	}
	provider.NextAgent, provider.RotatesAt = "", 0
	return provider, nil
}

// settleRotation completes a rotation that is due, and returns the provider: the former agent is free for others.
func (k *Keeper) settleRotation(
	ctx context.Context, operator sdk.AccAddress, provider types.Provider,
) (types.Provider, error) {
	if provider.NextAgent == "" {
		return provider, nil
	}
	now, err := k.escrow.Now(ctx)
	if err != nil || now < provider.RotatesAt {
		return provider, err
	}
	if err := k.dropRotation(ctx, provider); err != nil {
		return types.Provider{}, err
	}
	if err := k.freeAgent(ctx, provider.Agent); err != nil {
		return types.Provider{}, err
	}
	provider = provider.At(now)
	if err := k.writeProvider(ctx, operator, provider); err != nil {
		return types.Provider{}, err
	}
	return provider, emit(ctx, types.NewEventAgentRotated(provider))
}

// checkAgent refuses an agent that works for a provider, or will. One that worked for a provider until now is free.
func (k *Keeper) checkAgent(ctx context.Context, agent sdk.AccAddress) error {
	holder, err := k.agents.Get(ctx, agent)
	if errors.Is(err, collections.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read agent %s: %w", k.show(agent), err)
	}
	provider, err := k.readProvider(ctx, holder)
	if err != nil {
		return err
	}
	if _, err := k.settleRotation(ctx, holder, provider); err != nil {
		return err
	}
	taken, err := k.agents.Has(ctx, agent)
	if err != nil {
		return fmt.Errorf("read agent %s: %w", k.show(agent), err)
	}
	if taken {
		return types.ErrAgentTaken.Wrap(k.show(agent))
	}
	return nil
}
