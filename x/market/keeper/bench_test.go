package keeper_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/market/keeper"
	"github.com/souk-network/souk/x/market/types"
)

// BenchmarkClearing is one whole clearing through the keeper: bids, offers, pools and providers read from a committed
// store, matched, and leases, holds, capacity and requirements written.
func BenchmarkClearing(b *testing.B) {
	for _, size := range []struct{ bids, offers int }{{1_000, 100}, {10_000, 1_000}} {
		b.Run(fmt.Sprintf("%d-bids-%d-offers", size.bids, size.offers), func(b *testing.B) {
			m := crowded(b, size.bids, size.offers)
			var leases uint64
			for b.Loop() {
				cache, _ := m.Ctx().CacheContext()
				require.NoError(b, m.Market.EndBlock(cache))
				g, err := m.Market.NextLease(cache)
				require.NoError(b, err)
				leases = g - 1
			}
			b.ReportMetric(float64(leases), "leases")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size.bids), "ns/bid")
		})
	}
}

// crowded is a market at a second whose clearing has to read so many bids and offers, all committed.
func crowded(t testing.TB, bids, offers int) *bench {
	t.Helper()
	genesis := types.DefaultGenesis()
	genesis.Params = quick()
	genesis.Params.BidsPerBlock = uint32(bids)
	m := startFrom(t, genesis, chain.WithEscrowParams(quickEscrow()))
	random := rand.New(rand.NewPCG(1, 2))
	m.deploys("first", "web", 1000, want("web", 1, 1))
	m.NextBlock(0) // the clearing of this second; what follows waits for the next one

	for i := range offers {
		name := fmt.Sprintf("p-%d", i)
		m.joins(name, 1_000_000_000_000)
		unit := types.Resources{CpuMillis: 16_000 + random.Uint64N(112_000), MemoryMib: 65_536 + random.Uint64N(400_000)}
		if i%4 == 0 {
			unit.GpuMillis = 1000 * (1 + random.Uint64N(8))
		}
		m.sets(name, unit)
		post := m.postOffer(name, hourly, region(fmt.Sprintf("region-%d", i%6))...)
		post.Asks = []types.Ask{{
			Denom: denom, Cpu: 8_000 + random.Uint64N(4_000), Memory: 1_000 + random.Uint64N(500), Gpu: 400_000 + random.Uint64N(200_000),
		}}
		require.NoError(t, m.Deliver(post))
	}
	for done := 0; done < bids; {
		group := manyBids(min(types.MaxBids, bids-done))
		for i := range group {
			group[i] = randomBid(random, group[i].Name)
		}
		m.deploys(fmt.Sprintf("t-%d", done), "web", 10_000_000_000, group...)
		done += len(group)
	}
	m.NextBlock(second)
	return m
}

func randomBid(random *rand.Rand, name string) types.BidSpec {
	spec := types.BidSpec{
		Name: name, MinReplicas: 1, Replicas: 1 + uint32(random.IntN(3)),
		Unit: types.Resources{CpuMillis: 500 * (1 + random.Uint64N(16)), MemoryMib: 1024 * (1 + random.Uint64N(32))},
	}
	if random.IntN(4) == 0 {
		spec.Unit.GpuMillis = 1000
	}
	spec.Cap = spec.Unit.CpuMillis*(7+random.Uint64N(8)) + spec.Unit.MemoryMib*2 + spec.Unit.GpuMillis*(300+random.Uint64N(500))
	if random.IntN(2) == 0 {
		spec.Requirements = []types.LabelRequirement{{
			Key: "region", Operator: types.Operator_OPERATOR_IN,
			Values: []string{fmt.Sprintf("region-%d", random.IntN(6)), fmt.Sprintf("region-%d", random.IntN(6))},
		}}
	}
	return spec
}

