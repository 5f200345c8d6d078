package instance_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/instance"
)

func TestInstancesShareARangeOfPortsWithoutMeeting(t *testing.T) {
	needRoot(t)
	within := instance.PortRange{First: 19000, Last: 19249} // three blocks
	hold := func(provider string) *instance.Held {
		h, err := instance.Acquire(instance.Record{ChainID: "souk-test", Provider: provider, StateDir: t.TempDir(), Ephemeral: true})
		require.NoError(t, err)
		t.Cleanup(func() { _ = h.Purge(context.Background()) })
		return h
	}
	one, two := hold("souk1one"), hold("souk1two")
	first, err := one.TakePorts(t.Context(), within)
	require.NoError(t, err)
	require.Equal(t, instance.PortRange{First: 19000, Last: 19099}, first)
	second, err := two.TakePorts(t.Context(), within)
	require.NoError(t, err)
	require.Equal(t, instance.PortRange{First: 19100, Last: 19199}, second)
	third, err := one.TakePorts(t.Context(), within)
	require.NoError(t, err)
	require.Equal(t, instance.PortRange{First: 19200, Last: 19249}, third, "one may have several")
	_, err = two.TakePorts(t.Context(), within)
	require.ErrorIs(t, err, instance.ErrNoPorts)
	require.Equal(t, []instance.PortRange{first, third}, find(t, one.ID).Ports)

	// After a restart of the machine nobody is registered; who comes first keeps what it had.
	three := hold("souk1three")
	kept, err := three.KeepPorts(t.Context(), []instance.PortRange{{First: 19300, Last: 19399}, {First: 19150, Last: 19151}})
	require.NoError(t, err)
	require.Equal(t, []instance.PortRange{{First: 19300, Last: 19399}}, kept)
	require.True(t, kept[0].Contains(19399))
	require.False(t, kept[0].Contains(19400))
}
