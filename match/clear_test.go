package match_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/match"
)

// The markets below trade vCPUs alone, so that a rate is vCPUs x ask.

func cpus(n uint64) match.Vector { return match.Vector{match.CPUMillis: n * 1000} }

// ask is a price per vCPU-hour.
func ask(price uint64) match.Vector { return match.Vector{match.CPUMillis: price} }

// poolOf is a pool of one provider that can hold any unit it has free.
func poolOf(provider uint32, vcpus uint64) match.Pool {
	return match.Pool{Provider: provider, Free: cpus(vcpus), LargestUnit: cpus(vcpus)}
}

func providers(rooms ...uint64) []match.Provider {
	var out []match.Provider
	for _, room := range rooms {
		out = append(out, match.Provider{RateRoom: room})
	}
	return out
}

var everything = match.ClassSet{math.MaxUint64}

// bidFor wants one vCPU a replica and may use every class up to 63.
func bidFor(id, limit uint64, least, wanted uint32, change ...func(*match.Bid)) match.Bid {
	b := match.Bid{ID: id, Unit: cpus(1), Min: least, Wanted: wanted, CapPerHour: limit, Classes: everything}
	for _, f := range change {
		f(&b)
	}
	return b
}

func TestClear(t *testing.T) {
	rich := uint64(1_000_000)
	oneProvider := func(vcpus uint64, offers ...match.Offer) match.Book {
		return match.Book{Providers: providers(rich), Pools: []match.Pool{poolOf(0, vcpus)}, Offers: offers}
	}
	twoProviders := match.Book{
		Providers: providers(rich, rich),
		Pools:     []match.Pool{poolOf(0, 4), poolOf(1, 4)},
		Offers:    []match.Offer{{ID: 1, Pool: 0, Ask: ask(10)}, {ID: 2, Pool: 1, Ask: ask(20)}},
	}
	gpuMachine := match.Vector{match.CPUMillis: 9000, match.GPUMillis: 8000}
	type assignments = []match.Assignment
	for name, c := range map[string]struct {
		book  match.Book
		bids  []match.Bid
		money []match.Account
		want  assignments
		short []uint64
	}{
		"an empty market clears to nothing": {},
		"the cheapest offer is taken at its ask and not at the cap": {
			book: twoProviders, bids: []match.Bid{bidFor(7, 100, 1, 2)},
			want: assignments{{Bid: 7, Offer: 1, Replicas: 2, RatePerHour: 20}},
		},
		"what the cheapest cannot hold goes to the next": {
			book: twoProviders, bids: []match.Bid{bidFor(7, 100, 1, 6)},
			want: assignments{{Bid: 7, Offer: 1, Replicas: 4, RatePerHour: 40}, {Bid: 7, Offer: 2, Replicas: 2, RatePerHour: 40}},
		},
		"an offer at exactly the cap is taken and one above it is not": {
			book: twoProviders, bids: []match.Bid{bidFor(7, 10, 1, 6)},
			want: assignments{{Bid: 7, Offer: 1, Replicas: 4, RatePerHour: 40}},
		},
		"a bid below every ask gets nothing": {book: twoProviders, bids: []match.Bid{bidFor(7, 9, 1, 1)}},
		"a bid that misses its minimum leaves the capacity to the next": {
			book: twoProviders, bids: []match.Bid{bidFor(7, 100, 9, 9), bidFor(8, 50, 8, 8)},
			want: assignments{{Bid: 8, Offer: 1, Replicas: 4, RatePerHour: 40}, {Bid: 8, Offer: 2, Replicas: 4, RatePerHour: 80}},
		},
		"a bid that misses its minimum leaves the bond to the next": {
			book: match.Book{
				Providers: providers(30), Pools: []match.Pool{poolOf(0, 9)}, Offers: []match.Offer{{ID: 1, Ask: ask(10)}},
			},
			bids: []match.Bid{bidFor(7, 100, 4, 4), bidFor(8, 50, 3, 3)},
			want: assignments{{Bid: 8, Offer: 1, Replicas: 3, RatePerHour: 30}},
		},
		"a bid without money leaves capacity to the next": {
			book: twoProviders, money: []match.Account{{RateRoom: 9}, {RateRoom: 160}},
			bids:  []match.Bid{bidFor(7, 100, 1, 8), bidFor(8, 50, 8, 8, func(b *match.Bid) { b.Account = 1 })},
			want:  assignments{{Bid: 8, Offer: 1, Replicas: 4, RatePerHour: 40}, {Bid: 8, Offer: 2, Replicas: 4, RatePerHour: 80}},
			short: []uint64{7},
		},
		"a bid with money for a part takes that part of one offer": {
			book: twoProviders, money: []match.Account{{RateRoom: 39}}, bids: []match.Bid{bidFor(7, 100, 1, 4)},
			want: assignments{{Bid: 7, Offer: 1, Replicas: 3, RatePerHour: 30}},
		},
		"two bids of one account share its money, and a minimum that is missed gives it back": {
			book: twoProviders, money: []match.Account{{RateRoom: 20}},
			bids:  []match.Bid{bidFor(7, 100, 3, 3), bidFor(8, 50, 1, 1), bidFor(9, 40, 1, 2)},
			want:  assignments{{Bid: 8, Offer: 1, Replicas: 1, RatePerHour: 10}, {Bid: 9, Offer: 1, Replicas: 1, RatePerHour: 10}},
			short: []uint64{7},
		},
		"a bid whose account does not exist is left out": {
			book: twoProviders, money: []match.Account{{RateRoom: 20}},
			bids: []match.Bid{bidFor(7, 100, 1, 1, func(b *match.Bid) { b.Account = 1 })},
		},
		"who pays more for a vCPU is served first": {
			book: oneProvider(1, match.Offer{ID: 1, Ask: ask(1)}),
			bids: []match.Bid{bidFor(7, 5, 1, 1), bidFor(8, 6, 1, 1)},
			want: assignments{{Bid: 8, Offer: 1, Replicas: 1, RatePerHour: 1}},
		},
		"a small unit with a low cap goes before a large one with a higher cap for all but less for each": {
			book: oneProvider(4, match.Offer{ID: 1, Ask: ask(1)}),
			bids: []match.Bid{
				bidFor(7, 12, 1, 1, func(b *match.Bid) { b.Unit = cpus(4) }),
				bidFor(8, 4, 1, 1),
			},
			want: assignments{{Bid: 8, Offer: 1, Replicas: 1, RatePerHour: 1}},
		},
		"between equal rates the better reputation is taken, then the lower id": {
			book: match.Book{
				Providers: providers(rich, rich, rich),
				Pools:     []match.Pool{poolOf(0, 1), poolOf(1, 1), poolOf(2, 1)},
				Offers: []match.Offer{
					{ID: 3, Pool: 0, Ask: ask(10), Reputation: 5},
					{ID: 1, Pool: 1, Ask: ask(10), Reputation: 4},
					{ID: 2, Pool: 2, Ask: ask(10), Reputation: 5},
				},
			},
			bids: []match.Bid{bidFor(7, 10, 1, 3)},
			want: assignments{
				{Bid: 7, Offer: 2, Replicas: 1, RatePerHour: 10},
				{Bid: 7, Offer: 3, Replicas: 1, RatePerHour: 10},
				{Bid: 7, Offer: 1, Replicas: 1, RatePerHour: 10},
			},
		},
		// The two differ in what they sell, not in what they ask for it, so that the
		// index keeps them apart.
		"reputation decides between equal asks of different machines": {
			book: match.Book{
				Providers: providers(rich),
				Pools: []match.Pool{
					{Free: gpuMachine, LargestUnit: gpuMachine}, poolOf(0, 9), {Free: gpuMachine, LargestUnit: gpuMachine},
				},
				Offers: []match.Offer{
					{ID: 1, Pool: 0, Ask: match.Vector{match.CPUMillis: 10, match.GPUMillis: 1}},
					{ID: 2, Pool: 1, Ask: match.Vector{match.CPUMillis: 10, match.GPUMillis: 1}, Reputation: 1},
					{ID: 3, Pool: 2, Ask: match.Vector{match.CPUMillis: 10, match.GPUMillis: 1000}},
				},
			},
			bids: []match.Bid{bidFor(7, 10, 1, 1)},
			want: assignments{{Bid: 7, Offer: 2, Replicas: 1, RatePerHour: 10}},
		},
		"rates that are equal only after rounding are equal": {
			book: match.Book{
				Providers: providers(rich),
				Pools:     []match.Pool{poolOf(0, 9)},
				Offers:    []match.Offer{{ID: 1, Ask: ask(10)}, {ID: 2, Ask: ask(9), Reputation: 1}},
			},
			bids: []match.Bid{bidFor(7, 10, 1, 1, func(b *match.Bid) { b.Unit = match.Vector{match.CPUMillis: 50} })},
			want: assignments{{Bid: 7, Offer: 2, Replicas: 1, RatePerHour: 1}},
		},
		"capacity without a machine that is large enough is of no use": {
			book: match.Book{
				Providers: providers(rich),
				Pools:     []match.Pool{{Free: cpus(100), LargestUnit: cpus(3)}},
				Offers:    []match.Offer{{ID: 1, Ask: ask(1)}},
			},
			bids: []match.Bid{
				bidFor(7, 100, 1, 1, func(b *match.Bid) { b.Unit = cpus(4) }),
				bidFor(8, 100, 1, 9, func(b *match.Bid) { b.Unit = cpus(3) }),
			},
			want: assignments{{Bid: 8, Offer: 1, Replicas: 9, RatePerHour: 27}},
		},
		"the scarcest resource of the unit decides how many fit": {
			book: match.Book{
				Providers: providers(rich),
				Pools: []match.Pool{{
					Free:        match.Vector{match.CPUMillis: 9000, match.MemoryMiB: 5000},
					LargestUnit: match.Vector{match.CPUMillis: 9000, match.MemoryMiB: 5000},
				}},
				Offers: []match.Offer{{ID: 1, Ask: match.Vector{match.MemoryMiB: 1024}}},
			},
			bids: []match.Bid{bidFor(7, 5000, 1, 9, func(b *match.Bid) { b.Unit[match.MemoryMiB] = 2000 })},
			want: assignments{{Bid: 7, Offer: 1, Replicas: 2, RatePerHour: 4000}},
		},
		"offers of one pool share its capacity": {
			book: oneProvider(3, match.Offer{ID: 1, Ask: ask(10)}, match.Offer{ID: 2, Ask: ask(5), Class: 1}),
			bids: []match.Bid{
				bidFor(7, 100, 1, 2, func(b *match.Bid) { b.Classes = match.NewClassSet(0) }),
				bidFor(8, 50, 1, 2),
			},
			want: assignments{{Bid: 7, Offer: 1, Replicas: 2, RatePerHour: 20}, {Bid: 8, Offer: 2, Replicas: 1, RatePerHour: 5}},
		},
		"pools of one provider share its bond": {
			book: match.Book{
				Providers: providers(25),
				Pools:     []match.Pool{poolOf(0, 2), poolOf(0, 2)},
				Offers:    []match.Offer{{ID: 1, Pool: 0, Ask: ask(10)}, {ID: 2, Pool: 1, Ask: ask(5)}},
			},
			bids: []match.Bid{bidFor(7, 100, 1, 4)},
			want: assignments{{Bid: 7, Offer: 2, Replicas: 2, RatePerHour: 10}, {Bid: 7, Offer: 1, Replicas: 1, RatePerHour: 10}},
		},
		"no lease is above the highest rate, whatever the bond": {
			book: match.Book{
				Providers: providers(math.MaxUint64),
				Pools:     []match.Pool{poolOf(0, 9)},
				Offers:    []match.Offer{{ID: 1, Ask: ask(match.MaxRate / 2)}},
			},
			bids: []match.Bid{bidFor(7, math.MaxUint64, 1, 4)},
			want: assignments{{Bid: 7, Offer: 1, Replicas: 2, RatePerHour: match.MaxRate - 1}},
		},
		"a free offer takes no room in the bond": {
			book: match.Book{Providers: providers(0), Pools: []match.Pool{poolOf(0, 2)}, Offers: []match.Offer{{ID: 1}}},
			bids: []match.Bid{bidFor(7, 0, 1, 4)},
			want: assignments{{Bid: 7, Offer: 1, Replicas: 2}},
		},
		"a bid has no more replicas at a provider than it allows, with those that it has": {
			book: twoProviders,
			bids: []match.Bid{bidFor(7, 100, 1, 6, func(b *match.Bid) {
				b.MaxPerProvider = 3
				b.Placed = []match.Placement{{Provider: 0, Replicas: 1}, {Provider: 1, Replicas: 4}, {Provider: 99, Replicas: 4}}
			})},
			want: assignments{{Bid: 7, Offer: 1, Replicas: 2, RatePerHour: 20}},
		},
		"placed replicas mean nothing without a bound": {
			book: twoProviders,
			bids: []match.Bid{bidFor(7, 10, 1, 4, func(b *match.Bid) { b.Placed = []match.Placement{{Replicas: math.MaxUint32}} })},
			want: assignments{{Bid: 7, Offer: 1, Replicas: 4, RatePerHour: 40}},
		},
		"an excluded provider is not used, and only by the bid that excludes it": {
			book: twoProviders,
			bids: []match.Bid{
				bidFor(7, 100, 1, 1, func(b *match.Bid) { b.Excluded = []uint32{0, 99} }),
				bidFor(8, 50, 1, 1),
			},
			want: assignments{{Bid: 7, Offer: 2, Replicas: 1, RatePerHour: 20}, {Bid: 8, Offer: 1, Replicas: 1, RatePerHour: 10}},
		},
		"only allowed providers are used, and exclusion goes before": {
			book: twoProviders,
			bids: []match.Bid{
				bidFor(7, 100, 1, 1, func(b *match.Bid) { b.Allowed = []uint32{99, 1} }),
				bidFor(8, 50, 1, 1, func(b *match.Bid) { b.Allowed, b.Excluded = []uint32{0, 1}, []uint32{1} }),
				bidFor(9, 40, 1, 1, func(b *match.Bid) { b.Allowed = []uint32{99} }),
			},
			want: assignments{{Bid: 7, Offer: 2, Replicas: 1, RatePerHour: 20}, {Bid: 8, Offer: 1, Replicas: 1, RatePerHour: 10}},
		},
		"an allowed provider has no more replicas than others may": {
			book: twoProviders,
			bids: []match.Bid{bidFor(7, 100, 1, 6, func(b *match.Bid) {
				b.MaxPerProvider, b.Allowed = 2, []uint32{0, 0}
				b.Placed = []match.Placement{{Provider: 0, Replicas: 1}}
			})},
			want: assignments{{Bid: 7, Offer: 1, Replicas: 1, RatePerHour: 10}},
		},
		"a provider of less reputation than is wanted is not used, however cheap": {
			book: oneProvider(9, match.Offer{ID: 1, Ask: ask(1), Reputation: 5}, match.Offer{ID: 2, Ask: ask(2), Reputation: 6}),
			bids: []match.Bid{bidFor(7, 100, 1, 1, func(b *match.Bid) { b.MinReputation = 6 })},
			want: assignments{{Bid: 7, Offer: 2, Replicas: 1, RatePerHour: 2}},
		},
		"a bid has no more replicas in a zone than it allows, with those that it has, and none where no zone is known": {
			book: oneProvider(99,
				match.Offer{ID: 1, Ask: ask(1)},
				match.Offer{ID: 2, Ask: ask(2), Zone: math.MaxUint32},
				match.Offer{ID: 3, Ask: ask(3), Zone: math.MaxUint32},
				match.Offer{ID: 4, Ask: ask(4), Zone: 7}),
			bids: []match.Bid{bidFor(7, 100, 1, 9, func(b *match.Bid) {
				b.MaxPerZone = 3
				b.Placed = []match.Placement{{Provider: 99, Zone: 7, Replicas: 2}, {Zone: 8, Replicas: 9}, {Replicas: 9}}
			})},
			want: assignments{{Bid: 7, Offer: 2, Replicas: 3, RatePerHour: 6}, {Bid: 7, Offer: 4, Replicas: 1, RatePerHour: 4}},
		},
		"only offers of the bid's classes are used": {
			book: oneProvider(9, match.Offer{ID: 1, Ask: ask(1), Class: 64}, match.Offer{ID: 2, Ask: ask(2), Class: 65}),
			bids: []match.Bid{bidFor(7, 100, 1, 1, func(b *match.Bid) { b.Classes = match.NewClassSet(65) })},
			want: assignments{{Bid: 7, Offer: 2, Replicas: 1, RatePerHour: 2}},
		},
		"offers of pools and providers that do not exist are left out": {
			book: match.Book{
				Providers: providers(rich),
				Pools:     []match.Pool{poolOf(1, 9), poolOf(0, 9)},
				Offers:    []match.Offer{{ID: 1, Pool: 0}, {ID: 2, Pool: 2}, {ID: 3, Pool: 1, Ask: ask(5)}},
			},
			bids: []match.Bid{bidFor(7, 100, 1, 1)},
			want: assignments{{Bid: 7, Offer: 3, Replicas: 1, RatePerHour: 5}},
		},
		"bids that can never clear are passed over": {
			book: twoProviders,
			bids: []match.Bid{
				bidFor(1, 900, 0, 0),
				bidFor(2, 900, 3, 2),
				bidFor(3, 900, 1, 1, func(b *match.Bid) { b.Unit = match.Vector{} }),
				bidFor(4, 900, 1, 1, func(b *match.Bid) { b.Unit[match.HDDMiB] = match.MaxQuantity + 1 }),
				bidFor(5, 10, 0, 1),
			},
			want: assignments{{Bid: 5, Offer: 1, Replicas: 1, RatePerHour: 10}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			out := match.Clear(match.Input{Bids: c.bids, Book: c.book, Accounts: c.money})
			require.Equal(t, c.want, out.Assignments)
			require.Equal(t, c.short, out.Short)
		})
	}
}

