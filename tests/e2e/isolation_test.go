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
)

// reach tells whether a workload can open a TCP connection.
func reach(t *testing.T, from deployed, to string) bool {
	t.Helper()
	answer, err := ask(t.Context(), http.MethodGet, from.url(), "/dial?to="+url.QueryEscape(to))
	require.NoError(t, err)
	return answer == "reached"
}

// onAllAddresses listens on every address of this machine and returns them all, each with the port.
func onAllAddresses(t *testing.T) []string {
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
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
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

	me, err := identify(t.Context(), mine.url())
	require.NoError(t, err)
	runs := map[string]bool{me.Run: true}
	for _, other := range []deployed{theirs, next} {
		id, err := identify(t.Context(), other.url())
		require.NoError(t, err)
		require.False(t, runs[id.Run], "each has a container of its own")
		runs[id.Run] = true
		require.NotEmpty(t, id.Addresses)
		for _, address := range id.Addresses {
			require.NotContains(t, me.Addresses, address)
			require.False(t, reach(t, mine, net.JoinHostPort(address, "8080")), "another lease at %s", address)
		}
	}
	require.True(t, reach(t, mine, net.JoinHostPort(me.Addresses[0], "8080")), "it can dial at all")

	for _, address := range onAllAddresses(t) {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err, "the host listens at %s", address)
		conn.Close()
		require.False(t, reach(t, mine, address), "the host at %s", address)
	}
	gateway, ingress := m.Providers[0].Gateway, m.Providers[0].Ingress
	for _, port := range []int{gateway, ingress, m.Providers[0].Metrics, m.Validators[0].RPC, m.Validators[0].GRPC} {
		for _, host := range append(hostAddressesOf(t, me), "127.0.0.1") {
			require.False(t, reach(t, mine, net.JoinHostPort(host, strconv.Itoa(port))), "%s:%d", host, port)
		}
	}
	require.False(t, reach(t, mine, "169.254.169.254:80"), "metadata of a cloud")

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
