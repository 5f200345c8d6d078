package containerd_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/runtime/conformance"
	"github.com/souk-network/souk/agent/runtime/containerd"
)

// needUserns skips where the host cannot do user namespaces.
func needUserns(t testing.TB) {
	t.Helper()
	needRoot(t)
	if err := containerd.CheckUserNamespaces(config(t, "souk1probe", stateDir(t))); err != nil {
		t.Skip(err)
	}
}

// firstHostID is the host's id of a replica's root.
func firstHostID(t testing.TB, s runtime.ReplicaStatus) (first uint32) {
	t.Helper()
	var inside uint32
	_, err := fmt.Sscan(get(t, s, "/read", "path", "/proc/self/uid_map"), &inside, &first)
	require.NoError(t, err)
	return first
}

// usersOf are the users that the host sees of the processes of a lease.
func usersOf(t testing.TB, id instance.ID, lease runtime.LeaseID) map[string]bool {
	t.Helper()
	users := map[string]bool{}
	for _, pattern := range []string{"/sys/fs/cgroup/pids%s/%d/*/cgroup.procs", "/sys/fs/cgroup%s/%d/*/cgroup.procs"} {
		groups, err := filepath.Glob(fmt.Sprintf(pattern, id.CgroupParent(), lease))
		require.NoError(t, err)
		for _, group := range groups {
			b, err := os.ReadFile(group)
			require.NoError(t, err)
			for pid := range strings.FieldsSeq(string(b)) {
				status, err := os.ReadFile(filepath.Join("/proc", pid, "status"))
				require.NoError(t, err)
				for line := range strings.Lines(string(status)) {
					if text, ok := strings.CutPrefix(line, "Uid:"); ok {
						users[strings.Fields(text)[0]] = true
					}
				}
			}
		}
	}
	return users
}

func ownerOnDisk(t testing.TB, path string) uint32 {
	t.Helper()
	var st unix.Stat_t
	require.NoError(t, unix.Lstat(path, &st), path)
	return st.Uid
}

func again(s runtime.ReplicaStatus) bool {
	return s.Phase == runtime.PhaseRunning && len(s.Endpoints) > 0 && s.Restarts == 1
}

