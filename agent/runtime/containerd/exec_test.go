package containerd_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/runtime/conformance"
)

func TestCommandsOfAKilledAgentAreEndedByTheNext(t *testing.T) {
	needRoot(t)
	state, c := seeded(t)
	a := startAgent(t, state)
	a.tell(t, conformance.Workload(1, "hello:1"))
	s := awaitServing(t, state, 1)
	a.send(t, order{Exec: &runtime.ExecRequest{Lease: 1, Command: []string{"/workload", "tree", "session"}}})
	require.True(t, a.out.Scan())
	require.Equal(t, "ready", a.out.Text())
	a.kill()
	_, text := conformance.Get(t, s, "/ps")
	require.Contains(t, text, "sleep session", "without an agent nobody ends it")

	r := open(t, c)
	conformance.Running(t, r, 1)
	conformance.Eventually(t, "the replica alone", func() error {
		if _, text := conformance.Get(t, s, "/ps"); strings.Count(text, "\n") > 0 {
			return errors.New(text)
		}
		return nil
	})
	code, out, _ := conformance.Exec(t, r, runtime.ExecRequest{Lease: 1, Command: []string{"/workload", "echo", "again"}}, nil)
	require.Zero(t, code)
	require.Equal(t, "again", out)
}

func TestHealthChecksInASandboxLeaveNothing(t *testing.T) {
	needGVisor(t)
	c := config(t, "souk1one", stateDir(t))
	c.DefaultIsolation = "gvisor"
	r := open(t, c)
	conformance.Push(t, r.Images(), owner, "hello", "1", helloImage(t))
	require.NoError(t, r.Apply(t.Context(), conformance.Workload(1, "hello:1", func(s *runtime.Service) {
		s.HealthCheck = &runtime.HealthCheck{Command: []string{"/workload", "tree", "session"}, Interval: time.Second, Timeout: 3 * time.Second, Retries: 1}
	})))
	s := conformance.Running(t, r, 1)
	left := func() []string {
		run := instance.IDOf(c.ChainID, c.Provider, c.StateDir).RunDir()
		files, err := filepath.Glob(filepath.Join(run, "c", "*", "*", "*", "*.pid.inside"))
		require.NoError(t, err)
		return files
	}
	conformance.Eventually(t, "a check that runs", func() error {
		if len(left()) == 0 {
			return errors.New("none")
		}
		return nil
	})
	conformance.Replica(t, r, 1, 0, func(s runtime.ReplicaStatus) bool { return s.Health == runtime.HealthUnhealthy })
	conformance.Eventually(t, "the replica alone", func() error {
		_, text := conformance.Get(t, s, "/ps")
		if files := left(); len(files) > 0 || strings.Count(text, "\n") > 0 {
			return fmt.Errorf("%v, %s", files, text)
		}
		return nil
	})
}
