// Package peer is how a provider's agent speaks to other providers: it asks whether they are there, and fetches what a lease
// of its own runs from who keeps it.
//
// It owns connections that trust the TLS keys pinned on the chain and nothing else, follow no redirects and go nowhere but to
// the gateway's address there. It must not know the chain's state or how images are kept.
package peer

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"connectrpc.com/connect"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/agent/api/apiconnect"
	"github.com/souk-network/souk/internal/reach"
	"github.com/souk-network/souk/manifest/manifestpb"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

const (
	dialTimeout = 5 * time.Second
	// answerTimeout bounds the time until a gateway begins to answer.
	answerTimeout = 15 * time.Second
	// maxMessageBytes of an answer: the largest manifest group, its header and hashes.
	maxMessageBytes = 1 << 20
	// maxInfoBytes of an answer to a probe.
	maxInfoBytes = 16 << 10
)

// ErrOther says that who answers is not who was meant.
var ErrOther = errors.New("another provider or network answers there")

// Gateway is that of another provider. Close it after use.
type Gateway struct {
	operator  string
	base      string
	transport *http.Transport
	http      *http.Client
	calls     apiconnect.GatewayServiceClient
	probes    apiconnect.GatewayServiceClient
}

// Dial prepares calls to a provider as the chain describes it; nothing is connected yet. Connections go to public addresses
// only, whatever its name resolves to, unless private ones are allowed.
func Dial(p providertypes.Provider, private bool) (*Gateway, error) {
	uri, err := url.Parse(p.GatewayUri)
	if err != nil || uri.Scheme != "https" || uri.Host == "" || uri.User != nil {
		return nil, fmt.Errorf("provider %s has no gateway that can be reached: %q", p.Operator, p.GatewayUri)
	}
	transport := &http.Transport{
		DialContext: reach.Dialer(dialTimeout, private).DialContext, TLSClientConfig: pinned(p.TlsKeys), TLSHandshakeTimeout: dialTimeout, ForceAttemptHTTP2: true,
		ResponseHeaderTimeout: answerTimeout, MaxResponseHeaderBytes: 64 << 10, IdleConnTimeout: 30 * time.Second,
	}
	g := &Gateway{operator: p.Operator, base: "https://" + uri.Host, transport: transport}
	g.http = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	g.calls = apiconnect.NewGatewayServiceClient(g.http, g.base, connect.WithReadMaxBytes(maxMessageBytes))
	g.probes = apiconnect.NewGatewayServiceClient(g.http, g.base, connect.WithReadMaxBytes(maxInfoBytes))
	return g, nil
}

// Close lets go of connections.
func (g *Gateway) Close() { g.transport.CloseIdleConnections() }

// Operator of the provider.
func (g *Gateway) Operator() string { return g.operator }

// Probe asks who is there; nil when it is the provider, on that network.
func (g *Gateway) Probe(ctx context.Context, chainID string) error {
	res, err := g.probes.Info(ctx, connect.NewRequest(&api.InfoRequest{}))
	if err != nil {
		return fmt.Errorf("ask provider %s who it is: %w", g.operator, err)
	}
	if res.Msg.GetProvider() != g.operator || res.Msg.GetChainId() != chainID {
		return fmt.Errorf("ask provider %s who it is: %w", g.operator, ErrOther)
	}
	return nil
}

// FetchGroup asks for the group of a lease of the caller; the token is the caller's for that lease and this provider.
func (g *Gateway) FetchGroup(ctx context.Context, token string, lease uint64) (*manifestpb.Envelope, error) {
	req := connect.NewRequest(&api.FetchGroupRequest{Lease: lease})
	req.Header().Set("Authorization", "Bearer "+token)
	res, err := g.calls.FetchGroup(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("ask provider %s for the group of lease %d: %w", g.operator, lease, err)
	}
	if res.Msg.GetEnvelope() == nil {
		return nil, fmt.Errorf("ask provider %s for the group of lease %d: it sent none", g.operator, lease)
	}
	return res.Msg.GetEnvelope(), nil
}

// pinned accepts a server whose public key has one of the hashes, whatever its certificate says.
func pinned(hashes [][]byte) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		// The chain's pin takes the place of names and authorities.
		InsecureSkipVerify: true, //nolint:gosec // see VerifyConnection
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 {
				return errors.New("the gateway shows no certificate")
			}
			sum := sha256.Sum256(state.PeerCertificates[0].RawSubjectPublicKeyInfo)
			if !slices.ContainsFunc(hashes, func(h []byte) bool { return string(h) == string(sum[:]) }) {
				return fmt.Errorf("the gateway's TLS key %x is not one that the provider pinned on the chain", sum[:8])
			}
			return nil
		},
	}
}
