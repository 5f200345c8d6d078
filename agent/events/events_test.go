package events

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/store"
)

func journal(t *testing.T) (*Journal, func()) {
	t.Helper()
	keeper, err := store.Open(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, keeper.Close()) })
	j := New(keeper, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); j.Run(ctx) }()
	stop := func() { cancel(); <-done }
	t.Cleanup(stop)
	return j, stop
}

func await(t *testing.T, changed <-chan struct{}) {
	t.Helper()
	select {
	case <-changed:
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was told")
	}
}

func TestWhoFollowsALeaseIsToldOfIt(t *testing.T) {
	j, _ := journal(t)
	mine, done := j.Listen(7)
	defer done()
	others, doneToo := j.Listen(8)
	defer doneToo()
	j.Add(7, Acknowledged, "")
	await(t, mine)
	got, err := j.After(7, 0, 10)
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Equal(t, Acknowledged, got[0].Kind)
	require.EqualValues(t, 1, got[0].Number)
	require.WithinDuration(t, time.Now(), got[0].Time, time.Minute)
	require.Empty(t, others)
}

func TestEventsComeInTheirOrderAndAreAllWrittenAtTheEnd(t *testing.T) {
	j, stop := journal(t)
	for i := range 200 {
		j.Add(7, Applied, strings.Repeat("x", i))
	}
	stop()
	got, err := j.After(7, 0, 1000)
	require.NoError(t, err)
	require.Len(t, got, 200)
	for i, e := range got {
		require.Len(t, e.Message, i)
		require.EqualValues(t, i+1, e.Number)
	}
}

func TestNobodyWaitsForTheDisk(t *testing.T) {
	keeper, err := store.Open(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, keeper.Close()) })
	j := New(keeper, slog.New(slog.DiscardHandler)) // nobody writes
	for range queued + 10 {
		j.Add(7, Applied, "")
	}
	require.EqualValues(t, 10, j.lost.Load())
}

func TestListenersThatLeftAreForgotten(t *testing.T) {
	j, _ := journal(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				_, done := j.Listen(7)
				j.Add(7, Applied, "")
				done()
			}
		})
	}
	all.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	require.Empty(t, j.listeners)
}

// told is a runtime that tells what it is told to.
type told struct {
	runtime.Runtime
	events chan runtime.Event
}

func (r told) Watch(context.Context) <-chan runtime.Event { return r.events }

func TestWhatTheRuntimeTellsIsKept(t *testing.T) {
	j, _ := journal(t)
	changed, done := j.Listen(7)
	defer done()
	rt := told{events: make(chan runtime.Event, 1)}
	rt.events <- runtime.Event{
		Time: time.Unix(5, 0), Lease: 7, Service: "web", Replica: 2, Kind: runtime.EventOOMKilled, Message: strings.Repeat("y", 1<<20),
	}
	close(rt.events)
	j.Watch(t.Context(), rt)
	await(t, changed)
	got, err := j.After(7, 0, 10)
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Equal(t, "oom-killed", got[0].Kind)
	require.Equal(t, "web", got[0].Service)
	require.EqualValues(t, 2, got[0].Replica)
	require.True(t, time.Unix(5, 0).Equal(got[0].Time))
	require.Less(t, len(got[0].Message), 1024)
}
