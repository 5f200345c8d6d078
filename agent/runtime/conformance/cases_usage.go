package conformance

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/runtime"
)

// sampler skips when the runtime does not count.
func sampler(t *testing.T, r runtime.Runtime) func(lease runtime.LeaseID) runtime.UsageSample {
	t.Helper()
	m, ok := r.(runtime.Meter)
	if !ok {
		t.Skip("the runtime does not count what leases use")
	}
	return func(lease runtime.LeaseID) runtime.UsageSample {
		t.Helper()
		s, err := m.Usage(t.Context(), lease)
		require.NoError(t, err)
		return s
	}
}

func usage(t *testing.T, p pair) {
	sample := sampler(t, p.a)
	_, err := p.a.(runtime.Meter).Usage(t.Context(), 1)
	require.ErrorIs(t, err, runtime.ErrNotFound)
	Push(t, p.a.Images(), alice, "hello", "1", Image(t, serving()))
	apply(t, p.a, Workload(1, "hello:1", func(s *runtime.Service) {
		s.Replicas, s.Resources.CPUMillis = 2, 100 // so little that a busy machine gives it more, and it is throttled
	}))
	s := Running(t, p.a, 1)
	Get(t, Replica(t, p.a, 1, 1, running), "/")
	Get(t, s, "/")

	before := sample(1)
	require.NotEmpty(t, before.BootID)
	require.WithinDuration(t, time.Now(), before.Time, time.Minute)
	require.Len(t, before.Replicas, 2)
	require.EqualValues(t, 128<<20, before.Total.MemoryLimitBytes)
	require.EqualValues(t, 64<<20, before.Total.DiskLimitBytes)
	require.GreaterOrEqual(t, before.Total.PIDs, uint64(2))

	Eventually(t, "it has used a fifth of a second of a processor, and was throttled", func() error {
		Get(t, s, "/spin", "ms", "600")
		now := sample(1)
		used, throttled := now.Replicas[0].CPUNanos-before.Replicas[0].CPUNanos, now.Total.ThrottledNanos-before.Total.ThrottledNanos
		if used < 200_000_000 || throttled < 5_000_000 && isolation(t, p.a) != "gvisor" {
			return fmt.Errorf("%d ns, throttled for %d", used, throttled)
		}
		return nil
	})
	Get(t, s, "/memory", "mib", "16")
	Get(t, s, "/write", "path", "/tmp/x", "mib", "8")
	after := sample(1)
	grown := func(what string, a, b, least uint64) {
		t.Helper()
		require.GreaterOrEqual(t, b, a+least, what)
	}
	grown("processor time", before.Total.CPUNanos, after.Total.CPUNanos, 200_000_000)
	if isolation(t, p.a) != "gvisor" { // which may stay below its limit by itself
		grown("throttled time", before.Total.ThrottledNanos, after.Total.ThrottledNanos, 5_000_000)
	}
	grown("memory", before.Total.MemoryBytes, after.Total.MemoryBytes, 15<<20)
	grown("disk", before.Total.DiskBytes, after.Total.DiskBytes, 8<<20)
	one, other := after.Replicas[0], after.Replicas[1]
	grown("processor time of the replica", before.Replicas[0].CPUNanos, one.CPUNanos, 200_000_000)
	grown("memory of the replica", other.MemoryBytes, one.MemoryBytes, 14<<20)
	require.Less(t, other.CPUNanos, one.CPUNanos)
	require.LessOrEqual(t, one.CPUNanos+other.CPUNanos, after.Total.CPUNanos)
	require.LessOrEqual(t, after.Total.MemoryBytes, after.Total.MemoryLimitBytes)
	require.Equal(t, one.MemoryLimitBytes, uint64(64<<20))

	traffic := uint64(300)
	if !enforces(t, p.a, "network") {
		traffic = 0
	}
	grown("bytes sent to the host", before.Total.EgressBytes, after.Total.EgressBytes, traffic)
	grown("bytes that came from the host", before.Total.IngressBytes, after.Total.IngressBytes, traffic)

	tell(t, s, "/exit?code=1")
	Get(t, Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return running(s) && s.Restarts == 1 }), "/")
	again := sample(1)
	grown("processor time over a restart", after.Total.CPUNanos, again.Total.CPUNanos, 0)
	grown("throttled time over a restart", after.Total.ThrottledNanos, again.Total.ThrottledNanos, 0)
	require.Equal(t, before.BootID, again.BootID)
	require.Less(t, again.Replicas[0].CPUNanos, one.CPUNanos, "a replica's own count is of its run")

	second := Workload(1, "hello:1")
	second.Revision = revision(2)
	apply(t, p.a, second)
	Eventually(t, "one replica", func() error {
		if n := len(sample(1).Replicas); n != 1 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return running(s) && s.Running == revision(2) })
	updated := sample(1)
	grown("processor time over an update", again.Total.CPUNanos, updated.Total.CPUNanos, 0)
	grown("throttled time over an update", again.Total.ThrottledNanos, updated.Total.ThrottledNanos, 0)
}
