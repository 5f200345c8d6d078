package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/token"
)

// The first byte of an exec's messages.
const (
	ExecStdin   byte = 0
	ExecStdout  byte = 1
	ExecStderr  byte = 2
	ExecControl byte = 3
)

const (
	// chunkBytes is the most that one message carries of a command's output.
	chunkBytes = 32 << 10
	// pongWait is how long a caller may take to show that it lives.
	pongWait = 30 * time.Second
)

// Why a session was broken off.
var (
	errCallerLeft = errors.New("the caller left")
	errLeaseEnded = errors.New("the lease has ended")
	errNotAllowed = errors.New("the deployment does not allow it any more")
	errBadMessage = errors.New("a message that is not of the protocol")
	errFreshToken = errors.New("the fresh token was refused")
)

// session is one command and the WebSocket that carries its streams.
type session struct {
	*Server
	conn   *websocket.Conn
	lease  uint64
	stop   context.CancelCauseFunc
	resize chan runtime.TerminalSize // the last size that was not taken yet
	stdin  *io.PipeWriter
	stuck  atomic.Bool // the command does not take its input, so nothing more is read from the caller

	mu     sync.Mutex
	grant  token.Grant
	expiry *time.Timer
}

func newSession(s *Server, conn *websocket.Conn, grant token.Grant, lease uint64) *session {
	conn.SetReadLimit(MaxExecMessage)
	return &session{Server: s, conn: conn, grant: grant, lease: lease, resize: make(chan runtime.TerminalSize, 1)}
}

// run runs the command and tells its end. The error is why there is no exit code.
func (x *session) run(parent context.Context, execer runtime.Execer, request runtime.ExecRequest) (code int, err error) {
	ctx, stop := context.WithCancelCause(parent)
	x.stop = stop
	defer x.stop(nil)
	x.expiry = time.AfterFunc(time.Until(x.grant.ExpiresAt), func() { x.stop(token.ErrExpired) })
	defer x.expiry.Stop()
	input, writer := io.Pipe()
	x.stdin = writer
	wire := context.WithoutCancel(ctx) // what is said last is said after ctx has ended
	var background sync.WaitGroup
	defer background.Wait()
	defer x.conn.CloseNow() //nolint:errcheck // it was closed in order, or the caller has left
	background.Go(func() { x.stop(x.read(wire)) })
	background.Go(func() { x.keepAlive(ctx) })
	streams := runtime.Streams{Stdin: input, Stdout: &outlet{x, ExecStdout}, Stderr: &outlet{x, ExecStderr}, Resize: x.resize}
	code, err = execer.Exec(ctx, request, streams)
	_ = input.Close() // lets go of a reader that has more input than the command took
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	x.stop(nil)
	if x.tell(wire, code, err) && parent.Err() == nil {
		_ = x.conn.Close(websocket.StatusNormalClosure, "") // an error is that the caller has left
	}
	return code, err
}

// tell sends the last message, and says whether that could be done.
func (x *session) tell(ctx context.Context, code int, err error) bool {
	result := &api.ExecResult{ExitCode: int32(code)}
	if err != nil {
		result = &api.ExecResult{Error: x.explain(err)}
	}
	raw, err := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(result)
	if err != nil {
		x.log.Error("exec result could not be encoded", "error", err)
		return false
	}
	return x.send(ctx, append([]byte{ExecControl}, raw...)) == nil
}

