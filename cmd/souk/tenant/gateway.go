package tenant

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/souk-network/souk/agent/api/apiconnect"
	"github.com/souk-network/souk/agent/token"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/internal/reach"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

const (
	dialTimeout = 10 * time.Second
	// callTimeout bounds a call that is not a stream.
	callTimeout = 30 * time.Second
)

// gateway is a provider's agent as the owner of one lease sees it.
type gateway struct {
	apiconnect.GatewayServiceClient

	uri       *url.URL
	tls       *tls.Config
	transport *http.Transport
	private   bool   // addresses that are not public are allowed
	folder    string // of the registry: where images are pushed
	token     func(token.Scope) (string, error)
}

// openGateway prepares calls to a provider about one lease. The TLS key must be one that the provider pinned on the chain;
// no certificate authority is asked.
func openGateway(provider providertypes.Provider, authority *authority, lease markettypes.Lease) (*gateway, error) {
	g, err := dialGateway(provider, authority.private)
	if err != nil {
		return nil, err
	}
	g.authorize(strconv.FormatUint(lease.Id, 10), func(allows token.Scope) (string, error) { return authority.token(lease, allows) })
	return g, nil
}

// openCustody prepares calls to a provider about what it keeps of a deployment as custodian.
func openCustody(provider providertypes.Provider, authority *authority, deployment uint64) (*gateway, error) {
	g, err := dialGateway(provider, authority.private)
	if err != nil {
		return nil, err
	}
	g.authorize(fmt.Sprintf("d%d", deployment), func(allows token.Scope) (string, error) {
		return authority.custody(provider.Operator, deployment, allows)
	})
	return g, nil
}

// authorize puts a token on every call.
func (g *gateway) authorize(folder string, secret func(token.Scope) (string, error)) {
	g.folder, g.token = folder, secret
	g.GatewayServiceClient = apiconnect.NewGatewayServiceClient(
		g.client(g.transport), g.uri.String(), connect.WithInterceptors(bearer{g.token}))
}

// dialGateway prepares calls to a provider for which nobody needs to say who he is. What a provider writes on the chain leads
// to no address that is not public, unless private ones are allowed, and its redirects are not followed.
func dialGateway(provider providertypes.Provider, private bool) (*gateway, error) {
	uri, err := url.Parse(provider.GatewayUri)
	if err != nil {
		return nil, fmt.Errorf("gateway of provider %s: %w", provider.Operator, err)
	}
	g := &gateway{uri: uri, tls: pinned(provider.TlsKeys), private: private}
	if g.transport, err = g.newTransport(); err != nil {
		return nil, err
	}
	g.transport.ForceAttemptHTTP2 = true
	g.GatewayServiceClient = apiconnect.NewGatewayServiceClient(g.client(g.transport), uri.String())
	return g, nil
}

// newTransport leads to the gateway; HTTP/1.1 only unless told otherwise.
func (g *gateway) newTransport() (*http.Transport, error) {
	t, err := reach.Transport(g.uri, dialTimeout, g.private)
	if err != nil {
		return nil, err
	}
	t.TLSClientConfig, t.TLSHandshakeTimeout = g.tls.Clone(), dialTimeout
	return t, nil
}

func (*gateway) client(t http.RoundTripper) *http.Client {
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// scopeOf is what a call needs of a token.
func scopeOf(procedure string) token.Scope {
	switch procedure {
	case apiconnect.GatewayServiceSendManifestProcedure, apiconnect.GatewayServiceGetManifestProcedure,
		apiconnect.GatewayServiceKeepManifestProcedure, apiconnect.GatewayServiceGetKeptProcedure:
		return token.ScopeManifest
	case apiconnect.GatewayServiceLogsProcedure:
		return token.ScopeLogs
	case apiconnect.GatewayServiceEventsProcedure:
		return token.ScopeEvents
	default:
		return token.ScopeStatus
	}
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

// push sends an image to the provider's registry, under the repository of its lease or deployment.
func (g *gateway) push(ctx context.Context, reference string, image v1.Image, progress func(done, total int64)) error {
	repository, tag, err := repositoryOf(reference)
	if err != nil {
		return err
	}
	ref, err := name.NewTag(fmt.Sprintf("%s/%s/%s:%s", g.uri.Host, g.folder, repository, tag))
	if err != nil {
		return fmt.Errorf("name image %q at the provider: %w", reference, err)
	}
	secret, err := g.token(token.ScopePush)
	if err != nil {
		return err
	}
	updates := make(chan v1.Update, 16)
	reported := make(chan struct{})
	go func() {
		defer close(reported)
		for u := range updates {
			if u.Error == nil {
				progress(u.Complete, u.Total)
			}
		}
	}()
	err = remote.Write(ref, image, remote.WithContext(ctx), remote.WithTransport(pinnedOnly{g.transport, g.uri.Host}),
		remote.WithAuth(authn.FromConfig(authn.AuthConfig{RegistryToken: secret})), remote.WithProgress(updates))
	<-reported
	if err != nil {
		return fault.New(fmt.Sprintf("push image %s to %s", reference, g.uri.Host), err, "run the same command again: it goes on where it stopped")
	}
	return nil
}

// pinnedOnly lets nothing out but to the pinned gateway: the registry client would also try plain HTTP with hosts that look
// local, and follow redirects, with the token.
type pinnedOnly struct {
	next http.RoundTripper
	host string
}

// RoundTrip implements http.RoundTripper.
func (p pinnedOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" || r.URL.Host != p.host {
		return nil, fmt.Errorf("%s://%s is not the provider's gateway", r.URL.Scheme, r.URL.Host)
	}
	return p.next.RoundTrip(r)
}

// repositoryOf takes the registry's host off an image reference: docker.io/library/web:1 is library/web, 1.
func repositoryOf(reference string) (repository, tag string, err error) {
	t, err := name.NewTag(reference)
	if err != nil {
		return "", "", fmt.Errorf("image reference %q: %w", reference, err)
	}
	return t.RepositoryStr(), t.TagStr(), nil
}

// bearer puts a fresh token on every call.
type bearer struct {
	token func(token.Scope) (string, error)
}

func (b bearer) authorize(procedure string, h http.Header) error {
	secret, err := b.token(scopeOf(procedure))
	if err != nil {
		return err
	}
	h.Set("Authorization", "Bearer "+secret)
	return nil
}

// WrapUnary implements connect.Interceptor.
func (b bearer) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		if err := b.authorize(req.Spec().Procedure, req.Header()); err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		return next(ctx, req)
	}
}

// WrapStreamingClient implements connect.Interceptor.
func (b bearer) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		conn := next(ctx, spec)
		if err := b.authorize(spec.Procedure, conn.RequestHeader()); err != nil {
			return failedConn{conn, err}
		}
		return conn
	}
}

// WrapStreamingHandler implements connect.Interceptor.
func (bearer) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}

// failedConn is a stream that could not be authorized.
type failedConn struct {
	connect.StreamingClientConn
	err error
}

// Send fails.
func (c failedConn) Send(any) error { return c.err }
