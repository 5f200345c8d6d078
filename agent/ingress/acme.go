package ingress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

// ACME says where certificates for HTTPS come from.
type ACME struct {
	Directory string         // URL of the authority's directory
	Email     string         // for its notices; may be ""
	Folder    string         // for certificates, keys and the account
	Roots     *x509.CertPool // to trust the authority's own server by; nil for the system's
	HTTPPort  int            // of this ingress, to which the world's port 80 leads
	TLSPort   int            // and 443
}

const (
	// failFirst and failLast are how long a name is left alone after the authority refused it.
	failFirst, failLast = time.Minute, time.Hour
	// maxRefused names are remembered.
	maxRefused = 4096
	// maxOrders of new certificates are sent to the authority for one owner in an hour: its own limits are for all together.
	maxOrders   = 10
	ordersEvery = time.Hour
)

var errNotServed = errors.New("no service has this name")

// certificates gets and renews a certificate for each name that is served, when it is first asked for.
type certificates struct {
	config *certmagic.Config
	issuer *certmagic.ACMEIssuer
	cache  *certmagic.Cache
	// owner of the lease that a name leads to; false when it leads to none.
	owner func(name string) (string, bool)
	log   *slog.Logger

	mu         sync.Mutex
	refused    map[string]refusal
	orders     map[string]int // of owners, since ordersFrom
	ordersFrom time.Time
}

// refusal is how often the authority refused a name in a row, and until when it is not asked again.
type refusal struct {
	times int
	until time.Time
}

func newCertificates(a ACME, owner func(string) (string, bool), log *slog.Logger) *certificates {
	c := &certificates{owner: owner, log: log, refused: map[string]refusal{}, orders: map[string]int{}}
	silent := zap.NewNop() // what matters comes by events
	c.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return c.config, nil }, Logger: silent,
	})
	c.config = certmagic.New(c.cache, certmagic.Config{
		Storage: &certmagic.FileStorage{Path: a.Folder}, Logger: silent,
		OnDemand: &certmagic.OnDemandConfig{DecisionFunc: c.decide}, OnEvent: c.note,
	})
	c.issuer = certmagic.NewACMEIssuer(c.config, certmagic.ACMEIssuer{
		CA: a.Directory, Email: a.Email, Agreed: true, TrustedRoots: a.Roots, AltHTTPPort: a.HTTPPort, AltTLSALPNPort: a.TLSPort, Logger: silent,
	})
	c.config.Issuers = []certmagic.Issuer{c.issuer}
	return c
}

// decide lets a certificate be loaded or asked for.
func (c *certificates) decide(_ context.Context, name string) error {
	if _, ok := c.owner(name); !ok {
		return errNotServed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.refused[name]; time.Now().Before(r.until) {
		return fmt.Errorf("the authority refused %s, it is asked again after %s", name, r.until.Format(time.TimeOnly))
	}
	return nil
}

// order counts an order for a name's first certificate; the error says that its owner has had enough of them.
func (c *certificates) order(name string, now time.Time) error {
	owner, ok := c.owner(name)
	if !ok {
		return errNotServed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.ordersFrom) >= ordersEvery {
		c.ordersFrom = now
		clear(c.orders)
	}
	if c.orders[owner] >= maxOrders {
		return fmt.Errorf("%d new certificates were ordered for this owner's names, the next after %s",
			maxOrders, c.ordersFrom.Add(ordersEvery).Format(time.TimeOnly))
	}
	c.orders[owner]++
	return nil
}

// note takes in what becomes of a certificate. An error keeps one from being ordered.
func (c *certificates) note(_ context.Context, event string, data map[string]any) error {
	name, _ := data["identifier"].(string)
	if renewal, _ := data["renewal"].(bool); event == "cert_obtaining" && !renewal {
		if err := c.order(name, time.Now()); err != nil {
			return certmagic.ErrNoRetry{Err: err}
		}
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch event {
	case "cert_obtained":
		delete(c.refused, name)
		c.log.Info("certificate obtained", "name", name, "renewal", data["renewal"])
	case "cert_failed":
		if len(c.refused) >= maxRefused {
			clear(c.refused)
		}
		r := c.refused[name]
		r.until = time.Now().Add(min(failFirst<<min(r.times, 8), failLast))
		r.times++
		c.refused[name] = r
		c.log.Warn("no certificate could be obtained", "name", name, "error", data["error"], "again_after", r.until)
	}
	return nil
}

// tls is how connections are opened: with the certificate of the name that they are for, and with the authority's challenges.
func (c *certificates) tls() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, GetCertificate: c.config.GetCertificate, NextProtos: []string{"h2", "http/1.1", "acme-tls/1"},
	}
}

// ServeTLS answers on a listener until ctx ends. It needs an ACME.
func (s *Server) ServeTLS(ctx context.Context, listener net.Listener) error {
	if s.certificates == nil {
		return errors.New("serve HTTPS ingress: no authority for certificates is set")
	}
	defer s.certificates.cache.Stop()
	return s.serve(ctx, s, func(server *http.Server) error {
		server.TLSConfig = s.certificates.tls()
		return server.ServeTLS(bound(listener), "", "")
	})
}

// challenged answers the authority's questions over HTTP before anything else.
func (s *Server) challenged() http.Handler {
	if s.certificates == nil {
		return s
	}
	return s.certificates.issuer.HTTPChallengeHandler(s)
}
