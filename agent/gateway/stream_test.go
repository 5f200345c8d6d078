package gateway_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/agent/reconcile"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/token"
	"github.com/souk-network/souk/manifest"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// stage is a runtime whose status is what a test says, and which measures.
type stage struct {
	runtime.Runtime
	mu     sync.Mutex
	status runtime.WorkloadStatus
}

func (s *stage) set(status runtime.WorkloadStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
}

func (s *stage) Status(context.Context, runtime.LeaseID) (runtime.WorkloadStatus, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status, nil
}

func (*stage) Usage(_ context.Context, lease runtime.LeaseID) (runtime.UsageSample, error) {
	if lease != 7 {
		return runtime.UsageSample{}, runtime.ErrNotFound
	}
	return runtime.UsageSample{
		Time: time.Unix(5, 0), BootID: "boot", Total: runtime.Usage{CPUNanos: 1, EgressBytes: 8, IngressBytes: 9},
		Replicas: []runtime.ReplicaUsage{{Service: "web", Replica: 1, Usage: runtime.Usage{
			CPUNanos: 1, ThrottledNanos: 2, MemoryBytes: 3, MemoryLimitBytes: 4, DiskBytes: 5, DiskLimitBytes: 6, PIDs: 7,
		}}},
	}, nil
}

func TestAStatusThatIsWatchedComesWhenItChanges(t *testing.T) {
	rt := &stage{}
	w, alice := start(t, rt), newTenant(t)
	l, _ := deploy(t, alice, 7, nil)
	l.Paused, l.Active = true, false
	w.agent.put(l)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	stream, err := w.client(alice.token(t, 7, nil)).WatchStatus(ctx, connect.NewRequest(&api.WatchStatusRequest{Lease: 7}))
	require.NoError(t, err)
	next := func() *api.StatusResponse {
		require.True(t, stream.Receive(), "%v", stream.Err())
		return stream.Msg().GetStatus()
	}
	require.Equal(t, api.LeaseStage_LEASE_STAGE_PAUSED, next().GetStage())
	l.Paused, l.Active = false, true
	w.agent.put(l)
	require.Equal(t, api.LeaseStage_LEASE_STAGE_AWAITING_MANIFEST, next().GetStage())
	rt.set(runtime.WorkloadStatus{Volumes: []runtime.VolumeStatus{{Volume: runtime.Volume{Name: "data", Class: "ssd", SizeMiB: 100}, Copy: 1, UsedMiB: 3}}})
	require.Equal(t, "data", next().GetVolumes()[0].GetName())
	rt.set(runtime.WorkloadStatus{Published: []runtime.PublishedPort{{Service: "db", Port: runtime.Port{Container: 5432, Protocol: "tcp"}, Host: 20007}}})
	require.Equal(t, "tcp://"+domain+":20007", next().GetAddresses()[0].GetUrl())
	w.agent.remove(7)
	require.False(t, stream.Receive(), "it ends with its lease")
	require.NoError(t, stream.Err())
}

func TestAStreamEndsWhenItsAccessKeyIsTakenOut(t *testing.T) {
	w, alice, key := start(t, &stage{}), newTenant(t), newTenant(t)
	l, _ := deploy(t, alice, 7, nil)
	l.AccessKeys = []markettypes.AccessKey{{Address: key.address, Scopes: []markettypes.Scope{markettypes.Scope_SCOPE_READ}}}
	w.agent.put(l)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	bearer := key.token(t, 7, func(g *token.Grant) { g.Owner = alice.address })
	stream, err := w.client(bearer).WatchStatus(ctx, connect.NewRequest(&api.WatchStatusRequest{Lease: 7}))
	require.NoError(t, err)
	require.True(t, stream.Receive())
	l.AccessKeys = nil
	w.agent.put(l)
	for stream.Receive() { // until it is noticed
	}
	require.Equal(t, connect.CodePermissionDenied, connect.CodeOf(stream.Err()))
}

