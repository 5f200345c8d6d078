package devnet

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAProcessIsFoundAgainByAnotherSupervisorAndStopped(t *testing.T) {
	dir := t.TempDir()
	first := supervisor{dir: dir}
	require.NoError(t, first.Start(Process{Name: "sleeper", Path: "/bin/sleep", Args: []string{"300"}}))
	t.Cleanup(func() { require.NoError(t, first.Stop(t.Context(), "sleeper", time.Second)) })
	require.True(t, first.Alive("sleeper"))

	second := supervisor{dir: dir}
	pid, ok := second.find("sleeper")
	require.True(t, ok)
	require.NoError(t, second.Start(Process{Name: "sleeper", Path: "/bin/sleep", Args: []string{"300"}}))
	again, _ := second.find("sleeper")
	require.Equal(t, pid, again, "starting what runs starts nothing")

	require.NoError(t, second.Stop(t.Context(), "sleeper", 5*time.Second))
	require.False(t, first.Alive("sleeper"))
	require.NoError(t, second.Stop(t.Context(), "sleeper", time.Second), "stopping twice succeeds")
}

func TestAProcessThatIgnoresTheRequestIsKilled(t *testing.T) {
	s := supervisor{dir: t.TempDir()}
	require.NoError(t, s.Start(Process{Name: "stubborn", Path: "/bin/sh", Args: []string{"-c", `trap "" TERM; echo ready; while :; do sleep 1; done`}}))
	require.Eventually(t, func() bool {
		log, err := os.ReadFile(s.Log("stubborn"))
		return err == nil && len(log) > 0
	}, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, s.Stop(t.Context(), "stubborn", 300*time.Millisecond))
	require.False(t, s.Alive("stubborn"))
}

func TestANumberThatBelongsToAnotherProcessNowIsNotOurs(t *testing.T) {
	s := supervisor{dir: t.TempDir()}
	require.NoError(t, s.write("gone", os.Getpid()))
	require.True(t, s.Alive("gone"))
	require.NoError(t, os.WriteFile(s.recordFile("gone"), []byte(`{"pid":1,"started_ms":1}`), 0o600))
	require.False(t, s.Alive("gone"))
}
