package live_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

const kibPerMiB = 1024

// reportMemory tells what the node and the agents have resident, at most so far, and what the processes that keep
// containers take together: shims and loggers, shared pages divided among those who share them.
func (n *network) reportMemory(b *testing.B, leases int) {
	node, agents := 0, 0
	nodeMost, agentsMost := 0, 0
	for name, pid := range n.pids() {
		resident, most := statusKiB(b, pid, "VmRSS"), statusKiB(b, pid, "VmHWM")
		if strings.HasPrefix(name, "validator") {
			node, nodeMost = node+resident, nodeMost+most
		} else {
			agents, agentsMost = max(agents, resident), max(agentsMost, most)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(node)/kibPerMiB, "MiB-node")
	b.ReportMetric(float64(nodeMost)/kibPerMiB, "MiB-node-high-water")
	b.ReportMetric(float64(agents)/kibPerMiB, "MiB-agent")
	b.ReportMetric(float64(agentsMost)/kibPerMiB, "MiB-agent-high-water")
	containers, err := n.containers()
	require.NoError(b, err)
	require.Len(b, containers, leases, "containers")
	if leases == 0 {
		return
	}
	sum := 0
	for _, c := range containers {
		sum += sharedKiB(b, c.shim) + sharedKiB(b, c.logger)
	}
	b.ReportMetric(float64(sum)/kibPerMiB/float64(leases), "MiB-shim-and-logger-a-lease")
}

// container is the processes that keep one running.
type container struct{ shim, logger int }

// containers finds the loggers that write below the network's folder, and the shims that started them.
func (n *network) containers() ([]container, error) {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, err
	}
	var found []container
	for _, file := range files {
		text, err := os.ReadFile(file)
		if ended(err) || len(text) == 0 {
			continue
		}
		if err != nil {
			return nil, err
		}
		program, _, _ := bytes.Cut(text, []byte{0})
		if filepath.Base(string(program)) != "souk-logger" || !bytes.Contains(text, []byte(n.home)) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			return nil, err
		}
		parent, err := parentOf(pid)
		if ended(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = append(found, container{shim: parent, logger: pid})
	}
	return found, nil
}

// ended tells that a process was there a moment ago.
func ended(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) }

func parentOf(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	return field(text, "PPid")
}

func statusKiB(b *testing.B, pid int, name string) int {
	b.Helper()
	return fieldOf(b, fmt.Sprintf("/proc/%d/status", pid), name)
}

// sharedKiB is a process's part of memory, shared pages divided.
func sharedKiB(b *testing.B, pid int) int {
	b.Helper()
	return fieldOf(b, fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss")
}

func fieldOf(b *testing.B, file, name string) int {
	b.Helper()
	text, err := os.ReadFile(file)
	require.NoError(b, err)
	value, err := field(text, name)
	require.NoError(b, err)
	return value
}

// field reads a number from lines of names and values.
func field(text []byte, name string) (int, error) {
	match := regexp.MustCompile(`(?m)^` + name + `:\s+(\d+)`).FindSubmatch(text)
	if match == nil {
		return 0, fmt.Errorf("no %s in %q", name, text)
	}
	return strconv.Atoi(string(match[1]))
}
