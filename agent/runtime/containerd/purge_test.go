package containerd_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/runtime/conformance"
	"github.com/souk-network/souk/agent/runtime/containerd"
)

// footprint is what an instance has on the host, by kind.
type footprint map[string][]string

func look(t testing.TB, id instance.ID, state string) footprint {
	t.Helper()
	f := footprint{}
	var err error
	f["mounts"], err = instance.MountPoints(id.RunDir(), state)
	require.NoError(t, err)
	f["loops"], err = instance.Loops(instance.DataDir(state))
	require.NoError(t, err)
	f["cgroups"], err = instance.Cgroups(id)
	require.NoError(t, err)
	f["files"], err = filepath.Glob(filepath.Join(id.RunDir(), "*"))
	require.NoError(t, err)
	sockets, err := filepath.Glob(filepath.Join(id.RunDir(), "c", "s", "*"))
	require.NoError(t, err)
	f["sockets"] = sockets
	data, err := filepath.Glob(filepath.Join(instance.DataDir(state), "*"))
	require.NoError(t, err)
	f["data"] = data
	f["links"] = links(t, id)
	f["tables"] = tables(t, id)
	f["processes"] = processes(t, id)
	return f
}

// links names the instance's bridges, the links that its bridges have and those that plugins named.
func links(t testing.TB, id instance.ID) []string {
	t.Helper()
	ours, err := instance.Links(id)
	require.NoError(t, err)
	masters := map[int]bool{}
	var found []string
	for _, l := range ours {
		masters[l.Attrs().Index] = true
		found = append(found, l.Attrs().Name)
	}
	all, err := instance.Complete(netlink.LinkList)
	require.NoError(t, err)
	for _, l := range all {
		if masters[l.Attrs().MasterIndex] {
			found = append(found, l.Attrs().Name)
		}
	}
	return found
}

func tables(t testing.TB, id instance.ID) []string {
	t.Helper()
	conn, err := nftables.New()
	require.NoError(t, err)
	all, err := conn.ListTables()
	require.NoError(t, err)
	var found []string
	for _, table := range all {
		if strings.Contains(table.Name, string(id)) {
			found = append(found, table.Name)
		}
	}
	return found
}

// processes lists those of the instance's cgroups and those that have its id on their command line or environment.
func processes(t testing.TB, id instance.ID) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	require.NoError(t, err)
	var found []string
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		for _, file := range []string{"cmdline", "environ", "cgroup"} {
			b, err := os.ReadFile(filepath.Join("/proc", e.Name(), file))
			if err == nil && strings.Contains(string(b), id.Namespace()) {
				found = append(found, e.Name())
				break
			}
		}
	}
	return found
}

// busy runs two replicas with limited egress and gives all that is then on the host.
func busy(t testing.TB, r runtime.Runtime, id instance.ID, state string) footprint {
	t.Helper()
	require.NoError(t, r.Apply(context.Background(), conformance.Workload(1, "hello:1", func(s *runtime.Service) {
		s.Replicas, s.Resources.EgressMbps = 2, 100
	})))
	conformance.Get(t, conformance.Running(t, r, 1), "/")
	conformance.Replica(t, r, 1, 1, func(s runtime.ReplicaStatus) bool { return s.Phase == runtime.PhaseRunning })
	f := look(t, id, state)
	for kind, least := range map[string]int{
		"mounts": 5, "loops": 1, "cgroups": 1, "files": 3, "sockets": 1, "data": 2, "links": 5, "tables": 1, "processes": 5,
	} {
		require.GreaterOrEqual(t, len(f[kind]), least, "%s: %v", kind, f[kind])
	}
	return f
}

// requireGone waits until nothing of what was there is.
func requireGone(t testing.TB, before footprint, id instance.ID, state string) {
	t.Helper()
	conformance.Eventually(t, "clean host", func() error {
		for kind, left := range look(t, id, state) {
			if len(left) > 0 {
				return fmt.Errorf("%s are left: %v", kind, left)
			}
		}
		all, err := instance.Complete(netlink.LinkList)
		require.NoError(t, err)
		for _, l := range all {
			if slices.Contains(before["links"], l.Attrs().Name) {
				return fmt.Errorf("link %s is left", l.Attrs().Name)
			}
		}
		return nil
	})
	records, err := instance.List()
	require.NoError(t, err)
	for _, r := range records {
		require.NotEqual(t, id, r.ID)
	}
}

