package chain_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/app/apptest"
)

const exported = 10_000

// BenchmarkExport writes the whole state of a chain with 10,000 live leases as a genesis file's parts, as it is and for a
// chain that starts anew, and starts a chain from it.
func BenchmarkExport(b *testing.B) {
	m := newMarket(b, size{tenants: createsPerBlock, units: []uint64{2 * exported}})
	m.fill(exported)
	require.Len(b, m.Work(m.shops[0]), exported)

	// The second rewrites the state that it reads, so it comes last.
	for _, forZeroHeight := range []bool{false, true} {
		name := map[bool]string{false: "10k_leases/as_it_is", true: "10k_leases/for_zero_height"}[forZeroHeight]
		b.Run(name, func(b *testing.B) {
			var state apptest.Exported
			seen := take(b, 1, func() {
				got, err := m.App.ExportAppStateAndValidators(forZeroHeight, nil, nil)
				require.NoError(b, err)
				state = apptest.Exported{State: got.AppState, ConsensusParams: got.ConsensusParams, Height: got.Height}
			})

			var anew *apptest.Chain
			imported := take(b, 1, func() {
				anew = apptest.New(b, apptest.Options{Exported: &state, Accounts: len(m.Accounts), Time: m.Time})
			})
			anew.Deliver(second)
			require.Len(b, anew.Work(m.shops[0]), exported)
			require.NoError(b, anew.App.EscrowKeeper.AssertInvariants(anew.Context()))

			b.ReportMetric(seen.nanos, "ns/op")
			b.ReportMetric(seen.cpu, "cpu-ns/op")
			b.ReportMetric(seen.nanos/float64(time.Millisecond), "ms-export")
			b.ReportMetric(imported.nanos/float64(time.Millisecond), "ms-import")
			b.ReportMetric(float64(len(state.State))/(1<<20), "MiB")
		})
	}
}