func TestIDsOfALeaseOutliveAgentAndHost(t *testing.T) {
	needUserns(t)
	state, c := seeded(t)
	r, err := containerd.New(context.Background(), c)
	require.NoError(t, err)
	id := r.Instance()
	w := stored(1)
	w.Services[0].Files[0].UID, w.Services[0].Files[0].Mode = 7, 0o400
	require.NoError(t, r.Apply(t.Context(), w))
	s := conformance.Running(t, r, 1)
	first := firstHostID(t, s)
	require.Equal(t, instance.IDRange(first), instance.IDRangeOf(first))
	require.Equal(t, map[string]bool{fmt.Sprint(first): true}, usersOf(t, id, 1))
	require.Equal(t, "400 7 0", get(t, s, "/stat", "path", "/run/secrets/key"))
	for _, path := range []string{"/data/x", "/scratch/y", "/tmp/z"} {
		get(t, s, "/save", "path", path, "text", "kept")
		get(t, s, "/probe", "what", "chown", "path", path)
	}
	kept := filepath.Join(id.RunDir(), "volumes", "1", "data-0", "data", "x")
	require.EqualValues(t, 1, ownerOnDisk(t, kept), "volumes have the ids of containers")
	require.EqualValues(t, 1, ownerOnDisk(t, filepath.Join(instance.DataDir(state), "leases", "1", "disk", "volumes", "scratch-0", "data", "part", "y")))
	mounts, err := instance.MountPoints(filepath.Join(id.RunDir(), "mounts"))
	require.NoError(t, err)
	require.Len(t, mounts, 1, "layers are mapped only while the root file system is put together; the subpath stays")

	requireKept := func(s runtime.ReplicaStatus) {
		require.Equal(t, first, firstHostID(t, s))
		for _, path := range []string{"/data/x", "/scratch/y", "/tmp/z"} {
			require.Equal(t, "644 1 1", get(t, s, "/stat", "path", path))
		}
	}
	require.NoError(t, r.Close())
	r, err = containerd.New(context.Background(), c)
	require.NoError(t, err)
	requireKept(conformance.Running(t, r, 1))
	tell(s, "/exit?code=1")
	requireKept(conformance.Replica(t, r, 1, 0, again))
	require.NoError(t, r.Close())
	require.NoError(t, instance.Clear(t.Context(), id), "as if the machine was started again")

	r = open(t, c)
	requireKept(conformance.Replica(t, r, 1, 0, func(s runtime.ReplicaStatus) bool {
		return s.Phase == runtime.PhaseRunning && len(s.Endpoints) > 0 && s.Restarts == 2
	}))
	require.NoError(t, r.Apply(t.Context(), conformance.Workload(2, "hello:1")))
	require.NotEqual(t, first, firstHostID(t, conformance.Running(t, r, 2)))
	for _, lease := range []runtime.LeaseID{1, 2} {
		require.NoError(t, r.Remove(t.Context(), lease))
		conformance.Gone(t, r, lease)
	}
	holders, err := instance.IDHolders(id)
	require.NoError(t, err)
	require.Empty(t, holders)
	left, err := filepath.Glob(filepath.Join(id.UsernsDir(), "*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestLeasesKeepWhatTheyWereMadeWith is what an update of an agent meets that made leases before there were user namespaces.
func TestLeasesKeepWhatTheyWereMadeWith(t *testing.T) {
	needUserns(t)
	_, c := seeded(t)
	without := c
	without.UserNamespaces = containerd.UserNamespacesOff
	r, err := containerd.New(context.Background(), without)
	require.NoError(t, err)
	seen, err := r.Probe(t.Context())
	require.NoError(t, err)
	require.False(t, seen.UserNamespaces)
	require.Contains(t, strings.Join(seen.Warnings, "\n"), "without user namespaces")
	old := stored(1)
	require.NoError(t, r.Apply(t.Context(), old))
	s := conformance.Running(t, r, 1)
	require.Zero(t, firstHostID(t, s))
	get(t, s, "/save", "path", "/data/x", "text", "kept")
	get(t, s, "/probe", "what", "chown", "path", "/data/x")
	started := s.StartedAt
	require.NoError(t, r.Close())

	r, err = containerd.New(context.Background(), c)
	require.NoError(t, err)
	s = conformance.Running(t, r, 1)
	require.Equal(t, started, s.StartedAt)
	require.Zero(t, firstHostID(t, s))
	fresh := stored(2)
	require.NoError(t, r.Apply(t.Context(), fresh))
	s = conformance.Running(t, r, 2)
	require.NotZero(t, firstHostID(t, s))
	get(t, s, "/save", "path", "/data/x", "text", "kept")
	get(t, s, "/probe", "what", "chown", "path", "/data/x")
	next := func(w runtime.Workload, n int) runtime.ReplicaStatus {
		w.Revision, w.Services = fmt.Sprintf("%064x", n), append([]runtime.Service(nil), w.Services...)
		w.Services[0].Env = []string{fmt.Sprint("REVISION=", n)}
		require.NoError(t, r.Apply(t.Context(), w))
		return conformance.Replica(t, r, w.Lease, 0, func(s runtime.ReplicaStatus) bool {
			return s.Phase == runtime.PhaseRunning && len(s.Endpoints) > 0 && s.Running == w.Revision
		})
	}
	s = next(old, 2)
	require.Zero(t, firstHostID(t, s), "a lease made without stays without")
	require.Equal(t, "644 1 1", get(t, s, "/stat", "path", "/data/x"))
	require.NoError(t, r.Close())

	// Turned off, the next container goes without, and finds its files as they were.
	r = open(t, without)
	require.NotZero(t, firstHostID(t, conformance.Running(t, r, 2)))
	s = next(fresh, 3)
	require.Zero(t, firstHostID(t, s))
	require.Equal(t, "644 1 1", get(t, s, "/stat", "path", "/data/x"))
}

func TestWhereIDsCannotBeMappedTheOperatorIsTold(t *testing.T) {
	needUserns(t)
	dir := stateDir(t)
	require.NoError(t, unix.Mount("ramfs", dir, "ramfs", 0, ""))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	c := config(t, "souk1one", dir)
	err := containerd.CheckUserNamespaces(c)
	require.ErrorContains(t, err, "ext4")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries, "nothing stays behind")
	require.NoDirExists(t, instance.IDOf(c.ChainID, c.Provider, dir).RunDir())

	c.UserNamespaces = containerd.UserNamespacesOn
	_, err = containerd.New(t.Context(), c)
	require.ErrorContains(t, err, "user-namespaces")
	c.UserNamespaces = "perhaps"
	_, err = containerd.New(t.Context(), c)
	require.ErrorContains(t, err, "perhaps")
}
