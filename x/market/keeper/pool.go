package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/market/types"
)

// getPool returns a pool as it is now, with what is allocated of it, or ErrPoolNotFound.
func (k *Keeper) getPool(ctx context.Context, provider sdk.AccAddress, id uint32) (types.CapacityPool, error) {
	key := collections.Join(provider, id)
	pool, err := k.pools.Get(ctx, key)
	if errors.Is(err, collections.ErrNotFound) {
		return types.CapacityPool{}, types.ErrPoolNotFound.Wrapf("pool %d of %s", id, provider)
	}
	if err != nil {
		return types.CapacityPool{}, fmt.Errorf("read pool %d of %s: %w", id, provider, err)
	}
	return k.completePool(ctx, key, pool)
}

// completePool fills in what the key and the hot record say of a pool.
func (k *Keeper) completePool(ctx context.Context, key poolKey, pool types.CapacityPool) (types.CapacityPool, error) {
	allocated, err := k.getAllocated(ctx, key)
	if err != nil {
		return types.CapacityPool{}, err
	}
	provider, err := k.addresses.BytesToString(key.K1())
	if err != nil {
		return types.CapacityPool{}, fmt.Errorf("provider of a pool: %w", err)
	}
	pool.Provider, pool.Id, pool.Allocated = provider, key.K2(), allocated
	if pool.NextTotal == nil {
		return pool, nil
	}
	clearings, err := k.clearings(ctx)
	return pool.At(clearings), err
}

// setPool writes all of a pool but what is allocated.
func (k *Keeper) setPool(ctx context.Context, provider sdk.AccAddress, pool types.CapacityPool) error {
	key := collections.Join(provider, pool.Id)
	pool.Provider, pool.Id, pool.Allocated = "", 0, types.Resources{}
	if err := k.pools.Set(ctx, key, pool); err != nil {
		return fmt.Errorf("write pool %d of %s: %w", key.K2(), provider, err)
	}
	return nil
}

// providerPools returns the pools of a provider by id, at most MaxPools.
func (k *Keeper) providerPools(ctx context.Context, provider sdk.AccAddress) ([]types.CapacityPool, error) {
	iterator, err := k.pools.Iterate(ctx, collections.NewPrefixedPairRange[sdk.AccAddress, uint32](provider))
	if err != nil {
		return nil, fmt.Errorf("walk pools of %s: %w", provider, err)
	}
	entries, err := iterator.KeyValues()
	if err != nil {
		return nil, fmt.Errorf("walk pools of %s: %w", provider, err)
	}
	pools := make([]types.CapacityPool, len(entries))
	for i, entry := range entries {
		if pools[i], err = k.completePool(ctx, entry.Key, entry.Value); err != nil {
			return nil, err
		}
	}
	return pools, nil
}

// allocate takes units of a pool. Never more than is free.
func (k *Keeper) allocate(ctx context.Context, provider sdk.AccAddress, id uint32, unit types.Resources, replicas uint32) error {
	pool, err := k.getPool(ctx, provider, id)
	if err != nil {
		return err
	}
	free, allocated := pool.Free(), pool.Allocated.Vector()
	for i, q := range unit.Times(replicas) {
		if q > free[i] {
			return types.ErrNoCapacity.Wrapf("pool %d of %s has %d of resource %d free, not %d", id, provider, free[i], i, q)
		}
		allocated[i] += q
	}
	return k.setAllocated(ctx, collections.Join(provider, id), types.ResourcesOf(allocated))
}

// release gives units back to a pool.
func (k *Keeper) release(ctx context.Context, provider sdk.AccAddress, id uint32, unit types.Resources, replicas uint32) error {
	key := collections.Join(provider, id)
	before, err := k.getAllocated(ctx, key)
	if err != nil {
		return err
	}
	allocated := before.Vector()
	for i, q := range unit.Times(replicas) {
		if q > allocated[i] {
			return types.ErrBroken.Wrapf("pool %d of %s has %d of resource %d allocated, not %d", id, provider, allocated[i], i, q)
		}
		allocated[i] -= q
	}
	return k.setAllocated(ctx, key, types.ResourcesOf(allocated))
}

func (k *Keeper) getAllocated(ctx context.Context, key poolKey) (types.Resources, error) {
	allocated, err := k.allocated.Get(ctx, key)
	if errors.Is(err, collections.ErrNotFound) {
		return types.Resources{}, nil
	}
	if err != nil {
		return types.Resources{}, fmt.Errorf("read what is allocated of pool %d of %s: %w", key.K2(), key.K1(), err)
	}
	return allocated, nil
}

func (k *Keeper) setAllocated(ctx context.Context, key poolKey, allocated types.Resources) error {
	if err := k.allocated.Set(ctx, key, allocated); err != nil {
		return fmt.Errorf("write what is allocated of pool %d of %s: %w", key.K2(), key.K1(), err)
	}
	return nil
}
