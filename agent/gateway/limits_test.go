package gateway

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/api/apiconnect"
	"github.com/souk-network/souk/agent/token"
)

func bare() *Server {
	return New(Config{IngressDomain: "p.localhost"}, Parts{Log: slog.New(slog.DiscardHandler)})
}

func TestOneAddressDoesNotTakeEveryPlace(t *testing.T) {
	s := bare()
	inside, leave := make(chan struct{}), make(chan struct{})
	door := s.bounded(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stay" {
			inside <- struct{}{}
			<-leave
		}
	}))
	call := func(from, path string) int {
		r := httptest.NewRequest(http.MethodPost, path, nil)
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		return w.Code
	}
	var stay sync.WaitGroup
	for range maxRequestsOfRemote {
		stay.Go(func() { call("[2001:db8::1]:1", "/stay") })
		<-inside
	}
	require.Equal(t, http.StatusServiceUnavailable, call("[2001:db8::1]:2", "/"), "one more")
	require.Equal(t, http.StatusServiceUnavailable, call("[2001:db8::ffff]:1", "/"), "from the same /64")
	require.Equal(t, http.StatusOK, call("[2001:db8:0:1::1]:1", "/"), "from elsewhere")
	require.Equal(t, http.StatusOK, call("192.0.2.1:1", "/"))
	close(leave)
	stay.Wait()
	require.Equal(t, http.StatusOK, call("[2001:db8::1]:2", "/"), "when the others have left")
	require.Zero(t, s.remotes.Keys(), "nothing is remembered of those who left")
}

func TestACallThatDripsEnds(t *testing.T) {
	for _, version := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(version, func(t *testing.T) {
			s := bare()
			s.bodyTime = 200 * time.Millisecond
			server := httptest.NewUnstartedServer(s.handler)
			server.EnableHTTP2 = version == "HTTP/2.0"
			server.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
			server.StartTLS()
			defer server.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			body, drip := io.Pipe()
			go func() {
				tick := time.NewTicker(20 * time.Millisecond)
				defer tick.Stop()
				for range tick.C {
					if _, err := io.WriteString(drip, " "); err != nil {
						return
					}
				}
			}()
			defer func() { require.NoError(t, body.Close()) }() // ends the dripping
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+apiconnect.GatewayServiceInfoProcedure, body)
			require.NoError(t, err)
			r.Header.Set("Content-Type", "application/json")
			resp, err := server.Client().Do(r)
			require.NoError(t, ctx.Err(), "the gateway went on reading")
			if err == nil { // HTTP/2 may reset instead of answering
				defer resp.Body.Close()
				require.Equal(t, version, resp.Proto)
				require.GreaterOrEqual(t, resp.StatusCode, 400)
			}
			require.Eventually(t, func() bool { return len(s.slots) == 0 }, 10*time.Second, time.Millisecond)
		})
	}
}

func TestInfoTakesNoLargeMessage(t *testing.T) {
	s := bare()
	r := httptest.NewRequest(http.MethodPost, apiconnect.GatewayServiceInfoProcedure, strings.NewReader("{"+strings.Repeat(" ", maxInfoBytes)+"}"))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	require.Contains(t, w.Body.String(), "resource_exhausted")
}

func TestWhoComesTooOftenIsToldWhenToComeAgain(t *testing.T) {
	s := bare()
	s.callers = newRates(pace{1, 3})
	call := func(from, kind string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, apiconnect.GatewayServiceInfoProcedure, strings.NewReader("{"))
		r.RemoteAddr, r.Host = from, "192.0.2.9"
		r.Header.Set("Content-Type", kind)
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		return w
	}
	for range 3 {
		require.NotEqual(t, http.StatusTooManyRequests, call("192.0.2.1:1", "application/json").Code)
	}
	for _, kind := range []string{"application/json", "text/plain"} {
		refused := call("192.0.2.1:2", kind)
		require.Equal(t, http.StatusTooManyRequests, refused.Code)
		require.Equal(t, "1", refused.Header().Get("Retry-After"))
	}
	require.NotEqual(t, http.StatusTooManyRequests, call("192.0.2.2:1", "application/json").Code)
}

