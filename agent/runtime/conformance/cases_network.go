package conformance

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/runtime"
)

// networkCases is how replicas reach and are reached.
var networkCases = []testCase{
	{name: "services of a lease find each other by name and nobody else does", run: serviceNames, need: "network"},
	{name: "published ports lead to the replicas in turn, by TCP and UDP, and stay", run: publishedPorts, need: "network"},
	{name: "a replica that is not well leaves its service's name and ports until it is", run: rotation, need: "network"},
	{name: "a replica reaches neither other leases nor the host", run: walls, need: "network"},
	{name: "traffic with the outside is counted", run: countedTraffic, need: "network"},
}

// twoServices is a group of a front end and a back end of two replicas.
func twoServices(lease runtime.LeaseID) runtime.Workload {
	w := Workload(lease, "hello:1")
	back := w.Services[0]
	back.Name, back.Hostname, back.Aliases, back.Replicas = "back", "engine", []string{"db", "Cache"}, 2
	w.Services[0].ExtraHosts = []runtime.HostAddress{{Name: "printer", Address: netip.MustParseAddr("203.0.113.9")}}
	w.Services = append(w.Services, back)
	return w
}

func serviceNames(t *testing.T, p pair) {
	for _, r := range p.each() {
		Push(t, r.Images(), alice, "hello", "1", Image(t, serving()))
	}
	apply(t, p.a, twoServices(1))
	apply(t, p.b, twoServices(1))
	apply(t, p.a, Workload(2, "hello:1", func(s *runtime.Service) { s.Name = "lonely" }))
	front := Running(t, p.a, 1)
	one, two := Replica(t, p.a, 1, 1, running), Replica(t, p.a, 1, 2, running)
	lonely := Running(t, p.a, 2)
	address := func(s runtime.ReplicaStatus) string { return s.Endpoints[0].Address.Addr().String() }
	both := []string{address(one), address(two)}
	slices.Sort(both)

	gateway := gatewayOf(front)
	for _, server := range []string{"", gateway + ":53"} { // by its hosts file, and by the resolver
		for _, network := range []string{"udp", "tcp"} {
			for name, want := range map[string]string{
				"back": strings.Join(both, " "), "db": strings.Join(both, " "), "cache": strings.Join(both, " "), "engine": strings.Join(both, " "),
				"BACK": strings.Join(both, " "), "back-0": address(one), "back-1": address(two), "web": address(front), "web-0": address(front),
			} {
				Eventually(t, name, func() error {
					code, text := Get(t, front, "/resolve", "name", name, "server", server, "network", network)
					if code != 200 || text != want {
						return fmt.Errorf("%d %q, want %q", code, text, want)
					}
					return nil
				})
			}
		}
	}
	code, text := Get(t, front, "/resolve", "name", "printer")
	require.Equal(t, 200, code, text)
	require.Equal(t, "203.0.113.9", text)
	for _, foreign := range []string{"lonely", "lonely-0", "nothing"} {
		code, text = Get(t, front, "/resolve", "name", foreign)
		require.Equal(t, 418, code, "%s: %s", foreign, text)
	}
	code, text = Get(t, lonely, "/resolve", "name", "back")
	require.Equal(t, 418, code, text)
	for what, server := range map[string]string{"another lease's resolver": gatewayOf(front), "another provider's": gatewayOf(Running(t, p.b, 1))} {
		code, text = Get(t, lonely, "/resolve", "name", "back", "server", server+":53")
		require.Equal(t, 418, code, "%s: %s", what, text)
	}
	_, text = Get(t, front, "/read", "path", "/etc/resolv.conf")
	require.True(t, strings.HasPrefix(text, "nameserver "+gateway+"\n"), text)

	// Whoever stops leaves the names, and comes back to them.
	gone := Workload(1, "hello:1")
	gone.Services, gone.Revision = twoServices(1).Services, revision(2)
	gone.Services[1].Replicas = 1
	apply(t, p.a, gone)
	updated := func(s runtime.ReplicaStatus) bool { return running(s) && s.Running == revision(2) }
	Eventually(t, "one left", func() error {
		status, err := p.a.Status(context.Background(), 1)
		if err != nil || len(status.Replicas) != 2 || !updated(status.Replicas[0]) || !updated(status.Replicas[1]) {
			return fmt.Errorf("%w %+v", err, status)
		}
		_, text := Get(t, status.Replicas[0], "/resolve", "name", "back", "server", gatewayOf(status.Replicas[0])+":53")
		_, hosts := Get(t, status.Replicas[0], "/read", "path", "/etc/hosts")
		if want := address(status.Replicas[1]); text != want || strings.Count(hosts, " db ") != 1 || !strings.Contains(hosts, want+"\t") {
			return fmt.Errorf("back is %q, want %q; hosts: %s", text, want, hosts)
		}
		return nil
	})
}

