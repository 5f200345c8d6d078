package e2e

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/agent/api/apiconnect"
	"github.com/souk-network/souk/agent/token"
	"github.com/souk-network/souk/manifest/manifestpb"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// caller speaks with a provider's gateway about one lease, with whatever token it is given.
type caller struct {
	apiconnect.GatewayServiceClient

	http   *http.Client
	uri    *url.URL
	lease  uint64
	bearer string
}

// signer signs tokens as the tenant.
func (x *tenant) signer(t *testing.T) token.Signer {
	t.Helper()
	ring, err := x.Keyring()
	require.NoError(t, err)
	s, err := token.KeyringSigner(ring, x.key)
	require.NoError(t, err)
	return s
}

// grant is what the owner's own token says.
func (x *tenant) grant(d deployed) token.Grant {
	return token.Grant{ChainID: x.ChainID, Provider: d.Leases[0].Provider, Lease: d.lease(), Scopes: token.AllScopes}
}

// gateway calls the provider of a deployment as its owner.
func (x *tenant) gateway(t *testing.T, d deployed) *caller {
	t.Helper()
	return x.callWith(t, d, x.grant(d), time.Now())
}

func (x *tenant) callWith(t *testing.T, d deployed, g token.Grant, issued time.Time) *caller {
	t.Helper()
	bearer, err := token.Issue(x.signer(t), g, issued)
	require.NoError(t, err)
	return x.call(t, d, bearer)
}

func (x *tenant) call(t *testing.T, d deployed, bearer string) *caller {
	t.Helper()
	res, err := x.chain.Provider.Provider(t.Context(), &providertypes.QueryProviderRequest{Operator: d.Leases[0].Provider})
	require.NoError(t, err)
	c := &caller{lease: d.lease(), bearer: bearer}
	c.uri, err = url.Parse(res.Provider.GatewayUri)
	require.NoError(t, err)
	transport := &http.Transport{TLSClientConfig: pinned(res.Provider.TlsKeys), ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	c.http = &http.Client{Transport: transport, Timeout: 30 * time.Second}
	c.GatewayServiceClient = apiconnect.NewGatewayServiceClient(c.http, c.uri.String(), connect.WithInterceptors(c.authorize()))
	return c
}

func (c *caller) authorize() connect.UnaryInterceptorFunc {
	return func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
			if c.bearer != "" {
				req.Header().Set("Authorization", "Bearer "+c.bearer)
			}
			return next(ctx, req)
		}
	}
}

// pinned accepts the keys that the chain names, and nothing else.
func pinned(hashes [][]byte) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, //nolint:gosec // the chain's pin takes the place of certificate authorities
		VerifyConnection: func(state tls.ConnectionState) error {
			sum := sha256.Sum256(state.PeerCertificates[0].RawSubjectPublicKeyInfo)
			if !slices.ContainsFunc(hashes, func(h []byte) bool { return string(h) == string(sum[:]) }) {
				return errors.New("not a pinned key")
			}
			return nil
		},
	}
}

// replica is the state of the one container that tests run in a lease.
func (c *caller) replica(ctx context.Context) (*api.ReplicaStatus, error) {
	res, err := c.Status(ctx, connect.NewRequest(&api.StatusRequest{Lease: c.lease}))
	if err != nil {
		return nil, err
	}
	if n := len(res.Msg.GetReplicas()); n != 1 {
		return nil, fmt.Errorf("%d replicas", n)
	}
	return res.Msg.GetReplicas()[0], nil
}

func (c *caller) status(ctx context.Context) error {
	_, err := c.Status(ctx, connect.NewRequest(&api.StatusRequest{Lease: c.lease}))
	return err
}

func (c *caller) envelope(t *testing.T) *manifestpb.Envelope {
	t.Helper()
	res, err := c.GetManifest(t.Context(), connect.NewRequest(&api.GetManifestRequest{Lease: c.lease}))
	require.NoError(t, err)
	return res.Msg.GetEnvelope()
}

func (c *caller) send(ctx context.Context, e *manifestpb.Envelope) error {
	_, err := c.SendManifest(ctx, connect.NewRequest(&api.SendManifestRequest{Lease: c.lease, Envelope: e}))
	return err
}

