package gateway

import (
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/workload"
	"github.com/souk-network/souk/manifest/manifestpb"
)

// sighting is all that was found out about a lease.
type sighting struct {
	lease     workload.Lease
	group     *manifestpb.Group // nil: the wanted manifest is not here
	missing   []string          // images that were not pushed
	problem   string
	status    runtime.WorkloadStatus
	addresses []*api.ServiceAddress
}

// response judges.
func (s sighting) response() *api.StatusResponse {
	out := &api.StatusResponse{Lease: s.lease.ID, WantedRevision: s.lease.Revision(), Addresses: s.addresses}
	for _, r := range s.status.Replicas {
		out.Replicas = append(out.Replicas, replicaOf(r))
	}
	out.Stage, out.Message = s.stage()
	out.Ready = out.GetStage() == api.LeaseStage_LEASE_STAGE_RUNNING
	return out
}

// stage says how far it is and, in a line, what is waited for.
func (s sighting) stage() (api.LeaseStage, string) {
	switch {
	case s.lease.Paused:
		return api.LeaseStage_LEASE_STAGE_PAUSED, "paused for want of money: souk deposit resumes it"
	case !s.lease.Active:
		return api.LeaseStage_LEASE_STAGE_PENDING, "the provider is about to acknowledge the lease"
	case s.group == nil:
		return api.LeaseStage_LEASE_STAGE_AWAITING_MANIFEST, "the manifest was not sent yet"
	case s.problem != "":
		return api.LeaseStage_LEASE_STAGE_DEGRADED, Plain(s.problem)
	case len(s.missing) > 0:
		return api.LeaseStage_LEASE_STAGE_STARTING, "to be pushed: " + strings.Join(s.missing, ", ")
	case len(s.status.Replicas) == 0 || s.status.Removing:
		return api.LeaseStage_LEASE_STAGE_STARTING, "the containers are being made"
	}
	return s.stageOfReplicas()
}

// stageOfReplicas is that of the replica that is worst off.
func (s sighting) stageOfReplicas() (api.LeaseStage, string) {
	running, ended, starting := 0, 0, ""
	wanted, err := workload.RunRevision(s.lease, s.group)
	if err != nil {
		return api.LeaseStage_LEASE_STAGE_DEGRADED, Plain(err.Error())
	}
	for _, r := range s.status.Replicas {
		switch {
		case r.Phase == runtime.PhaseFailed, r.Error != "" && r.Phase != runtime.PhaseRunning && r.Phase != runtime.PhaseExited:
			return api.LeaseStage_LEASE_STAGE_DEGRADED, Plain(r.Service + ": " + r.Error)
		case r.Phase == runtime.PhaseExited:
			ended++
		case r.Phase == runtime.PhaseRunning && r.Running == wanted:
			running++
		default:
			starting = Plain(r.Service + ": " + orElse(r.Progress, string(r.Phase)))
		}
	}
	switch len(s.status.Replicas) {
	case running:
		return api.LeaseStage_LEASE_STAGE_RUNNING, ""
	case ended:
		return api.LeaseStage_LEASE_STAGE_ENDED, "all containers have ended"
	case running + ended:
		return api.LeaseStage_LEASE_STAGE_DEGRADED, "some containers have ended"
	}
	return api.LeaseStage_LEASE_STAGE_STARTING, starting
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

var phases = map[runtime.Phase]api.ReplicaPhase{
	runtime.PhasePending:  api.ReplicaPhase_REPLICA_PHASE_PENDING,
	runtime.PhasePulling:  api.ReplicaPhase_REPLICA_PHASE_PULLING,
	runtime.PhaseStarting: api.ReplicaPhase_REPLICA_PHASE_STARTING,
	runtime.PhaseRunning:  api.ReplicaPhase_REPLICA_PHASE_RUNNING,
	runtime.PhaseExited:   api.ReplicaPhase_REPLICA_PHASE_EXITED,
	runtime.PhaseFailed:   api.ReplicaPhase_REPLICA_PHASE_FAILED,
}

var faults = map[runtime.ErrorClass]api.FaultClass{
	runtime.ClassTenant:    api.FaultClass_FAULT_CLASS_TENANT,
	runtime.ClassProvider:  api.FaultClass_FAULT_CLASS_PROVIDER,
	runtime.ClassTransient: api.FaultClass_FAULT_CLASS_TRANSIENT,
}

func replicaOf(r runtime.ReplicaStatus) *api.ReplicaStatus {
	out := &api.ReplicaStatus{
		Service: r.Service, Replica: r.Replica, Phase: phases[r.Phase], Progress: Plain(r.Progress),
		Error: Plain(r.Error), Fault: faults[r.Class], RunningRevision: r.Running,
		Restarts: r.Restarts, ExitCode: int32(r.ExitCode), Exits: r.Exits, OomKilled: r.OOMKilled,
	}
	if !r.StartedAt.IsZero() {
		out.StartedAt = timestamppb.New(r.StartedAt)
	}
	if !r.NextStart.IsZero() {
		out.NextStart = timestamppb.New(r.NextStart)
	}
	return out
}
