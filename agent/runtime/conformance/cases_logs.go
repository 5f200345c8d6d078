package conformance

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/runtime"
)

func logs(t *testing.T, p pair) {
	Push(t, p.a.Images(), alice, "hello", "1", Image(t, serving()))
	apply(t, p.a, Workload(1, "hello:1", func(s *runtime.Service) { s.Command = []string{"lines", "5", ":8080"} }))
	s := Running(t, p.a, 1)
	Get(t, s, "/")

	var all []runtime.LogEntry
	Eventually(t, "the log", func() error {
		if all = read(t, p.a, runtime.LogRequest{Lease: 1, Tail: -1}); len(all) != 7 {
			return fmt.Errorf("%d lines", len(all))
		}
		return nil
	})
	var out []string
	for _, e := range all {
		require.WithinDuration(t, time.Now(), e.Time, time.Minute)
		if e.Stream == "stderr" {
			require.Equal(t, "to stderr", e.Log)
			continue
		}
		out = append(out, e.Log)
	}
	require.Equal(t, []string{"line 0", "line 1", "line 2", "line 3", "line 4", "serving :8080"}, out)
	require.Equal(t, all[4:], read(t, p.a, runtime.LogRequest{Lease: 1, Service: "web", Tail: 3}))
	require.Equal(t, all[3:], read(t, p.a, runtime.LogRequest{Lease: 1, Tail: -1, Since: all[3].Time}))
	require.Empty(t, read(t, p.a, runtime.LogRequest{Lease: 1, Tail: 0}))
	for _, q := range []runtime.LogRequest{{Lease: 2}, {Lease: 1, Service: "x"}, {Lease: 1, Replica: 1}} {
		_, err := p.a.Logs(t.Context(), q)
		require.ErrorIs(t, err, runtime.ErrNotFound)
	}

	followed, err := p.a.Logs(t.Context(), runtime.LogRequest{Lease: 1, Tail: 0, Follow: true})
	require.NoError(t, err)
	defer followed.Close()
	lines := bufio.NewScanner(followed)
	next := func() string { // of stdout: the two streams are not ordered between each other
		for {
			require.True(t, lines.Scan(), "the stream ended: %v", lines.Err())
			var e runtime.LogEntry
			require.NoError(t, json.Unmarshal(lines.Bytes(), &e))
			if e.Stream == "stdout" {
				return e.Log
			}
		}
	}
	for i := range 3 {
		text := fmt.Sprintf("said %d \x1b[31m \xff", i)
		Get(t, s, "/print", "text", text)
		require.Equal(t, fmt.Sprintf("said %d \x1b[31m �", i), next())
	}
	tell(t, s, "/exit?code=1")
	Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return running(s) && s.Restarts == 1 })
	require.Equal(t, "line 0", next(), "a restart goes on in the same log")

	ctx, cancel := context.WithCancel(t.Context())
	cancelled, err := p.a.Logs(ctx, runtime.LogRequest{Lease: 1, Tail: 0, Follow: true})
	require.NoError(t, err)
	cancel()
	_, err = io.ReadAll(cancelled)
	require.NoError(t, err, "ends with its context")

	require.NoError(t, p.a.Remove(t.Context(), 1))
	for lines.Scan() { // until the end
	}
	require.NoError(t, lines.Err(), "ends with its lease")
}

// read gives all lines of a request once the workload's output is there.
func read(t *testing.T, r runtime.Runtime, q runtime.LogRequest) []runtime.LogEntry {
	t.Helper()
	stream, err := r.Logs(t.Context(), q)
	require.NoError(t, err)
	defer stream.Close()
	var entries []runtime.LogEntry
	lines := bufio.NewScanner(stream)
	for lines.Scan() {
		var e runtime.LogEntry
		require.NoError(t, json.Unmarshal(lines.Bytes(), &e))
		entries = append(entries, e)
	}
	require.NoError(t, lines.Err())
	return entries
}
