package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/agent/audit"
	"github.com/souk-network/souk/agent/gateway"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/token"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// host runs commands as processes of this machine.
type host struct{ runtime.Runtime }

// Exec implements runtime.Execer.
func (host) Exec(ctx context.Context, r runtime.ExecRequest, s runtime.Streams) (int, error) {
	command := exec.CommandContext(ctx, r.Command[0], r.Command[1:]...)
	command.Dir, command.WaitDelay = r.Dir, 5*time.Second
	if r.TTY {
		return onTerminal(command, r, s)
	}
	// A pipe, for os/exec would wait until the caller ends its input.
	input, err := command.StdinPipe()
	if err != nil {
		return 0, err
	}
	command.Stdout, command.Stderr = s.Stdout, s.Stderr
	if err := command.Start(); err != nil {
		return 0, fmt.Errorf("%w: %w", runtime.ErrInvalid, err)
	}
	go func() {
		_, _ = io.Copy(input, s.Stdin)
		_ = input.Close()
	}()
	return exitOf(command.Wait())
}

func onTerminal(command *exec.Cmd, r runtime.ExecRequest, s runtime.Streams) (int, error) {
	size := func(t runtime.TerminalSize) *pty.Winsize { return &pty.Winsize{Cols: t.Columns, Rows: t.Rows} }
	terminal, err := pty.StartWithSize(command, size(r.Size))
	if err != nil {
		return 0, err
	}
	defer terminal.Close()
	go func() { _, _ = io.Copy(terminal, s.Stdin) }()
	done, copied := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(s.Stdout, terminal) // ends with the last process that holds the terminal
	}()
	go func() {
		for {
			select {
			case t := <-s.Resize:
				_ = pty.Setsize(terminal, size(t))
				_ = command.Process.Signal(syscall.SIGWINCH)
			case <-done:
				return
			}
		}
	}()
	defer close(done)
	code, err := exitOf(command.Wait())
	<-copied
	return code, err
}

