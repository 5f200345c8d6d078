package containerd

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// upstream is a resolver of the Internet: it answers what knows says, and counts who asks.
func upstream(t testing.TB, at string, knows func(q dns.Question, tcp bool) *dns.Msg) *atomic.Int64 {
	t.Helper()
	var asked atomic.Int64
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
		asked.Add(1)
		_, tcp := w.LocalAddr().(*net.TCPAddr)
		reply := knows(m.Question[0], tcp)
		if reply == nil {
			return // says nothing
		}
		code, truncated := reply.Rcode, reply.Truncated
		reply.SetReply(m)
		reply.Rcode, reply.Truncated = code, truncated
		_ = w.WriteMsg(reply)
	})
	for _, network := range []string{"udp", "tcp"} {
		started := make(chan struct{})
		s := &dns.Server{Addr: at + ":53", Net: network, Handler: handler, NotifyStartedFunc: func() { close(started) }}
		go func() { _ = s.ListenAndServe() }()
		select {
		case <-started:
		case <-time.After(5 * time.Second):
			t.Fatalf("no resolver at %s", at)
		}
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	return &asked
}

func addressRecord(t testing.TB, name, address string) dns.RR {
	t.Helper()
	r, err := dns.NewRR(fmt.Sprintf("%s 60 IN A %s", name, address))
	require.NoError(t, err)
	return r
}

// startAt runs a resolver at an address of the loopback link.
func startAt(t testing.TB, at string, z zone, upstreams ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIP-NEEDS-ROOT: port 53 and binding to a link need root")
	}
	var list []netip.Addr
	for _, u := range upstreams {
		list = append(list, netip.MustParseAddr(u))
	}
	lo, err := net.InterfaceByName("lo")
	require.NoError(t, err)
	r, err := startResolver("lo", lo.Index, netip.MustParseAddr(at), list, z)
	require.NoError(t, err)
	t.Cleanup(r.stop)
}

func ask(t testing.TB, network, at, name string, kind uint16) *dns.Msg {
	t.Helper()
	c := dns.Client{Net: network, Timeout: 8 * time.Second}
	m := new(dns.Msg).SetQuestion(name, kind)
	reply, _, err := c.Exchange(m, at+":53")
	require.NoError(t, err, name)
	return reply
}

func TestTheResolverAnswersForItsLeaseAndAsksOthersForTheRest(t *testing.T) {
	const here, silent, knowing = "127.53.1.1", "127.53.1.2", "127.53.1.3"
	startAt(t, here, zone{"db": {netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3")}, "idle": nil}, silent, knowing)
	upstream(t, silent, func(dns.Question, bool) *dns.Msg { return nil })
	asked := upstream(t, knowing, func(q dns.Question, tcp bool) *dns.Msg {
		switch q.Name {
		case "example.org.":
			return &dns.Msg{Answer: []dns.RR{addressRecord(t, q.Name, "192.0.2.7")}}
		case "long.example.org.":
			if !tcp {
				return &dns.Msg{MsgHdr: dns.MsgHdr{Truncated: true}}
			}
			var many []dns.RR
			for i := range 200 {
				many = append(many, addressRecord(t, q.Name, fmt.Sprintf("192.0.2.%d", i)))
			}
			return &dns.Msg{Answer: many}
		}
		return &dns.Msg{MsgHdr: dns.MsgHdr{Rcode: dns.RcodeNameError}}
	})
	for _, network := range []string{"udp", "tcp"} {
		reply := ask(t, network, here, "DB.", dns.TypeA)
		require.Len(t, reply.Answer, 2)
		require.True(t, reply.Authoritative)
		for _, name := range []string{"db.", "idle.", "example.org."} {
			reply = ask(t, network, here, name, dns.TypeAAAA)
			require.Equal(t, dns.RcodeSuccess, reply.Rcode, "%s: nothing has an IPv6 address", name)
			require.Empty(t, reply.Answer)
		}
		reply = ask(t, network, here, "idle.", dns.TypeA)
		require.Equal(t, dns.RcodeSuccess, reply.Rcode, "known, but serves nowhere just now")
		require.Empty(t, reply.Answer)
		require.Equal(t, dns.RcodeNameError, ask(t, network, here, "stranger.", dns.TypeA).Rcode)
		require.Equal(t, dns.RcodeRefused, ask(t, network, here, "example.org.", dns.TypeANY).Rcode)
	}
	require.Zero(t, asked.Load(), "none of these is anybody else's business")

	reply := ask(t, "udp", here, "example.org.", dns.TypeA) // the first resolver says nothing
	require.Len(t, reply.Answer, 1)
	require.Equal(t, "192.0.2.7", reply.Answer[0].(*dns.A).A.String()) //nolint:forcetypeassert // a test
	require.Equal(t, dns.RcodeNameError, ask(t, "tcp", here, "nothing.example.org.", dns.TypeA).Rcode)
	reply = ask(t, "udp", here, "long.example.org.", dns.TypeA)
	require.True(t, reply.Truncated, "it says that there is more")
	reply.Compress = true
	require.LessOrEqual(t, reply.Len(), 512)
	require.Len(t, ask(t, "tcp", here, "long.example.org.", dns.TypeA).Answer, 200)
}

func TestTheResolverBoundsWhatALeaseAsks(t *testing.T) {
	const here, slow = "127.53.2.1", "127.53.2.2"
	startAt(t, here, zone{"db": {netip.MustParseAddr("10.0.0.2")}}, slow)
	release := make(chan struct{})
	asked := upstream(t, slow, func(dns.Question, bool) *dns.Msg { <-release; return nil })
	var refused atomic.Int64
	var all sync.WaitGroup
	for i := range dnsAtOnce + 10 {
		all.Go(func() {
			c := dns.Client{Timeout: 3 * time.Second}
			reply, _, err := c.Exchange(new(dns.Msg).SetQuestion(fmt.Sprintf("n%d.example.org.", i), dns.TypeA), here+":53")
			if err == nil && reply.Rcode == dns.RcodeServerFailure {
				refused.Add(1)
			}
		})
	}
	all.Wait()
	close(release)
	require.LessOrEqual(t, asked.Load(), int64(dnsAtOnce), "at once")
	require.GreaterOrEqual(t, refused.Load(), int64(10))

	c, err := net.Dial("udp4", here+":53")
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	query, err := new(dns.Msg).SetQuestion("db.", dns.TypeA).Pack()
	require.NoError(t, err)
	began := time.Now()
	const flood = 4000
	for range flood {
		_, err := c.Write(query)
		require.NoError(t, err)
	}
	answers := 0
	b := make([]byte, 512)
	for c.SetReadDeadline(time.Now().Add(300*time.Millisecond)) == nil {
		if _, err := c.Read(b); err != nil {
			break
		}
		answers++
	}
	most := dnsBurst + int(time.Since(began).Seconds()*dnsPerSecond) + 1
	t.Logf("%d answers to %d queries, at most %d", answers, flood, most)
	require.LessOrEqual(t, answers, most)
	require.Positive(t, answers)
}

func TestAStoppedResolverLetsGoOfItsAddress(t *testing.T) {
	const here = "127.53.3.1"
	for range 3 {
		t.Run("again", func(t *testing.T) { startAt(t, here, zone{"db": {netip.MustParseAddr("10.0.0.2")}}) })
	}
	_, err := net.DialTimeout("tcp", here+":53", time.Second)
	require.Error(t, err)
	require.False(t, strings.Contains(err.Error(), "timeout"))
	var none *resolver
	none.stop()
}
