package agent_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/runtime/conformance"
	"github.com/souk-network/souk/agent/runtime/containerd"
)

const (
	owner   = "souk1benchmark"
	image   = "workload:1"
	runs    = 20
	pollGap = 2 * time.Millisecond
)

// start opens the runtime of an agent with one image; all of it is purged at the end.
func start(b *testing.B) *containerd.Runtime {
	b.Helper()
	if os.Geteuid() != 0 {
		b.Skip("containers need root")
	}
	state, err := os.MkdirTemp("", "souk-bench-")
	require.NoError(b, err)
	libexec := os.Getenv("SOUK_LIBEXEC")
	if libexec == "" {
		libexec, err = filepath.Abs("../../build/libexec")
		require.NoError(b, err)
	}
	r, err := containerd.New(b.Context(), containerd.Config{
		ChainID: "souk-bench", Provider: owner, StateDir: state, Libexec: libexec, Ephemeral: true,
		SubnetPool: netip.MustParsePrefix("10.192.0.0/16"), // for more leases than a pool that is chosen has room for
	})
	require.NoError(b, err)
	b.Cleanup(func() {
		require.NoError(b, r.Purge(context.Background()))
		require.NoError(b, r.Close())
		require.NoError(b, os.RemoveAll(state))
	})
	conformance.Push(b, r.Images(), owner, "workload", "1",
		conformance.Image(b, v1.Config{Entrypoint: []string{"/workload"}, Cmd: []string{"serve", ":8080"}}))
	return r
}

func workload(lease runtime.LeaseID) runtime.Workload {
	w := conformance.Workload(lease, image)
	w.Owner = owner
	return w
}

// run applies a lease and takes the time until its container runs.
func run(b *testing.B, r *containerd.Runtime, lease runtime.LeaseID) time.Duration {
	b.Helper()
	began := time.Now()
	require.NoError(b, r.Apply(b.Context(), workload(lease)))
	for {
		status, err := r.Status(b.Context(), lease)
		require.NoError(b, err)
		if len(status.Replicas) == 1 && status.Replicas[0].Phase == runtime.PhaseRunning {
			return time.Since(began)
		}
		require.Less(b, time.Since(began), conformance.Patience)
		time.Sleep(pollGap)
	}
}

// BenchmarkLease takes the times of one lease after another, the image being present, and of commands in one.
func BenchmarkLease(b *testing.B) {
	r := start(b)
	run(b, r, 1) // unpacks the image
	var starts, execs []float64
	for i := range runs {
		lease := runtime.LeaseID(i + 2)
		starts = append(starts, run(b, r, lease).Seconds())
		require.NoError(b, r.Remove(b.Context(), lease))
		conformance.Gone(b, r, lease)
	}
	for range runs {
		began := time.Now()
		code, _, _ := conformance.Exec(b, r, runtime.ExecRequest{Lease: 1, Command: []string{"/workload", "who"}}, nil)
		require.Zero(b, code)
		execs = append(execs, float64(time.Since(began).Microseconds())/1000)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(quantile(starts, 0.5), "median-s-to-running")
	b.ReportMetric(quantile(starts, 0.95), "p95-s-to-running")
	b.ReportMetric(quantile(execs, 0.5), "median-ms-exec")
	b.ReportMetric(quantile(execs, 0.95), "p95-ms-exec")
}

// BenchmarkMemory starts more and more leases and adds up what this process and the shims and loggers take.
func BenchmarkMemory(b *testing.B) {
	r := start(b)
	empty := rss(b)
	running := 0
	for _, leases := range []int{1, 100, 300} {
		for ; running < leases; running++ {
			run(b, r, runtime.LeaseID(running+1))
		}
		b.Run(fmt.Sprintf("%d_leases", leases), func(b *testing.B) {
			processes, kept := keepers(b, r)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(mib(rss(b)-empty), "MiB-agent-beyond-none")
			b.ReportMetric(mib(kept), "MiB-shims-and-loggers")
			b.ReportMetric(mib(kept)/float64(leases), "MiB-a-lease")
			require.Equal(b, 2*leases, processes, "a shim and a logger a lease")
		})
	}
}

func mib(kib int) float64 { return float64(kib) / 1024 }

func rss(b *testing.B) int { b.Helper(); return field(b, "/proc/self/status", "VmRSS") }

// keepers finds the shims and loggers of this benchmark's containers and adds up their part of memory, shared pages
// divided.
func keepers(b *testing.B, r *containerd.Runtime) (processes, kib int) {
	b.Helper()
	capabilities, err := r.Probe(b.Context())
	require.NoError(b, err)
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(b, err)
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended meanwhile
		}
		program, arguments, _ := strings.Cut(string(line), "\x00")
		switch filepath.Base(program) {
		case "containerd-shim-runc-v2", "souk-logger":
		default:
			continue
		}
		environ, err := os.ReadFile(filepath.Join(filepath.Dir(file), "environ"))
		require.NoError(b, err)
		if !strings.Contains(arguments+string(environ), capabilities.Instance) {
			continue
		}
		processes++
		kib += field(b, filepath.Join(filepath.Dir(file), "smaps_rollup"), "Pss")
	}
	return processes, kib
}

// field reads a number of KiB.
func field(b *testing.B, file, name string) int {
	b.Helper()
	text, err := os.ReadFile(file)
	require.NoError(b, err)
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			kib, err := strconv.Atoi(strings.Fields(value)[0])
			require.NoError(b, err)
			return kib
		}
	}
	b.Fatalf("%s has no %s", file, name)
	return 0
}

func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
