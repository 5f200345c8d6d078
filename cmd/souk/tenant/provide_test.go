package tenant

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/agent/api/apiconnect"
	"github.com/souk-network/souk/agent/token"
	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/watch"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// keeper is a gateway with the calls that custody and watching need, as the agent's own answers them.
type keeper struct {
	apiconnect.UnimplementedGatewayServiceHandler
	operator string
	custody  bool
	wanted   []byte // revision

	mu    sync.Mutex
	lags  int // answers until it knows of the revision
	kept  map[string]*manifestpb.Envelope
	lease *manifestpb.Envelope
	stage api.LeaseStage
	// replicas of the lease.
	replicas []*api.ReplicaStatus
	calls    []string
}

func (k *keeper) Info(context.Context, *connect.Request[api.InfoRequest]) (*connect.Response[api.InfoResponse], error) {
	return connect.NewResponse(&api.InfoResponse{Provider: k.operator, ChainId: "chain", Custody: k.custody}), nil
}

func (k *keeper) list() *api.ListKeptResponse {
	out := &api.ListKeptResponse{Revision: hex.EncodeToString(k.wanted)}
	for name := range k.kept {
		out.Groups = append(out.Groups, &api.KeptGroup{Name: name})
	}
	return out
}

func (k *keeper) ListKept(context.Context, *connect.Request[api.ListKeptRequest]) (*connect.Response[api.ListKeptResponse], error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.lags--; k.lags >= 0 {
		return nil, connect.NewError(connect.CodeNotFound, io.ErrUnexpectedEOF)
	}
	return connect.NewResponse(k.list()), nil
}

func (k *keeper) KeepManifest(_ context.Context, r *connect.Request[api.KeepManifestRequest]) (*connect.Response[api.KeepManifestResponse], error) {
	verified, err := manifest.Verify(r.Msg.GetEnvelope(), k.wanted)
	if err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.calls = append(k.calls, verified.Group.GetName())
	k.kept[verified.Group.GetName()] = r.Msg.GetEnvelope()
	return connect.NewResponse(&api.KeepManifestResponse{Kept: k.list()}), nil
}

func (k *keeper) GetKept(_ context.Context, r *connect.Request[api.GetKeptRequest]) (*connect.Response[api.GetKeptResponse], error) {
	return connect.NewResponse(&api.GetKeptResponse{Envelope: k.kept[r.Msg.GetGroup()]}), nil
}

func (k *keeper) Status(context.Context, *connect.Request[api.StatusRequest]) (*connect.Response[api.StatusResponse], error) {
	return connect.NewResponse(&api.StatusResponse{Stage: k.stage, Replicas: k.replicas, WantedRevision: hex.EncodeToString(k.wanted)}), nil
}

func (k *keeper) SendManifest(_ context.Context, r *connect.Request[api.SendManifestRequest]) (*connect.Response[api.SendManifestResponse], error) {
	k.lease = r.Msg.GetEnvelope()
	return connect.NewResponse(&api.SendManifestResponse{}), nil
}

func (k *keeper) GetManifest(context.Context, *connect.Request[api.GetManifestRequest]) (*connect.Response[api.GetManifestResponse], error) {
	if k.lease == nil {
		return nil, connect.NewError(connect.CodeFailedPrecondition, io.ErrUnexpectedEOF)
	}
	return connect.NewResponse(&api.GetManifestResponse{Envelope: k.lease}), nil
}

// oneProvider is a chain that knows one provider.
type oneProvider struct {
	providertypes.QueryClient
	of providertypes.Provider
}

func (p oneProvider) Provider(context.Context, *providertypes.QueryProviderRequest, ...grpc.CallOption) (*providertypes.QueryProviderResponse, error) {
	return &providertypes.QueryProviderResponse{Provider: p.of}, nil
}

// keeping is a run of up beside a gateway, with a manifest of two groups.
func keeping(t *testing.T) (*upRun, *keeper) {
	t.Helper()
	k := &keeper{}
	return keepingOf(t, k, k), k
}

// keepingOf is keeping with a gateway that answers as a keeper does, and more.
func keepingOf(t *testing.T, k *keeper, gateway apiconnect.GatewayServiceHandler) *upRun {
	t.Helper()
	account := secp256k1.GenPrivKey()
	operator, err := scope.AddressCodec().BytesToString(account.PubKey().Address())
	require.NoError(t, err)
	group := func(name string) *manifestpb.Group {
		return &manifestpb.Group{Name: name, Salt: []byte(strings.Repeat(name[:1], manifest.SaltBytes)), Services: []*manifestpb.Service{{
			Name: name, Image: &manifestpb.Image{Reference: "docker.io/library/web:1"}, Replicas: 1,
			Resources:     &manifestpb.Resources{CpuMillis: 100, MemoryMib: 32, StorageEphemeralMib: 64, Pids: 16, EgressMbps: 1},
			RestartPolicy: manifestpb.RestartPolicy_RESTART_POLICY_ALWAYS,
		}}}
	}
	m := &manifestpb.Manifest{Name: "shop", Groups: []*manifestpb.Group{group("api"), group("web")}}
	hash, err := manifest.Hash(m)
	require.NoError(t, err)
	k.operator, k.custody, k.wanted, k.kept = operator, true, hash, map[string]*manifestpb.Envelope{}
	_, handler := apiconnect.NewGatewayServiceHandler(gateway)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	pin := sha256.Sum256(server.Certificate().RawSubjectPublicKeyInfo)
	signer := signerOf(account)
	return &upRun{
		tenant: &tenant{
			Session: &session.Session{Notes: io.Discard, Out: output.Printer{Format: output.Table, Out: io.Discard}},
			Client:  &client.Client{Provider: oneProvider{of: providertypes.Provider{Operator: operator, GatewayUri: server.URL, TlsKeys: [][]byte{pin[:]}}}},
			owner:   operator,
			authority: &authority{
				chainID: "chain", owner: operator, private: true, logins: logins{t.TempDir()}, account: func() (token.Signer, error) { return signer, nil },
			},
		},
		project: &project{Project: &manifest.Project{Name: "shop"}}, options: upOptions{timeout: 20 * time.Second}, manifest: m, hash: hash, unchanged: true,
		deployment: &open{Deployment: markettypes.Deployment{Id: 3, Name: "shop", ManifestHash: hash, Custodians: []string{operator}}},
	}
}

