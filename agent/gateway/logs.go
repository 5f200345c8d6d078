package gateway

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/token"
)

const (
	// keepAlive is how often an idle stream shows that it lives.
	keepAlive = 15 * time.Second
	// maxEntryBytes bounds one line of the runtime's log stream.
	maxEntryBytes = 256 << 10
	// entriesAhead are read while others are sent.
	entriesAhead = 256
)

// Logs streams the output of one replica until it ends, the lease ends, or the token expires.
func (s *service) Logs(ctx context.Context, req *connect.Request[api.LogsRequest], stream *connect.ServerStream[api.LogsResponse]) error {
	l, ctx, done, err := s.open(ctx, token.ScopeLogs, req.Msg.GetLease())
	if err != nil {
		return err
	}
	defer done()
	reader, err := s.runtime.Logs(ctx, logRequest(l.ID, req.Msg))
	if err != nil {
		return s.logError(l.ID, err)
	}
	defer reader.Close()
	return s.followLogs(ctx, l.ID, reader, stream)
}

// followLogs sends entries as they come, and signs of life between them.
func (s *service) followLogs(ctx context.Context, lease uint64, reader io.ReadCloser, stream *connect.ServerStream[api.LogsResponse]) error {
	entries, failed := make(chan *api.LogsResponse, entriesAhead), make(chan error, 1)
	writer := writerOf(ctx)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer close(entries)
		failed <- readEntries(ctx, reader, entries)
	}()
	alive := time.NewTicker(s.alive)
	defer alive.Stop()
	for {
		select {
		case <-ctx.Done():
			return ended(ctx)
		case entry, more := <-entries:
			if !more {
				writer.release()
				if err := <-failed; err != nil {
					return s.logError(lease, err)
				}
				return nil
			}
			writer.hold()
			if err := stream.Send(entry); err != nil {
				return err
			}
			if len(entries) == 0 {
				writer.release()
			}
		case <-alive.C:
			if over, err := s.over(ctx, token.ScopeLogs, lease); over {
				return err
			}
			if err := stream.Send(&api.LogsResponse{}); err != nil {
				return err
			}
		}
	}
}

// readEntries decodes the runtime's stream.
func readEntries(ctx context.Context, reader io.Reader, entries chan<- *api.LogsResponse) error {
	lines := bufio.NewScanner(reader)
	lines.Buffer(make([]byte, 0, 64<<10), maxEntryBytes)
	for lines.Scan() {
		var entry runtime.LogEntry
		if err := json.Unmarshal(lines.Bytes(), &entry); err != nil {
			continue // cut short when the machine stopped
		}
		select {
		case entries <- entryOf(entry):
		case <-ctx.Done():
			return nil
		}
	}
	if err := lines.Err(); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

func entryOf(e runtime.LogEntry) *api.LogsResponse {
	out := &api.LogsResponse{Time: timestamppb.New(e.Time), Line: Plain(e.Log), Stream: api.LogStream_LOG_STREAM_STDOUT}
	if e.Stream == "stderr" {
		out.Stream = api.LogStream_LOG_STREAM_STDERR
	}
	return out
}

func logRequest(lease uint64, r *api.LogsRequest) runtime.LogRequest {
	out := runtime.LogRequest{Lease: lease, Service: r.GetService(), Replica: r.GetReplica(), Tail: -1, Follow: r.GetFollow()}
	if r.Tail != nil {
		out.Tail = int(r.GetTail())
	}
	if r.GetSince() != nil {
		out.Since = r.GetSince().AsTime()
	}
	return out
}

// logError makes an error of reading logs Connect's.
func (s *service) logError(lease uint64, err error) error {
	told := s.tell("logs", lease, err)
	switch {
	case errors.Is(err, runtime.ErrNotFound):
		return connect.NewError(connect.CodeFailedPrecondition, fmt.Errorf("there are no logs: %w", told))
	case errors.Is(err, runtime.ErrInvalid):
		return connect.NewError(connect.CodeInvalidArgument, told)
	}
	return connect.NewError(connect.CodeUnavailable, fmt.Errorf("read logs: %w", told))
}
