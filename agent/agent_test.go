package agent

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/config"
	"github.com/souk-network/souk/agent/events"
	"github.com/souk-network/souk/agent/ingress"
	"github.com/souk-network/souk/agent/reconcile"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/store"
	"github.com/souk-network/souk/agent/workload"
	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/manifest/manifestpb"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

var silent = slog.New(slog.NewTextHandler(io.Discard, nil))

func TestMain(m *testing.M) {
	scope.Set()
	os.Exit(m.Run())
}

// rpcOf answers /status as a node does.
func rpcOf(t *testing.T, status *string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, *status)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func statusText(chain, height, catchingUp string) string {
	return `{"result":{"node_info":{"network":"` + chain + `","other":{"tx_index":"on"}},"sync_info":{"latest_block_height":"` +
		height + `","catching_up":` + catchingUp + `}}}`
}

// newAgent has a journal, an ingress and a node's RPC, but nobody behind its gRPC.
func newAgent(t *testing.T, status *string) *Agent {
	t.Helper()
	return newAgentOf(t, rpcOf(t, status), "127.0.0.1:1")
}

func newAgentOf(t *testing.T, rpc, grpc string) *Agent {
	t.Helper()
	chain, err := client.Open(client.Config{NodeRPC: rpc, GRPC: grpc, ChainID: "souk-test"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, chain.Close()) })
	journal, err := store.Open(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, journal.Close()) })
	cfg := config.Config{Client: chain.Config, StateDir: "/somewhere"}
	a, err := New(Parts{
		Config: cfg, Log: silent, Chain: chain, Store: journal, Runtime: idle{}, Ingress: ingress.New(ingress.Config{Domain: "p.example", Log: silent}),
		Events: events.New(journal, silent), Health: NewHealth(), Provider: "souk1operator",
	})
	require.NoError(t, err)
	return a
}

func TestANodeThatKnowsLessThanTheAgentIsNotBelieved(t *testing.T) {
	status := statusText("souk-test", "100", "false")
	a := newAgent(t, &status)
	height, err := a.settledHeight(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 100, height)
	a.remember(nil, 100)

	status = statusText("souk-test", "99", "false")
	_, err = a.settledHeight(t.Context())
	var f *fault.Fault
	require.ErrorAs(t, err, &f)
	require.Contains(t, f.Try, "/somewhere", "what to do when the network was started anew")

	status = statusText("souk-test", "101", "true")
	_, err = a.settledHeight(t.Context())
	require.ErrorContains(t, err, "catching up")

	status = statusText("souk-other", "101", "false")
	_, err = a.settledHeight(t.Context())
	require.ErrorContains(t, err, "another network")
}

func TestTheHeightSurvivesARestart(t *testing.T) {
	status := statusText("souk-test", "1", "false")
	a := newAgent(t, &status)
	a.remember(nil, heightStep-1)
	height, err := a.store.Height()
	require.NoError(t, err)
	require.Zero(t, height, "not at every block")
	a.remember(nil, heightStep)
	height, err = a.store.Height()
	require.NoError(t, err)
	require.EqualValues(t, heightStep, height)
}

func TestAProblemEndsWithItsRevision(t *testing.T) {
	status := statusText("souk-test", "1", "false")
	a := newAgent(t, &status)
	l := workload.Lease{ID: 7, Active: true, Hash: []byte{0xaa}}
	a.remember([]workload.Lease{l}, 1)
	a.groups = map[uint64]group{7: {revision: l.Revision(), run: "aa1"}}
	a.problems[7] = problem{run: "aa1", text: "too many replicas", broken: true}
	require.Equal(t, "too many replicas", a.Problem(7))
	require.True(t, a.isBroken(7, "aa1"))
	l.Hash = []byte{0xbb}
	a.remember([]workload.Lease{l}, 2)
	a.groups = map[uint64]group{7: {revision: l.Revision(), run: "bb1"}}
	require.Empty(t, a.Problem(7))
	require.False(t, a.isBroken(7, "bb1"))
	a.remember(nil, 3)
	require.Empty(t, a.problems)
}

