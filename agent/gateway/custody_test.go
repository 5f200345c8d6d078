package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/agent/custody"
	"github.com/souk-network/souk/agent/gateway"
	"github.com/souk-network/souk/agent/peer"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/runtime/conformance"
	"github.com/souk-network/souk/agent/token"
	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// whole is a manifest of two groups, each with a service and a pushed image.
func whole(t testing.TB, images ...v1.Image) (hash []byte, envelopes map[string]*manifestpb.Envelope) {
	t.Helper()
	m := &manifestpb.Manifest{Name: "shop"}
	for i, name := range []string{"db", "web"} {
		digest := fmt.Sprintf("sha256:%064d", i+1)
		if i < len(images) {
			h, err := images[i].Digest()
			require.NoError(t, err)
			digest = h.String()
		}
		m.Groups = append(m.Groups, &manifestpb.Group{
			Name: name, Salt: bytes.Repeat([]byte{byte(i + 1)}, 32),
			Services: []*manifestpb.Service{{
				Name: name, Image: &manifestpb.Image{Reference: name + ":1", Digest: digest, Pushed: true},
				Environment:   []*manifestpb.EnvironmentVariable{{Name: "PASSWORD", Value: "hunter2"}},
				Resources:     &manifestpb.Resources{CpuMillis: 100, MemoryMib: 64, StorageEphemeralMib: 64, EgressMbps: 1, Pids: 64},
				Replicas:      1,
				RestartPolicy: manifestpb.RestartPolicy_RESTART_POLICY_ALWAYS, StopGraceMillis: 1000,
			}},
		})
	}
	hash, err := manifest.Hash(m)
	require.NoError(t, err)
	envelopes = map[string]*manifestpb.Envelope{}
	for _, g := range m.GetGroups() {
		envelopes[g.GetName()], err = manifest.Seal(m, g.GetName())
		require.NoError(t, err)
	}
	return hash, envelopes
}

// ofDeployment makes a token for a deployment instead of a lease.
func ofDeployment(id uint64) func(*token.Grant) {
	return func(g *token.Grant) { g.Lease, g.Deployment = 0, id }
}

// entrust makes the provider a custodian of a deployment.
func (w *world) entrust(id uint64, owner string, hash []byte, keys ...markettypes.AccessKey) {
	w.agent.mu.Lock()
	defer w.agent.mu.Unlock()
	w.agent.custody[id] = custody.Deployment{ID: id, Owner: owner, Hash: hash, AccessKeys: keys}
}

// lend gives a lease of a group of deployment 5 to another provider.
func (w *world) lend(lease uint64, group string, agent tenant, hash []byte, owner string, custodian bool, state markettypes.LeaseState) {
	w.agent.mu.Lock()
	defer w.agent.mu.Unlock()
	var custodians []string
	if custodian {
		custodians = []string{provider}
	}
	bid := map[string]uint64{"db": 1, "web": 2}[group]
	w.agent.claims[lease] = custody.Lease{
		Lease:    markettypes.Lease{Id: lease, Deployment: 5, Bid: bid, Provider: "souk1other", State: state},
		Provider: providertypes.Provider{Operator: "souk1other", Agent: agent.address},
		Deployment: markettypes.Deployment{
			Id: 5, Owner: owner, ManifestHash: hash, State: markettypes.DeploymentState_DEPLOYMENT_STATE_OPEN, Custodians: custodians,
		},
		Bid: markettypes.Bid{Id: bid, Spec: markettypes.BidSpec{Name: group}},
	}
}

func fetching(g *token.Grant) { g.Scopes = []token.Scope{token.ScopeFetch} }

// keepAll gives all groups into custody.
func (w *world) keepAll(t testing.TB, bearer string, id uint64, envelopes map[string]*manifestpb.Envelope) *api.ListKeptResponse {
	t.Helper()
	var kept *api.ListKeptResponse
	for _, name := range []string{"db", "web"} {
		res, err := w.client(bearer).KeepManifest(t.Context(), connect.NewRequest(&api.KeepManifestRequest{Deployment: id, Envelope: envelopes[name]}))
		require.NoError(t, err)
		kept = res.Msg.GetKept()
	}
	return kept
}

