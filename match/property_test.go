package match_test

import (
	"math/big"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/match"
)

// forBoth runs a property over tight and over hostile markets.
func forBoth(t *testing.T, property func(*rapid.T, market)) {
	t.Helper()
	for name, kind := range map[string]market{"tight markets": tight(), "hostile numbers": hostile()} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) { property(rt, kind) })
		})
	}
}

func TestClearDoesWhatTheReferenceDoes(t *testing.T) {
	forBoth(t, func(t *rapid.T, k market) {
		in := k.input(t)
		want, rest := refClear(in)
		out := match.Clear(in)
		require.Equal(t, want, out.Assignments)
		require.Equal(t, rest.short, out.Short)
	})
}

func TestClearKeepsEveryLimit(t *testing.T) {
	forBoth(t, func(t *rapid.T, k market) {
		in := k.input(t)
		requireLimits(t, in, match.Clear(in))
	})
}

func TestBidLeftEmptyCouldNotBeServedFromWhatRemains(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := tight().input(t)
		out := match.Clear(in)
		_, rest := refClear(in)
		remains := in.Book
		remains.Pools = slices.Clone(remains.Pools)
		for i := range remains.Pools {
			remains.Pools[i].Free = rest.free[i]
		}
		remains.Providers = nil
		for _, room := range rest.room {
			remains.Providers = append(remains.Providers, match.Provider{RateRoom: room.Uint64()})
		}
		var money []match.Account
		for _, room := range rest.funds {
			money = append(money, match.Account{RateRoom: room.Uint64()})
		}
		for _, b := range in.Bids {
			served := slices.ContainsFunc(out.Assignments, func(a match.Assignment) bool { return a.Bid == b.ID })
			if served {
				continue
			}
			alone := match.Clear(match.Input{Bids: []match.Bid{b}, Book: remains, Accounts: money})
			require.Empty(t, alone.Assignments, "bid %d", b.ID)
			if len(money) == 0 {
				require.NotEqual(t, match.Clears, match.Explain(b, remains).Block, "bid %d", b.ID)
			}
		}
	})
}

func TestResultDoesNotDependOnTheOrderOfTheInput(t *testing.T) {
	forBoth(t, func(t *rapid.T, k market) {
		in := k.input(t)
		require.Equal(t, match.Clear(in), match.Clear(permuted(t, in)))
	})
}

func TestClearLeavesItsInputAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := tight().input(t)
		before := permutedBy(in, identity(len(in.Bids)), identity(len(in.Book.Providers)), identity(len(in.Book.Pools)), identity(len(in.Book.Offers)))
		match.Clear(in)
		require.Equal(t, before, in)
	})
}

func TestExplainAgreesWithClearOnASingleBid(t *testing.T) {
	forBoth(t, func(t *rapid.T, k market) {
		book := k.book(t)
		bid := k.bid(t, 1, book)
		out := match.Clear(match.Input{Bids: []match.Bid{bid}, Book: book}).Assignments
		reason := match.Explain(bid, book)
		require.Equal(t, len(out) > 0, reason.Block == match.Clears, "%s", reason)
		if len(out) > 0 {
			var got uint64
			for _, a := range out {
				got += uint64(a.Replicas)
			}
			require.Equal(t, reason.Have, got)
		}
	})
}

func TestCandidatesAreWhatClearTakesInThatOrder(t *testing.T) {
	forBoth(t, func(t *rapid.T, k market) {
		book := k.book(t)
		bid := k.bid(t, 1, book)
		candidates := match.Candidates(bid, book)
		reason := match.Explain(bid, book)
		if reason.Block == match.Clears || reason.Block == match.TooFew {
			require.Len(t, candidates, reason.Matched)
		} else {
			require.Empty(t, candidates)
		}
		next := 0
		for _, a := range match.Clear(match.Input{Bids: []match.Bid{bid}, Book: book}).Assignments {
			for candidates[next].Offer != a.Offer {
				next++
				require.Less(t, next, len(candidates), "offer %d is not a candidate, or out of order", a.Offer)
			}
			require.LessOrEqual(t, a.Replicas, candidates[next].Replicas)
			require.Equal(t, a.RatePerHour, candidates[next].RatePerHour*uint64(a.Replicas))
		}
		for i := 1; i < len(candidates); i++ {
			require.LessOrEqual(t, candidates[i-1].RatePerHour, candidates[i].RatePerHour)
		}
	})
}

