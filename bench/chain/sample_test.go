package chain_test

import (
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/app/apptest"
)

// sample is what one block of like transactions cost, a transaction.
type sample struct {
	nanos, cpu    float64 // by the clock on the wall, and of all processors
	bytes, allocs float64
	gas           float64 // as its result tells, checks of the transaction included
	handler       float64 // gas in the message's handler alone
}

// take runs work and divides what it took by n.
func take(b *testing.B, n int, work func()) sample {
	b.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpuBefore, start := cpuTime(b), time.Now()
	work()
	took, used := time.Since(start), cpuTime(b)-cpuBefore
	runtime.ReadMemStats(&after)
	by := float64(n)
	return sample{
		nanos: float64(took.Nanoseconds()) / by, cpu: float64(used.Nanoseconds()) / by,
		bytes: float64(after.TotalAlloc-before.TotalAlloc) / by, allocs: float64(after.Mallocs-before.Mallocs) / by,
	}
}

// cpuTime is what this process has used of all processors, in user and in kernel mode.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// measure makes a block of like transactions and takes its time from the first byte to the commit, signing left out.
func (m *market) measure(step time.Duration, txs ...apptest.Tx) (apptest.Block, sample) {
	m.b.Helper()
	var gasInHandler float64
	if len(txs) > 0 {
		gasInHandler = float64(m.handlerGas(txs[0].Msgs[0]))
	}
	signed := m.Sign(txs...)
	var block apptest.Block
	n := max(1, len(txs))
	s := take(m.b, n, func() { block = m.mustBytes(step, signed...) })
	s.handler = gasInHandler
	for _, tx := range block.Txs {
		s.gas += float64(tx.GasUsed) / float64(n)
	}
	return block, s
}

// handlerGas runs a message's handler on a copy of the committed state and returns the gas it consumed: no signature, no
// transaction bytes, no account of the signer.
func (m *market) handlerGas(msg sdk.Msg) storetypes.Gas {
	m.b.Helper()
	ctx, _ := m.Context().CacheContext()
	meter := storetypes.NewInfiniteGasMeter()
	handler := m.App.MsgServiceRouter().Handler(msg)
	require.NotNil(m.b, handler, "%T", msg)
	_, err := handler(ctx.WithGasMeter(meter).WithChainID(apptest.ChainID), msg)
	require.NoError(m.b, err, "%T", msg)
	return meter.GasConsumed()
}

// samples are those of one message at one size.
type samples []sample

func (s samples) median(of func(sample) float64) float64 {
	values := make([]float64, len(s))
	for i, one := range s {
		values[i] = of(one)
	}
	return median(values)
}

func nanos(s sample) float64   { return s.nanos }
func cpu(s sample) float64     { return s.cpu }
func gas(s sample) float64     { return s.gas }
func handler(s sample) float64 { return s.handler }

func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	if n%2 == 1 {
		return values[n/2]
	}
	return (values[n/2-1] + values[n/2]) / 2
}

// report tells the medians as the figures of a benchmark.
func (s samples) report(b *testing.B) {
	b.ReportAllocs()
	b.ReportMetric(s.median(nanos), "ns/op")
	b.ReportMetric(s.median(func(s sample) float64 { return s.bytes }), "B/op")
	b.ReportMetric(s.median(func(s sample) float64 { return s.allocs }), "allocs/op")
}
