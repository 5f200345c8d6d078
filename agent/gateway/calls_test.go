package gateway_test

import (
	"bytes"
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/agent/gateway"
	"github.com/souk-network/souk/agent/token"
	"github.com/souk-network/souk/manifest/manifestpb"
	markettypes "github.com/souk-network/souk/x/market/types"
)

func TestInfoNeedsNoToken(t *testing.T) {
	w := start(t, nil)
	res, err := w.client("").Info(t.Context(), connect.NewRequest(&api.InfoRequest{}))
	require.NoError(t, err)
	require.Equal(t, provider, res.Msg.GetProvider())
	require.Equal(t, chainID, res.Msg.GetChainId())
	require.EqualValues(t, 42, res.Msg.GetHeight())
}

func TestWhoMayNotCall(t *testing.T) {
	w := start(t, nil)
	alice, mallory := newTenant(t), newTenant(t)
	l, envelope := deploy(t, alice, 7, nil)
	w.agent.put(l)
	other, _ := deploy(t, mallory, 8, nil)
	w.agent.put(other)
	tests := []struct {
		name   string
		bearer string
		lease  uint64
		want   connect.Code
	}{
		{"nobody", "", 7, connect.CodeUnauthenticated},
		{"garbage", "a.b.c", 7, connect.CodeUnauthenticated},
		{"an expired token", alice.token(t, 7, func(g *token.Grant) { g.ExpiresAt = time.Now().Add(-time.Minute) }), 7, connect.CodeUnauthenticated},
		{"a token for another provider", alice.token(t, 7, func(g *token.Grant) { g.Provider = "souk1other" }), 7, connect.CodeUnauthenticated},
		{"a token for another network", alice.token(t, 7, func(g *token.Grant) { g.ChainID = "souk-1" }), 7, connect.CodeUnauthenticated},
		{"a token for another lease", alice.token(t, 9, nil), 7, connect.CodePermissionDenied},
		{"a token for another deployment", alice.token(t, 0, func(g *token.Grant) { g.Deployment = 108 }), 7, connect.CodePermissionDenied},
		{"a token without the scope", alice.token(t, 7, func(g *token.Grant) { g.Scopes = []token.Scope{token.ScopeStatus} }), 7, connect.CodePermissionDenied},
		{"another tenant, naming the lease", mallory.token(t, 7, nil), 7, connect.CodePermissionDenied},
		{"the owner of another lease", mallory.token(t, 8, nil), 7, connect.CodePermissionDenied},
		{"the owner of a lease that does not exist", alice.token(t, 99, nil), 99, connect.CodeNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := w.client(tt.bearer)
			_, err := c.SendManifest(t.Context(), connect.NewRequest(&api.SendManifestRequest{Lease: tt.lease, Envelope: envelope}))
			require.Equal(t, tt.want, connect.CodeOf(err), "%v", err)
			_, err = c.GetManifest(t.Context(), connect.NewRequest(&api.GetManifestRequest{Lease: tt.lease}))
			require.Equal(t, tt.want, connect.CodeOf(err), "%v", err)
			stream, err := c.Logs(t.Context(), connect.NewRequest(&api.LogsRequest{Lease: tt.lease}))
			require.NoError(t, err)
			require.False(t, stream.Receive())
			require.Equal(t, tt.want, connect.CodeOf(stream.Err()), "%v", stream.Err())
			_ = stream.Close()
		})
	}
	_, err := w.store.Manifest(7)
	require.Error(t, err, "nothing was stored")
}

