package containerd_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
	"github.com/souk-network/souk/agent/runtime/conformance"
	"github.com/souk-network/souk/agent/runtime/containerd"
)

// publishing is a workload that publishes its port by TCP and UDP.
func publishing(lease runtime.LeaseID, replicas uint32) runtime.Workload {
	return conformance.Workload(lease, "hello:1", func(s *runtime.Service) {
		s.Replicas = replicas
		s.Ports = []runtime.Port{
			{Container: 8080, Protocol: "tcp", Published: true}, {Container: 8080, Protocol: "udp", Published: true},
		}
	})
}

func statusOf(t testing.TB, r runtime.Runtime, lease runtime.LeaseID) runtime.WorkloadStatus {
	t.Helper()
	s, err := r.Status(context.Background(), lease)
	require.NoError(t, err)
	return s
}

func publishedAt(t testing.TB, r runtime.Runtime, lease runtime.LeaseID, protocol string) uint16 {
	t.Helper()
	for _, p := range statusOf(t, r, lease).Published {
		if p.Protocol == protocol {
			return p.Host
		}
	}
	t.Fatalf("lease %d publishes nothing by %s", lease, protocol)
	return 0
}

func at(host string, port uint16) string {
	return netip.AddrPortFrom(netip.MustParseAddr(host), port).String()
}

// askFrom asks an address over HTTP from one of this namespace's, "" for any, who it is.
func askFrom(from, to string) (string, error) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	if from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	c, err := dialer.Dial("tcp", to)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(c, "GET /where HTTP/1.0\r\n\r\n"); err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b := make([]byte, 256)
	n, err := resp.Body.Read(b)
	if n > 0 {
		err = nil
	}
	return string(b[:n]), err
}

// exchange sends a packet on a socket and waits shortly for what comes back.
func exchange(c net.Conn) (string, error) {
	if err := c.SetDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
		return "", err
	}
	if _, err := c.Write([]byte("hello")); err != nil {
		return "", err
	}
	b := make([]byte, 2048)
	n, err := c.Read(b)
	return string(b[:n]), err
}

func TestPublishedPortsAreOpenToTheWorldAndNothingElseIs(t *testing.T) {
	needRoot(t)
	world := makeInternet(t)
	_, c := seeded(t)
	r := open(t, c)
	require.NoError(t, r.Apply(t.Context(), publishing(1, 2)))
	first := conformance.Running(t, r, 1)
	second := conformance.Replica(t, r, 1, 1, func(s runtime.ReplicaStatus) bool { return s.Phase == runtime.PhaseRunning })
	conformance.Get(t, second, "/")
	tcp, udp := publishedAt(t, r, 1, "tcp"), publishedAt(t, r, 1, "udp")

	from := func(source, to string) (text string, err error) {
		world.do(t, func() { text, err = askFrom(source, to) })
		return text, err
	}
	for _, source := range []string{publicThere, privateThere} {
		seen := map[string]bool{}
		for range 4 {
			text, err := from(source, at(publicHere, tcp))
			require.NoError(t, err)
			who, asker, _ := strings.Cut(text, " asked by ")
			require.True(t, strings.HasPrefix(asker, source+":"), "the replica sees who asks: %s", text)
			seen[who] = true
		}
		require.Len(t, seen, 2, "in turn")
	}

	// A sender of packets that goes on from one port is led on when its replica goes.
	var packets net.Conn
	world.do(t, func() {
		var err error
		packets, err = net.Dial("udp4", at(publicHere, udp))
		require.NoError(t, err)
	})
	t.Cleanup(func() { _ = packets.Close() })
	var text string
	conformance.Eventually(t, "an answer", func() (err error) {
		text, err = exchange(packets)
		return err
	})
	who := strings.Fields(text)[0]
	again, err := exchange(packets)
	require.NoError(t, err)
	require.Equal(t, text, again, "a connection stays with its replica")
	gone := first
	if second.Endpoints[0].Address.Addr().String() == who {
		gone = second
	}
	tell(gone, "/exit?code=1")
	conformance.Eventually(t, "the other replica answers", func() error {
		text, err := exchange(packets)
		if err == nil && strings.Fields(text)[0] == who && gone.Restarts == 0 {
			status := statusOf(t, r, 1)
			if slices.ContainsFunc(status.Replicas, func(s runtime.ReplicaStatus) bool { return s.Restarts > 0 }) {
				return nil // it came back as quickly
			}
			return fmt.Errorf("still %s", text)
		}
		return err
	})

	// Nothing else of a replica or of its bridge is open, even to those who know the way.
	world.do(t, func() {
		link, err := netlink.LinkByName("souktest-there")
		require.NoError(t, err)
		_, pool, err := net.ParseCIDR("10.0.0.0/8")
		require.NoError(t, err)
		require.NoError(t, netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: pool, Gw: net.ParseIP(publicHere)}))
	})
	inside := conformance.Running(t, r, 1).Endpoints[0].Address
	_, err = from("", inside.String())
	require.Error(t, err, "a replica itself")
	gateway := netip.PrefixFrom(inside.Addr(), 26).Masked().Addr().Next()
	world.do(t, func() {
		c, err := net.Dial("udp4", netip.AddrPortFrom(gateway, 53).String())
		require.NoError(t, err)
		defer c.Close()
		_, err = exchange(c)
		require.Error(t, err, "the lease's resolver")
	})
	require.NoError(t, r.Remove(t.Context(), 1))
	conformance.Gone(t, r, 1)
	_, err = from("", at(publicHere, tcp))
	require.Error(t, err)
	_, err = exchange(packets)
	require.Error(t, err)
}

