package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// agentName is the process of a provider's agent.
func agentName(provider int) string { return fmt.Sprintf("provider-%d", provider) }

const nodeName = "validator-0"

func TestTheNodeRestartsUnderTheAgents(t *testing.T) {
	m := theMarket(t)
	x := m.newTenant(t)
	before := x.up(t, x.file(t, service{name: "before"}))
	running := answer(t, before)

	require.NoError(t, m.Stop(t.Context(), nodeName))
	still := answer(t, before)
	require.Equal(t, running, still, "what runs needs no node")
	require.NotZero(t, x.do(t, "ps").code)

	require.NoError(t, m.mend(t.Context()))
	after := x.up(t, x.file(t, service{name: "after"}))
	answer(t, after)
	still = answer(t, before)
	require.Equal(t, running, still, "nor does it notice that one is back")
	for _, name := range []string{"before", "after"} {
		x.down(t, name)
		x.awaitGone(t, name)
	}
	require.True(t, x.conservation(t).Conserved)
}

func TestAnAgentThatHearsNoEventServesAllTheSame(t *testing.T) {
	m := theMarket(t)
	restart := func(ctx context.Context) {
		require.NoError(t, m.Stop(ctx, agentName(1)))
		require.NoError(t, m.mend(ctx))
	}
	t.Setenv("SOUK_AGENT_NO_EVENTS", "true")
	restart(t.Context())
	t.Cleanup(func() {
		ctx, cancel := cleanupContext()
		defer cancel()
		require.NoError(t, os.Unsetenv("SOUK_AGENT_NO_EVENTS"))
		restart(ctx)
	})
	x := m.newTenant(t)
	d := x.up(t, x.file(t, service{name: "deaf", on: 1}))
	answer(t, d)
	x.down(t, "deaf")
	x.awaitGone(t, "deaf")
	await(t, 30*time.Second, "its capacity is for sale again", func() error { return m.idle(t.Context(), 1) })
}

func TestWhatRanComesBackWhenTheMachineDoes(t *testing.T) {
	m := theMarket(t)
	x := m.newTenant(t)
	d := x.up(t, x.file(t, service{name: "steady"}))
	answer(t, d)

	// As a restart of the machine: no process, mount, link or cgroup of the network is left.
	require.NoError(t, m.Down(t.Context(), func(string) {}))
	require.NotZero(t, x.do(t, "ps").code)
	r := m.run(t.Context(), "", "devnet", "up")
	require.Zero(t, r.code, "%s", r.stderr)

	answer(t, d)
	x.down(t, "steady")
	x.awaitGone(t, "steady")
	require.True(t, x.conservation(t).Conserved)
}
