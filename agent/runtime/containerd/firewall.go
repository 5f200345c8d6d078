package containerd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/instance"
)

// installFirewall replaces the instance's nft table in one transaction. The rules match bridges by the instance's
// prefix, so that leases come and go without touching them:
//
//	input:       from a lease: replies only
//	forward:     from a lease: IPv4 with an address of the pool, to public addresses, but not tcp/25
//	             to a lease: from itself, and replies; what does not concern a lease is left to other tables
//	postrouting: from the pool to elsewhere: source address translated
func installFirewall(id instance.ID, pool netip.Prefix, bridges []string) error {
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	table := &nftables.Table{Family: nftables.TableFamilyINet, Name: id.TableName()}
	conn.AddTable(table) // so that deleting it cannot fail
	conn.DelTable(table)
	conn.AddTable(table)
	f := &firewall{conn: conn, table: table, prefix: id.LinkPrefix()}
	f.input()
	if err := conn.AddSet(sameLease(table), sameLeaseElements(bridges)); err != nil {
		return fmt.Errorf("list the leases' bridges: %w", err)
	}
	if err := f.forward(pool); err != nil {
		return err
	}
	f.translate(pool)
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("install nft table %s (the kernel needs nf_tables with inet, ct and nat): %w", table.Name, err)
	}
	return nil
}

type firewall struct {
	conn   *nftables.Conn
	table  *nftables.Table
	prefix string
}

func (f *firewall) chain(name string, kind nftables.ChainType, hook *nftables.ChainHook, priority *nftables.ChainPriority) *nftables.Chain {
	accept := nftables.ChainPolicyAccept
	return f.conn.AddChain(&nftables.Chain{Name: name, Table: f.table, Type: kind, Hooknum: hook, Priority: priority, Policy: &accept})
}

func (f *firewall) rule(c *nftables.Chain, parts ...[]expr.Any) {
	var all []expr.Any
	for _, p := range parts {
		all = append(all, p...)
	}
	f.conn.AddRule(&nftables.Rule{Table: f.table, Chain: c, Exprs: all})
}

func (f *firewall) input() {
	c := f.chain("input", nftables.ChainTypeFilter, nftables.ChainHookInput, nftables.ChainPriorityFilter)
	f.rule(c, f.from(), established(), counted(), verdict(expr.VerdictAccept))
	f.rule(c, f.from(), counted(), verdict(expr.VerdictDrop))
}

func (f *firewall) forward(pool netip.Prefix) error {
	blocked := &nftables.Set{Table: f.table, Name: "not_public", KeyType: nftables.TypeIPAddr, Interval: true, Constant: true}
	if err := f.conn.AddSet(blocked, intervals(notPublicV4)); err != nil {
		return fmt.Errorf("list the blocked addresses: %w", err)
	}
	c := f.chain("forward", nftables.ChainTypeFilter, nftables.ChainHookForward, nftables.ChainPriorityFilter)
	f.rule(c, f.from(), family(unix.NFPROTO_IPV6), counted(), verdict(expr.VerdictDrop))
	f.rule(c, f.to(), family(unix.NFPROTO_IPV6), counted(), verdict(expr.VerdictDrop))
	f.rule(c, withinLease(sameLease(f.table)), counted(), verdict(expr.VerdictAccept))
	f.rule(c, f.to(), established(), counted(), verdict(expr.VerdictAccept))
	f.rule(c, f.to(), counted(), verdict(expr.VerdictDrop))
	f.rule(c, f.from(), source(pool, expr.CmpOpNeq), counted(), verdict(expr.VerdictDrop))
	f.rule(c, f.from(), destinationIn(blocked), counted(), verdict(expr.VerdictDrop))
	f.rule(c, f.from(), tcpTo(25), counted(), verdict(expr.VerdictDrop))
	f.rule(c, f.from(), counted(), verdict(expr.VerdictAccept))
	return nil
}

func (f *firewall) translate(pool netip.Prefix) {
	c := f.chain("postrouting", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource)
	f.rule(c, family(unix.NFPROTO_IPV4), source(pool, expr.CmpOpEq), f.notTo(), []expr.Any{&expr.Counter{}, &expr.Masq{}})
}