func TestACustodianIsGivenTheGroupsThatItLacksOnceItKnowsOfThem(t *testing.T) {
	u, k := keeping(t)
	k.lags = 2
	require.NoError(t, u.provide(t.Context()))
	slices.Sort(k.calls)
	require.Equal(t, []string{"api", "web"}, k.calls)
	require.False(t, u.unchanged)

	u.unchanged = true
	require.NoError(t, u.provide(t.Context()))
	require.Len(t, k.calls, 2, "it has them")
	require.True(t, u.unchanged)

	delete(k.kept, "web")
	require.NoError(t, u.provide(t.Context()))
	require.Equal(t, "web", k.calls[2])

	group, err := u.fetchGroup(t.Context(), markettypes.Bid{Id: 1, Spec: markettypes.BidSpec{Name: "api"}}, nil)
	require.NoError(t, err)
	require.Equal(t, "api", group.GetName(), "and it comes back from there")
}

func TestAProviderThatKeepsNothingForOthersIsToldAtOnce(t *testing.T) {
	u, k := keeping(t)
	k.custody = false
	err := u.provide(t.Context())
	require.ErrorContains(t, err, "keeps nothing for others")
	require.Equal(t, session.ExitNotReady, session.ExitCode(err))
}

func TestAStandbyIsHandedWhatItLacks(t *testing.T) {
	u, k := keeping(t)
	lease := markettypes.Lease{Id: 9, Provider: k.operator, Deployment: 3, Standby: true, AckedAt: 5}
	k.stage = api.LeaseStage_LEASE_STAGE_STANDBY
	require.NoError(t, u.prepare(t.Context(), lease, "web"))
	require.NotNil(t, k.lease)
	require.False(t, u.unchanged)
	sent := k.lease
	u.unchanged = true
	require.NoError(t, u.prepare(t.Context(), lease, "web"))
	require.Same(t, sent, k.lease, "not again")
	require.True(t, u.unchanged)
}

func TestAWatcherSeesWhoAnswersAndWhoLacksItsManifestAndBringsIt(t *testing.T) {
	u, k := keeping(t)
	state, err := makeWatchState(t.TempDir())
	require.NoError(t, err)
	w := &watcher{
		tenant: u.tenant, state: state, order: watchOrder{ChainID: "chain", Owner: u.owner, Address: u.owner},
		gateways: map[uint64]cachedGateway{}, hashes: map[uint64][]byte{3: u.hash}, delivered: map[uint64]string{},
	}
	lease := markettypes.Lease{Id: 9, Bid: 1, Provider: k.operator, Deployment: 3, State: markettypes.LeaseState_LEASE_STATE_ACTIVE, AckedAt: 5}
	look := func() watch.Lease {
		seen := w.probe(t.Context(), []markettypes.Lease{lease, {Id: 8, State: markettypes.LeaseState_LEASE_STATE_CLOSED}}, map[uint64]string{1: "web"}, u.hash, 10)
		require.Len(t, seen, 1, "what has ended is not asked")
		return seen[0]
	}
	k.stage = api.LeaseStage_LEASE_STAGE_AWAITING_MANIFEST
	seen := look()
	require.Equal(t, []watch.Answer{watch.Yes, watch.No}, []watch.Answer{seen.Gateway, seen.Manifest})

	envelope, err := manifest.Seal(u.manifest, "web")
	require.NoError(t, err)
	action := watch.Action{Kind: watch.Send, Deployment: 3, Lease: 9, Group: "web"}
	require.ErrorContains(t, w.send(t.Context(), action), "of another revision", "nothing is kept")
	require.NoError(t, state.keep(3, "web", envelope))
	require.NoError(t, w.send(t.Context(), action))
	require.NotNil(t, k.lease)

	k.stage = api.LeaseStage_LEASE_STAGE_STANDBY
	require.Equal(t, watch.Yes, look().Manifest)
	other, err := makeWatchState(t.TempDir())
	require.NoError(t, err)
	w.state = other
	require.NoError(t, w.fetch(t.Context(), action))
	copied, err := other.kept(3, "web", u.hash)
	require.NoError(t, err)
	require.NotNil(t, copied)
	require.ErrorContains(t, w.fetch(t.Context(), watch.Action{Deployment: 3, Lease: 9, Group: "api"}), `gives group "web"`)

	k.operator = "somebody else"
	seen = look()
	require.Equal(t, watch.No, seen.Gateway)
	require.Contains(t, seen.Why, "somebody else")
}
