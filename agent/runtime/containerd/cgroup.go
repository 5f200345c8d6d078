package containerd

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
	const field = "oom_kill "
	file := "memory.oom_control"
	if cgroupV2() {
		file = "memory.events"
	}
	b, err := os.ReadFile(filepath.Join(cgroupPath("memory", path), file))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if count, ok := strings.CutPrefix(line, field); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(count), 10, 64)
			if err == nil {
				return n
			}
		}
	}
	return 0
}
