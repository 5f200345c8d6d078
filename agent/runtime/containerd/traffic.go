package containerd

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/google/nftables"

	"github.com/souk-network/souk/agent/runtime"
)

func (t traffic) atLeast(o traffic) traffic {
	return traffic{Egress: max(t.Egress, o.Egress), Ingress: max(t.Ingress, o.Ingress)}
}

// traffic tells how many bytes of IP packets a lease sent to the outside and got from there, since the host was started:
// the Internet, its published ports and the provider's ingress, but neither its own replicas nor its resolver. A lease
// that is not connected has none. ErrNotFound when it has no network.
func (n *network) traffic(lease runtime.LeaseID) (egress, ingress uint64, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.leases[lease]
	if l == nil {
		return 0, 0, nil
	}
	_, _, out, in, _ := leaseChains(l.slot)
	conn, err := nftables.New()
	if err != nil {
		return 0, 0, fmt.Errorf("open nftables: %w", err)
	}
	var now traffic
	for name, to := range map[string]*uint64{out: &now.Egress, in: &now.Ingress} {
		o, err := conn.GetObject(&nftables.CounterObj{Table: n.rules.table(), Name: name})
		if err != nil || o == nil {
			return l.seen.Egress, l.seen.Ingress, nil // the table is gone, and about to come back with this
		}
		if c, ok := o.(*nftables.CounterObj); ok {
			*to = c.Bytes
		}
	}
	l.seen = l.seen.atLeast(now)
	return l.seen.Egress, l.seen.Ingress, nil
}

// counters reads what the table counted, by slot; nothing when there is no table.
func (n *network) counters() map[uint16]traffic {
	found := map[uint16]traffic{}
	conn, err := nftables.New()
	if err != nil {
		return found
	}
	objects, err := conn.GetObjects(n.rules.table())
	if err != nil {
		return found
	}
	for _, o := range objects {
		c, ok := o.(*nftables.CounterObj)
		if !ok || c.Table.Name != n.rules.table().Name || len(c.Name) < 5 {
			continue
		}
		slot, err := strconv.ParseUint(c.Name[len(c.Name)-4:], 16, 16)
		if err != nil {
			continue
		}
		t := found[uint16(slot)]
		if _, _, egress, _, _ := leaseChains(uint16(slot)); c.Name == egress {
			t.Egress = c.Bytes
		} else {
			t.Ingress = c.Bytes
		}
		found[uint16(slot)] = t
	}
	return found
}

// trafficFile keeps what was counted for when the table is lost. It goes with the host's next start, as the counters do.
func (n *network) trafficFile() string { return filepath.Join(n.id.RunDir(), "traffic.json") }

// keepTraffic writes down what was counted so far. The caller holds n.mu.
func (n *network) keepTraffic() error {
	counters := n.counters()
	all := map[runtime.LeaseID]traffic{}
	for lease, l := range n.leases {
		l.seen = l.seen.atLeast(counters[l.slot])
		all[lease] = l.seen
	}
	if err := os.MkdirAll(n.id.RunDir(), 0o711); err != nil {
		return fmt.Errorf("keep what was counted of traffic: %w", err)
	}
	return writeDurably(n.trafficFile(), all)
}

// readTraffic reads what keepTraffic wrote. A file that cannot be read is as none: it holds nothing that the table does
// not have, unless that was lost too.
func (n *network) readTraffic() (map[runtime.LeaseID]traffic, error) {
	all := map[runtime.LeaseID]traffic{}
	_, err := readJSON(n.trafficFile(), &all)
	return all, err
}