func TestACustodianKeepsWhatTheChainWants(t *testing.T) {
	w := start(t, realRuntime(t))
	alice := newTenant(t)
	hash, envelopes := whole(t)
	w.entrust(5, alice.address, hash)
	bearer := alice.token(t, 0, ofDeployment(5))
	c := w.client(bearer)

	info, err := c.Info(t.Context(), connect.NewRequest(&api.InfoRequest{}))
	require.NoError(t, err)
	require.True(t, info.Msg.GetCustody())
	none, err := c.ListKept(t.Context(), connect.NewRequest(&api.ListKeptRequest{Deployment: 5}))
	require.NoError(t, err)
	require.Empty(t, none.Msg.GetGroups())

	first, err := c.KeepManifest(t.Context(), connect.NewRequest(&api.KeepManifestRequest{Deployment: 5, Envelope: envelopes["web"]}))
	require.NoError(t, err)
	require.Equal(t, []string{"db"}, first.Msg.GetKept().GetMissing())
	kept := w.keepAll(t, bearer, 5, envelopes)
	require.Empty(t, kept.GetMissing())
	require.Len(t, kept.GetGroups(), 2)
	require.Equal(t, []string{"web:1@sha256:" + fmt.Sprintf("%064d", 2)}, kept.GetGroups()[1].GetMissingImages())

	back, err := c.GetKept(t.Context(), connect.NewRequest(&api.GetKeptRequest{Deployment: 5, Group: "web"}))
	require.NoError(t, err)
	require.True(t, proto.Equal(envelopes["web"], back.Msg.GetEnvelope()))
	_, err = c.GetKept(t.Context(), connect.NewRequest(&api.GetKeptRequest{Deployment: 5, Group: "mail"}))
	require.Equal(t, connect.CodeFailedPrecondition, connect.CodeOf(err))

	w.entrust(5, alice.address, bytes.Repeat([]byte{9}, 32))
	_, err = c.KeepManifest(t.Context(), connect.NewRequest(&api.KeepManifestRequest{Deployment: 5, Envelope: envelopes["web"]}))
	require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err), "another manifest is wanted by now")
}

func TestWhoMayNotGiveIntoCustody(t *testing.T) {
	w := start(t, nil)
	w.agent.now = 1000
	alice, mallory, reader, watcher := newTenant(t), newTenant(t), newTenant(t), newTenant(t)
	hash, envelopes := whole(t)
	w.entrust(5, alice.address, hash, markettypes.AccessKey{Address: reader.address, Scopes: []markettypes.Scope{markettypes.Scope_SCOPE_READ}})
	w.entrust(6, mallory.address, hash)
	forAlice := func(g *token.Grant) { ofDeployment(5)(g); g.Owner = alice.address }
	tests := []struct {
		name       string
		bearer     string
		deployment uint64
		want       connect.Code
	}{
		{"nobody", "", 5, connect.CodeUnauthenticated},
		{"a token for a lease", alice.token(t, 5, nil), 5, connect.CodePermissionDenied},
		{"a token for another deployment", alice.token(t, 0, ofDeployment(6)), 5, connect.CodePermissionDenied},
		{"a token for another provider", alice.token(t, 0, func(g *token.Grant) { ofDeployment(5)(g); g.Provider = "souk1other" }), 5, connect.CodeUnauthenticated},
		{"a token without the scope", alice.token(t, 0, func(g *token.Grant) { ofDeployment(5)(g); fetching(g) }), 5, connect.CodePermissionDenied},
		{"another tenant", mallory.token(t, 0, ofDeployment(5)), 5, connect.CodePermissionDenied},
		{"a key without the scope", reader.token(t, 0, forAlice), 5, connect.CodePermissionDenied},
		{"a key that is none", watcher.token(t, 0, forAlice), 5, connect.CodePermissionDenied},
		{"a deployment that names others", alice.token(t, 0, ofDeployment(7)), 7, connect.CodeNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := w.client(tt.bearer)
			_, err := c.KeepManifest(t.Context(), connect.NewRequest(&api.KeepManifestRequest{Deployment: tt.deployment, Envelope: envelopes["web"]}))
			require.Equal(t, tt.want, connect.CodeOf(err), "%v", err)
			_, err = c.GetKept(t.Context(), connect.NewRequest(&api.GetKeptRequest{Deployment: tt.deployment, Group: "web"}))
			require.Equal(t, tt.want, connect.CodeOf(err), "%v", err)
		})
	}
	kept, err := w.store.Kept()
	require.NoError(t, err)
	require.Empty(t, kept)
}

