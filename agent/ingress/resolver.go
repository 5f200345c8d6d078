package ingress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Resolver asks the public DNS. That there is no such record is no error.
type Resolver interface {
	// CNAME gives what a name stands for, one step; "" when it is no alias.
	CNAME(ctx context.Context, name string) (string, error)
	TXT(ctx context.Context, name string) ([]string, error)
}

const (
	lookupTimeout = 5 * time.Second
	resolvConf    = "/etc/resolv.conf"
)

// SystemResolver asks the resolvers of this machine.
type SystemResolver struct {
	// Servers are HOST:PORT; those of /etc/resolv.conf when empty.
	Servers []string
}

// CNAME implements Resolver.
func (r SystemResolver) CNAME(ctx context.Context, name string) (string, error) {
	answer, err := r.ask(ctx, name, dns.TypeCNAME)
	for _, record := range answer {
		if c, ok := record.(*dns.CNAME); ok && strings.EqualFold(c.Hdr.Name, dns.Fqdn(name)) {
			return strings.ToLower(strings.TrimSuffix(c.Target, ".")), nil
		}
	}
	return "", err
}

// TXT implements Resolver.
func (r SystemResolver) TXT(ctx context.Context, name string) ([]string, error) {
	answer, err := r.ask(ctx, name, dns.TypeTXT)
	var out []string
	for _, record := range answer {
		if t, ok := record.(*dns.TXT); ok {
			out = append(out, strings.Join(t.Txt, ""))
		}
	}
	return out, err
}

func (r SystemResolver) ask(ctx context.Context, name string, kind uint16) ([]dns.RR, error) {
	servers := r.Servers
	if len(servers) == 0 {
		conf, err := dns.ClientConfigFromFile(resolvConf)
		if err != nil {
			return nil, fmt.Errorf("read the machine's resolvers: %w", err)
		}
		for _, s := range conf.Servers {
			servers = append(servers, net.JoinHostPort(s, conf.Port))
		}
	}
	err := errors.New("there is no resolver")
	for _, server := range servers {
		var answer *dns.Msg
		if answer, err = exchange(ctx, server, name, kind); err == nil {
			return answer.Answer, nil
		}
	}
	return nil, fmt.Errorf("look up %s: %w", name, err)
}

// exchange asks one server, over TCP when the answer is too long for UDP.
func exchange(ctx context.Context, server, name string, kind uint16) (*dns.Msg, error) {
	question := new(dns.Msg).SetQuestion(dns.Fqdn(name), kind)
	var answer *dns.Msg
	for _, network := range []string{"udp", "tcp"} {
		var err error
		client := dns.Client{Net: network, Timeout: lookupTimeout}
		if answer, _, err = client.ExchangeContext(ctx, question, server); err != nil {
			return nil, err
		}
		if !answer.Truncated {
			break
		}
	}
	if answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError {
		return nil, fmt.Errorf("%s answers %s", server, dns.RcodeToString[answer.Rcode])
	}
	return answer, nil
}
