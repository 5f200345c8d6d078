package containerd

import (
	"net/netip"
	"slices"
)

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
