package tenant

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/coder/websocket"
	"golang.org/x/term"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
)

// The first byte of a message says what follows.
const (
	channelInput byte = iota
	channelOutput
	channelError
	channelControl
)

const (
	inputChunk = 32<<10 - 1 // with its channel it is a message that every server takes
	// maxRefusal bounds what is read of an answer that is no WebSocket.
	maxRefusal = 4 << 10
)

// execStream carries one command's streams over a WebSocket.
type execStream struct {
	conn  *websocket.Conn
	local *terminal
	input bool
}

// run passes everything on until the command has ended.
func (s *execStream) run(ctx context.Context, tty bool) (*api.ExecResult, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if tty {
		restore, err := s.local.raw()
		if err != nil {
			return nil, err
		}
		defer restore()
		stop := s.local.onResize(func(width, height int) {
			// A terminal that cannot be told its size goes on with another.
			_ = s.control(ctx, &api.ExecControl{Resize: &api.TerminalSize{Columns: uint32(width), Rows: uint32(height)}})
		})
		defer stop()
	}
	if s.input {
		// It may stay in a read of the terminal for good; the program ends after this.
		go s.sendInput(ctx)
	} else if err := s.control(ctx, &api.ExecControl{EndOfInput: true}); err != nil {
		return nil, err
	}
	return s.receive(ctx)
}

// receive writes what comes until the last message, which is the result.
func (s *execStream) receive(ctx context.Context) (*api.ExecResult, error) {
	for {
		kind, message, err := s.conn.Read(ctx)
		if err != nil {
			return nil, closedBy(err)
		}
		if kind != websocket.MessageBinary || len(message) == 0 {
			return nil, errors.New("the provider sent what is no message of this protocol")
		}
		switch channel, content := message[0], message[1:]; channel {
		case channelOutput:
			_, err = s.local.out.Write(content)
		case channelError:
			_, err = s.local.err.Write(content)
		case channelControl:
			result := new(api.ExecResult)
			if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(content, result); err != nil {
				return nil, fmt.Errorf("read the result: %w", err)
			}
			return result, s.conn.Close(websocket.StatusNormalClosure, "")
		}
		if err != nil {
			return nil, fmt.Errorf("write what the command says: %w", err)
		}
	}
}

// closedBy says why the other side ended the session.
func closedBy(err error) error {
	var closed websocket.CloseError
	if errors.As(err, &closed) && closed.Reason != "" {
		return errors.New(output.Clean(closed.Reason))
	}
	return err
}

// sendInput passes standard input on, then says that it has ended.
func (s *execStream) sendInput(ctx context.Context) {
	buffer := make([]byte, inputChunk+1)
	buffer[0] = channelInput
	for {
		n, err := s.local.in.Read(buffer[1:])
		if n > 0 && s.conn.Write(ctx, websocket.MessageBinary, buffer[:n+1]) != nil {
			return // receive says why
		}
		if err != nil {
			_ = s.control(ctx, &api.ExecControl{EndOfInput: true}) // receive says why
			return
		}
	}
}

func (s *execStream) control(ctx context.Context, m proto.Message) error {
	content, err := protojson.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode a control message: %w", err)
	}
	return s.conn.Write(ctx, websocket.MessageBinary, append([]byte{channelControl}, content...))
}

// terminal is what the person at this end has: perhaps no terminal but pipes.
type terminal struct {
	in       io.Reader
	out, err io.Writer
}

func newTerminal(in io.Reader, out, err io.Writer) *terminal { return &terminal{in, out, err} }

// descriptors of input and output, if both are terminals.
func (t *terminal) descriptors() (in, out int, ok bool) {
	i, isFile := t.in.(*os.File)
	o, isAlso := t.out.(*os.File)
	if !isFile || !isAlso || !term.IsTerminal(int(i.Fd())) || !term.IsTerminal(int(o.Fd())) {
		return 0, 0, false
	}
	return int(i.Fd()), int(o.Fd()), true
}

func (t *terminal) isTerminal() bool {
	_, _, ok := t.descriptors()
	return ok
}

// raw passes every key on; restore makes the terminal what it was.
func (t *terminal) raw() (restore func(), err error) {
	in, _, _ := t.descriptors()
	before, err := term.MakeRaw(in)
	if err != nil {
		return nil, fmt.Errorf("take over the terminal: %w", err)
	}
	return func() { _ = term.Restore(in, before) }, nil // it cannot be told to anyone
}

// onResize tells the size now and whenever it changes.
func (t *terminal) onResize(tell func(width, height int)) (stop func()) {
	_, out, _ := t.descriptors()
	changed, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(changed, syscall.SIGWINCH)
	changed <- syscall.SIGWINCH
	go func() {
		for {
			select {
			case <-changed:
				if width, height, err := term.GetSize(out); err == nil {
					tell(width, height)
				}
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(changed)
		close(done)
	}
}

// refusedExec says why a provider did not begin a session.
func refusedExec(res *http.Response, err error) error {
	const summary = "begin a session at the provider"
	if res == nil || res.StatusCode == http.StatusSwitchingProtocols {
		return fault.New(summary, err, "souk doctor")
	}
	body, readErr := io.ReadAll(io.LimitReader(res.Body, maxRefusal))
	text := output.Clean(string(bytes.TrimSpace(body)))
	if readErr != nil || text == "" {
		text = err.Error()
	}
	switch res.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fault.Newf(summary, "sign with the owner's key (--from), or ask for access: souk access add NAME ADDRESS --scope exec", "%s", text)
	case http.StatusTooManyRequests:
		return fault.Newf(summary, "end another session, or wait "+strings.TrimSpace(res.Header.Get("Retry-After")+" s")+" and try again", "%s", text)
	default:
		return fault.Newf(summary, "souk status NAME says what runs", "%s: %s", res.Status, text)
	}
}
