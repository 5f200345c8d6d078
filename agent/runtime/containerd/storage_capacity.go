package containerd

import (
	"fmt"
	"maps"

	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/runtime"
)

// leaseDisks stands beside the classes of persistent volumes for the leases' own disks.
const leaseDisks = ""

// storageUse is what of each class is taken and promised, in MiB.
type storageUse struct{ used, promised map[string]uint64 }

// storageUse counts the persistent volumes that exist. Those that no lease wants count as promised as long as they are kept.
func (r *Runtime) storageUse() (storageUse, error) {
	s := storageUse{used: map[string]uint64{}, promised: map[string]uint64{}}
	notes, err := r.volumeNotes(anyLease)
	if err != nil {
		return s, err
	}
	for _, n := range notes {
		allocated := allocatedMiB(n.image())
		s.used[n.Volume.Class] += allocated
		if !n.Expires.IsZero() {
			s.promised[n.Volume.Class] += allocated
		}
	}
	return s, nil
}

// promise adds the volumes of a workload.
func (s storageUse) promise(w runtime.Workload) {
	for _, v := range volumes(w) {
		if v.persistent() {
			s.promised[v.Class] += fileDiskMiB(v.SizeMiB)
		}
	}
}

// storageTotals is what there is of each class: what is free on its file system and what is used of it already. Classes on
// one file system each have all of it: whoever offers them divides it, and what one uses changes nothing for the others.
func (r *Runtime) storageTotals(used map[string]uint64) (map[string]uint64, error) {
	dirs := maps.Clone(r.config.Storage)
	dirs[leaseDisks] = r.dataDir()
	devices, has := map[string]uint64{}, map[uint64]uint64{}
	for class, dir := range dirs {
		var st unix.Stat_t
		if err := unix.Stat(dir, &st); err != nil {
			return nil, fmt.Errorf("measure the storage at %s: %w", dir, err)
		}
		free, err := freeMiB(dir)
		if err != nil {
			return nil, err
		}
		if _, known := has[st.Dev]; !known {
			has[st.Dev] = uint64(max(free-r.config.Limits.MinimumFreeMiB, 0)) //nolint:gosec // not negative
		}
		devices[class] = st.Dev
		has[st.Dev] += used[class]
	}
	totals := map[string]uint64{}
	for class, device := range devices {
		totals[class] = has[device]
	}
	return totals, nil
}

// withStorage sets the storage of a capacity by class.
func withStorage(c runtime.Capacity, classes map[string]uint64) runtime.Capacity {
	c.DiskMiB, c.HDDMiB, c.SSDMiB, c.NVMeMiB = classes[leaseDisks], classes["hdd"], classes["ssd"], classes["nvme"]
	return c
}
