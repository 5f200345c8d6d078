// Package gateway is a provider's door for tenants: one TLS port with the Connect API of souk.agent.v1, a WebSocket for
// commands, and the OCI registry under /v2/, all for callers who show a token of the lease's owner or of an access key; and
// for other providers who fetch what leases of theirs run.
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
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/souk-network/souk/agent/api/apiconnect"
	"github.com/souk-network/souk/agent/audit"
	"github.com/souk-network/souk/agent/callers"
	"github.com/souk-network/souk/agent/custody"
	"github.com/souk-network/souk/agent/events"
	"github.com/souk-network/souk/agent/prover"
	"github.com/souk-network/souk/agent/reconcile"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/store"
	"github.com/souk-network/souk/agent/token"
	"github.com/souk-network/souk/agent/workload"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/manifest/manifestpb"
	prooftypes "github.com/souk-network/souk/x/proof/types"
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
	// maxInfoBytes bounds the message of Info and Screen, which anybody may send and which say little.
	maxInfoBytes = 4 << 10
	// leaveTime is how long calls may take to end with the gateway.
	leaveTime = 10 * time.Second
	// maxRequests are served at once, and so many of them to one address; more are turned away.
	maxRequests         = 512
	maxRequestsOfRemote = 64
	// maxConnections are open at once, and so many of them of one address; more are closed as they come.
	maxConnections         = 2048
	maxConnectionsOfRemote = 128
	// maxStreams are open at once to one owner.
	maxStreams = 16
	// maxOfKey streams, and so many commands, are open at once to one access key of an owner.
	maxOfKey = 8
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
	// Screen tells whether replicas of a unit would be taken now, beside all that was promised.
	Screen(unit reconcile.Vector, replicas uint32) (reconcile.Screening, error)
	// Serves tells whether a tenant's own name leads to a lease.
	Serves(name string, lease uint64) bool
	// Wake makes the agent look again soon.
	Wake()
	// Refresh makes what runs reachable through the ingress, before a tenant hears that it runs.
	Refresh(ctx context.Context)
	// Custody finds an open deployment that names this provider as custodian; custody.ErrNotCustodian when there is none.
	// With fresh the chain is asked now: the tenant may just have changed it.
	Custody(ctx context.Context, deployment uint64, fresh bool) (custody.Deployment, error)
	// Claim says to which group a lease of another provider entitles an account; custody.ErrNotEntitled when to none.
	// With fresh the chain is asked now; else what it said a moment ago is good, for an image is many requests.
	Claim(ctx context.Context, account string, lease uint64, fresh bool) (custody.Claim, error)
	// EverLease finds a live lease, or one that has ended of which something may be claimed still; ErrNoLease when there is none.
	EverLease(ctx context.Context, id uint64) (workload.Lease, error)
	// TakeReceipt keeps a receipt whose signer may sign it, and tells for how long the lease was up by the agent's own meter.
	// ErrEpoch or ErrReceipt when it does not count.
	TakeReceipt(receipt prooftypes.Receipt) (upSeconds uint64, err error)
	// Leaf shows what was committed to for a lease in an epoch; ErrEpoch when there is nothing to show.
	Leaf(ctx context.Context, lease, epoch uint64) (prover.Shown, error)
	// OfBid lists the live, acknowledged leases of this provider that serve a bid, in order.
	OfBid(bid uint64) []workload.Lease
}

// Custody keeps groups for whoever has to take over.
type Custody interface {
	PutKept(deployment uint64, owner, revision, group string, envelope *manifestpb.Envelope, admit func([]store.Kept) error) error
	KeptGroup(deployment uint64, group string) (*manifestpb.Envelope, error)
	Kept() ([]store.Kept, error)
}

// Manifests keeps manifests.
type Manifests interface {
	PutManifest(lease uint64, envelope *manifestpb.Envelope) error
	// Manifest gives the last one that was put; an error when there is none.
	Manifest(lease uint64) (*manifestpb.Envelope, error)
}

// Events keeps what happened to leases.
type Events interface {
	Add(lease uint64, kind, message string)
	// After lists at most limit events of a lease after a number, in order.
	After(lease, number uint64, limit int) ([]events.Event, error)
	// Listen gives a channel that says when there are new ones, until done is called.
	Listen(lease uint64) (changed <-chan struct{}, done func())
}

// Auditor keeps a record of calls.
type Auditor interface {
	Add(audit.Record) error
}

// Config says who answers.
type Config struct {
	ChainID       string
	Provider      string
	Version       string
	IngressDomain string
	IngressPort   uint16
	// IngressTLSPort of HTTPS; 0 without.
	IngressTLSPort uint16
	Isolation      []string
	MaxBlobBytes   int64
	// Custody bounds what is kept for others to take over; nil keeps nothing.
	Custody     *CustodyBounds
	Certificate tls.Certificate
}

// Parts are what the gateway works with.
type Parts struct {
	Agent     Agent
	Manifests Manifests
	Custody   Custody
	Runtime   runtime.Runtime
	Events    Events
	Audit     Auditor               // nil for no record
	Metrics   prometheus.Registerer // nil for none
	Log       *slog.Logger
}

