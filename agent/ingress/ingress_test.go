package ingress

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

// world is an ingress on a real socket.
type world struct {
	t       *testing.T
	server  *Server
	address string
}

func start(t *testing.T) *world {
	t.Helper()
	listener, err := Listen("127.0.0.1:0")
	require.NoError(t, err)
	s := New(Config{Domain: "Provider.Example.", Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return &world{t, s, listener.Addr().String()}
}

// backend is a service's container.
func backend(t *testing.T, h http.Handler) netip.AddrPort {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return netip.MustParseAddrPort(server.Listener.Addr().String())
}

func says(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) })
}

// nobody is an address at which nothing listens.
func nobody(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return netip.MustParseAddrPort(l.Addr().String())
}

func (w *world) request(method, host, path string, body io.Reader) *http.Request {
	r, err := http.NewRequestWithContext(w.t.Context(), method, "http://"+w.address+path, body)
	require.NoError(w.t, err)
	r.Host = host
	return r
}

func (w *world) do(r *http.Request) (int, string, http.Header) {
	w.t.Helper()
	resp, err := http.DefaultClient.Do(r)
	require.NoError(w.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(w.t, err)
	return resp.StatusCode, string(body), resp.Header
}

func (w *world) get(host string) (int, string) {
	w.t.Helper()
	code, body, _ := w.do(w.request(http.MethodGet, host, "/", nil))
	return code, body
}

func TestRequestsGoToTheServiceOfTheirName(t *testing.T) {
	w := start(t)
	w.server.SetRoutes([]Route{
		{Label: "web-7", Backends: []netip.AddrPort{backend(t, says("seven"))}},
		{Label: "web-8", Backends: []netip.AddrPort{backend(t, says("eight"))}},
	})
	for _, host := range []string{"web-7.provider.example", "WEB-7.Provider.Example", "web-7.provider.example:8080", "web-7.provider.example."} {
		code, body := w.get(host)
		require.Equal(t, http.StatusOK, code, host)
		require.Equal(t, "seven", body, host)
	}
	_, body := w.get("web-8.provider.example")
	require.Equal(t, "eight", body)
	w.server.SetRoutes([]Route{{Label: "web-8", Backends: []netip.AddrPort{backend(t, says("moved"))}}})
	_, body = w.get("web-8.provider.example")
	require.Equal(t, "moved", body)
	code, _ := w.get("web-7.provider.example")
	require.Equal(t, http.StatusNotFound, code, "the lease has ended")
}

func TestPagesSayWhatIsWrong(t *testing.T) {
	w := start(t)
	w.server.SetRoutes([]Route{
		{Label: "web-7", Reason: "Its container has ended."},
		{Label: "deaf-7", Backends: []netip.AddrPort{nobody(t)}},
	})
	tests := []struct {
		name, host string
		code       int
		says       string
	}{
		{"no such lease", "web-9.provider.example", 404, "web-7.provider.example"},
		{"another domain", "web-7.example.org", 404, "No service"},
		{"the domain itself", "provider.example", 404, "No service"},
		{"below a service", "a.web-7.provider.example", 404, "No service"},
		{"not running", "web-7.provider.example", 503, "Its container has ended."},
		{"nothing listens", "deaf-7.provider.example", 502, "did not answer"},
		{"an address", "127.0.0.1", 404, "No service"},
		{"markup", "<script>", 400, ""},
		{"no host name", "web_7.provider.example", 400, "not a host name"},
		{"a control character", "web-7\x7f.provider.example", 400, ""},
		{"too long", strings.Repeat("a", 300), 400, "not a host name"},
		{"a port that is none", "web-7.provider.example:http", 400, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", w.address)
			require.NoError(t, err)
			defer conn.Close()
			fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", tt.host)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.Equal(t, tt.code, resp.StatusCode)
			require.Contains(t, string(body), tt.says)
			require.NotContains(t, string(body), "<script>")
		})
	}
}

