package conformance

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/runtime"
)

// floor is what holds around a workload whatever it asks for, each line of it tried from inside.
func floor(t *testing.T, p pair) {
	Push(t, p.a.Images(), alice, "hello", "1", Image(t, serving()))
	apply(t, p.a, Workload(1, "hello:1", func(s *runtime.Service) { s.OpenFiles, s.ShmMiB = 300, 16 }))
	apply(t, p.a, Workload(2, "hello:1"))
	inside, neighbour := Running(t, p.a, 1), Running(t, p.a, 2)
	sandbox := isolation(t, p.a) == "gvisor" // whose kernel answers calls that ours never sees

	t.Run("system calls that could reach the kernel or other workloads are refused", func(t *testing.T) {
		if sandbox {
			t.Skip("the sandbox's own kernel answers them")
		}
		_, open := Get(t, inside, "/probe", "what", "calls")
		require.Empty(t, open)
	})
	t.Run("there are no devices but harmless ones", func(t *testing.T) {
		if sandbox {
			t.Skip("they are the sandbox's own")
		}
		_, found := Get(t, inside, "/probe", "what", "devices")
		require.Empty(t, found)
	})
	t.Run("the kernel's settings cannot be written", func(t *testing.T) {
		if sandbox {
			t.Skip("they are the sandbox's own")
		}
		for _, path := range []string{
			"/proc/sys/kernel/core_pattern", "/proc/sys/vm/overcommit_memory", "/proc/sys/net/ipv4/ip_forward", "/proc/sysrq-trigger",
			"/proc/irq/default_smp_affinity", "/sys/kernel/mm/transparent_hugepage/enabled", "/sys/power/state", "/sys/fs/cgroup/memory.max",
		} {
			code, text := Get(t, inside, "/write", "path", path, "mib", "1")
			require.Equal(t, 418, code, "%s: %s", path, text)
		}
	})
	t.Run("open files are limited", func(t *testing.T) {
		_, text := Get(t, inside, "/probe", "what", "files")
		var n int
		_, err := fmt.Sscan(text, &n)
		require.NoError(t, err)
		require.Less(t, n, 300, text)
		contains(t, text, "too many open files")
	})
	t.Run("dumps, locked memory, signals and messages are limited", func(t *testing.T) {
		_, text := Get(t, inside, "/probe", "what", "limits")
		contains(t, text, "core 0 0", "files 300 300")
		for _, name := range []string{"locked", "signals", "messages"} {
			require.NotContains(t, text, fmt.Sprintf("%s %d", name, ^uint64(0)))
		}
	})
	t.Run("terminals are limited and the neighbour has some", func(t *testing.T) {
		if sandbox {
			t.Skip("they are the sandbox's own")
		}
		_, text := Get(t, neighbour, "/probe", "what", "terminals")
		require.Equal(t, "64 no space left on device", text)
		_, text = Get(t, inside, "/probe", "what", "terminals")
		require.Equal(t, "64 no space left on device", text)
	})
	t.Run("shared memory is limited and counts as memory", func(t *testing.T) {
		sample := sampler(t, p.a)
		before := sample(1).Total.MemoryBytes
		code, text := Get(t, inside, "/write", "path", "/dev/shm/fill", "mib", "40")
		require.Equal(t, 418, code)
		contains(t, text, "after 16 MiB", "no space left on device")
		require.Greater(t, sample(1).Total.MemoryBytes, before+12<<20)
		code, text = Get(t, neighbour, "/write", "path", "/dev/shm/fill", "mib", "10")
		require.Equal(t, 200, code, text)
	})
	t.Run("files are limited in number and the neighbour has some", func(t *testing.T) {
		_, text := Get(t, inside, "/probe", "what", "inodes", "path", "/many-")
		contains(t, text, "no space left on device")
		code, text := Get(t, neighbour, "/write", "path", "/one", "mib", "1")
		require.Equal(t, 200, code, text)
	})
}

