// Package reach says to which addresses a program may connect when others name them: registries that tenants choose, gateways
// that providers write on the chain.
//
// It owns what counts as public and the check at the moment of dialling, after names are resolved, so that no answer of the DNS
// passes it. It must not know what is spoken over a connection.
package reach

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// ErrNotPublic says that an address is none of the public Internet.
var ErrNotPublic = errors.New("address is not public")

// notPublicV4 are this host, private and shared ranges, link-local with the metadata address, documentation, benchmarks,
// multicast and what is reserved (IANA special-purpose address registry).
var notPublicV4 = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("224.0.0.0/3"),
}

// publicV6 is where global unicast addresses are; notPublicV6 are ranges inside it that lead elsewhere.
var (
	publicV6    = netip.MustParsePrefix("2000::/3")
	notPublicV6 = []netip.Prefix{
		netip.MustParsePrefix("2001::/23"),     // protocol assignments, Teredo
		netip.MustParsePrefix("2001:db8::/32"), // documentation
		netip.MustParsePrefix("2002::/16"),     // 6to4: an IPv4 address in disguise
		netip.MustParsePrefix("3fff::/20"),     // documentation
	}
)

// NotPublicV4 lists the IPv4 ranges that are not public, disjoint and in order.
func NotPublicV4() []netip.Prefix { return slices.Clone(notPublicV4) }

// Public tells whether an address is one of the public Internet.
func Public(a netip.Addr) bool {
	a = a.Unmap()
	if a.Is4() {
		return !inAny(a, notPublicV4)
	}
	return a.Zone() == "" && publicV6.Contains(a) && !inAny(a, notPublicV6)
}

func inAny(a netip.Addr, prefixes []netip.Prefix) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Dialer connects to public addresses only. With private it also connects to those of this machine and of private networks,
// but never to link-local ones, where clouds serve their machines' credentials, nor to multicast.
func Dialer(timeout time.Duration, private bool) *net.Dialer {
	if private {
		return &net.Dialer{Timeout: timeout, Control: refuseSpecial}
	}
	return &net.Dialer{Timeout: timeout, Control: RefusePrivate}
}

// RefusePrivate is a net.Dialer's Control that lets connections to public addresses through.
func RefusePrivate(_, address string, _ syscall.RawConn) error {
	return refuse(address, func(a netip.Addr) bool { return !Public(a) })
}

func refuseSpecial(_, address string, _ syscall.RawConn) error {
	return refuse(address, func(a netip.Addr) bool {
		a = a.Unmap()
		return a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified()
	})
}

func refuse(address string, is func(netip.Addr) bool) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("dial %s: %w", address, err)
	}
	if is(at.Addr()) {
		return fmt.Errorf("dial %s: %w", at.Addr(), ErrNotPublic)
	}
	return nil
}
