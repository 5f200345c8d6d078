package gateway_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	"github.com/cosmos/cosmos-sdk/types/bech32"

	"github.com/souk-network/souk/agent/api/apiconnect"
	"github.com/souk-network/souk/agent/audit"
	"github.com/souk-network/souk/agent/custody"
	"github.com/souk-network/souk/agent/events"
	"github.com/souk-network/souk/agent/gateway"
	"github.com/souk-network/souk/agent/prover"
	"github.com/souk-network/souk/agent/reconcile"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/runtime/conformance"
	"github.com/souk-network/souk/agent/runtime/containerd"
	"github.com/souk-network/souk/agent/store"
	"github.com/souk-network/souk/agent/token"
	"github.com/souk-network/souk/agent/workload"
	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

const (
	chainID  = "souk-test"
	provider = "souk1provider"
	domain   = "p.localhost"
)

var silent = slog.New(slog.NewTextHandler(io.Discard, nil))

// tenant is an account with a key.
type tenant struct {
	signer  token.Signer
	address string
}

func newTenant(t testing.TB) tenant {
	t.Helper()
	key := secp256k1.GenPrivKey()
	public, ok := key.PubKey().(*secp256k1.PubKey)
	require.True(t, ok)
	address, err := bech32.ConvertAndEncode("souk", public.Address())
	require.NoError(t, err)
	return tenant{token.Signer{Public: public, Sign: key.Sign}, address}
}

// token issues one for a lease; change makes it another.
func (x tenant) token(t testing.TB, lease uint64, change func(*token.Grant)) string {
	t.Helper()
	g := token.Grant{ChainID: chainID, Provider: provider, Lease: lease, Scopes: token.AllScopes}
	now := time.Now()
	if change != nil {
		change(&g)
	}
	if !g.ExpiresAt.IsZero() && g.ExpiresAt.Before(now) {
		now = g.ExpiresAt.Add(-time.Minute)
	}
	raw, err := token.Issue(x.signer, g, now)
	require.NoError(t, err)
	return raw
}

// table is the agent's side: leases as the chain would have them, applied as soon as manifest and images are there.
type table struct {
	mu      sync.Mutex
	leases  map[uint64]workload.Lease
	down    bool
	now     uint64
	room    reconcile.Input
	wakes   int
	refresh func(context.Context)
	custody map[uint64]custody.Deployment
	claims  map[uint64]custody.Lease
	ended   map[uint64]workload.Lease
	taken   []prooftypes.Receipt
	shown   prover.Shown
	failure error // of TakeReceipt and Leaf
}

func (x *table) Lease(_ context.Context, id uint64) (workload.Lease, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.down {
		return workload.Lease{}, errors.New("the node is down")
	}
	l, ok := x.leases[id]
	if !ok {
		return workload.Lease{}, gateway.ErrNoLease
	}
	return l, nil
}

func (x *table) EverLease(ctx context.Context, id uint64) (workload.Lease, error) {
	l, err := x.Lease(ctx, id)
	x.mu.Lock()
	defer x.mu.Unlock()
	if past, ok := x.ended[id]; ok && errors.Is(err, gateway.ErrNoLease) {
		return past, nil
	}
	return l, err
}

func (x *table) TakeReceipt(receipt prooftypes.Receipt) (uint64, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.taken = append(x.taken, receipt)
	return 12, x.failure
}

func (x *table) Leaf(context.Context, uint64, uint64) (prover.Shown, error) {
	return x.shown, x.failure
}

func (x *table) put(l workload.Lease) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.leases[l.ID] = l
}

func (x *table) remove(id uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.leases, id)
}

func (*table) Problem(uint64) string { return "" }
func (*table) Height() int64         { return 42 }

func (*table) Serves(name string, lease uint64) bool { return name == "shop.example" && lease == 7 }

func (x *table) Screen(unit reconcile.Vector, replicas uint32) (reconcile.Screening, error) {
	return reconcile.Screen(x.room, unit, replicas), nil
}

func (x *table) Now() uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.now
}

func (x *table) Wake() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.wakes++
}

func (x *table) Custody(_ context.Context, id uint64, fresh bool) (custody.Deployment, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.down {
		return custody.Deployment{}, errors.New("the node is down")
	}
	d, ok := x.custody[id]
	if !ok {
		return custody.Deployment{}, custody.ErrNotCustodian
	}
	return d, nil
}

func (x *table) Claim(_ context.Context, account string, lease uint64, _ bool) (custody.Claim, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	l, ok := x.claims[lease]
	if !ok {
		return custody.Claim{}, custody.ErrNotEntitled
	}
	return l.Entitles(account, provider)
}

func (x *table) OfBid(bid uint64) (leases []workload.Lease) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, l := range x.leases {
		if l.Bid == bid {
			leases = append(leases, l)
		}
	}
	return leases
}

func (x *table) Refresh(ctx context.Context) {
	if x.refresh != nil {
		x.refresh(ctx)
	}
}

// world is a gateway on a real socket with a real journal and, when there is root, a real runtime.
type world struct {
	t       testing.TB
	agent   *table
	store   *store.Store
	runtime runtime.Runtime
	address string
	keyHash []byte
	events  *events.Journal
	audit   string // path
	metrics *prometheus.Registry
	http    *http.Client
}

type option func(*gateway.Config)

