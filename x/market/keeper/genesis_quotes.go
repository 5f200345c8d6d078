package keeper

import (
	"context"

	"cosmossdk.io/collections"

	"github.com/souk-network/souk/x/market/types"
)

func (k *Keeper) importQuotes(ctx context.Context, g *types.GenesisState) error {
	for _, quote := range g.Quotes {
		provider, err := k.operator(quote.Provider)
		if err != nil {
			return err
		}
		if err := k.setQuote(ctx, provider, quote); err != nil {
			return err
		}
	}
	for _, floor := range g.QuoteFloors {
		provider, err := k.operator(floor.Provider)
		if err != nil {
			return err
		}
		if err := k.quoteFloors.Set(ctx, collections.Join(floor.Bid, provider), floor.Rate); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) exportQuotes(ctx context.Context, g *types.GenesisState) error {
	err := k.quotes.Walk(ctx, nil, func(key quoteKey, quote types.Quote) (bool, error) {
		quote, err := k.completeQuote(key, quote)
		g.Quotes = append(g.Quotes, quote)
		return err != nil, err
	})
	if err != nil {
		return err
	}
	return k.quoteFloors.Walk(ctx, nil, func(key quoteKey, rate uint64) (bool, error) {
		provider, err := k.addresses.BytesToString(key.K2())
		g.QuoteFloors = append(g.QuoteFloors, types.QuoteFloor{Bid: key.K1(), Provider: provider, Rate: rate})
		return err != nil, err
	})
}