// gatewayOf is the host's address in the network of a replica, the first of it.
func gatewayOf(s runtime.ReplicaStatus) string {
	return netip.PrefixFrom(s.Endpoints[0].Address.Addr(), 26).Masked().Addr().Next().String()
}

func publishedPorts(t *testing.T, p pair) {
	for _, r := range p.each() {
		Push(t, r.Images(), alice, "hello", "1", Image(t, serving()))
	}
	publishing := func(lease runtime.LeaseID, replicas uint32) runtime.Workload {
		return Workload(lease, "hello:1", func(s *runtime.Service) {
			s.Replicas = replicas
			s.Ports = []runtime.Port{
				{Container: 8080, Protocol: "tcp", Name: "http", Published: true},
				{Container: 8080, Protocol: "udp", Published: true},
				{Container: 9999, Protocol: "tcp"},
			}
		})
	}
	apply(t, p.a, publishing(1, 2))
	apply(t, p.b, publishing(1, 1))
	before, err := p.a.Status(t.Context(), 1)
	require.NoError(t, err)
	require.Len(t, before.Published, 2, "chosen as soon as it is recorded")
	others, err := p.b.Status(t.Context(), 1)
	require.NoError(t, err)
	for _, port := range append(slices.Clone(before.Published), others.Published...) {
		require.Equal(t, "web", port.Service)
		require.NotZero(t, port.Host)
		require.Less(t, port.Host, uint16(32768))
	}
	require.NotEqual(t, before.Published[0].Host, others.Published[0].Host)
	tcp, udp := hostPort(t, before, "tcp"), hostPort(t, before, "udp")
	seen := func(at uint16) map[string]bool {
		answers := map[string]bool{}
		for range 8 {
			for _, ask := range []func(uint16) (string, error){askTCP, askUDP} {
				text, err := ask(at)
				if err == nil {
					answers[strings.Fields(text)[0]] = true
				}
			}
		}
		return answers
	}
	Eventually(t, "both replicas answer", func() error {
		for _, ask := range []func() (string, error){
			func() (string, error) { return askTCP(tcp) }, func() (string, error) { return askUDP(udp) },
		} {
			if _, err := ask(); err != nil {
				return err
			}
		}
		if n := len(seen(tcp)); n != 2 {
			return fmt.Errorf("%d answer", n)
		}
		return nil
	})

	// What is published stays over an end and an update, and follows the replicas.
	first := Running(t, p.a, 1)
	tell(t, first, "/exit?code=1")
	Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return running(s) && s.Restarts == 1 })
	second := publishing(1, 1)
	second.Revision = revision(2)
	apply(t, p.a, second)
	Eventually(t, "one replica answers", func() error {
		status, err := p.a.Status(t.Context(), 1)
		if err != nil {
			return err
		}
		if !slices.Equal(status.Published, before.Published) {
			return fmt.Errorf("published %v, before %v", status.Published, before.Published)
		}
		if len(status.Replicas) != 1 || !running(status.Replicas[0]) || status.Replicas[0].Running != revision(2) {
			return fmt.Errorf("%+v", status.Replicas)
		}
		want := status.Replicas[0].Endpoints[0].Address.Addr().String()
		if answers := seen(tcp); len(answers) != 1 || !answers[want] {
			return fmt.Errorf("%v answer, want %s", answers, want)
		}
		return nil
	})
	// Leases do not reach each other by way of the host's ports either.
	inside := Running(t, p.b, 1)
	for _, at := range hostAddresses(t) {
		code, text := Get(t, inside, "/dial", "network", "tcp", "address", netip.AddrPortFrom(at, tcp).String())
		require.Equal(t, 418, code, "%s: %s", at, text)
	}
	require.NoError(t, p.a.Remove(t.Context(), 1))
	Gone(t, p.a, 1)
	_, err = askTCP(tcp)
	require.Error(t, err)
	_, err = askUDP(udp)
	require.Error(t, err)
	_, err = askTCP(hostPort(t, others, "tcp"))
	require.NoError(t, err, "the neighbour's port leads on")
}

