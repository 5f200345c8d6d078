package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
	r := m.run(t.Context(), "", "devnet", "up", "--validators", "4", "--providers", "3", "--ephemeral", "--timeout", readyIn.String())
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
	d := x.up(t, x.file(t, service{name: "steady"}))
	run := answer(t, d)

	// Down leaves nothing but the folder, up finds everything again.
	require.Zero(t, m.run(t.Context(), "", "devnet", "down").code)
	for _, p := range m.processes(t) {
		require.False(t, p.Running, p.Process)
	}
	require.Empty(t, processesWith(t, x.mark("steady")))
	r := m.run(t.Context(), "", "devnet", "up", "--timeout", readyIn.String())
	require.Zero(t, r.code, r.stderr)
	require.NotEqual(t, run.Run, answer(t, d).Run, "the same lease serves, in a container of its own")

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

// height of the first validator; 0 while it does not answer.
func (m *market) height(ctx context.Context) int64 {
	status, err := m.chain.Status(ctx)
	if err != nil {
		return 0
	}
	return status.Height
}
