package instance_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/instance"
)

func TestInstancesShareARangeOfPortsWithoutMeeting(t *testing.T) {
	needRoot(t)
	within := instance.PortRange{First: 27000, Last: 27249} // three blocks
	hold := func(provider string) *instance.Held {
		h, err := instance.Acquire(instance.Record{ChainID: "souk-test", Provider: provider, StateDir: t.TempDir(), Ephemeral: true})
		require.NoError(t, err)
		t.Cleanup(func() { _ = h.Purge(context.Background()) })
		return h
	}
	one, two := hold("souk1one"), hold("souk1two")
	first, err := one.TakePorts(t.Context(), within)
	require.NoError(t, err)
	require.Equal(t, instance.PortRange{First: 27000, Last: 27099}, first)
	second, err := two.TakePorts(t.Context(), within)
	require.NoError(t, err)
	require.Equal(t, instance.PortRange{First: 27100, Last: 27199}, second)
	third, err := one.TakePorts(t.Context(), within)
	require.NoError(t, err)
	require.Equal(t, instance.PortRange{First: 27200, Last: 27249}, third, "one may have several")
	_, err = two.TakePorts(t.Context(), within)
	require.ErrorIs(t, err, instance.ErrNoPorts)
	require.Equal(t, []instance.PortRange{first, third}, find(t, one.ID).Ports)

	// After a restart of the machine nobody is registered; who comes first keeps what it had.
	three := hold("souk1three")
	kept, err := three.KeepPorts(t.Context(), []instance.PortRange{{First: 27300, Last: 27399}, {First: 27150, Last: 27151}})
	require.NoError(t, err)
	require.Equal(t, []instance.PortRange{{First: 27300, Last: 27399}}, kept)
	require.True(t, kept[0].Contains(27399))
	require.False(t, kept[0].Contains(27400))
}
