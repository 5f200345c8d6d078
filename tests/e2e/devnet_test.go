package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/devnet"
)

// readyIn is how long a devnet of four validators and three providers may take until it serves.
const readyIn = time.Minute

// wholeDevnet is a network of its own, made by the command line alone.
func wholeDevnet(t *testing.T) *market {
	t.Helper()
	needsMachine(t)
	bin, err := programs()
	require.NoError(t, err)
	home, err := os.MkdirTemp("", "souk-devnet-")
	require.NoError(t, err)
	m := &market{bin: bin, home: home}
	m.guard, err = startGuard(m.souk(), m.home)
	require.NoError(t, err)
	t.Cleanup(func() {
		var errs []error
		if t.Failed() {
			errs = append(errs, m.keepLogs())
		}
		if m.chain != nil {
			errs = append(errs, m.chain.Close())
		}
		require.NoError(t, errors.Join(append(errs, m.guard.release(), m.nothingLeft())...))
	})
	r := m.run(t.Context(), "", "devnet", "up", "--validators", "4", "--providers", "3", "--ephemeral", "--timeout", readyIn.String(),
		"--param", "escrow.epoch_seconds=4", "--param", "escrow.holdback_epochs=1")
	require.Zero(t, r.code, r.stderr)
	m.Network, err = devnet.Open(filepath.Join(m.home, "devnet"), devnet.ProgramsIn(bin, ""))
	require.NoError(t, err)
	m.chain, err = m.Dial()
	require.NoError(t, err)
	require.NoError(t, m.makeImages(t.Context()))
	return m
}

// process is a line of souk devnet status.
type process struct {
	Process   string `json:"name"`
	Running   bool   `json:"running"`
	Workloads string `json:"workloads"`
}

func (m *market) processes(t *testing.T) (all []process) {
	t.Helper()
	r := m.run(t.Context(), "", "devnet", "status", "-o", "json")
	require.Zero(t, r.code, r.stderr)
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &all))
	return all
}

func TestAWholeDevnetKeepsItsStateAndOutlivesAValidator(t *testing.T) {
	m := wholeDevnet(t)
	all := m.processes(t)
	require.Len(t, all, 7)
	for _, p := range all {
		require.True(t, p.Running, p.Process)
	}
	x := m.newTenant(t)
	file := read(t, x.file(t, service{name: "steady", extra: "volumes: [data:/data]"}))
	d := x.up(t, x.write(t, "steady", file+"volumes: {data: {x-souk: {class: ssd, size: 16MiB}}}\n"))
	run := answer(t, d)
	volume := m.onlyVolume(t)

	// Down leaves nothing but the folder, up finds everything again.
	require.Zero(t, m.run(t.Context(), "", "devnet", "down").code)
	for _, p := range m.processes(t) {
		require.False(t, p.Running, p.Process)
	}
	require.Empty(t, processesWith(t, x.mark("steady")))
	m.askAndWithdrawByItself(t)
	r := m.run(t.Context(), "", "devnet", "up", "--timeout", readyIn.String())
	require.Zero(t, r.code, r.stderr)
	require.NotEqual(t, run.Run, answer(t, d).Run, "the same lease serves, in a container of its own")
	require.True(t, os.SameFile(volume, m.onlyVolume(t)), "its volume is the same")

	m.checkProvider(t, d)

	// Three of four validators are enough, for the chain and for those who use it.
	require.NoError(t, m.Kill(t.Context(), "validator-3"))
	from := m.height(t.Context())
	await(t, 30*time.Second, "blocks are made by the others", func() error {
		if now := m.height(t.Context()); now < from+3 {
			return fmt.Errorf("height %d, was %d", now, from)
		}
		return nil
	})
	x.down(t, "steady")
	x.awaitGone(t, "steady")
	require.True(t, x.conservation(t).Conserved)

	logs := m.run(t.Context(), "", "devnet", "logs", "--tail", "1")
	require.Zero(t, logs.code, logs.stderr)
	for _, p := range all {
		require.Contains(t, logs.stdout, p.Process)
	}
}