func rotation(t *testing.T, p pair) {
	Push(t, p.a.Images(), alice, "hello", "1", Image(t, serving()))
	w := Workload(1, "hello:1", func(s *runtime.Service) {
		s.Name, s.Replicas, s.HealthCheck = "back", 2, well("/tmp/well")
		s.Ports[0].Published = true
	})
	front := Workload(1, "hello:1").Services[0]
	front.Name = "front"
	w.Services = append(w.Services, front)
	apply(t, p.a, w)
	replicas := []runtime.ReplicaStatus{Running(t, p.a, 1), Replica(t, p.a, 1, 1, running)}
	asker := Replica(t, p.a, 1, 2, running)
	status, err := p.a.Status(t.Context(), 1)
	require.NoError(t, err)
	port := hostPort(t, status, "tcp")
	address := func(i int) string { return replicas[i].Endpoints[0].Address.Addr().String() }
	serving := func(want ...string) {
		t.Helper()
		slices.Sort(want)
		Eventually(t, strings.Join(want, " "), func() error {
			_, text := Get(t, asker, "/resolve", "name", "back", "server", gatewayOf(asker)+":53")
			if len(want) > 0 && text != strings.Join(want, " ") {
				return fmt.Errorf("the name leads to %q", text)
			}
			answers := map[string]bool{}
			for range 6 {
				if text, err := askTCP(port); err == nil {
					answers[strings.Fields(text)[0]] = true
				}
			}
			if got := slices.Sorted(maps.Keys(answers)); !slices.Equal(got, want) {
				return fmt.Errorf("the port leads to %v", got)
			}
			return nil
		})
	}
	serving()
	Get(t, replicas[0], "/write", "path", "/tmp/well", "mib", "0")
	serving(address(0))
	Get(t, replicas[1], "/write", "path", "/tmp/well", "mib", "0")
	serving(address(0), address(1))
	Get(t, replicas[0], "/remove", "path", "/tmp/well")
	serving(address(1))
	code, text := Get(t, asker, "/resolve", "name", "back-0", "server", gatewayOf(asker)+":53")
	require.Equal(t, 200, code, text)
	require.Equal(t, address(0), text, "a replica has its own name while it runs")
}

func hostPort(t testing.TB, s runtime.WorkloadStatus, protocol string) uint16 {
	t.Helper()
	for _, p := range s.Published {
		if p.Protocol == protocol {
			return p.Host
		}
	}
	t.Fatalf("no %s port: %v", protocol, s.Published)
	return 0
}

// patience of one question: hosts of tests are busy.
const patience = 5 * time.Second

func askTCP(port uint16) (string, error) {
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/where", port))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func askUDP(port uint16) (string, error) {
	c, err := net.Dial("udp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	if _, err := c.Write([]byte("hello")); err != nil {
		return "", err
	}
	b := make([]byte, 2048)
	n, err := c.Read(b)
	return string(b[:n]), err
}

// hostAddresses are all that the host has, of both families.
func hostAddresses(t testing.TB) []netip.Addr {
	t.Helper()
	list, err := net.InterfaceAddrs()
	require.NoError(t, err)
	var found []netip.Addr
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok {
			ip, _ := netip.AddrFromSlice(n.IP)
			found = append(found, ip.Unmap())
		}
	}
	require.NotEmpty(t, found)
	return found
}