func exitOf(err error) (int, error) {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// terminal is the caller's end.
type terminal struct {
	t    *testing.T
	conn *websocket.Conn
	out  strings.Builder
	err  strings.Builder

	closed error // how the connection ended
}

// http1 is a client that can upgrade: WebSockets are of HTTP/1.1 here.
func (w *world) http1() *http.Client {
	transport := w.transport()
	transport.ForceAttemptHTTP2 = false
	transport.TLSClientConfig.NextProtos = []string{"http/1.1"}
	w.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func (w *world) exec(t *testing.T, options *websocket.DialOptions, query string) (*terminal, *http.Response, error) {
	t.Helper()
	options.HTTPClient = w.http1()
	conn, resp, err := websocket.Dial(t.Context(), "wss://"+w.address+gateway.ExecPath+"?"+query, options)
	if err != nil {
		return nil, resp, err
	}
	conn.SetReadLimit(gateway.MaxExecMessage)
	t.Cleanup(func() { _ = conn.CloseNow() })
	return &terminal{t: t, conn: conn}, resp, nil
}

func bearing(raw string) *websocket.DialOptions {
	return &websocket.DialOptions{
		Subprotocols: []string{gateway.ExecProtocol}, HTTPHeader: http.Header{"Authorization": {"Bearer " + raw}},
	}
}

func command(lease uint64, words ...string) string {
	return url.Values{"lease": {strconv.FormatUint(lease, 10)}, "command": words}.Encode()
}

func (x *terminal) send(kind byte, message string) {
	x.t.Helper()
	require.NoError(x.t, x.conn.Write(x.t.Context(), websocket.MessageBinary, append([]byte{kind}, message...)))
}

func (x *terminal) control(c *api.ExecControl) {
	x.t.Helper()
	raw, err := protojson.Marshal(c)
	require.NoError(x.t, err)
	x.send(gateway.ExecControl, string(raw))
}

// next takes in one message; the result when it is the last.
func (x *terminal) next() *api.ExecResult {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.t.Context(), 20*time.Second)
	defer cancel()
	kind, message, err := x.conn.Read(ctx)
	require.NoError(x.t, err, "so far: %q %q", x.out.String(), x.err.String())
	require.Equal(x.t, websocket.MessageBinary, kind)
	switch message[0] {
	case gateway.ExecStdout:
		x.out.Write(message[1:])
	case gateway.ExecStderr:
		x.err.Write(message[1:])
	case gateway.ExecControl:
		result := new(api.ExecResult)
		require.NoError(x.t, protojson.Unmarshal(message[1:], result))
		return result
	default:
		x.t.Fatalf("a message of kind %d", message[0])
	}
	return nil
}

func (x *terminal) end() *api.ExecResult {
	x.t.Helper()
	for {
		if result := x.next(); result != nil {
			_, _, x.closed = x.conn.Read(x.t.Context())
			return result
		}
	}
}

func (x *terminal) until(text string) {
	x.t.Helper()
	for !strings.Contains(x.out.String(), text) {
		require.Nil(x.t, x.next(), "it ended before it said %q", text)
	}
}

func execWorld(t *testing.T) (*world, tenant) {
	t.Helper()
	w, alice := start(t, host{}), newTenant(t)
	l, _ := deploy(t, alice, 7, nil)
	w.agent.put(l)
	return w, alice
}

func TestACommandRunsWithItsStreamsApart(t *testing.T) {
	w, alice := execWorld(t)
	x, _, err := w.exec(t, bearing(alice.token(t, 7, nil)), command(7, "sh", "-c", "cat; echo oops >&2; exit 3"))
	require.NoError(t, err)
	x.send(gateway.ExecStdin, "hello ")
	x.send(gateway.ExecStdin, "there")
	x.control(&api.ExecControl{EndOfInput: true})
	result := x.end()
	require.EqualValues(t, 3, result.GetExitCode())
	require.Empty(t, result.GetError())
	require.Equal(t, "hello there", x.out.String())
	require.Equal(t, "oops\n", x.err.String())
	require.Equal(t, websocket.StatusNormalClosure, websocket.CloseStatus(x.closed))
}

func TestATerminalIsResized(t *testing.T) {
	w, alice := execWorld(t)
	x, _, err := w.exec(t, bearing(alice.token(t, 7, nil)), command(7, "sh")+"&tty=1&columns=90&rows=30")
	require.NoError(t, err)
	x.send(gateway.ExecStdin, "stty size; tty -s && echo on-a-terminal\n")
	x.until("30 90")
	x.until("\non-a-terminal")
	x.control(&api.ExecControl{Resize: &api.TerminalSize{Columns: 100, Rows: 40}})
	for !strings.Contains(x.out.String(), "40 100") {
		x.send(gateway.ExecStdin, "stty size\n")
		require.Nil(t, x.next())
	}
	x.send(gateway.ExecStdin, "exit 5\n")
	require.EqualValues(t, 5, x.end().GetExitCode())
}

func TestABrowserShowsItsTokenAsASubprotocol(t *testing.T) {
	w, alice := execWorld(t)
	alice.signer.Amino = true
	x, resp, err := w.exec(t, &websocket.DialOptions{
		Subprotocols: []string{gateway.ExecProtocol, gateway.BearerProtocol + alice.token(t, 7, nil)},
		HTTPHeader:   http.Header{"Origin": {"https://console.example"}},
	}, command(7, "echo", "hi"))
	require.NoError(t, err)
	require.Equal(t, gateway.ExecProtocol, x.conn.Subprotocol())
	require.Equal(t, gateway.ExecProtocol, resp.Header.Get("Sec-WebSocket-Protocol"), "the token does not come back")
	require.Zero(t, x.end().GetExitCode())
	require.Equal(t, "hi\n", x.out.String())
}

func TestMuchOutputOfASlowCallerArrivesWhole(t *testing.T) {
	w, alice := execWorld(t)
	x, _, err := w.exec(t, bearing(alice.token(t, 7, nil)), command(7, "sh", "-c", "head -c 8000000 /dev/zero; head -c 100000 /dev/zero >&2"))
	require.NoError(t, err)
	require.Zero(t, x.end().GetExitCode())
	require.Equal(t, 8_000_000, x.out.Len())
	require.Equal(t, 100_000, x.err.Len())
}

func TestInputThatNobodyTakesDoesNotHoldUpTheEnd(t *testing.T) {
	w, alice := execWorld(t)
	x, _, err := w.exec(t, bearing(alice.token(t, 7, nil)), command(7, "sh", "-c", "echo ready; exec sleep 1"))
	require.NoError(t, err)
	x.until("ready")
	sent := make(chan error, 1)
	go func() {
		for {
			if err := x.conn.Write(context.Background(), websocket.MessageBinary, make([]byte, 60_000)); err != nil {
				sent <- err
				return
			}
		}
	}()
	require.Zero(t, x.end().GetExitCode())
	require.Error(t, <-sent)
}

func TestWhoMayNotRunCommands(t *testing.T) {
	w, alice := execWorld(t)
	mallory, reader, operator := newTenant(t), newTenant(t), newTenant(t)
	l, _ := w.agent.Lease(t.Context(), 7)
	l.AccessKeys = []markettypes.AccessKey{
		{Address: reader.address, Scopes: []markettypes.Scope{markettypes.Scope_SCOPE_READ, markettypes.Scope_SCOPE_MANAGE}},
		{Address: operator.address, Scopes: []markettypes.Scope{markettypes.Scope_SCOPE_EXEC}},
	}
	w.agent.put(l)
	good := alice.token(t, 7, nil)
	forAlice := func(g *token.Grant) { g.Owner = alice.address }
	ls := command(7, "ls")
	tests := []struct {
		name    string
		options *websocket.DialOptions
		query   string
		want    int
	}{
		{"nobody", &websocket.DialOptions{Subprotocols: []string{gateway.ExecProtocol}}, ls, 401},
		{"garbage", bearing("a.b.c"), ls, 401},
		{"a token for another provider", bearing(alice.token(t, 7, func(g *token.Grant) { g.Provider = "souk1other" })), ls, 401},
		{"an expired token", bearing(alice.token(t, 7, func(g *token.Grant) { g.ExpiresAt = time.Now().Add(-time.Minute) })), ls, 401},
		{"another tenant", bearing(mallory.token(t, 7, nil)), ls, 403},
		{"another lease's token", bearing(alice.token(t, 8, nil)), ls, 403},
		{"a token without the scope", bearing(alice.token(t, 7, func(g *token.Grant) { g.Scopes = []token.Scope{token.ScopeLogs} })), ls, 403},
		{"a key without the scope", bearing(reader.token(t, 7, forAlice)), ls, 403},
		{"no such lease", bearing(alice.token(t, 9, nil)), command(9, "ls"), 404},
		{"no command", bearing(good), "lease=7", 400},
		{"an empty command", bearing(good), "lease=7&command=", 400},
		{"no lease", bearing(good), "command=ls", 400},
		{"two leases", bearing(good), ls + "&lease=8", 400},
		{"an unknown parameter", bearing(good), ls + "&privileged=1", 400},
		{"nonsense for a number", bearing(good), ls + "&replica=-1", 400},
		{"no subprotocol", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + good}}}, ls, 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, resp, err := w.exec(t, tt.options, tt.query)
			require.Error(t, err)
			require.NotNil(t, resp)
			require.Equal(t, tt.want, resp.StatusCode)
			var refusal struct{ Code, Message string }
			require.NoError(t, json.NewDecoder(resp.Body).Decode(&refusal))
			require.NotEmpty(t, refusal.Code)
			require.NotEmpty(t, refusal.Message)
		})
	}
	x, _, err := w.exec(t, bearing(operator.token(t, 7, forAlice)), command(7, "echo", "hi"))
	require.NoError(t, err, "a key that may")
	require.Zero(t, x.end().GetExitCode())
}

