package containerd

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
)

const (
	repairInterval = 2 * time.Second
	keepInterval   = 10 * time.Second // of what was counted
	leasesAtOnce   = 16               // whose rules are looked at in a repair
)

// takeUp finds what an earlier process connected, and installs the rules for it.
func (n *network) takeUp(records map[runtime.LeaseID]record) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	bridges, err := n.bridges()
	if err != nil {
		return err
	}
	seen, err := n.readTraffic()
	if err != nil {
		n.log.Warn("what was counted of traffic cannot be read", "error", err)
	}
	for lease, bridge := range bridges {
		if slot, ok := n.slotOf(bridge); ok {
			n.leases[lease] = &connected{slot: slot, addresses: map[string]netip.Addr{}, seen: seen[lease]}
		}
	}
	kept, err := names(n.id.NetnsDir())
	if err != nil {
		return err
	}
	for _, container := range kept {
		lease, ok := leaseOfUnit(container)
		if l := n.leases[lease]; ok && l != nil {
			if a, ok := n.address(container, l.slot); ok {
				l.addresses[container] = a
			}
		}
	}
	for lease, l := range n.leases {
		members := n.assumed(records[lease], l)
		l.published, l.zone = forwardings(records[lease].Published, members), zoneOf(members)
		n.ensureResolver(lease, l)
	}
	return n.install()
}

// assumed takes every connected replica for one that serves, until its worker has looked.
func (n *network) assumed(rec record, l *connected) []neighbour {
	var list []neighbour
	for _, u := range rec.units() {
		a, ok := l.addresses[u.id()]
		list = append(list, neighbour{
			service: u.service.Name, hostname: u.service.Hostname, aliases: u.service.Aliases, replica: u.replica,
			address: a, running: ok, serving: ok,
		})
	}
	return list
}

// slotOf reads the slot off a bridge's name.
func (n *network) slotOf(bridge netlink.Link) (uint16, bool) {
	hex := strings.TrimPrefix(bridge.Attrs().Name, n.id.LinkPrefix()+"-")
	slot, err := strconv.ParseUint(hex, 16, 16)
	return uint16(slot), err == nil
}

// ensureResolver lets a lease's resolver listen, and know the lease's names. When it cannot, as when its bridge is gone,
// the next repair tries again. The caller holds n.mu.
func (n *network) ensureResolver(lease runtime.LeaseID, l *connected) {
	name := n.id.BridgeName(l.slot)
	bridge, err := netlink.LinkByName(name)
	if err != nil {
		return
	}
	if l.resolver != nil && l.resolver.link == bridge.Attrs().Index {
		z := l.zone // the resolver reads its own while l's changes
		l.resolver.zone.Store(&z)
		return
	}
	l.resolver.stop()
	l.resolver, err = startResolver(name, bridge.Attrs().Index, gateway(n.rules.pool, l.slot), n.dns, l.zone)
	if err != nil {
		n.log.Error("the lease's names cannot be resolved; will try again", "lease", lease, "error", err)
	}
}

// keepUp repairs what others took away, and notes what was counted, until ctx ends.
func (n *network) keepUp(ctx context.Context) {
	tick := time.NewTicker(repairInterval)
	defer tick.Stop()
	kept := time.Now()
	for {
		select {
		case <-ctx.Done():
			n.close()
			return
		case now := <-tick.C:
			if err := n.repair(ctx); err != nil && ctx.Err() == nil {
				n.log.Error("the network cannot be repaired; will try again", "error", err)
			}
			if now.Sub(kept) >= keepInterval {
				kept = now
				n.mu.Lock()
				if err := n.keepTraffic(); err != nil {
					n.log.Error("what was counted of traffic cannot be kept", "error", err)
				}
				n.mu.Unlock()
			}
		}
	}
}

// repair looks whether the rules, forwarding and resolvers are there, and brings back what is not.
func (n *network) repair(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.intact(); err != nil {
		n.log.Warn("the network rules are not as they were left; installing them anew", "error", err)
		if err := n.install(); err != nil {
			return err
		}
	}
	for lease, l := range n.leases {
		n.ensureResolver(lease, l)
	}
	return instance.EnableForwarding(ctx)
}

// intact tells what is missing of the table.
func (n *network) intact() error {
	if n.rules.absent {
		return nil
	}
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	table := n.rules.table()
	for name, want := range baseChains {
		rules, err := conn.GetRules(table, &nftables.Chain{Name: name, Table: table})
		if err != nil {
			return fmt.Errorf("look at chain %s: %w", name, err)
		}
		if len(rules) != want {
			return fmt.Errorf("chain %s has %d rules of %d", name, len(rules), want)
		}
	}
	s := setsOf(table)
	for set, want := range map[*nftables.Set]int{s.assigned: n.replicas(), s.egress: len(n.leases), s.published: n.forwarded()} {
		elements, err := conn.GetSetElements(set)
		if err != nil {
			return fmt.Errorf("look at set %s: %w", set.Name, err)
		}
		if len(elements) != want {
			return fmt.Errorf("set %s has %d elements of %d", set.Name, len(elements), want)
		}
	}
	return n.leasesIntact(conn, table)
}

// leasesIntact tells what is missing of the leases' chains: it looks whether each is there, and at the rules of some leases
// in turn, since each chain's are a question to the kernel.
func (n *network) leasesIntact(conn *nftables.Conn, table *nftables.Table) error {
	chains, err := conn.ListChainsOfTableFamily(table.Family)
	if err != nil {
		return fmt.Errorf("list the chains: %w", err)
	}
	present := map[string]bool{}
	for _, c := range chains {
		if c.Table.Name == table.Name {
			present[c.Name] = true
		}
	}
	all := slices.SortedFunc(maps.Values(n.leases), func(a, b *connected) int { return cmp.Compare(a.slot, b.slot) })
	for _, l := range all {
		for name := range l.applied.ruleCounts() {
			if !present[name] {
				return fmt.Errorf("chain %s is gone", name)
			}
		}
	}
	for range min(leasesAtOnce, len(all)) {
		n.inspected = (n.inspected + 1) % len(all)
		for name, want := range all[n.inspected].applied.ruleCounts() {
			rules, err := conn.GetRules(table, &nftables.Chain{Name: name, Table: table})
			if err != nil {
				return fmt.Errorf("look at chain %s: %w", name, err)
			}
			if len(rules) != want {
				return fmt.Errorf("chain %s has %d rules of %d", name, len(rules), want)
			}
		}
	}
	return nil
}

// ruleCounts are the chains that add and alter make for a lease, with their numbers of rules.
func (l leaseRules) ruleCounts() map[string]int {
	opened, reached, egress, ingress, published := leaseChains(l.slot)
	leading := 0
	for _, p := range l.published {
		if len(p.replicas) > 0 || p.protocol == "udp" {
			leading++
		}
	}
	return map[string]int{opened: 2, reached: 3, egress: 1, ingress: 1, published: leading}
}

// forwarded is how many ports of the host lead to leases.
func (n *network) forwarded() int {
	total := 0
	for _, l := range n.leases {
		total += len(l.published)
	}
	return total
}

// replicas is how many are connected.
func (n *network) replicas() int {
	total := 0
	for _, l := range n.leases {
		total += len(l.addresses)
	}
	return total
}

// close lets go of what ends with the process.
func (n *network) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.leases {
		l.resolver.stop()
		l.resolver = nil
	}
	if err := n.keepTraffic(); err != nil {
		n.log.Error("what was counted of traffic cannot be kept", "error", err)
	}
}
