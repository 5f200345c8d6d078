package containerd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/runtime"
)

var _ runtime.Meter = (*Runtime)(nil)

// meter keeps counters growing over what resets them.
type meter struct {
	mu     sync.Mutex // of the files below usageDir
	bootID string
}

// Usage implements runtime.Meter. Everything is read on the host: cgroups, file systems, packet counters.
func (r *Runtime) Usage(_ context.Context, id runtime.LeaseID) (runtime.UsageSample, error) {
	r.mu.Lock()
	l, closed := r.leases[id], r.closed
	r.mu.Unlock()
	if closed {
		return runtime.UsageSample{}, runtime.ErrClosed
	}
	if l == nil {
		return runtime.UsageSample{}, fmt.Errorf("usage of lease %d: %w", id, runtime.ErrNotFound)
	}
	sample, err := l.usage(time.Now())
	if err != nil {
		return runtime.UsageSample{}, fmt.Errorf("usage of lease %d: %w", id, err)
	}
	return sample, nil
}

// usage reads everything once. One sample of a runtime is taken at a time, so that none shows less than one before.
func (l *lease) usage(now time.Time) (runtime.UsageSample, error) {
	l.r.meter.mu.Lock()
	defer l.r.meter.mu.Unlock()
	boot, err := l.r.meter.boot()
	if err != nil {
		return runtime.UsageSample{}, err
	}
	kept, err := l.r.readCarry(l.id, boot)
	if err != nil {
		return runtime.UsageSample{}, err
	}
	s := runtime.UsageSample{Time: now, BootID: boot}
	rec := l.wanted()
	w := rec.Workload
	var readings []reading
	for _, u := range rec.units() {
		g := readGroup(cgroupOf(l.r.id, l.id, u.id()))
		readings = append(readings, reading{counterThrottled, u.id(), g.throttled, g.throttledNanos})
		s.Replicas = append(s.Replicas, runtime.ReplicaUsage{Service: u.service.Name, Replica: u.replica, Usage: runtime.Usage{
			CPUNanos: g.cpuNanos, ThrottledNanos: g.throttledNanos, MemoryBytes: g.memoryBytes,
			MemoryLimitBytes: u.service.Resources.MemoryMiB << 20, PIDs: g.pids,
		}})
		s.Total.MemoryLimitBytes += u.service.Resources.MemoryMiB << 20
	}
	total := readGroup(leaseCgroup(l.r.id, l.id)) // after its parts, so that it is no less
	readings = append(readings, reading{counterCPU, "lease", total.identity, total.cpuNanos})
	egress, ingress, err := l.r.network.traffic(l.id)
	if err != nil {
		return runtime.UsageSample{}, err
	}
	if egress+ingress > 0 { // a lease that is not connected tells nothing
		readings = append(readings, reading{counterEgress, "network", 1, egress}, reading{counterIngress, "network", 1, ingress})
	}
	kept.add(readings)
	s.Total.CPUNanos, s.Total.ThrottledNanos = kept.total(counterCPU), kept.total(counterThrottled)
	s.Total.EgressBytes, s.Total.IngressBytes = kept.total(counterEgress), kept.total(counterIngress)
	s.Total.MemoryBytes, s.Total.PIDs = total.memoryBytes, total.pids
	if s.Total.DiskBytes, err = usedDisk(l.r.dir(l.id).disk()); err != nil {
		return runtime.UsageSample{}, err
	}
	s.Total.DiskLimitBytes = diskMiB(w) << 20
	for _, v := range volumes(w) {
		if !v.persistent() {
			continue
		}
		used, err := usedDisk(l.r.volumePoint(l.id, v))
		if err != nil {
			return runtime.UsageSample{}, err
		}
		s.Total.DiskBytes += used
		s.Total.DiskLimitBytes += v.SizeMiB << 20
	}
	return s, l.r.writeCarry(l.id, kept)
}

// boot names this boot of the host.
func (m *meter) boot() (string, error) {
	if m.bootID == "" {
		b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
		if err != nil {
			return "", fmt.Errorf("name the boot: %w", err)
		}
		m.bootID = strings.TrimSpace(string(b))
	}
	return m.bootID, nil
}

// usageDir holds what is carried over. It is gone with the boot, as the counters are.
func (r *Runtime) usageDir() string { return filepath.Join(r.id.RunDir(), "usage") }

func (r *Runtime) usagePath(id runtime.LeaseID) string {
	return filepath.Join(r.usageDir(), strconv.FormatUint(id, 10)+".json")
}

func (r *Runtime) readCarry(id runtime.LeaseID, boot string) (*carry, error) {
	var c carry
	_, err := readJSON(r.usagePath(id), &c)
	if err != nil {
		return nil, err
	}
	if c.BootID != boot {
		c = carry{BootID: boot}
	}
	return &c, nil
}

func (r *Runtime) writeCarry(id runtime.LeaseID, c *carry) error {
	if !c.changed {
		return nil
	}
	if err := os.MkdirAll(r.usageDir(), 0o700); err != nil {
		return fmt.Errorf("make the directory of usage: %w", err)
	}
	return writeDurably(r.usagePath(id), c)
}

// forgetUsage drops what was carried over for a lease that ended.
func (r *Runtime) forgetUsage(id runtime.LeaseID) error {
	r.meter.mu.Lock()
	defer r.meter.mu.Unlock()
	if err := os.RemoveAll(r.usagePath(id)); err != nil {
		return fmt.Errorf("forget the usage of lease %d: %w", id, err)
	}
	return nil
}

// usedDisk is what is written on the file system mounted at path, nothing when none is.
func usedDisk(path string) (uint64, error) {
	var at, above unix.Stat_t
	err := unix.Stat(path, &at)
	if errors.Is(err, unix.ENOENT) {
		return 0, nil
	}
	if err == nil {
		err = unix.Stat(filepath.Dir(path), &above)
	}
	if err != nil {
		return 0, fmt.Errorf("measure the disk: %w", err)
	}
	if at.Dev == above.Dev {
		return 0, nil
	}
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, fmt.Errorf("measure the disk: %w", err)
	}
	return (st.Blocks - st.Bfree) * uint64(st.Bsize), nil //nolint:gosec // a block size
}
