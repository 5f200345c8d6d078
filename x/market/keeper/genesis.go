package keeper

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/market/types"
)

// InitGenesis imports a market. Indexes, queues and exposures are derived; then all must agree with escrow.
func (k *Keeper) InitGenesis(ctx context.Context, g *types.GenesisState) error {
	if err := g.Validate(k.addresses); err != nil {
		return err
	}
	for _, step := range []func(context.Context, *types.GenesisState) error{
		k.importCounters, k.importPools, k.importOffers, k.importDeployments, k.importBids, k.importLeases,
		k.importQuotes, k.importFresh, k.importUnsettled, k.importSweeps, k.importRetained, k.importCleared,
		func(ctx context.Context, _ *types.GenesisState) error { return k.CheckInvariants(ctx) },
	} {
		if err := step(ctx, g); err != nil {
			return fmt.Errorf("import x/%s: %w", types.ModuleName, err)
		}
	}
	return nil
}

func (k *Keeper) importCounters(ctx context.Context, g *types.GenesisState) error {
	err := errors.Join(
		k.params.Set(ctx, g.Params),
		k.nextOffer.Set(ctx, g.NextOffer),
		k.nextBid.Set(ctx, g.NextBid),
		k.nextLease.Set(ctx, g.NextLease),
		k.clearing.Set(ctx, g.Clearing),
	)
	if len(g.Seed) > 0 {
		err = errors.Join(err, k.seed.Set(ctx, g.Seed))
	}
	return err
}