// traffic is what a lease sent and got so far.
func traffic(t testing.TB, r *containerd.Runtime, lease runtime.LeaseID) (egress, ingress uint64) {
	t.Helper()
	s, err := r.Usage(context.Background(), lease)
	require.NoError(t, err)
	return s.Total.EgressBytes, s.Total.IngressBytes
}

// requireNetwork waits until a published port answers from the host and the replica reaches the Internet.
func requireNetwork(t testing.TB, r *containerd.Runtime, lease runtime.LeaseID) {
	t.Helper()
	conformance.Eventually(t, "the network", func() error {
		if _, err := askFrom("", at("127.0.0.1", publishedAt(t, r, lease, "tcp"))); err != nil {
			return err
		}
		s := statusOf(t, r, lease).Replicas[0]
		if len(s.Endpoints) == 0 {
			return fmt.Errorf("it does not run: %+v", s)
		}
		code, text := conformance.Get(t, s, "/dial", "network", "tcp", "address", publicThere+":80")
		if code != 200 {
			return fmt.Errorf("outwards: %s", text)
		}
		code, text = conformance.Get(t, s, "/resolve", "name", "web", "server", netip.PrefixFrom(s.Endpoints[0].Address.Addr(), 26).Masked().Addr().Next().String()+":53")
		if code != 200 {
			return fmt.Errorf("names: %s", text)
		}
		return nil
	})
}

func TestRulesThatOthersRemoveComeBack(t *testing.T) {
	needRoot(t)
	makeInternet(t)
	_, c := seeded(t)
	r := open(t, c)
	require.NoError(t, r.Apply(t.Context(), publishing(1, 1)))
	requireNetwork(t, r, 1)
	s := conformance.Running(t, r, 1)
	conformance.Get(t, s, "/write", "path", "/tmp/data", "mib", "1")
	conformance.Get(t, s, "/read", "path", "/tmp/data")
	before, _ := traffic(t, r, 1)
	require.Greater(t, before, uint64(1<<20))

	conn, err := nftables.New()
	require.NoError(t, err)
	table := &nftables.Table{Family: nftables.TableFamilyINet, Name: r.Instance().TableName()}
	for name, damage := range map[string]func(){
		"the table":    func() { conn.DelTable(table) },
		"all rules":    func() { conn.FlushTable(table) },
		"one chain's":  func() { conn.FlushChain(&nftables.Chain{Name: "forward", Table: table}) },
		"one address":  func() { conn.FlushSet(&nftables.Set{Name: "assigned", Table: table}) },
		"what counted": func() { conn.FlushSet(&nftables.Set{Name: "egress", Table: table}) },
	} {
		damage()
		require.NoError(t, conn.Flush(), name)
		conformance.Eventually(t, name, func() error {
			rules, err := conn.GetRules(table, &nftables.Chain{Name: "forward", Table: table})
			if err != nil || len(rules) == 0 {
				return fmt.Errorf("%d rules, %w", len(rules), err)
			}
			set, err := conn.GetSetElements(&nftables.Set{Name: "assigned", Table: table})
			if err != nil || len(set) != 1 {
				return fmt.Errorf("%d addresses, %w", len(set), err)
			}
			counted, err := conn.GetSetElements(&nftables.Set{Name: "egress", Table: table})
			if err != nil || len(counted) != 1 {
				return fmt.Errorf("%d counted, %w", len(counted), err)
			}
			return nil
		})
		requireNetwork(t, r, 1)
		now, _ := traffic(t, r, 1)
		require.GreaterOrEqual(t, now, before, name)
		before = now
	}
}

