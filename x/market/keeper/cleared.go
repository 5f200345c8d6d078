package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/match"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
)

// maxProof bounds what the certificate of one clearing looks at, in pairs of a bid and a class: about 10 ms.
const maxProof = 1 << 21

// weightsOf returns what a denom's resources count in the order of bids; all one before the first clearing.
func (k *Keeper) weightsOf(ctx context.Context, denom string) (match.Weights, error) {
	stored, err := k.weights.Get(ctx, denom)
	if errors.Is(err, collections.ErrNotFound) {
		return match.NextWeights(match.Weights{}, match.Vector{}, match.Vector{}), nil
	}
	if err != nil {
		return match.Weights{}, fmt.Errorf("read the weights of %s: %w", denom, err)
	}
	var weights match.Weights
	for r, w := range stored.Vector() {
		weights[r] = uint32(min(w, match.MaxWeight))
	}
	return weights, nil
}

// publish keeps and tells what the clearing of a denom did, with the prices that prove how good it was, and moves the
// weights of the next one by what leases took of what was free. It decides nothing of this clearing: what fails is undone,
// logged, and leaves the leases as they are.
func (k *Keeper) publish(
	ctx sdk.Context, book *book, denom string, in match.Input, out match.Output, certificate match.Certificate,
) {
	if len(in.Bids) == 0 {
		return
	}
	err := escrowtypes.Isolate(ctx, func(ctx sdk.Context) error {
		cleared := types.NewCleared(certificate, in, out)
		cleared.Denom, cleared.Number, cleared.Second = denom, book.number, book.now
		if err := k.cleared.Set(ctx, denom, cleared); err != nil {
			return fmt.Errorf("write what was cleared: %w", err)
		}
		if err := k.moveWeights(ctx, book, denom, in); err != nil {
			return err
		}
		return emit(ctx, types.NewEventCleared(cleared))
	})
	if err != nil {
		k.logger(ctx).Error("certificate lost", "denom", denom, "err", err)
	}
}

// moveWeights counts as demand what new leases took of the pools that are offered in the denom: only that costs money to
// show, so that nobody moves the order of bids by bidding. Supply is what could be leased and has a price: free capacity
// that no unit fits, or that is given away, needs no bond and counts nothing.
func (k *Keeper) moveWeights(ctx context.Context, book *book, denom string, in match.Input) error {
	var demand, supply match.Vector
	priced := make([]match.Vector, len(in.Book.Pools)) // the highest ask for each resource
	for _, o := range in.Book.Offers {
		for r, ask := range o.Ask {
			priced[o.Pool][r] = max(priced[o.Pool][r], ask)
		}
	}
	for at, pool := range in.Book.Pools { // fewer than 2^17, with less than 2^41 of each resource
		for r, free := range pool.Free {
			if priced[at][r] > 0 && pool.LargestUnit[r] > 0 {
				supply[r] += free
				demand[r] += free - min(free, book.pools[at].free[r])
			}
		}
	}
	next := types.WeightsOf(denom, match.NextWeights(in.Weights, demand, supply))
	if err := k.weights.Set(ctx, denom, next.Weights); err != nil {
		return fmt.Errorf("write the weights of %s: %w", denom, err)
	}
	return nil
}