func TestABidCanUseMoreOffersThanShortScansFind(t *testing.T) {
	book := match.Book{}
	var want []match.Assignment
	for i := range uint32(40) {
		book.Providers = append(book.Providers, match.Provider{RateRoom: 1000})
		book.Pools = append(book.Pools, poolOf(i, 1))
		price := uint64(7 * i % 41)
		book.Offers = append(book.Offers, match.Offer{ID: uint64(i), Pool: i, Class: i % 3, Ask: ask(price)})
		want = append(want, match.Assignment{Bid: 1, Offer: uint64(i), Replicas: 1, RatePerHour: price})
	}
	slices.SortFunc(want, func(a, b match.Assignment) int { return int(a.RatePerHour) - int(b.RatePerHour) })
	for wanted := uint32(1); wanted <= 40; wanted++ {
		out := match.Clear(match.Input{Bids: []match.Bid{bidFor(1, 1000, wanted, wanted)}, Book: book})
		require.Equal(t, want[:wanted], out.Assignments)
	}
	require.Empty(t, match.Clear(match.Input{Bids: []match.Bid{bidFor(1, 1000, 41, 41)}, Book: book}).Assignments)
}

func TestTheSecondOfferOfAFullPoolIsPassedOver(t *testing.T) {
	var book match.Book
	var want []match.Assignment
	for i := range uint32(20) {
		book.Providers = append(book.Providers, match.Provider{RateRoom: 1000})
		book.Pools = append(book.Pools, poolOf(i, 1))
		cheap, dear := uint64(2*i), uint64(2*i+1)
		book.Offers = append(book.Offers,
			match.Offer{ID: cheap, Pool: i, Ask: ask(cheap)}, match.Offer{ID: dear, Pool: i, Class: 1, Ask: ask(dear)})
		want = append(want, match.Assignment{Bid: 1, Offer: cheap, Replicas: 1, RatePerHour: cheap})
	}
	out := match.Clear(match.Input{Bids: []match.Bid{bidFor(1, 1000, 1, 100)}, Book: book})
	require.Equal(t, want, out.Assignments)
}

