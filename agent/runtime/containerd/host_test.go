package containerd_test

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/runtime/conformance"
	"github.com/souk-network/souk/agent/runtime/containerd"
)

func TestAnIncompleteLibexecNamesWhatIsMissing(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	for _, p := range []string{"runc", "containerd-shim-runc-v2", "souk-logger", "bridge", "loopback", "bandwidth"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, p), nil, 0o755)) //nolint:gosec // a program
	}
	c := config(t, "souk1one", stateDir(t))
	c.Libexec = dir
	_, err := containerd.New(t.Context(), c)
	require.ErrorContains(t, err, filepath.Join(dir, "host-local"))
	require.ErrorContains(t, err, "make libexec")
	t.Setenv("SOUK_LIBEXEC", "")
	c.Libexec = ""
	_, err = containerd.New(t.Context(), c)
	require.ErrorContains(t, err, filepath.Join(filepath.Dir(os.Args[0]), "libexec", "runc"))
}

func TestWithoutRootItSaysSo(t *testing.T) {
	needRoot(t)
	self, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "souk-unprivileged-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755)) //nolint:gosec // run by another user
	program := filepath.Join(dir, "agent")
	require.NoError(t, os.WriteFile(program, self, 0o755)) //nolint:gosec // a program
	cmd := exec.Command(program)
	cmd.Env = []string{agentMode + "=/nowhere"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "need root")
}

func TestWhatTheHostLacksIsTheProvidersFault(t *testing.T) {
	needRoot(t)
	c := config(t, "souk1one", stateDir(t))
	c.SubnetPool = netip.MustParsePrefix("10.250.250.0/26")
	r := open(t, c)
	conformance.Push(t, r.Images(), owner, "hello", "1", helloImage(t))

	huge := conformance.Workload(1, "hello:1", func(s *runtime.Service) { s.Resources.DiskMiB = 1 << 29 })
	require.NoError(t, r.Apply(t.Context(), huge))
	s := conformance.Replica(t, r, 1, 0, func(s runtime.ReplicaStatus) bool { return s.Error != "" })
	require.Equal(t, runtime.ClassProvider, s.Class)
	require.Contains(t, s.Error, "free space there")

	err := r.Apply(t.Context(), conformance.Workload(2, "hello:1"))
	require.ErrorContains(t, err, "larger subnet pool")
	require.Equal(t, runtime.ClassProvider, runtime.ClassOf(err))
	require.NoError(t, r.Remove(t.Context(), 1))
	conformance.Gone(t, r, 1)
	require.NoError(t, r.Apply(t.Context(), conformance.Workload(2, "hello:1")))
	require.True(t, netip.MustParsePrefix("10.250.250.0/26").Contains(conformance.Running(t, r, 2).Endpoints[0].Address.Addr()))

	full := config(t, "souk1two", stateDir(t))
	full.Limits.MinimumFreeMiB = 1 << 40
	_, err = open(t, full).Images().StartUpload(t.Context(), owner)
	require.ErrorIs(t, err, unix.ENOSPC)
	require.Equal(t, runtime.ClassProvider, runtime.ClassOf(err))
}

func TestPoolsAndDirectoriesThatCannotWorkAreRefused(t *testing.T) {
	needRoot(t)
	for pool, want := range map[string]string{
		"10.0.0.0/27": "at most /26", "10.0.0.1/24": "host bits", "8.8.8.0/24": "public", "fd00::/64": "IPv4",
	} {
		c := config(t, "souk1one", stateDir(t))
		c.SubnetPool = netip.MustParsePrefix(pool)
		_, err := containerd.New(t.Context(), c)
		require.ErrorContains(t, err, want, pool)
	}
	one := config(t, "souk1one", stateDir(t))
	one.SubnetPool = netip.MustParsePrefix("10.251.0.0/20")
	open(t, one)
	two := config(t, "souk1two", stateDir(t))
	two.SubnetPool = netip.MustParsePrefix("10.251.8.0/24")
	_, err := containerd.New(t.Context(), two)
	require.ErrorContains(t, err, "overlaps 10.251.0.0/20 of instance")

	comma := config(t, "souk1one", "/tmp/a,b")
	_, err = containerd.New(t.Context(), comma)
	require.ErrorContains(t, err, "comma")
	_, err = containerd.New(t.Context(), containerd.Config{})
	require.Error(t, err)
}

func TestProbeSaysWhatWorksHere(t *testing.T) {
	needRoot(t)
	r := open(t, config(t, "souk1one", stateDir(t)))
	c, err := r.Probe(t.Context())
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(c.Runtime, "containerd "))
	require.Equal(t, string(r.Instance()), c.Instance)
	require.Contains(t, c.Limits, "disk")
}
