package containerd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"

	"github.com/souk-network/souk/agent/runtime"
)

// Apply implements runtime.Runtime.
func (r *Runtime) Apply(_ context.Context, w runtime.Workload) error {
	if err := errors.Join(validate(w), r.checkStorage(w), r.checkIsolation(w)); err != nil {
		return fmt.Errorf("apply lease %d: %w", w.Lease, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return runtime.ErrClosed
	}
	rec := record{Workload: w}
	rec.Numbers, rec.NextNumber = numbered(rec, w)
	resumed := false
	l := r.leases[w.Lease]
	if l != nil {
		now := l.wanted()
		if now.Removing {
			return runtime.Classify(runtime.ClassTransient, fmt.Errorf("apply lease %d: it is being removed; apply again when it is gone", w.Lease))
		}
		same := reflect.DeepEqual(now.Workload, w)
		if same && !now.Paused {
			return nil
		}
		if now.Workload.Revision == w.Revision && !same {
			return runtime.Invalidf("lease %d: revision %s stands for another workload already", w.Lease, w.Revision)
		}
		rec.Slot, rec.Published, rec.HostIDs = now.Slot, now.Published, now.HostIDs
		rec.Numbers, rec.NextNumber = numbered(now, w)
		resumed = now.Paused
	} else {
		slot, err := r.newSlot()
		if err != nil {
			return fmt.Errorf("apply lease %d: %w", w.Lease, err)
		}
		rec.Slot = slot
		if rec.HostIDs, err = r.takeHostIDs(w.Lease); err != nil {
			return fmt.Errorf("apply lease %d: %w", w.Lease, err)
		}
	}
	var had []int
	if l != nil {
		had = l.wanted().CPUs
	}
	cpus, err := r.pinCPUs(w, had)
	if err != nil {
		return fmt.Errorf("apply lease %d: %w", w.Lease, err)
	}
	rec.CPUs = cpus
	if !slices.Equal(cpus, had) {
		r.workers.Go(r.spreadCPUs) // once the lock is free
	}
	published, err := r.publish(rec)
	if err != nil {
		return fmt.Errorf("apply lease %d: %w", w.Lease, err)
	}
	rec.Published = published
	if err := r.save(rec); err != nil {
		return fmt.Errorf("apply lease %d: %w", w.Lease, err)
	}
	if l != nil {
		l.want(rec)
		if resumed {
			l.tellAll(runtime.EventResumed, "it is taken up again")
		}
		return nil
	}
	r.startWorker(rec)
	return nil
}

// newSlot picks a subnet that no record has. The caller holds r.mu.
func (r *Runtime) newSlot() (uint16, error) {
	used := map[uint16]bool{}
	for _, l := range r.leases {
		used[l.wanted().Slot] = true
	}
	return freeSlot(r.network.rules.pool, used)
}

// save makes a record durable.
func (r *Runtime) save(rec record) error {
	d := r.dir(rec.Workload.Lease)
	if err := os.MkdirAll(string(d), 0o711); err != nil {
		return fmt.Errorf("make the lease's directory: %w", err)
	}
	return errors.Join(writeSealed(r.sealer, d.record(), r.recordContext(rec.Workload.Lease), rec), syncDir(r.leasesDir()))
}

// Remove implements runtime.Runtime. An orphan gets a record first, so that its removal survives a restart too.
func (r *Runtime) Remove(_ context.Context, id runtime.LeaseID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return runtime.ErrClosed
	}
	if l := r.leases[id]; l != nil {
		rec := l.wanted()
		if rec.Removing {
			return nil
		}
		rec.Removing = true
		if err := r.save(rec); err != nil {
			return fmt.Errorf("remove lease %d: %w", id, err)
		}
		l.want(rec)
		return nil
	}
	exists, err := r.existing()
	if err != nil {
		return fmt.Errorf("remove lease %d: %w", id, err)
	}
	if !exists[id] {
		return nil
	}
	rec := record{Workload: runtime.Workload{Lease: id}, Removing: true, Slot: r.slotOfOrphan(id)}
	if err := r.save(rec); err != nil {
		return fmt.Errorf("remove lease %d: %w", id, err)
	}
	r.startWorker(rec)
	return nil
}
