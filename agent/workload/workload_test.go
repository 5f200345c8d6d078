package workload

import (
	"bytes"
	"net/netip"
	"reflect"
	"testing"
	"time"

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

func TestAllThatAGroupSaysReachesTheRuntime(t *testing.T) {
	l, envelope := sealed(t, func(m *manifestpb.Manifest) {
		group, db := m.Groups[0], web()
		group.Isolation = "gvisor"
		group.Volumes = []*manifestpb.Volume{
			{Name: "data", Class: manifestpb.StorageClass_STORAGE_CLASS_SSD, SizeMib: 1024},
			{Name: "scratch", Class: manifestpb.StorageClass_STORAGE_CLASS_EPHEMERAL},
		}
		db.Name, db.Ports, db.Environment, db.Command = "db", nil, nil, nil
		db.Image = &manifestpb.Image{Reference: "registry.example.org/db:1", Username: "robot", Password: "t0ken"}
		db.Ports = []*manifestpb.Port{
			{ContainerPort: 5432, Protocol: manifestpb.Protocol_PROTOCOL_TCP, Exposed: true},
			{ContainerPort: 5433, Protocol: manifestpb.Protocol_PROTOCOL_UDP, Exposed: true},
			{ContainerPort: 5434, Protocol: manifestpb.Protocol_PROTOCOL_TCP},
		}
		db.HealthCheck = &manifestpb.HealthCheck{Command: []string{"ready"}, IntervalMillis: 5000, TimeoutMillis: 3000, Retries: 5, StartPeriodMillis: 10_000, StartIntervalMillis: 1500}
		db.Mounts = []*manifestpb.Mount{
			{Target: "/data", Volume: "data", Subpath: "db", ReadOnly: true}, {Target: "/run", TmpfsMib: 16, Mode: 0o1777},
		}
		db.Files = []*manifestpb.File{{Target: "/run/secrets/password", Content: []byte("hunter2"), Mode: 0o440, Uid: 70, Gid: 71}}
		db.RestartPolicy, db.MaxRestarts, db.Job = manifestpb.RestartPolicy_RESTART_POLICY_ON_FAILURE, 4, true
		db.Init, db.StopSignal, db.ShmMib, db.Hostname, db.OpenFiles = true, "SIGINT", 128, "pg", 65536
		db.ExtraHosts = []*manifestpb.HostAddress{{Name: "backup", Address: "2001:db8::1"}}
		db.Aliases, db.DropCapabilities, db.Groups = []string{"postgres"}, []string{"KILL"}, []string{"100"}
		front := group.Services[0]
		front.User, front.WorkingDir = "1000:1000", "/srv"
		front.HealthCheck = &manifestpb.HealthCheck{Disabled: true}
		front.DependsOn = []*manifestpb.Dependency{{Service: "db", Condition: manifestpb.DependencyCondition_DEPENDENCY_CONDITION_COMPLETED}}
		group.Services = []*manifestpb.Service{db, front}
	})
	v, err := Verify(l, envelope)
	require.NoError(t, err)
	require.Equal(t, uint64(1024), v.Unit[manifest.SSDMiB], "the lease pays for one volume a copy")
	got, err := Of(l, v.Group)
	require.NoError(t, err)
	require.Equal(t, uint32(3), got.Copies)
	require.Equal(t, "gvisor", got.Isolation)
	require.Equal(t, []runtime.Volume{{Name: "data", Class: "ssd", SizeMiB: 1024}, {Name: "scratch"}}, got.Volumes)
	require.Equal(t, runtime.Service{
		Name: "db", Image: "registry.example.org/db:1", Credentials: &runtime.Credentials{Username: "robot", Password: "t0ken"},
		Hostname: "pg",
		Ports: []runtime.Port{
			{Container: 5432, Protocol: "tcp", Name: "5432", Published: true},
			{Container: 5433, Protocol: "udp", Name: "5433", Published: true},
			{Container: 5434, Protocol: "tcp", Name: "5434"},
		},
		Replicas: 6, Resources: got.Services[1].Resources, ReadOnlyRoot: true,
		Restart: runtime.RestartOnFailure, MaxRestarts: 4, Job: true, StopSignal: "SIGINT", StopGraceSeconds: 2,
		HealthCheck: &runtime.HealthCheck{
			Command: []string{"ready"}, Interval: 5 * time.Second, Timeout: 3 * time.Second, Retries: 5,
			StartPeriod: 10 * time.Second, StartInterval: 1500 * time.Millisecond,
		},
		Mounts: []runtime.Mount{
			{Target: "/data", Volume: "data", Subpath: "db", ReadOnly: true}, {Target: "/run", TmpfsMiB: 16, Mode: 0o1777},
		},
		Files: []runtime.File{{Target: "/run/secrets/password", Content: []byte("hunter2"), Mode: 0o440, UID: 70, GID: 71}},
		Init:  true, Aliases: []string{"postgres"}, ExtraHosts: []runtime.HostAddress{{Name: "backup", Address: netip.MustParseAddr("2001:db8::1")}},
		Groups: []string{"100"}, DropCapabilities: []string{"KILL"}, ShmMiB: 128, OpenFiles: 65536,
	}, got.Services[0])
	require.Equal(t, []runtime.Dependency{{Service: "db", Condition: runtime.DependencyCompleted}}, got.Services[1].DependsOn)
	require.Equal(t, &runtime.HealthCheck{Disabled: true}, got.Services[1].HealthCheck)
	require.ElementsMatch(t, []string{"Service.Args", "Service.Entrypoint"}, unsaid(got),
		"a manifest's command is whole, and no entrypoint is said here; all else that a runtime takes is filled in")
}

// unsaid names the fields of a workload's types that are empty in all of their values.
func unsaid(workload runtime.Workload) []string {
	said := map[string]bool{}
	var look func(v reflect.Value)
	look = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			look(v.Elem())
		case reflect.Slice:
			for i := range v.Len() {
				look(v.Index(i))
			}
		case reflect.Struct:
			if v.Type().PkgPath() != reflect.TypeOf(workload).PkgPath() {
				return
			}
			for i := range v.NumField() {
				at := v.Type().Name() + "." + v.Type().Field(i).Name
				said[at] = said[at] || !v.Field(i).IsZero()
				look(v.Field(i))
			}
		}
	}
	look(reflect.ValueOf(workload))
	var empty []string
	for field, there := range said {
		if !there {
			empty = append(empty, field)
		}
	}
	return empty
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
		{"more than a lease holds", func(l *Lease, _ *manifestpb.Envelope) { l.Replicas = manifest.MaxLeaseContainers/2 + 1 }},
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
	front := web()
	front.Ports[1].Hostnames = []string{"shop.example.org"}
	group := &manifestpb.Group{Services: []*manifestpb.Service{front, {Name: "quiet"}}}
	hosts := Hosts(7, group)
	require.Equal(t, []Host{
		{Label: "web-7", Lease: 7, Service: "web", Port: 8080, Names: []string{"shop.example.org"}},
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
		{Service: "web", Replica: 3, Phase: runtime.PhaseRunning, Health: runtime.HealthUnhealthy, Endpoints: endpoints("10.0.0.6")},
		{Service: "other", Phase: runtime.PhaseRunning, Endpoints: endpoints("10.0.0.5")},
	}}
	require.Equal(t, []netip.AddrPort{at("10.0.0.2:8080"), at("10.0.0.3:8080")}, hosts[0].Backends(status))
}