func start(t testing.TB, rt runtime.Runtime, options ...option) *world {
	t.Helper()
	dir := t.TempDir()
	journal, err := store.Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, journal.Close()) })
	key, err := gateway.LoadKey(filepath.Join(dir, "tls.key"))
	require.NoError(t, err)
	hash, err := gateway.KeyHash(key)
	require.NoError(t, err)
	certificate, err := gateway.Certificate(key, provider, time.Now())
	require.NoError(t, err)
	cfg := gateway.Config{
		ChainID: chainID, Provider: provider, Version: "test", IngressDomain: domain, IngressPort: 8080,
		Isolation: []string{"runc"}, MaxBlobBytes: 1 << 30, Certificate: certificate,
		Custody: &gateway.CustodyBounds{Manifests: custody.Manifests, ImageBytes: 1 << 30, OwnerImageBytes: 1 << 29},
	}
	for _, o := range options {
		o(&cfg)
	}
	w := &world{t: t, agent: &table{leases: map[uint64]workload.Lease{}, custody: map[uint64]custody.Deployment{}, claims: map[uint64]custody.Lease{}}, store: journal, runtime: rt, keyHash: hash, metrics: prometheus.NewRegistry()}
	listener, err := gateway.Listen("127.0.0.1:0")
	require.NoError(t, err)
	w.address = listener.Addr().String()
	w.audit = filepath.Join(dir, "audit.log")
	record, err := audit.Open(w.audit)
	require.NoError(t, err)
	w.events = events.New(journal, silent)
	parts := gateway.Parts{Agent: w.agent, Manifests: journal, Custody: journal, Runtime: rt, Events: w.events, Audit: record, Metrics: w.metrics, Log: silent}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	written := make(chan struct{})
	go func() { defer close(written); w.events.Run(ctx) }()
	go w.events.Watch(ctx, rt)
	go func() { done <- gateway.New(cfg, parts).Serve(ctx, listener) }()
	transport := w.transport()
	w.http = &http.Client{Transport: transport, Timeout: time.Minute}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		require.NoError(t, <-done)
		<-written
		require.NoError(t, record.Close())
	})
	return w
}

// transport trusts the pinned key and nothing else.
func (w *world) transport() *http.Transport {
	return &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS13, InsecureSkipVerify: true, //nolint:gosec // see VerifyConnection
			VerifyConnection: func(s tls.ConnectionState) error {
				if sum := sha256.Sum256(s.PeerCertificates[0].RawSubjectPublicKeyInfo); !bytes.Equal(sum[:], w.keyHash) {
					return errors.New("not the pinned key")
				}
				return nil
			},
		},
	}
}

func (w *world) client(bearer string) apiconnect.GatewayServiceClient {
	return apiconnect.NewGatewayServiceClient(w.http, "https://"+w.address, connect.WithInterceptors(authorize(bearer)))
}

// authorize puts a token on every call; "" puts none.
type authorize string

func (a authorize) set(h http.Header) {
	if a != "" {
		h.Set("Authorization", "Bearer "+string(a))
	}
}

func (a authorize) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
		a.set(r.Header())
		return next(ctx, r)
	}
}

func (a authorize) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, s connect.Spec) connect.StreamingClientConn {
		conn := next(ctx, s)
		a.set(conn.RequestHeader())
		return conn
	}
}

func (authorize) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}

// realRuntime is containerd on this machine, purged when the test ends.
func realRuntime(t testing.TB) *containerd.Runtime {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIP-NEEDS-ROOT: containers, mounts and networks need root")
	}
	libexec := os.Getenv("SOUK_LIBEXEC")
	if libexec == "" {
		var err error
		libexec, err = filepath.Abs("../../build/libexec")
		require.NoError(t, err)
	}
	state, err := os.MkdirTemp("", "souk-gateway-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(state)) })
	rt, err := containerd.New(context.Background(), containerd.Config{
		ChainID: chainID, Provider: provider, StateDir: state, Libexec: libexec, Ephemeral: true,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rt.Purge(context.Background())) })
	return rt
}

func serving(t testing.TB) v1.Image {
	t.Helper()
	return conformance.Image(t, v1.Config{Entrypoint: []string{"/workload"}, Cmd: []string{"serve", ":8080"}})
}

// deploy makes the manifest of one service and the lease that it is for.
func deploy(t testing.TB, owner tenant, lease uint64, image v1.Image) (workload.Lease, *manifestpb.Envelope) {
	t.Helper()
	digest := v1.Hash{Algorithm: "sha256", Hex: string(bytes.Repeat([]byte{'a'}, 64))}
	if image != nil {
		var err error
		digest, err = image.Digest()
		require.NoError(t, err)
	}
	m := &manifestpb.Manifest{Name: "hello", Groups: []*manifestpb.Group{{
		Name: "main", Salt: bytes.Repeat([]byte{byte(lease)}, 32),
		Services: []*manifestpb.Service{{
			Name: "web", Image: &manifestpb.Image{Reference: "hello:1", Digest: digest.String(), Pushed: true},
			Ports:         []*manifestpb.Port{{ContainerPort: 8080, Protocol: manifestpb.Protocol_PROTOCOL_HTTP, Exposed: true}},
			Resources:     &manifestpb.Resources{CpuMillis: 100, MemoryMib: 64, StorageEphemeralMib: 64, EgressMbps: 1, Pids: 64},
			Replicas:      1,
			RestartPolicy: manifestpb.RestartPolicy_RESTART_POLICY_ALWAYS, StopGraceMillis: 1000,
		}},
	}}}
	hash, err := manifest.Hash(m)
	require.NoError(t, err)
	envelope, err := manifest.Seal(m, "main")
	require.NoError(t, err)
	return workload.Lease{
		ID: lease, Deployment: lease + 100, Owner: owner.address, Group: "main", Active: true,
		Unit: manifest.UnitOf(m.GetGroups()[0]), Replicas: 1, Hash: hash,
	}, envelope
}
