package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/devnet"
	"github.com/souk-network/souk/internal/ports"
	"github.com/souk-network/souk/testutil/image"
)

const (
	startTimeout    = 2 * time.Minute
	workloadProgram = "github.com/souk-network/souk/tests/e2e/workload"
	logsOfFailure   = "../../build/e2e-logs"
)

const (
	// minRunwaySeconds must be paid for by what a deployment holds at its start.
	minRunwaySeconds = 30
	// pauseRunwaySeconds before its money would end at the full rate, a deployment is paused, for half the rate.
	pauseRunwaySeconds = 20
)

// market is a devnet of one validator and two providers that all tests of this package share.
type market struct {
	*devnet.Network

	chain *client.Client
	bin   string // folder of the programs
	home  string // SOUK_HOME and HOME of what runs here; removed at the end
	ports *ports.Allocator
	guard *guard

	servers    sync.Once // makes the images of real servers
	serversErr error

	tenants atomic.Int64 // made so far
	funding sync.Mutex   // the faucet's account has one sequence
	mending sync.Mutex   // one restart at a time
}

var shared struct {
	sync.Once
	market *market
	err    error
}

// theMarket starts the shared market with the first test that needs it.
func theMarket(t *testing.T) *market {
	t.Helper()
	needsMachine(t)
	shared.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		var bin string
		if bin, shared.err = programs(); shared.err == nil {
			shared.market, shared.err = newMarket(ctx, bin, 2)
		}
	})
	require.NoError(t, shared.err, "start the shared market")
	return shared.market
}

// needsMachine skips a test where no containers can be run.
func needsMachine(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux: providers run containers")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root: providers run containers")
	}
	if testing.Short() {
		t.Skip("starts a whole network: left out by -short")
	}
}

// closeShared takes the market down, if there is one, and keeps its logs if a test has failed.
func closeShared(failed bool) error {
	if shared.market == nil {
		return nil
	}
	return shared.market.close(failed || shared.err != nil)
}

// newMarket starts the programs of a folder, with parameters of the chain that differ. It returns what it has even if it fails, so that it can be taken down.
func newMarket(ctx context.Context, bin string, providers int, params ...string) (*market, error) {
	home, err := os.MkdirTemp("", "souk-e2e-")
	if err != nil {
		return nil, err
	}
	m := &market{bin: bin, home: home}
	if m.guard, err = startGuard(m.souk(), home); err != nil {
		return nil, errors.Join(err, os.RemoveAll(home))
	}
	return m, m.start(ctx, providers, params)
}

func (m *market) start(ctx context.Context, providers int, params []string) (err error) {
	if m.ports, err = ports.NewAllocator(""); err != nil {
		return err
	}
	size := devnet.Size{
		Validators: 1, Providers: providers, Ephemeral: true,
		// Paused deployments come to their end while a test waits.
		Params: append([]string{
			fmt.Sprintf("escrow.min_runway_seconds=%d", minRunwaySeconds),
			fmt.Sprintf("escrow.pause_runway_seconds=%d", pauseRunwaySeconds), "escrow.pause_bps=5000",
		}, params...),
	}
	folder := filepath.Join(m.home, "devnet")
	if m.Network, err = devnet.Create(ctx, folder, devnet.ProgramsIn(m.bin, ""), size, m.ports); err != nil {
		return err
	}
	if err := lowerDeposit(filepath.Join(folder, "nodes", "0", "config", "genesis.json")); err != nil {
		return err
	}
	if r := m.run(ctx, "", "devnet", "up"); r.code != 0 {
		return fmt.Errorf("souk devnet up: %s", r.stderr)
	}
	if m.chain, err = m.Dial(); err != nil {
		return err
	}
	return m.makeImages(ctx)
}

func (m *market) close(failed bool) error {
	var errs []error
	if failed {
		errs = append(errs, m.keepLogs())
	}
	if m.chain != nil {
		errs = append(errs, m.chain.Close())
	}
	errs = append(errs, m.guard.release(), m.nothingLeft())
	if m.ports != nil {
		errs = append(errs, m.ports.Close())
	}
	return errors.Join(errs...)
}

// nothingLeft checks that the machine bears no trace of the market once it is down.
func (m *market) nothingLeft() error {
	records, err := instance.List()
	if err != nil {
		return err
	}
	for _, r := range records {
		if strings.HasPrefix(r.StateDir, m.home) {
			return fmt.Errorf("instance %s is still registered", r.ID)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	if strings.Contains(string(mounts), m.home) {
		return fmt.Errorf("something is still mounted in %s", m.home)
	}
	if _, err := os.Stat(m.home); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is still there", m.home)
	}
	return nil
}

// programs is the folder with what make build makes.
func programs() (string, error) {
	bin := os.Getenv("SOUK_BIN")
	if bin == "" {
		bin = "../../build"
	}
	bin, err := filepath.Abs(bin)
	if err != nil {
		return "", err
	}
	for _, program := range []string{"soukd", "souk", "souk-agent", "libexec/runc", "libexec/souk-logger"} {
		if _, err := os.Stat(filepath.Join(bin, program)); err != nil {
			return "", fmt.Errorf("a program is missing; make build builds all: %w", err)
		}
	}
	return bin, nil
}

func (m *market) souk() string { return filepath.Join(m.bin, "souk") }

// projects is the folder of compose files, with the images beside them.
func (m *market) projects() string { return filepath.Join(m.home, "projects") }

func (m *market) makeImages(ctx context.Context) error {
	if err := os.MkdirAll(m.projects(), 0o755); err != nil {
		return err
	}
	workload, err := image.FromProgram(ctx, workloadProgram, image.Config{User: "65534:65534"})
	if err != nil {
		return err
	}
	return image.Write(filepath.Join(m.projects(), "workload"), workload)
}

// keepLogs copies the logs of all programs to a place that survives.
func (m *market) keepLogs() error {
	if err := os.RemoveAll(logsOfFailure); err != nil {
		return err
	}
	if err := os.MkdirAll(logsOfFailure, 0o755); err != nil {
		return err
	}
	found, err := filepath.Glob(filepath.Join(m.home, "devnet", "run", "*.log"))
	if err != nil {
		return err
	}
	var errs []error
	for _, file := range found {
		content, err := os.ReadFile(file)
		errs = append(errs, err, os.WriteFile(filepath.Join(logsOfFailure, filepath.Base(file)), content, 0o644))
	}
	fmt.Fprintln(os.Stderr, "the logs of the programs are in build/e2e-logs")
	return errors.Join(errs...)
}

// result is how a command of souk ended.
type result struct {
	stdout, stderr string
	code           int
}

// run runs souk as somebody; as the devnet's own tenant if key is empty.
func (m *market) run(ctx context.Context, key string, args ...string) result {
	cmd := exec.CommandContext(ctx, m.souk(), args...)
	cmd.Env, cmd.Dir = m.environment(key), m.home
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	r := result{stdout: stdout.String(), stderr: stderr.String(), code: cmd.ProcessState.ExitCode()}
	if err != nil && r.code <= 0 {
		r.code, r.stderr = -1, r.stderr+err.Error()
	}
	return r
}

// environment is that of a command of somebody.
func (m *market) environment(key string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + m.home, "SOUK_HOME=" + m.home, "NO_COLOR=1", "TMPDIR=" + os.TempDir(), "SOUK_FROM=" + key,
		keepRefunds + "=false",
	}
}

// mend starts what does not run and waits until all serve.
func (m *market) mend(ctx context.Context) error {
	m.mending.Lock()
	defer m.mending.Unlock()
	return m.Up(ctx, func(string) {})
}
