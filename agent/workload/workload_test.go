package workload

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
	markettypes "github.com/souk-network/souk/x/market/types"
)

const digest = "sha256:02d0185915dfb73806e748c1f34ea2252ab02e2f0169570480c343a8b2d3d0ab"

func web() *manifestpb.Service {
	return &manifestpb.Service{
		Name:        "web",
		Image:       &manifestpb.Image{Reference: "hello:1", Digest: digest, Pushed: true},
		Command:     &manifestpb.Arguments{},
		Environment: []*manifestpb.EnvironmentVariable{{Name: "A", Value: "1"}, {Name: "B", Value: "x=y"}},
		Ports: []*manifestpb.Port{
			{ContainerPort: 53, Protocol: manifestpb.Protocol_PROTOCOL_UDP},
			{ContainerPort: 8080, Protocol: manifestpb.Protocol_PROTOCOL_HTTP, Exposed: true},
			{ContainerPort: 9090, Protocol: manifestpb.Protocol_PROTOCOL_HTTP, Exposed: true},
			{ContainerPort: 9091, Protocol: manifestpb.Protocol_PROTOCOL_HTTP},
		},
		Resources:       &manifestpb.Resources{CpuMillis: 500, MemoryMib: 256, StorageEphemeralMib: 1024, EgressMbps: 10, Pids: 64},
		Replicas:        2,
		RestartPolicy:   manifestpb.RestartPolicy_RESTART_POLICY_UNLESS_STOPPED,
		StopGraceMillis: 1500,
		ReadOnly:        true,
	}
}

func sealed(t *testing.T, change func(*manifestpb.Manifest)) (Lease, *manifestpb.Envelope) {
	t.Helper()
	m := &manifestpb.Manifest{Name: "hello", Groups: []*manifestpb.Group{
		{Name: "main", Salt: bytes.Repeat([]byte{1}, 32), Services: []*manifestpb.Service{web()}},
	}}
	if change != nil {
		change(m)
	}
	hash, err := manifest.Hash(m)
	require.NoError(t, err)
	envelope, err := manifest.Seal(m, "main")
	require.NoError(t, err)
	unit := manifest.UnitOf(m.GetGroups()[0])
	return Lease{ID: 7, Owner: "souk1owner", Group: "main", Replicas: 3, Unit: unit, Hash: hash}, envelope
}

func TestAGroupBecomesAWorkload(t *testing.T) {
	l, envelope := sealed(t, nil)
	v, err := Verify(l, envelope)
	require.NoError(t, err)
	got, err := Of(l, v.Group)
	require.NoError(t, err)
	run, err := RunRevision(l, v.Group)
	require.NoError(t, err)
	require.Equal(t, runtime.Workload{
		Lease: 7, Revision: run, Owner: "souk1owner", Copies: 3,
		Services: []runtime.Service{{
			Name: "web", Image: "hello:1@" + digest, Command: []string{}, Env: []string{"A=1", "B=x=y"},
			Ports: []runtime.Port{
				{Container: 53, Protocol: "udp", Name: "53"},
				{Container: 8080, Protocol: "tcp", Name: "8080"},
				{Container: 9090, Protocol: "tcp", Name: "9090"},
				{Container: 9091, Protocol: "tcp", Name: "9091"},
			},
			Replicas:     6,
			Resources:    runtime.Resources{CPUMillis: 500, MemoryMiB: 256, DiskMiB: 1024, PIDs: 64, EgressMbps: 10},
			ReadOnlyRoot: true, Restart: runtime.RestartAlways, StopGraceSeconds: 2,
		}},
	}, got)
	require.Nil(t, got.Services[0].Entrypoint, "not said, so the image's")
	require.NotNil(t, got.Services[0].Command, "said to be none")
	require.Equal(t, []string{"hello:1@" + digest}, PushedImages(v.Group))
}

func TestManifestsThatAreNotTheLeasesAreRefused(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Lease, *manifestpb.Envelope)
	}{
		{"another hash", func(l *Lease, _ *manifestpb.Envelope) { l.Hash = bytes.Repeat([]byte{9}, 32) }},
		{"a changed group", func(_ *Lease, e *manifestpb.Envelope) { e.Group[len(e.Group)-1] ^= 1 }},
		{"a changed header", func(_ *Lease, e *manifestpb.Envelope) { e.Header[len(e.Header)-1] ^= 1 }},
		{"another group", func(l *Lease, _ *manifestpb.Envelope) { l.Group = "other" }},
		{"more than is paid for", func(l *Lease, _ *manifestpb.Envelope) { l.Unit[manifest.MemoryMiB]-- }},
		{"nothing", func(_ *Lease, e *manifestpb.Envelope) { proto.Reset(e) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, envelope := sealed(t, nil)
			tt.change(&l, envelope)
			_, err := Verify(l, envelope)
			require.ErrorIs(t, err, ErrRefused)
		})
	}
}