// explain says why there is no exit code, as much as a tenant may know.
func (x *session) explain(err error) string {
	for _, own := range []error{token.ErrExpired, errLeaseEnded, errNotAllowed, errBadMessage, errFreshToken, errCallerLeft} {
		if errors.Is(err, own) {
			return Plain(err.Error())
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, runtime.ErrClosed) {
		return "the provider's agent stops: try again in a moment"
	}
	return Plain(x.Server.tell("exec", x.lease, err).Error())
}

func (x *session) send(ctx context.Context, message []byte) error {
	ctx, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	if err := x.conn.Write(ctx, websocket.MessageBinary, message); err != nil {
		return fmt.Errorf("%w: %w", errCallerLeft, err)
	}
	x.metrics.sent.Add(float64(len(message)))
	return nil
}

// read takes in messages until the connection ends, and says why it did.
func (x *session) read(ctx context.Context) error {
	for {
		kind, message, err := x.conn.Read(ctx)
		switch {
		case err != nil:
			_ = x.stdin.CloseWithError(errCallerLeft)
			return fmt.Errorf("%w: %w", errCallerLeft, err)
		case kind != websocket.MessageBinary || len(message) == 0:
			return errBadMessage
		}
		x.metrics.received.Add(float64(len(message)))
		switch message[0] {
		case ExecStdin:
			x.stuck.Store(true)
			_, _ = x.stdin.Write(message[1:]) // the command may have closed it: nothing is lost that it wanted
			x.stuck.Store(false)
		case ExecControl:
			if err := x.control(ctx, message[1:]); err != nil {
				return err
			}
		default:
			return errBadMessage
		}
	}
}

// control does what a control message asks.
func (x *session) control(ctx context.Context, raw []byte) error {
	var c api.ExecControl
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(raw, &c); err != nil {
		return fmt.Errorf("%w: %w", errBadMessage, err)
	}
	if size := c.GetResize(); size != nil {
		select {
		case <-x.resize: // out of date
		default:
		}
		x.resize <- runtime.TerminalSize{Columns: uint16(min(size.GetColumns(), 1<<16-1)), Rows: uint16(min(size.GetRows(), 1<<16-1))}
	}
	if c.GetEndOfInput() {
		_ = x.stdin.Close()
	}
	if c.GetToken() != "" {
		return x.renew(ctx, c.GetToken())
	}
	return nil
}

// renew lets the session last as long as a fresh token.
func (x *session) renew(ctx context.Context, raw string) error {
	fresh, err := x.tokens.Verify(raw)
	if err != nil {
		return fmt.Errorf("%w: %w", errFreshToken, err)
	}
	if fresh.Issuer != x.grant.Issuer || fresh.Owner != x.grant.Owner {
		return fmt.Errorf("%w: somebody else signed it", errFreshToken)
	}
	if _, err := x.allowed(ctx, fresh, token.ScopeExec, x.lease); err != nil {
		return fmt.Errorf("%w: %w", errFreshToken, err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.expiry.Stop() { // else the session is ending already
		x.grant = fresh
		x.expiry.Reset(time.Until(fresh.ExpiresAt))
	}
	return nil
}

// keepAlive asks the caller for signs of life, and whether the chain still allows what was allowed.
func (x *session) keepAlive(ctx context.Context) {
	tick := time.NewTicker(x.alive)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		x.mu.Lock()
		grant := x.grant
		x.mu.Unlock()
		_, err := x.allowed(ctx, grant, token.ScopeExec, x.lease)
		switch {
		case errors.Is(err, ErrNoLease):
			x.stop(errLeaseEnded)
		case errors.Is(err, token.ErrElsewhere), errors.Is(err, token.ErrScope):
			x.stop(errNotAllowed)
		}
		if x.stuck.Load() {
			continue // an answer would wait behind input that nobody takes
		}
		wait, cancel := context.WithTimeout(ctx, pongWait)
		if err := x.conn.Ping(wait); err != nil && !x.stuck.Load() {
			x.stop(fmt.Errorf("%w: %w", errCallerLeft, err))
		}
		cancel()
	}
}

// outlet sends what a command writes.
type outlet struct {
	*session
	kind byte
}

// Write sends whole messages; it waits while the caller is slow, which makes the command wait.
func (o *outlet) Write(p []byte) (int, error) {
	written := 0
	for chunk := range slices.Chunk(p, chunkBytes) {
		message := make([]byte, 1, 1+len(chunk))
		message[0] = o.kind
		if err := o.send(context.Background(), append(message, chunk...)); err != nil {
			o.stop(err)
			return written, err
		}
		written += len(chunk)
	}
	return written, nil
}