func TestAWatchKeyMayGiveIntoCustody(t *testing.T) {
	w := start(t, realRuntime(t))
	w.agent.now = 1000
	alice, watcher := newTenant(t), newTenant(t)
	hash, envelopes := whole(t)
	w.entrust(5, alice.address, hash, markettypes.AccessKey{Address: watcher.address, Scopes: []markettypes.Scope{markettypes.Scope_SCOPE_WATCH}, ExpiresAt: 2000})
	w.keepAll(t, watcher.token(t, 0, func(g *token.Grant) { ofDeployment(5)(g); g.Owner = alice.address }), 5, envelopes)
}

func TestAProviderThatKeepsNothingSaysSo(t *testing.T) {
	w := start(t, nil, func(c *gateway.Config) { c.Custody = nil })
	alice := newTenant(t)
	hash, envelopes := whole(t)
	w.entrust(5, alice.address, hash)
	c := w.client(alice.token(t, 0, ofDeployment(5)))
	info, err := c.Info(t.Context(), connect.NewRequest(&api.InfoRequest{}))
	require.NoError(t, err)
	require.False(t, info.Msg.GetCustody())
	_, err = c.KeepManifest(t.Context(), connect.NewRequest(&api.KeepManifestRequest{Deployment: 5, Envelope: envelopes["web"]}))
	require.Equal(t, connect.CodeNotFound, connect.CodeOf(err))
}

func TestCustodyIsBoundedForEachAccountAndInAll(t *testing.T) {
	w := start(t, realRuntime(t), func(c *gateway.Config) {
		c.Custody = &gateway.CustodyBounds{Manifests: custody.Bounds{Deployments: 3, Bytes: 1 << 20, OwnerDeployments: 2, OwnerBytes: 1 << 20}}
	})
	alice, bob := newTenant(t), newTenant(t)
	hash, envelopes := whole(t)
	keep := func(id uint64, owner tenant) error {
		w.entrust(id, owner.address, hash)
		_, err := w.client(owner.token(t, 0, ofDeployment(id))).KeepManifest(t.Context(), connect.NewRequest(&api.KeepManifestRequest{Deployment: id, Envelope: envelopes["web"]}))
		return err
	}
	require.NoError(t, keep(1, alice))
	require.NoError(t, keep(2, alice))
	require.Equal(t, connect.CodeResourceExhausted, connect.CodeOf(keep(3, alice)), "one account")
	require.NoError(t, keep(2, alice), "what is kept already takes no more")
	require.NoError(t, keep(4, bob))
	require.Equal(t, connect.CodeResourceExhausted, connect.CodeOf(keep(5, bob)), "all together")
}