func TestPublishedPortsAreWrittenAsTheWorldReachesThem(t *testing.T) {
	status := runtime.WorkloadStatus{Published: []runtime.PublishedPort{
		{Service: "db", Port: runtime.Port{Container: 5432, Protocol: "tcp", Published: true}, Host: 20001},
		{Service: "dns", Port: runtime.Port{Container: 53, Protocol: "udp", Published: true}, Host: 20002},
	}}
	require.Equal(t, []Address{
		{Service: "db", Port: 5432, URL: "tcp://provider.example:20001"}, {Service: "dns", Port: 53, URL: "udp://provider.example:20002"},
	}, Addresses("provider.example", status))
	require.Equal(t, "tcp://[2001:db8::1]:20001", Addresses("2001:db8::1", status)[0].URL)
	require.Empty(t, Addresses("provider.example", runtime.WorkloadStatus{}))
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

func TestWhatTheStatesOfALeaseMeanForItsProvider(t *testing.T) {
	tests := []struct {
		name                    string
		state                   markettypes.LeaseState
		paused, standby         bool
		active, isPaused, ready bool // as the agent has it
	}{
		{"pending", markettypes.LeaseState_LEASE_STATE_PENDING, false, false, false, false, false},
		{"active", markettypes.LeaseState_LEASE_STATE_ACTIVE, false, false, true, false, false},
		{"paused", markettypes.LeaseState_LEASE_STATE_PAUSED, true, false, false, true, false},
		{"leaving", markettypes.LeaseState_LEASE_STATE_LEAVING, false, false, true, false, false},
		{"leaving on a low account", markettypes.LeaseState_LEASE_STATE_LEAVING, true, false, false, true, false},
		{"a standby that is pending", markettypes.LeaseState_LEASE_STATE_PENDING, false, true, false, false, false},
		{"a standby", markettypes.LeaseState_LEASE_STATE_STANDBY, false, true, false, false, true},
		{"a standby that leaves", markettypes.LeaseState_LEASE_STATE_LEAVING, false, true, false, false, true},
		{"a standby that took over", markettypes.LeaseState_LEASE_STATE_ACTIVE, false, false, true, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := FromChain(markettypes.Work{Lease: markettypes.Lease{State: tt.state, Paused: tt.paused, Standby: tt.standby}})
			require.Equal(t, []bool{tt.active, tt.isPaused, tt.ready}, []bool{l.Active, l.Paused, l.Standby})
		})
	}
}
