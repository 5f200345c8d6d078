package callers

import (
	"net"
	"net/netip"
)

// Of names who is behind the address of a peer, HOST:PORT. An IPv6 host has a /64 to choose addresses from, so that is what
// counts.
func Of(peer string) string {
	host, _, err := net.SplitHostPort(peer)
	if err != nil {
		return peer
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	address = address.Unmap().WithZone("")
	if address.Is4() {
		return address.String()
	}
	return netip.PrefixFrom(address, 64).Masked().String()
}
