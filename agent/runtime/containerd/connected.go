package containerd

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/souk-network/souk/agent/runtime"
)

// connected is a lease with a bridge, as the network knows it.
type connected struct {
	slot      uint16
	addresses map[string]netip.Addr // of connected replicas, by container
	published []forwarding          // where its ports of the host are to lead
	applied   leaseRules            // what the table says
	seen      traffic               // last read from the table, to go on from when it is lost
	zone      zone
	resolver  *resolver // nil while it cannot be had
}

// rules are what the table is to say of the lease.
func (l *connected) rules() leaseRules {
	return leaseRules{
		slot: l.slot, addresses: slices.SortedFunc(maps.Values(l.addresses), netip.Addr.Compare),
		published: l.published, counted: l.seen,
	}
}

// joined notes the address of a replica, and lets it send from there.
func (n *network) joined(lease runtime.LeaseID, slot uint16, container string, address netip.Addr) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	l, ok := n.leases[lease]
	if !ok {
		l = &connected{slot: slot, addresses: map[string]netip.Addr{}}
		n.leases[lease] = l
	}
	l.addresses[container] = address
	if !ok {
		to := l.rules()
		if err := n.alter(func(c *ruleChange) error { return c.add(to) }); err != nil {
			delete(n.leases, lease)
			return fmt.Errorf("rules of lease %d: %w", lease, err)
		}
		l.applied = to
	}
	n.ensureResolver(lease, l)
	return n.settle(lease, l)
}

// addresses are those of a lease's connected replicas, by container.
func (n *network) addresses(lease runtime.LeaseID) map[string]netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l := n.leases[lease]; l != nil {
		return maps.Clone(l.addresses)
	}
	return nil
}

// left forgets the address of a replica.
func (n *network) left(lease runtime.LeaseID, container string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.leases[lease]
	if l == nil {
		return nil
	}
	gone, ok := l.addresses[container]
	if !ok {
		return nil
	}
	delete(l.addresses, container)
	for i := range l.published {
		l.published[i].replicas = slices.DeleteFunc(slices.Clone(l.published[i].replicas), func(a netip.Addr) bool { return a == gone })
	}
	if err := n.settle(lease, l); err != nil {
		return err
	}
	return forgetConnections(connectionsOf{replica: func(a netip.Addr) bool { return a == gone }})
}

// forgotten removes all that the rules have of a lease. While that fails the lease is known, so that the next try does it.
func (n *network) forgotten(lease runtime.LeaseID) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.leases[lease]
	if l == nil {
		return nil
	}
	delete(n.leases, lease) // before the rules are made anew without it
	err := n.alter(func(c *ruleChange) error { return c.remove(l.applied) })
	if err != nil {
		err = fmt.Errorf("rules of lease %d: %w", lease, err)
	} else {
		err = errors.Join(n.keepTraffic(), forgetConnections(connectionsOf{replica: leaseSubnet(n.rules.pool, l.slot).Contains}))
	}
	if err != nil {
		n.leases[lease] = l
		return err
	}
	l.resolver.stop()
	return nil
}

// lead says where the ports of a lease lead, and who answers to its names.
func (n *network) lead(lease runtime.LeaseID, published []forwarding, names zone) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.leases[lease]
	if l == nil {
		return nil
	}
	l.published, l.zone = published, names
	n.ensureResolver(lease, l)
	return n.settle(lease, l)
}

// settle brings the table to what it is to say of a lease. The caller holds n.mu.
func (n *network) settle(lease runtime.LeaseID, l *connected) error {
	from, to := l.applied, l.rules()
	if slices.Equal(from.addresses, to.addresses) && slices.EqualFunc(from.published, to.published, forwarding.equal) {
		return nil
	}
	if len(to.published) > 0 {
		if err := allowLoopback(n.id.BridgeName(l.slot)); err != nil {
			return err
		}
	}
	if err := n.alter(func(c *ruleChange) error { return c.alter(from, to) }); err != nil {
		return fmt.Errorf("rules of lease %d: %w", lease, err)
	}
	l.applied = to
	gone := slices.DeleteFunc(reachable(from), func(a netip.Addr) bool { return slices.Contains(reachable(to), a) })
	if len(gone) == 0 {
		return nil
	}
	// Senders of packets know no end of a connection; TCP connections may go on to theirs, as while a replica is stopping.
	return forgetConnections(connectionsOf{replica: func(a netip.Addr) bool { return slices.Contains(gone, a) }, udp: true})
}

// reachable lists the replicas to which ports of the host lead.
func reachable(l leaseRules) []netip.Addr {
	var list []netip.Addr
	for _, p := range l.published {
		list = append(list, p.replicas...)
	}
	return list
}

func (p forwarding) equal(q forwarding) bool {
	return p.host == q.host && p.protocol == q.protocol && p.container == q.container && slices.Equal(p.replicas, q.replicas)
}

// alter changes the table, or makes it anew when it is not as it should be: somebody else removed it. The caller holds
// n.mu and has changed what the table is to say already.
func (n *network) alter(do func(*ruleChange) error) error {
	if n.rules.absent {
		return nil
	}
	c, err := n.rules.change()
	if err != nil {
		return err
	}
	if err := do(c); err != nil {
		return err
	}
	changed := c.conn.Flush()
	if changed == nil {
		return nil
	}
	n.log.Warn("the network rules are not as they were left; installing them anew", "error", changed)
	return n.install()
}

// install makes the table from what is known of all leases, and keeps what was counted. The caller holds n.mu.
func (n *network) install() error {
	counters := n.counters()
	all := make([]leaseRules, 0, len(n.leases))
	for _, l := range n.leases {
		l.seen = l.seen.atLeast(counters[l.slot])
		all = append(all, l.rules())
	}
	slices.SortFunc(all, func(a, b leaseRules) int { return cmp.Compare(a.slot, b.slot) })
	if err := n.rules.install(all); err != nil {
		return err
	}
	for _, l := range n.leases {
		l.applied = l.rules()
	}
	return nil
}
