package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/proof/types"
)

// addFault stores what a provider did wrong, now, and counts it in its standing.
func (k *Keeper) addFault(ctx context.Context, provider sdk.AccAddress, fault types.Fault) error {
	var err error
	if fault.Id, err = k.nextFault.Next(ctx); err != nil {
		return fmt.Errorf("number a fault: %w", err)
	}
	if fault.At, err = k.escrow.Now(ctx); err != nil {
		return err
	}
	if err := k.fileFault(ctx, provider, fault); err != nil {
		return err
	}
	standing, err := k.Standing(ctx, provider)
	if err != nil {
		return err
	}
	standing.Faults++
	if err := k.writeStanding(ctx, provider, standing); err != nil {
		return err
	}
	return emit(ctx, types.NewEventFault(fault))
}

// forgetFaults forgets the oldest faults, once they are a year old: else providers that fail on purpose could fill the store.
func (k *Keeper) forgetFaults(ctx context.Context, budget int) (int, error) {
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return 0, err
	}
	var old []types.Fault
	err = k.faults.Walk(ctx, nil, func(_ uint64, fault types.Fault) (bool, error) {
		if fault.At+types.FaultSeconds > now || len(old) >= maxForgotten {
			return true, nil
		}
		old = append(old, fault)
		return false, nil
	})
	if err != nil {
		return 0, fmt.Errorf("walk faults: %w", err)
	}
	for _, fault := range old {
		provider, err := k.address(fault.Provider)
		if err != nil {
			return 0, err
		}
		if err := errors.Join(k.faults.Remove(ctx, fault.Id), k.faultsOf.Remove(ctx, collections.Join(provider, fault.Id))); err != nil {
			return 0, fmt.Errorf("forget fault %d: %w", fault.Id, err)
		}
	}
	return budget, nil
}

func (k *Keeper) fileFault(ctx context.Context, provider sdk.AccAddress, fault types.Fault) error {
	err := errors.Join(
		k.faults.Set(ctx, fault.Id, fault),
		k.faultsOf.Set(ctx, collections.Join(provider, fault.Id)),
	)
	if err != nil {
		return fmt.Errorf("write fault %d: %w", fault.Id, err)
	}
	return nil
}

// Standing returns what is remembered of a provider; all zero if that is nothing.
func (k *Keeper) Standing(ctx context.Context, provider sdk.AccAddress) (types.Standing, error) {
	standing, err := k.standings.Get(ctx, provider)
	if err == nil {
		return standing, nil
	}
	if !errors.Is(err, collections.ErrNotFound) {
		return types.Standing{}, fmt.Errorf("read a standing: %w", err)
	}
	text, err := k.text(provider)
	return types.Standing{Provider: text}, err
}

func (k *Keeper) writeStanding(ctx context.Context, provider sdk.AccAddress, standing types.Standing) error {
	if err := k.standings.Set(ctx, provider, standing); err != nil {
		return fmt.Errorf("write the standing of %s: %w", standing.Provider, err)
	}
	return nil
}

// moveReputation moves the reputation of a provider towards the share of an epoch's service that it proved, in parts per million.
func (k *Keeper) moveReputation(ctx context.Context, provider sdk.AccAddress, share uint64) error {
	before, err := k.provider.GetProvider(ctx, provider)
	if err != nil {
		return err
	}
	after := types.NextReputation(before.Reputation, share)
	if after == before.Reputation {
		return nil
	}
	if err := k.provider.SetReputation(ctx, provider, after); err != nil {
		return fmt.Errorf("set the reputation of %s: %w", before.Operator, err)
	}
	return nil
}