func TestACommandThatCanNotRunSaysWhy(t *testing.T) {
	w, alice := execWorld(t)
	x, _, err := w.exec(t, bearing(alice.token(t, 7, nil)), command(7, "/no/such/program"))
	require.NoError(t, err)
	result := x.end()
	require.Contains(t, result.GetError(), "/no/such/program")
}

func TestASessionEndsWithItsTokenUnlessAFreshOneComes(t *testing.T) {
	w, alice := execWorld(t)
	brief := func(g *token.Grant) { g.ExpiresAt = time.Now().Add(2 * time.Second) }
	renewed, _, err := w.exec(t, bearing(alice.token(t, 7, brief)), command(7, "cat"))
	require.NoError(t, err)
	renewed.control(&api.ExecControl{Token: alice.token(t, 7, nil)})
	x, _, err := w.exec(t, bearing(alice.token(t, 7, brief)), command(7, "sleep", "1000"))
	require.NoError(t, err)
	require.Contains(t, x.end().GetError(), "expired")
	renewed.send(gateway.ExecStdin, "still here")
	renewed.until("still here")
	renewed.control(&api.ExecControl{EndOfInput: true})
	require.Zero(t, renewed.end().GetExitCode())

	stolen, _, err := w.exec(t, bearing(alice.token(t, 7, nil)), command(7, "cat"))
	require.NoError(t, err)
	stolen.control(&api.ExecControl{Token: newTenant(t).token(t, 7, nil)})
	require.Contains(t, stolen.end().GetError(), "somebody else")
}

