package instance_test

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/instance"
)

// held is an instance of a test's own.
func held(t *testing.T, provider, state string) *instance.Held {
	t.Helper()
	needRoot(t)
	require.NoError(t, os.MkdirAll(instance.DataDir(state), 0o700))
	h, err := instance.Acquire(instance.Record{ChainID: "souk-test", Provider: provider, StateDir: state, Ephemeral: true})
	require.NoError(t, err)
	return h
}

func purged(t *testing.T, h *instance.Held) *instance.Held {
	t.Helper()
	t.Cleanup(func() { require.NoError(t, h.Purge(context.Background())) })
	return h
}

func TestRangesOfIDsAreNobodyElses(t *testing.T) {
	one, two := purged(t, held(t, "souk1one", t.TempDir())), purged(t, held(t, "souk1two", t.TempDir()))
	first, err := one.TakeIDRange(t.Context(), "1", nil)
	require.NoError(t, err)
	require.NotZero(t, first)
	require.Equal(t, first, instance.IDRangeOf(uint32(first)+65535))
	require.NotEqual(t, first, instance.IDRangeOf(uint32(first)+65536))
	require.Zero(t, instance.IDRangeOf(0))
	require.Zero(t, instance.IDRangeOf(0x7FFE_0000), "systemd's own")

	second, err := one.TakeIDRange(t.Context(), "2", nil)
	require.NoError(t, err)
	require.NotEqual(t, first, second)
	recorded := instance.IDRange(uint32(second) + instance.IDRangeSize)
	third, err := one.TakeIDRange(t.Context(), "3", map[instance.IDRange]bool{recorded: true})
	require.NoError(t, err)
	require.NotContains(t, []instance.IDRange{first, second, recorded}, third)
	holders, err := instance.IDHolders(one.ID)
	require.NoError(t, err)
	require.Equal(t, []string{"1", "2", "3"}, holders)

	// What the one has the other does not get, though it would begin there.
	require.NoError(t, one.FreeIDRange("1"))
	require.NoError(t, one.FreeIDRange("1"), "twice is no error")
	theirs, err := two.TakeIDRange(t.Context(), "1", nil)
	require.NoError(t, err)
	require.NoError(t, two.FreeIDRange("1"))
	require.NoError(t, one.HoldIDRange(t.Context(), "1", theirs))
	other, err := two.TakeIDRange(t.Context(), "1", nil)
	require.NoError(t, err)
	require.NotEqual(t, theirs, other)
	require.ErrorIs(t, two.HoldIDRange(t.Context(), "9", theirs), instance.ErrIDsShared)
}

func TestAfterARebootTheFirstAgentTakesNothingOfOneThatStartsLater(t *testing.T) {
	state := t.TempDir()
	late, early := held(t, "souk1late", state), purged(t, held(t, "souk1early", t.TempDir()))
	promised, err := early.TakeIDRange(t.Context(), "1", nil) // where it begins
	require.NoError(t, err)
	require.NoError(t, early.FreeIDRange("1"))
	require.NoError(t, late.HoldIDRange(t.Context(), "7", promised))
	require.NoError(t, late.Release())
	require.NoError(t, instance.Clear(t.Context(), late.ID), "as if the machine was started again")

	taken, err := early.TakeIDRange(t.Context(), "1", nil)
	require.NoError(t, err)
	require.NotEqual(t, promised, taken)
	late = purged(t, held(t, "souk1late", state))
	require.NoError(t, late.HoldIDRange(t.Context(), "7", promised), "it has what it had")
}

func TestRangesOfAnInstanceWhoseDataIsGoneComeLast(t *testing.T) {
	gone := purged(t, held(t, "souk1gone", t.TempDir()))
	one := purged(t, held(t, "souk1one", t.TempDir()))
	first, err := one.TakeIDRange(t.Context(), "1", nil)
	require.NoError(t, err)
	require.NoError(t, one.FreeIDRange("1"))
	require.NoError(t, gone.HoldIDRange(t.Context(), "1", first))
	require.NoError(t, os.RemoveAll(instance.DataDir(gone.StateDir)))
	other, err := one.TakeIDRange(t.Context(), "1", nil)
	require.NoError(t, err)
	require.NotEqual(t, first, other, "its disk may come back")
	all := map[instance.IDRange]bool{}
	for r := uint32(0x7000_0000); instance.IDRangeOf(r) != 0; r += instance.IDRangeSize {
		all[instance.IDRange(r)] = true
	}
	_, err = one.TakeIDRange(t.Context(), "2", all)
	require.ErrorIs(t, err, instance.ErrNoIDs)
	delete(all, first)
	last, err := one.TakeIDRange(t.Context(), "2", all)
	require.NoError(t, err)
	require.Equal(t, first, last)
}
