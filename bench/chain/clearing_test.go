package chain_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/app/apptest"
	"github.com/souk-network/souk/app/scope"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
)

const (
	// bidsPerDeployment keeps the transactions that lead to a clearing few.
	bidsPerDeployment = 8
	// deploymentsPerBlock keeps them below the gas limit of a block.
	deploymentsPerBlock = 100
	unitsPerBid         = 4 // on average
	repeats             = 3
)

// BenchmarkClearing clears bids that came in one service second against a book, through the module: offers, pools,
// providers and bids read from the stores, leases, holds and indexes written. A pure clearing of the like is measured in
// package match.
func BenchmarkClearing(b *testing.B) {
	for _, at := range []struct {
		name         string
		bids, offers int
	}{
		{"1k_bids_100_offers", 1000, 100},
		{"10k_bids_1k_offers", 10_000, 1000},
	} {
		b.Run(at.name, func(b *testing.B) { benchmarkClearing(b, at.bids, at.offers) })
	}
}

func benchmarkClearing(b *testing.B, bids, offers int) {
	units := make([]uint64, offers)
	for i := range units {
		units[i] = uint64(bids * unitsPerBid * 100 / 125 / offers) // demand is 1.25 times the supply
	}
	m := newMarket(b, size{
		tenants: deploymentsPerBlock, units: units,
		escrow: func(p *escrowtypes.Params) { p.MaxTickSeconds = 3600 },
		market: func(p *markettypes.Params) { p.BidsPerBlock, p.OffersPerBlock = 1<<16, 1<<16 },
	})
	m.bid(bids)

	module := make(samples, repeats)
	for i := range module {
		module[i] = m.clearApart()
	}
	block, whole := m.measure(second)
	leases := len(eventsOf[*markettypes.EventLeaseCreated](b, block))
	require.Greater(b, leases, bids/2, "leases made of %d bids", bids)
	require.Empty(b, eventsOf[*markettypes.EventBidSkipped](b, block))
	require.NoError(b, m.App.MarketKeeper.CheckInvariants(m.Context()))
	_, idle := m.measure(second)

	module.report(b)
	b.ReportMetric(module.median(cpu), "cpu-ns/op")
	b.ReportMetric((whole.nanos-idle.nanos)/float64(time.Millisecond), "ms-block-with-commit")
	b.ReportMetric(module.median(cpu)/float64(bids), "cpu-ns/bid")
	b.ReportMetric(float64(leases), "leases")
}

// bid puts bids of different sizes and caps into the book, all within one service second, so that none is cleared yet.
func (m *market) bid(bids int) {
	m.b.Helper()
	// One clearing now: the next is a second away.
	m.must(second, m.create(m.tenant(0), deposit))
	rng := rand.New(rand.NewPCG(1, 2023))
	for bids > 0 {
		var txs []apptest.Tx
		for i := 0; i < deploymentsPerBlock && bids > 0; i++ {
			n := min(bids, bidsPerDeployment)
			txs = append(txs, m.deploy(m.tenant(i), rng, n))
			bids -= n
		}
		block := m.must(time.Millisecond, txs...)
		require.Empty(m.b, eventsOf[*markettypes.EventLeaseCreated](m.b, block), "leases before their time")
	}
}

// deploy is a transaction with several bids of one to seven Units, at caps from the ask to twice of it.
func (m *market) deploy(owner *apptest.Account, rng *rand.Rand, bids int) apptest.Tx {
	m.made++
	name := fmt.Sprintf("web-%d", m.made)
	hash := sha256.Sum256([]byte(name))
	msg := &markettypes.MsgCreateDeployment{
		Owner: owner.String(), Name: name, ManifestHash: hash[:], Deposit: sdk.NewInt64Coin(scope.Denom, 10*deposit),
	}
	for i := range bids {
		units := 1 + rng.Uint64N(2*unitsPerBid-1)
		msg.Bids = append(msg.Bids, markettypes.BidSpec{
			Name: fmt.Sprintf("group-%d", i), Unit: apptest.Units(units), MinReplicas: 1, Replicas: 1,
			Cap: units * apptest.UnitRate * (100 + rng.Uint64N(101)) / 100,
			Requirements: []markettypes.LabelRequirement{{
				Key: "region", Operator: markettypes.Operator_OPERATOR_IN, Values: []string{"eu-west"},
			}},
		})
	}
	return apptest.Tx{Signer: owner, Msgs: []sdk.Msg{msg}}
}

// clearApart lets the market end a block a second later, on a copy of the committed state.
func (m *market) clearApart() sample {
	m.b.Helper()
	ctx, _ := m.Context().CacheContext()
	ctx = ctx.WithBlockTime(m.Time.Add(second)).WithBlockHeight(m.Height + 1).WithEventManager(sdk.NewEventManager())
	require.NoError(m.b, m.App.EscrowKeeper.BeginBlock(ctx))
	return take(m.b, 1, func() { require.NoError(m.b, m.App.MarketKeeper.EndBlock(ctx)) })
}
