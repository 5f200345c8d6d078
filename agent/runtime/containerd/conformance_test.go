package containerd_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/runtime/conformance"
	"github.com/souk-network/souk/agent/runtime/containerd"
)

// needRoot skips with a reason that a runner can look for.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIP-NEEDS-ROOT: containers, mounts and networks need root")
	}
}

// libexecDir is where scripts/build-libexec puts the programs of the runtime.
func libexecDir(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("SOUK_LIBEXEC"); dir != "" {
		return dir
	}
	dir, err := filepath.Abs("../../../build/libexec")
	require.NoError(t, err)
	return dir
}

func config(t testing.TB, provider, state string) containerd.Config {
	t.Helper()
	level := slog.LevelWarn
	if testing.Verbose() {
		level = slog.LevelInfo
	}
	return containerd.Config{
		ChainID: "souk-test", Provider: provider, StateDir: state, Libexec: libexecDir(t), Ephemeral: true,
		NoFirewall: os.Getenv("SOUK_TEST_NO_FIREWALL") != "", // in Linux for user mode
		Storage:    map[string]string{"ssd": filepath.Join(state, "volumes")},
		Logger:     slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})),
	}
}

// stateDir makes a directory that goes with the test. Its name has nothing of the test's: overlay mounts cannot have a
// comma in a path.
func stateDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "souk-state-")
	require.NoError(t, err)
	t.Cleanup(func() {
		purgeInstancesOf(t, dir)
		require.NoError(t, os.RemoveAll(dir))
	})
	return dir
}

// purgeInstancesOf purges what is registered for a state directory: also of runtimes that could not start, which a test
// has no handle of.
func purgeInstancesOf(t testing.TB, dir string) {
	t.Helper()
	records, err := instance.List()
	require.NoError(t, err)
	for _, r := range records {
		if r.StateDir == dir {
			require.NoError(t, instance.Purge(context.Background(), r.ID))
		}
	}
}

// open starts a runtime that is purged when the test ends.
func open(t testing.TB, c containerd.Config) *containerd.Runtime {
	t.Helper()
	r, err := containerd.New(context.Background(), c)
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := r.Purge(context.Background()); err != nil && err != runtime.ErrClosed { //nolint:errorlint // exactly this
			t.Errorf("purge: %v", err)
		}
	})
	return r
}

func TestConformance(t *testing.T) {
	needRoot(t)
	conformance.Run(t, func(t *testing.T) (a, b runtime.Runtime) {
		return open(t, config(t, "souk1one", stateDir(t))), open(t, config(t, "souk1two", stateDir(t)))
	})
}

// needGVisor skips where runsc was not built.
func needGVisor(t testing.TB) {
	t.Helper()
	needRoot(t)
	if _, err := os.Stat(filepath.Join(libexecDir(t), "runsc")); err != nil {
		t.Skip("runsc is not built: make libexec-gvisor builds it")
	}
}

func TestConformanceOnGVisor(t *testing.T) {
	needGVisor(t)
	if os.Getenv("SOUK_LONG") == "" {
		t.Skip("takes long: make test-runtime runs it")
	}
	conformance.Run(t, func(t *testing.T) (a, b runtime.Runtime) {
		one, two := config(t, "souk1one", stateDir(t)), config(t, "souk1two", stateDir(t))
		one.DefaultIsolation, two.DefaultIsolation = "gvisor", "gvisor"
		return open(t, one), open(t, two)
	})
}
