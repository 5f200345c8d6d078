package containerd

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// connectionsOf matches tracked connections by the address of the replica at either end.
type connectionsOf struct {
	replica func(netip.Addr) bool
	udp     bool // these only
}

// MatchConntrackFlow implements netlink.CustomConntrackFilter. The reply of a connection that was led to a replica comes
// from there, whatever address it was opened to.
func (m connectionsOf) MatchConntrackFlow(flow *netlink.ConntrackFlow) bool {
	if m.udp && flow.Forward.Protocol != unix.IPPROTO_UDP {
		return false
	}
	return slices.ContainsFunc([][]byte{flow.Forward.SrcIP, flow.Reverse.SrcIP}, func(ip []byte) bool {
		a, ok := netip.AddrFromSlice(ip)
		return ok && m.replica(a.Unmap())
	})
}

// forgetConnections makes the kernel forget connections, so that the next packet of one is led to a replica that is
// there, and not to one that has gone or to another lease that was given its address.
func forgetConnections(of connectionsOf) error {
	if _, err := netlink.ConntrackDeleteFilters(netlink.ConntrackTable, unix.AF_INET, of); err != nil {
		return fmt.Errorf("forget connections to replicas that have gone: %w", err)
	}
	return nil
}