func TestAGroupIsReleasedToTheProviderThatLeasesItAndToNobodyElse(t *testing.T) {
	w := start(t, realRuntime(t))
	alice, other, mallory := newTenant(t), newTenant(t), newTenant(t)
	hash, envelopes := whole(t)
	w.entrust(5, alice.address, hash)
	w.keepAll(t, alice.token(t, 0, ofDeployment(5)), 5, envelopes)
	active := markettypes.LeaseState_LEASE_STATE_ACTIVE
	w.lend(20, "web", other, hash, alice.address, true, active)
	w.lend(21, "web", other, hash, alice.address, true, markettypes.LeaseState_LEASE_STATE_FAILED)
	w.lend(22, "web", other, hash, alice.address, true, markettypes.LeaseState_LEASE_STATE_PENDING)
	w.lend(23, "web", other, hash, alice.address, false, active)
	w.lend(24, "web", other, bytes.Repeat([]byte{9}, 32), alice.address, true, active)
	fetch := func(bearer string, lease uint64) (*manifestpb.Envelope, error) {
		res, err := w.client(bearer).FetchGroup(t.Context(), connect.NewRequest(&api.FetchGroupRequest{Lease: lease}))
		if err != nil {
			return nil, err
		}
		return res.Msg.GetEnvelope(), nil
	}
	got, err := fetch(other.token(t, 20, fetching), 20)
	require.NoError(t, err)
	require.True(t, proto.Equal(envelopes["web"], got), "its own group and no other")

	tests := []struct {
		name   string
		bearer string
		lease  uint64
		want   connect.Code
	}{
		{"nobody", "", 20, connect.CodeUnauthenticated},
		{"an account that is not the provider's", mallory.token(t, 20, fetching), 20, connect.CodePermissionDenied},
		{"the owner: that is GetKept", alice.token(t, 20, fetching), 20, connect.CodePermissionDenied},
		{"a token that another provider was shown", other.token(t, 20, func(g *token.Grant) { fetching(g); g.Provider = "souk1elsewhere" }), 20, connect.CodeUnauthenticated},
		{"a token of another network", other.token(t, 20, func(g *token.Grant) { fetching(g); g.ChainID = "souk-1" }), 20, connect.CodeUnauthenticated},
		{"an expired token", other.token(t, 20, func(g *token.Grant) { fetching(g); g.ExpiresAt = time.Now().Add(-time.Minute) }), 20, connect.CodeUnauthenticated},
		{"a token for another lease", other.token(t, 23, fetching), 20, connect.CodePermissionDenied},
		{"a token for a deployment", other.token(t, 0, func(g *token.Grant) { fetching(g); ofDeployment(5)(g) }), 20, connect.CodePermissionDenied},
		{"a token that speaks for somebody else", other.token(t, 20, func(g *token.Grant) { fetching(g); g.Owner = alice.address }), 20, connect.CodePermissionDenied},
		{"a tenant's scopes", other.token(t, 20, nil), 20, connect.CodePermissionDenied},
		{"a lease that has ended", other.token(t, 21, fetching), 21, connect.CodePermissionDenied},
		{"a lease that nobody pays for yet", other.token(t, 22, fetching), 22, connect.CodePermissionDenied},
		{"a deployment that names other custodians", other.token(t, 23, fetching), 23, connect.CodeFailedPrecondition},
		{"a manifest that is wanted no more", other.token(t, 24, fetching), 24, connect.CodeFailedPrecondition},
		{"a lease that there is not", other.token(t, 99, fetching), 99, connect.CodePermissionDenied},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := fetch(tt.bearer, tt.lease)
			require.Equal(t, tt.want, connect.CodeOf(err), "%v", err)
		})
	}
}

