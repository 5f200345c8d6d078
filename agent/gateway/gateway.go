// Package gateway is a provider's door for tenants: one TLS port with the Connect API of souk.agent.v1 and the OCI registry
// under /v2/, both for callers who show a token of the lease's owner.
//
// It owns authentication, limits and the translation between the protocols and the agent. It must not know how leases come
// from the chain or how containers run: both are interfaces.
package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/souk-network/souk/agent/api/apiconnect"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/token"
	"github.com/souk-network/souk/agent/workload"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/manifest/manifestpb"
)

const (
	headerTimeout  = 10 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 16 << 10
	// stall ends a request whose caller neither sends nor takes anything for so long.
	stall = 30 * time.Second
	// maxMessageBytes bounds a Connect message: the largest manifest group, its header and hashes.
	maxMessageBytes = 1 << 20
	// callBodyTime is how long a Connect call may take to send its message, which is small.
	callBodyTime = 10 * time.Second
	// maxInfoBytes bounds the message of Info, which anybody may send and which says nothing.
	maxInfoBytes = 4 << 10
	// maxRequests are served at once, and so many of them to one address; more are turned away.
	maxRequests         = 512
	maxRequestsOfRemote = 64
	// maxLogStreams are open at once to one owner.
	maxLogStreams = 16
)

// ErrNoLease says that this provider has no live lease of that number.
var ErrNoLease = errors.New("no such lease at this provider")

// Agent is what the gateway asks of the agent.
type Agent interface {
	// Lease finds a live lease; ErrNoLease when there is none.
	Lease(ctx context.Context, id uint64) (workload.Lease, error)
	// Problem says what keeps a lease's workload from being applied; "" when nothing does.
	Problem(id uint64) string
	// Height of the last block that was acted on.
	Height() int64
	// Now is the service second of the chain, by which access keys expire.
	Now() uint64
	// Wake makes the agent look again soon.
	Wake()
	// Refresh makes what runs reachable through the ingress, before a tenant hears that it runs.
	Refresh(ctx context.Context)
}

// Manifests keeps manifests.
type Manifests interface {
	PutManifest(lease uint64, envelope *manifestpb.Envelope) error
	// Manifest gives the last one that was put; an error when there is none.
	Manifest(lease uint64) (*manifestpb.Envelope, error)
}

// Config says who answers.
type Config struct {
	ChainID       string
	Provider      string
	Version       string
	IngressDomain string
	IngressPort   uint16
	Isolation     []string
	MaxBlobBytes  int64
	Certificate   tls.Certificate
}

// Server is the gateway.
type Server struct {
	cfg       Config
	agent     Agent
	manifests Manifests
	runtime   runtime.Runtime
	tokens    token.Verifier
	log       *slog.Logger
	handler   http.Handler
	bodyTime  time.Duration // callBodyTime
	slots     chan struct{}
	remotes   *tally // requests
	streams   *tally // of logs, by owner
}

// New makes a gateway.
func New(cfg Config, agent Agent, manifests Manifests, rt runtime.Runtime, log *slog.Logger) *Server {
	s := &Server{
		cfg: cfg, agent: agent, manifests: manifests, runtime: rt, log: log,
		tokens:   token.Verifier{ChainID: cfg.ChainID, Provider: cfg.Provider},
		bodyTime: callBodyTime, slots: make(chan struct{}, maxRequests),
		remotes: newTally(maxRequestsOfRemote), streams: newTally(maxLogStreams),
	}
	path, rpc := apiconnect.NewGatewayServiceHandler(&service{Server: s}, connect.WithReadMaxBytes(maxMessageBytes))
	mux := http.NewServeMux()
	mux.Handle(path, s.brief(s.authenticate(rpc)))
	mux.Handle("/v2/", steady(s.registry()))
	s.handler = s.bounded(mux)
	return s
}

// Listen opens the gateway's port.
func Listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fault.New("the gateway can not listen on "+address, err,
			"find who holds the port with `ss -ltnp`, or choose another: --gateway-listen")
	}
	return l, nil
}

// Serve answers on a listener until ctx ends.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler: s.handler, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		TLSConfig:   &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{s.cfg.Certificate}},
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return ctx }, // streams end with the agent
	}
	stopped := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if server.Shutdown(grace) != nil {
			_ = server.Close()
		}
	})
	defer stopped()
	if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve gateway: %w", err)
	}
	return nil
}

// bounded turns away what is too much at once and ends answers that nobody takes.
func (s *Server) bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from := remote(r)
		if !s.remotes.take(from) {
			turnAway(w)
			return
		}
		defer s.remotes.giveBack(from)
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		default:
			turnAway(w)
			return
		}
		next.ServeHTTP(&steadyWriter{w, http.NewResponseController(w)}, r)
	})
}

func turnAway(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, "too many requests at once", http.StatusServiceUnavailable)
}

type grantKey struct{}

// authenticate checks the token before a byte of the body is read. Info needs none.
func (s *Server) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == apiconnect.GatewayServiceInfoProcedure {
			r.Body = http.MaxBytesReader(w, r.Body, maxInfoBytes)
			next.ServeHTTP(w, r)
			return
		}
		grant, err := s.bearer(r)
		if err != nil {
			writeUnauthenticated(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), grantKey{}, grant)))
	})
}

var connectErrors = connect.NewErrorWriter()

func writeUnauthenticated(w http.ResponseWriter, r *http.Request, err error) {
	if !connectErrors.IsSupported(r) {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	_ = connectErrors.Write(w, r, connect.NewError(connect.CodeUnauthenticated, err)) // the caller left: nothing to tell
}

// bearer takes the token from the request: as such, or as the password that registry clients send.
func (s *Server) bearer(r *http.Request) (token.Grant, error) {
	raw, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		_, raw, ok = r.BasicAuth()
	}
	if !ok || raw == "" {
		return token.Grant{}, fmt.Errorf("%w: none was sent", token.ErrInvalid)
	}
	return s.tokens.Verify(raw)
}