// forkBomb takes all processes that a lease may have, in which new ones take the place of those that end.
func forkBomb(t *testing.T, p pair) {
	if isolation(t, p.a) == "gvisor" {
		t.Skip("processes of a sandbox are bounded together with its own threads")
	}
	const limit = 48
	Push(t, p.a.Images(), alice, "hello", "1", Image(t, serving()))
	apply(t, p.a, Workload(1, "hello:1", func(s *runtime.Service) {
		s.Command, s.Ports, s.Resources.PIDs = []string{"abuse", "fork"}, nil, limit
	}))
	apply(t, p.a, Workload(2, "hello:1"))
	neighbour := Running(t, p.a, 2)
	sample := sampler(t, p.a)
	Eventually(t, "the bomb", func() error {
		if n := sample(1).Total.PIDs; n < limit-8 {
			return fmt.Errorf("%d processes", n)
		}
		return nil
	})
	for range 5 {
		require.LessOrEqual(t, sample(1).Total.PIDs, uint64(limit+4), "the runtime's own beside those of the workload")
		code, text := Get(t, neighbour, "/fork", "n", "5") // each has several threads
		require.Equal(t, 200, code, "the neighbour starts what it needs: %s", text)
	}
	require.NoError(t, p.a.Remove(t.Context(), 1))
	Gone(t, p.a, 1)
	now := Running(t, p.a, 2)
	require.Zero(t, now.Exits)
	require.Equal(t, neighbour.StartedAt, now.StartedAt)
}

// choices are what a service may say about powers and groups of its processes.
func choices(t *testing.T, p pair) {
	Push(t, p.a.Images(), alice, "hello", "1", Image(t, serving()))
	apply(t, p.a, Workload(1, "hello:1", func(s *runtime.Service) {
		s.DropCapabilities, s.Groups = []string{"CHOWN", "NET_RAW"}, []string{"guild", "4242"}
	}))
	apply(t, p.a, Workload(2, "hello:1", func(s *runtime.Service) { s.DropCapabilities = []string{"ALL"} }))
	apply(t, p.a, Workload(3, "hello:1", func(s *runtime.Service) { s.Groups = []string{"nobody-knows"} }))

	s := Running(t, p.a, 1)
	_, status := Get(t, s, "/read", "path", "/proc/self/status")
	contains(t, status, "CapBnd:\t00000000000004fa", "CapEff:\t00000000000004fa", "Groups:\t1002 4242")
	code, text := Get(t, s, "/probe", "what", "chown", "path", "/workload")
	require.Equal(t, 418, code)
	contains(t, text, "operation not permitted")
	_, status = Get(t, Running(t, p.a, 2), "/read", "path", "/proc/self/status")
	contains(t, status, "CapBnd:\t0000000000000000", "CapEff:\t0000000000000000")
	failed := Replica(t, p.a, 3, 0, func(s runtime.ReplicaStatus) bool { return s.Error != "" })
	require.Equal(t, runtime.ClassTenant, failed.Class)
	contains(t, failed.Error, "nobody-knows")

	for name, change := range map[string]func(*runtime.Service){
		"a power with its prefix":     func(s *runtime.Service) { s.DropCapabilities = []string{"cap_chown"} },
		"more shared memory than any": func(s *runtime.Service) { s.ShmMiB = s.Resources.MemoryMiB + 1 },
		"a group without a name":      func(s *runtime.Service) { s.Groups = []string{""} },
		"files beyond reason":         func(s *runtime.Service) { s.OpenFiles = 1 << 40 },
	} {
		require.ErrorIs(t, p.a.Apply(t.Context(), Workload(9, "hello:1", change)), runtime.ErrInvalid, name)
	}
	unknown := Workload(9, "hello:1")
	unknown.Isolation = "glass"
	err := p.a.Apply(t.Context(), unknown)
	require.ErrorIs(t, err, runtime.ErrInvalid)
	contains(t, err.Error(), "glass", "runc")
}
