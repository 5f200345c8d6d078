// Package ingress is the HTTP door of a provider: requests for "<service>-<lease>.<domain>" go to the running replicas of
// that service, in turn.
//
// It owns the routing table and the proxying. It must not know the chain or the runtime: somebody gives it the table.
package ingress

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/souk-network/souk/client/fault"
)

const (
	headerTimeout  = 10 * time.Second
	idleTimeout    = 2 * time.Minute
	dialTimeout    = 3 * time.Second
	maxHeaderBytes = 64 << 10
	maxHostBytes   = 253
)

// Route leads one name to its replicas.
type Route struct {
	Label    string // below the domain
	Backends []netip.AddrPort
	Reason   string // why there are no backends, for people
}

// Server proxies.
type Server struct {
	domain string
	routes atomic.Pointer[map[string]*target]
	proxy  *httputil.ReverseProxy
	log    *slog.Logger
}

// target is a route with its turn.
type target struct {
	Route
	turn *atomic.Uint32
}

// New makes a server for names below domain.
func New(domain string, log *slog.Logger) *Server {
	s := &Server{domain: strings.ToLower(strings.TrimSuffix(domain, ".")), log: log}
	s.routes.Store(&map[string]*target{})
	s.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme = "http"
			r.Out.URL.Host = r.In.Host // replaced by a backend's address in the transport
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		Transport:     &turns{routes: s, inner: newTransport()},
		FlushInterval: -1, // streams flow as they come
		ErrorHandler:  s.failed,
		ErrorLog:      slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return s
}

func newTransport() *http.Transport {
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		MaxIdleConns:           1024,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true,
	}
}

// SetRoutes replaces the whole table at once. Requests under way go on.
func (s *Server) SetRoutes(routes []Route) {
	old, table := *s.routes.Load(), make(map[string]*target, len(routes))
	for _, r := range routes {
		turn := new(atomic.Uint32)
		if before := old[r.Label]; before != nil {
			turn = before.turn
		}
		table[r.Label] = &target{r, turn}
	}
	s.routes.Store(&table)
}

// Serve answers on a listener until ctx ends.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler: s, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	stopped := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if server.Shutdown(grace) != nil {
			_ = server.Close()
		}
	})
	defer stopped()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve ingress: %w", err)
	}
	return nil
}

// Listen opens the ingress's port.
func Listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fault.New("the HTTP ingress can not listen on "+address, err,
			"find who holds the port with `ss -ltnp`, or choose another: --ingress-listen")
	}
	return l, nil
}

// ServeHTTP finds the service by the request's host.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t, err := s.find(r.Host)
	switch {
	case errors.Is(err, errBadHost):
		page(w, http.StatusBadRequest, "This is not a host name.", "")
	case err != nil:
		page(w, http.StatusNotFound, "No service has this name.",
			"Names look like web-7."+s.domain+": service, lease, provider. `souk ps` shows those of your deployments.")
	case len(t.Backends) == 0:
		w.Header().Set("Retry-After", "2")
		page(w, http.StatusServiceUnavailable, "The service is not running yet.", t.Reason)
	default:
		s.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), targetKey{}, t)))
	}
}

type targetKey struct{}

var (
	errBadHost = errors.New("bad host")
	errUnknown = errors.New("unknown host")
)

// find takes a Host header apart. Only names that could be in the table get as far as the table.
func (s *Server) find(host string) (*target, error) {
	name := strings.ToLower(host)
	if h, port, err := net.SplitHostPort(name); err == nil {
		if port == "" || strings.Trim(port, "0123456789") != "" {
			return nil, errBadHost
		}
		name = h
	}
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > maxHostBytes || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-.:") != "" {
		return nil, errBadHost
	}
	label, ok := strings.CutSuffix(name, "."+s.domain)
	if !ok {
		return nil, errUnknown
	}
	t := (*s.routes.Load())[label]
	if t == nil {
		return nil, errUnknown
	}
	return t, nil
}

// failed answers when no replica did.
func (s *Server) failed(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // the client has left
	}
	s.log.Debug("no replica answered", "host", r.Host, "error", err)
	page(w, http.StatusBadGateway, "The service did not answer.", "Its containers run, but nothing answers on the port. `souk logs` shows what they say.")
}

// page is a short text that nobody can put markup into.
func page(w http.ResponseWriter, code int, what, more string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	fmt.Fprintf(w, "%d %s\n", code, what)
	if more != "" {
		fmt.Fprintf(w, "%s\n", more)
	}
}
