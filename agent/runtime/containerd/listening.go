package containerd

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/souk-network/souk/agent/runtime"
)

const (
	listenState   = "0A"    // as /proc/net/tcp has it
	maxSocketRead = 4 << 20 // of one table; sockets that listen come first
)

// seenFor is how long what was read off the kernel stands for what is there: a status is asked for several times a second.
const seenFor = time.Second

// sights are what was last read off the kernel for the status of one lease.
type sights struct {
	mu      sync.Mutex
	open    map[string]openSight // by container
	volumes volumeSight
}

type openSight struct {
	pid   uint32
	at    time.Time
	ports map[uint16]bool
}

type volumeSight struct {
	revision string // of the workload
	at       time.Time
	list     []runtime.VolumeStatus
}

// portsOf gives the open ports of a container's process, read at most once in seenFor.
func (s *sights) portsOf(container string, pid uint32, now time.Time, read func(uint32) map[uint16]bool) map[uint16]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.open, func(_ string, o openSight) bool { return now.Sub(o.at) >= seenFor })
	o, ok := s.open[container]
	if !ok || o.pid != pid {
		if s.open == nil {
			s.open = map[string]openSight{}
		}
		o = openSight{pid: pid, at: now, ports: read(pid)}
		s.open[container] = o
	}
	return o.ports
}

// volumesOf gives the volumes of a workload, looked at most once in seenFor.
func (s *sights) volumesOf(w runtime.Workload, now time.Time, look func(runtime.Workload) []runtime.VolumeStatus) []runtime.VolumeStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.volumes; v.at.IsZero() || v.revision != w.Revision || now.Sub(v.at) >= seenFor {
		s.volumes = volumeSight{revision: w.Revision, at: now, list: look(w)}
	}
	return slices.Clone(s.volumes.list)
}

// silentPorts lists, without connecting, the TCP ports on which nothing listens.
func silentPorts(ports []runtime.Endpoint, open func() map[uint16]bool) []uint16 {
	var silent []uint16
	for _, p := range ports {
		if p.Protocol == "tcp" && !open()[p.Container] {
			silent = append(silent, p.Container)
		}
	}
	return silent
}

// openPorts reads the TCP ports on which a process's network takes what comes from outside.
func openPorts(pid uint32) map[uint16]bool {
	open := map[uint16]bool{}
	if pid == 0 {
		return open
	}
	for _, table := range []string{"tcp", "tcp6"} {
		f, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil {
			continue // ended, or without the family
		}
		addOpenPorts(open, io.LimitReader(f, maxSocketRead))
		_ = f.Close()
	}
	return open
}

// addOpenPorts reads a table of sockets of /proc/net.
func addOpenPorts(open map[uint16]bool, table io.Reader) {
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || fields[3] != listenState {
			continue
		}
		address, port, ok := strings.Cut(fields[1], ":")
		n, err := strconv.ParseUint(port, 16, 16)
		if ok && err == nil && !isLoopbackSocket(address) {
			open[uint16(n)] = true
		}
	}
}

// isLoopbackSocket reads an address as the kernel prints it: words of four bytes, each in the host's (little) order.
func isLoopbackSocket(address string) bool {
	b, err := hex.DecodeString(address)
	switch {
	case err != nil:
		return true
	case len(b) == 4:
		return b[3] == 127
	case len(b) == 16:
		const v4 = "00000000" + "00000000" + "FFFF0000"
		if rest, ok := strings.CutPrefix(address, v4); ok {
			return isLoopbackSocket(rest)
		}
		return address == "00000000"+"00000000"+"00000000"+"01000000"
	default:
		return true
	}
}