func TestReplicasTakeTurnsAndTheDeadArePassedOver(t *testing.T) {
	w := start(t)
	a, b := backend(t, says("a")), backend(t, says("b"))
	w.server.SetRoutes([]Route{{Label: "web-7", Backends: []netip.AddrPort{a, nobody(t), b}}})
	seen := map[string]int{}
	for range 12 {
		// A body shows that a request is whole after a failed attempt.
		r := w.request(http.MethodPost, "web-7.provider.example", "/", strings.NewReader("payload"))
		code, body, _ := w.do(r)
		require.Equal(t, http.StatusOK, code)
		seen[body]++
	}
	require.Equal(t, map[string]int{"a": 4, "b": 8}, seen)
}

func TestABodyArrivesWholeAfterADeadReplica(t *testing.T) {
	w := start(t)
	echo := backend(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	w.server.SetRoutes([]Route{{Label: "web-7", Backends: []netip.AddrPort{nobody(t), echo}}})
	payload := strings.Repeat("0123456789", 100_000)
	_, body, _ := w.do(w.request(http.MethodPost, "web-7.provider.example", "/", strings.NewReader(payload)))
	require.Equal(t, len(payload), len(body))
	require.Equal(t, payload, body)
}

func TestServicesSeeTheTrueClientAndTheHost(t *testing.T) {
	w := start(t)
	seen := make(chan *http.Request, 1)
	target := backend(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r }))
	w.server.SetRoutes([]Route{{Label: "web-7", Backends: []netip.AddrPort{target}}})
	r := w.request(http.MethodGet, "web-7.provider.example:8080", "/a%2Fb?q=1", nil)
	r.Header.Set("X-Forwarded-For", "6.6.6.6")
	r.Header.Set("X-Forwarded-Host", "evil.example")
	w.do(r)
	got := <-seen
	require.Equal(t, "web-7.provider.example:8080", got.Host)
	require.Equal(t, "127.0.0.1", got.Header.Get("X-Forwarded-For"))
	require.Equal(t, "web-7.provider.example:8080", got.Header.Get("X-Forwarded-Host"))
	require.Equal(t, "/a%2Fb?q=1", got.URL.RequestURI())
}

func TestStreamsFlowAsTheyCome(t *testing.T) {
	w := start(t)
	more := make(chan struct{})
	target := backend(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "first")
		w.(http.Flusher).Flush()
		select {
		case <-more:
			fmt.Fprintln(w, "second")
		case <-r.Context().Done():
		}
	}))
	w.server.SetRoutes([]Route{{Label: "web-7", Backends: []netip.AddrPort{target}}})
	resp, err := http.DefaultClient.Do(w.request(http.MethodGet, "web-7.provider.example", "/", nil))
	require.NoError(t, err)
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	require.True(t, lines.Scan())
	require.Equal(t, "first", lines.Text())
	close(more)
	require.True(t, lines.Scan())
	require.Equal(t, "second", lines.Text())
}

func TestWebSocketsPassThrough(t *testing.T) {
	w := start(t)
	target := backend(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return
		}
		kind, text, err := conn.Read(r.Context())
		if err != nil {
			return
		}
		_ = conn.Write(r.Context(), kind, append([]byte("echo "), text...))
		_ = conn.Close(websocket.StatusNormalClosure, "")
	}))
	w.server.SetRoutes([]Route{{Label: "web-7", Backends: []netip.AddrPort{target}}})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws://"+w.address+"/", &websocket.DialOptions{Host: "web-7.provider.example"})
	require.NoError(t, err)
	require.NoError(t, conn.Write(ctx, websocket.MessageText, []byte("hello")))
	_, text, err := conn.Read(ctx)
	require.NoError(t, err)
	require.Equal(t, "echo hello", string(text))
}

func TestABusyPortSaysWhatToDo(t *testing.T) {
	l, err := Listen("127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, err = Listen(l.Addr().String())
	require.ErrorContains(t, err, l.Addr().String())
}
