package containerd

import (
	"context"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
)

const leaseLabel = "souk.network/lease"

// unitPattern reads the lease off the names that unit.id gives.
var unitPattern = regexp.MustCompile(`^l([0-9]+)-s[0-9]+-r[0-9]+$`)

func leaseOfUnit(name string) (runtime.LeaseID, bool) {
	m := unitPattern.FindStringSubmatch(name)
	if m == nil {
		return 0, false
	}
	id, err := strconv.ParseUint(m[1], 10, 64)
	return id, err == nil
}

// List implements runtime.Runtime.
func (r *Runtime) List(context.Context) ([]runtime.Observed, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, runtime.ErrClosed
	}
	exists, err := r.existing()
	if err != nil {
		return nil, fmt.Errorf("list leases: %w", err)
	}
	for id := range r.leases {
		exists[id] = true
	}
	list := make([]runtime.Observed, 0, len(exists))
	for _, id := range slices.Sorted(maps.Keys(exists)) {
		o := runtime.Observed{Lease: id}
		if l := r.leases[id]; l != nil {
			rec := l.wanted()
			o.Revision, o.Owner, o.Removing, o.Paused = rec.Workload.Revision, rec.Workload.Owner, rec.Removing, rec.Paused
			o.Recorded = rec.Workload.Revision != ""
		}
		list = append(list, o)
	}
	return list, nil
}

// existing finds every lease of which anything exists: a directory, a container, a cgroup, a network namespace or a
// bridge. It does not trust any one of them, for any of them may be lost.
func (r *Runtime) existing() (map[runtime.LeaseID]bool, error) {
	found := map[runtime.LeaseID]bool{}
	containers, err := r.engine.client.Containers(r.ctx)
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	for _, c := range containers {
		if id, ok := leaseOfUnit(c.ID()); ok {
			found[id] = true
		}
	}
	numbered, err := names(r.leasesDir())
	if err != nil {
		return nil, err
	}
	tops, err := instance.Cgroups(r.id)
	if err != nil {
		return nil, err
	}
	for _, top := range tops {
		groups, err := names(top)
		if err != nil {
			return nil, err
		}
		numbered = append(numbered, groups...)
	}
	for _, name := range numbered {
		if id, err := strconv.ParseUint(name, 10, 64); err == nil {
			found[id] = true
		}
	}
	namespaces, err := names(r.id.NetnsDir())
	if err != nil {
		return nil, err
	}
	for _, name := range namespaces {
		if id, ok := leaseOfUnit(name); ok {
			found[id] = true
		}
	}
	bridges, err := r.network.bridges()
	if err != nil {
		return nil, err
	}
	for id := range bridges {
		found[id] = true
	}
	return found, nil
}

// names lists a directory; one that does not exist is empty.
func names(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	list := make([]string, 0, len(entries))
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list, nil
}

// slotOfOrphan reads the subnet slot off an orphan's bridge; without a bridge there is nothing at the slot.
func (r *Runtime) slotOfOrphan(id runtime.LeaseID) uint16 {
	bridges, err := r.network.bridges()
	if err != nil || bridges[id] == nil {
		return noSlot
	}
	hex := strings.TrimPrefix(bridges[id].Attrs().Name, r.id.LinkPrefix()+"-")
	slot, err := strconv.ParseUint(hex, 16, 16)
	if err != nil {
		return noSlot
	}
	return uint16(slot)
}

// noSlot stands for a lease without a subnet. No pool has so many.
const noSlot = 0xffff