func TestEqualKeysAreOrderedByTheHashOfSeedAndID(t *testing.T) {
	seed := bytes.Repeat([]byte{9}, 32)
	in := match.Input{Seed: seed, Book: match.Book{
		Providers: providers(1000), Pools: []match.Pool{poolOf(0, 1000)}, Offers: []match.Offer{{ID: 1, Ask: ask(1)}},
	}}
	var want []uint64
	for id := range uint64(50) {
		in.Bids = append(in.Bids, bidFor(id, 5, 1, 1))
		want = append(want, id)
	}
	hash := func(id uint64) []byte {
		h := sha256.Sum256(binary.BigEndian.AppendUint64(slices.Clone(seed), id))
		return h[:]
	}
	slices.SortFunc(want, func(a, b uint64) int { return bytes.Compare(hash(a), hash(b)) })
	require.Equal(t, want, bidsOf(match.Clear(in)))

	in.Seed = []byte("another block")
	require.NotEqual(t, want, bidsOf(match.Clear(in)))
}

func TestAmongEqualKeysBidsThatReturnedGoFirst(t *testing.T) {
	in := match.Input{Seed: []byte("seed"), Book: match.Book{
		Providers: providers(1000), Pools: []match.Pool{poolOf(0, 1000)}, Offers: []match.Offer{{ID: 1, Ask: ask(1)}},
	}}
	for id := range uint64(20) {
		bid := bidFor(id, 5, 1, 1)
		bid.Returned = id%2 == 1
		in.Bids = append(in.Bids, bid)
	}
	in.Bids = append(in.Bids, bidFor(99, 6, 1, 1))
	order := bidsOf(match.Clear(in))
	require.Equal(t, uint64(99), order[0], "who values capacity more goes before all that returned")
	for i, id := range order[1:] {
		require.Equal(t, i < 10, id%2 == 1, order)
	}
}