// Server is the gateway.
type Server struct {
	cfg       Config
	agent     Agent
	manifests Manifests
	custody   Custody
	runtime   runtime.Runtime
	events    Events
	audit     Auditor
	metrics   *metrics
	tokens    token.Verifier
	log       *slog.Logger
	handler   http.Handler
	bodyTime  time.Duration // callBodyTime
	alive     time.Duration // keepAlive
	slots     chan struct{}
	remotes   *callers.Tally // requests
	streams   *places        // of Connect
	execs     *places
	callers   *rates // requests, by address
	accounts  *rates // requests, by account that signed
	refusals  *rates // in the audit log

	quota quota // of images in custody
}

// New makes a gateway.
func New(cfg Config, parts Parts) *Server {
	s := &Server{
		cfg: cfg, agent: parts.Agent, manifests: parts.Manifests, custody: parts.Custody, runtime: parts.Runtime, events: parts.Events, audit: parts.Audit, log: parts.Log,
		metrics: newMetrics(parts.Metrics), tokens: token.Verifier{ChainID: cfg.ChainID, Provider: cfg.Provider},
		bodyTime: callBodyTime, alive: keepAlive, slots: make(chan struct{}, maxRequests),
		remotes: callers.NewTally(maxRequestsOfRemote), streams: newPlaces("streams", maxStreams, maxOfKey), execs: newPlaces("commands", maxExecs, maxOfKey),
		callers: newRates(callsOfRemote), accounts: newRates(callsOfAccount), refusals: newRates(refusalsKept),
	}
	path, rpc := apiconnect.NewGatewayServiceHandler(&service{Server: s},
		connect.WithReadMaxBytes(maxMessageBytes), connect.WithInterceptors(&watch{s}),
		connect.WithCompression("gzip", nil, nil), // it costs a stream of log lines most of its time
	)
	mux := http.NewServeMux()
	mux.Handle(path, s.brief(s.authenticate(rpc)))
	mux.Handle("GET "+ExecPath, http.HandlerFunc(s.exec))
	mux.Handle("/v2/", steady(s.registry()))
	s.handler = s.bounded(s.addressed(mux))
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
	if err := server.ServeTLS(callers.Bound(listener, maxConnections, maxConnectionsOfRemote), "", ""); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve gateway: %w", err)
	}
	s.empty()
	return nil
}

// empty waits until nobody is inside any more, by taking every place: sessions of commands are not the server's to end.
func (s *Server) empty() {
	limit := time.After(leaveTime)
	for range cap(s.slots) {
		select {
		case s.slots <- struct{}{}:
		case <-limit:
			s.log.Warn("some calls did not end in time")
			return
		}
	}
}

// bounded turns away what is too much at once or too often, and ends answers that nobody takes.
func (s *Server) bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from := remote(r)
		if wait := s.callers.take(from, time.Now()); wait > 0 {
			s.tooOften(w, r, wait)
			return
		}
		if !s.remotes.Take(from) {
			s.turnAway(w)
			return
		}
		defer s.remotes.GiveBack(from)
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		default:
			s.turnAway(w)
			return
		}
		r.Body = &countedBody{r.Body, s.metrics.received}
		answer := &steadyWriter{ResponseWriter: w, control: http.NewResponseController(w), sent: s.metrics.sent}
		next.ServeHTTP(answer, r.WithContext(context.WithValue(r.Context(), writerKey{}, answer)))
	})
}

func (s *Server) turnAway(w http.ResponseWriter) {
	s.metrics.turnedAway.Inc()
	w.Header().Set("Retry-After", "1")
	http.Error(w, "too many requests at once", http.StatusServiceUnavailable)
}

// tooOften answers callers who come quicker than they may.
func (s *Server) tooOften(w http.ResponseWriter, r *http.Request, wait time.Duration) {
	s.metrics.turnedAway.Inc()
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	if connectErrors.IsSupported(r) {
		_ = connectErrors.Write(w, r, connect.NewError(connect.CodeResourceExhausted, errTooOften)) // the caller left: nothing to tell
		return
	}
	http.Error(w, errTooOften.Error(), http.StatusTooManyRequests)
}

type grantKey struct{}

// authenticate checks the token before a byte of the body is read. Info and Screen need none.
func (s *Server) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == apiconnect.GatewayServiceInfoProcedure || r.URL.Path == apiconnect.GatewayServiceScreenProcedure {
			r.Body = http.MaxBytesReader(w, r.Body, maxInfoBytes)
			next.ServeHTTP(w, r)
			return
		}
		grant, err := s.bearer(r)
		if err != nil {
			s.record(r, token.Grant{}, 0, callOf(r.URL.Path), "unauthenticated", "")
			writeUnauthenticated(w, r, err)
			return
		}
		if wait := s.accounts.take(grant.Issuer, time.Now()); wait > 0 {
			s.tooOften(w, r, wait)
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
