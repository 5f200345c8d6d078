package ingress

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// zone is a DNS server on loopback.
type zone struct {
	address string
	mu      sync.Mutex
	cname   map[string]string
	txt     map[string][]string
	broken  bool
	asked   int
}

func newZone(t *testing.T) *zone {
	t.Helper()
	z := &zone{cname: map[string]string{}, txt: map[string][]string{}}
	conn, listener := bothPorts(t)
	z.address = conn.LocalAddr().String()
	for _, server := range []*dns.Server{{PacketConn: conn, Handler: z}, {Listener: listener, Handler: z}} {
		up, done := make(chan struct{}), make(chan error, 1)
		server.NotifyStartedFunc = func() { close(up) }
		go func() { done <- server.ActivateAndServe() }()
		<-up
		t.Cleanup(func() {
			require.NoError(t, server.Shutdown())
			require.NoError(t, <-done)
		})
	}
	return z
}

// bothPorts opens the same port for UDP and TCP.
func bothPorts(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	for {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		conn, err := net.ListenPacket("udp", listener.Addr().String())
		if err == nil {
			return conn, listener
		}
		require.NoError(t, listener.Close()) // somebody has it: another
	}
}

func (z *zone) set(change func(*zone)) {
	z.mu.Lock()
	defer z.mu.Unlock()
	change(z)
}

// ServeDNS implements dns.Handler.
func (z *zone) ServeDNS(w dns.ResponseWriter, question *dns.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked++
	answer := new(dns.Msg).SetReply(question)
	q := question.Question[0]
	name := strings.ToLower(strings.TrimSuffix(q.Name, "."))
	header := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET}
	switch {
	case z.broken:
		answer.Rcode = dns.RcodeServerFailure
	case q.Qtype == dns.TypeA:
		answer.Answer = append(answer.Answer, &dns.A{Hdr: header, A: net.IPv4(127, 0, 0, 1)})
	case q.Qtype == dns.TypeCNAME && z.cname[name] != "":
		answer.Answer = append(answer.Answer, &dns.CNAME{Hdr: header, Target: dns.Fqdn(z.cname[name])})
	case q.Qtype == dns.TypeTXT && len(z.txt[name]) > 0:
		for _, text := range z.txt[name] {
			answer.Answer = append(answer.Answer, &dns.TXT{Hdr: header, Txt: []string{text}})
		}
	default:
		answer.Rcode = dns.RcodeNameError
	}
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp && answer.Len() > dns.MinMsgSize {
		answer.Answer, answer.Truncated = nil, true
	}
	_ = w.WriteMsg(answer) // the asker may be gone
}

func newNames(t *testing.T, r Resolver, tell func(uint64, string, string)) *names {
	t.Helper()
	if tell == nil {
		tell = func(uint64, string, string) {}
	}
	return &names{
		domain: "provider.example", reserved: []string{"gateway.example"}, resolver: r, tell: tell, log: slog.New(slog.DiscardHandler),
		wake: make(chan struct{}, 1), claims: map[claim]*standing{}, checked: map[claim]bool{},
	}
}

func TestWhoseANameIs(t *testing.T) {
	z := newZone(t)
	z.set(func(z *zone) {
		z.cname = map[string]string{
			"shop.example": "web-7.provider.example", "two.steps": "one.step", "one.step": "WEB-7.provider.example",
			"elsewhere.example": "web-7.provider.example.evil.example", "circle.example": "circle.example", "other.example": "web-8.provider.example",
			"x.provider.example": "web-7.provider.example", "gateway.example": "web-7.provider.example",
		}
		z.txt = map[string][]string{
			"_souk.apex.example": {"v=spf1 -all", " souk1alice "}, "_souk.bobs.example": {"souk1bob"},
			"_souk.long.example": {strings.Repeat("x", 250), strings.Repeat("y", 250), strings.Repeat("z", 250), "souk1alice"},
		}
	})
	n := newNames(t, SystemResolver{Servers: []string{z.address}}, nil)
	tests := []struct {
		host string
		want bool
	}{
		{"shop.example", true},
		{"two.steps", true},
		{"apex.example", true},
		{"long.example", true},
		{"elsewhere.example", false},
		{"circle.example", false},
		{"other.example", false},
		{"bobs.example", false},
		{"nothing.example", false},
		{"x.provider.example", false},
		{"provider.example", false},
		{"gateway.example", false},
		{"192.0.2.1", false},
		{"localhost", false},
		{"a..example", false},
		{".example", false},
		{"a_b.example", false},
		{"", false},
		{strings.Repeat("a.", 200) + "example", false},
	}
	for _, tt := range tests {
		got, err := n.check(t.Context(), claim{tt.host, "web-7", "souk1alice", 7})
		require.NoError(t, err, tt.host)
		require.Equal(t, tt.want, got, tt.host)
	}
}

