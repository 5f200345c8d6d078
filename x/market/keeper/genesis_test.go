package keeper_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/market/types"
)

// busy is a market with something of everything.
func busy(t *testing.T) *bench {
	t.Helper()
	b := start(t)
	b.sells("p", 10, hourly, region("eu")...)
	b.sells("q", 3, hourly+5)
	withdrawn := b.posts("q", hourly+9)
	require.NoError(t, b.Deliver(&types.MsgWithdrawOffer{Signer: b.name("q"), Offer: withdrawn}))
	b.deploys("late", "web", 1000, want("web", 1, 5000))
	b.tick(second)
	b.tick(window * second) // not acknowledged
	active := b.deploys("active", "web", 100_000, want("web", 2, 5000), want("db", 1, 5000))
	closed := b.deploys("closed", "web", 1000, want("web", 1, 5000))
	b.tick(second)
	for _, lease := range b.leases(active) {
		if lease.Provider == b.name("p") {
			b.acks("p", lease.Id)
		} else {
			b.acks("q", lease.Id)
		}
	}
	b.closes("closed", closed)
	b.deploys("resting", "web", 1000, want("web", 1, 1))
	b.deploys("waiting", "web", 1000, want("web", 1, 5000))
	b.tick(second)
	b.deploys("new", "web", 1000, want("web", 1, 5000))
	return b
}

func TestExportImportExportIsTheSame(t *testing.T) {
	b := busy(t)
	state := b.Export()
	again := startFrom(t, nil, chain.WithState(state))
	again.check()

	// The first block after an import adds no time; both go on alike.
	b.NextBlock(0)
	require.True(t, b.withoutSeed() == again.withoutSeed())
	for range 30 {
		b.tick(second)
		again.tick(second)
		require.True(t, b.withoutSeed() == again.withoutSeed())
	}
}

// withoutSeed is the state without the hash of the last block, which differs when heights start anew.
func (b *bench) withoutSeed() string {
	b.t.Helper()
	g, err := b.Market.ExportGenesis(b.Ctx())
	require.NoError(b.t, err)
	g.Seed = nil
	return string(b.json(g))
}

func TestImportIsExactlyWhatWasExported(t *testing.T) {
	b := busy(t)
	again := &bench{t: t}
	again.Chain = chain.New(t, chain.WithStore(types.StoreKey), chain.WithModule(again.build), chain.WithState(b.Export()))
	require.Equal(t, b.Export(), again.Export())
}

// price adds one to those of the last clearing.
func price(g *types.GenesisState, offer uint64, price types.Resources) {
	g.Cleared[0].Prices = append(g.Cleared[0].Prices, types.ClassPrice{Offer: offer, Price: price})
}