func TestWhatTheWebLearnsOfAServiceThatDoesNotRun(t *testing.T) {
	h := workload.Hosts(7, &manifestpb.Group{Services: []*manifestpb.Service{{
		Name: "web", Ports: []*manifestpb.Port{{ContainerPort: 80, Exposed: true, Protocol: manifestpb.Protocol_PROTOCOL_HTTP}},
	}}})[0]
	status := func(r runtime.ReplicaStatus) runtime.WorkloadStatus {
		r.Service = "web"
		return runtime.WorkloadStatus{Replicas: []runtime.ReplicaStatus{r}}
	}
	require.Contains(t, reasonOf(h, runtime.WorkloadStatus{}), "about to be made")
	require.Contains(t, reasonOf(h, status(runtime.ReplicaStatus{Phase: runtime.PhasePulling})), "pulling")
	require.Contains(t, reasonOf(h, status(runtime.ReplicaStatus{Phase: runtime.PhaseExited})), "ended")
	failed := reasonOf(h, status(runtime.ReplicaStatus{Phase: runtime.PhaseFailed, Error: "PASSWORD=hunter2 is wrong"}))
	require.NotContains(t, failed, "hunter2", "errors are for the owner")
}

func TestHealthTellsTheLivingFromTheReady(t *testing.T) {
	h := NewHealth()
	ask := func(path string) (int, string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code, w.Body.String()
	}
	code, _ := ask("/healthz")
	require.Equal(t, 200, code)
	h.SetWaiting("waiting for the provider to be registered")
	code, body := ask("/readyz")
	require.Equal(t, 503, code)
	require.Contains(t, body, "registered")
	h.setCheck(func() error { return nil })
	code, _ = ask("/readyz")
	require.Equal(t, 200, code)
	code, body = ask("/metrics")
	require.Equal(t, 200, code)
	require.Contains(t, body, "souk_agent_height_seen")
	code, _ = ask("/other")
	require.Equal(t, 404, code)
}

func TestReadinessEndsWhenTheChainIsNotReadAnyMore(t *testing.T) {
	status := statusText("souk-test", "1", "false")
	a := newAgent(t, &status)
	require.Error(t, a.healthy())
	a.lastOK.Store(time.Now().Unix())
	require.NoError(t, a.healthy())
	a.lastOK.Store(time.Now().Add(-2 * staleAfter).Unix())
	require.ErrorContains(t, a.healthy(), "ago")
}

func TestWaitingForTheNodeSaysSo(t *testing.T) {
	c, err := client.Open(client.Config{NodeRPC: "http://127.0.0.1:1", GRPC: "127.0.0.1:1", ChainID: "souk-test"})
	require.NoError(t, err)
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	h := NewHealth()
	done := make(chan error, 1)
	go func() {
		_, err := AwaitProvider(ctx, c, Identity{Agent: "souk1agent"}, h, silent)
		done <- err
	}()
	require.Eventually(t, func() bool { return strings.Contains(h.ready().Error(), "127.0.0.1:1") }, 10*time.Second, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}

func TestAnAgentOfAnotherProviderIsRefused(t *testing.T) {
	id := Identity{Agent: "souk1agent", KeyHash: []byte{1, 2}, Gateway: "https://p.example:8443"}
	p := providertypes.Provider{Operator: "souk1operator", Agent: "souk1agent", TlsKeys: [][]byte{{1, 2}}}
	require.NoError(t, checkProvider(p, id, silent))
	p.TlsKeys = nil
	require.NoError(t, checkProvider(p, id, silent), "tenants will refuse it, but what runs goes on")
	p.Agent = "souk1other"
	require.ErrorContains(t, checkProvider(p, id, silent), "souk1other")
	require.Equal(t, "souk provider init --agent souk1agent --gateway https://p.example:8443 --tls-key 0102", id.RegisterCommand())
}

func TestAWorkloadMayTakeMoreThanItsLeasePaysForOnlyForAWhile(t *testing.T) {
	status := statusText("souk-test", "1", "false")
	a := newAgent(t, &status)
	at := func(now uint64, reserved uint32) bool {
		in := reconcile.Input{
			Now:          now,
			Leases:       []reconcile.Lease{{ID: 7, State: reconcile.Active, Replicas: 1}},
			Reservations: []reconcile.Reservation{{Lease: 7, Replicas: reserved}},
			Workloads:    []reconcile.Workload{{Lease: 7}},
		}
		a.observeExcess(&in)
		return in.Workloads[0].Overdue
	}
	require.False(t, at(100, 2), "it was just made smaller")
	require.False(t, at(100+excessGraceSeconds-1, 2))
	require.True(t, at(100+excessGraceSeconds, 2))
	require.False(t, at(200, 1), "what is paid for runs")
	require.False(t, at(300, 2), "it was made smaller again")

	removed := false
	for now := uint64(1000); now < 1020 && !removed; now += 3 {
		require.False(t, at(now, 1), "paid for a moment")
		at(now+1, 2)
		removed = at(now+3, 2)
	}
	require.True(t, removed, "paying now and then does not keep it")
}