func TestTheNetworkOutlivesTheAgentAndTheHost(t *testing.T) {
	needRoot(t)
	makeInternet(t)
	state, c := seeded(t)
	r, err := containerd.New(t.Context(), c)
	require.NoError(t, err)
	require.NoError(t, r.Apply(t.Context(), publishing(1, 1)))
	requireNetwork(t, r, 1)
	s := conformance.Running(t, r, 1)
	published := statusOf(t, r, 1).Published
	sent, got := traffic(t, r, 1)
	require.NoError(t, r.Close())

	// Without an agent the ports lead on, and names are known.
	_, err = askFrom("", at("127.0.0.1", published[0].Host))
	require.NoError(t, err)
	code, text := conformance.Get(t, s, "/resolve", "name", "web")
	require.Equal(t, 200, code, text)
	code, text = conformance.Get(t, s, "/dial", "network", "tcp", "address", publicThere+":80")
	require.Equal(t, 200, code, text)

	r, err = containerd.New(t.Context(), c)
	require.NoError(t, err)
	requireNetwork(t, r, 1)
	require.Equal(t, published, statusOf(t, r, 1).Published)
	sentNow, gotNow := traffic(t, r, 1)
	require.Greater(t, sentNow, sent, "counted while no agent ran, too")
	require.Greater(t, gotNow, got)

	require.NoError(t, r.Close())
	id := instance.IDOf(c.ChainID, c.Provider, state)
	require.NoError(t, instance.Clear(t.Context(), id))
	_, err = askFrom("", at("127.0.0.1", published[0].Host))
	require.Error(t, err)
	r = open(t, c)
	requireNetwork(t, r, 1)
	require.Equal(t, published, statusOf(t, r, 1).Published, "the same ports after a restart of the machine")
}

// An agent that is killed while it disconnects a replica, as for an update, has removed its link, and not what says that it was
// connected.
func TestAReplicaThatWasHalfDisconnectedIsConnectedAnew(t *testing.T) {
	needRoot(t)
	state, c := seeded(t)
	r, err := containerd.New(t.Context(), c)
	require.NoError(t, err)
	require.NoError(t, r.Apply(t.Context(), conformance.Workload(1, "hello:1")))
	conformance.Running(t, r, 1)
	kept, err := os.ReadDir(r.Instance().NetnsDir())
	require.NoError(t, err)
	require.Len(t, kept, 1)
	within(t, namespaceOf(t, r, kept[0].Name()), func() {
		link, err := netlink.LinkByName("eth0")
		require.NoError(t, err)
		require.NoError(t, netlink.LinkDel(link))
	})
	require.NoError(t, r.Close())
	require.NoError(t, instance.KillCgroup(t.Context(), instance.IDOf(c.ChainID, c.Provider, state), "1/"+kept[0].Name()))

	r = open(t, c)
	s := conformance.Replica(t, r, 1, 0, func(s runtime.ReplicaStatus) bool { return s.Phase == runtime.PhaseRunning && s.Restarts > 0 })
	code, text := conformance.Get(t, s, "/")
	require.Equal(t, 200, code, text)
}