// onlyVolume is the disk of the one persistent volume at the first provider.
func (m *market) onlyVolume(t *testing.T) fs.FileInfo {
	t.Helper()
	home, err := m.AgentFolder(0)
	require.NoError(t, err)
	var found []fs.FileInfo
	require.NoError(t, filepath.WalkDir(filepath.Join(home, "state", "volumes"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".img" {
			return err
		}
		info, err := e.Info()
		found = append(found, info)
		return err
	}))
	require.Len(t, found, 1)
	return found[0]
}

// askAndWithdrawByItself lets a program set the first provider's prices, and withdraws what it earns at short intervals.
func (m *market) askAndWithdrawByItself(t *testing.T) {
	t.Helper()
	program := filepath.Join(m.home, "prices")
	const text = "#!/bin/sh\ncat <<.\n" + `{"asks": [
 {"denom": "usouk", "cpu": 12345, "memory": 2500, "ephemeral": 100, "ssd": 200, "egress": 50},
 {"denom": "ustable", "cpu": 12345, "memory": 2500, "ephemeral": 100, "ssd": 200, "egress": 50}]}` + "\n.\n"
	require.NoError(t, os.WriteFile(program, []byte(text), 0o700))
	home, err := m.AgentFolder(0)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), filepath.Join(m.bin, "souk-agent"), "init", "--home", home, "--pricing", "script", "--price-script", program, "--price-script-every", "1s", "--withdraw-every", "2s", "--withdraw-above", "1usouk")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// checkProvider asks the first provider's doctors, and looks at prices and earnings.
func (m *market) checkProvider(t *testing.T, d deployed) {
	t.Helper()
	operator, err := m.operator(0)
	require.NoError(t, err)
	require.Equal(t, operator, d.Leases[0].Provider)
	home, err := m.AgentFolder(0)
	require.NoError(t, err)
	for name, cmd := range map[string]func() result{
		"souk provider doctor": func() result { return m.run(t.Context(), "", "provider", "doctor", operator, "-o", "json") },
		"souk-agent doctor": func() result {
			out, err := exec.CommandContext(t.Context(), filepath.Join(m.bin, "souk-agent"), "doctor", "--home", home, "-o", "json").Output()
			return result{stdout: string(out), stderr: fmt.Sprint(err), code: exitOf(err)}
		},
	} {
		r := cmd()
		require.Zero(t, r.code, "%s: %s%s", name, r.stderr, r.stdout)
		require.Regexp(t, `"check": "gateway",\s*"result": "ok"`, r.stdout, name)
	}
	await(t, 20*time.Second, "the offer has the program's prices", func() error {
		r := m.run(t.Context(), "", "provider", "status", operator, "-o", "json")
		if r.code != 0 || !strings.Contains(r.stdout, "12345") {
			return fmt.Errorf("%s%s", r.stderr, r.stdout)
		}
		return nil
	})
	await(t, 30*time.Second, "what the lease pays is withdrawn", func() error {
		r := m.run(t.Context(), "", "provider", "earnings", operator, "-o", "json")
		var e struct {
			Coins []struct {
				Denom     string   `json:"denom"`
				Withdrawn math.Int `json:"withdrawn"`
			} `json:"coins"`
			Leases []struct {
				Lease  uint64   `json:"lease"`
				Earned math.Int `json:"earned"`
			} `json:"leases"`
		}
		if err := json.Unmarshal([]byte(r.stdout), &e); err != nil {
			return fmt.Errorf("%s: %w", r.stderr, err)
		}
		if len(e.Leases) != 1 || e.Leases[0].Lease != d.lease() || !e.Leases[0].Earned.IsPositive() {
			return fmt.Errorf("leases: %s", r.stdout)
		}
		for _, c := range e.Coins {
			if c.Withdrawn.IsPositive() {
				return nil
			}
		}
		return fmt.Errorf("nothing was withdrawn: %s", r.stdout)
	})
}

// exitOf is the exit code of a program that ended.
func exitOf(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}

// height of the first validator; 0 while it does not answer.
func (m *market) height(ctx context.Context) int64 {
	status, err := m.chain.Status(ctx)
	if err != nil {
		return 0
	}
	return status.Height
}
