package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/runtime"
)

// userNamespaces is what root of a container is on the host, and that it lacks nothing in its container for that.
func userNamespaces(t *testing.T, p pair) {
	c, err := p.a.Probe(t.Context())
	require.NoError(t, err)
	if !c.UserNamespaces || c.Isolation[0] != "runc" {
		t.Skipf("no user namespaces here: %q", c.Warnings)
	}
	for _, r := range p.each() {
		Push(t, r.Images(), alice, "hello", "1", Image(t, serving()))
	}
	class := storageClass(t, p.a)
	one := withVolume(Workload(1, "hello:1", func(s *runtime.Service) { s.Replicas = 2 }), class)
	apply(t, p.a, one)
	apply(t, p.a, Workload(2, "hello:1", lowPort, func(s *runtime.Service) { s.User = "1000:1000" }))
	apply(t, p.b, Workload(1, "hello:1", lowPort))
	s := Running(t, p.a, 1)

	t.Run("each lease has ids of its own", func(t *testing.T) {
		var first []uint64
		for _, replica := range []runtime.ReplicaStatus{s, Replica(t, p.a, 1, 1, running), Running(t, p.a, 2), Running(t, p.b, 1)} {
			uids, gids := hostIDs(t, replica, "uid_map"), hostIDs(t, replica, "gid_map")
			require.Equal(t, uids, gids)
			first = append(first, uids)
		}
		require.Equal(t, first[0], first[1], "replicas of a lease share volumes, and their ids")
		slices.Sort(first[1:])
		require.Len(t, slices.Compact(first[1:]), 3, "ranges begin at multiples of their size: other ones have nothing in common")
	})
	t.Run("files are whose they are in the image", func(t *testing.T) {
		for _, path := range []string{"/workload", "/", "/etc/hosts", "/data", "/dev/shm"} {
			require.True(t, strings.HasSuffix(ask(t, s, "/stat", "path", path), " 0 0"), path)
		}
		ask(t, s, "/probe", "what", "chown", "path", "/workload")
		contains(t, ask(t, s, "/stat", "path", "/workload"), " 1 1")
	})
	t.Run("files of volumes keep their owners in the next revision", func(t *testing.T) {
		ask(t, s, "/save", "path", "/data/x", "text", "kept")
		ask(t, s, "/probe", "what", "chown", "path", "/data/x")
		next := one
		next.Revision, next.Services = revision(2), slices.Clone(one.Services)
		next.Services[0].Env = []string{"NEW=1"}
		apply(t, p.a, next)
		s := in(t, p.a, 1, 0, 2)
		contains(t, ask(t, s, "/stat", "path", "/data/x"), " 1 1")
		require.Equal(t, "kept", ask(t, s, "/read", "path", "/data/x"))
	})
	t.Run("low ports and streams can be opened, also by others than root", func(t *testing.T) {
		for lease, r := range map[runtime.LeaseID]runtime.Runtime{1: p.b, 2: p.a} {
			_, _ = Get(t, Running(t, r, lease), "/save", "path", "/dev/stdout", "text", "by its name\n") // cannot be synced
			Eventually(t, "the line", func() error {
				for _, e := range read(t, r, runtime.LogRequest{Lease: lease, Tail: -1}) {
					if e.Log == "by its name" {
						return nil
					}
				}
				return fmt.Errorf("lease %d printed nothing", lease)
			})
		}
	})
	t.Run("ids that are not there are the tenant's mistake", func(t *testing.T) {
		apply(t, p.a, Workload(3, "hello:1", func(s *runtime.Service) { s.User = "65536" }))
		failed := Replica(t, p.a, 3, 0, func(s runtime.ReplicaStatus) bool { return s.Error != "" })
		require.Equal(t, runtime.ClassTenant, failed.Class)
		contains(t, failed.Error, "65536", "65535")
	})
}

// lowPort makes a service listen where root only may on most hosts.
func lowPort(s *runtime.Service) {
	s.Command, s.Ports[0].Container = []string{"serve", ":80"}, 80
}

// hostIDs reads the first host id that stands for one of a container, and checks that it is not the host's root.
func hostIDs(t *testing.T, s runtime.ReplicaStatus, name string) (first uint64) {
	t.Helper()
	var inside, size uint64
	text := ask(t, s, "/read", "path", "/proc/self/"+name)
	_, err := fmt.Sscan(text, &inside, &first, &size)
	require.NoError(t, err, text)
	require.Zero(t, inside)
	require.EqualValues(t, 65536, size)
	require.NotZero(t, first)
	require.Zero(t, first%size)
	return first
}