func TestAGatewayServesTheOwnerOfALeaseAndNobodyElse(t *testing.T) {
	m := theMarket(t)
	t.Parallel()
	x := m.newTenant(t)
	d := x.up(t, x.file(t, service{name: "web", on: 0}))
	elsewhere := x.up(t, x.file(t, service{name: "elsewhere", on: 1}))
	owner := x.gateway(t, d)
	require.NoError(t, owner.status(t.Context()))

	stranger := &tenant{market: m, key: "tenant"}
	scoped := x.grant(d)
	scoped.Scopes = []token.Scope{token.ScopeLogs}
	foreign := x.grant(d)
	foreign.ChainID = "souk-devnet-other"
	for what, c := range map[string]*caller{
		"no token":                       x.call(t, d, ""),
		"another account's token":        stranger.callWith(t, d, x.grant(d), time.Now()),
		"a token for another provider":   x.callWith(t, d, x.grant(elsewhere), time.Now()),
		"a token for another network":    x.callWith(t, d, foreign, time.Now()),
		"a token for something else":     x.callWith(t, d, scoped, time.Now()),
		"an expired token":               x.callWith(t, d, x.grant(d), time.Now().Add(-token.Lifetime-time.Minute)),
		"a token that is no token":       x.call(t, d, "secret"),
		"a token with another signature": x.call(t, d, owner.bearer[:len(owner.bearer)-4]+"AAAA"),
	} {
		err := c.status(t.Context())
		require.Contains(t, []connect.Code{connect.CodeUnauthenticated, connect.CodePermissionDenied}, connect.CodeOf(err), "%s: %v", what, err)
		_, err = c.GetManifest(t.Context(), connect.NewRequest(&api.GetManifestRequest{Lease: d.lease()}))
		require.Error(t, err, what)
		require.Contains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, c.beginPush(t), what)
	}
	require.Equal(t, http.StatusAccepted, owner.beginPush(t))
}

// beginPush asks the registry to take a blob for the lease and returns the status of the answer.
func (c *caller) beginPush(t *testing.T) int {
	t.Helper()
	address := fmt.Sprintf("%s/v2/%d/library/workload/blobs/uploads/", c.uri, c.lease)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, nil)
	require.NoError(t, err)
	if c.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+c.bearer)
	}
	res, err := c.http.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res.StatusCode
}

func TestAManifestThatIsNotTheOneOnTheChainIsRefused(t *testing.T) {
	m := theMarket(t)
	t.Parallel()
	x := m.newTenant(t)
	d := x.up(t, x.file(t, service{name: "web", on: 1}))
	running := answer(t, d)
	owner := x.gateway(t, d)
	right := owner.envelope(t)
	require.NoError(t, owner.send(t.Context(), right), "sending it again changes nothing")

	changes := map[string]func(e *manifestpb.Envelope){
		"another user": func(e *manifestpb.Envelope) {
			e.Group = changed(t, e.Group, func(g *manifestpb.Group) { g.Services[0].User = "0:0" })
		},
		"another salt": func(e *manifestpb.Envelope) {
			e.Group = changed(t, e.Group, func(g *manifestpb.Group) { g.Salt[0] ^= 1 })
		},
		"another name": func(e *manifestpb.Envelope) {
			e.Header = changed(t, e.Header, func(h *manifestpb.Header) { h.Name += "x" })
		},
		"no group":  func(e *manifestpb.Envelope) { e.Group = nil },
		"no header": func(e *manifestpb.Envelope) { e.Header = nil },
		"no hashes": func(e *manifestpb.Envelope) { e.GroupHashes = nil },
	}
	for what, change := range changes {
		wrong := proto.CloneOf(right)
		change(wrong)
		require.False(t, proto.Equal(right, wrong), what)
		err := owner.send(t.Context(), wrong)
		require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err), "%s: %v", what, err)
	}
	require.True(t, proto.Equal(right, owner.envelope(t)))
	still := answer(t, d)
	require.Equal(t, running, still)
}

// changed is a message with something else in it, encoded again.
func changed[M any, P interface {
	*M
	proto.Message
}](t *testing.T, encoded []byte, change func(P)) []byte {
	t.Helper()
	m := P(new(M))
	require.NoError(t, proto.Unmarshal(encoded, m))
	change(m)
	out, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	require.NoError(t, err)
	return out
}
