package containerd

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
)

// cgroupV2 tells whether the host has the unified hierarchy with controllers.
func cgroupV2() bool {
	b, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
	return err == nil && strings.Contains(string(b), "memory")
}

// swapLimited tells whether the kernel can limit memory and swap together.
func swapLimited() bool {
	if cgroupV2() {
		return true
	}
	_, err := os.Stat("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes")
	return err == nil
}

// cgroupPath is where the host shows a group of a controller's hierarchy, of the one hierarchy on cgroup v2.
func cgroupPath(controller, group string) string {
	if cgroupV2() {
		return filepath.Join("/sys/fs/cgroup", group)
	}
	return filepath.Join("/sys/fs/cgroup", controller, group)
}

// oomKills is how many processes of a cgroup its memory limit ended. The group must still be there: read it before the
// task is deleted.
func oomKills(path string) uint64 {
	file := "memory.oom_control"
	if cgroupV2() {
		file = "memory.events"
	}
	return fields(filepath.Join(cgroupPath("memory", path), file))["oom_kill"]
}

// groupUsage is what a cgroup has used. A group that is not there, or of which a counter cannot be read, has identity 0: it
// tells nothing.
type groupUsage struct {
	identity       uint64 // differs when the group was made anew
	cpuNanos       uint64 // of the group and all below it, ended ones too
	throttled      uint64 // the same identity, 0 where nothing is throttled
	throttledNanos uint64 // of the group alone
	memoryBytes    uint64 // without pages of files that were not used lately
	pids           uint64
}

// readGroup reads a group on either version of cgroups. A group may go away meanwhile, or be replaced: then what was read is of
// neither.
func readGroup(group string) groupUsage {
	if cgroupV2() {
		return readGroupV2(cgroupPath("", group))
	}
	return readGroupV1(cgroupPath("cpuacct", group), cgroupPath("cpu", group), cgroupPath("memory", group), cgroupPath("pids", group))
}

func readGroupV1(accounting, cpu, memory, pids string) groupUsage {
	stat, before := fields(filepath.Join(memory, "memory.stat")), inode(accounting)
	cpuNanos, counted := counter(filepath.Join(accounting, "cpuacct.usage"))
	throttled, told := fields(filepath.Join(cpu, "cpu.stat"))["throttled_time"]
	after := inode(accounting)
	return groupUsage{
		identity:       sameGroup(before, after, counted),
		cpuNanos:       cpuNanos,
		throttled:      sameGroup(before, after, told),
		throttledNanos: throttled,
		memoryBytes:    less64(number(filepath.Join(memory, "memory.usage_in_bytes")), stat["total_inactive_file"]),
		pids:           number(filepath.Join(pids, "pids.current")),
	}
}

func readGroupV2(dir string) groupUsage {
	before := inode(dir)
	cpu := fields(filepath.Join(dir, "cpu.stat"))
	used, counted := cpu["usage_usec"]
	throttled, told := cpu["throttled_usec"]
	after := inode(dir)
	return groupUsage{
		identity:       sameGroup(before, after, counted),
		cpuNanos:       used * 1000,
		throttled:      sameGroup(before, after, told),
		throttledNanos: throttled * 1000,
		memoryBytes:    less64(number(filepath.Join(dir, "memory.current")), fields(filepath.Join(dir, "memory.stat"))["inactive_file"]),
		pids:           number(filepath.Join(dir, "pids.current")),
	}
}

// sameGroup is the identity of a group whose counters were read between two looks at it.
func sameGroup(before, after uint64, counted bool) uint64 {
	if before != after || !counted {
		return 0
	}
	return before
}

// inode of a group's directory: the kernel gives each its own.
func inode(path string) uint64 {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return 0
	}
	return st.Ino
}

// number reads a file that has one number, zero when there is none.
func number(path string) uint64 {
	n, _ := counter(path)
	return n
}

// counter reads a file that has one number, and tells whether it has.
func counter(path string) (uint64, bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	return n, err == nil
}

// fields reads a file of lines "name number".
func fields(path string) map[string]uint64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	found := map[string]uint64{}
	for line := range strings.Lines(string(b)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue
		}
		if n, err := strconv.ParseUint(value, 10, 64); err == nil {
			found[name] = n
		}
	}
	return found
}

func less64(a, b uint64) uint64 { return a - min(a, b) }

// leaseCgroup is the group of a lease, above those of its containers. It lasts as long as the lease.
func leaseCgroup(id instance.ID, lease runtime.LeaseID) string {
	return fmt.Sprintf("%s/%d", id.CgroupParent(), lease)
}
