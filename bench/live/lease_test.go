package live_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	markettypes "github.com/souk-network/souk/x/market/types"
)

const (
	runs       = 20
	manyLeases = 5
	pollEvery  = 20 * time.Millisecond
)

// BenchmarkDevnet deploys the example again and again, and takes the memory of the programs without and with leases.
func BenchmarkDevnet(b *testing.B) {
	n := startNetwork(b)
	n.up("first") // its image is the provider's from now on
	n.down("first")
	n.awaitEnd()
	b.Run("Memory/0_leases", func(b *testing.B) { n.reportMemory(b, 0) })

	var active, running []float64
	for i := range runs {
		toActive, toRunning := n.deploy(fmt.Sprintf("run-%d", i))
		active, running = append(active, toActive.Seconds()), append(running, toRunning.Seconds())
	}
	b.Run("Lease", func(b *testing.B) {
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(quantile(active, 0.5), "median-s-to-active")
		b.ReportMetric(quantile(active, 0.95), "p95-s-to-active")
		b.ReportMetric(quantile(running, 0.5), "median-s-to-running")
		b.ReportMetric(quantile(running, 0.95), "p95-s-to-running")
		b.ReportMetric(quantile(running, 1), "max-s-to-running")
	})

	for i := range manyLeases {
		n.up(fmt.Sprintf("many-%d", i))
	}
	b.Run(fmt.Sprintf("Memory/%d_leases", manyLeases), func(b *testing.B) { n.reportMemory(b, manyLeases) })
	for i := range manyLeases {
		n.down(fmt.Sprintf("many-%d", i))
	}
}

// deploy takes the times from the start of souk up, which asks for the offers, chooses, signs and sends, to the block
// that has the lease ACTIVE, and to the end of the command: the provider says that the workload runs.
func (n *network) deploy(name string) (toActive, toRunning time.Duration) {
	n.b.Helper()
	ctx, cancel := context.WithTimeout(n.b.Context(), time.Minute)
	defer cancel()
	owner := n.tenant()
	active := make(chan error, 1)
	start := time.Now()
	go func() {
		err := n.awaitActive(ctx, owner, name)
		toActive = time.Since(start)
		active <- err
	}()
	n.up(name)
	toRunning = time.Since(start)
	require.NoError(n.b, <-active)
	n.down(name)
	n.awaitEnd()
	return toActive, toRunning
}

func (n *network) awaitActive(ctx context.Context, owner, name string) error {
	return poll(ctx, func() (bool, error) {
		found, err := n.chain.Market.DeploymentByName(ctx, &markettypes.QueryDeploymentByNameRequest{Owner: owner, Name: name})
		if status.Code(err) == codes.NotFound {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		leases, err := n.chain.Market.Leases(ctx, &markettypes.QueryLeasesRequest{Deployment: found.Deployment.Id})
		if err != nil {
			return false, err
		}
		return slices.ContainsFunc(leases.Leases, func(l markettypes.Lease) bool {
			return l.State == markettypes.LeaseState_LEASE_STATE_ACTIVE
		}), nil
	})
}

// awaitEnd waits until no container is left, so that ending one lease does not slow the start of the next.
func (n *network) awaitEnd() {
	n.b.Helper()
	ctx, cancel := context.WithTimeout(n.b.Context(), time.Minute)
	defer cancel()
	require.NoError(n.b, poll(ctx, func() (bool, error) {
		found, err := n.containers()
		return len(found) == 0, err
	}), "containers of closed leases go on")
}

func poll(ctx context.Context, check func() (bool, error)) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if done, err := check(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// quantile is the least value that at least that part of all values does not exceed.
func quantile(values []float64, part float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(0, int(math.Ceil(part*float64(len(sorted))))-1)]
}