func TestATenantsNameIsServedOnceTheDNSSaysSo(t *testing.T) {
	z := newZone(t)
	var mu sync.Mutex
	var told []string
	s := New(Config{
		Domain: "provider.example", Resolver: SystemResolver{Servers: []string{z.address}}, Log: slog.New(slog.DiscardHandler),
		Tell: func(lease uint64, kind, message string) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, kind+" "+message)
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.KeepNames(ctx) }()
	defer func() { cancel(); <-done }()
	a, b := backend(t, says("alice")), backend(t, says("mallory"))
	routes := []Route{
		{Label: "web-6", Lease: 6, Owner: "souk1mallory", Names: []string{"shop.example"}, Backends: []netip.AddrPort{b}},
		{Label: "web-7", Lease: 7, Owner: "souk1alice", Names: []string{"Shop.Example"}, Backends: []netip.AddrPort{a}},
	}
	get := func() (int, string) {
		s.SetRoutes(routes)
		w := httptest.NewRecorder()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://shop.example/", nil)
		require.NoError(t, err)
		s.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	code, _ := get()
	require.Equal(t, http.StatusNotFound, code, "nobody has shown it yet")
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(told) == 2
	}, 10*time.Second, time.Millisecond)
	require.Contains(t, strings.Join(told, "\n"), "hostname-unverified shop.example is not served: let it be a CNAME of web-7.provider.example")

	z.set(func(z *zone) { z.txt["_souk.shop.example"] = []string{"souk1alice"} })
	hurry(s.names)
	require.Eventually(t, func() bool { _, body := get(); return body == "alice" }, 10*time.Second, time.Millisecond)
	require.True(t, s.Serves("shop.example", 7))
	require.False(t, s.Serves("shop.example", 6), "who claims it without showing it gets nothing")

	z.set(func(z *zone) { z.broken, z.asked = true, 0 })
	hurry(s.names)
	require.Eventually(t, func() bool { return z.count() >= 4 }, 10*time.Second, time.Millisecond)
	code, _ = get()
	require.Equal(t, http.StatusOK, code, "an outage of the DNS takes nothing away")

	z.set(func(z *zone) { z.broken, z.txt["_souk.shop.example"] = false, []string{"souk1mallory"} })
	hurry(s.names)
	require.Eventually(t, func() bool { _, body := get(); return body == "mallory" }, 10*time.Second, time.Millisecond, "the name was sold")
}

func (z *zone) count() int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked
}

// hurry makes all claims due.
func hurry(n *names) {
	n.mu.Lock()
	for _, s := range n.claims {
		s.next = time.Time{}
	}
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

func TestAnOutageOfTheDNSIsSatOutForAWhile(t *testing.T) {
	n := newNames(t, nil, nil)
	c := claim{"shop.example", "web-7", "souk1alice", 7}
	n.verified([]claim{c})
	n.settle(c, true, nil)
	n.settle(c, false, errors.New("timeout"))
	require.Contains(t, n.verified([]claim{c}), "shop.example")
	n.claims[c].goodAt = time.Now().Add(-outage)
	n.settle(c, false, errors.New("timeout"))
	require.Empty(t, n.verified([]claim{c}))
}

func TestOfTwoGoodClaimsTheOlderLeaseHolds(t *testing.T) {
	n := newNames(t, nil, nil)
	older, newer := claim{"shop.example", "web-7", "souk1alice", 7}, claim{"shop.example", "web-9", "souk1alice", 9}
	for _, order := range [][]claim{{older, newer}, {newer, older}} {
		n.verified(order)
		n.settle(older, true, nil)
		n.settle(newer, true, nil)
		require.Equal(t, older, n.verified(order)["shop.example"])
	}
	require.Equal(t, newer, n.verified([]claim{newer})["shop.example"], "until it is gone")
	require.Len(t, n.claims, 1, "what is claimed no more is forgotten")
}

func TestNamesThatFailAreAskedForLessAndLess(t *testing.T) {
	n := newNames(t, nil, nil)
	c := claim{"shop.example", "web-7", "souk1alice", 7}
	n.verified([]claim{c})
	var last time.Duration
	for range 100 {
		n.settle(c, false, nil)
		wait := time.Until(n.claims[c].next)
		require.GreaterOrEqual(t, wait, last-time.Second)
		require.LessOrEqual(t, wait, retryLast)
		last = wait
	}
	require.InDelta(t, retryLast, last, float64(time.Second))
}

func TestALeaseClaimsOnlySoManyNames(t *testing.T) {
	s := New(Config{Domain: "provider.example", Resolver: SystemResolver{}, Log: slog.New(slog.DiscardHandler)})
	var many []string
	for i := range 10 * MaxNames {
		many = append(many, strings.Repeat("a", i%60+1)+".example")
	}
	s.SetRoutes([]Route{{Label: "web-7", Lease: 7, Owner: "souk1alice", Names: many}})
	require.LessOrEqual(t, len(s.names.claims), MaxNames)
}
