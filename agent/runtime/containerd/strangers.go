package containerd

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"github.com/souk-network/souk/agent/instance"
)

// networkWarnings says what of the host keeps leases from the network, or will: the rules of other programs, such as
// Docker's and ufw's, hold beside the instance's own.
func networkWarnings(id instance.ID) []string {
	var warnings []string
	if b, err := os.ReadFile("/proc/sys/net/ipv4/ip_forward"); err == nil && strings.TrimSpace(string(b)) != "1" {
		warnings = append(warnings, "something turned IPv4 forwarding off: leases have no network until it is on (sysctl -w net.ipv4.ip_forward=1, and in /etc/sysctl.d)")
	}
	strangers, err := droppingChains(id)
	if err != nil {
		return append(warnings, fmt.Sprintf("the host's other firewall rules cannot be read: %v", err))
	}
	for _, s := range strangers {
		warnings = append(warnings, s.warning(id))
	}
	if b, err := os.ReadFile("/proc/net/ip_tables_names"); err == nil && slices.Contains(strings.Fields(string(b)), "filter") {
		warnings = append(warnings, "the host uses iptables-legacy, whose rules the agent does not see: make sure that iptables-legacy -S FORWARD drops nothing of links "+id.LinkPrefix()+"-+, or move to iptables-nft")
	}
	return warnings
}

// dropping is a chain of another program that drops what its rules do not accept, and does not know the leases' bridges.
type dropping struct {
	family nftables.TableFamily
	table  string
	chain  string
	input  bool
}

func (d dropping) warning(id instance.ID) string {
	links := id.LinkPrefix() + "-*"
	where := fmt.Sprintf("%s %s %s", familyName(d.family), d.table, d.chain)
	if d.input {
		return fmt.Sprintf("chain %s (ufw?) drops by policy: names inside leases resolve slowly unless it accepts their queries (nft insert rule %s iifname \"%s\" th dport 53 accept)", where, where, links)
	}
	return fmt.Sprintf("chain %s (Docker's or ufw's?) drops by policy: leases have no network unless it accepts them "+
		"(nft insert rule %s iifname \"%s\" accept; nft insert rule %s oifname \"%s\" accept; or iptables -I FORWARD -i %s-+ -j ACCEPT and -o)",
		where, where, links, where, links, id.LinkPrefix())
}

func familyName(f nftables.TableFamily) string {
	if f == nftables.TableFamilyIPv4 {
		return "ip"
	}
	return "inet"
}

// droppingChains lists the chains at the forward and input hooks that drop by policy and have no rule for the instance's
// links, nor jump to a chain that has.
func droppingChains(id instance.ID) ([]dropping, error) {
	conn, err := nftables.New()
	if err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	var found []dropping
	for _, family := range []nftables.TableFamily{nftables.TableFamilyIPv4, nftables.TableFamilyINet} {
		chains, err := conn.ListChainsOfTableFamily(family)
		if err != nil {
			return nil, fmt.Errorf("list the host's chains: %w", err)
		}
		for _, c := range chains {
			if c.Hooknum == nil || c.Policy == nil || *c.Policy != nftables.ChainPolicyDrop {
				continue
			}
			input := *c.Hooknum == *nftables.ChainHookInput
			if !input && *c.Hooknum != *nftables.ChainHookForward {
				continue
			}
			knows, err := knowsLinks(conn, c, id.LinkPrefix(), 0)
			if err != nil {
				return nil, err
			}
			if !knows {
				found = append(found, dropping{family: family, table: c.Table.Name, chain: c.Name, input: input})
			}
		}
	}
	return found, nil
}

// jumpsFollowed bounds how deep knowsLinks goes.
const jumpsFollowed = 4

// knowsLinks tells whether a rule of a chain, or of one that it jumps to, compares something with the names of links that
// begin with prefix.
func knowsLinks(conn *nftables.Conn, c *nftables.Chain, prefix string, depth int) (bool, error) {
	rules, err := conn.GetRules(c.Table, c)
	if err != nil {
		return false, fmt.Errorf("read chain %s: %w", c.Name, err)
	}
	for _, rule := range rules {
		for _, e := range rule.Exprs {
			switch e := e.(type) {
			case *expr.Cmp:
				if bytes.HasPrefix(e.Data, []byte(prefix)) {
					return true, nil
				}
			case *expr.Verdict:
				if e.Chain == "" || depth == jumpsFollowed {
					continue
				}
				knows, err := knowsLinks(conn, &nftables.Chain{Name: e.Chain, Table: c.Table}, prefix, depth+1)
				if knows || err != nil {
					return knows, err
				}
			}
		}
	}
	return false, nil
}