func TestAGenesisThatContradictsItselfIsRefused(t *testing.T) {
	b := busy(t)
	good := b.Export()[types.ModuleName]
	for name, spoil := range map[string]func(*types.GenesisState){
		"parameters":                 func(g *types.GenesisState) { g.Params.MissedAcks = 0 },
		"a pool twice":               func(g *types.GenesisState) { g.Pools = append(g.Pools, g.Pools[0]) },
		"a pool of nobody":           func(g *types.GenesisState) { g.Pools[0].Provider = "" },
		"a high pool":                func(g *types.GenesisState) { g.Pools[0].Id = 16 },
		"more allocated than leased": func(g *types.GenesisState) { g.Pools[0].Allocated.CpuMillis++ },
		"other highest asks":         func(g *types.GenesisState) { g.Pools[0].HighestAsks = nil },
		"no such pool":               func(g *types.GenesisState) { g.Offers[0].Pool = 5 },
		"offers out of order":        func(g *types.GenesisState) { g.Offers[0], g.Offers[1] = g.Offers[1], g.Offers[0] },
		"an offer that is to come":   func(g *types.GenesisState) { g.NextOffer = 2 },
		"an offer in no state":       func(g *types.GenesisState) { g.Offers[0].State = 0 },
		"misses out of order":        func(g *types.GenesisState) { g.Offers[0].MissedAcks = []uint64{5, 3} },
		"a free offer":               func(g *types.GenesisState) { g.Offers[0].Asks = nil },
		"an account of another id":   func(g *types.GenesisState) { g.Deployments[0].Account++ },
		"a short hash":               func(g *types.GenesisState) { g.Deployments[0].ManifestHash = nil },
		"a name twice":               func(g *types.GenesisState) { g.Deployments[1].Owner = g.Deployments[0].Owner },
		"closed and open":            func(g *types.GenesisState) { g.Deployments[0].ClosedAt = 5 },
		"no such deployment":         func(g *types.GenesisState) { g.Bids[0].Deployment = 99 },
		"a bid in another denom":     func(g *types.GenesisState) { g.Bids[0].Denom = "uother" },
		"a closed bid":               func(g *types.GenesisState) { g.Bids[0].State = types.BidState_BID_STATE_CLOSED },
		"a full open bid":            func(g *types.GenesisState) { g.Bids[1].State = types.BidState_BID_STATE_OPEN },
		"more placed than leased":    func(g *types.GenesisState) { g.Bids[0].Spec.Replicas, g.Bids[0].Placed = 9, 5 },
		"a bad bid":                  func(g *types.GenesisState) { g.Bids[0].Spec.Cap = 0 },
		"no such bid":                func(g *types.GenesisState) { g.Leases[0].Bid = 99 },
		"no such offer":              func(g *types.GenesisState) { g.Leases[0].Offer = 99 },
		"another provider":           func(g *types.GenesisState) { g.Leases[0].Provider = b.name("q") },
		"a lease in no state":        func(g *types.GenesisState) { g.Leases[0].State = 0 },
		"a negative hold":            func(g *types.GenesisState) { g.Leases[0].Held = math.NewInt(-1) },
		"an ended lease that holds":  func(g *types.GenesisState) { g.Leases[0].Held = math.OneInt() },
		"a free lease":               func(g *types.GenesisState) { g.Leases[0].Rate = 0 },
		"a lease too high":           func(g *types.GenesisState) { g.NextLease = 1 },
		"no next bid":                func(g *types.GenesisState) { g.NextBid = 0 },
		"a round beyond all bids":    func(g *types.GenesisState) { g.Clearing.FreshEnd = g.NextBid + 1 },
		"a fresh bid that is to come": func(g *types.GenesisState) {
			g.Fresh = append(g.Fresh, types.FreshBid{Bid: g.NextBid, Worth: make([]byte, 16)})
		},
		"a fresh bid that is not open": func(g *types.GenesisState) { g.Fresh[0].Bid = 1 },
		"a short worth":                func(g *types.GenesisState) { g.Fresh[0].Worth = nil },
		"a left bid that is not there": func(g *types.GenesisState) { g.Left = []uint64{g.NextBid} },
		"a left bid that is not open":  func(g *types.GenesisState) { g.Left = []uint64{1} },
		"a clearing that is to come":   func(g *types.GenesisState) { g.Cleared[0].Number = g.Clearing.Number + 1 },
		"a price of no offer":          func(g *types.GenesisState) { price(g, 0, units(1)) },
		"a price of an offer to come":  func(g *types.GenesisState) { price(g, g.NextOffer, units(1)) },
		"a price of nothing":           func(g *types.GenesisState) { price(g, 1, types.Resources{}) },
		"prices out of order": func(g *types.GenesisState) {
			price(g, 2, units(1))
			price(g, 1, units(1))
		},
		"a long seed":         func(g *types.GenesisState) { g.Seed = make([]byte, 65) },
		"an unsettled nobody": func(g *types.GenesisState) { g.Unsettled = []string{"nobody"} },
	} {
		t.Run(name, func(t *testing.T) {
			var g types.GenesisState
			b.Codec.MustUnmarshalJSON(good, &g)
			require.NoError(t, g.Validate(b.Addresses))
			spoil(&g)
			require.ErrorIs(t, g.Validate(b.Addresses), types.ErrInvalidGenesis)
		})
	}
}

func TestAMarketThatContradictsEscrowIsNotImported(t *testing.T) {
	b := busy(t)
	for name, spoil := range map[string]func(*types.GenesisState){
		"a lease of another stream": func(g *types.GenesisState) {
			for i := range g.Leases {
				if g.Leases[i].State == types.LeaseState_LEASE_STATE_ACTIVE {
					g.Leases[i].Stream += 77
				}
			}
		},
		"another rate": func(g *types.GenesisState) {
			for i := range g.Leases {
				g.Leases[i].Rate++
			}
		},
		"more held": func(g *types.GenesisState) {
			for i := range g.Leases {
				if g.Leases[i].State == types.LeaseState_LEASE_STATE_PENDING {
					g.Leases[i].Held = g.Leases[i].Held.AddRaw(1)
				}
			}
		},
		"another owner": func(g *types.GenesisState) { g.Deployments[0].Owner = b.name("thief") },
	} {
		t.Run(name, func(t *testing.T) {
			state := b.Export()
			var g types.GenesisState
			b.Codec.MustUnmarshalJSON(state[types.ModuleName], &g)
			spoil(&g)
			require.NoError(t, g.Validate(b.Addresses), "it does not contradict itself")
			state[types.ModuleName] = json.RawMessage(b.json(&g))
			require.Panics(t, func() { startFrom(t, nil, chain.WithState(state)) })
		})
	}
}
