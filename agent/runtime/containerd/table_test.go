package containerd

import (
	"log/slog"
	"net/netip"
	"os"
	goruntime "runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/internal/reach"
)

// alone runs the test in a network namespace of its own, so that no rule touches the host.
func alone(t *testing.T, do func(t *testing.T)) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIP-NEEDS-ROOT: network namespaces and nft tables need root")
	}
	t.Run("alone", func(t *testing.T) {
		goruntime.LockOSThread() // never unlocked: the thread ends with the test
		ns, err := netns.New()
		require.NoError(t, err)
		t.Cleanup(func() { _ = ns.Close() })
		do(t)
	})
}

func networkOf(id instance.ID) *network {
	pool := netip.MustParsePrefix("10.66.0.0/16")
	r := rules{id: id, pool: pool, closed: disjoint(reach.NotPublicV4()), limits: ConnectionLimits{}.withDefaults()}
	return newNetwork(r, nil, "", slog.New(slog.DiscardHandler))
}

func TestTheTableOfManyLeasesIsInstalledChangedAndLeft(t *testing.T) {
	alone(t, func(t *testing.T) {
		n := networkOf("0123abcd")
		t.Cleanup(func() { require.NoError(t, os.RemoveAll(n.id.RunDir())) })
		const leases = 300
		host := uint16(20000)
		for i := range uint16(leases) {
			l := &connected{slot: i, addresses: map[string]netip.Addr{}, seen: traffic{Egress: uint64(i), Ingress: 7}}
			subnet := leaseSubnet(n.rules.pool, i)
			a := subnet.Addr().Next()
			for _, name := range []string{"a", "b", "c"} {
				a = a.Next()
				l.addresses[name] = a
			}
			for range 4 {
				l.published = append(l.published, forwarding{host: host, protocol: "tcp", container: 80, replicas: []netip.Addr{a, a.Prev()}})
				l.published = append(l.published, forwarding{host: host, protocol: "udp", container: 80})
				host++
			}
			n.leases[runtime.LeaseID(i)] = l
		}
		began := time.Now()
		require.NoError(t, n.install())
		t.Logf("%d leases with 3 replicas and 8 published ports each installed in %v", leases, time.Since(began).Round(time.Millisecond))
		require.NoError(t, n.intact())
		require.Equal(t, traffic{Egress: 299, Ingress: 7}, n.counters()[299])

		began = time.Now()
		require.NoError(t, n.left(5, "b"))
		require.NoError(t, n.joined(5, 5, "d", netip.MustParseAddr("10.66.1.99")))
		require.NoError(t, n.lead(5, []forwarding{{host: 31000, protocol: "udp", container: 53, replicas: []netip.Addr{netip.MustParseAddr("10.66.1.99")}}}, nil))
		require.NoError(t, n.lead(5, nil, nil))
		t.Logf("4 changes of one lease took %v", time.Since(began).Round(time.Microsecond))
		require.NoError(t, n.intact())
		require.NoError(t, n.forgotten(7))
		require.NoError(t, n.intact())
		require.NoError(t, n.joined(7, 7, "a", netip.MustParseAddr("10.66.1.194")), "a slot is used again")
		require.NoError(t, n.intact())
		egress, ingress, err := n.traffic(9)
		require.NoError(t, err)
		require.Equal(t, [2]uint64{9, 7}, [2]uint64{egress, ingress})

		began = time.Now()
		require.NoError(t, n.intact())
		t.Logf("looking whether all is there took %v", time.Since(began).Round(time.Microsecond))
		for lease := range runtime.LeaseID(leases) {
			if lease >= 20 {
				delete(n.leases, lease)
			}
		}
		require.NoError(t, n.install(), "what is not known is not installed")
		for lease := range runtime.LeaseID(20) {
			require.NoError(t, n.forgotten(lease))
		}
		conn, err := nftables.New()
		require.NoError(t, err)
		chains, err := conn.ListChainsOfTableFamily(nftables.TableFamilyINet)
		require.NoError(t, err)
		require.Len(t, chains, len(baseChains), "nothing is left of leases")
		require.Empty(t, n.counters())
	})
}

func TestWhatIsMissingOfALeaseIsNoticed(t *testing.T) {
	alone(t, func(t *testing.T) {
		n := networkOf("0123abcd")
		t.Cleanup(func() { require.NoError(t, os.RemoveAll(n.id.RunDir())) })
		for i := range uint16(3 * leasesAtOnce) {
			a := leaseSubnet(n.rules.pool, i).Addr().Next().Next()
			require.NoError(t, n.joined(runtime.LeaseID(i), i, "a", a))
			require.NoError(t, n.lead(runtime.LeaseID(i), []forwarding{
				{host: 20000 + i, protocol: "tcp", container: 80, replicas: []netip.Addr{a}}, {host: 21000 + i, protocol: "tcp", container: 81},
			}, nil))
		}
		conn, err := nftables.New()
		require.NoError(t, err)
		table := n.rules.table()
		opened, reached, egress, ingress, published := leaseChains(7)
		damages := map[string]func(){
			"the published ports": func() { conn.FlushSet(setsOf(table).published) },
			"a lease's chain": func() {
				conn.FlushSet(setsOf(table).opened)
				conn.DelChain(&nftables.Chain{Name: opened, Table: table})
			},
		}
		for _, name := range []string{opened, reached, egress, ingress, published} {
			damages["the rules of "+name] = func() { conn.FlushChain(&nftables.Chain{Name: name, Table: table}) }
		}
		noticed := func() error {
			for range 3 {
				if err := n.intact(); err != nil {
					return err
				}
			}
			return nil
		}
		for name, damage := range damages {
			require.NoError(t, noticed(), name)
			damage()
			require.NoError(t, conn.Flush(), name)
			require.Error(t, noticed(), name)
			require.NoError(t, n.install(), name)
		}
		require.NoError(t, noticed())
	})
}