// from, to and notTo match the instance's bridges by the beginning of their names.
func (f *firewall) from() []expr.Any  { return f.link(expr.MetaKeyIIFNAME, expr.CmpOpEq) }
func (f *firewall) to() []expr.Any    { return f.link(expr.MetaKeyOIFNAME, expr.CmpOpEq) }
func (f *firewall) notTo() []expr.Any { return f.link(expr.MetaKeyOIFNAME, expr.CmpOpNeq) }

func (f *firewall) link(key expr.MetaKey, op expr.CmpOp) []expr.Any {
	return []expr.Any{&expr.Meta{Key: key, Register: 1}, &expr.Cmp{Op: op, Register: 1, Data: []byte(f.prefix)}}
}

// sameLease is the set of pairs of a bridge with itself. Hosts that send bridged traffic through the forward hook
// (br_netfilter, as Docker turns it on) need it for the replicas of a lease to reach each other.
func sameLease(table *nftables.Table) *nftables.Set {
	return &nftables.Set{Table: table, Name: "same_lease", Concatenation: true, KeyType: nftables.MustConcatSetType(nftables.TypeIFName, nftables.TypeIFName)}
}

func sameLeaseElements(bridges []string) []nftables.SetElement {
	var elements []nftables.SetElement
	for _, b := range bridges {
		var name [unix.IFNAMSIZ]byte
		copy(name[:], b)
		elements = append(elements, nftables.SetElement{Key: append(name[:], name[:]...)})
	}
	return elements
}

// changeSameLease adds a lease's bridge to the rules, or takes it out.
func changeSameLease(id instance.ID, bridge string, add bool) error {
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	set := sameLease(&nftables.Table{Family: nftables.TableFamilyINet, Name: id.TableName()})
	change := conn.SetDeleteElements
	if add {
		change = conn.SetAddElements
	}
	if err := change(set, sameLeaseElements([]string{bridge})); err != nil {
		return fmt.Errorf("change the rules of bridge %s: %w", bridge, err)
	}
	if err := conn.Flush(); err != nil && (add || !errors.Is(err, unix.ENOENT)) {
		return fmt.Errorf("change the rules of bridge %s: %w", bridge, err)
	}
	return nil
}

func withinLease(set *nftables.Set) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1},
		&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 2},
		&expr.Lookup{SourceRegister: 1, SetName: set.Name},
	}
}

func family(f byte) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{f}}}
}

func established() []expr.Any {
	mask := binaryutil.NativeEndian.PutUint32(expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED)
	return []expr.Any{
		&expr.Ct{Register: 1, Key: expr.CtKeySTATE},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: mask, Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
	}
}

const (
	sourceOffset      = 12 // in an IPv4 header
	destinationOffset = 16
)

func source(p netip.Prefix, op expr.CmpOp) []expr.Any {
	var mask [4]byte
	binary.BigEndian.PutUint32(mask[:], ^uint32(0)<<(32-p.Bits()))
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: sourceOffset, Len: 4},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: mask[:], Xor: make([]byte, 4)},
		&expr.Cmp{Op: op, Register: 1, Data: p.Masked().Addr().AsSlice()},
	}
}

func destinationIn(set *nftables.Set) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: destinationOffset, Len: 4},
		&expr.Lookup{SourceRegister: 1, SetName: set.Name, SetID: set.ID},
	}
}

func tcpTo(port uint16) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.BigEndian.PutUint16(port)},
	}
}

func counted() []expr.Any                      { return []expr.Any{&expr.Counter{}} }
func verdict(kind expr.VerdictKind) []expr.Any { return []expr.Any{&expr.Verdict{Kind: kind}} }

// intervals turns prefixes into the half-open intervals of a set. The last one may reach the end of the address space,
// which has no address after it and so no end.
func intervals(prefixes []netip.Prefix) []nftables.SetElement {
	var elements []nftables.SetElement
	for _, p := range prefixes {
		first := binary.BigEndian.Uint32(p.Masked().Addr().AsSlice())
		elements = append(elements, nftables.SetElement{Key: p.Masked().Addr().AsSlice()})
		if end := uint64(first) + 1<<(32-p.Bits()); end <= 0xffffffff {
			elements = append(elements, nftables.SetElement{Key: binary.BigEndian.AppendUint32(nil, uint32(end)), IntervalEnd: true})
		}
	}
	return elements
}