func TestPortsThatTheHostUsesAreNotPublished(t *testing.T) {
	needRoot(t)
	c := config(t, "souk1one", stateDir(t))
	c.PublishedPorts = instance.PortRange{First: 19310, Last: 19313}
	r := open(t, c)
	for _, port := range []string{":19310", ":19312"} {
		l, err := net.Listen("tcp", port)
		require.NoError(t, err)
		t.Cleanup(func() { _ = l.Close() })
	}
	require.NoError(t, r.Apply(t.Context(), publishing(1, 1)))
	require.NoError(t, r.Apply(t.Context(), publishing(2, 1)))
	used := map[uint16]bool{}
	for lease := range runtime.LeaseID(2) {
		list := statusOf(t, r, lease+1).Published
		require.Len(t, list, 2)
		require.Equal(t, list[0].Host, list[1].Host, "one number for both protocols of a port")
		used[list[0].Host] = true
	}
	require.Equal(t, map[uint16]bool{19311: true, 19313: true}, used)
	err := r.Apply(t.Context(), publishing(3, 1))
	require.ErrorIs(t, err, instance.ErrNoPorts)
	require.Equal(t, runtime.ClassProvider, runtime.ClassOf(err))
	require.ErrorContains(t, err, "larger range")

	wrong := config(t, "souk1two", stateDir(t))
	for _, bad := range []instance.PortRange{{First: 80, Last: 90}, {First: 30000, Last: 40000}, {First: 20010, Last: 20000}} {
		wrong.PublishedPorts = bad
		_, err := containerd.New(t.Context(), wrong)
		require.ErrorContains(t, err, "published ports")
	}
	other := config(t, "souk1two", stateDir(t))
	other.PublishedPorts = c.PublishedPorts
	err = open(t, other).Apply(t.Context(), publishing(1, 1))
	require.ErrorIs(t, err, instance.ErrNoPorts, "two agents never give the same port")
	many := conformance.Workload(4, "hello:1", func(s *runtime.Service) {
		s.Ports = nil
		for i := range uint16(33) {
			s.Ports = append(s.Ports, runtime.Port{Container: 1000 + i, Protocol: "tcp", Published: true})
		}
	})
	require.ErrorIs(t, r.Apply(t.Context(), many), runtime.ErrInvalid)
}

func TestConnectionsOfALeaseAreBounded(t *testing.T) {
	needRoot(t)
	world := makeInternet(t)
	world.do(t, func() {
		l, err := net.Listen("tcp4", ":81")
		require.NoError(t, err)
		t.Cleanup(func() { _ = l.Close() })
		go keepOpen(l)
		packets, err := net.ListenPacket("udp4", ":81")
		require.NoError(t, err)
		t.Cleanup(func() { _ = packets.Close() })
		go answerAll(packets)
	})
	for name, limits := range map[string]containerd.ConnectionLimits{
		"new": {NewPerSecond: 10, NewBurst: 20}, "open at once": {Open: 25},
	} {
		t.Run(name, func(t *testing.T) {
			_, c := seeded(t)
			c.Connections = limits
			r := open(t, c)
			require.NoError(t, r.Apply(t.Context(), publishing(1, 1)))
			require.NoError(t, r.Apply(t.Context(), publishing(2, 1)))
			requireNetwork(t, r, 2)
			_, text := conformance.Get(t, conformance.Running(t, r, 1), "/connect", "n", "120", "address", publicThere+":81")
			got, err := strconv.Atoi(text)
			require.NoError(t, err)
			t.Logf("%d of 120 connections", got)
			require.Greater(t, got, 10)
			require.Less(t, got, 70)
			requireNetwork(t, r, 2) // its neighbour has its own
			_, text = conformance.Get(t, conformance.Running(t, r, 1), "/connect", "network", "udp", "n", "120", "address", publicThere+":81")
			got, err = strconv.Atoi(text)
			require.NoError(t, err)
			t.Logf("%d of 120 exchanges of packets", got)
			require.Less(t, got, 70, "flows without connections are entries of the host's table, too")
			_, text = conformance.Get(t, conformance.Running(t, r, 2), "/connect", "network", "udp", "n", "5", "address", publicThere+":81")
			require.Equal(t, "5", text, "the neighbour's packets pass")
			var open []net.Conn
			world.do(t, func() {
				for range 60 {
					c, err := net.DialTimeout("tcp", at(publicHere, publishedAt(t, r, 1, "tcp")), 50*time.Millisecond)
					if err == nil {
						open = append(open, c)
					}
				}
			})
			for _, c := range open {
				_ = c.Close()
			}
			t.Logf("%d of 60 connections from outside", len(open))
			require.Less(t, len(open), 58)
		})
	}
}

