package reach

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOnlyAddressesOfThePublicInternetArePublic(t *testing.T) {
	for address, want := range map[string]bool{
		"1.1.1.1": true, "11.22.33.44": true, "223.255.255.255": true, "2606:4700::1111": true, "172.32.0.1": true, "100.128.0.1": true,
		"0.0.0.0": false, "10.1.2.3": false, "100.64.0.1": false, "100.127.255.255": false, "127.0.0.1": false, "169.254.169.254": false,
		"172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false, "198.18.0.1": false, "224.0.0.1": false, "255.255.255.255": false,
		"::1": false, "::": false, "fe80::1": false, "fe80::1%eth0": false, "fd00::1": false, "ff02::1": false, "64:ff9b::a00:1": false,
		"::ffff:10.0.0.1": false, "::ffff:1.1.1.1": true, "2002:a00:1::": false, "2001:db8::1": false, "2001::1": false,
	} {
		require.Equal(t, want, Public(netip.MustParseAddr(address)), address)
	}
}

func TestWhatADialerConnectsTo(t *testing.T) {
	for _, tt := range []struct {
		name, address string
		usual, open   bool
	}{
		{"a public address", "1.1.1.1:443", true, true},
		{"this machine", "127.0.0.1:443", false, true},
		{"this machine, as IPv6 has it", "[::ffff:127.0.0.1]:443", false, true},
		{"a private network", "10.1.2.3:443", false, true},
		{"a private network of IPv6", "[fd00::1]:443", false, true},
		{"the metadata service", "169.254.169.254:80", false, false},
		{"the metadata service, as IPv6 has it", "[::ffff:169.254.169.254]:80", false, false},
		{"a link-local address", "[fe80::1]:443", false, false},
		{"multicast", "224.0.0.1:443", false, false},
		{"no address", "0.0.0.0:443", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for private, want := range map[bool]bool{false: tt.usual, true: tt.open} {
				err := Dialer(time.Second, private).Control("tcp", tt.address, nil)
				if want {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, ErrNotPublic)
				}
			}
		})
	}
}

func TestANameIsJudgedByWhatItResolvesTo(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	_, err = Dialer(time.Second, false).Dial("tcp", net.JoinHostPort("localhost", port))
	require.ErrorIs(t, err, ErrNotPublic)
	conn, err := Dialer(time.Second, true).Dial("tcp", net.JoinHostPort("localhost", port))
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}

func TestTheProxyOfTheUserMayBeAnywhere(t *testing.T) {
	asked := ""
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r.URL.Host }))
	defer proxy.Close()
	at, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	origin, err := url.Parse("http://provider.example")
	require.NoError(t, err)
	get := func(proxyOf func(*http.Request) (*url.URL, error), from string) error {
		tr, err := transport(origin, time.Second, false, proxyOf)
		require.NoError(t, err)
		defer tr.CloseIdleConnections()
		res, err := (&http.Client{Transport: tr}).Get(from)
		if err == nil {
			err = res.Body.Close()
		}
		return err
	}
	require.NoError(t, get(http.ProxyURL(at), origin.String()))
	require.Equal(t, "provider.example", asked)
	require.ErrorIs(t, get(func(*http.Request) (*url.URL, error) { return nil, nil }, proxy.URL), ErrNotPublic)
}
