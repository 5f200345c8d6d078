package callers_test

import (
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/callers"
)

// port accepts connections and keeps them until they end.
func port(t *testing.T, total, each int) (address string, accepted chan net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	bound := callers.Bound(l, total, each)
	accepted = make(chan net.Conn, 16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := bound.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	t.Cleanup(func() { require.NoError(t, bound.Close()); <-done })
	return l.Addr().String(), accepted
}

func dial(t *testing.T, from, to string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.DialContext(t.Context(), "tcp", to)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// isClosed waits until the other side has closed a connection.
func isClosed(t *testing.T, c net.Conn) {
	t.Helper()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(10*time.Second)))
	_, err := c.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "it is still open")
}

func TestOneCallerDoesNotHoldEveryConnection(t *testing.T) {
	address, accepted := port(t, 16, 2)
	dial(t, "127.0.0.1", address)
	dial(t, "127.0.0.1", address)
	first := <-accepted
	<-accepted
	isClosed(t, dial(t, "127.0.0.1", address))
	dial(t, "127.0.0.2", address)
	require.Equal(t, "127.0.0.2", callers.Of((<-accepted).RemoteAddr().String()), "another caller has places of its own")
	require.NoError(t, first.Close())
	require.Error(t, first.Close(), "which gives nothing back twice")
	dial(t, "127.0.0.1", address)
	require.Equal(t, "127.0.0.1", callers.Of((<-accepted).RemoteAddr().String()), "when one has left")
	isClosed(t, dial(t, "127.0.0.1", address))
}

func TestAllCallersTogetherHoldOnlySoManyConnections(t *testing.T) {
	address, accepted := port(t, 2, 2)
	dial(t, "127.0.0.1", address)
	dial(t, "127.0.0.2", address)
	<-accepted
	last := <-accepted
	isClosed(t, dial(t, "127.0.0.3", address))
	require.NoError(t, last.Close())
	dial(t, "127.0.0.3", address)
	require.Equal(t, "127.0.0.3", callers.Of((<-accepted).RemoteAddr().String()))
}

func TestCallersAreToldApartByWhatTheyCannotChoose(t *testing.T) {
	for peer, want := range map[string]string{
		"192.0.2.1:5": "192.0.2.1", "[::ffff:192.0.2.1]:5": "192.0.2.1", "[2001:db8::1]:5": "2001:db8::/64",
		"[2001:db8::ffff]:6": "2001:db8::/64", "[fe80::1%eth0]:6": "fe80::/64", "pipe": "pipe", "name:1": "name",
	} {
		require.Equal(t, want, callers.Of(peer), peer)
	}
}
