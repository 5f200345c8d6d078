package instance_test

import (
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/agent/instance"
)

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIP-NEEDS-ROOT: the register of instances is root's")
	}
}

func TestEachAgentHasItsOwnNames(t *testing.T) {
	one := instance.IDOf("chain", "provider", "/state")
	require.Equal(t, one, instance.IDOf("chain", "provider", "/state"))
	for _, other := range []instance.ID{
		instance.IDOf("chain2", "provider", "/state"),
		instance.IDOf("chain", "provider2", "/state"),
		instance.IDOf("chain", "provider", "/state2"),
		instance.IDOf("chainp", "rovider", "/state"),
	} {
		require.NotEqual(t, one, other)
	}
	rapid.Check(t, func(t *rapid.T) {
		id := instance.IDOf(rapid.String().Draw(t, "chain"), rapid.String().Draw(t, "provider"), rapid.String().Draw(t, "dir"))
		if parsed, err := instance.ParseID(string(id)); err != nil || parsed != id {
			t.Fatalf("%q: %v", id, err)
		}
		bridge := id.BridgeName(rapid.Uint16().Draw(t, "slot"))
		if len(bridge) > 15 || !strings.HasPrefix(bridge, id.LinkPrefix()) {
			t.Fatalf("bridge %q", bridge)
		}
		if len(id.SocketDir()) > 38 {
			t.Fatalf("sockets in %q", id.SocketDir())
		}
	})
	for _, bad := range []string{"", "1234567", "123456789", "ABCDEF01", "../../..", "0123456/"} {
		_, err := instance.ParseID(bad)
		require.Error(t, err, bad)
	}
}

func TestAnInstanceIsHeldByOneProcessUntilItDies(t *testing.T) {
	needRoot(t)
	r := instance.Record{ChainID: "souk-test", Provider: "souk1held", StateDir: t.TempDir(), Ephemeral: true}
	held, err := instance.Acquire(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = held.Purge(context.Background()) })
	require.NoError(t, held.SetSubnetPool(netip.MustParsePrefix("10.1.0.0/18")))
	_, err = instance.Acquire(r)
	require.ErrorIs(t, err, instance.ErrRunning)
	require.ErrorContains(t, err, "another state directory")
	require.True(t, find(t, held.ID).Alive)
	require.ErrorIs(t, instance.Purge(t.Context(), held.ID), instance.ErrRunning)

	require.NoError(t, held.Release())
	dead := find(t, held.ID)
	require.False(t, dead.Alive)
	require.Equal(t, netip.MustParsePrefix("10.1.0.0/18"), dead.SubnetPool)
	require.Equal(t, os.Getpid(), dead.PID)
	held, err = instance.Acquire(r)
	require.NoError(t, err, "after death it can be taken up again")
}

func TestARecordCutShortByACrashDoesNotStopAPurge(t *testing.T) {
	needRoot(t)
	r := instance.Record{ChainID: "souk-test", Provider: "souk1cut", StateDir: t.TempDir(), Ephemeral: true}
	held, err := instance.Acquire(r)
	require.NoError(t, err)
	require.NoError(t, held.Release())
	require.NoError(t, os.WriteFile(filepath.Join(instance.RunRoot, "instances", string(held.ID)+".json"), []byte(`{"id":`), 0o600))
	require.False(t, find(t, held.ID).Ephemeral, "nobody knows: left alone by PurgeDead")
	require.NoError(t, instance.Purge(t.Context(), held.ID))
	require.ErrorIs(t, instance.Purge(t.Context(), held.ID), os.ErrNotExist)
}

func TestARecordWithTheEndOfALongerOneAfterItIsRead(t *testing.T) {
	needRoot(t)
	r := instance.Record{ChainID: "souk-test", Provider: "souk1end", StateDir: t.TempDir(), Ephemeral: true}
	held, err := instance.Acquire(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = instance.Purge(context.Background(), held.ID) })
	require.NoError(t, held.Release())
	path := filepath.Join(instance.RunRoot, "instances", string(held.ID)+".json")
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString("false,\n}\n")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.Equal(t, r.StateDir, find(t, held.ID).StateDir)

	held, err = instance.Acquire(r)
	require.NoError(t, err)
	require.NoError(t, held.Release())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, json.Valid(b), "the end of the old one is cut off")
}

func TestAPurgeKillsWhatIsInTheInstancesCgroups(t *testing.T) {
	needRoot(t)
	r := instance.Record{ChainID: "souk-test", Provider: "souk1kill", StateDir: t.TempDir(), Ephemeral: true}
	held, err := instance.Acquire(r)
	require.NoError(t, err)
	root := "/sys/fs/cgroup/pids"
	if _, err := os.Stat(root); err != nil {
		root = "/sys/fs/cgroup"
	}
	group := filepath.Join(root, held.ID.CgroupParent(), "7", "container")
	require.NoError(t, os.MkdirAll(group, 0o755))
	process := exec.Command("sleep", "1000")
	require.NoError(t, process.Start())
	ended := make(chan struct{})
	go func() {
		_ = process.Wait() // killed: the error is what is wanted
		close(ended)
	}()
	t.Cleanup(func() { _ = process.Process.Kill() })
	require.NoError(t, os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(strconv.Itoa(process.Process.Pid)), 0o600))

	require.NoError(t, held.Purge(t.Context()))
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the process lives")
	}
	require.NoDirExists(t, filepath.Join(root, held.ID.CgroupParent()))
	require.NoDirExists(t, instance.DataDir(r.StateDir))
}

func find(t testing.TB, id instance.ID) instance.Record {
	t.Helper()
	records, err := instance.List()
	require.NoError(t, err)
	for _, r := range records {
		if r.ID == id {
			return r
		}
	}
	t.Fatalf("instance %s is not registered", id)
	return instance.Record{}
}
