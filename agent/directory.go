package agent

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/souk-network/souk/agent/peer"
	"github.com/souk-network/souk/agent/token"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

const (
	// describedFor is how long what the chain says of a provider is good: its address and its TLS keys may change.
	describedFor = 30 * time.Second
	// maxDescribed providers are remembered.
	maxDescribed = 4096
	// fetchTokenLife is that of a token for another provider.
	fetchTokenLife = 5 * time.Minute
)

// directory remembers how the chain describes other providers, and signs what is shown to them.
type directory struct {
	mu   sync.Mutex
	of   map[string]described
	sign sync.Mutex // one signature at a time: keyrings read from files
}

type described struct {
	provider providertypes.Provider
	at       time.Time
}

// providerOf describes a provider.
func (a *Agent) providerOf(ctx context.Context, operator string) (providertypes.Provider, error) {
	a.directory.mu.Lock()
	known, ok := a.directory.of[operator]
	a.directory.mu.Unlock()
	if ok && time.Since(known.at) < describedFor {
		return known.provider, nil
	}
	res, err := a.chain.Provider.Provider(ctx, &providertypes.QueryProviderRequest{Operator: operator})
	if err != nil {
		return providertypes.Provider{}, fmt.Errorf("read provider %s: %w", operator, err)
	}
	a.directory.mu.Lock()
	defer a.directory.mu.Unlock()
	if a.directory.of == nil || len(a.directory.of) >= maxDescribed {
		a.directory.of = map[string]described{}
	}
	a.directory.of[operator] = described{res.Provider, time.Now()}
	return res.Provider, nil
}

// dial prepares calls to another provider.
func (a *Agent) dial(ctx context.Context, operator string) (*peer.Gateway, error) {
	p, err := a.providerOf(ctx, operator)
	if err != nil {
		return nil, err
	}
	return peer.Dial(p, a.cfg.AllowPrivatePeers)
}

// fetchToken shows another provider that this one holds a lease.
func (a *Agent) fetchToken(to string, lease uint64) (string, error) {
	a.directory.sign.Lock()
	defer a.directory.sign.Unlock()
	now := time.Now()
	raw, err := token.Issue(a.signer, token.Grant{
		ChainID: a.cfg.Client.ChainID, Provider: to, Lease: lease, Scopes: []token.Scope{token.ScopeFetch}, ExpiresAt: now.Add(fetchTokenLife),
	}, now)
	if err != nil {
		return "", fmt.Errorf("sign a token for provider %s: %w", to, err)
	}
	return raw, nil
}
