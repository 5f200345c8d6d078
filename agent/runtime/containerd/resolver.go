package containerd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/netutil"
	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"
)

const (
	dnsPort           = 53
	dnsTTL            = 5   // seconds: replicas come and go
	dnsPerSecond      = 200 // queries of a lease
	dnsBurst          = 400
	dnsAtOnce         = 64 // forwarded queries of a lease
	dnsConnections    = 32 // by TCP, of a lease
	dnsUpstreamWait   = 2 * time.Second
	dnsIdle           = 10 * time.Second
	dnsSmallestAnswer = 512
	dnsLargestAnswer  = 1232 // by UDP: passes every network whole
)

// resolver answers the queries of one lease at its bridge: the lease's own names by itself, others by asking the
// operator's resolvers. Leases have no IPv6, so nothing has an IPv6 address.
type resolver struct {
	upstreams []netip.Addr
	link      int          // index of the bridge that it listens at
	first     atomic.Int32 // of upstreams: the one that answered last
	zone      atomic.Pointer[zone]
	limit     *rate.Limiter
	places    chan struct{}
	servers   []*dns.Server
	ctx       context.Context
	cancel    context.CancelFunc
	running   sync.WaitGroup
}

// startResolver listens at the address of a bridge, for what comes by that bridge only.
func startResolver(bridge string, link int, at netip.Addr, upstreams []netip.Addr, z zone) (*resolver, error) {
	r := &resolver{
		upstreams: upstreams, link: link,
		limit: rate.NewLimiter(dnsPerSecond, dnsBurst), places: make(chan struct{}, dnsAtOnce),
	}
	r.zone.Store(&z)
	r.ctx, r.cancel = context.WithCancel(context.Background())
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) { failed = unix.BindToDevice(int(fd), bridge) })
		return errors.Join(err, failed)
	}}
	address := netip.AddrPortFrom(at, dnsPort).String()
	packets, err := config.ListenPacket(r.ctx, "udp4", address)
	if err != nil {
		r.cancel()
		return nil, fmt.Errorf("listen for queries at %s: %w", bridge, err)
	}
	listener, err := config.Listen(r.ctx, "tcp4", address)
	if err != nil {
		r.cancel()
		return nil, errors.Join(fmt.Errorf("listen for queries at %s: %w", bridge, err), packets.Close())
	}
	for _, s := range []*dns.Server{{PacketConn: packets}, {Listener: netutil.LimitListener(listener, dnsConnections)}} {
		s.Handler, s.ReadTimeout, s.WriteTimeout, s.IdleTimeout = r, dnsIdle, dnsIdle, func() time.Duration { return dnsIdle }
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		r.servers = append(r.servers, s)
		r.running.Go(func() { _ = s.ActivateAndServe() }) // ends by stop
		<-started
	}
	return r, nil
}

// stop ends the resolver; a nil one is ended already.
func (r *resolver) stop() {
	if r == nil {
		return
	}
	r.cancel()
	for _, s := range r.servers {
		_ = s.Shutdown() // it has started
	}
	r.running.Wait()
}

// ServeDNS implements dns.Handler. Beyond its rate a lease gets no answer.
func (r *resolver) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	if !r.limit.Allow() {
		return
	}
	answer := r.answer(query)
	if _, udp := w.LocalAddr().(*net.UDPAddr); udp {
		size := dnsSmallestAnswer
		if o := query.IsEdns0(); o != nil {
			size = min(max(int(o.UDPSize()), size), dnsLargestAnswer)
		}
		answer.Truncate(size)
	}
	_ = w.WriteMsg(answer) // who asked asks again
}

func (r *resolver) answer(query *dns.Msg) *dns.Msg {
	reply := new(dns.Msg)
	reply.SetReply(query)
	reply.RecursionAvailable = true
	if query.Opcode != dns.OpcodeQuery || len(query.Question) != 1 || query.Question[0].Qclass != dns.ClassINET {
		return reply.SetRcode(query, dns.RcodeRefused)
	}
	q := query.Question[0]
	addresses, known := r.zone.Load().lookUp(q.Name)
	switch {
	case known:
		reply.Authoritative = true
		if q.Qtype == dns.TypeA {
			for _, a := range addresses {
				reply.Answer = append(reply.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: dnsTTL}, A: a.AsSlice()})
			}
		}
		return reply
	case q.Qtype == dns.TypeAXFR || q.Qtype == dns.TypeIXFR || q.Qtype == dns.TypeANY:
		return reply.SetRcode(query, dns.RcodeRefused)
	case dns.CountLabel(q.Name) == 1 && (q.Qtype == dns.TypeA || q.Qtype == dns.TypeAAAA):
		return reply.SetRcode(query, dns.RcodeNameError) // no host of the Internet has a name of one label
	case q.Qtype == dns.TypeAAAA:
		return reply
	}
	return r.forward(query)
}

// forward asks the operator's resolvers, beginning with the one that answered last.
func (r *resolver) forward(query *dns.Msg) *dns.Msg {
	failed := new(dns.Msg).SetRcode(query, dns.RcodeServerFailure)
	failed.RecursionAvailable = true
	select {
	case r.places <- struct{}{}:
		defer func() { <-r.places }()
	default:
		return failed
	}
	first := int(r.first.Load())
	for i := range r.upstreams {
		which := (first + i) % len(r.upstreams)
		ask := query.Copy()
		ask.Id = dns.Id()
		reply, err := r.exchange(ask, netip.AddrPortFrom(r.upstreams[which], dnsPort).String())
		if err != nil || reply.Rcode == dns.RcodeServerFailure || reply.Rcode == dns.RcodeRefused {
			continue
		}
		if len(reply.Question) != 1 || !strings.EqualFold(reply.Question[0].Name, query.Question[0].Name) || reply.Question[0].Qtype != query.Question[0].Qtype {
			continue
		}
		r.first.Store(int32(which)) //nolint:gosec // few
		reply.Id = query.Id
		return reply
	}
	return failed
}

func (r *resolver) exchange(ask *dns.Msg, upstream string) (*dns.Msg, error) {
	client := dns.Client{Timeout: dnsUpstreamWait, UDPSize: dnsLargestAnswer}
	reply, _, err := client.ExchangeContext(r.ctx, ask, upstream)
	if err == nil && reply.Truncated {
		client.Net = "tcp"
		reply, _, err = client.ExchangeContext(r.ctx, ask, upstream)
	}
	return reply, err
}
