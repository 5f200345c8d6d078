package containerd

import (
	"bufio"
	"context"
	"fmt"
	"os"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/containerd/v2/version"
	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/runtime"
)

// Probe implements runtime.Runtime.
func (r *Runtime) Probe(context.Context) (runtime.Capabilities, error) {
	c := runtime.Capabilities{
		Runtime: "containerd " + version.Version, Instance: string(r.id),
		Isolation: r.isolations(), Limits: []string{"cpu", "memory", "pids", "disk", "egress"}, CgroupMode: "v1",
		Storage: slices.DeleteFunc(slices.Clone(storageClasses), func(class string) bool { return r.config.Storage[class] == "" }),
	}
	if cgroupV2() {
		c.CgroupMode = "v2"
	}
	if !r.config.NoFirewall {
		c.Limits = append(c.Limits, "network")
	}
	if _, err := findLibexec(string(r.libexec)); err != nil {
		return c, err
	}
	if _, err := findTool("mkfs.ext4"); err != nil {
		return c, err
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		return c, fmt.Errorf("loop devices are missing (modprobe loop): %w", err)
	}
	free, err := freeMiB(r.dataDir())
	if err != nil {
		return c, err
	}
	if free < r.config.Limits.shortMiB() {
		c.Warnings = append(c.Warnings, fmt.Sprintf("only %d MiB are free at %s: no image will be accepted; free space there", free, r.dataDir()))
	}
	if memory, err := inMemory(r.id.RunDir()); err == nil && !memory {
		c.Warnings = append(c.Warnings, "/run is on a disk: what containers are told when they start, their environment too, is written there in plain; mount a tmpfs at /run")
	}
	if !r.swap {
		c.Warnings = append(c.Warnings, "the kernel does not limit swap: turn swap off (swapoff -a), or boot with swapaccount=1")
	}
	c.UserNamespaces = r.makesUserns()
	c.Warnings = append(c.Warnings, usernsWarning(r.usernsMissing)...)
	c.Warnings = append(c.Warnings, networkWarnings(r.id)...)
	return c, nil
}

// logAllowanceMiB is what one replica's logs may take on the host beside its leased disk.
const logAllowanceMiB = 30

// Inventory implements runtime.Runtime.
func (r *Runtime) Inventory(context.Context) (runtime.Inventory, error) {
	memory, err := memoryTotalMiB()
	if err != nil {
		return runtime.Inventory{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return runtime.Inventory{}, runtime.ErrClosed
	}
	var promised runtime.Capacity
	stored, err := r.storageUse()
	if err != nil {
		return runtime.Inventory{}, err
	}
	for id, l := range r.leases {
		w := l.wanted().Workload
		p := promisedTo(w)
		promised.CPUMillis += p.CPUMillis
		promised.MemoryMiB += p.MemoryMiB
		promised.DiskMiB += p.DiskMiB
		stored.used[leaseDisks] += allocatedMiB(r.dir(id).diskImage())
		stored.promise(w)
	}
	stored.promised[leaseDisks] = promised.DiskMiB
	promised = withStorage(promised, stored.promised)
	totals, err := r.storageTotals(stored.used)
	if err != nil {
		return runtime.Inventory{}, err
	}
	total := withStorage(runtime.Capacity{
		CPUMillis: uint64(goruntime.NumCPU()) * 1000, //nolint:gosec // positive
		MemoryMiB: memory,
	}, totals)
	name, err := os.Hostname()
	if err != nil {
		return runtime.Inventory{}, fmt.Errorf("name the node: %w", err)
	}
	return runtime.Inventory{Nodes: []runtime.Node{{Name: name, Total: total, Free: less(total, promised)}}}, nil
}

func promisedTo(w runtime.Workload) runtime.Capacity {
	var p runtime.Capacity
	for _, s := range w.Services {
		n := uint64(s.Replicas)
		p.CPUMillis += n * s.Resources.CPUMillis
		p.MemoryMiB += n * s.Resources.MemoryMiB
		p.DiskMiB += n * (s.Resources.DiskMiB + logAllowanceMiB)
	}
	if len(w.Services) > 0 {
		p.DiskMiB += fileDiskMiB(diskMiB(w)) - diskMiB(w)
	}
	return p
}

func less(total, promised runtime.Capacity) runtime.Capacity {
	return runtime.Capacity{
		CPUMillis: total.CPUMillis - min(promised.CPUMillis, total.CPUMillis),
		MemoryMiB: total.MemoryMiB - min(promised.MemoryMiB, total.MemoryMiB),
		DiskMiB:   total.DiskMiB - min(promised.DiskMiB, total.DiskMiB),
		HDDMiB:    total.HDDMiB - min(promised.HDDMiB, total.HDDMiB),
		SSDMiB:    total.SSDMiB - min(promised.SSDMiB, total.SSDMiB),
		NVMeMiB:   total.NVMeMiB - min(promised.NVMeMiB, total.NVMeMiB),
	}
}

// allocatedMiB is what a sparse file takes on its disk.
func allocatedMiB(path string) uint64 {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return 0
	}
	return uint64(st.Blocks) * 512 >> 20 //nolint:gosec // blocks of a file
}

func memoryTotalMiB() (uint64, error) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, fmt.Errorf("measure memory: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), "MemTotal:"); ok {
			kib, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("measure memory: %w", err)
			}
			return kib >> 10, nil
		}
	}
	return 0, fmt.Errorf("measure memory: no MemTotal in /proc/meminfo: %w", lines.Err())
}
