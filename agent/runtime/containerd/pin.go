package containerd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/souk-network/souk/agent/runtime"
)

// wholeCPUs is how many processors a workload has for itself when they are given out whole: 0 when it is not a whole
// number of them.
func wholeCPUs(w runtime.Workload) int {
	var millis uint64
	for _, s := range w.Services {
		millis += s.Resources.CPUMillis * uint64(s.Replicas)
	}
	if millis%1000 != 0 || millis/1000 > 1<<16 {
		return 0
	}
	return int(millis / 1000) //nolint:gosec // bounded above
}

// pin gives a lease processors of its own, those that it has first. It gets none when too few are free: one at least
// stays for leases that share.
func pin(online []int, others map[runtime.LeaseID][]int, had []int, want int) []int {
	taken := map[int]bool{}
	for _, list := range others {
		for _, c := range list {
			taken[c] = true
		}
	}
	free := slices.DeleteFunc(slices.Clone(online), func(c int) bool { return taken[c] })
	if want == 0 || want >= len(free) {
		return nil
	}
	// The first processor handles more of the host's own work than others: it goes last.
	slices.SortStableFunc(free, func(a, b int) int {
		switch hasA, hasB := slices.Contains(had, a), slices.Contains(had, b); {
		case hasA == hasB:
			return b - a
		case hasA:
			return -1
		default:
			return 1
		}
	})
	mine := free[:want]
	slices.Sort(mine)
	return mine
}

// shared are the processors that no lease has for itself.
func shared(online []int, pinned map[runtime.LeaseID][]int) []int {
	rest := slices.Clone(online)
	for _, list := range pinned {
		rest = slices.DeleteFunc(rest, func(c int) bool { return slices.Contains(list, c) })
	}
	return rest
}

// cpuList writes processors as the kernel reads them.
func cpuList(cpus []int) string {
	words := make([]string, 0, len(cpus))
	for _, c := range cpus {
		words = append(words, strconv.Itoa(c))
	}
	return strings.Join(words, ",")
}

// parseCPUs reads a list such as "0-3,7".
func parseCPUs(text string) ([]int, error) {
	var list []int
	for part := range strings.SplitSeq(strings.TrimSpace(text), ",") {
		from, to, ranged := strings.Cut(part, "-")
		if !ranged {
			to = from
		}
		first, err := strconv.Atoi(from)
		last, err2 := strconv.Atoi(to)
		if err := errors.Join(err, err2); err != nil {
			return nil, fmt.Errorf("read the list of processors %q: %w", text, err)
		}
		for c := first; c <= last && len(list) < 1<<16; c++ {
			list = append(list, c)
		}
	}
	return list, nil
}

func onlineCPUs() ([]int, error) {
	b, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return nil, fmt.Errorf("list the processors: %w", err)
	}
	return parseCPUs(string(b))
}

// pinned lists the processors of leases that have some of their own. The caller holds r.mu.
func (r *Runtime) pinned(except runtime.LeaseID) map[runtime.LeaseID][]int {
	found := map[runtime.LeaseID][]int{}
	for id, l := range r.leases {
		if own := l.wanted().CPUs; id != except && len(own) > 0 {
			found[id] = own
		}
	}
	return found
}

// pinCPUs chooses the processors of a lease's record. The caller holds r.mu.
func (r *Runtime) pinCPUs(w runtime.Workload, had []int) ([]int, error) {
	if !r.config.PinCPUs {
		return nil, nil
	}
	online, err := onlineCPUs()
	if err != nil {
		return nil, err
	}
	return pin(online, r.pinned(w.Lease), had, wholeCPUs(w)), nil
}

// spreadCPUs lets every container run on its lease's own processors, or on those that are shared.
func (r *Runtime) spreadCPUs() {
	if !r.config.PinCPUs {
		return
	}
	r.mu.Lock()
	leases := make([]*lease, 0, len(r.leases))
	for _, l := range r.leases {
		leases = append(leases, l)
	}
	r.mu.Unlock()
	for _, l := range leases {
		for _, u := range l.wanted().units() {
			if err := l.confine(u.id()); err != nil {
				r.log.Warn("cannot choose the processors of a container", "container", u.id(), "error", err)
			}
		}
	}
}

// confine writes the processors of one container; one that has no group yet gets them when it starts.
func (l *lease) confine(container string) error {
	if !l.r.config.PinCPUs {
		return nil
	}
	online, err := onlineCPUs()
	if err != nil {
		return err
	}
	cpus := l.wanted().CPUs
	if len(cpus) == 0 {
		l.r.mu.Lock()
		cpus = shared(online, l.r.pinned(l.id))
		l.r.mu.Unlock()
	}
	file := filepath.Join(cgroupPath("cpuset", cgroupOf(l.r.id, l.id, container)), "cpuset.cpus")
	err = os.WriteFile(file, []byte(cpuList(cpus)), 0o600)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("confine %s to processors %s: %w", container, cpuList(cpus), err)
	}
	return nil
}
