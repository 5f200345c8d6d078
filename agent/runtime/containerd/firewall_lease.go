package containerd

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// leaseRules are what the instance's nft table says of one lease.
type leaseRules struct {
	slot      uint16
	addresses []netip.Addr // of its replicas, ordered
	published []forwarding // ordered by port of the host
	counted   traffic      // to begin with, when the table is new
}

// forwarding leads from a port of the host to replicas in turn.
type forwarding struct {
	host      uint16
	protocol  string
	container uint16
	replicas  []netip.Addr
}

// traffic is what passed between a lease and the outside, in bytes of IP packets.
type traffic struct {
	Egress  uint64 `json:"egress"`
	Ingress uint64 `json:"ingress"`
}

// leaseChains are the chains of a slot.
func leaseChains(slot uint16) (opened, reached, egress, ingress, published string) {
	n := fmt.Sprintf("_%04x", slot)
	return "opened" + n, "reached" + n, "egress" + n, "ingress" + n, "published" + n
}

// add makes the chains, counters and set elements of a lease.
func (c *ruleChange) add(l leaseRules) error {
	opened, reached, egress, ingress, published := leaseChains(l.slot)
	c.conn.AddObj(&nftables.CounterObj{Table: c.table, Name: egress, Bytes: l.counted.Egress})
	c.conn.AddObj(&nftables.CounterObj{Table: c.table, Name: ingress, Bytes: l.counted.Ingress})
	c.accounted(egress)
	in := c.accounted(ingress)
	c.limited(opened)
	c.rule(c.limited(reached), []expr.Any{&expr.Verdict{Kind: expr.VerdictGoto, Chain: in.Name}})
	c.conn.AddChain(&nftables.Chain{Name: published, Table: c.table})

	bridge, s := c.id.BridgeName(l.slot), setsOf(c.table)
	link := linkKey(bridge)
	return errors.Join(
		c.addTo(s.opened, leadsTo(link, expr.VerdictJump, opened)),
		c.addTo(s.reached, leadsTo(link, expr.VerdictJump, reached)),
		c.addTo(s.egress, leadsTo(link, expr.VerdictGoto, egress)),
		c.addTo(s.ingress, leadsTo(link, expr.VerdictGoto, ingress)),
		c.addTo(s.sameLease, nftables.SetElement{Key: append(linkKey(bridge), link...)}),
		c.addTo(s.gateways, nftables.SetElement{Key: linkAddressKey(bridge, gateway(c.pool, l.slot))}),
		c.assign(l.slot, nil, l.addresses),
		c.publish(l.slot, nil, l.published),
	)
}

// alter turns what add or alter made for a lease into something else.
func (c *ruleChange) alter(from, to leaseRules) error {
	return errors.Join(c.assign(to.slot, from.addresses, to.addresses), c.publish(to.slot, from.published, to.published))
}

// remove takes away all that add and alter made for a lease.
func (c *ruleChange) remove(l leaseRules) error {
	bridge, s := c.id.BridgeName(l.slot), setsOf(c.table)
	key := nftables.SetElement{Key: linkKey(bridge)}
	err := errors.Join(
		c.assign(l.slot, l.addresses, nil),
		c.publish(l.slot, l.published, nil),
		c.takeFrom(s.opened, key), c.takeFrom(s.reached, key), c.takeFrom(s.egress, key), c.takeFrom(s.ingress, key),
		c.takeFrom(s.sameLease, nftables.SetElement{Key: append(linkKey(bridge), key.Key...)}),
		c.takeFrom(s.gateways, nftables.SetElement{Key: linkAddressKey(bridge, gateway(c.pool, l.slot))}),
	)
	opened, reached, egress, ingress, published := leaseChains(l.slot)
	for _, name := range []string{reached, opened, egress, ingress, published} {
		chain := &nftables.Chain{Name: name, Table: c.table}
		c.conn.FlushChain(chain)
		c.conn.DelChain(chain)
	}
	for _, name := range []string{egress, ingress} {
		c.conn.DeleteObject(&nftables.CounterObj{Table: c.table, Name: name})
	}
	return err
}

// accounted is a chain that counts and accepts.
func (c *ruleChange) accounted(name string) *nftables.Chain {
	chain := c.conn.AddChain(&nftables.Chain{Name: name, Table: c.table})
	c.rule(chain, countedAs(name), verdict(expr.VerdictAccept))
	return chain
}

