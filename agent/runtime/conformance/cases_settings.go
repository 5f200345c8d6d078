package conformance

import (
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/runtime"
)

func settings(t *testing.T, p pair) {
	config := v1.Config{
		Entrypoint: []string{"/workload"}, Cmd: []string{"exit", "9"},
		Env: []string{"FROM_IMAGE=1", "BOTH=image"}, User: "1234", WorkingDir: "/tmp",
	}
	Push(t, p.a.Images(), alice, "team/app", "v1", Image(t, config, []File{{Name: "etc/upper", Mode: 0o644, Content: []byte("second layer")}}))

	apply(t, p.a, Workload(7, "team/app:v1", func(s *runtime.Service) {
		s.Command, s.Args = []string{"serve"}, []string{":8080"}
		s.Env = []string{"FROM_SERVICE=2", "BOTH=service"}
		s.User, s.WorkingDir, s.Hostname = "smith", "/etc", "forge"
		s.Replicas = 2
	}))
	one := Running(t, p.a, 7)
	two := Replica(t, p.a, 7, 1, running)
	require.NotEqual(t, one.Endpoints[0].Address, two.Endpoints[0].Address)
	for _, s := range []runtime.ReplicaStatus{one, two} {
		_, text := Get(t, s, "/")
		require.Equal(t, "hello from forge uid 1000 gid 1001 in /etc args serve :8080", text)
		require.Equal(t, "http", s.Endpoints[0].Name)
		require.Equal(t, revision(1), s.Running)
		require.WithinDuration(t, time.Now(), s.StartedAt, time.Minute)
	}
	for name, want := range map[string]string{"FROM_IMAGE": "1", "FROM_SERVICE": "2", "BOTH": "service", "HOSTNAME": "forge"} {
		_, text := Get(t, one, "/env", "name", name)
		require.Equal(t, want, text, name)
	}
	_, status := Get(t, one, "/read", "path", "/proc/self/status")
	require.Regexp(t, `(?m)^Groups:\s+1002 *$`, status, "the user's other groups")
	_, hosts := Get(t, one, "/read", "path", "/etc/hosts")
	contains(t, hosts, "localhost", one.Endpoints[0].Address.Addr().String()+"\tforge")
	_, resolv := Get(t, one, "/read", "path", "/etc/resolv.conf")
	contains(t, resolv, "nameserver ")
	_, name := Get(t, one, "/read", "path", "/etc/hostname")
	require.Equal(t, "forge\n", name)
	_, upper := Get(t, one, "/read", "path", "/etc/upper")
	require.Equal(t, "second layer", upper)

	code, text := Get(t, two, "/dial", "network", "tcp", "address", one.Endpoints[0].Address.String())
	require.Equal(t, 418, code)
	contains(t, text, "timeout") // connected, and the server waits for a request: replicas of a lease reach each other
	contains(t, text, "read")
}

func limits(t *testing.T, p pair) {
	Push(t, p.a.Images(), alice, "hello", "1", Image(t, serving()))
	apply(t, p.a, Workload(1, "hello:1", func(s *runtime.Service) { s.Resources.CPUMillis = 250 }))
	apply(t, p.a, Workload(2, "hello:1"))
	hog, neighbour := Running(t, p.a, 1), Running(t, p.a, 2)

	t.Run("processes", func(t *testing.T) {
		if isolation(t, p.a) == "gvisor" {
			t.Skip("processes of a sandbox are bounded together with its own threads")
		}
		code, text := Get(t, hog, "/fork", "n", "200")
		require.Equal(t, 418, code, "200 processes in a lease of 64: %s", text)
		contains(t, text, "resource temporarily unavailable")
	})
	t.Run("disk", func(t *testing.T) {
		code, text := Get(t, hog, "/write", "path", "/tmp/fill", "mib", "100")
		require.Equal(t, 418, code)
		contains(t, text, "no space left on device")
		code, text = Get(t, neighbour, "/write", "path", "/tmp/fill", "mib", "10")
		require.Equal(t, 200, code, text)
	})
	t.Run("cpu", func(t *testing.T) {
		sample := sampler(t, p.a) // what a workload sees of its own time may be wrong
		before := sample(1).Total.CPUNanos
		Get(t, hog, "/spin", "ms", "2000")
		require.Less(t, sample(1).Total.CPUNanos-before, uint64(1_000_000_000), "250 millicores over 2 s are 500 ms")
	})
	t.Run("memory", func(t *testing.T) {
		before := Running(t, p.a, 1)
		tell(t, before, "/memory?mib=200")
		s := Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return s.OOMKilled })
		require.Equal(t, 137, s.ExitCode)
		s = Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return running(s) && s.Restarts == before.Restarts+1 })
		code, _ := Get(t, s, "/")
		require.Equal(t, 200, code, "started again")
		code, text := Get(t, s, "/write", "path", "/tmp/fill", "mib", "1")
		require.Equal(t, 418, code, "its files are still there: %s", text)
		now := Running(t, p.a, 2)
		require.Zero(t, now.Exits, "the neighbour lives")
		require.Equal(t, neighbour.StartedAt, now.StartedAt)
	})
	t.Run("inventory", func(t *testing.T) {
		inventory, err := p.a.Inventory(t.Context())
		require.NoError(t, err)
		node := inventory.Nodes[0]
		require.Equal(t, node.Total.CPUMillis-750, node.Free.CPUMillis)
		require.Equal(t, node.Total.MemoryMiB-128, node.Free.MemoryMiB)
		require.Less(t, node.Free.DiskMiB, node.Total.DiskMiB-64)
	})
}

func powers(t *testing.T, p pair) {
	Push(t, p.a.Images(), alice, "hello", "1", Image(t, serving()))
	apply(t, p.a, Workload(1, "hello:1"))
	apply(t, p.a, Workload(2, "hello:1", func(s *runtime.Service) { s.ReadOnlyRoot = true }))
	s := Running(t, p.a, 1)

	_, status := Get(t, s, "/read", "path", "/proc/self/status")
	for _, line := range []string{"NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t00000000000004fb", "CapBnd:\t00000000000004fb", "CapInh:\t0000000000000000", "CapAmb:\t0000000000000000"} {
		contains(t, status, line)
	}
	for path, want := range map[string]string{"/raw": "operation not permitted", "/mount": "operation not permitted"} {
		code, text := Get(t, s, path)
		require.Equal(t, 418, code, text)
		contains(t, text, want)
	}
	for _, path := range []string{"/proc/kcore", "/proc/keys", "/proc/timer_list"} {
		code, text := Get(t, s, "/read", "path", path)
		require.True(t, code == 418 || strings.TrimSpace(text) == "", "%s can be read", path)
	}
	if isolation(t, p.a) != "gvisor" { // whose kernel is its own
		code, _ := Get(t, s, "/write", "path", "/proc/sys/kernel/hostname", "mib", "1")
		require.Equal(t, 418, code)
	}

	code, text := Get(t, Running(t, p.a, 2), "/write", "path", "/tmp/x", "mib", "1")
	require.Equal(t, 418, code)
	contains(t, text, "read-only file system")
}
