// Package book reads the chain's order book and answers, before anything is signed, who could serve a bid and why nobody
// can. It uses the clearing algorithm of package match, so that the answer is the chain's own; it knows nothing of
// manifests or terminals.
package book

import (
	"context"
	"fmt"

	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/match"
	markettypes "github.com/souk-network/souk/x/market/types"
)

const (
	pageSize = 200
	// maxEntries bounds what one look at the book costs.
	maxEntries = 20_000
)

// Book is the chain's order book at one moment.
type Book struct {
	Entries []markettypes.BookEntry // by offer id
}

// Load reads the whole book.
func Load(ctx context.Context, c *client.Client) (*Book, error) {
	b := &Book{}
	page := &query.PageRequest{Limit: pageSize}
	for len(b.Entries) < maxEntries {
		res, err := c.Market.Book(ctx, &markettypes.QueryBookRequest{Pagination: page})
		if err != nil {
			return nil, fmt.Errorf("read the order book: %w", err)
		}
		b.Entries = append(b.Entries, res.Entries...)
		if res.Pagination == nil || len(res.Pagination.NextKey) == 0 {
			break
		}
		page = &query.PageRequest{Limit: pageSize, Key: res.Pagination.NextKey}
	}
	return b, nil
}

// Candidate is an offer that could serve a bid, taken alone.
type Candidate struct {
	Entry    markettypes.BookEntry
	Replicas uint32 // how many it could take
	Rate     uint64 // of one replica, in micro-denom per hour
}

// Screening is what would become of a bid.
type Screening struct {
	Candidates []Candidate // in the order in which clearing would take them
	Reason     match.Reason
}

// Screen tells who could serve a bid in a denom.
func (b *Book) Screen(bid markettypes.BidSpec, denom string) Screening {
	view, byID := b.view(bid, denom)
	m := match.Bid{
		ID: 1, Unit: bid.Unit.Vector(), Min: bid.MinReplicas, Wanted: bid.Replicas, CapPerHour: bid.Cap,
		Classes: match.NewClassSet(classSuits),
	}
	s := Screening{Reason: match.Explain(m, view)}
	for _, c := range match.Candidates(m, view) {
		s.Candidates = append(s.Candidates, Candidate{Entry: byID[c.Offer], Replicas: c.Replicas, Rate: c.RatePerHour})
	}
	return s
}

// Offers are of one of two classes in the eyes of a single bid.
const (
	classSuits uint32 = iota
	classDoesNot
)

// view is the book as one bid sees it.
func (b *Book) view(bid markettypes.BidSpec, denom string) (match.Book, map[uint64]markettypes.BookEntry) {
	type poolKey struct {
		provider string
		id       uint32
	}
	var out match.Book
	providers := map[string]uint32{}
	pools := map[poolKey]uint32{}
	byID := map[uint64]markettypes.BookEntry{}
	for _, entry := range b.Entries {
		ask, ok := askIn(entry.Offer, denom)
		if !ok {
			continue
		}
		provider, known := providers[entry.Offer.Provider]
		if !known {
			provider = uint32(len(out.Providers))
			providers[entry.Offer.Provider] = provider
			out.Providers = append(out.Providers, match.Provider{RateRoom: roomIn(entry, denom)})
		}
		key := poolKey{entry.Offer.Provider, entry.Offer.Pool}
		pool, known := pools[key]
		if !known {
			pool = uint32(len(out.Pools))
			pools[key] = pool
			out.Pools = append(out.Pools, match.Pool{
				Provider: provider, Free: entry.Pool.Free(), LargestUnit: entry.Pool.LargestUnit.Vector(),
			})
		}
		class := classDoesNot
		if markettypes.Satisfies(entry.Offer.Labels, bid.Requirements) {
			class = classSuits
		}
		out.Offers = append(out.Offers, match.Offer{
			ID: entry.Offer.Id, Pool: pool, Class: class, Reputation: entry.Reputation, Ask: ask.Vector(),
		})
		byID[entry.Offer.Id] = entry
	}
	return out, byID
}

func askIn(offer markettypes.Offer, denom string) (markettypes.Ask, bool) {
	for _, ask := range offer.Asks {
		if ask.Denom == denom {
			return ask, true
		}
	}
	return markettypes.Ask{}, false
}

func roomIn(entry markettypes.BookEntry, denom string) uint64 {
	for _, room := range entry.RateRoom {
		if room.Denom == denom {
			return room.Rate
		}
	}
	return 0
}