func TestExplainNamesTheNearestOffer(t *testing.T) {
	forBoth(t, func(t *rapid.T, k market) {
		book := k.book(t)
		bid := k.bid(t, 1, book)
		reason := match.Explain(bid, book)
		eased := bid
		switch reason.Block {
		case match.NoReputation:
			require.Equal(t, uint64(bid.MinReputation), reason.Need)
			require.Greater(t, reason.Need, reason.Have)
			eased.MinReputation = uint32(reason.Have)
			require.NotEqual(t, match.NoReputation, match.Explain(eased, book).Block)
			eased.MinReputation++
			require.Equal(t, match.NoReputation, match.Explain(eased, book).Block)
		case match.NoZone:
			eased.MaxPerZone = 0
			require.NotEqual(t, match.NoZone, match.Explain(eased, book).Block)
		case match.ShortOf:
			require.Greater(t, bid.Unit[reason.Dim], reason.Have)
			eased.Unit[reason.Dim] = reason.Have
			after := match.Explain(eased, book)
			require.False(t, after.Block == match.ShortOf && after.Dim == reason.Dim, "%s, then %s", reason, after)
			eased.Unit[reason.Dim] = reason.Have + 1
			require.Equal(t, reason.Have, match.Explain(eased, book).Have)
		case match.TooDear:
			require.Greater(t, reason.Need, min(bid.CapPerHour, match.MaxRate))
			if reason.Need <= match.MaxRate {
				eased.CapPerHour = reason.Need
				require.NotEqual(t, match.TooDear, match.Explain(eased, book).Block)
				eased.CapPerHour--
				require.Equal(t, match.TooDear, match.Explain(eased, book).Block)
			}
		case match.NoBond:
			require.Greater(t, reason.Need, reason.Have)
			eased.CapPerHour = reason.Need
			for i := range book.Providers {
				book.Providers[i].RateRoom = max(book.Providers[i].RateRoom, reason.Need)
			}
			require.NotEqual(t, match.NoBond, match.Explain(eased, book).Block)
		case match.TooFew:
			require.Equal(t, uint64(bid.Min), reason.Need)
			eased.Min = uint32(reason.Have)
			require.Equal(t, match.Clears, match.Explain(eased, book).Block)
		}
	})
}

