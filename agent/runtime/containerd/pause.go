package containerd

import (
	"context"
	"fmt"

	"github.com/souk-network/souk/agent/runtime"
)

var _ runtime.Pauser = (*Runtime)(nil)

// Pause implements runtime.Pauser. The worker stops the containers, those first that others do not depend on; networks,
// published ports, volumes and disk stay, and so does the pause when the agent or the host is started again.
func (r *Runtime) Pause(_ context.Context, id runtime.LeaseID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return runtime.ErrClosed
	}
	l := r.leases[id]
	if l == nil || l.wanted().Removing {
		return fmt.Errorf("pause lease %d: %w", id, runtime.ErrNotFound)
	}
	rec := l.wanted()
	if rec.Paused {
		return nil
	}
	rec.Paused = true
	if err := r.save(rec); err != nil {
		return fmt.Errorf("pause lease %d: %w", id, err)
	}
	l.want(rec)
	l.tellAll(runtime.EventPaused, "it is paused")
	return nil
}
