package containerd_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/runtime/conformance"
)

// Addresses beyond the host, served in a namespace of their own.
const (
	publicHere   = "11.22.33.1" // the host's own public address
	publicThere  = "11.22.33.2"
	publicDenied = "11.22.33.3" // by some operators
	privateThere = "192.168.177.2"
	sharedThere  = "100.64.99.2"
	metadata     = "169.254.169.254"
)

// makeInternet connects a namespace to the host by a pair of links and serves on its addresses: every connection gets a
// line with the address that it came from.
func makeInternet(t testing.TB) internet {
	t.Helper()
	onlyHere(t)
	away := newNamespace(t)
	t.Cleanup(func() { _ = away.Close() })

	here, there := "souktest-here", "souktest-there"
	pair := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: here}, PeerName: there}
	require.NoError(t, netlink.LinkAdd(pair))
	t.Cleanup(func() { _ = netlink.LinkDel(pair) })
	peer, err := netlink.LinkByName(there)
	require.NoError(t, err)
	require.NoError(t, netlink.LinkSetNsFd(peer, int(away)))
	address(t, here, publicHere+"/24")
	hostLink, err := netlink.LinkByName(here)
	require.NoError(t, err)
	for _, to := range []string{privateThere, sharedThere, metadata} {
		_, destination, err := net.ParseCIDR(to + "/32")
		require.NoError(t, err)
		require.NoError(t, netlink.RouteAdd(&netlink.Route{LinkIndex: hostLink.Attrs().Index, Dst: destination, Gw: net.ParseIP(publicThere)}))
	}

	outside := internet{away}
	outside.do(t, func() {
		address(t, there, publicThere+"/24", publicDenied+"/24", privateThere+"/32", sharedThere+"/32", metadata+"/32")
		for _, port := range []string{":80", ":25"} {
			echo(t, port)
		}
	})
	return outside
}

// onlyHere waits until no other test of the host has an internet of these names and addresses.
func onlyHere(t testing.TB) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(os.TempDir(), "souk-test-internet.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	require.NoError(t, unix.Flock(int(f.Fd()), unix.LOCK_EX))
	if left, err := netlink.LinkByName("souktest-here"); err == nil { // of a test that was killed
		require.NoError(t, netlink.LinkDel(left))
	}
}

// newNamespace makes a network namespace.
func newNamespace(t testing.TB) netns.NsHandle {
	t.Helper()
	var ns netns.NsHandle
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		goruntime.LockOSThread() // never unlocked: the thread ends with the goroutine
		ns, err = netns.New()
	}()
	<-done
	require.NoError(t, err)
	return ns
}

// internet is the namespace that stands for it.
type internet struct{ netns.NsHandle }

// do runs something there. Sockets that it makes stay there.
func (i internet) do(t testing.TB, there func()) { within(t, i.NsHandle, there) }

// within runs something in a network namespace.
func within(t testing.TB, ns netns.NsHandle, there func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		goruntime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := netns.Set(ns)
		if err == nil {
			there()
		}
		done <- err
	}()
	require.NoError(t, <-done)
}

func address(t testing.TB, link string, addresses ...string) {
	t.Helper()
	l, err := netlink.LinkByName(link)
	require.NoError(t, err)
	for _, a := range addresses {
		parsed, err := netlink.ParseAddr(a)
		require.NoError(t, err)
		if parsed.IP.To4() == nil {
			parsed.Flags |= unix.IFA_F_NODAD // at once
		}
		require.NoError(t, netlink.AddrAdd(l, parsed))
	}
	require.NoError(t, netlink.LinkSetUp(l))
}

// echo tells every client its address. The listener stays in the namespace in which it was made.
func echo(t testing.TB, at string) string {
	t.Helper()
	listener, err := net.Listen("tcp4", at)
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = fmt.Fprintln(c, c.RemoteAddr())
			_ = c.Close()
		}
	}()
	return listener.Addr().String()
}

func TestAWorkloadReachesThePublicInternetAndNothingElse(t *testing.T) {
	needRoot(t)
	makeInternet(t)
	_, c := seeded(t)
	r := open(t, c)
	require.NoError(t, r.Apply(t.Context(), conformance.Workload(1, "hello:1")))
	s := conformance.Running(t, r, 1)
	dial := func(network, address string) (bool, string) {
		code, text := conformance.Get(t, s, "/dial", "network", network, "address", address)
		return code == 200, text
	}

	// The servers do answer: the host reaches all of them.
	for _, a := range []string{publicThere, privateThere, sharedThere, metadata} {
		conn, err := net.DialTimeout("tcp", a+":80", 5*time.Second)
		require.NoError(t, err, a)
		_, err = bufio.NewReader(conn).ReadString('\n')
		require.NoError(t, err)
		require.NoError(t, conn.Close())
	}
	ok, from := dial("tcp", publicThere+":80")
	require.True(t, ok, from)
	require.True(t, strings.HasPrefix(from, publicHere+":"), "translated to the host's address: %s", from)

	gateway := netip.MustParsePrefix(s.Endpoints[0].Address.Addr().String() + "/26").Masked().Addr().Next()
	for name, at := range map[string]string{
		"mail":                    publicThere + ":25",
		"a private network":       privateThere + ":80",
		"shared address space":    sharedThere + ":80",
		"cloud metadata":          metadata + ":80",
		"the bridge's address":    echo(t, gateway.String()+":0"),
		"the host's other":        echo(t, publicHere+":0"),
		"all the host's":          fmt.Sprintf("%s:%s", publicHere, portOf(t, echo(t, "0.0.0.0:0"))),
		"the host's loopback":     echo(t, "127.0.0.1:0"),
		"the host's by IPv6":      "[fe80::1%eth0]:80",
		"the public IPv6 network": "[2606:4700::1111]:80",
	} {
		reached, text := dial("tcp", at)
		require.False(t, reached, "%s (%s): %s", name, at, text)
	}
	_, six := conformance.Get(t, s, "/read", "path", "/proc/net/if_inet6")
	require.Empty(t, six, "no IPv6 at all")
}

func portOf(t testing.TB, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	return port
}

func TestEgressIsLimited(t *testing.T) {
	needRoot(t)
	_, c := seeded(t)
	r := open(t, c)
	for lease, mbps := range map[runtime.LeaseID]uint64{1: 8, 2: 0} {
		require.NoError(t, r.Apply(context.Background(), conformance.Workload(lease, "hello:1", func(s *runtime.Service) { s.Resources.EgressMbps = mbps })))
	}
	took := map[runtime.LeaseID]time.Duration{}
	for lease := range runtime.LeaseID(2) {
		s := conformance.Running(t, r, lease+1)
		code, text := conformance.Get(t, s, "/write", "path", "/tmp/data", "mib", "2")
		require.Equal(t, 200, code, text)
		began := time.Now()
		_, text = conformance.Get(t, s, "/read", "path", "/tmp/data")
		require.Len(t, text, 2<<20)
		took[lease+1] = time.Since(began)
	}
	t.Logf("2 MiB at 8 Mbit/s took %v, unlimited %v", took[1], took[2])
	require.Greater(t, took[1], 1500*time.Millisecond, "2 MiB at 8 Mbit/s take 2.1 s")
	require.Less(t, took[1], 6*time.Second)
	require.Less(t, took[2], time.Second)
}
