package live_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/devnet"
)

const (
	root       = "../.."
	image      = "hello.tar"
	composeDir = "examples/hello"

	resetTimeout = time.Minute
)

// network is a devnet of one validator and two providers, made by the programs of make build.
type network struct {
	*devnet.Network
	b     *testing.B
	chain *client.Client
	home  string
	file  string // the compose file of what is deployed
}

// startNetwork starts one and takes it down when the benchmark ends.
func startNetwork(b *testing.B) *network {
	b.Helper()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		b.Skip("needs Linux and root: providers run containers")
	}
	home, err := os.MkdirTemp("", "souk-bench-") // short: sockets live in it
	require.NoError(b, err)
	n := &network{b: b, home: home}
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), resetTimeout)
		defer cancel()
		if out, err := n.command(ctx, "devnet", "reset", "-y").CombinedOutput(); err != nil {
			b.Errorf("take the network down: %v: %s", err, out)
			return
		}
		require.NoError(b, os.RemoveAll(home))
	})
	n.file, err = filepath.Abs(filepath.Join(root, composeDir, "compose.yaml"))
	require.NoError(b, err)
	n.souk("devnet", "up", "--ephemeral")
	n.Network, err = devnet.Open(filepath.Join(home, "devnet"), devnet.Programs{})
	require.NoError(b, err)
	n.chain, err = n.Dial()
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, n.chain.Close()) })
	return n
}

func program(b *testing.B, name string) string {
	b.Helper()
	path, err := filepath.Abs(filepath.Join(root, "build", name))
	require.NoError(b, err)
	_, err = os.Stat(path)
	require.NoError(b, err, "make build builds the programs")
	return path
}

func (n *network) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program(n.b, "souk"), args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + n.home, "SOUK_HOME=" + n.home, "NO_COLOR=1", "TMPDIR=" + os.TempDir()}
	return cmd
}

// souk runs a command that has to succeed, and returns what it prints.
func (n *network) souk(args ...string) string {
	n.b.Helper()
	var complaints strings.Builder
	cmd := n.command(n.b.Context(), args...)
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	require.NoError(n.b, err, "souk %s: %s", strings.Join(args, " "), &complaints)
	return string(out)
}

// up deploys the example under a name.
func (n *network) up(name string) { n.souk("up", "-y", "-o", "json", "--name", name, n.file) }

func (n *network) down(name string) { n.souk("down", "-y", "-o", "json", name) }

// tenant is the address that deploys.
func (n *network) tenant() string {
	n.b.Helper()
	return strings.TrimSpace(n.souk("keys", "show", devnet.KeyTenant, "-a"))
}

// pids are the numbers of the processes that the network started, by name, from the records beside their logs.
func (n *network) pids() map[string]int {
	n.b.Helper()
	files, err := filepath.Glob(filepath.Join(n.home, "devnet", "run", "*.pid"))
	require.NoError(n.b, err)
	found := map[string]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(n.b, err)
		var record struct {
			PID int `json:"pid"`
		}
		require.NoError(n.b, json.Unmarshal(text, &record))
		found[strings.TrimSuffix(filepath.Base(file), ".pid")] = record.PID
	}
	return found
}
