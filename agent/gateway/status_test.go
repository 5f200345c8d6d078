package gateway

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/workload"
	"github.com/souk-network/souk/manifest/manifestpb"
)

func TestTheStageOfALease(t *testing.T) {
	const old = "00"
	lease, group := workload.Lease{ID: 7, Active: true, Hash: []byte{0xab}}, &manifestpb.Group{}
	wanted, err := workload.RunRevision(lease, group)
	require.NoError(t, err)
	running := runtime.ReplicaStatus{Service: "web", Phase: runtime.PhaseRunning, Running: wanted}
	exited := runtime.ReplicaStatus{Service: "job", Phase: runtime.PhaseExited}
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
		{"crashing", replicas(runtime.ReplicaStatus{Service: "web", Phase: runtime.PhasePending, Error: "ended with exit code 1"}), api.LeaseStage_LEASE_STAGE_DEGRADED, "exit code 1"},
		{"all ended", replicas(exited), api.LeaseStage_LEASE_STAGE_ENDED, "ended"},
		{"some ended", replicas(running, exited), api.LeaseStage_LEASE_STAGE_DEGRADED, "some"},
		{"being removed", func(s *sighting) { replicas(running)(s); s.status.Removing = true }, api.LeaseStage_LEASE_STAGE_STARTING, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := sighting{lease: lease, group: group}
			tt.change(&s)
			got := s.response()
			require.Equal(t, tt.want, got.GetStage())
			require.Contains(t, got.GetMessage(), tt.says)
			require.Equal(t, tt.want == api.LeaseStage_LEASE_STAGE_RUNNING, got.GetReady())
			require.Len(t, got.GetReplicas(), len(s.status.Replicas))
		})
	}
}

func replicas(list ...runtime.ReplicaStatus) func(*sighting) {
	return func(s *sighting) { s.status.Replicas = list }
}
