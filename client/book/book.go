// Package book reads the chain's order book and answers, before anything is signed, who could serve a bid and why nobody
// can. It uses the clearing algorithm of package match, so that the answer is the chain's own; it knows nothing of
// manifests or terminals.
package book

import (
	"context"
	"fmt"
	"math"

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

// Book is the chain's order book at one moment: what providers offer that take leases now.
type Book struct {
	// Entries by offer id, those whose providers only quote behind the others: only a bid that collects quotes sees them.
	Entries []markettypes.BookEntry
	// Halted tells that governance lets no new leases begin.
	Halted bool
	// StandbyBps is the share of its rate that a standby is paid, in basis points.
	StandbyBps uint32
}

// Load reads the whole book.
func Load(ctx context.Context, c *client.Client) (*Book, error) {
	params, err := c.Market.Params(ctx, &markettypes.QueryParamsRequest{})
	if err != nil {
		return nil, fmt.Errorf("read the market's parameters: %w", err)
	}
	b := &Book{Halted: params.Params.Halted, StandbyBps: params.Params.StandbyBps}
	for _, quotesOnly := range []bool{false, true} {
		if err := b.load(ctx, c, quotesOnly); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// load adds the offers of the auction, or those outside of it.
func (b *Book) load(ctx context.Context, c *client.Client, quotesOnly bool) error {
	page := &query.PageRequest{Limit: pageSize}
	for len(b.Entries) < maxEntries {
		res, err := c.Market.Book(ctx, &markettypes.QueryBookRequest{Pagination: page, QuotesOnly: quotesOnly})
		if err != nil {
			return fmt.Errorf("read the order book: %w", err)
		}
		b.Entries = append(b.Entries, res.Entries...)
		if res.Pagination == nil || len(res.Pagination.NextKey) == 0 {
			break
		}
		page = &query.PageRequest{Limit: pageSize, Key: res.Pagination.NextKey}
	}
	return nil
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

// Screen tells who could serve a bid in a denom, for a tenant whom no offer lists and whose deposit suffices.
func (b *Book) Screen(bid markettypes.BidSpec, denom string) Screening {
	return b.ScreenFor(bid, markettypes.Tenant{Denom: denom})
}

// ScreenFor tells who could serve a bid of a tenant. A tenant whose Received is unset is one whose deposit suffices. While
// the market is halted nobody can.
func (b *Book) ScreenFor(bid markettypes.BidSpec, tenant markettypes.Tenant) Screening {
	if b.Halted {
		return Screening{Reason: match.Reason{Block: match.NoOffers}}
	}
	v := viewOf(b.seenBy(bid).Entries, bid, tenant)
	m := v.demand(bid)
	s := Screening{Reason: match.Explain(m, v.book)}
	for _, c := range match.Candidates(m, v.book) {
		s.Candidates = append(s.Candidates, Candidate{Entry: v.entries[c.Offer], Replicas: c.Replicas, Rate: c.RatePerHour})
	}
	return s
}

// seenBy is the book without the offers that take no part in the auction, unless the bid takes none either.
func (b *Book) seenBy(bid markettypes.BidSpec) *Book {
	if bid.Quoted() {
		return b
	}
	seen := &Book{Halted: b.Halted}
	for _, e := range b.Entries {
		if !e.Offer.Terms.QuotesOnly {
			seen.Entries = append(seen.Entries, e)
		}
	}
	return seen
}

// Offers are of one of two classes in the eyes of a single bid.
const (
	classSuits uint32 = iota
	classDoesNot
)

// nobody is the position of providers that offer nothing.
const nobody = math.MaxUint32

// view is the book as one bid sees it.
type view struct {
	book      match.Book
	providers map[string]uint32
	pools     map[poolKey]uint32
	zones     map[string]uint32 // from 1
	entries   map[uint64]markettypes.BookEntry
}

type poolKey struct {
	provider string
	id       uint32
}

func viewOf(entries []markettypes.BookEntry, bid markettypes.BidSpec, tenant markettypes.Tenant) *view {
	v := &view{
		providers: map[string]uint32{}, pools: map[poolKey]uint32{}, zones: map[string]uint32{},
		entries: map[uint64]markettypes.BookEntry{},
	}
	for _, entry := range entries {
		ask, ok := markettypes.AskIn(entry.Offer.Asks, tenant.Denom)
		if !ok {
			continue
		}
		class := classDoesNot
		standing := markettypes.Standing{Labels: entry.Offer.Labels, Attested: entry.Attested, Terms: entry.Offer.Terms}
		if bid.Suits(standing, tenant) {
			class = classSuits
		}
		v.book.Offers = append(v.book.Offers, match.Offer{
			ID: entry.Offer.Id, Pool: v.pool(entry, tenant.Denom), Class: class, Reputation: entry.Reputation,
			Zone: v.zone(entry.Offer.Zone()), Ask: ask.Vector(),
		})
		v.entries[entry.Offer.Id] = entry
	}
	return v
}

// pool returns the position of an entry's pool.
func (v *view) pool(entry markettypes.BookEntry, denom string) uint32 {
	provider, known := v.providers[entry.Offer.Provider]
	if !known {
		provider = uint32(len(v.book.Providers))
		v.providers[entry.Offer.Provider] = provider
		v.book.Providers = append(v.book.Providers, match.Provider{RateRoom: roomIn(entry, denom)})
	}
	key := poolKey{entry.Offer.Provider, entry.Offer.Pool}
	pool, known := v.pools[key]
	if !known {
		pool = uint32(len(v.book.Pools))
		v.pools[key] = pool
		v.book.Pools = append(v.book.Pools, match.Pool{
			Provider: provider, Free: entry.Pool.Free(), LargestUnit: entry.Pool.LargestUnit.Vector(),
		})
	}
	return pool
}

// zone numbers a zone from 1; 0 is none.
func (v *view) zone(name string) uint32 {
	if name == "" {
		return 0
	}
	zone, known := v.zones[name]
	if !known {
		zone = uint32(len(v.zones)) + 1
		v.zones[name] = zone
	}
	return zone
}

// demand is a new bid as package match sees it.
func (v *view) demand(bid markettypes.BidSpec) match.Bid {
	return match.Bid{
		ID: 1, Unit: bid.Unit.Vector(), Min: bid.MinReplicas, Wanted: bid.Replicas, CapPerHour: bid.Cap,
		Classes: match.NewClassSet(classSuits), MinReputation: bid.MinReputation,
		Allowed: v.positions(bid.Allow), Excluded: v.positions(bid.Deny),
		MaxPerProvider: bid.MaxPerProvider, MaxPerZone: bid.MaxPerZone,
	}
}

func (v *view) positions(providers []string) []uint32 {
	var at []uint32
	for _, provider := range providers {
		position, known := v.providers[provider]
		if !known {
			position = nobody
		}
		at = append(at, position)
	}
	return at
}

func roomIn(entry markettypes.BookEntry, denom string) uint64 {
	for _, room := range entry.RateRoom {
		if room.Denom == denom {
			return room.Rate
		}
	}
	return 0
}