// requireLimits checks what must hold of any output, whatever the rule of choice.
func requireLimits(t require.TestingT, in match.Input, out match.Output) {
	bids := map[uint64]match.Bid{}
	for _, b := range in.Bids {
		bids[b.ID] = b
	}
	offers := map[uint64]match.Offer{}
	for _, o := range in.Book.Offers {
		offers[o.ID] = o
	}
	used := make([][match.Dims]big.Int, len(in.Book.Pools))
	spent := make([]big.Int, len(in.Book.Providers))
	paid := make([]big.Int, len(in.Accounts))
	replicas := map[uint64]uint32{}
	type place struct {
		bid   uint64
		place uint32
	}
	spread, zones := map[place]uint32{}, map[place]uint64{}
	for _, a := range out.Assignments {
		b, o := bids[a.Bid], offers[a.Offer]
		pool := in.Book.Pools[o.Pool]
		one, err := match.Rate(b.Unit, o.Ask, 1)
		require.NoError(t, err)
		all, err := match.Rate(b.Unit, o.Ask, uint64(a.Replicas))
		require.NoError(t, err)
		require.Equal(t, all, a.RatePerHour, "the ask is paid")
		require.LessOrEqual(t, one, b.CapPerHour, "the cap holds")
		require.Positive(t, a.Replicas)
		require.True(t, b.Classes.Has(o.Class))
		require.NotContains(t, b.Excluded, pool.Provider)
		require.True(t, len(b.Allowed) == 0 || slices.Contains(b.Allowed, pool.Provider), "an allowed provider")
		require.GreaterOrEqual(t, o.Reputation, b.MinReputation)
		for r := range match.Dims {
			require.LessOrEqual(t, b.Unit[r], pool.LargestUnit[r])
			u := &used[o.Pool][r]
			u.Add(u, new(big.Int).Mul(bigOf(b.Unit[r]), bigOf(uint64(a.Replicas))))
		}
		spent[pool.Provider].Add(&spent[pool.Provider], bigOf(a.RatePerHour))
		if len(paid) > 0 {
			paid[b.Account].Add(&paid[b.Account], bigOf(a.RatePerHour))
		}
		replicas[a.Bid] += a.Replicas
		spread[place{a.Bid, pool.Provider}] += a.Replicas
		zones[place{a.Bid, o.Zone}] += uint64(a.Replicas)
	}
	for p, n := range zones {
		b := bids[p.bid]
		if b.MaxPerZone == 0 {
			continue
		}
		require.NotZero(t, p.place, "bid %d is spread over zones", p.bid)
		for _, had := range b.Placed {
			if had.Zone == p.place {
				n += uint64(had.Replicas)
			}
		}
		require.LessOrEqual(t, n, uint64(b.MaxPerZone), "bid %d in zone %d", p.bid, p.place)
	}
	for p, n := range spread {
		b := bids[p.bid]
		for _, had := range b.Placed {
			if had.Provider == p.place {
				n += had.Replicas
			}
		}
		require.True(t, b.MaxPerProvider == 0 || n <= b.MaxPerProvider, "bid %d has %d at provider %d", p.bid, n, p.place)
	}
	for id, n := range replicas {
		require.True(t, n >= bids[id].Min && n <= bids[id].Wanted, "bid %d got %d", id, n)
	}
	for i, p := range in.Book.Pools {
		for r := range match.Dims {
			require.True(t, used[i][r].Cmp(bigOf(p.Free[r])) <= 0, "pool %d is oversold", i)
		}
	}
	for i, p := range in.Book.Providers {
		require.True(t, spent[i].Cmp(bigOf(p.RateRoom)) <= 0, "provider %d has leases beyond its bond", i)
	}
	for i, a := range in.Accounts {
		require.True(t, paid[i].Cmp(bigOf(a.RateRoom)) <= 0, "account %d has leases beyond its money", i)
	}
}

// permuted returns the same market with every slice in another order.
func permuted(t *rapid.T, in match.Input) match.Input {
	order := func(n int, label string) []int { return rapid.Permutation(identity(n)).Draw(t, label) }
	return permutedBy(in,
		order(len(in.Bids), "order of bids"), order(len(in.Book.Providers), "order of providers"),
		order(len(in.Book.Pools), "order of pools"), order(len(in.Book.Offers), "order of offers"))
}

func identity(n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	return order
}

// permutedBy puts element order[i] in place i and makes a deep copy.
func permutedBy(in match.Input, bids, providers, pools, offers []int) match.Input {
	moved := func(order []int, index uint32) uint32 {
		if to := slices.Index(order, int(index)); to >= 0 {
			return uint32(to)
		}
		return index
	}
	out := match.Input{Seed: slices.Clone(in.Seed), Weights: in.Weights, Prices: slices.Clone(in.Prices), Work: in.Work, Accounts: slices.Clone(in.Accounts)}
	for _, i := range providers {
		out.Book.Providers = append(out.Book.Providers, in.Book.Providers[i])
	}
	for _, i := range pools {
		p := in.Book.Pools[i]
		p.Provider = moved(providers, p.Provider)
		out.Book.Pools = append(out.Book.Pools, p)
	}
	for _, i := range offers {
		o := in.Book.Offers[i]
		o.Pool = moved(pools, o.Pool)
		out.Book.Offers = append(out.Book.Offers, o)
	}
	for _, i := range bids {
		b := in.Bids[i]
		b.Classes = slices.Clone(b.Classes)
		b.Excluded = slices.Clone(b.Excluded)
		for j := range b.Excluded {
			b.Excluded[j] = moved(providers, b.Excluded[j])
		}
		b.Allowed = slices.Clone(b.Allowed)
		for j := range b.Allowed {
			b.Allowed[j] = moved(providers, b.Allowed[j])
		}
		b.Placed = slices.Clone(b.Placed)
		for j := range b.Placed {
			b.Placed[j].Provider = moved(providers, b.Placed[j].Provider)
		}
		out.Bids = append(out.Bids, b)
	}
	return out
}