func bidsOf(out match.Output) []uint64 {
	var ids []uint64
	for _, a := range out.Assignments {
		ids = append(ids, a.Bid)
	}
	return ids
}

// A change of this result is a change of consensus.
func TestKnownMarketClearsAsItDid(t *testing.T) {
	out := match.Clear(benchMarket(synthetic(), 300, 30, 100, 1))
	require.Empty(t, out.Short)
	got, err := json.MarshalIndent(struct{ Assignments []match.Assignment }{out.Assignments}, "", " ")
	require.NoError(t, err)
	const golden = "testdata/known_market.json"
	if *update {
		require.NoError(t, os.WriteFile(golden, got, 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}

// vain is the market that the bench of the same name runs: all of its bids are stopped by the bound on what they could have.
func TestBidsWhoseSpreadCannotReachTheirMinimumCostNoScan(t *testing.T) {
	in := vain(64, 512, 128, 15)
	out := match.Clear(in)
	require.Empty(t, out.Assignments)
	require.Less(t, out.Work, uint64(128*(64+512)), "less than one scan of the book a bid")

	in = vain(64, 512, 128, 16) // 64 x 16 is enough for 1000, but 512 are free
	out = match.Clear(in)
	require.Empty(t, out.Assignments)
	require.Less(t, out.Work, uint64(128*(64+512)))
}

func TestClearLeavesTheBidsOfLowerRankWhenItsWorkIsSpent(t *testing.T) {
	in := vain(2000, 2000, 64, 0)
	for i := range in.Bids {
		in.Bids[i].Min, in.Bids[i].Wanted = 3, 3
	}
	whole := match.Clear(in)
	require.Empty(t, whole.Left)
	require.Len(t, whole.Assignments, 64*3)

	in.Work = whole.Work / 2
	half := match.Clear(in)
	require.NotEmpty(t, half.Left)
	require.Less(t, len(half.Left), 64)
	require.Equal(t, whole.Assignments[:len(half.Assignments)], half.Assignments, "the others get what they would have got")
	require.Equal(t, 64*3, len(half.Assignments)+3*len(half.Left))

	in.Work = 1
	one := match.Clear(in)
	require.Len(t, one.Assignments, 3, "one bid is served however little may be spent")
	require.Len(t, one.Left, 63)

	rest := in
	rest.Bids, rest.Work = nil, 0
	for _, b := range in.Bids {
		if slices.Contains(half.Left, b.ID) {
			rest.Bids = append(rest.Bids, b)
		}
	}
	require.Len(t, match.Clear(rest).Assignments, 3*len(half.Left), "what is left can be served later")
}

// vain is a market of offers with room for one replica each, at distinct asks in which no class is cheapest all over, and of
// bids that want a thousand replicas or none.
func vain(providers, offers uint32, bids uint64, perProvider uint32) match.Input {
	var in match.Input
	for range providers {
		in.Book.Providers = append(in.Book.Providers, match.Provider{RateRoom: 1 << 40})
	}
	for i := range offers {
		in.Book.Pools = append(in.Book.Pools, match.Pool{
			Provider: i % providers, Free: match.Vector{1000, 1024}, LargestUnit: match.Vector{1000, 1024},
		})
		in.Book.Offers = append(in.Book.Offers, match.Offer{
			ID: uint64(i), Pool: i, Ask: match.Vector{1000 + uint64(i), 1000 + uint64(offers) - uint64(i)},
		})
	}
	for i := range bids {
		in.Bids = append(in.Bids, match.Bid{
			ID: i, Unit: match.Vector{1000, 1024}, Min: 1000, Wanted: 1000, CapPerHour: 1 << 30,
			Classes: match.NewClassSet(0), MaxPerProvider: perProvider,
		})
	}
	return in
}
