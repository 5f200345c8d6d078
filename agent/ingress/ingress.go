// Package ingress is the HTTP door of a provider: requests for "<service>-<lease>.<domain>", and for names that tenants have
// shown to be theirs, go to the running replicas of that service, in turn.
//
// It owns the routing table, the proxying, and whose name is whose as the DNS says. It must not know the chain or the runtime:
// somebody gives it the table.
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

	"github.com/souk-network/souk/agent/callers"
	"github.com/souk-network/souk/client/fault"
)

const (
	headerTimeout  = 10 * time.Second
	idleTimeout    = 2 * time.Minute
	dialTimeout    = 3 * time.Second
	maxHeaderBytes = 64 << 10
	maxHostBytes   = 253
	hostCharacters = "abcdefghijklmnopqrstuvwxyz0123456789-."
	// maxOpen requests to one route are under way at once, WebSockets included.
	maxOpen = 2048
	// maxConnections are open at once at a port, and so many of them of one address; more are closed as they come. An address
	// may be a proxy or many homes.
	maxConnections         = 16384
	maxConnectionsOfRemote = 1024
	// flushAfter is how long a part of an answer may wait for more of it.
	flushAfter = 20 * time.Millisecond
	// stall ends a request whose body stands still for so long.
	stall = time.Minute
)

// Route leads names to replicas of a service.
type Route struct {
	Label    string // below the domain
	Lease    uint64
	Owner    string   // account of the lease
	Names    []string // further ones that its owner says are the owner's
	Backends []netip.AddrPort
	Reason   string // why there are no backends, for people
}

// Config says how names are served.
type Config struct {
	Domain string // of the provider
	// Reserved names are never a tenant's, such as the gateway's.
	Reserved []string
	Resolver Resolver // nil for this machine's
	// Tell is called when a tenant's name is verified, and once when it is not; may be nil.
	Tell func(lease uint64, kind, message string)
	ACME *ACME // for HTTPS; nil for none
	Log  *slog.Logger
}

// Server proxies.
type Server struct {
	domain string
	names  *names
	table  atomic.Pointer[table]
	proxy  *httputil.ReverseProxy
	log    *slog.Logger

	certificates *certificates // nil without HTTPS
}

// table is all that requests are led by.
type table struct {
	labels map[string]*target
	names  map[string]*target // verified ones
}

// target is a route with its turn.
type target struct {
	Route
	*traffic
}

// traffic is what goes on over changes of the table.
type traffic struct {
	turn atomic.Uint32
	open atomic.Int32 // requests
}

// New makes a server for names below a domain.
func New(cfg Config) *Server {
	s := &Server{domain: strings.ToLower(strings.TrimSuffix(cfg.Domain, ".")), log: cfg.Log}
	if cfg.Resolver == nil {
		cfg.Resolver = SystemResolver{}
	}
	if cfg.Tell == nil {
		cfg.Tell = func(uint64, string, string) {}
	}
	s.names = &names{
		domain: s.domain, reserved: cfg.Reserved, resolver: cfg.Resolver, tell: cfg.Tell, log: cfg.Log,
		wake: make(chan struct{}, 1), claims: map[claim]*standing{}, checked: map[claim]bool{},
	}
	s.table.Store(&table{})
	if cfg.ACME != nil {
		s.certificates = newCertificates(*cfg.ACME, s.ownerOf, cfg.Log)
	}
	s.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme = "http"
			r.Out.URL.Host = r.In.Host // replaced by a backend's address in the transport
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		Transport:     &turns{inner: newTransport()},
		FlushInterval: flushAfter, // of answers that say their length; streams flow as they come
		BufferPool:    newBuffers(),
		ErrorHandler:  s.failed,
		ErrorLog:      slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
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
	old := s.table.Load()
	next := &table{labels: make(map[string]*target, len(routes)), names: map[string]*target{}}
	var claims []claim
	of := map[uint64]int{}
	for _, r := range routes {
		t := &target{r, new(traffic)}
		if before := old.labels[r.Label]; before != nil {
			t.traffic = before.traffic
		}
		next.labels[r.Label] = t
		for _, name := range r.Names {
			if of[r.Lease]++; of[r.Lease] <= MaxNames {
				claims = append(claims, claim{strings.ToLower(name), r.Label, r.Owner, r.Lease})
			}
		}
	}
	for name, c := range s.names.verified(claims) {
		next.names[name] = next.labels[c.label]
	}
	s.table.Store(next)
}

// KeepNames verifies tenants' names until ctx ends.
func (s *Server) KeepNames(ctx context.Context) { s.names.run(ctx) }

// Serves tells whether a tenant's name leads to a lease.
func (s *Server) Serves(name string, lease uint64) bool {
	t := s.table.Load().names[strings.ToLower(name)]
	return t != nil && t.Lease == lease
}

// Serve answers on a listener until ctx ends.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	return s.serve(ctx, s.challenged(), func(server *http.Server) error { return server.Serve(bound(listener)) })
}

func bound(l net.Listener) net.Listener {
	return callers.Bound(l, maxConnections, maxConnectionsOfRemote)
}

func (s *Server) serve(ctx context.Context, handler http.Handler, listen func(*http.Server) error) error {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
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
	if err := listen(server); !errors.Is(err, http.ErrServerClosed) {
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
	case r.TLS != nil && !agree(r.Host, r.TLS.ServerName):
		page(w, http.StatusMisdirectedRequest, "The connection was made for another host.", "")
	case len(t.Backends) == 0:
		w.Header().Set("Retry-After", "2")
		page(w, http.StatusServiceUnavailable, "The service is not running yet.", t.Reason)
	default:
		s.pass(w, r, t)
	}
}

// pass gives a request to a replica, unless too many of the service are under way.
func (s *Server) pass(w http.ResponseWriter, r *http.Request, t *target) {
	defer t.open.Add(-1)
	if t.open.Add(1) > maxOpen {
		w.Header().Set("Retry-After", "1")
		page(w, http.StatusServiceUnavailable, "The service has too many requests under way.", "")
		return
	}
	if r.Body != nil && r.Body != http.NoBody {
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex() // a replica may answer before it has read all; HTTP/2 can do that anyway
		r.Body = &movingBody{r.Body, control}
	}
	s.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), targetKey{}, t)))
}

// agree compares the host of a request with the name that its connection was made for.
func agree(host, sni string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.EqualFold(strings.TrimSuffix(host, "."), strings.TrimSuffix(sni, "."))
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
	if name == "" || len(name) > maxHostBytes || strings.Trim(name, hostCharacters+":") != "" {
		return nil, errBadHost
	}
	all := s.table.Load()
	t := all.names[name]
	if label, ok := strings.CutSuffix(name, "."+s.domain); ok {
		t = all.labels[label]
	}
	if t == nil {
		return nil, errUnknown
	}
	return t, nil
}

// ownerOf is the account of the lease that a name leads to.
func (s *Server) ownerOf(name string) (string, bool) {
	t, err := s.find(name)
	if err != nil {
		return "", false
	}
	return t.Owner, true
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
