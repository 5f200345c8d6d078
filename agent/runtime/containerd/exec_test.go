package containerd_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

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
