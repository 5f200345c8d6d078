package gateway_test

import (
	"context"
	"encoding/json"
	"io"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/agent/runtime"
)

// talking is a runtime whose replicas have said one line and go on.
type talking struct{ runtime.Runtime }

func (talking) Logs(ctx context.Context, _ runtime.LogRequest) (io.ReadCloser, error) {
	reader, writer := io.Pipe()
	go func() {
		_ = json.NewEncoder(writer).Encode(runtime.LogEntry{Log: "hello", Stream: "stdout"}) // the reader may be gone
		<-ctx.Done()
		_ = writer.Close()
	}()
	return reader, nil
}

func TestAnOwnerHasOnlySoManyLogStreams(t *testing.T) {
	w := start(t, talking{})
	alice, bob := newTenant(t), newTenant(t)
	for lease, owner := range map[uint64]tenant{7: alice, 8: alice, 9: bob} {
		l, _ := deploy(t, owner, lease, nil)
		w.agent.put(l)
	}
	open := func(owner tenant, lease uint64) (stream *connect.ServerStreamForClient[api.LogsResponse], heard bool) {
		stream, err := w.client(owner.token(t, lease, nil)).Logs(t.Context(), connect.NewRequest(&api.LogsRequest{Lease: lease, Follow: true}))
		if err != nil {
			t.Error(err)
			return nil, false
		}
		t.Cleanup(func() { _ = stream.Close() })
		return stream, stream.Receive()
	}
	var last *connect.ServerStreamForClient[api.LogsResponse]
	for i := range uint64(16) {
		stream, heard := open(alice, 7+i%2)
		require.True(t, heard, "%v", stream.Err())
		last = stream
	}
	refused, heard := open(alice, 7)
	require.False(t, heard)
	require.Equal(t, connect.CodeResourceExhausted, connect.CodeOf(refused.Err()), "%v", refused.Err())
	other, heard := open(bob, 9)
	require.True(t, heard, "%v", other.Err())
	require.NoError(t, last.Close())
	require.Eventually(t, func() bool {
		_, heard := open(alice, 8)
		return heard
	}, 10*time.Second, 10*time.Millisecond)
}
