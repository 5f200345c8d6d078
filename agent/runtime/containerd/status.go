package containerd

import (
	"context"
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
	stored := r.volumeStatus(l.wanted().Workload)
	l.mu.Lock()
	defer l.mu.Unlock()
	s := runtime.WorkloadStatus{Volumes: stored, Lease: id, Wanted: l.record.Workload.Revision, Removing: l.record.Removing, Published: slices.Clone(l.record.Published)}
	for _, u := range units(l.record.Workload) {
		one, ok := l.status[u.id()]
		if !ok {
			one = runtime.ReplicaStatus{Phase: runtime.PhasePending}
		}
		one.Service, one.Replica, one.Wanted = u.service.Name, u.replica, u.revision
		s.Replicas = append(s.Replicas, one)
	}
	return s, nil
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
func (l *lease) settle(u unit, f facts, h history, address netip.Addr) {
	l.update(u, func(s *runtime.ReplicaStatus) {
		if h.Revision == u.revision || h.Revision == f.revision {
			s.Restarts, s.Exits, s.ExitCode, s.OOMKilled = h.Restarts, h.Exits, h.ExitCode, h.OOMKilled
			s.StartedAt, s.ExitedAt, s.NextStart = h.StartedAt, h.ExitedAt, h.NextStart
		}
		s.Progress, s.Running, s.Endpoints = "", "", nil
		if f.task == taskRunning {
			s.Phase, s.Running = runtime.PhaseRunning, f.revision
			s.Endpoints = endpoints(u.service.Ports, address)
			if f.revision == u.revision {
				s.Error, s.Class = "", runtime.ClassNone
			}
			return
		}
		s.Phase = runtime.PhasePending
		if h.Over && h.Revision == u.revision {
			s.Phase = runtime.PhaseExited
		}
		if h.Exits > 0 && h.Revision == u.revision && s.Phase != runtime.PhaseExited {
			s.Error, s.Class = exitText(h), runtime.ClassTenant
		}
	})
}

func exitText(h history) string {
	if h.OOMKilled {
		return fmt.Sprintf("ended with exit code %d: its memory limit was reached; lease more memory or use less", h.ExitCode)
	}
	if h.ExitCode == lostExitCode {
		return "ended with the host or its supervisor, or with exit code 255; see its logs"
	}
	return fmt.Sprintf("ended with exit code %d; see its logs", h.ExitCode)
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