// limited is a chain that drops new connections which are too many.
func (c *ruleChange) limited(name string) *nftables.Chain {
	chain := c.conn.AddChain(&nftables.Chain{Name: name, Table: c.table})
	c.rule(chain, moreOftenThan(c.limits.NewPerSecond, c.limits.NewBurst), counted(), verdict(expr.VerdictDrop))
	c.rule(chain, moreThan(c.limits.Open), counted(), verdict(expr.VerdictDrop))
	return chain
}

// assign changes the addresses from which a lease may send.
func (c *ruleChange) assign(slot uint16, from, to []netip.Addr) error {
	bridge, assigned := c.id.BridgeName(slot), setsOf(c.table).assigned
	var errs []error
	for _, a := range from {
		if !slices.Contains(to, a) {
			errs = append(errs, c.takeFrom(assigned, nftables.SetElement{Key: linkAddressKey(bridge, a)}))
		}
	}
	for _, a := range to {
		if !slices.Contains(from, a) {
			errs = append(errs, c.addTo(assigned, nftables.SetElement{Key: linkAddressKey(bridge, a)}))
		}
	}
	return errors.Join(errs...)
}

// publish changes where the lease's ports of the host lead.
func (c *ruleChange) publish(slot uint16, from, to []forwarding) error {
	_, _, _, _, name := leaseChains(slot)
	chain, ports := &nftables.Chain{Name: name, Table: c.table}, setsOf(c.table).published
	same := func(a forwarding) func(forwarding) bool {
		return func(b forwarding) bool { return a.host == b.host && a.protocol == b.protocol }
	}
	var errs []error
	for _, p := range from {
		if !slices.ContainsFunc(to, same(p)) {
			errs = append(errs, c.takeFrom(ports, nftables.SetElement{Key: portKey(p.protocol, p.host)}))
		}
	}
	if len(from) > 0 {
		c.conn.FlushChain(chain)
	}
	for _, p := range to {
		errs = append(errs, c.lead(chain, p))
		if !slices.ContainsFunc(from, same(p)) {
			errs = append(errs, c.addTo(ports, leadsTo(portKey(p.protocol, p.host), expr.VerdictGoto, name)))
		}
	}
	return errors.Join(errs...)
}

// lead sends new connections to a port of the host to the replicas in turn. Without one, the host itself refuses TCP; a
// UDP packet is dropped, for its connection would be remembered as one to the host.
func (c *ruleChange) lead(chain *nftables.Chain, p forwarding) error {
	match := portTo(p.protocol, p.host)
	if len(p.replicas) == 0 {
		if p.protocol == "udp" {
			c.rule(chain, match, counted(), verdict(expr.VerdictDrop))
		}
		return nil
	}
	replicas, err := c.inTurn(p.replicas)
	if err != nil {
		return fmt.Errorf("publish port %d: %w", p.host, err)
	}
	c.rule(chain, match, counted(), []expr.Any{
		&expr.Numgen{Register: 1, Modulus: uint32(len(p.replicas)), Type: unix.NFT_NG_INCREMENTAL}, //nolint:gosec // few
		&expr.Lookup{SourceRegister: 1, DestRegister: 1, IsDestRegSet: true, SetName: replicas.Name, SetID: replicas.ID},
		&expr.Immediate{Register: 2, Data: binaryutil.BigEndian.PutUint16(p.container)},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: 1, RegProtoMin: 2, Specified: true},
	})
	return nil
}

func leadsTo(key []byte, kind expr.VerdictKind, chain string) nftables.SetElement {
	return nftables.SetElement{Key: key, VerdictData: &expr.Verdict{Kind: kind, Chain: chain}}
}

func (c *ruleChange) addTo(set *nftables.Set, e nftables.SetElement) error {
	if err := c.conn.SetAddElements(set, []nftables.SetElement{e}); err != nil {
		return fmt.Errorf("add to the set %s: %w", set.Name, err)
	}
	return nil
}

func (c *ruleChange) takeFrom(set *nftables.Set, e nftables.SetElement) error {
	if err := c.conn.SetDeleteElements(set, []nftables.SetElement{e}); err != nil {
		return fmt.Errorf("take from the set %s: %w", set.Name, err)
	}
	return nil
}

// gateway is the address of a lease's bridge.
func gateway(pool netip.Prefix, slot uint16) netip.Addr { return leaseSubnet(pool, slot).Addr().Next() }
