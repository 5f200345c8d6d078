package containerd

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/souk-network/souk/agent/runtime"
)

const (
	listenState   = "0A"    // as /proc/net/tcp has it
	maxSocketRead = 4 << 20 // of one table; sockets that listen come first
)

// silentPorts lists, without connecting, the TCP ports on which nothing in a process's network listens.
func silentPorts(pid uint32, ports []runtime.Endpoint) []uint16 {
	var silent []uint16
	var open map[uint16]bool
	for _, p := range ports {
		if p.Protocol != "tcp" {
			continue
		}
		if open == nil {
			open = openPorts(pid)
		}
		if !open[p.Container] {
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