func TestEventsAreReadAndFollowed(t *testing.T) {
	w, alice := start(t, &stage{}), newTenant(t)
	l, envelope := deploy(t, alice, 7, nil)
	w.agent.put(l)
	c := w.client(alice.token(t, 7, nil))
	for range 2 { // sending it again is no event
		_, err := c.SendManifest(t.Context(), connect.NewRequest(&api.SendManifestRequest{Lease: 7, Envelope: envelope}))
		require.NoError(t, err)
	}
	w.events.Add(7, "started", "up \x1b[31mnow")
	w.events.Add(8, "started", "another's")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	stream, err := c.Events(ctx, connect.NewRequest(&api.EventsRequest{Lease: 7, Follow: true}))
	require.NoError(t, err)
	for i, want := range []struct{ kind, message string }{{"manifest", "received revision"}, {"started", "up now"}} {
		require.True(t, stream.Receive(), "%v", stream.Err())
		require.Equal(t, want.kind, stream.Msg().GetKind())
		require.Contains(t, stream.Msg().GetMessage(), want.message)
		require.EqualValues(t, i+1, stream.Msg().GetNumber())
	}
	w.events.Add(7, "exited", "")
	require.True(t, stream.Receive())
	require.EqualValues(t, 3, stream.Msg().GetNumber())
	once, err := c.Events(ctx, connect.NewRequest(&api.EventsRequest{Lease: 7, After: 2}))
	require.NoError(t, err)
	require.True(t, once.Receive())
	require.Equal(t, "exited", once.Msg().GetKind())
	require.False(t, once.Receive(), "it does not follow")
	require.NoError(t, once.Err())
	denied, err := w.client(alice.token(t, 7, func(g *token.Grant) { g.Scopes = []token.Scope{token.ScopeStatus} })).
		Events(ctx, connect.NewRequest(&api.EventsRequest{Lease: 7}))
	require.NoError(t, err)
	require.False(t, denied.Receive())
	require.Equal(t, connect.CodePermissionDenied, connect.CodeOf(denied.Err()))
}

func TestUsageIsToldAsItWasMeasured(t *testing.T) {
	w, alice := start(t, &stage{}), newTenant(t)
	for _, id := range []uint64{7, 8} {
		l, _ := deploy(t, alice, id, nil)
		w.agent.put(l)
	}
	res, err := w.client(alice.token(t, 7, nil)).Usage(t.Context(), connect.NewRequest(&api.UsageRequest{Lease: 7}))
	require.NoError(t, err)
	require.Equal(t, "boot", res.Msg.GetBootId())
	require.EqualValues(t, 8, res.Msg.GetTotal().GetEgressBytes())
	require.EqualValues(t, 9, res.Msg.GetTotal().GetIngressBytes())
	u := res.Msg.GetReplicas()[0].GetUsage()
	require.Equal(t, []uint64{1, 2, 3, 4, 5, 6, 7}, []uint64{
		u.GetCpuNanos(), u.GetThrottledNanos(), u.GetMemoryBytes(), u.GetMemoryLimitBytes(), u.GetDiskBytes(), u.GetDiskLimitBytes(), u.GetPids(),
	})
	_, err = w.client(alice.token(t, 8, nil)).Usage(t.Context(), connect.NewRequest(&api.UsageRequest{Lease: 8}))
	require.Equal(t, connect.CodeFailedPrecondition, connect.CodeOf(err))
}