// deadFor makes a dead instance look as if it had died earlier.
func deadFor(t testing.TB, id instance.ID, d time.Duration) {
	t.Helper()
	then := time.Now().Add(-d)
	require.NoError(t, os.Chtimes(filepath.Join(instance.RunRoot, "instances", string(id)+".json"), then, then))
}

func TestPurgeLeavesTheHostAsItWas(t *testing.T) {
	needRoot(t)
	state, c := seeded(t)
	id := instance.IDOf(c.ChainID, c.Provider, state)

	t.Run("of a running agent", func(t *testing.T) {
		r := open(t, c)
		f := busy(t, r, id, state)
		require.ErrorIs(t, instance.Purge(t.Context(), id), instance.ErrRunning, "nobody purges the living")
		require.NoError(t, r.Purge(t.Context()))
		requireGone(t, f, id, state)
		require.ErrorIs(t, r.Apply(t.Context(), conformance.Workload(1, "hello:1")), runtime.ErrClosed)
		require.NoError(t, r.Close())
	})
	t.Run("of one that died, while another lives", func(t *testing.T) {
		state, c := seeded(t)
		id := instance.IDOf(c.ChainID, c.Provider, state)
		r, err := containerd.New(t.Context(), c)
		require.NoError(t, err)
		f := busy(t, r, id, state)
		require.NoError(t, r.Close())

		other := config(t, "souk1two", stateDir(t))
		neighbour := open(t, other)
		otherID := instance.IDOf(other.ChainID, other.Provider, other.StateDir)
		conformance.Push(t, neighbour.Images(), owner, "hello", "1", helloImage(t))
		busy(t, neighbour, otherID, other.StateDir)

		purged, err := instance.PurgeDead(t.Context())
		require.NoError(t, err)
		require.NotContains(t, purged, id, "it may be about to be restarted")
		deadFor(t, id, 2*instance.DeadFor)
		purged, err = instance.PurgeDead(t.Context())
		require.NoError(t, err)
		require.Contains(t, purged, id)
		require.NotContains(t, purged, otherID)
		requireGone(t, f, id, state)
		code, _ := conformance.Get(t, conformance.Running(t, neighbour, 1), "/")
		require.Equal(t, 200, code)
	})
	t.Run("of a dead one that is not ephemeral only by its name", func(t *testing.T) {
		c := config(t, "souk1three", stateDir(t))
		c.Ephemeral = false
		id := instance.IDOf(c.ChainID, c.Provider, c.StateDir)
		r, err := containerd.New(t.Context(), c)
		require.NoError(t, err)
		t.Cleanup(func() {
			if err := instance.Purge(context.Background(), id); err != nil {
				require.ErrorIs(t, err, os.ErrNotExist)
			}
		})
		conformance.Push(t, r.Images(), owner, "hello", "1", helloImage(t))
		f := busy(t, r, id, c.StateDir)
		require.NoError(t, r.Close())
		deadFor(t, id, 2*instance.DeadFor)
		purged, err := instance.PurgeDead(t.Context())
		require.NoError(t, err)
		require.NotContains(t, purged, id)
		require.NotEmpty(t, processes(t, id))
		require.NoError(t, instance.Purge(t.Context(), id))
		requireGone(t, f, id, c.StateDir)
		require.ErrorIs(t, instance.Purge(t.Context(), id), os.ErrNotExist)
	})
}

func TestRemoveLeavesNothingOfALease(t *testing.T) {
	needRoot(t)
	state, c := seeded(t)
	id := instance.IDOf(c.ChainID, c.Provider, state)
	r := open(t, c)
	f := busy(t, r, id, state)
	require.NoError(t, r.Remove(t.Context(), 1))
	conformance.Gone(t, r, 1)
	conformance.Eventually(t, "clean host", func() error {
		now := look(t, id, state)
		for _, kind := range []string{"mounts", "loops", "sockets", "links", "processes"} {
			if len(now[kind]) > 0 {
				return fmt.Errorf("%s are left: %v", kind, now[kind])
			}
		}
		return nil
	})
	require.NotEmpty(t, f["mounts"])
	leases, err := os.ReadDir(filepath.Join(instance.DataDir(state), "leases"))
	require.NoError(t, err)
	require.Empty(t, leases)
}
