package containerd

import (
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"golang.org/x/sys/unix"
)

// sets are those of the instance's table. Leases come and go by their elements, without touching the rules of others.
type sets struct {
	closed    *nftables.Set // addresses to which nobody may connect
	assigned  *nftables.Set // bridge and address of each replica
	gateways  *nftables.Set // bridge and its own address
	sameLease *nftables.Set // pairs of a bridge with itself
	opened    *nftables.Set // bridge to the chain that limits the connections it opens
	reached   *nftables.Set // bridge to the chain that limits the connections opened to it
	egress    *nftables.Set // bridge to the chain that counts and accepts
	ingress   *nftables.Set
	published *nftables.Set // protocol and port of the host to the chain that leads to replicas
}

// setsOf names the sets, as they are used once the table is there. Hosts that send bridged traffic through the forward
// hook (br_netfilter, as Docker turns it on) need sameLease for the replicas of a lease to reach each other.
func setsOf(table *nftables.Table) sets {
	linkAddress := nftables.MustConcatSetType(nftables.TypeIFName, nftables.TypeIPAddr)
	chains := func(name string, key nftables.SetDatatype) *nftables.Set {
		return &nftables.Set{Table: table, Name: name, IsMap: true, KeyType: key, DataType: nftables.TypeVerdict}
	}
	byPort := chains("published_ports", nftables.MustConcatSetType(nftables.TypeInetProto, nftables.TypeInetService))
	byPort.Concatenation = true
	return sets{
		closed:    &nftables.Set{Table: table, Name: "closed", KeyType: nftables.TypeIPAddr, Interval: true, Constant: true},
		assigned:  &nftables.Set{Table: table, Name: "assigned", Concatenation: true, KeyType: linkAddress},
		gateways:  &nftables.Set{Table: table, Name: "gateways", Concatenation: true, KeyType: linkAddress},
		sameLease: &nftables.Set{Table: table, Name: "same_lease", Concatenation: true, KeyType: nftables.MustConcatSetType(nftables.TypeIFName, nftables.TypeIFName)},
		opened:    chains("opened", nftables.TypeIFName),
		reached:   chains("reached", nftables.TypeIFName),
		egress:    chains("egress", nftables.TypeIFName),
		ingress:   chains("ingress", nftables.TypeIFName),
		published: byPort,
	}
}

func (c *ruleChange) addSets() (sets, error) {
	s := setsOf(c.table)
	for _, set := range []*nftables.Set{s.assigned, s.gateways, s.sameLease, s.opened, s.reached, s.egress, s.ingress, s.published} {
		set.ID = c.nextID()
		if err := c.conn.AddSet(set, nil); err != nil {
			return s, fmt.Errorf("make the set %s: %w", set.Name, err)
		}
	}
	s.closed.ID = c.nextID()
	if err := c.conn.AddSet(s.closed, intervals(c.closed)); err != nil {
		return s, fmt.Errorf("list the closed addresses: %w", err)
	}
	return s, nil
}

// nextID numbers the sets of a transaction. The library's own numbers are shared between connections without a lock.
func (c *ruleChange) nextID() uint32 {
	c.ids++
	return c.ids
}

// inTurn is an anonymous map from 0, 1, … to addresses.
func (c *ruleChange) inTurn(to []netip.Addr) (*nftables.Set, error) {
	m := &nftables.Set{
		Table: c.table, ID: c.nextID(), Name: "__map%d", Anonymous: true, Constant: true, IsMap: true,
		KeyType: nftables.TypeInteger, DataType: nftables.TypeIPAddr,
	}
	var elements []nftables.SetElement
	for i, a := range to {
		elements = append(elements, nftables.SetElement{Key: binaryutil.NativeEndian.PutUint32(uint32(i)), Val: a.AsSlice()}) //nolint:gosec // few
	}
	return m, c.conn.AddSet(m, elements)
}

func linkKey(bridge string) []byte {
	var name [unix.IFNAMSIZ]byte
	copy(name[:], bridge)
	return name[:]
}

func linkAddressKey(bridge string, a netip.Addr) []byte {
	return append(linkKey(bridge), a.AsSlice()...)
}

func portKey(protocol string, port uint16) []byte {
	key := [8]byte{0: protocolNumber(protocol)}
	copy(key[4:], binaryutil.BigEndian.PutUint16(port))
	return key[:]
}