func TestAccessKeysActForTheOwnerAsFarAsTheChainLetsThem(t *testing.T) {
	w := start(t, nil)
	w.agent.now = 1000
	alice, mallory := newTenant(t), newTenant(t)
	reader, manager, session := newTenant(t), newTenant(t), newTenant(t)
	l, envelope := deploy(t, alice, 7, nil)
	l.AccessKeys = []markettypes.AccessKey{
		{Address: reader.address, Scopes: []markettypes.Scope{markettypes.Scope_SCOPE_READ}},
		{Address: manager.address, Scopes: []markettypes.Scope{markettypes.Scope_SCOPE_MANAGE}, ExpiresAt: 1001},
		{Address: session.address, Scopes: []markettypes.Scope{markettypes.Scope_SCOPE_MANAGE}, ExpiresAt: 1000},
	}
	w.agent.put(l)
	other, _ := deploy(t, mallory, 8, nil)
	other.AccessKeys = l.AccessKeys[:1]
	w.agent.put(other)
	forAlice := func(g *token.Grant) { g.Owner = alice.address }
	wallet := manager
	wallet.signer.Amino = true
	tests := []struct {
		name   string
		bearer string
		lease  uint64
		send   connect.Code // of SendManifest; 0 when it is taken
	}{
		{"a key that may manage", manager.token(t, 7, forAlice), 7, 0},
		{"the same, signed by a wallet", wallet.token(t, 7, forAlice), 7, 0},
		{"a key that may read only, its token claiming everything", reader.token(t, 7, forAlice), 7, connect.CodePermissionDenied},
		{"a key that has expired", session.token(t, 7, forAlice), 7, connect.CodePermissionDenied},
		{"a stranger who claims to act for the owner", mallory.token(t, 7, forAlice), 7, connect.CodePermissionDenied},
		{"a key that claims nobody", manager.token(t, 7, nil), 7, connect.CodePermissionDenied},
		{"a key that claims the owner of another lease", manager.token(t, 7, func(g *token.Grant) { g.Owner = mallory.address }), 7, connect.CodePermissionDenied},
		{"a key of another deployment", manager.token(t, 8, func(g *token.Grant) { g.Owner = mallory.address }), 8, connect.CodePermissionDenied},
		{"a token that allows less than its key", manager.token(t, 7, func(g *token.Grant) {
			g.Owner, g.Scopes = alice.address, []token.Scope{token.ScopeStatus}
		}), 7, connect.CodePermissionDenied},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.client(tt.bearer).SendManifest(t.Context(), connect.NewRequest(&api.SendManifestRequest{Lease: tt.lease, Envelope: envelope}))
			if tt.send == 0 {
				require.NoError(t, err)
				return
			}
			require.Equal(t, tt.send, connect.CodeOf(err), "%v", err)
		})
	}
	w.agent.mu.Lock()
	w.agent.now = 1001
	w.agent.mu.Unlock()
	_, err := w.client(manager.token(t, 7, forAlice)).GetManifest(t.Context(), connect.NewRequest(&api.GetManifestRequest{Lease: 7}))
	require.Equal(t, connect.CodePermissionDenied, connect.CodeOf(err), "it has expired now")
}

func TestADeploymentsTokenOpensItsLeases(t *testing.T) {
	w := start(t, nil)
	alice := newTenant(t)
	l, envelope := deploy(t, alice, 7, nil)
	w.agent.put(l)
	c := w.client(alice.token(t, 0, func(g *token.Grant) { g.Deployment = l.Deployment }))
	_, err := c.SendManifest(t.Context(), connect.NewRequest(&api.SendManifestRequest{Lease: 7, Envelope: envelope}))
	require.NoError(t, err)
}

func TestTheOwnerGetsBackWhatWasSent(t *testing.T) {
	w := start(t, nil)
	alice := newTenant(t)
	l, envelope := deploy(t, alice, 7, nil)
	w.agent.put(l)
	c := w.client(alice.token(t, 7, nil))
	_, err := c.GetManifest(t.Context(), connect.NewRequest(&api.GetManifestRequest{Lease: 7}))
	require.Equal(t, connect.CodeFailedPrecondition, connect.CodeOf(err))
	for range 2 {
		res, err := c.SendManifest(t.Context(), connect.NewRequest(&api.SendManifestRequest{Lease: 7, Envelope: envelope}))
		require.NoError(t, err)
		require.Equal(t, l.Revision(), res.Msg.GetRevision())
		require.Equal(t, "http://web-7.p.localhost:8080", res.Msg.GetAddresses()[0].GetUrl())
	}
	require.Equal(t, 2, w.agent.wakes)
	got, err := c.GetManifest(t.Context(), connect.NewRequest(&api.GetManifestRequest{Lease: 7}))
	require.NoError(t, err)
	require.True(t, proto.Equal(envelope, got.Msg.GetEnvelope()))
}

func TestManifestsThatAreRefused(t *testing.T) {
	w := start(t, nil)
	alice := newTenant(t)
	l, envelope := deploy(t, alice, 7, nil)
	_, foreign := deploy(t, alice, 8, nil)
	poor := l
	poor.ID, poor.Unit[0] = 9, 1
	w.agent.put(l)
	w.agent.put(poor)
	c := w.client(alice.token(t, 0, func(g *token.Grant) { g.Deployment = l.Deployment }))
	huge := proto.CloneOf(envelope)
	huge.Group = bytes.Repeat([]byte{1}, 600<<10)
	beyond := proto.CloneOf(envelope)
	beyond.Group = bytes.Repeat([]byte{1}, 2<<20)
	tests := []struct {
		name     string
		lease    uint64
		envelope *manifestpb.Envelope
		want     connect.Code
	}{
		{"none", 7, nil, connect.CodeInvalidArgument},
		{"another hash", 7, foreign, connect.CodeInvalidArgument},
		{"more than the lease pays for", 9, envelope, connect.CodeInvalidArgument},
		{"too large a group", 7, huge, connect.CodeInvalidArgument},
		{"beyond any message", 7, beyond, connect.CodeResourceExhausted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := c.SendManifest(t.Context(), connect.NewRequest(&api.SendManifestRequest{Lease: tt.lease, Envelope: tt.envelope}))
			require.Equal(t, tt.want, connect.CodeOf(err), "%v", err)
		})
	}
}

