package types

import (
	"bytes"
	"cmp"
	"fmt"

	"github.com/souk-network/souk/match"
)

// quotes must be sorted by bid and provider, of bids that collect them and offers that are there, at their price.
func (v *genesisValidator) quotes() error {
	var last quotedBy
	found := 0 // for the bid at hand
	for _, q := range v.genesis.Quotes {
		next, err := v.quotedBy(q.Bid, q.Provider)
		if err != nil {
			return err
		}
		if !last.before(next) {
			return invalid("the quotes of bids %d and %d are not in order, each once", last.bid, q.Bid)
		}
		if q.Bid != last.bid {
			found = 0
		}
		if found++; found > maxQuotesPerBid {
			return invalid("bid %d has more than %d quotes", q.Bid, maxQuotesPerBid)
		}
		if err := v.quote(q); err != nil {
			return fmt.Errorf("quote of %s for bid %d: %w", q.Provider, q.Bid, err)
		}
		last = next
	}
	return v.quoteFloors()
}

// quoteFloors must be sorted by bid and provider, of bids that collect quotes, each once. What a provider asks now is the least
// that is remembered of it, if anything is.
func (v *genesisValidator) quoteFloors() error {
	asks := map[quoteName]uint64{}
	for _, q := range v.genesis.Quotes {
		asks[quoteName{q.Bid, q.Provider}] = q.Rate
	}
	var last quotedBy
	found := 0 // for the bid at hand
	for _, f := range v.genesis.QuoteFloors {
		next, err := v.quotedBy(f.Bid, f.Provider)
		if err != nil {
			return err
		}
		if !last.before(next) {
			return invalid("what was asked for bids %d and %d is not in order, each once", last.bid, f.Bid)
		}
		if f.Bid != last.bid {
			found = 0
		}
		if found++; found > MaxQuoteFloors {
			return invalid("bid %d remembers more than %d providers", f.Bid, MaxQuoteFloors)
		}
		bid := v.bidAt[f.Bid]
		if bid.State != BidState_BID_STATE_OPEN || !bid.Spec.Quoted() || f.Rate > bid.Spec.Cap {
			return invalid("%s has asked %d for bid %d, which takes no quotes or less", f.Provider, f.Rate, f.Bid)
		}
		if ask, asks := asks[quoteName{f.Bid, f.Provider}]; asks && ask != f.Rate {
			return invalid("%s asks %d for bid %d, and has asked %d before", f.Provider, ask, f.Bid, f.Rate)
		}
		last = next
	}
	return nil
}

type quoteName struct {
	bid      uint64
	provider string
}

// quotedBy orders what belongs to a bid and a provider as the store does.
type quotedBy struct {
	bid      uint64
	provider []byte
}

func (v *genesisValidator) quotedBy(bid uint64, provider string) (quotedBy, error) {
	if err := validateAddress(v.addresses, "provider of a quote", provider); err != nil {
		return quotedBy{}, err
	}
	bz, err := v.addresses.StringToBytes(provider)
	if err != nil {
		return quotedBy{}, invalid("provider of a quote: %v", err)
	}
	return quotedBy{bid, bz}, nil
}

func (q quotedBy) before(other quotedBy) bool {
	return cmp.Or(cmp.Compare(q.bid, other.bid), bytes.Compare(q.provider, other.provider)) < 0
}

func (v *genesisValidator) quote(q Quote) error {
	bid, found := v.bidAt[q.Bid]
	if !found || bid.State != BidState_BID_STATE_OPEN || !bid.Spec.Quoted() {
		return invalid("its bid takes no quotes")
	}
	offer, found := v.offerAt[q.Offer]
	if !found || offer.Provider != q.Provider {
		return invalid("offer %d is not of its provider", q.Offer)
	}
	if err := ValidateAsks([]Ask{q.Ask}); err != nil {
		return err
	}
	if q.Replicas == 0 || q.Replicas > MaxReplicas || q.CreatedAt >= q.ExpiresAt {
		return invalid("%d replicas from second %d to %d", q.Replicas, q.CreatedAt, q.ExpiresAt)
	}
	all, err := match.Rate(bid.Spec.Unit.Vector(), q.Ask.Vector(), uint64(q.Replicas))
	if rate := all / uint64(q.Replicas); err != nil || rate != q.Rate || rate > bid.Spec.Cap || q.Ask.Denom != bid.Denom {
		return invalid("it costs %d, not %d, of at most %d", rate, q.Rate, bid.Spec.Cap)
	}
	return nil
}
