package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/market/types"
)

// lowerFloor remembers what a provider asks for a replica of a bid, and refuses more than it has asked before: a low price that
// kept others away can not be raised by another quote, nor by taking it back or letting it expire first. The lowest
// MaxQuoteFloors of a bid are remembered, as long as it is in the book.
func (k *Keeper) lowerFloor(ctx context.Context, quote types.Quote, provider sdk.AccAddress) error {
	key := collections.Join(quote.Bid, provider)
	floor, err := k.quoteFloors.Get(ctx, key)
	switch {
	case errors.Is(err, collections.ErrNotFound):
		room, err := k.roomForFloor(ctx, quote)
		if err != nil || !room {
			return err
		}
	case err != nil:
		return fmt.Errorf("read what %s asked for bid %d: %w", quote.Provider, quote.Bid, err)
	case quote.Rate > floor:
		return types.ErrQuoteBeaten.Wrapf("by one of %d an hour that %s gave for bid %d before: while that is open it may only ask less",
			floor, quote.Provider, quote.Bid)
	case quote.Rate == floor:
		return nil
	}
	if err := k.quoteFloors.Set(ctx, key, quote.Rate); err != nil {
		return fmt.Errorf("remember what %s asks for bid %d: %w", quote.Provider, quote.Bid, err)
	}
	return nil
}

// roomForFloor tells whether the rate of a quote is among those of its bid to be remembered, and forgets the highest if there
// are as many as there may be: who asked much had little to gain by it.
func (k *Keeper) roomForFloor(ctx context.Context, quote types.Quote) (bool, error) {
	floors, err := k.floorsOf(ctx, quote.Bid)
	if err != nil || len(floors) < types.MaxQuoteFloors {
		return true, err
	}
	highest := floors[0]
	for _, floor := range floors {
		if floor.Value > highest.Value {
			highest = floor
		}
	}
	if quote.Rate >= highest.Value {
		return false, nil
	}
	if err := k.quoteFloors.Remove(ctx, highest.Key); err != nil {
		return false, fmt.Errorf("forget the highest quote for bid %d: %w", quote.Bid, err)
	}
	return true, nil
}

// floorsOf returns the least rates asked for a bid, by provider: at most MaxQuoteFloors.
func (k *Keeper) floorsOf(ctx context.Context, bid uint64) ([]collections.KeyValue[quoteKey, uint64], error) {
	iterator, err := k.quoteFloors.Iterate(ctx, collections.NewPrefixedPairRange[uint64, sdk.AccAddress](bid))
	if err != nil {
		return nil, fmt.Errorf("walk what was asked for bid %d: %w", bid, err)
	}
	floors, err := iterator.KeyValues()
	if err != nil {
		return nil, fmt.Errorf("walk what was asked for bid %d: %w", bid, err)
	}
	return floors, nil
}

// dropFloors forgets what was asked for a bid that leaves the book.
func (k *Keeper) dropFloors(ctx context.Context, bid uint64) error {
	floors, err := k.floorsOf(ctx, bid)
	if err != nil {
		return err
	}
	for _, floor := range floors {
		if err := k.quoteFloors.Remove(ctx, floor.Key); err != nil {
			return fmt.Errorf("forget what was asked for bid %d: %w", bid, err)
		}
	}
	return nil
}