func TestAProviderOfTheSameBidReleasesItsGroup(t *testing.T) {
	w := start(t, nil)
	alice, other := newTenant(t), newTenant(t)
	hash, envelopes := whole(t)
	own, _ := deploy(t, alice, 7, nil)
	own.Deployment, own.Bid, own.Group, own.Hash = 5, 2, "web", hash
	w.agent.put(own)
	require.NoError(t, w.store.PutManifest(7, envelopes["web"]))
	w.lend(20, "web", other, hash, alice.address, false, markettypes.LeaseState_LEASE_STATE_ACTIVE)
	w.lend(21, "db", other, hash, alice.address, false, markettypes.LeaseState_LEASE_STATE_ACTIVE)
	c := w.client(other.token(t, 20, fetching))
	res, err := c.FetchGroup(t.Context(), connect.NewRequest(&api.FetchGroupRequest{Lease: 20}))
	require.NoError(t, err)
	require.True(t, proto.Equal(envelopes["web"], res.Msg.GetEnvelope()))
	_, err = w.client(other.token(t, 21, fetching)).FetchGroup(t.Context(), connect.NewRequest(&api.FetchGroupRequest{Lease: 21}))
	require.Equal(t, connect.CodeFailedPrecondition, connect.CodeOf(err), "a lease of another group")
}

func TestImagesInCustodyAreFetchedByWhoRunsThem(t *testing.T) {
	ctx := context.Background()
	w := start(t, realRuntime(t))
	alice, other, bob := newTenant(t), newTenant(t), newTenant(t)
	web := serving(t)
	db := conformance.Image(t, v1.Config{Entrypoint: []string{"/workload"}, Cmd: []string{"serve", ":5432"}})
	hash, envelopes := whole(t, db, web)
	w.entrust(5, alice.address, hash)
	bearer := alice.token(t, 0, ofDeployment(5))

	require.ErrorContains(t, w.tryPush(bearerAuth(bearer), "d5/web:1", web), "send them before", "images come after their groups")
	w.keepAll(t, bearer, 5, envelopes)
	w.push(t, bearer, "d5/web:1", web)
	w.push(t, bearer, "d5/db:1", db)
	require.Error(t, w.tryPush(bearerAuth(bob.token(t, 0, ofDeployment(5))), "d5/web:1", web))
	list, err := w.client(bearer).ListKept(t.Context(), connect.NewRequest(&api.ListKeptRequest{Deployment: 5}))
	require.NoError(t, err)
	for _, g := range list.Msg.GetGroups() {
		require.Empty(t, g.GetMissingImages())
	}

	w.lend(20, "web", other, hash, alice.address, true, markettypes.LeaseState_LEASE_STATE_ACTIVE)
	into := realRuntime(t)
	to, err := peer.Dial(providertypes.Provider{Operator: provider, GatewayUri: "https://" + w.address, TlsKeys: [][]byte{w.keyHash}}, true)
	require.NoError(t, err)
	defer to.Close()
	require.NoError(t, to.Probe(ctx, chainID))
	require.ErrorIs(t, to.Probe(ctx, "souk-other"), peer.ErrOther)
	digest, err := web.Digest()
	require.NoError(t, err)
	wanted := peer.Wanted{Lease: 20, Token: other.token(t, 20, fetching), Digest: digest.String(), Scope: runtime.Scope(alice.address), Repository: "20/web"}
	require.NoError(t, to.FetchImage(ctx, wanted, into.Images()))
	here, err := into.Images().Has(ctx, runtime.Scope(alice.address), "web:1@"+digest.String())
	require.NoError(t, err)
	require.True(t, here)

	secret, err := db.Digest()
	require.NoError(t, err)
	wanted.Digest = secret.String()
	require.Error(t, to.FetchImage(ctx, wanted, into.Images()), "an image of another group")
	for _, call := range []struct{ method, path string }{
		{http.MethodPost, "/v2/20/web/blobs/uploads/"},
		{http.MethodGet, "/v2/20/web/tags/list"},
		{http.MethodGet, "/v2/20/web/manifests/1"},
		{http.MethodGet, "/v2/d5/web/manifests/" + digest.String()},
	} {
		resp, body := w.call(t, wanted.Token, call.method, call.path, nil, nil)
		require.Equal(t, http.StatusForbidden, resp.StatusCode, "%s %s: %s", call.method, call.path, body)
	}
}

