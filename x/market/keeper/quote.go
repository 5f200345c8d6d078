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

// getQuote returns a provider's quote for a bid, or ErrQuoteNotFound.
func (k *Keeper) getQuote(ctx context.Context, bid uint64, provider sdk.AccAddress) (types.Quote, error) {
	key := collections.Join(bid, provider)
	quote, err := k.quotes.Get(ctx, key)
	if errors.Is(err, collections.ErrNotFound) {
		return types.Quote{}, types.ErrQuoteNotFound.Wrapf("of %s for bid %d", provider, bid)
	}
	if err != nil {
		return types.Quote{}, fmt.Errorf("read the quote of %s for bid %d: %w", provider, bid, err)
	}
	return k.completeQuote(key, quote)
}

// completeQuote fills in what the key says of a quote.
func (k *Keeper) completeQuote(key quoteKey, quote types.Quote) (types.Quote, error) {
	provider, err := k.addresses.BytesToString(key.K2())
	if err != nil {
		return types.Quote{}, fmt.Errorf("provider of a quote: %w", err)
	}
	quote.Bid, quote.Provider = key.K1(), provider
	return quote, nil
}

func (k *Keeper) setQuote(ctx context.Context, provider sdk.AccAddress, quote types.Quote) error {
	key := collections.Join(quote.Bid, provider)
	quote.Bid, quote.Provider = 0, ""
	if err := k.quotes.Set(ctx, key, quote); err != nil {
		return fmt.Errorf("write the quote of %s for bid %d: %w", provider, key.K1(), err)
	}
	return nil
}

// removeQuote forgets a quote, and says so.
func (k *Keeper) removeQuote(ctx context.Context, quote types.Quote) error {
	provider, err := k.operator(quote.Provider)
	if err != nil {
		return err
	}
	if err := k.quotes.Remove(ctx, collections.Join(quote.Bid, provider)); err != nil {
		return fmt.Errorf("remove the quote of %s for bid %d: %w", provider, quote.Bid, err)
	}
	return emit(ctx, types.NewEventQuoteGone(quote))
}

// quotesOf returns the quotes of a bid by provider: a few, since quotes_per_bid bounds them.
func (k *Keeper) quotesOf(ctx context.Context, bid uint64) ([]types.Quote, error) {
	iterator, err := k.quotes.Iterate(ctx, collections.NewPrefixedPairRange[uint64, sdk.AccAddress](bid))
	if err != nil {
		return nil, fmt.Errorf("walk quotes of bid %d: %w", bid, err)
	}
	entries, err := iterator.KeyValues()
	if err != nil {
		return nil, fmt.Errorf("walk quotes of bid %d: %w", bid, err)
	}
	quotes := make([]types.Quote, len(entries))
	for i, entry := range entries {
		if quotes[i], err = k.completeQuote(entry.Key, entry.Value); err != nil {
			return nil, err
		}
	}
	return quotes, nil
}

// dropQuotes forgets all quotes of a bid that leaves the book, if it collects any.
func (k *Keeper) dropQuotes(ctx context.Context, bid uint64) error {
	collecting, err := k.quoteBids.Has(ctx, bid)
	if err != nil {
		return fmt.Errorf("look up bid %d: %w", bid, err)
	}
	if !collecting {
		return nil
	}
	if err := k.quoteBids.Remove(ctx, bid); err != nil {
		return fmt.Errorf("let bid %d collect no quotes: %w", bid, err)
	}
	quotes, err := k.quotesOf(ctx, bid)
	if err != nil {
		return err
	}
	for _, quote := range quotes {
		if err := k.removeQuote(ctx, quote); err != nil {
			return err
		}
	}
	return k.dropFloors(ctx, bid)
}

// fileQuote keeps a quote among those of its bid. When there are as many as there may be, those that nobody could accept any
// more make room, whatever they asked, and then the dearest, of equal ones the newest; a quote that is not cheaper than that
// one is refused. So is one that is dearer than what that provider has asked for the bid before.
func (k *Keeper) fileQuote(ctx context.Context, l *lane, quote types.Quote) error {
	provider, err := k.operator(quote.Provider)
	if err != nil {
		return err
	}
	quotes, err := k.quotesOf(ctx, l.bid.Id)
	if err != nil {
		return err
	}
	most := int(l.params.QuotesPerBid)
	if most == 0 {
		return types.ErrQuoteBeaten.Wrapf("bid %d takes none", l.bid.Id)
	}
	if err := k.lowerFloor(ctx, quote, provider); err != nil {
		return err
	}
	others := slices.DeleteFunc(quotes, func(q types.Quote) bool { return q.Provider == quote.Provider })
	if len(others) >= most {
		if others, err = k.dropDeadQuotes(ctx, l, others); err != nil {
			return err
		}
	}
	slices.SortFunc(others, types.Quote.Before)
	for len(others) >= most {
		worst := others[len(others)-1]
		if quote.Rate >= worst.Rate {
			return types.ErrQuoteBeaten.Wrapf("bid %d has %d, of %d an hour and less", l.bid.Id, len(others), worst.Rate)
		}
		if err := k.removeQuote(ctx, worst); err != nil {
			return err
		}
		others = others[:len(others)-1]
	}
	return k.setQuote(ctx, provider, quote)
}

// dropDeadQuotes forgets those quotes of a bid that could not be accepted now, not even for one replica, and returns the
// others.
func (k *Keeper) dropDeadQuotes(ctx context.Context, l *lane, quotes []types.Quote) ([]types.Quote, error) {
	var alive []types.Quote
	for _, quote := range quotes {
		if k.acceptable(ctx, l, quote, 1) == nil {
			alive = append(alive, quote)
			continue
		}
		if err := k.removeQuote(ctx, quote); err != nil {
			return nil, err
		}
	}
	return alive, nil
}

// collecting returns an open bid that takes quotes and is not due.
func (k *Keeper) collecting(ctx context.Context, id, now uint64) (types.Bid, error) {
	bid, err := k.getBid(ctx, id)
	if err != nil {
		return types.Bid{}, err
	}
	switch {
	case bid.State != types.BidState_BID_STATE_OPEN || bid.ExpiresAt <= now:
		return types.Bid{}, types.ErrBidState.Wrapf("bid %d is not open any more", id)
	case !bid.Spec.Quoted():
		return types.Bid{}, types.ErrBidState.Wrapf("bid %d takes the offers of the auction", id)
	}
	return bid, nil
}
