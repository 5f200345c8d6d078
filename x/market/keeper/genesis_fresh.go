package keeper

import (
	"context"

	"github.com/souk-network/souk/x/market/types"
)

func (k *Keeper) importFresh(ctx context.Context, g *types.GenesisState) error {
	for _, fresh := range g.Fresh {
		bid, err := k.getBid(ctx, fresh.Bid)
		if err != nil {
			return err
		}
		if err := k.file(ctx, waiting{id: fresh.Bid, denom: bid.Denom, worth: fresh.Worth}); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) exportFresh(ctx context.Context, g *types.GenesisState) error {
	return k.fresh.Walk(ctx, nil, func(id uint64, value []byte) (bool, error) {
		w, err := waitingOf(id, value)
		g.Fresh = append(g.Fresh, types.FreshBid{Bid: id, Worth: w.worth})
		return err != nil, err
	})
}

// checkFresh checks that the bids which wait are in the order of worth, in their denom, and no others.
func (k *Keeper) checkFresh(ctx context.Context, g *types.GenesisState) error {
	denoms := make(map[uint64]string, len(g.Bids))
	for _, bid := range g.Bids {
		denoms[bid.Id] = bid.Denom
	}
	keys := make([]worthKey, len(g.Fresh))
	for i, fresh := range g.Fresh {
		keys[i] = waiting{id: fresh.Bid, denom: denoms[fresh.Bid], worth: fresh.Worth}.key()
	}
	return sameKeys(ctx, "fresh bids by worth", k.worthiest, keys)
}