// keepOpen accepts and does nothing more, until the listener closes.
func keepOpen(l net.Listener) {
	var all []net.Conn
	defer func() {
		for _, c := range all {
			_ = c.Close()
		}
	}()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		all = append(all, c)
	}
}

// answerAll sends every packet back, until the socket closes.
func answerAll(c net.PacketConn) {
	b := make([]byte, 2048)
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			return
		}
		_, _ = c.WriteTo(b[:n], from)
	}
}

func TestWhatTheOperatorDeniesIsClosed(t *testing.T) {
	needRoot(t)
	makeInternet(t)
	_, c := seeded(t)
	c.Deny = []netip.Prefix{netip.MustParsePrefix(publicDenied + "/32"), netip.MustParsePrefix("11.22.33.128/25"), netip.MustParsePrefix("10.1.0.0/16")}
	r := open(t, c)
	require.NoError(t, r.Apply(t.Context(), publishing(1, 1)))
	requireNetwork(t, r, 1)
	s := conformance.Running(t, r, 1)
	code, text := conformance.Get(t, s, "/dial", "network", "tcp", "address", publicDenied+":80")
	require.Equal(t, 418, code, text)
}

func TestForgedAddressesAndMulticastDoNotPass(t *testing.T) {
	needRoot(t)
	world := makeInternet(t)
	_, c := seeded(t)
	r := open(t, c)
	require.NoError(t, r.Apply(t.Context(), publishing(1, 1)))
	requireNetwork(t, r, 1)
	s := conformance.Running(t, r, 1)
	own := s.Endpoints[0].Address.Addr()
	var arrived net.PacketConn
	world.do(t, func() {
		var err error
		arrived, err = net.ListenPacket("udp4", ":82")
		require.NoError(t, err)
	})
	t.Cleanup(func() { _ = arrived.Close() })
	inside := namespaceOf(t, r, "l1-s0-r0")
	for _, source := range []netip.Addr{own.Next().Next(), netip.MustParseAddr("8.8.8.8"), own} {
		within(t, inside, func() { // with powers that no workload has
			if source != own {
				address(t, "eth0", source.String()+"/32")
			}
			c, err := net.DialUDP("udp4", &net.UDPAddr{IP: source.AsSlice()}, &net.UDPAddr{IP: net.ParseIP(publicThere), Port: 82})
			require.NoError(t, err)
			_, err = c.Write([]byte("hello"))
			require.NoError(t, err)
			require.NoError(t, c.Close())
		})
	}
	b := make([]byte, 100)
	require.NoError(t, arrived.SetDeadline(time.Now().Add(5*time.Second)))
	_, _, err := arrived.ReadFrom(b)
	require.NoError(t, err, "from its own address it passes")
	require.NoError(t, arrived.SetDeadline(time.Now().Add(200*time.Millisecond)))
	_, _, err = arrived.ReadFrom(b)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded, "and from no other")

	bridge, err := net.InterfaceByName(r.Instance().BridgeName(0))
	require.NoError(t, err)
	group := &net.UDPAddr{IP: net.IPv4(239, 9, 8, 7), Port: 19399}
	listener, err := net.ListenMulticastUDP("udp4", bridge, group)
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	conformance.Get(t, s, "/packet", "network", "udp4", "address", group.String())
	require.NoError(t, listener.SetDeadline(time.Now().Add(200*time.Millisecond)))
	_, _, err = listener.ReadFrom(b)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded, "multicast")
}

// namespaceOf is the network namespace of a container.
func namespaceOf(t testing.TB, r *containerd.Runtime, container string) netns.NsHandle {
	t.Helper()
	ns, err := netns.GetFromPath(filepath.Join(r.Instance().NetnsDir(), container))
	require.NoError(t, err)
	t.Cleanup(func() { _ = ns.Close() })
	return ns
}