func TestImagesInCustodyAreBounded(t *testing.T) {
	w := start(t, realRuntime(t), func(c *gateway.Config) {
		c.Custody = &gateway.CustodyBounds{Manifests: custody.Manifests, ImageBytes: 1 << 30, OwnerImageBytes: 64 << 10}
	})
	alice := newTenant(t)
	web := serving(t)
	hash, envelopes := whole(t, web, web)
	w.entrust(5, alice.address, hash)
	bearer := alice.token(t, 0, ofDeployment(5))
	w.keepAll(t, bearer, 5, envelopes)
	require.ErrorContains(t, w.tryPush(bearerAuth(bearer), "d5/web:1", web), "SIZE_INVALID")
}

func bearerAuth(bearer string) authn.Authenticator {
	return authn.FromConfig(authn.AuthConfig{RegistryToken: bearer})
}

// Uploads that began while there was room, and go on at once, do not pass the bound together.
func TestUploadsAtOnceStayWithinTheBoundsOfCustody(t *testing.T) {
	const bound, blob, uploads = 8 << 20, 3 << 20, 6
	w := start(t, realRuntime(t), func(c *gateway.Config) {
		c.Custody = &gateway.CustodyBounds{Manifests: custody.Manifests, ImageBytes: bound, OwnerImageBytes: bound}
	})
	alice := newTenant(t)
	hash, envelopes := whole(t)
	w.entrust(5, alice.address, hash)
	bearer := alice.token(t, 0, ofDeployment(5))
	w.keepAll(t, bearer, 5, envelopes)
	for _, tt := range []struct {
		name  string
		sized bool
	}{{"whose lengths are known", true}, {"whose lengths nobody said", false}} {
		t.Run(tt.name, func(t *testing.T) {
			var begun, all sync.WaitGroup
			begun.Add(uploads)
			statuses := make([]int, uploads)
			for i := range uploads {
				resp, body := w.call(t, bearer, http.MethodPost, "/v2/d5/web/blobs/uploads/", nil, nil)
				require.Equal(t, http.StatusAccepted, resp.StatusCode, body)
				content := bytes.Repeat([]byte{byte(i), byte(len(tt.name))}, blob/2)
				// The first bytes of each are there before the rest of any comes.
				rest := &heldBody{head: content[:1<<10], tail: content[1<<10:], begun: &begun}
				all.Go(func() {
					r, err := http.NewRequest(http.MethodPut, "https://"+w.address+resp.Header.Get("Location")+"?digest="+digestOf(content), rest)
					if !assert.NoError(t, err) {
						return
					}
					if tt.sized {
						r.ContentLength = blob
					}
					r.Header.Set("Authorization", "Bearer "+bearer)
					put, err := w.http.Do(r)
					if err != nil {
						return // it was cut off: refused, too
					}
					statuses[i] = put.StatusCode
					_ = put.Body.Close()
				})
			}
			all.Wait()
			size, err := w.runtime.Images().(runtime.Sizer).Size(t.Context(), runtime.Scope(alice.address))
			require.NoError(t, err)
			require.LessOrEqual(t, size, int64(bound), "%v", statuses)
			if tt.sized {
				require.Equal(t, bound/blob, len(slices.DeleteFunc(statuses, func(s int) bool { return s != http.StatusCreated })), "what was refused at once takes no room of others")
			}
			require.NoError(t, w.runtime.Images().DeleteScope(t.Context(), runtime.Scope(alice.address)))
		})
	}
}

// heldBody gives its head, then waits until all others have given theirs.
type heldBody struct {
	head, tail []byte
	begun      *sync.WaitGroup
	once       sync.Once
}

// Close ends one that was refused before it gave anything.
func (b *heldBody) Close() error {
	b.once.Do(b.begun.Done)
	return nil
}

func (b *heldBody) Read(p []byte) (int, error) {
	if len(b.head) > 0 {
		n := copy(p, b.head)
		b.head = b.head[n:]
		return n, nil
	}
	b.once.Do(b.begun.Done)
	b.begun.Wait()
	if len(b.tail) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.tail)
	b.tail = b.tail[n:]
	return n, nil
}