func TestAnAccountSharesOnePaceFromEverywhere(t *testing.T) {
	s := bare()
	s.accounts = newRates(pace{1, 2})
	require.Zero(t, s.accounts.take("souk1a", time.Unix(0, 0)))
	require.Zero(t, s.accounts.take("souk1a", time.Unix(0, 0)))
	require.Equal(t, time.Second, s.accounts.take("souk1a", time.Unix(0, 0)))
	require.Zero(t, s.accounts.take("souk1b", time.Unix(0, 0)))
	require.Zero(t, s.accounts.take("souk1a", time.Unix(1, 0)))
}

func TestThePaceOfManyIsKeptInBoundedMemory(t *testing.T) {
	r := newRates(pace{1, 2})
	at := time.Unix(0, 0)
	for i := range maxPaced + 10 {
		require.Zero(t, r.take(strconv.Itoa(i), at)/time.Hour)
	}
	require.LessOrEqual(t, len(r.held), maxPaced+1)
	r.take("new", at.Add(time.Hour))
	require.Len(t, r.held, 1, "those who rested are forgotten")
}

func TestHostAndHandshakeAgree(t *testing.T) {
	s := bare()
	tests := []struct {
		name, host, sni string
		want            int
	}{
		{"the same", "gateway.example:8443", "gateway.example", http.StatusOK},
		{"in another case, with a final dot", "Gateway.Example.:8443", "gateway.example", http.StatusOK},
		{"an address", "192.0.2.1:8443", "", http.StatusOK},
		{"an IPv6 address", "[2001:db8::1]:8443", "", http.StatusOK},
		{"another host", "other.example", "gateway.example", http.StatusMisdirectedRequest},
		{"an address behind a name", "192.0.2.1", "gateway.example", http.StatusMisdirectedRequest},
		{"a name that was not asked for", "gateway.example", "", http.StatusMisdirectedRequest},
		{"a workload", "web-7.p.localhost:8443", "web-7.p.localhost", http.StatusMisdirectedRequest},
		{"the provider's domain", "p.localhost:8443", "p.localhost", http.StatusOK},
		{"a name below it that no workload can have", "gateway.p.localhost", "gateway.p.localhost", http.StatusOK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Host, r.TLS = tt.host, &tls.ConnectionState{ServerName: tt.sni}
			w := httptest.NewRecorder()
			s.addressed(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
			require.Equal(t, tt.want, w.Code)
		})
	}
}

func TestConnectionsThatNeverAskAreBounded(t *testing.T) {
	s := bare()
	listener, err := Listen("127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, listener) }()
	defer func() { stop(); require.NoError(t, <-done) }()
	dial := func() net.Conn {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", listener.Addr().String())
		require.NoError(t, err)
		return c
	}
	for range maxConnectionsOfRemote {
		defer dial().Close()
	}
	more := dial()
	defer more.Close()
	require.NoError(t, more.SetReadDeadline(time.Now().Add(headerTimeout/2)))
	_, err = more.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "it is still open")
}

func TestOneAccessKeyDoesNotTakeEveryPlaceOfItsOwner(t *testing.T) {
	p := newPlaces("streams", 5, 3)
	owner, key := token.Grant{Owner: "souk1alice", Issuer: "souk1alice"}, token.Grant{Owner: "souk1alice", Issuer: "souk1key"}
	for range 3 {
		require.NoError(t, p.take(key))
	}
	require.ErrorContains(t, p.take(key), "3 streams of this access key")
	require.NoError(t, p.take(token.Grant{Owner: "souk1bob", Issuer: "souk1key"}), "of another owner it takes that owner's")
	require.NoError(t, p.take(owner))
	require.NoError(t, p.take(owner))
	require.ErrorContains(t, p.take(owner), "5 streams of this account")
	p.giveBack(key)
	require.NoError(t, p.take(owner))
	require.ErrorContains(t, p.take(key), "5 streams of this account", "a key takes of what its owner has")
	for range 3 {
		p.giveBack(owner)
	}
	require.NoError(t, p.take(key))
	for range 3 {
		p.giveBack(key)
	}
	p.giveBack(token.Grant{Owner: "souk1bob", Issuer: "souk1key"})
	require.Zero(t, p.owners.Keys()+p.keys.Keys(), "nothing is remembered of those who left")
}