func TestScreeningNamesWhatIsLacking(t *testing.T) {
	w := start(t, nil)
	w.agent.room = reconcile.Input{Nodes: []reconcile.Vector{{1000, 512, 10_000, 0, 0, 0, 0, 100}, {500, 4096, 10_000, 0, 0, 0, 0, 100}}}
	tests := []struct {
		name      string
		unit      []uint64
		replicas  uint32
		isolation string
		fits      bool
		lacking   []string
		says      string
	}{
		{"it fits", []uint64{500, 512, 1, 0, 0, 0, 0, 1}, 2, "runc", true, nil, ""},
		{"two dimensions", []uint64{2000, 512, 1, 0, 5, 0, 0, 1}, 1, "", false, []string{"cpu_millis", "ssd_mib"}, ""},
		{"on different machines", []uint64{1000, 4096, 1, 0, 0, 0, 0, 1}, 1, "", false, nil, "not on one machine"},
		{"too many", []uint64{500, 512, 1, 0, 0, 0, 0, 1}, 9, "", false, nil, "room for 2 of the 9"},
		{"memory for no container", []uint64{500, 7, 1, 0, 0, 0, 0, 1}, 1, "", false, nil, "at least 8 MiB"},
		{"another isolation", []uint64{1, 8, 1, 0, 0, 0, 0, 1}, 1, "gvisor", false, nil, `"gvisor" is not offered, but runc`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, err := w.client("").Screen(t.Context(), connect.NewRequest(&api.ScreenRequest{Unit: tt.unit, Replicas: tt.replicas, Isolation: tt.isolation}))
			require.NoError(t, err)
			require.Equal(t, tt.fits, res.Msg.GetFits())
			var lacking []string
			for _, s := range res.Msg.GetShortfalls() {
				lacking = append(lacking, s.GetDimension())
				require.Greater(t, s.GetWanted(), s.GetFree())
			}
			require.Equal(t, tt.lacking, lacking)
			require.Contains(t, res.Msg.GetMessage(), tt.says)
		})
	}
	for _, bad := range []*api.ScreenRequest{{}, {Unit: make([]uint64, 7), Replicas: 1}, {Unit: make([]uint64, 8)}, {Unit: make([]uint64, 8), Replicas: manifest.MaxLeaseContainers + 1}} {
		_, err := w.client("").Screen(t.Context(), connect.NewRequest(bad))
		require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err))
	}
}

func TestCallsAreCounted(t *testing.T) {
	w := start(t, &stage{})
	_, err := w.client("").Info(t.Context(), connect.NewRequest(&api.InfoRequest{}))
	require.NoError(t, err)
	_, err = w.client(newTenant(t).token(t, 7, nil)).Status(t.Context(), connect.NewRequest(&api.StatusRequest{Lease: 7}))
	require.Equal(t, connect.CodeNotFound, connect.CodeOf(err))
	families, err := w.metrics.Gather()
	require.NoError(t, err)
	calls, sent := map[string]float64{}, 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			switch f.GetName() {
			case "souk_agent_gateway_requests_total":
				calls[label(m, "call")+" "+label(m, "code")] = m.GetCounter().GetValue()
			case "souk_agent_gateway_sent_bytes_total":
				sent = m.GetCounter().GetValue()
			}
		}
	}
	require.Equal(t, map[string]float64{"Info ok": 1, "Status not_found": 1}, calls)
	require.Positive(t, sent)
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

func TestAnAccessKeyLeavesItsOwnerStreams(t *testing.T) {
	w, alice, key := start(t, &stage{}), newTenant(t), newTenant(t)
	l, _ := deploy(t, alice, 7, nil)
	l.AccessKeys = []markettypes.AccessKey{{Address: key.address, Scopes: []markettypes.Scope{markettypes.Scope_SCOPE_READ}}}
	w.agent.put(l)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	open := func(bearer string) error {
		stream, err := w.client(bearer).WatchStatus(ctx, connect.NewRequest(&api.WatchStatusRequest{Lease: 7}))
		require.NoError(t, err)
		if stream.Receive() {
			return nil
		}
		return stream.Err()
	}
	bearer := key.token(t, 7, func(g *token.Grant) { g.Owner = alice.address })
	for range 8 {
		require.NoError(t, open(bearer))
	}
	require.Equal(t, connect.CodeResourceExhausted, connect.CodeOf(open(bearer)))
	require.NoError(t, open(alice.token(t, 7, nil)))
}
