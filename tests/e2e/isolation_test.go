package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// reached are those of the addresses to which a workload can open a TCP connection. It tries them all at once: what
// drops packets lets it wait.
func reached(t *testing.T, from deployed, addresses []string) []string {
	t.Helper()
	answers := make([]string, len(addresses))
	var calls errgroup.Group
	for i, to := range addresses {
		calls.Go(func() (err error) {
			answers[i], err = ask(t.Context(), http.MethodGet, from.url(), "/dial?to="+url.QueryEscape(to))
			return err
		})
	}
	require.NoError(t, calls.Wait())
	var out []string
	for i, answer := range answers {
		if answer == "reached" {
			out = append(out, addresses[i])
		}
	}
	return out
}

// listening listens on every address of this machine and returns the port.
func listening(t *testing.T) (port string) {
	t.Helper()
	listener, err := net.Listen("tcp", ":0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	_, port, err = net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	return port
}

// allAddresses are those of this machine, each with a port.
func allAddresses(t *testing.T, port string) []string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	require.NoError(t, err)
	var out []string
	for _, a := range all {
		prefix, err := netip.ParsePrefix(a.String())
		require.NoError(t, err)
		if prefix.Addr().IsLinkLocalUnicast() {
			continue // needs a zone, which another namespace does not know
		}
		out = append(out, net.JoinHostPort(prefix.Addr().String(), port))
	}
	return out
}

func TestWorkloadsWithEqualNamesOnOneHostDoNotMeet(t *testing.T) {
	m := theMarket(t)
	t.Parallel()
	here, there, beside := m.newTenant(t), m.newTenantNamed(t, "there"), m.newTenantNamed(t, "beside")
	mine := here.up(t, here.file(t, service{name: "same", on: 0}))
	theirs := there.up(t, there.file(t, service{name: "same", on: 1}))
	next := beside.up(t, beside.file(t, service{name: "same", on: 0}))
	require.NotEqual(t, mine.Leases[0].Provider, theirs.Leases[0].Provider)
	require.Equal(t, mine.Leases[0].Provider, next.Leases[0].Provider)

	me := answer(t, mine)
	own := net.JoinHostPort(me.Addresses[0], "8080")
	require.Equal(t, []string{own}, reached(t, mine, []string{own}), "it can dial at all")

	forbidden := []string{"169.254.169.254:80"} // metadata of a cloud
	runs := map[string]bool{me.Run: true}
	for _, other := range []deployed{theirs, next} {
		id := answer(t, other)
		require.False(t, runs[id.Run], "each has a container of its own")
		runs[id.Run] = true
		require.NotEmpty(t, id.Addresses)
		for _, address := range id.Addresses {
			require.NotContains(t, me.Addresses, address)
			forbidden = append(forbidden, net.JoinHostPort(address, "8080"))
		}
	}
	port := listening(t)
	for _, address := range allAddresses(t, port) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			// Bridges of other leases come and go.
			require.NotContains(t, allAddresses(t, port), address, "the host listens at %s: %v", address, err)
			continue
		}
		conn.Close()
		forbidden = append(forbidden, address)
	}
	p, v := m.Providers[0], m.Validators[0]
	for _, listens := range []int{p.Gateway, p.Ingress, p.Metrics, v.RPC, v.GRPC, v.REST, v.P2P} {
		for _, host := range append(hostAddressesOf(t, me), "127.0.0.1") {
			forbidden = append(forbidden, net.JoinHostPort(host, strconv.Itoa(listens)))
		}
	}
	require.Empty(t, reached(t, mine, forbidden))

	for _, x := range []*tenant{here, there, beside} {
		x.down(t, "same")
		x.awaitGone(t, "same")
	}
}

// hostAddressesOf are the addresses at which a workload would meet its host: those of this machine that lie in a network
// of the workload, as that of the bridge does.
func hostAddressesOf(t *testing.T, me identity) []string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	require.NoError(t, err)
	var out []string
	for _, a := range all {
		prefix, err := netip.ParsePrefix(a.String())
		require.NoError(t, err)
		for _, address := range me.Addresses {
			if prefix.Contains(netip.MustParseAddr(address)) {
				out = append(out, prefix.Addr().String())
			}
		}
	}
	require.NotEmpty(t, out, fmt.Sprintf("no network of this machine has %v", me.Addresses))
	return out
}
