package e2e

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// stopped is the provider whose agent these tests start by hand, on a machine that is not as it should be.
const stopped = 1

// nobody is a user without rights.
const nobody = 65534

// withoutAgent stops an agent of the market until the test ends.
func (m *market) withoutAgent(t *testing.T) {
	t.Helper()
	require.NoError(t, m.Stop(t.Context(), agentName(stopped)))
	t.Cleanup(func() {
		ctx, cancel := cleanupContext()
		defer cancel()
		require.NoError(t, m.mend(ctx))
	})
}

// agent prepares souk-agent start with the stopped agent's settings and others over them. It gives up after a minute.
func (m *market) agent(t *testing.T, settings ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	folder, err := m.AgentFolder(stopped)
	require.NoError(t, err)
	return exec.CommandContext(ctx, filepath.Join(m.bin, "souk-agent"), append([]string{"start", "--home", folder}, settings...)...)
}

// complaint runs a command that has to fail by itself, and returns what it said.
func complaint(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "%s", out)
	require.Equal(t, 1, exit.ExitCode(), "%s", out)
	return string(out)
}

func TestAMachineThatCannotServeIsToldWhatToDo(t *testing.T) {
	m := theMarket(t)
	m.withoutAgent(t)

	t.Run("libexec is incomplete", func(t *testing.T) {
		libexec := t.TempDir()
		program, err := os.ReadFile(filepath.Join(m.bin, "libexec", "runc"))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(libexec, "runc"), program, 0o755))
		said := complaint(t, m.agent(t, "--libexec", libexec))
		require.Contains(t, said, filepath.Join(libexec, "containerd-shim-runc-v2"), "the first that is missing")
		require.Contains(t, said, "make build")
	})

	t.Run("a port is busy", func(t *testing.T) {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(m.Providers[stopped].Gateway))
		listener, err := net.Listen("tcp", address)
		require.NoError(t, err)
		defer listener.Close()
		said := complaint(t, m.agent(t))
		require.Contains(t, said, address)
		require.Contains(t, said, "ss -ltnp")
		up := m.run(t.Context(), "", "devnet", "up")
		require.NotZero(t, up.code)
		require.Contains(t, up.stderr, strconv.Itoa(m.Providers[stopped].Gateway))
		require.Contains(t, up.stderr, "ss -ltnp")
	})

	t.Run("it is not root", func(t *testing.T) {
		folder, err := m.AgentFolder(stopped)
		require.NoError(t, err)
		public := anyoneMay(t, filepath.Join(m.bin, "souk-agent"), filepath.Join(m.bin, "souk"), filepath.Join(folder, "agent.yaml"))
		as := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		start := exec.CommandContext(t.Context(), filepath.Join(public, "souk-agent"), "start", "--home", public)
		start.SysProcAttr, start.Dir = as, public
		require.Contains(t, complaint(t, start), "sudo souk-agent start")

		home := filepath.Join(public, "new")
		up := exec.CommandContext(t.Context(), filepath.Join(public, "souk"), "devnet", "up", "--home", home)
		up.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home}
		up.SysProcAttr, up.Dir = as, public
		said := complaint(t, up)
		require.Contains(t, said, "needs root")
		require.Contains(t, said, "--providers 0")
		require.NoDirExists(t, home, "nothing was begun")
	})

	t.Run("the disk is full", func(t *testing.T) {
		for size, want := range map[string]string{"16k": "no space left on device", "4m": "free space there"} {
			state := t.TempDir()
			require.NoError(t, syscall.Mount("tmpfs", state, "tmpfs", 0, "size="+size))
			said := m.untilItSays(t, want, "--state-dir", state)
			require.Contains(t, said, state)
			purged, err := exec.CommandContext(t.Context(), filepath.Join(m.bin, "souk-agent"),
				append([]string{"purge"}, m.agent(t, "--state-dir", state).Args[2:]...)...).CombinedOutput()
			require.NoError(t, err, "%s", purged)
			require.NoError(t, syscall.Unmount(state, 0))
		}
	})

	t.Run("the node is away", func(t *testing.T) {
		nowhere, err := m.ports.Allocate(1)
		require.NoError(t, err)
		address := "http://127.0.0.1:" + strconv.Itoa(nowhere[0])
		said := m.untilItSays(t, "start soukd there", "--node", address)
		require.Contains(t, said, address)
	})
}

// anyoneMay copies files to a folder in which another user may read and run them.
func anyoneMay(t *testing.T, files ...string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "souk-e2e-public-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Base(file)), content, 0o755))
	}
	return dir
}

// untilItSays runs an agent until its log has a text, ends it, and returns the log.
func (m *market) untilItSays(t *testing.T, text string, settings ...string) string {
	t.Helper()
	cmd := m.agent(t, settings...)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	said := ""
	await(t, 30*time.Second, "it says "+text, func() error {
		content, err := os.ReadFile(log.Name())
		if said = string(content); err == nil && !strings.Contains(said, text) {
			return errors.New(said)
		}
		return err
	})
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	_ = cmd.Wait() // some have ended by themselves
	return said
}
