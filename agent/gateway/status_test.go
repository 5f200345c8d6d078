package gateway

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/workload"
	"github.com/souk-network/souk/manifest/manifestpb"
)

func TestTheStageOfALease(t *testing.T) {
	const old = "00"
	lease := workload.Lease{ID: 7, Active: true, Hash: []byte{0xab}}
	group := &manifestpb.Group{Services: []*manifestpb.Service{{Name: "web", Ports: []*manifestpb.Port{
		{ContainerPort: 80, Protocol: manifestpb.Protocol_PROTOCOL_HTTP, Exposed: true},
		{ContainerPort: 9000, Protocol: manifestpb.Protocol_PROTOCOL_TCP},
	}}}}
	wanted, err := workload.RunRevision(lease, group)
	require.NoError(t, err)
	running := runtime.ReplicaStatus{Service: "web", Phase: runtime.PhaseRunning, Running: wanted}
	exited := runtime.ReplicaStatus{Service: "job", Phase: runtime.PhaseExited}
	job := runtime.ReplicaStatus{Service: "job", Phase: runtime.PhaseExited, Job: true, Exits: 1}
	now := time.Unix(1_800_000_000, 0)
	with := func(r runtime.ReplicaStatus, change func(*runtime.ReplicaStatus)) runtime.ReplicaStatus {
		change(&r)
		return r
	}
	health := func(h runtime.Health) runtime.ReplicaStatus {
		return with(running, func(r *runtime.ReplicaStatus) { r.Health, r.HealthOutput = h, "connection \x1b[1mrefused" })
	}
	silent := func(port uint16, since time.Duration) runtime.ReplicaStatus {
		return with(running, func(r *runtime.ReplicaStatus) { r.Silent, r.StartedAt = []uint16{port}, now.Add(-since) })
	}
	tests := []struct {
		name   string
		change func(*sighting)
		want   api.LeaseStage
		says   string
	}{
		{"paused", func(s *sighting) { s.lease.Active, s.lease.Paused = false, true }, api.LeaseStage_LEASE_STAGE_PAUSED, "souk deposit"},
		{"not acknowledged", func(s *sighting) { s.lease.Active = false }, api.LeaseStage_LEASE_STAGE_PENDING, "acknowledge"},
		{"no manifest", func(s *sighting) { s.group = nil }, api.LeaseStage_LEASE_STAGE_AWAITING_MANIFEST, "manifest"},
		{"refused", func(s *sighting) { s.problem = "too many \x1b[31mreplicas" }, api.LeaseStage_LEASE_STAGE_DEGRADED, "too many replicas"},
		{"an image is missing", func(s *sighting) { s.missing = []string{"hello:1"} }, api.LeaseStage_LEASE_STAGE_STARTING, "hello:1"},
		{"nothing exists yet", func(*sighting) {}, api.LeaseStage_LEASE_STAGE_STARTING, "being made"},
		{"pulling", replicas(runtime.ReplicaStatus{Service: "web", Phase: runtime.PhasePulling, Progress: "pulling hello:1"}), api.LeaseStage_LEASE_STAGE_STARTING, "web: pulling hello:1"},
		{"running", replicas(running, running), api.LeaseStage_LEASE_STAGE_RUNNING, ""},
		{"one of two runs", replicas(running, runtime.ReplicaStatus{Service: "web", Phase: runtime.PhaseStarting}), api.LeaseStage_LEASE_STAGE_STARTING, "starting"},
		{"an older revision runs", replicas(runtime.ReplicaStatus{Service: "web", Phase: runtime.PhaseRunning, Running: old}), api.LeaseStage_LEASE_STAGE_STARTING, ""},
		{"failed", replicas(running, runtime.ReplicaStatus{Service: "web", Phase: runtime.PhaseFailed, Error: "no such image"}), api.LeaseStage_LEASE_STAGE_DEGRADED, "web: no such image"},
		{"the host fails", replicas(runtime.ReplicaStatus{
			Service: "web", Phase: runtime.PhaseFailed, Class: runtime.ClassProvider, Error: "mount /var/lib/souk: no space left",
		}), api.LeaseStage_LEASE_STAGE_DEGRADED, "web: the provider's machine"},
		{"crashing", replicas(runtime.ReplicaStatus{Service: "web", Phase: runtime.PhasePending, Error: "ended with exit code 1"}), api.LeaseStage_LEASE_STAGE_DEGRADED, "exit code 1"},
		{"all ended", replicas(exited), api.LeaseStage_LEASE_STAGE_ENDED, "ended"},
		{"some ended", replicas(running, exited), api.LeaseStage_LEASE_STAGE_DEGRADED, "some"},
		{"an update failed", replicas(with(running, func(r *runtime.ReplicaStatus) {
			r.HeldBack, r.Error = true, "the new one ended with exit code 1"
		})), api.LeaseStage_LEASE_STAGE_DEGRADED, "what worked before goes on: the new one"},
		{"healthy", replicas(health(runtime.HealthHealthy)), api.LeaseStage_LEASE_STAGE_RUNNING, ""},
		{"not healthy yet", replicas(running, health(runtime.HealthStarting)), api.LeaseStage_LEASE_STAGE_STARTING, "health check"},
		{"unhealthy", replicas(running, health(runtime.HealthUnhealthy)), api.LeaseStage_LEASE_STAGE_DEGRADED, "unhealthy: connection refused"},
		{"nothing listens on an exposed port", replicas(silent(80, time.Second)), api.LeaseStage_LEASE_STAGE_STARTING, "port 80"},
		{"nothing listens on an inner port", replicas(silent(9000, time.Second)), api.LeaseStage_LEASE_STAGE_RUNNING, ""},
		{"nothing has listened for long", replicas(silent(80, listenTime)), api.LeaseStage_LEASE_STAGE_RUNNING, ""},
		{"a job is complete beside what runs", replicas(running, job), api.LeaseStage_LEASE_STAGE_RUNNING, ""},
		{"all jobs are complete", replicas(job, job), api.LeaseStage_LEASE_STAGE_ENDED, "complete"},
		{"a job failed", replicas(running, with(job, func(r *runtime.ReplicaStatus) { r.ExitCode = 3 })), api.LeaseStage_LEASE_STAGE_DEGRADED, "exit code 3"},
		{"a job runs", replicas(with(running, func(r *runtime.ReplicaStatus) { r.Job = true })), api.LeaseStage_LEASE_STAGE_RUNNING, ""},
		{"waiting for another service", replicas(running, runtime.ReplicaStatus{
			Service: "app", Phase: runtime.PhasePending, Progress: "waiting for db to be healthy",
		}), api.LeaseStage_LEASE_STAGE_STARTING, "waiting for db"},
		{"being removed", func(s *sighting) { replicas(running)(s); s.status.Removing = true }, api.LeaseStage_LEASE_STAGE_STARTING, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := sighting{lease: lease, group: group, now: now}
			tt.change(&s)
			got := s.response()
			require.Equal(t, tt.want, got.GetStage())
			require.Contains(t, got.GetMessage(), tt.says)
			require.Equal(t, tt.want == api.LeaseStage_LEASE_STAGE_RUNNING, got.GetReady())
			require.Len(t, got.GetReplicas(), len(s.status.Replicas))
			require.NotContains(t, got.String(), "/var/lib")
		})
	}
}

func replicas(list ...runtime.ReplicaStatus) func(*sighting) {
	return func(s *sighting) { s.status.Replicas = list }
}
