package chain_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/app/apptest"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
)

const (
	expiring = 10_000
	// lifetime is from the first second to the one at which all accounts are empty: long enough for the runway that a lease
	// must have.
	lifetime = 9000
	// microPerSecond is what a lease costs: a whole number.
	microPerSecond = apptest.UnitRate / 3600
	costPerItem    = 2 // an account and its stream, as the cap counts them
)

// BenchmarkExpiry empties the accounts of 10,000 leases in one service second and makes blocks until the last has ended.
// Every block also carries a bank send and a new deployment.
func BenchmarkExpiry(b *testing.B) {
	m := newMarket(b, size{
		tenants: createsPerBlock, units: []uint64{2 * expiring},
		escrow: func(p *escrowtypes.Params) {
			p.MaxTickSeconds, p.PauseRunwaySeconds = 3600, 0 // services are paid in full until the end
			p.Denoms[0].MinDeposit = math.NewInt(1000)
		},
	})
	end := m.now() + lifetime
	m.fillUntil(end, expiring)
	for m.now()+1 < end {
		m.must(min(time.Hour, time.Duration(end-1-m.now())*second))
	}
	_, idle := m.measure(time.Millisecond)

	params, err := m.App.EscrowKeeper.Params(m.Context())
	require.NoError(b, err)
	var ended, blocks, most int
	var busy, worst, used float64
	for ended < expiring {
		txs := m.Sign(m.send(m.tenant(blocks)), m.create(m.tenant(blocks+1), deposit))
		var block apptest.Block
		seen := take(b, 1, func() { block = m.mustBytes(second, txs...) })
		n := m.endedAt(block, end)
		require.Positive(b, n, "leases ended in block %d, %d in all", block.Height, ended)
		ended, blocks, most = ended+n, blocks+1, max(most, n)
		busy, worst, used = busy+seen.nanos, max(worst, seen.nanos), used+seen.cpu
	}
	require.Equal(b, expiring, ended)
	require.NoError(b, m.App.EscrowKeeper.AssertInvariants(m.Context()))
	quarantine, err := escrowtypes.NewQueryClient(m.Conn()).Quarantine(b.Context(), &escrowtypes.QueryQuarantineRequest{})
	require.NoError(b, err)
	require.Empty(b, quarantine.Items)

	b.ReportMetric(busy/expiring, "ns/op")
	b.ReportMetric(used/expiring, "cpu-ns/op")
	b.ReportMetric(float64(blocks), "blocks")
	b.ReportMetric(float64(most), "most-in-a-block")
	b.ReportMetric(float64(most*costPerItem)/float64(params.MaxDeadlinesPerBlock), "times-the-cap")
	b.ReportMetric(worst/float64(time.Millisecond), "ms-longest-block")
	b.ReportMetric(idle.nanos/float64(time.Millisecond), "ms-idle-block")
}

// endedAt counts the leases that a block has ended. All of them were paid to the same second, however late the block.
func (m *market) endedAt(block apptest.Block, at uint64) int {
	m.b.Helper()
	events := eventsOf[*markettypes.EventLeaseEnded](m.b, block)
	for _, event := range events {
		require.Equal(m.b, markettypes.Reason_REASON_INSUFFICIENT_FUNDS, event.Reason)
		require.Equal(m.b, at, event.Second)
	}
	return len(events)
}
