package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/match"
	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// reshape makes a live lease what its tenant wants of it from now on, at its own ask: another unit, or fewer replicas.
// Capacity, bond and money must cover what becomes more.
func (k *Keeper) reshape(ctx context.Context, change types.Reshaping, now uint64) error {
	lease := change.Lease
	provider, err := k.operator(lease.Provider)
	if err != nil {
		return err
	}
	if change.Grows() {
		if err := k.checkGrowth(ctx, provider, change, now); err != nil {
			return err
		}
	}
	if err := k.reallocate(ctx, provider, change); err != nil {
		return err
	}
	if err := k.reexpose(ctx, provider, lease, change.Rate); err != nil {
		return err
	}
	if lease, err = k.repay(ctx, lease, change.Rate); err != nil {
		return err
	}
	lease.Unit, lease.Replicas, lease.Rate = change.Unit, change.Replicas, change.Rate
	if err := k.setLeaseTerms(ctx, lease); err != nil {
		return err
	}
	if err := k.setLeaseStatus(ctx, lease); err != nil {
		return err
	}
	if err := k.gain(ctx, provider); err != nil {
		return err
	}
	return emit(ctx, types.NewEventLeaseChanged(lease, now))
}

// checkGrowth refuses more on a lease that its provider would not sell now: it takes no leases, has given notice, or asks more
// for that pool at present than the lease pays.
func (k *Keeper) checkGrowth(ctx context.Context, operator sdk.AccAddress, change types.Reshaping, now uint64) error {
	params, err := k.Params(ctx)
	if err != nil {
		return err
	}
	provider, err := k.provider.GetProvider(ctx, operator)
	if err != nil {
		return fmt.Errorf("read provider %s: %w", operator, err)
	}
	switch {
	case params.Halted:
		return types.ErrResize.Wrap("the market is halted")
	case change.Lease.State == types.LeaseState_LEASE_STATE_LEAVING:
		return types.ErrResize.Wrap("its provider has given notice")
	case !mayServe(provider) || providertypes.InMaintenance(provider, now):
		return types.ErrResize.Wrap("its provider takes no leases at present")
	}
	offers, err := k.offersOf(ctx, operator)
	if err != nil {
		return err
	}
	for _, offer := range offers {
		if offer.Pool == change.Lease.Pool && offer.State == types.OfferState_OFFER_STATE_ACTIVE &&
			!offer.Terms.Expired(now) && change.AffordedBy(offer.Asks) {
			return nil
		}
	}
	return types.ErrResize.Wrapf("no active offer of pool %d asks as little as the lease pays", change.Lease.Pool)
}

// repay lets another rate be paid for a lease. Of one that waits for its provider, which can only become smaller, the
// provider is paid for what it kept free in vain.
func (k *Keeper) repay(ctx context.Context, lease types.Lease, rate uint64) (types.Lease, error) {
	if rate == lease.Rate {
		return lease, nil
	}
	if lease.State.Paid() {
		paid := rate
		if lease.Standby {
			params, err := k.Params(ctx)
			if err != nil {
				return types.Lease{}, err
			}
			paid, lease.StandbyBps = standbyRate(rate, params), params.StandbyBps
		}
		stream, err := k.escrow.ReplaceStream(ctx, lease.Stream, paid)
		if err != nil {
			return types.Lease{}, fmt.Errorf("pay %d%s an hour: %w", rate, lease.Denom, err)
		}
		return paidBy(lease, stream), nil
	}
	if rate > lease.Rate {
		return types.Lease{}, types.ErrLeaseState.Wrapf("lease %d is pending", lease.Id)
	}
	shed := lease.Rate - rate
	held := lease.Held.Mul(math.NewIntFromUint64(shed)).Quo(math.NewIntFromUint64(lease.Rate))
	lease.Held = lease.Held.Sub(held)
	return lease, k.payForWaiting(ctx, lease, shed, held)
}

// reallocate takes what a lease needs more of its pool, and gives back what it needs less.
func (k *Keeper) reallocate(ctx context.Context, provider sdk.AccAddress, change types.Reshaping) error {
	pool, err := k.getPool(ctx, provider, change.Lease.Pool)
	if err != nil {
		return err
	}
	if err := checkUnit(pool, change); err != nil {
		return err
	}
	before, after := change.Lease.Unit.Times(change.Lease.Replicas), change.Unit.Times(change.Replicas)
	free, allocated := pool.Free(), pool.Allocated.Vector()
	for i := range after {
		if after[i] > before[i] && after[i]-before[i] > free[i] {
			return types.ErrNoCapacity.Wrapf("pool %d of %s has %d %s free, not %d", pool.Id, change.Lease.Provider, free[i],
				match.Dim(i).Unit(), after[i]-before[i])
		}
		if before[i] > allocated[i] {
			return types.ErrBroken.Wrapf("pool %d of %s has %d %s allocated, not %d", pool.Id, change.Lease.Provider,
				allocated[i], match.Dim(i).Unit(), before[i])
		}
		allocated[i] = allocated[i] - before[i] + after[i]
	}
	return k.setAllocated(ctx, collections.Join(provider, pool.Id), types.ResourcesOf(allocated))
}

// checkUnit refuses a unit that becomes larger than fits one machine.
func checkUnit(pool types.CapacityPool, change types.Reshaping) error {
	before, after, largest := change.Lease.Unit.Vector(), change.Unit.Vector(), pool.LargestUnit.Vector()
	for i := range after {
		if after[i] > before[i] && after[i] > largest[i] {
			return types.ErrNoCapacity.Wrapf("a unit of pool %d of %s has at most %d %s, not %d", pool.Id,
				change.Lease.Provider, largest[i], match.Dim(i).Unit(), after[i])
		}
	}
	return nil
}

// reexpose changes what a provider must be good for. Its bond must cover more.
func (k *Keeper) reexpose(ctx context.Context, provider sdk.AccAddress, lease types.Lease, rate uint64) error {
	if err := k.unexpose(ctx, provider, lease.Denom, lease.Rate); err != nil {
		return err
	}
	if rate > lease.Rate {
		if err := k.checkRoom(ctx, provider, lease.Denom, rate); err != nil {
			return err
		}
	}
	return k.expose(ctx, provider, lease.Denom, rate)
}

// checkRoom refuses a lease rate that the bond of a provider does not cover beside its others.
func (k *Keeper) checkRoom(ctx context.Context, provider sdk.AccAddress, denom string, rate uint64) error {
	params, err := k.provider.GetParams(ctx)
	if err != nil {
		return fmt.Errorf("read provider parameters: %w", err)
	}
	atStake, err := k.provider.BondOf(ctx, provider)
	if err != nil {
		return fmt.Errorf("read bond of %s: %w", provider, err)
	}
	exposure, err := k.exposure(ctx, provider, denom)
	if err != nil {
		return err
	}
	if room := rateRoom(atStake.AmountOf(denom), exposure, params.BondHours); rate > room {
		return types.ErrBondTooLow.Wrapf("the bond of %s covers %d%s an hour more, not %d", provider, room, denom, rate)
	}
	return nil
}
