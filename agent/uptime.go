package agent

import (
	"strconv"

	"github.com/souk-network/souk/agent/meter"
	"github.com/souk-network/souk/agent/runtime"
)

// sight is what a look saw of one lease that pays for service.
type sight struct {
	// known: the runtime has a workload of it; then status is set.
	known  bool
	status runtime.WorkloadStatus
	// awaits its tenant: it has brought no manifest, has images to push, or what it brought can not be run.
	awaits bool
}

// replicas are what is metered: none when the provider has nothing to do but to hold the room.
func (s sight) replicas() []meter.Replica {
	if !s.known || len(s.status.Replicas) == 0 {
		if s.awaits {
			return nil
		}
		return nothing
	}
	out := make([]meter.Replica, 0, len(s.status.Replicas))
	for _, r := range s.status.Replicas {
		out = append(out, meter.Replica{Name: r.Service + "/" + strconv.FormatUint(uint64(r.Replica), 10), Run: runOf(r), Up: isServed(r)})
	}
	return out
}

// nothing is a lease of which nothing is served.
var nothing = []meter.Replica{{}}

// runOf tells the runs of a replica apart.
func runOf(r runtime.ReplicaStatus) string {
	if r.StartedAt.IsZero() {
		return ""
	}
	return strconv.FormatInt(r.StartedAt.UnixNano(), 36)
}

// isServed tells whether the provider does its part for a replica: it runs, or does not for a reason of its tenant's, such as
// that it ended by itself, can not be started as it is, or waits for another one.
func isServed(r runtime.ReplicaStatus) bool {
	ours := r.Class == runtime.ClassProvider || r.Class == runtime.ClassTransient
	switch {
	case r.Phase == runtime.PhaseRunning:
		return !ours || r.Health != runtime.HealthUnhealthy
	case ours, r.Phase == runtime.PhasePaused:
		return false
	case r.Class == runtime.ClassTenant, r.Phase == runtime.PhaseExited:
		return true
	default:
		return r.Phase == runtime.PhasePending && r.Progress != ""
	}
}

// isUnseen tells that a runtime which just began has not looked at a replica yet.
func isUnseen(r runtime.ReplicaStatus) bool {
	return r.Phase == runtime.PhasePending && r.StartedAt.IsZero() && r.Exits == 0 && r.Error == "" && r.Progress == ""
}