// walls tries every way from one lease to others and to the host, by TCP and UDP, IPv4 and IPv6.
func walls(t *testing.T, p pair) {
	for _, r := range p.each() {
		Push(t, r.Images(), alice, "hello", "1", Image(t, serving()))
		Push(t, r.Images(), bob, "hello", "1", Image(t, serving()))
	}
	apply(t, p.a, Workload(1, "hello:1", func(s *runtime.Service) { s.Replicas = 2 }))
	other := Workload(2, "hello:1")
	other.Owner = bob
	apply(t, p.a, other)
	apply(t, p.b, Workload(1, "hello:1"))
	inside := Running(t, p.a, 1)
	Get(t, inside, "/")

	own := Replica(t, p.a, 1, 1, running).Endpoints[0].Address.String()
	Eventually(t, "own replica", func() error {
		if code, text := Get(t, inside, "/packet", "network", "udp4", "address", own); code != 200 {
			return fmt.Errorf("within a lease all is open: %s", text)
		}
		return nil
	})
	for what, s := range map[string]runtime.ReplicaStatus{"another tenant": Running(t, p.a, 2), "another provider's": Running(t, p.b, 1)} {
		Get(t, s, "/") // it does serve
		at := s.Endpoints[0].Address
		refused(t, inside, what, at)
		refused(t, inside, what+"'s gateway", netip.AddrPortFrom(netip.MustParseAddr(gatewayOf(s)), at.Port()))
	}
	listener, err := net.Listen("tcp", ":0") // of both families
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go greet(listener)
	packets, err := net.ListenPacket("udp", ":0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = packets.Close() })
	go echoPackets(packets)
	tcp, udp := listener.Addr().(*net.TCPAddr).AddrPort().Port(), packets.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	var all sync.WaitGroup // most of these are timeouts
	for _, at := range append(hostAddresses(t), netip.MustParseAddr(gatewayOf(inside)), netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("::")) {
		for path, address := range map[string]netip.AddrPort{"/dial": netip.AddrPortFrom(at, tcp), "/packet": netip.AddrPortFrom(at, udp)} {
			all.Go(func() {
				network := map[string]string{"/dial": "tcp", "/packet": "udp"}[path]
				code, text, err := fetch(fmt.Sprintf("http://%s%s?network=%s&address=%s", inside.Endpoints[0].Address, path, network, url.QueryEscape(address.String())))
				if err != nil || code != http.StatusTeapot {
					t.Errorf("the host at %s by %s: %d %s %v", at, network, code, text, err)
				}
			})
		}
	}
	all.Wait()
}

func refused(t testing.TB, from runtime.ReplicaStatus, what string, at netip.AddrPort) {
	t.Helper()
	code, text := Get(t, from, "/dial", "network", "tcp", "address", at.String())
	require.Equal(t, 418, code, "%s (%s) by TCP: %s", what, at, text)
	code, text = Get(t, from, "/packet", "network", "udp", "address", at.String())
	require.Equal(t, 418, code, "%s (%s) by UDP: %s", what, at, text)
}

func greet(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = fmt.Fprintln(c, "reached")
		_ = c.Close()
	}
}

func echoPackets(c net.PacketConn) {
	b := make([]byte, 2048)
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			return
		}
		_, _ = c.WriteTo(b[:n], from)
	}
}

func countedTraffic(t *testing.T, p pair) {
	sample := sampler(t, p.a)
	Push(t, p.a.Images(), alice, "hello", "1", Image(t, serving()))
	apply(t, p.a, Workload(1, "hello:1"))
	s := Running(t, p.a, 1)
	Get(t, s, "/write", "path", "/tmp/data", "mib", "2")
	before := sample(1).Total
	_, text := Get(t, s, "/read", "path", "/tmp/data")
	require.Len(t, text, 2<<20)
	after := sample(1).Total
	sent, got := after.EgressBytes-before.EgressBytes, after.IngressBytes-before.IngressBytes
	require.Greater(t, sent, uint64(2<<20))
	require.Less(t, sent, uint64(2<<20+2<<17), "headers are few")
	require.Greater(t, got, uint64(100))
	require.Less(t, got, sent/4)

	tell(t, s, "/exit?code=1")
	Get(t, Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return running(s) && s.Restarts == 1 }), "/")
	again := sample(1).Total
	require.GreaterOrEqual(t, again.EgressBytes, after.EgressBytes, "over a restart")
	require.GreaterOrEqual(t, again.IngressBytes, after.IngressBytes)
}
