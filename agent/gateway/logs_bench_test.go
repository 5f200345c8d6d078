package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/agent/runtime"
)

// flood is a runtime whose replica has said so many lines.
type flood struct {
	runtime.Runtime
	line  string
	lines int
}

func (f *flood) Logs(context.Context, runtime.LogRequest) (io.ReadCloser, error) {
	entry, err := json.Marshal(runtime.LogEntry{Time: time.Unix(1_800_000_000, 123_456_789).UTC(), Stream: "stdout", Log: f.line})
	if err != nil {
		return nil, err
	}
	return io.NopCloser(&repeat{text: append(entry, '\n'), left: f.lines}), nil
}

// repeat reads a text so many times.
type repeat struct {
	text, rest []byte
	left       int
}

func (r *repeat) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(r.rest) == 0 {
			if r.left == 0 {
				break
			}
			r.left--
			r.rest = r.text
		}
		c := copy(p[n:], r.rest)
		n, r.rest = n+c, r.rest[c:]
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// BenchmarkLogs reads a replica's log through the gateway as `souk logs` does: TLS, HTTP/2, Connect. Bytes are those of the
// lines themselves.
func BenchmarkLogs(b *testing.B) {
	for _, size := range []struct {
		name  string
		bytes int
	}{{"line_of_100_bytes", 100}, {"line_of_4_KiB", 4096}} {
		b.Run(size.name, func(b *testing.B) {
			rt := &flood{line: strings.Repeat("x", size.bytes), lines: b.N}
			w, alice := start(b, rt), newTenant(b)
			l, _ := deploy(b, alice, 7, nil)
			w.agent.put(l)
			c := w.client(alice.token(b, 7, nil))
			b.SetBytes(int64(size.bytes))
			b.ReportAllocs()
			b.ResetTimer()
			stream, err := c.Logs(b.Context(), connect.NewRequest(&api.LogsRequest{Lease: 7}))
			require.NoError(b, err)
			seen := 0
			for stream.Receive() {
				seen++
			}
			b.StopTimer()
			require.NoError(b, stream.Err())
			require.Equal(b, b.N, seen)
			require.NoError(b, stream.Close())
		})
	}
}

func TestALongLogArrivesWholeAndInOrder(t *testing.T) {
	var text bytes.Buffer
	for i := range 5000 {
		require.NoError(t, json.NewEncoder(&text).Encode(runtime.LogEntry{Log: strings.Repeat("y", i%300), Stream: "stderr"}))
	}
	w, alice := start(t, reading{text: text.Bytes()}), newTenant(t)
	l, _ := deploy(t, alice, 7, nil)
	w.agent.put(l)
	stream, err := w.client(alice.token(t, 7, nil)).Logs(t.Context(), connect.NewRequest(&api.LogsRequest{Lease: 7}))
	require.NoError(t, err)
	for i := range 5000 {
		require.True(t, stream.Receive(), "%v", stream.Err())
		require.Len(t, stream.Msg().GetLine(), i%300)
		require.Equal(t, api.LogStream_LOG_STREAM_STDERR, stream.Msg().GetStream())
	}
	require.False(t, stream.Receive())
	require.NoError(t, stream.Err())
}

// reading is a runtime whose replica has said a text.
type reading struct {
	runtime.Runtime
	text []byte
}

func (r reading) Logs(context.Context, runtime.LogRequest) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(r.text)), nil
}
