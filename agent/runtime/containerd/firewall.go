package containerd

import (
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/instance"
)

// rules are what the instance's nft table says of every lease.
type rules struct {
	id     instance.ID
	pool   netip.Prefix
	closed []netip.Prefix // to which leases may not connect; none in another
	limits ConnectionLimits
	absent bool // Config.NoFirewall: there is no table
}

// ruleChange is one transaction: all of it happens, or nothing.
type ruleChange struct {
	rules
	conn  *nftables.Conn
	table *nftables.Table
	ids   uint32 // of sets, so far
}

// socketBytes lets a transaction of all leases of a large host, and its acknowledgements, through the socket.
const socketBytes = 64 << 20

func (r rules) change() (*ruleChange, error) {
	conn, err := nftables.New(nftables.WithSockOptions(func(c *netlink.Conn) error {
		if err := c.SetWriteBuffer(socketBytes); err != nil {
			return err
		}
		return c.SetReadBuffer(socketBytes)
	}))
	if err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	return &ruleChange{rules: r, conn: conn, table: r.table()}, nil
}

func (r rules) table() *nftables.Table {
	return &nftables.Table{Family: nftables.TableFamilyINet, Name: r.id.TableName()}
}

// install replaces the instance's table in one transaction. What concerns no lease is left to other tables:
//
//	arriving:    from a lease: IPv4 with an address that the lease was given, and not too many new connections
//	published:   to the host, not from a lease: a published port leads to a replica; from the host itself, too
//	input:       from a lease: to the resolver at its bridge, and replies
//	forward:     within a lease: all
//	             to a lease: replies, and what came to a published port
//	             from a lease: replies, and to public addresses, but not to tcp/25
//	postrouting: from the pool to elsewhere: source address translated
func (r rules) install(leases []leaseRules) error {
	if r.absent {
		return nil
	}
	c, err := r.change()
	if err != nil {
		return err
	}
	c.conn.AddTable(c.table) // so that deleting it cannot fail
	c.conn.DelTable(c.table)
	c.conn.AddTable(c.table)
	s, err := c.addSets()
	if err != nil {
		return err
	}
	c.arriving(s)
	c.published(s)
	c.input(s)
	c.output(s)
	c.forward(s)
	c.translate()
	for _, l := range leases {
		if err := c.add(l); err != nil {
			return err
		}
	}
	if err := c.conn.Flush(); err != nil {
		return fmt.Errorf("install nft table %s (the kernel needs nf_tables with inet, ct, fib, limit, connlimit, numgen and nat): %w", c.table.Name, err)
	}
	return nil
}

// baseChains are the chains of install with their numbers of rules, by which a damaged table is told.
var baseChains = map[string]int{
	"arriving": 3, "published": 1, "published_here": 1, "input": 4, "output": 3, "forward": 12, "postrouting": 2,
}

func (c *ruleChange) chain(name string, kind nftables.ChainType, hook *nftables.ChainHook, priority *nftables.ChainPriority) *nftables.Chain {
	accept := nftables.ChainPolicyAccept
	return c.conn.AddChain(&nftables.Chain{Name: name, Table: c.table, Type: kind, Hooknum: hook, Priority: priority, Policy: &accept})
}

func (c *ruleChange) rule(chain *nftables.Chain, parts ...[]expr.Any) {
	var all []expr.Any
	for _, p := range parts {
		all = append(all, p...)
	}
	c.conn.AddRule(&nftables.Rule{Table: c.table, Chain: chain, Exprs: all})
}

func (c *ruleChange) arriving(s sets) {
	chain := c.chain("arriving", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, nftables.ChainPriorityMangle)
	c.rule(chain, c.from(), family(unix.NFPROTO_IPV6), counted(), verdict(expr.VerdictDrop))
	c.rule(chain, c.from(), linkAndAddress(sourceOffset, s.assigned, true), counted(), verdict(expr.VerdictDrop))
	c.rule(chain, c.from(), newConnection(), byLink(expr.MetaKeyIIFNAME, s.opened))
}

// published leads to replicas. It never applies to leases: one lease must not reach another by way of the host.
func (c *ruleChange) published(s sets) {
	chain := c.chain("published", nftables.ChainTypeNAT, nftables.ChainHookPrerouting, nftables.ChainPriorityNATDest)
	c.rule(chain, c.notFrom(), family(unix.NFPROTO_IPV4), toTheHost(), byPort(s.published))
	here := c.chain("published_here", nftables.ChainTypeNAT, nftables.ChainHookOutput, nftables.ChainPriorityNATDest)
	c.rule(here, family(unix.NFPROTO_IPV4), toTheHost(), byPort(s.published))
}