func TestHeadersAreBounded(t *testing.T) {
	w := start(t, nil)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+w.address+"/v2/", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+strings.Repeat("a", 64<<10))
	resp, err := w.http.Do(r)
	if err == nil { // HTTP/2 resets instead of answering
		defer resp.Body.Close()
		require.GreaterOrEqual(t, resp.StatusCode, 400)
	}
}

func TestWhenTheNodeIsDownCallersAreToldToComeBack(t *testing.T) {
	w := start(t, nil)
	w.agent.down = true
	_, err := w.client(newTenant(t).token(t, 7, nil)).Status(t.Context(), connect.NewRequest(&api.StatusRequest{Lease: 7}))
	require.Equal(t, connect.CodeUnavailable, connect.CodeOf(err))
}

func TestTheKeyStaysTheSame(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tls.key")
	first, err := gateway.LoadKey(path)
	require.NoError(t, err)
	again, err := gateway.LoadKey(path)
	require.NoError(t, err)
	require.True(t, first.Equal(again))
}

func TestABusyPortSaysWhatToDo(t *testing.T) {
	w := start(t, nil)
	_, err := gateway.Listen(w.address)
	require.ErrorContains(t, err, w.address)
}

// A workload is pushed, sent, started, reached and read from, all over the wire.
func TestTheWholeWay(t *testing.T) {
	rt := realRuntime(t)
	w := start(t, rt)
	alice := newTenant(t)
	image := serving(t)
	l, envelope := deploy(t, alice, 7, image)
	w.agent.put(l)
	bearer := alice.token(t, 7, nil)
	c := w.client(bearer)
	status := func() *api.StatusResponse {
		res, err := c.Status(t.Context(), connect.NewRequest(&api.StatusRequest{Lease: 7}))
		require.NoError(t, err)
		return res.Msg
	}
	require.Equal(t, api.LeaseStage_LEASE_STAGE_AWAITING_MANIFEST, status().GetStage())
	_, err := c.SendManifest(t.Context(), connect.NewRequest(&api.SendManifestRequest{Lease: 7, Envelope: envelope}))
	require.NoError(t, err)
	require.Equal(t, api.LeaseStage_LEASE_STAGE_STARTING, status().GetStage())
	require.Contains(t, status().GetMessage(), "hello:1")
	w.push(t, bearer, "7/hello:1", image)
	require.NotContains(t, status().GetMessage(), "to be pushed")
	applyLease(t, w, l)
	require.Eventually(t, func() bool { return status().GetReady() }, 30*time.Second, 50*time.Millisecond)

	x, _, err := w.exec(t, bearing(bearer), command(7, "/workload", "exit", "3"))
	require.NoError(t, err)
	require.EqualValues(t, 3, x.end().GetExitCode())
	usage, err := c.Usage(t.Context(), connect.NewRequest(&api.UsageRequest{Lease: 7}))
	require.NoError(t, err)
	require.Positive(t, usage.Msg.GetTotal().GetMemoryBytes())
	require.Equal(t, "web", usage.Msg.GetReplicas()[0].GetService())

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	stream, err := c.Logs(ctx, connect.NewRequest(&api.LogsRequest{Lease: 7, Follow: true}))
	require.NoError(t, err)
	require.True(t, stream.Receive(), "%v", stream.Err())
	require.NotEmpty(t, stream.Msg().GetLine())
	require.NoError(t, stream.Close())
	told, err := c.Events(ctx, connect.NewRequest(&api.EventsRequest{Lease: 7, Follow: true}))
	require.NoError(t, err)
	kinds := map[string]bool{}
	for !kinds["started"] {
		require.True(t, told.Receive(), "%v", told.Err())
		kinds[told.Msg().GetKind()] = true
	}
	require.True(t, kinds["manifest"] && kinds["image-pushed"], "%v", kinds)
	require.NoError(t, told.Close())

	brief := w.client(alice.token(t, 7, func(g *token.Grant) { g.ExpiresAt = time.Now().Add(2 * time.Second) }))
	stream, err = brief.Logs(ctx, connect.NewRequest(&api.LogsRequest{Lease: 7, Follow: true}))
	require.NoError(t, err)
	for stream.Receive() { // until the token expires
	}
	require.Equal(t, connect.CodeUnauthenticated, connect.CodeOf(stream.Err()))
	require.NoError(t, stream.Close())
}
