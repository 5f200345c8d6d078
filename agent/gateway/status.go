package gateway

import (
	"fmt"
	"slices"
	"strings"
	"time"

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
	now       time.Time
}

// response judges.
func (s sighting) response() *api.StatusResponse {
	out := &api.StatusResponse{Lease: s.lease.ID, WantedRevision: s.lease.Revision(), Addresses: s.addresses}
	s.status.Replicas = slices.Clone(s.status.Replicas)
	for i := range s.status.Replicas {
		r := &s.status.Replicas[i]
		r.Error = runtime.ForTenant(r.Class, r.Error)
		out.Replicas = append(out.Replicas, replicaOf(*r))
	}
	for _, v := range s.status.Volumes {
		out.Volumes = append(out.Volumes, &api.VolumeStatus{
			Name: v.Name, Copy: v.Copy, Class: v.Class, SizeMib: v.SizeMiB, UsedMib: v.UsedMiB,
		})
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
	case s.lease.Standby && s.group == nil:
		return api.LeaseStage_LEASE_STAGE_STANDBY, "stands by and waits for the manifest"
	case s.lease.Standby && len(s.missing) > 0:
		return api.LeaseStage_LEASE_STAGE_STANDBY, "stands by; to be pushed: " + strings.Join(s.missing, ", ")
	case s.lease.Standby:
		return api.LeaseStage_LEASE_STAGE_STANDBY, orElse(Plain(s.problem), "stands by to take over")
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

// listenTime is how long a replica without a health check has to open the ports that its file exposes until it counts as
// ready without them.
const listenTime = 10 * time.Second

// stageOfReplicas is that of the replica that is worst off.
func (s sighting) stageOfReplicas() (api.LeaseStage, string) {
	wanted, err := workload.RunRevision(s.lease, s.group)
	if err != nil {
		return api.LeaseStage_LEASE_STAGE_DEGRADED, Plain(err.Error())
	}
	running, ended, complete, starting := 0, 0, 0, ""
	for _, r := range s.status.Replicas {
		if trouble := troubleOf(r); trouble != "" {
			return api.LeaseStage_LEASE_STAGE_DEGRADED, Plain(r.Service + ": " + trouble)
		}
		wait := s.waitOf(r, wanted)
		switch {
		case r.Phase == runtime.PhaseExited && r.Job:
			complete++
		case r.Phase == runtime.PhaseExited:
			ended++
		case wait != "":
			starting = Plain(r.Service + ": " + wait)
		default:
			running++
		}
	}
	switch {
	case starting != "":
		return api.LeaseStage_LEASE_STAGE_STARTING, starting
	case running > 0 && ended > 0:
		return api.LeaseStage_LEASE_STAGE_DEGRADED, "some containers have ended"
	case running > 0:
		return api.LeaseStage_LEASE_STAGE_RUNNING, ""
	case ended > 0:
		return api.LeaseStage_LEASE_STAGE_ENDED, "all containers have ended"
	}
	return api.LeaseStage_LEASE_STAGE_ENDED, "all jobs are complete"
}

// troubleOf is what keeps a replica from being as it should; "" when nothing does.
func troubleOf(r runtime.ReplicaStatus) string {
	switch {
	case r.HeldBack:
		return "the update failed, what worked before goes on: " + orElse(r.Error, "no reason is known")
	case r.Phase == runtime.PhaseFailed, r.Error != "" && r.Phase != runtime.PhaseRunning && r.Phase != runtime.PhaseExited:
		return orElse(r.Error, "it can not be started")
	case r.Phase == runtime.PhaseExited && r.Job && r.ExitCode != 0:
		return fmt.Sprintf("the job failed with exit code %d", r.ExitCode)
	case r.Phase == runtime.PhaseRunning && r.Health == runtime.HealthUnhealthy:
		return "unhealthy: " + orElse(r.HealthOutput, "its health check fails")
	}
	return ""
}

// waitOf is what a replica that has not ended is still waited for; "" when it is ready.
func (s sighting) waitOf(r runtime.ReplicaStatus, wanted string) string {
	switch {
	case r.Phase != runtime.PhaseRunning:
		return orElse(r.Progress, string(r.Phase))
	case r.Running != wanted:
		return orElse(r.Progress, "being updated")
	case r.Health == runtime.HealthStarting:
		return "waiting for its health check"
	case r.Health == runtime.HealthHealthy || s.now.Sub(r.StartedAt) >= listenTime:
		return ""
	}
	for _, port := range r.Silent {
		if exposes(s.group, r.Service, port) {
			return fmt.Sprintf("nothing listens on port %d yet", port)
		}
	}
	return ""
}

// exposes tells that the world reaches a TCP port of a service.
func exposes(group *manifestpb.Group, service string, port uint16) bool {
	for _, s := range group.GetServices() {
		for _, p := range s.GetPorts() {
			if s.GetName() == service && p.GetContainerPort() == uint32(port) && p.GetExposed() && p.GetProtocol() != manifestpb.Protocol_PROTOCOL_UDP {
				return true
			}
		}
	}
	return false
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
	runtime.PhasePaused:   api.ReplicaPhase_REPLICA_PHASE_PENDING, // what keeps it is the stage
	runtime.PhaseExited:   api.ReplicaPhase_REPLICA_PHASE_EXITED,
	runtime.PhaseFailed:   api.ReplicaPhase_REPLICA_PHASE_FAILED,
}

var faults = map[runtime.ErrorClass]api.FaultClass{
	runtime.ClassTenant:    api.FaultClass_FAULT_CLASS_TENANT,
	runtime.ClassProvider:  api.FaultClass_FAULT_CLASS_PROVIDER,
	runtime.ClassTransient: api.FaultClass_FAULT_CLASS_TRANSIENT,
}

var healths = map[runtime.Health]api.Health{
	runtime.HealthStarting:  api.Health_HEALTH_STARTING,
	runtime.HealthHealthy:   api.Health_HEALTH_HEALTHY,
	runtime.HealthUnhealthy: api.Health_HEALTH_UNHEALTHY,
}

func replicaOf(r runtime.ReplicaStatus) *api.ReplicaStatus {
	out := &api.ReplicaStatus{
		Service: r.Service, Replica: r.Replica, Phase: phases[r.Phase], Progress: Plain(r.Progress),
		Error: Plain(r.Error), Fault: faults[r.Class], RunningRevision: r.Running,
		Restarts: r.Restarts, ExitCode: int32(r.ExitCode), Exits: r.Exits, OomKilled: r.OOMKilled,
		Health: healths[r.Health], HealthOutput: Plain(r.HealthOutput), Job: r.Job, HeldBack: r.HeldBack,
	}
	if !r.StartedAt.IsZero() {
		out.StartedAt = timestamppb.New(r.StartedAt)
	}
	if !r.NextStart.IsZero() {
		out.NextStart = timestamppb.New(r.NextStart)
	}
	return out
}