func (k *Keeper) importPools(ctx context.Context, g *types.GenesisState) error {
	for _, pool := range g.Pools {
		operator, err := k.operator(pool.Provider)
		if err != nil {
			return err
		}
		if _, err := k.provider.GetProvider(ctx, operator); err != nil {
			return err
		}
		if err := k.setPool(ctx, operator, pool); err != nil {
			return err
		}
		if pool.Allocated == (types.Resources{}) {
			continue
		}
		if err := k.setAllocated(ctx, collections.Join(operator, pool.Id), pool.Allocated); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) importOffers(ctx context.Context, g *types.GenesisState) error {
	for _, offer := range g.Offers {
		operator, err := k.operator(offer.Provider)
		if err != nil {
			return err
		}
		if err := k.writeOffer(ctx, operator, offer); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) importDeployments(ctx context.Context, g *types.GenesisState) error {
	for _, deployment := range g.Deployments {
		owner, err := k.addresses.StringToBytes(deployment.Owner)
		if err != nil {
			return err
		}
		if deployment.State == types.DeploymentState_DEPLOYMENT_STATE_OPEN {
			err = k.addDeployment(ctx, owner, deployment)
		} else {
			err = errors.Join(
				k.setDeployment(ctx, deployment),
				k.setEnd(ctx, deployment),
				k.ownerDeployments.Set(ctx, collections.Join(sdk.AccAddress(owner), deployment.Id)))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) importBids(ctx context.Context, g *types.GenesisState) error {
	for _, bid := range g.Bids {
		terms := bid.Terms()
		terms.Id = 0
		err := errors.Join(
			k.bids.Set(ctx, bid.Id, terms),
			k.setBid(ctx, bid),
			k.deploymentBids.Set(ctx, collections.Join(bid.Deployment, bid.Id)),
		)
		if bid.State == types.BidState_BID_STATE_OPEN {
			err = errors.Join(err, k.enterBook(ctx, bid))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) importLeases(ctx context.Context, g *types.GenesisState) error {
	for _, lease := range g.Leases {
		operator, err := k.operator(lease.Provider)
		if err != nil {
			return err
		}
		if err := k.writeLease(ctx, operator, lease); err != nil {
			return err
		}
		if !lease.State.Live() {
			continue
		}
		if err := k.expose(ctx, operator, lease.Denom, lease.Rate); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) importUnsettled(ctx context.Context, g *types.GenesisState) error {
	for _, provider := range g.Unsettled {
		operator, err := k.operator(provider)
		if err != nil {
			return err
		}
		if err := k.unsettle(ctx, operator); err != nil {
			return err
		}
	}
	return k.importSweep(ctx, g)
}

// importSweep imports who gained, what the sweep under way is about, and the bids that a clearing left.
func (k *Keeper) importSweep(ctx context.Context, g *types.GenesisState) error {
	for _, list := range []struct {
		set       collections.KeySet[sdk.AccAddress]
		providers []string
	}{{k.gained, g.Gained}, {k.swept, g.Swept}} {
		for _, provider := range list.providers {
			operator, err := k.operator(provider)
			if err != nil {
				return err
			}
			if err := list.set.Set(ctx, operator); err != nil {
				return err
			}
		}
	}
	for _, bid := range g.Left {
		if err := k.leftBids.Set(ctx, bid); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) importSweeps(ctx context.Context, g *types.GenesisState) error {
	for _, sweep := range g.Sweeps {
		operator, err := k.operator(sweep.Provider)
		if err != nil {
			return err
		}
		if err := k.fileSweep(ctx, operator, sweep); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) importRetained(ctx context.Context, g *types.GenesisState) error {
	for _, r := range g.Retained {
		if err := k.retained.Set(ctx, collections.Join(r.Second, r.Lease)); err != nil {
			return err
		}
	}
	return nil
}

// ExportGenesis exports the whole market. Leases of deployments that are being forgotten are forgotten.
func (k *Keeper) ExportGenesis(ctx context.Context) (*types.GenesisState, error) {
	g := &types.GenesisState{}
	for _, step := range []func(context.Context, *types.GenesisState) error{
		k.exportCounters, k.exportPools, k.exportOffers, k.exportDeployments, k.exportBids, k.exportLeases,
		k.exportQuotes, k.exportFresh, k.exportUnsettled, k.exportSweeps, k.exportRetained, k.exportCleared,
	} {
		if err := step(ctx, g); err != nil {
			return nil, fmt.Errorf("export x/%s: %w", types.ModuleName, err)
		}
	}
	return g, nil
}

func (k *Keeper) exportCounters(ctx context.Context, g *types.GenesisState) (err error) {
	if g.Params, err = k.Params(ctx); err != nil {
		return err
	}
	if g.NextOffer, err = k.nextOffer.Peek(ctx); err != nil {
		return err
	}
	if g.NextBid, err = k.nextBid.Peek(ctx); err != nil {
		return err
	}
	if g.NextLease, err = k.nextLease.Peek(ctx); err != nil {
		return err
	}
	if g.Clearing, err = k.clearing.Get(ctx); err != nil {
		return err
	}
	g.Seed, err = k.getSeed(ctx)
	return err
}

func (k *Keeper) exportPools(ctx context.Context, g *types.GenesisState) error {
	return k.pools.Walk(ctx, nil, func(key poolKey, pool types.CapacityPool) (bool, error) {
		pool, err := k.completePool(ctx, key, pool)
		g.Pools = append(g.Pools, pool)
		return false, err
	})
}

func (k *Keeper) exportOffers(ctx context.Context, g *types.GenesisState) error {
	return k.offers.Walk(ctx, nil, func(id uint64, offer types.Offer) (bool, error) {
		offer.Id = id
		g.Offers = append(g.Offers, offer)
		return false, nil
	})
}

func (k *Keeper) exportDeployments(ctx context.Context, g *types.GenesisState) error {
	return k.deployments.Walk(ctx, nil, func(id uint64, _ types.Deployment) (bool, error) {
		deployment, err := k.getDeployment(ctx, id)
		g.Deployments = append(g.Deployments, deployment)
		return false, err
	})
}

func (k *Keeper) exportBids(ctx context.Context, g *types.GenesisState) error {
	return k.bids.Walk(ctx, nil, func(id uint64, _ types.Bid) (bool, error) {
		bid, err := k.getBid(ctx, id)
		g.Bids = append(g.Bids, bid)
		return false, err
	})
}

func (k *Keeper) exportLeases(ctx context.Context, g *types.GenesisState) error {
	return k.leases.Walk(ctx, nil, func(id uint64, _ types.Lease) (bool, error) {
		lease, err := k.getLease(ctx, id)
		if err != nil {
			return true, err
		}
		kept, err := k.deployments.Has(ctx, lease.Deployment)
		if kept {
			g.Leases = append(g.Leases, lease)
		}
		return false, err
	})
}

func (k *Keeper) exportSweeps(ctx context.Context, g *types.GenesisState) error {
	return k.sweeps.Walk(ctx, nil, func(_ pairKey, sweep types.ProviderSweep) (bool, error) {
		g.Sweeps = append(g.Sweeps, sweep)
		return false, nil
	})
}

// exportRetained leaves out entries whose leases have gone with their deployments.
func (k *Keeper) exportRetained(ctx context.Context, g *types.GenesisState) error {
	kept := make(map[uint64]bool, len(g.Leases))
	for _, lease := range g.Leases {
		kept[lease.Id] = true
	}
	return k.retained.Walk(ctx, nil, func(key pairKey) (bool, error) {
		if kept[key.K2()] {
			g.Retained = append(g.Retained, types.Retained{Second: key.K1(), Lease: key.K2()})
		}
		return false, nil
	})
}

func (k *Keeper) exportUnsettled(ctx context.Context, g *types.GenesisState) error {
	gained := map[string]bool{} // those that gained in this block are in the set that the next sweep is about
	err := k.unsettled.Walk(ctx, nil, func(operator sdk.AccAddress, gains bool) (bool, error) {
		provider, err := k.addresses.BytesToString(operator)
		g.Unsettled = append(g.Unsettled, provider)
		if gains {
			gained[provider] = true
			g.Gained = append(g.Gained, provider)
		}
		return false, err
	})
	if err != nil {
		return err
	}
	err = k.gained.Walk(ctx, nil, func(operator sdk.AccAddress) (bool, error) {
		provider, err := k.addresses.BytesToString(operator)
		if !gained[provider] {
			g.Gained = append(g.Gained, provider)
		}
		return false, err
	})
	if err != nil {
		return err
	}
	slices.Sort(g.Gained)
	err = k.swept.Walk(ctx, nil, func(operator sdk.AccAddress) (bool, error) {
		provider, err := k.addresses.BytesToString(operator)
		g.Swept = append(g.Swept, provider)
		return false, err
	})
	if err != nil {
		return err
	}
	return k.leftBids.Walk(ctx, nil, func(bid uint64) (bool, error) {
		g.Left = append(g.Left, bid)
		return false, nil
	})
}

func (k *Keeper) importCleared(ctx context.Context, g *types.GenesisState) error {
	for _, cleared := range g.Cleared {
		if err := k.cleared.Set(ctx, cleared.Denom, cleared); err != nil {
			return err
		}
	}
	for _, weights := range g.Weights {
		if err := k.weights.Set(ctx, weights.Denom, weights.Weights); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) exportCleared(ctx context.Context, g *types.GenesisState) error {
	err := k.cleared.Walk(ctx, nil, func(_ string, cleared types.Cleared) (bool, error) {
		g.Cleared = append(g.Cleared, cleared)
		return false, nil
	})
	if err != nil {
		return err
	}
	return k.weights.Walk(ctx, nil, func(denom string, weights types.Resources) (bool, error) {
		g.Weights = append(g.Weights, types.Weights{Denom: denom, Weights: weights})
		return false, nil
	})
}
