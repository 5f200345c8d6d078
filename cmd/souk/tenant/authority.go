package tenant

import (
	"sync"
	"time"

	"github.com/souk-network/souk/agent/token"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/session"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// authority signs tokens for providers: with a deployment's session key where it suffices, else with the account's key,
// which is not touched before.
type authority struct {
	chainID string
	owner   string
	private bool // gateways may be at addresses that are not public
	logins  logins
	account func() (token.Signer, error)
}

func newAuthority(s *session.Session, owner string) *authority {
	return &authority{
		chainID: s.Context.ChainID, owner: owner, private: s.Context.AllowPrivatePeers, logins: loginsIn(s.Home, s.Context.ChainID),
		account: sync.OnceValues(func() (token.Signer, error) {
			ring, err := s.Keyring()
			if err != nil {
				return token.Signer{}, err
			}
			return token.KeyringSigner(ring, s.Context.From)
		}),
	}
}

// token makes a token for one lease that allows one thing.
func (a *authority) token(lease markettypes.Lease, allows token.Scope) (string, error) {
	return a.issue(lease.Deployment, allows, token.Grant{Provider: lease.Provider, Lease: lease.Id})
}

// custody makes a token for what a provider keeps of a deployment.
func (a *authority) custody(provider string, deployment uint64, allows token.Scope) (string, error) {
	return a.issue(deployment, allows, token.Grant{Provider: provider, Deployment: deployment})
}

func (a *authority) issue(deployment uint64, allows token.Scope, grant token.Grant) (string, error) {
	now := time.Now()
	grant.ChainID, grant.Owner, grant.Scopes = a.chainID, a.owner, []token.Scope{allows}
	signer, expires, err := a.signer(deployment, allows, now)
	if err != nil {
		return "", err
	}
	if !expires.IsZero() && expires.Before(now.Add(token.Lifetime)) {
		grant.ExpiresAt = expires
	}
	return token.Issue(signer, grant, now)
}

// signer chooses the key; a session key may end before its token would.
func (a *authority) signer(deployment uint64, allows token.Scope, now time.Time) (token.Signer, time.Time, error) {
	item, found, err := a.logins.of(deployment)
	if err != nil {
		return token.Signer{}, time.Time{}, err
	}
	if found && item.Owner == a.owner && item.allows(allows, now) {
		signer, err := item.signer()
		return signer, item.Expires, err
	}
	signer, err := a.account()
	if err != nil {
		err = fault.New("sign a token for the provider", err, "souk login DEPLOYMENT makes a key that needs no password")
	}
	return signer, time.Time{}, err
}