func TestHostNamesAndWhatStandsBehindThem(t *testing.T) {
	group := &manifestpb.Group{Services: []*manifestpb.Service{web(), {Name: "quiet"}}}
	hosts := Hosts(7, group)
	require.Equal(t, []Host{
		{Label: "web-7", Lease: 7, Service: "web", Port: 8080},
		{Label: "web-9090-7", Lease: 7, Service: "web", Port: 9090},
	}, hosts)

	at := netip.MustParseAddrPort
	endpoints := func(ip string) []runtime.Endpoint {
		return []runtime.Endpoint{
			{Port: runtime.Port{Container: 8080, Protocol: "tcp"}, Address: at(ip + ":8080")},
			{Port: runtime.Port{Container: 8080, Protocol: "udp"}, Address: at(ip + ":18080")},
			{Port: runtime.Port{Container: 9090, Protocol: "tcp"}, Address: at(ip + ":9090")},
		}
	}
	status := runtime.WorkloadStatus{Replicas: []runtime.ReplicaStatus{
		{Service: "web", Replica: 1, Phase: runtime.PhaseRunning, Endpoints: endpoints("10.0.0.3")},
		{Service: "web", Replica: 0, Phase: runtime.PhaseRunning, Endpoints: endpoints("10.0.0.2")},
		{Service: "web", Replica: 2, Phase: runtime.PhaseStarting, Endpoints: endpoints("10.0.0.4")},
		{Service: "other", Phase: runtime.PhaseRunning, Endpoints: endpoints("10.0.0.5")},
	}}
	require.Equal(t, []netip.AddrPort{at("10.0.0.2:8080"), at("10.0.0.3:8080")}, hosts[0].Backends(status))
}

func TestALeaseIsReadFromTheChain(t *testing.T) {
	l := FromChain(markettypes.Work{
		Lease: markettypes.Lease{
			Id: 7, Deployment: 3, Replicas: 2, AckBy: 99, State: markettypes.LeaseState_LEASE_STATE_ACTIVE,
			Unit: markettypes.Resources{
				CpuMillis: 1, MemoryMib: 2, EphemeralMib: 3, HddMib: 4, SsdMib: 5, NvmeMib: 6, GpuMillis: 7, EgressMbps: 8,
			},
		},
		Owner: "souk1owner", Group: "main", ManifestHash: []byte{0xab, 0xcd},
	})
	require.Equal(t, Lease{
		ID: 7, Deployment: 3, Owner: "souk1owner", Group: "main", Active: true, Unit: manifest.Unit{1, 2, 3, 4, 5, 6, 7, 8},
		Replicas: 2, AckBy: 99, Hash: []byte{0xab, 0xcd},
	}, l)
	require.Equal(t, "abcd", l.Revision())
}

func TestWhatRunsIsNamedByItsGroupAndItsReplicas(t *testing.T) {
	run := func(l Lease, envelope *manifestpb.Envelope) string {
		v, err := Verify(l, envelope)
		require.NoError(t, err)
		revision, err := RunRevision(l, v.Group)
		require.NoError(t, err)
		return revision
	}
	l, envelope := sealed(t, nil)
	first := run(l, envelope)

	other, changed := sealed(t, func(m *manifestpb.Manifest) {
		group := &manifestpb.Group{Name: "other", Salt: bytes.Repeat([]byte{2}, 32), Services: []*manifestpb.Service{web()}}
		m.Groups = append(m.Groups, group)
	})
	require.NotEqual(t, l.Hash, other.Hash)
	require.Equal(t, first, run(other, changed), "another group came beside it")

	other, changed = sealed(t, func(m *manifestpb.Manifest) { m.Groups[0].Services[0].ReadOnly = false })
	require.NotEqual(t, first, run(other, changed), "the group changed")
	l.Replicas--
	require.NotEqual(t, first, run(l, envelope), "a replica is gone")
}

func TestALeaseIsServedWhileItIsPaidInFull(t *testing.T) {
	for name, tt := range map[string]struct {
		state          markettypes.LeaseState
		paused         bool
		active, atRest bool
	}{
		"pending":                     {markettypes.LeaseState_LEASE_STATE_PENDING, false, false, false},
		"active":                      {markettypes.LeaseState_LEASE_STATE_ACTIVE, false, true, false},
		"paused":                      {markettypes.LeaseState_LEASE_STATE_PAUSED, true, false, true},
		"given notice":                {markettypes.LeaseState_LEASE_STATE_LEAVING, false, true, false},
		"given notice, and low funds": {markettypes.LeaseState_LEASE_STATE_LEAVING, true, false, true},
	} {
		l := FromChain(markettypes.Work{Lease: markettypes.Lease{Id: 7, State: tt.state, Paused: tt.paused}})
		require.Equal(t, tt.active, l.Active, name)
		require.Equal(t, tt.atRest, l.Paused, name)
	}
}