func TestAChangeOfRulesThatFailedIsMadeByTheNextTry(t *testing.T) {
	alone(t, func(t *testing.T) {
		n := networkOf("0123abcd")
		t.Cleanup(func() { require.NoError(t, os.RemoveAll(n.id.RunDir())) })
		failing := func(do func() error) {
			n.rules.id = instance.ID(strings.Repeat("a", 300)) // the kernel takes no such name
			require.Error(t, do())
			n.rules.id = n.id
		}
		require.NoError(t, n.install())
		a := leaseSubnet(n.rules.pool, 7).Addr().Next().Next()
		join := func() error { return n.joined(7, 7, "a", a) }
		failing(join)
		require.NoError(t, join())
		require.NoError(t, n.intact())
		lead := func() error {
			return n.lead(7, []forwarding{{host: 20000, protocol: "tcp", container: 80, replicas: []netip.Addr{a}}}, nil)
		}
		failing(lead)
		require.NoError(t, lead())
		require.NoError(t, n.intact())
		forget := func() error { return n.forgotten(7) }
		failing(forget)
		require.NoError(t, forget())
		conn, err := nftables.New()
		require.NoError(t, err)
		chains, err := conn.ListChainsOfTableFamily(nftables.TableFamilyINet)
		require.NoError(t, err)
		require.Len(t, chains, len(baseChains), "nothing is left of the lease")
	})
}

func TestRulesOfOthersThatDropAreNamed(t *testing.T) {
	alone(t, func(t *testing.T) {
		const id = instance.ID("0123abcd")
		require.NoError(t, os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o600))
		require.Empty(t, networkWarnings(id))
		require.NoError(t, os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("0"), 0o600))
		require.Contains(t, strings.Join(networkWarnings(id), "\n"), "net.ipv4.ip_forward=1")
		require.NoError(t, os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o600))

		conn, err := nftables.New()
		require.NoError(t, err)
		drop := nftables.ChainPolicyDrop
		table := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "filter"})
		conn.AddChain(&nftables.Chain{Name: "FORWARD", Table: table, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter, Policy: &drop})
		conn.AddChain(&nftables.Chain{Name: "INPUT", Table: table, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter, Policy: &drop})
		require.NoError(t, conn.Flush())
		all := strings.Join(networkWarnings(id), "\n")
		require.Contains(t, all, "chain ip filter FORWARD")
		require.Contains(t, all, "iptables -I FORWARD -i sk0123abcd-+ -j ACCEPT")
		require.Contains(t, all, "chain ip filter INPUT")

		user := conn.AddChain(&nftables.Chain{Name: "DOCKER-USER", Table: table})
		conn.AddRule(&nftables.Rule{Table: table, Chain: &nftables.Chain{Name: "FORWARD", Table: table}, Exprs: []expr.Any{&expr.Verdict{Kind: expr.VerdictJump, Chain: "DOCKER-USER"}}})
		conn.AddRule(&nftables.Rule{Table: table, Chain: user, Exprs: []expr.Any{
			&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte(id.LinkPrefix() + "-")},
			&expr.Verdict{Kind: expr.VerdictAccept},
		}})
		require.NoError(t, conn.Flush())
		require.NotContains(t, strings.Join(networkWarnings(id), "\n"), "FORWARD", "the operator did what was said")
	})
}

func TestConnectionsToWhatHasGoneAreForgotten(t *testing.T) {
	match := connectionsOf{replica: netip.MustParsePrefix("10.1.2.0/26").Contains}
	flow := func(from, to, answers string) *netlink.ConntrackFlow {
		f := &netlink.ConntrackFlow{}
		f.Forward.SrcIP, f.Forward.DstIP = netip.MustParseAddr(from).AsSlice(), netip.MustParseAddr(to).AsSlice()
		f.Reverse.SrcIP = netip.MustParseAddr(answers).AsSlice()
		return f
	}
	require.True(t, match.MatchConntrackFlow(flow("192.0.2.1", "198.51.100.1", "10.1.2.3")), "led there")
	require.True(t, match.MatchConntrackFlow(flow("10.1.2.3", "198.51.100.1", "198.51.100.1")), "opened there")
	match.udp = true
	require.False(t, match.MatchConntrackFlow(flow("10.1.2.3", "198.51.100.1", "198.51.100.1")), "TCP goes on")
	match.udp = false
	require.False(t, match.MatchConntrackFlow(flow("10.1.2.64", "198.51.100.1", "10.1.2.65")))
}

func TestFreePortsAreFoundWhereverOneIs(t *testing.T) {
	ranges := []instance.PortRange{{First: 20000, Last: 20003}, {First: 20100, Last: 20101}}
	used := map[uint16]bool{20000: true, 20001: true, 20003: true, 20100: true}
	all := func(uint16) bool { return true }
	for lease := range runtime.LeaseID(20) {
		port, ok := freePort(ranges, lease, used, func(p uint16) bool { return p != 20002 })
		require.True(t, ok)
		require.EqualValues(t, 20101, port)
	}
	_, ok := freePort(ranges, 1<<63, used, all)
	require.True(t, ok)
	used[20002], used[20101] = true, true
	_, ok = freePort(ranges, 1, used, all)
	require.False(t, ok)
	_, ok = freePort(nil, 1, nil, all)
	require.False(t, ok)
}
