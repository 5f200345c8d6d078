package tenant

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/agent/token"
	"github.com/souk-network/souk/cmd/souk/session"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// provider is a server that speaks the other side of exec, with its key pinned in the gateway that it returns.
func provider(t *testing.T, serve http.HandlerFunc) *gateway {
	t.Helper()
	server := httptest.NewTLSServer(serve)
	t.Cleanup(server.Close)
	uri, err := url.Parse(server.URL)
	require.NoError(t, err)
	pin := sha256.Sum256(server.Certificate().RawSubjectPublicKeyInfo)
	return &gateway{uri: uri, tls: pinned([][]byte{pin[:]}), private: true, token: func(s token.Scope) (string, error) { return "token-for-" + string(s), nil }}
}

func replicaOf(service string, n uint32) place {
	return place{served: served{lease: markettypes.Lease{Id: 7}}, replica: &api.ReplicaStatus{Service: service, Replica: n}}
}

// cat answers every input with itself, says on standard error when input has ended, and exits with 3.
func cat(t *testing.T, resized chan<- *api.TerminalSize) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{execSubprotocol}})
		if err != nil {
			return
		}
		defer conn.CloseNow() //nolint:errcheck // of a test
		send := func(channel byte, content string) {
			_ = conn.Write(r.Context(), websocket.MessageBinary, append([]byte{channel}, content...)) // the client judges
		}
		for {
			_, m, err := conn.Read(r.Context())
			if err != nil {
				return
			}
			if m[0] == channelInput {
				send(channelOutput, string(m[1:]))
				continue
			}
			var control api.ExecControl
			if !protojsonInto(t, m[1:], &control) {
				return
			}
			if control.GetResize() != nil && resized != nil {
				resized <- control.GetResize()
			}
			if control.GetEndOfInput() {
				send(channelError, "no more")
				send(channelControl, `{"exitCode": 3}`)
			}
		}
	}
}

func protojsonInto(t *testing.T, content []byte, m *api.ExecControl) bool {
	if err := protojson.Unmarshal(content, m); err != nil {
		t.Errorf("control message %s: %v", content, err)
		return false
	}
	return true
}

func TestACommandGetsItsInputAndGivesItsOutputsAndItsExitCode(t *testing.T) {
	g := provider(t, cat(t, nil))
	conn, err := g.dialExec(t.Context(), replicaOf("web", 0), []string{"cat"}, false)
	require.NoError(t, err)
	input := strings.Repeat("line\x00\xff\n", 40_000) // several messages, and no text
	var out, errOut bytes.Buffer
	s := &execStream{conn: conn, local: newTerminal(strings.NewReader(input), &out, &errOut), input: true}
	result, err := s.run(t.Context(), false)
	require.NoError(t, err)
	require.Equal(t, input, out.String())
	require.Equal(t, "no more", errOut.String())
	require.Equal(t, 3, session.ExitCode(execStatus(target{deployment: "shop"}, []string{"cat"}, result)))
}

func TestACommandWithoutInputIsToldSoAtOnce(t *testing.T) {
	g := provider(t, cat(t, nil))
	conn, err := g.dialExec(t.Context(), replicaOf("web", 0), []string{"cat"}, false)
	require.NoError(t, err)
	never := iotest.ErrReader(errors.New("nobody may read this"))
	s := &execStream{conn: conn, local: newTerminal(never, io.Discard, io.Discard)}
	result, err := s.run(t.Context(), false)
	require.NoError(t, err)
	require.EqualValues(t, 3, result.GetExitCode())
}

func TestASessionIsAskedForWithTheCommandTheReplicaAndAToken(t *testing.T) {
	var asked *http.Request
	g := provider(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r
		http.Error(w, "the deployment does not give the access key that scope\x1b[2J", http.StatusForbidden)
	})
	_, err := g.dialExec(t.Context(), replicaOf("db", 2), []string{"psql", "-c", "a b&c"}, true)
	require.ErrorContains(t, err, "does not give the access key that scope[2J", "without control sequences")
	require.Equal(t, "Bearer token-for-exec", asked.Header.Get("Authorization"))
	require.Equal(t, execPath, asked.URL.Path)
	require.Equal(t, url.Values{
		"lease": {"7"}, "service": {"db"}, "replica": {"2"}, "tty": {"1"}, "command": {"psql", "-c", "a b&c"},
	}, asked.URL.Query())
}

func TestASessionGoesToThePinnedKeyOnly(t *testing.T) {
	g := provider(t, cat(t, nil))
	g.tls = pinned([][]byte{make([]byte, 32)})
	_, err := g.dialExec(t.Context(), replicaOf("web", 0), []string{"cat"}, false)
	require.ErrorContains(t, err, "not one that the provider pinned")
}

func TestASessionThatTheProviderEndsSaysWhy(t *testing.T) {
	g := provider(t, func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{execSubprotocol}})
		if err == nil {
			_ = conn.Close(websocket.StatusPolicyViolation, "the lease has ended") // the client judges
		}
	})
	conn, err := g.dialExec(t.Context(), replicaOf("web", 0), []string{"sh"}, false)
	require.NoError(t, err)
	s := &execStream{conn: conn, local: newTerminal(strings.NewReader(""), io.Discard, io.Discard)}
	_, err = s.receive(t.Context())
	require.EqualError(t, err, "the lease has ended")
}

func TestASessionEndsWithItsContext(t *testing.T) {
	g := provider(t, cat(t, nil))
	ctx, cancel := context.WithCancel(t.Context())
	conn, err := g.dialExec(ctx, replicaOf("web", 0), []string{"cat"}, false)
	require.NoError(t, err)
	cancel()
	s := &execStream{conn: conn, local: newTerminal(strings.NewReader(""), io.Discard, io.Discard)}
	_, err = s.receive(ctx)
	require.Error(t, err)
}

func TestOnlyOneReplicaIsTakenWithoutBeingNamed(t *testing.T) {
	shop := target{deployment: "shop"}
	web, db := replicaOf("web", 0), replicaOf("db", 0)
	p, err := onePlace(shop, []place{web})
	require.NoError(t, err)
	require.Equal(t, web, p)
	_, err = onePlace(shop, []place{web, db})
	require.Equal(t, session.ExitUsage, session.ExitCode(err))
	elsewhere := web
	elsewhere.lease.Id = 8
	_, err = onePlace(target{"shop", "web"}, []place{web, elsewhere})
	require.ErrorContains(t, err, "it runs in 2")
}
