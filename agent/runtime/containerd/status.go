package containerd

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/souk-network/souk/agent/runtime"
)

// Status implements runtime.Runtime. It tells what the worker last saw and never waits for it.
func (r *Runtime) Status(_ context.Context, id runtime.LeaseID) (runtime.WorkloadStatus, error) {
	r.mu.Lock()
	l := r.leases[id]
	closed := r.closed
	r.mu.Unlock()
	if closed {
		return runtime.WorkloadStatus{}, runtime.ErrClosed
	}
	if l == nil {
		return runtime.WorkloadStatus{}, fmt.Errorf("status of lease %d: %w", id, runtime.ErrNotFound)
	}
	s, processes := l.shown()
	w, now := l.wanted().Workload, time.Now()
	s.Volumes = l.sights.volumesOf(w, now, r.volumeStatus)
	if r.isolationOf(w.Isolation) == isolationGVisor {
		return s, nil // what listens in a sandbox is not seen outside
	}
	for i, p := range processes {
		one := &s.Replicas[i]
		if one.Phase == runtime.PhaseRunning {
			one.Silent = silentPorts(one.Endpoints, func() map[uint16]bool {
				return l.sights.portsOf(p.container, p.pid, now, openPorts)
			})
		}
	}
	return s, nil
}

// firstProcess is that of a replica; pid is 0 when none runs.
type firstProcess struct {
	container string
	pid       uint32
}

// shown is what was last seen of a lease, and the processes of its replicas.
func (l *lease) shown() (runtime.WorkloadStatus, []firstProcess) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rec := l.record
	s := runtime.WorkloadStatus{
		Lease: l.id, Wanted: rec.Workload.Revision, Removing: rec.Removing, Paused: rec.Paused, Published: slices.Clone(rec.Published),
	}
	var processes []firstProcess
	for _, u := range rec.units() {
		one, ok := l.status[u.id()]
		if !ok {
			one = runtime.ReplicaStatus{Phase: runtime.PhasePending}
		}
		one.Service, one.Replica, one.Wanted, one.Job = u.service.Name, u.replica, u.workload, u.service.Job
		s.Replicas = append(s.Replicas, one)
		processes = append(processes, firstProcess{container: u.id(), pid: l.pids[u.id()]})
	}
	return s, processes
}

// update changes what Status tells of a replica.
func (l *lease) update(u unit, change func(*runtime.ReplicaStatus)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.status[u.id()]
	change(&s)
	l.status[u.id()] = s
}

// progress says what is being done for a replica, unless an older revision of it runs meanwhile.
func (l *lease) progress(u unit, phase runtime.Phase, text string) {
	l.update(u, func(s *runtime.ReplicaStatus) {
		s.Progress = text
		if s.Running == "" {
			s.Phase = phase
		}
	})
}

// fail says what went wrong and when it is tried again.
func (l *lease) fail(u unit, err error, next time.Time) {
	l.r.log.Warn("replica cannot be started", "lease", l.id, "service", u.service.Name, "replica", u.replica, "class", runtime.ClassOf(err), "error", err)
	l.update(u, func(s *runtime.ReplicaStatus) {
		s.Error, s.Class, s.NextStart, s.Progress = err.Error(), runtime.ClassOf(err), next, ""
		if s.Running == "" {
			s.Phase = runtime.PhaseFailed
		}
	})
}

// settle shows a replica as it was found to be.
func (l *lease) settle(rec record, v view, next step, address netip.Addr) {
	h, f := v.history, v.facts
	running := f.task == taskRunning
	held := l.heldBy(rec, v)
	l.update(v.wanted, func(s *runtime.ReplicaStatus) {
		if h.Revision == v.now.revision || h.Revision == f.revision {
			s.Restarts, s.Exits, s.ExitCode, s.OOMKilled = h.Restarts, h.Exits, h.ExitCode, h.OOMKilled
			s.StartedAt, s.ExitedAt, s.NextStart = h.StartedAt, h.ExitedAt, h.NextStart
		}
		s.Progress, s.Running, s.Endpoints, s.HeldBack = "", "", nil, held != nil
		s.Error, s.Class, s.Phase = "", runtime.ClassNone, restingPhase(v)
		if running {
			s.Running, s.Endpoints = h.runs(v.wanted, f), endpoints(v.now.service.Ports, address)
		} else if h.Exits > 0 && h.Revision == v.now.revision && s.Phase == runtime.PhasePending {
			s.Error, s.Class = exitText(h), runtime.ClassTenant
		}
		if v.blocked != nil && (next == stepBlocked || f.revision != v.wanted.revision) && !v.goal.paused {
			explain(s, v.blocked)
		}
		if held != nil {
			s.Error, s.Class = held.Error, held.Class
		}
	})
}

// explain says what a replica waits for, and that it waits in vain when it does.
func explain(s *runtime.ReplicaStatus, blocked error) {
	var waits waitError
	if errors.As(blocked, &waits) {
		s.Progress = blocked.Error()
		return
	}
	s.Error, s.Class = blocked.Error(), runtime.ClassOf(blocked)
}

// restingPhase is the phase of a replica that nothing is done for.
func restingPhase(v view) runtime.Phase {
	switch h := v.history; {
	case v.facts.task == taskRunning:
		return runtime.PhaseRunning
	case h.Over && h.Revision == v.now.revision:
		return runtime.PhaseExited
	case v.goal.paused:
		return runtime.PhasePaused
	default:
		return runtime.PhasePending
	}
}

// runs is the revision of the workload that a running replica counts for.
func (h history) runs(u unit, f facts) string {
	if f.revision == u.revision {
		return u.workload
	}
	return h.Workload
}

// heldBy finds the failure that keeps a replica from the wanted revision: its own, or that of another of its service.
func (l *lease) heldBy(rec record, v view) *held {
	if v.history.heldBack(v.goal) {
		return &v.history.Held
	}
	if v.facts.revision == "" || v.facts.revision == v.wanted.revision {
		return nil
	}
	for _, s := range l.replicasOf(rec, v.wanted.service.Name) {
		if s != nil && s.history.heldBack(s.goal) {
			return &s.history.Held
		}
	}
	return nil
}

func endpoints(ports []runtime.Port, address netip.Addr) []runtime.Endpoint {
	if !address.IsValid() {
		return nil
	}
	list := make([]runtime.Endpoint, 0, len(ports))
	for _, p := range ports {
		list = append(list, runtime.Endpoint{Port: p, Address: netip.AddrPortFrom(address, p.Container)})
	}
	return list
}