func TestIPv6IsRefusedEvenWhereSomebodyTurnsItOn(t *testing.T) {
	needRoot(t)
	_, c := seeded(t)
	r := open(t, c)
	require.NoError(t, r.Apply(t.Context(), conformance.Workload(1, "hello:1")))
	require.NoError(t, r.Apply(t.Context(), conformance.Workload(2, "hello:1")))
	for lease := range runtime.LeaseID(2) {
		s := conformance.Running(t, r, lease+1)
		code, text := conformance.Get(t, s, "/read", "path", "/proc/net/if_inet6")
		require.Equal(t, 200, code, text)
		require.Empty(t, text)
		code, text = conformance.Get(t, s, "/dial", "network", "tcp6", "address", "[::1]:8080")
		require.Equal(t, 418, code, text)
	}
	// As if a workload could change its links, and the operator had given the bridge an address.
	turnOn := func(link, own string) {
		for _, which := range []string{"all", "default", link} {
			require.NoError(t, os.WriteFile("/proc/sys/net/ipv6/conf/"+which+"/disable_ipv6", []byte("0"), 0o600))
		}
		require.NoError(t, os.WriteFile("/proc/sys/net/ipv6/conf/"+link+"/accept_dad", []byte("0"), 0o600))
		address(t, link, own)
	}
	one, two := namespaceOf(t, r, "l1-s0-r0"), namespaceOf(t, r, "l2-s0-r0")
	require.NoError(t, os.WriteFile("/proc/sys/net/ipv6/conf/"+r.Instance().BridgeName(0)+"/disable_ipv6", []byte("0"), 0o600))
	require.NoError(t, os.WriteFile("/proc/sys/net/ipv6/conf/"+r.Instance().BridgeName(0)+"/accept_dad", []byte("0"), 0o600))
	address(t, r.Instance().BridgeName(0), "fd11:22:33::1/64")
	within(t, one, func() { turnOn("eth0", "fd11:22:33::2/64") })
	within(t, two, func() { turnOn("eth0", "fd11:22:33::3/64") })
	dial := func(ns netns.NsHandle, to string) (err error) {
		within(t, ns, func() {
			var c net.Conn
			if c, err = net.DialTimeout("tcp6", to, 700*time.Millisecond); err == nil {
				_ = c.Close()
			}
		})
		return err
	}
	here, err := net.Listen("tcp6", ":0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = here.Close() })
	go keepOpen(here)
	host := fmt.Sprintf("[fd11:22:33::1]:%d", here.Addr().(*net.TCPAddr).Port)
	own, err := net.DialTimeout("tcp6", here.Addr().String(), time.Second)
	require.NoError(t, err, "the host does listen")
	require.NoError(t, own.Close())
	require.Error(t, dial(one, host), "from a lease to the host")
	require.Error(t, dial(two, host))
	require.Error(t, dial(two, "[fd11:22:33::2]:8080"), "from a lease to another")
	home, err := netns.Get()
	require.NoError(t, err)
	t.Cleanup(func() { _ = home.Close() })
	require.Error(t, dial(home, "[fd11:22:33::2]:8080"), "from the host to a lease")
	require.NotZero(t, dropped(t, r, "arriving", 0), "the rule did it")
	require.NotZero(t, dropped(t, r, "output", 0))
}

// dropped is how many packets a rule of a chain has counted.
func dropped(t testing.TB, r *containerd.Runtime, chain string, rule int) uint64 {
	t.Helper()
	conn, err := nftables.New()
	require.NoError(t, err)
	table := &nftables.Table{Family: nftables.TableFamilyINet, Name: r.Instance().TableName()}
	rules, err := conn.GetRules(table, &nftables.Chain{Name: chain, Table: table})
	require.NoError(t, err)
	for _, e := range rules[rule].Exprs {
		if c, ok := e.(*expr.Counter); ok {
			return c.Packets
		}
	}
	t.Fatalf("rule %d of %s counts nothing", rule, chain)
	return 0
}