// BenchmarkRestingBids is the end of a block in which a provider offers less than before (losing), or more (gaining),
// beside 2,000 bids that rest and that nobody can serve.
func BenchmarkRestingBids(b *testing.B) {
	for _, at := range []struct {
		name    string
		resting int
		rate    uint64
	}{{"losing-beside-none", 1, 2 * hourly}, {"losing-beside-2000", 2000, 2 * hourly}, {"gaining-beside-2000", 2000, hourly}} {
		b.Run(at.name, func(b *testing.B) {
			m := start(b)
			offer := m.sells("p", 100, hourly+1)
			for i := range 999 {
				m.sells(fmt.Sprintf("q-%d", i), 100, hourly+1)
			}
			m.rests(at.resting)
			m.updates("p", offer, at.rate)
			for b.Loop() {
				cache, _ := m.Ctx().CacheContext()
				require.NoError(b, m.Market.EndBlock(cache))
			}
		})
	}
}

// BenchmarkIdleBlock is the end of a block with nothing due, beside bids that rest.
func BenchmarkIdleBlock(b *testing.B) {
	for _, resting := range []int{10, 10_000} {
		b.Run(fmt.Sprintf("%d-resting", resting), func(b *testing.B) {
			m := start(b)
			for done := 0; done < resting; {
				group := manyBids(min(types.MaxBids, resting-done))
				m.deploys(fmt.Sprintf("t-%d", done), "web", 1000, group...)
				done += len(group)
			}
			m.Run(10*second, second)
			for b.Loop() {
				cache, _ := m.Ctx().CacheContext()
				require.NoError(b, m.Market.EndBlock(cache))
			}
		})
	}
}

// BenchmarkMessages is each message of a deployment's life beside leases that live already; an acknowledgement is of 50.
func BenchmarkMessages(b *testing.B) {
	for _, live := range []int{100, 10_000} {
		m := start(b)
		m.sells("p", uint64(live)+200, hourly)
		m.Fund(chain.Account("p"), chain.Coin(1e12))
		require.NoError(b, m.Deliver(m.addBond("p", 1e12)))
		m.crowd("p", live)
		m.Funded("alice", chain.Coin(1_000_000))
		var waiting []uint64
		for i := range 50 {
			waiting = append(waiting, m.deploys(fmt.Sprintf("new-%d", i), "web", 1_000_000, want("web", 1, 5000)))
		}
		m.NextBlock(second)
		ack := &types.MsgAckLeases{Signer: m.name("p"), Provider: m.name("p")}
		for _, id := range waiting[1:] {
			ack.Accept = append(ack.Accept, m.lease(id).Id)
		}
		require.Equal(b, []string{""}, m.acks("p", m.lease(waiting[0]).Id))
		m.NextBlock(second)

		server := keeper.NewMsgServer(m.Market)
		for _, step := range []struct {
			name string
			per  int
			do   func(ctx sdk.Context) error
		}{
			{"create", 1, func(ctx sdk.Context) error {
				_, err := server.CreateDeployment(ctx, m.create("alice", "web", 1_000_000, want("web", 1, 5000)))
				return err
			}},
			{"ack", len(ack.Accept), func(ctx sdk.Context) error {
				_, err := server.AckLeases(ctx, ack)
				return err
			}},
			{"close", 1, func(ctx sdk.Context) error {
				_, err := server.CloseDeployment(ctx, &types.MsgCloseDeployment{Owner: m.name("new-0"), Deployment: waiting[0]})
				return err
			}},
		} {
			b.Run(fmt.Sprintf("%s/%d-live", step.name, live), func(b *testing.B) {
				var meter storetypes.GasMeter
				b.ReportAllocs()
				for b.Loop() {
					meter = storetypes.NewInfiniteGasMeter()
					cache, _ := m.Ctx().WithGasMeter(meter).CacheContext()
					require.NoError(b, step.do(cache))
				}
				b.ReportMetric(float64(meter.GasConsumed())/float64(step.per), "gas/lease")
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(step.per), "ns/lease")
			})
		}
	}
}
