package instance_test

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/instance"
)

// sleeping starts a process that does not end by itself, and tells when it has.
func sleeping(t *testing.T) (pid int, ended chan struct{}) {
	t.Helper()
	c := exec.Command("sleep", "600")
	require.NoError(t, c.Start())
	ended = make(chan struct{})
	go func() { defer close(ended); _ = c.Wait() }()
	t.Cleanup(func() { _ = c.Process.Kill(); <-ended })
	return c.Process.Pid, ended
}

func TestProcessesThatComeWhileOthersAreKilledAreKilledToo(t *testing.T) {
	first, firstEnded := sleeping(t)
	second, secondEnded := 0, (chan struct{})(nil)
	left := func() ([]int, error) {
		var list []int
		for pid, ended := range map[int]chan struct{}{first: firstEnded, second: secondEnded} {
			select {
			case <-ended:
			default:
				list = append(list, pid)
			}
		}
		list = slices.DeleteFunc(list, func(pid int) bool { return pid == 0 })
		if second == 0 { // comes after the first look
			second, secondEnded = sleeping(t)
		}
		return list, nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	require.NoError(t, instance.EndProcesses(ctx, left))
	<-firstEnded
	<-secondEnded

	failed := errors.New("the list cannot be read")
	require.ErrorIs(t, instance.EndProcesses(ctx, func() ([]int, error) { return nil, failed }), failed)
	cancel()
	another, _ := sleeping(t)
	err := instance.EndProcesses(ctx, func() ([]int, error) { return []int{another}, nil })
	require.ErrorIs(t, err, context.Canceled, "a process that is always listed is not waited for without end")
}
