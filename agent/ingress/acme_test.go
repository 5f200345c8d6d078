package ingress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/stretchr/testify/require"
)

// authority is Pebble, the test server of Let's Encrypt, which asks the challenges at the ports of an ingress.
type authority struct {
	directory string
	server    *x509.CertPool // to trust its own server by
	issued    *x509.CertPool // to trust what it issues by
}

func newAuthority(t *testing.T, resolver string, httpPort, tlsPort int) authority {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	quiet := log.New(io.Discard, "", 0)
	store := db.NewMemoryStore()
	issuer := ca.New(quiet, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {ValidityPeriod: 86400}})
	validator := va.New(quiet, httpPort, tlsPort, false, resolver, store)
	front := wfe.New(quiet, store, validator, issuer, nil, false, false, 1, 1)
	server := httptest.NewTLSServer(front.Handler())
	t.Cleanup(server.Close)
	out := authority{directory: server.URL + wfe.DirectoryPath, server: x509.NewCertPool(), issued: x509.NewCertPool()}
	out.server.AddCert(server.Certificate())
	root, err := x509.ParseCertificate(issuer.GetRootCert(0).DER)
	require.NoError(t, err)
	out.issued.AddCert(root)
	return out
}

func listen(t *testing.T) (net.Listener, int) {
	t.Helper()
	l, err := Listen("127.0.0.1:0")
	require.NoError(t, err)
	address, ok := l.Addr().(*net.TCPAddr)
	require.True(t, ok)
	return l, address.Port
}

// secure is an ingress with HTTPS and a client that finds every name at it.
func secure(t *testing.T) (s *Server, z *zone, client *http.Client) {
	t.Helper()
	z = newZone(t)
	plain, httpPort := listen(t)
	encrypted, tlsPort := listen(t)
	a := newAuthority(t, z.address, httpPort, tlsPort)
	s = New(Config{
		Domain: "provider.example", Resolver: SystemResolver{Servers: []string{z.address}}, Log: slog.New(slog.DiscardHandler),
		ACME: &ACME{Directory: a.directory, Folder: t.TempDir(), Roots: a.server, HTTPPort: httpPort, TLSPort: tlsPort},
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 3)
	go func() { done <- s.Serve(ctx, plain) }()
	go func() { done <- s.ServeTLS(ctx, encrypted) }()
	go func() { s.KeepNames(ctx); done <- nil }()
	address := encrypted.Addr().String()
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: a.issued, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		for range 3 {
			require.NoError(t, <-done)
		}
	})
	return s, z, &http.Client{Transport: transport, Timeout: time.Minute}
}

func TestNamesThatAreServedGetCertificates(t *testing.T) {
	s, z, client := secure(t)
	z.set(func(z *zone) { z.txt["_souk.shop.example"] = []string{"souk1alice"} })
	web := backend(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("X-Forwarded-Proto")+" "+r.Host)
	}))
	routes := []Route{{Label: "web-7", Lease: 7, Owner: "souk1alice", Names: []string{"shop.example", "unverified.example"}, Backends: []netip.AddrPort{web}}}
	require.Eventually(t, func() bool { s.SetRoutes(routes); return s.Serves("shop.example", 7) }, 10*time.Second, time.Millisecond)
	get := func(host string) (string, error) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+"/", nil)
		require.NoError(t, err)
		resp, err := client.Do(r)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return string(body), nil
	}
	for _, host := range []string{"web-7.provider.example", "shop.example", "shop.example"} {
		body, err := get(host)
		require.NoError(t, err)
		require.Equal(t, "https "+host, body)
	}
	for _, host := range []string{"unverified.example", "web-8.provider.example", "stranger.example"} {
		_, err := get(host)
		require.Error(t, err, "no certificate is asked for %s", host)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://shop.example/", nil)
	require.NoError(t, err)
	r.Host = "web-7.provider.example"
	resp, err := client.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusMisdirectedRequest, resp.StatusCode, "host and handshake disagree")
}

func TestWebSocketsPassOverHTTPS(t *testing.T) {
	s, _, client := secure(t)
	echo := backend(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		kind, message, err := conn.Read(r.Context())
		if err == nil {
			_ = conn.Write(r.Context(), kind, message)
		}
		_ = conn.Close(websocket.StatusNormalClosure, "")
	}))
	s.SetRoutes([]Route{{Label: "ws-7", Lease: 7, Backends: []netip.AddrPort{echo}}})
	conn, _, err := websocket.Dial(t.Context(), "wss://ws-7.provider.example/", &websocket.DialOptions{HTTPClient: client})
	require.NoError(t, err)
	defer conn.CloseNow() //nolint:errcheck // closed in order below
	require.NoError(t, conn.Write(t.Context(), websocket.MessageText, []byte("hello")))
	_, message, err := conn.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, "hello", string(message))
	require.NoError(t, conn.Close(websocket.StatusNormalClosure, ""))
}

func TestANameThatTheAuthorityRefusesIsLeftAloneForAWhile(t *testing.T) {
	c := &certificates{owner: func(string) (string, bool) { return "souk1alice", true }, log: slog.New(slog.DiscardHandler), refused: map[string]refusal{}}
	require.NoError(t, c.decide(t.Context(), "shop.example"))
	for range 20 {
		require.NoError(t, c.note(t.Context(), "cert_failed", map[string]any{"identifier": "shop.example"}))
		require.Error(t, c.decide(t.Context(), "shop.example"))
		require.LessOrEqual(t, time.Until(c.refused["shop.example"].until), failLast)
	}
	require.NoError(t, c.decide(t.Context(), "other.example"))
	require.NoError(t, c.note(t.Context(), "cert_obtained", map[string]any{"identifier": "shop.example"}))
	require.NoError(t, c.decide(t.Context(), "shop.example"))
}

func TestOneOwnerDoesNotUseUpTheAuthoritysPatience(t *testing.T) {
	s, _, client := secure(t)
	web := backend(t, says("web"))
	var routes []Route
	for i := range 2 {
		routes = append(routes, Route{Label: fmt.Sprintf("web-%d", i), Lease: uint64(i), Owner: "souk1mallory", Backends: []netip.AddrPort{web}})
	}
	routes = append(routes, Route{Label: "shop-99", Lease: 99, Owner: "souk1alice", Backends: []netip.AddrPort{web}})
	s.SetRoutes(routes)
	get := func(label string) error {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+label+".provider.example/", nil)
		require.NoError(t, err)
		resp, err := client.Do(r)
		if err == nil {
			err = resp.Body.Close()
		}
		return err
	}
	c := s.certificates
	for range maxOrders - 1 {
		require.NoError(t, c.order("web-0.provider.example", time.Now()))
	}
	require.NoError(t, get("web-0"))
	require.Error(t, get("web-1"), "one more")
	require.NoError(t, get("shop-99"), "of another owner")
	require.NoError(t, get("web-0"), "what there is stays")
	require.NoError(t, c.note(t.Context(), "cert_obtaining", map[string]any{"identifier": "web-0.provider.example", "renewal": true}), "renewals do not count")
	require.Error(t, c.order("web-0.provider.example", time.Now()))
	require.NoError(t, c.order("web-0.provider.example", time.Now().Add(ordersEvery)), "an hour later")
}