func (c *ruleChange) input(s sets) {
	chain := c.chain("input", nftables.ChainTypeFilter, nftables.ChainHookInput, nftables.ChainPriorityFilter)
	for _, protocol := range []string{"udp", "tcp"} {
		c.rule(chain, c.from(), linkAndAddress(destinationOffset, s.gateways, false), portTo(protocol, dnsPort), counted(), verdict(expr.VerdictAccept))
	}
	c.rule(chain, c.from(), established(), byLink(expr.MetaKeyIIFNAME, s.egress))
	c.rule(chain, c.from(), counted(), verdict(expr.VerdictDrop))
}

func (c *ruleChange) output(s sets) {
	chain := c.chain("output", nftables.ChainTypeFilter, nftables.ChainHookOutput, nftables.ChainPriorityFilter)
	c.rule(chain, c.to(), family(unix.NFPROTO_IPV6), counted(), verdict(expr.VerdictDrop))
	c.rule(chain, c.to(), answering(), counted(), verdict(expr.VerdictAccept)) // of the resolver
	c.rule(chain, c.to(), byLink(expr.MetaKeyOIFNAME, s.ingress))
}

func (c *ruleChange) forward(s sets) {
	chain := c.chain("forward", nftables.ChainTypeFilter, nftables.ChainHookForward, nftables.ChainPriorityFilter)
	c.rule(chain, c.from(), family(unix.NFPROTO_IPV6), counted(), verdict(expr.VerdictDrop))
	c.rule(chain, c.to(), family(unix.NFPROTO_IPV6), counted(), verdict(expr.VerdictDrop))
	c.rule(chain, withinLease(s.sameLease), counted(), verdict(expr.VerdictAccept))
	c.rule(chain, c.to(), established(), byLink(expr.MetaKeyOIFNAME, s.ingress))
	c.rule(chain, c.notFrom(), c.to(), newConnection(), translated(), byLink(expr.MetaKeyOIFNAME, s.reached))
	c.rule(chain, c.to(), counted(), verdict(expr.VerdictDrop))
	c.rule(chain, c.from(), established(), answering(), byLink(expr.MetaKeyIIFNAME, s.egress))
	c.rule(chain, c.from(), source(c.pool, expr.CmpOpNeq), counted(), verdict(expr.VerdictDrop))
	c.rule(chain, c.from(), destinationIn(s.closed), counted(), verdict(expr.VerdictDrop))
	c.rule(chain, c.from(), portTo("tcp", 25), counted(), verdict(expr.VerdictDrop))
	c.rule(chain, c.from(), byLink(expr.MetaKeyIIFNAME, s.egress))
	c.rule(chain, c.from(), counted(), verdict(expr.VerdictDrop))
}

// translate gives what leaves the pool the host's address, and what comes from the host's own loopback an address to
// which the replica can answer.
func (c *ruleChange) translate() {
	chain := c.chain("postrouting", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource)
	c.rule(chain, family(unix.NFPROTO_IPV4), source(c.pool, expr.CmpOpEq), c.notTo(), counted(), []expr.Any{&expr.Masq{}})
	c.rule(chain, family(unix.NFPROTO_IPV4), source(loopback, expr.CmpOpEq), c.to(), counted(), []expr.Any{&expr.Masq{}})
}

var loopback = netip.MustParsePrefix("127.0.0.0/8")

// from, to and their opposites match the instance's bridges by the beginning of their names.
func (c *ruleChange) from() []expr.Any    { return c.link(expr.MetaKeyIIFNAME, expr.CmpOpEq) }
func (c *ruleChange) to() []expr.Any      { return c.link(expr.MetaKeyOIFNAME, expr.CmpOpEq) }
func (c *ruleChange) notFrom() []expr.Any { return c.link(expr.MetaKeyIIFNAME, expr.CmpOpNeq) }
func (c *ruleChange) notTo() []expr.Any   { return c.link(expr.MetaKeyOIFNAME, expr.CmpOpNeq) }

func (c *ruleChange) link(key expr.MetaKey, op expr.CmpOp) []expr.Any {
	return []expr.Any{&expr.Meta{Key: key, Register: 1}, &expr.Cmp{Op: op, Register: 1, Data: []byte(c.id.LinkPrefix())}}
}
