package containerd

import (
	"net/netip"
	"slices"
)

// notPublicV4 are the IPv4 ranges to which neither a workload nor a pull may connect: this host, private and shared
// ranges, link-local with the metadata address, documentation, benchmarks, multicast and what is reserved
// (IANA special-purpose address registry).
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

// isPublic tells whether an address is one of the public Internet.
func isPublic(a netip.Addr) bool {
	a = a.Unmap()
	if a.Is4() {
		return !inAny(a, notPublicV4)
	}
	return a.Zone() == "" && publicV6.Contains(a) && !inAny(a, notPublicV6)
}

func inAny(a netip.Addr, prefixes []netip.Prefix) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// disjoint keeps the IPv4 prefixes that are in no other, ordered.
func disjoint(prefixes []netip.Prefix) []netip.Prefix {
	var list []netip.Prefix
	for _, p := range prefixes {
		if p.IsValid() && p.Addr().Is4() {
			list = append(list, p.Masked())
		}
	}
	slices.SortFunc(list, netip.Prefix.Compare)
	var apart []netip.Prefix
	for _, p := range list { // a wider prefix comes before what it contains
		if n := len(apart); n == 0 || !apart[n-1].Overlaps(p) {
			apart = append(apart, p)
		}
	}
	return apart
}