func TestACommandEndsWithItsCaller(t *testing.T) {
	w, alice := execWorld(t)
	x, _, err := w.exec(t, bearing(alice.token(t, 7, nil)), command(7, "sh", "-c", "echo $$; exec sleep 1000"))
	require.NoError(t, err)
	x.until("\n")
	pid, err := strconv.Atoi(strings.TrimSpace(x.out.String()))
	require.NoError(t, err)
	require.NoError(t, x.conn.CloseNow())
	require.Eventually(t, func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }, 10*time.Second, 10*time.Millisecond)
}

func TestMessagesThatAreNotOfTheProtocolEndTheSession(t *testing.T) {
	w, alice := execWorld(t)
	for _, bad := range []string{"", "\x07", "\x01x", "\x03{", "\x03[]"} {
		x, _, err := w.exec(t, bearing(alice.token(t, 7, nil)), command(7, "sleep", "1000"))
		require.NoError(t, err)
		require.NoError(t, x.conn.Write(t.Context(), websocket.MessageBinary, []byte(bad)))
		require.Contains(t, x.end().GetError(), "not of the protocol", "%q", bad)
	}
}

func TestAnOwnerRunsOnlySoManyCommands(t *testing.T) {
	w, alice := execWorld(t)
	good := bearing(alice.token(t, 7, nil))
	var last *terminal
	for range 16 {
		x, _, err := w.exec(t, good, command(7, "cat"))
		require.NoError(t, err)
		last = x
	}
	_, resp, err := w.exec(t, good, command(7, "cat"))
	require.Error(t, err)
	require.Equal(t, http.StatusTooManyRequests, resp.StatusCode)
	last.control(&api.ExecControl{EndOfInput: true})
	require.Zero(t, last.end().GetExitCode())
	require.Eventually(t, func() bool {
		_, _, err := w.exec(t, good, command(7, "cat"))
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
}

func TestTheAuditLogSaysWhoRanWhatAndNotWithWhichArguments(t *testing.T) {
	w, alice := execWorld(t)
	x, _, err := w.exec(t, bearing(alice.token(t, 7, nil)), command(7, "echo", "hunter2"))
	require.NoError(t, err)
	require.Zero(t, x.end().GetExitCode())
	_, _, err = w.exec(t, bearing(newTenant(t).token(t, 7, nil)), command(7, "echo", "hunter2"))
	require.Error(t, err)
	var seen []audit.Record
	require.Eventually(t, func() bool {
		raw, err := os.ReadFile(w.audit)
		require.NoError(t, err)
		require.NotContains(t, string(raw), "hunter2")
		seen = nil
		for line := range strings.Lines(string(raw)) {
			var r audit.Record
			require.NoError(t, json.Unmarshal([]byte(line), &r))
			seen = append(seen, r)
		}
		return len(seen) == 3
	}, 10*time.Second, 10*time.Millisecond)
	results := map[string]audit.Record{}
	for _, r := range seen {
		require.Equal(t, "Exec", r.Call)
		require.EqualValues(t, 7, r.Lease)
		results[r.Result] = r
	}
	require.Equal(t, alice.address, results["started"].Owner)
	require.Equal(t, "echo", results["started"].Detail)
	require.Equal(t, "echo", results["ended 0"].Detail)
	require.Contains(t, results, "permission_denied")
}

func TestCommandsComeAtThePaceOfTheirAccount(t *testing.T) {
	w, alice, bob := start(t, host{}), newTenant(t), newTenant(t)
	client := w.http1()
	defer client.CloseIdleConnections()
	ask := func(bearer string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+w.address+gateway.ExecPath, nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+bearer)
		resp, err := client.Do(r)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp
	}
	bearer := alice.token(t, 7, nil)
	refused := ask(bearer)
	for range 450 { // fewer than one address may send
		if refused.StatusCode == http.StatusTooManyRequests {
			break
		}
		refused = ask(bearer)
	}
	require.Equal(t, http.StatusTooManyRequests, refused.StatusCode)
	require.NotEmpty(t, refused.Header.Get("Retry-After"))
	require.Equal(t, http.StatusBadRequest, ask(bob.token(t, 7, nil)).StatusCode, "another account has a pace of its own")
}
