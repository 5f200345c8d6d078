// Package token makes and checks account tokens: short-lived JWTs by which the owner of a lease, or an access key that acts
// for the owner, shows a provider's gateway who calls. They are signed with the account's own key, so that a provider needs no
// user database and a tenant no password.
//
// It owns the format and its checks. It must not know the chain's state: whether the owner has the lease, and whether the
// access key may act for the owner, are the gateway's questions.
package token

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	"github.com/cosmos/cosmos-sdk/types/bech32"

	"github.com/souk-network/souk/app/scope"
)

const (
	// Audience is what every token is for.
	Audience = "souk.agent.v1"
	// Lifetime is the longest that a token may be good for.
	Lifetime = 15 * time.Minute
	// Leeway is how far the clocks of tenant and provider may differ.
	Leeway = 30 * time.Second
	// maxBytes bounds a token before it is parsed.
	maxBytes = 4096
)

// Scope is one thing that a token allows.
type Scope string

// The scopes.
const (
	ScopeManifest Scope = "manifest" // send it, read it back
	ScopeStatus   Scope = "status"   // usage, too
	ScopeLogs     Scope = "logs"
	ScopePush     Scope = "push" // images to the provider's registry
	ScopeExec     Scope = "exec" // commands in running replicas
	ScopeEvents   Scope = "events"
	// ScopeFetch lets a provider fetch what a lease of its own runs from who keeps it; no tenant needs it.
	ScopeFetch Scope = "fetch"
)

// AllScopes is everything that an owner may do.
var AllScopes = []Scope{ScopeManifest, ScopeStatus, ScopeLogs, ScopePush, ScopeExec, ScopeEvents}

// Errors of this package; all mean that the call is not allowed.
var (
	// ErrInvalid: malformed, wrongly signed, or of a kind that is not taken.
	ErrInvalid = errors.New("invalid token")
	// ErrExpired: it was good once.
	ErrExpired = errors.New("token has expired")
	// ErrElsewhere: it was made for another provider, network or lease.
	ErrElsewhere = errors.New("token is for somewhere else")
	// ErrScope: it does not allow this.
	ErrScope = errors.New("token does not allow this")
)

// Grant is what a token says. Exactly one of Lease and Deployment is set; a deployment stands for its leases at the provider,
// and for what the provider keeps of it as custodian. With ScopeFetch the lease is the issuer's own, at another provider.
type Grant struct {
	Issuer     string // account address of the key that signed; set by Issue
	Owner      string // of the lease; the issuer itself, or the account that an access key acts for
	ChainID    string
	Provider   string // operator address
	Lease      uint64
	Deployment uint64
	Scopes     []Scope
	ExpiresAt  time.Time // set by Issue when zero
}

// Allows checks a grant against one lease and what is to be done with it.
func (g Grant) Allows(scope Scope, lease, deployment uint64) error {
	if g.Lease != 0 && g.Lease != lease || g.Deployment != 0 && g.Deployment != deployment {
		return fmt.Errorf("%w: it is not for lease %d", ErrElsewhere, lease)
	}
	if !slices.Contains(g.Scopes, scope) {
		return fmt.Errorf("%w: it lacks the scope %q", ErrScope, scope)
	}
	return nil
}

// claims is a grant in JSON.
type claims struct {
	jwt.RegisteredClaims
	Owner      string  `json:"owner,omitempty"` // when it is not the issuer
	ChainID    string  `json:"chain"`
	Provider   string  `json:"provider"`
	Lease      uint64  `json:"lease,omitempty,string"`
	Deployment uint64  `json:"deployment,omitempty,string"`
	Scopes     []Scope `json:"scopes"`
}

// Validate is called by the parser after its own checks.
func (c *claims) Validate() error {
	switch {
	case (c.Lease == 0) == (c.Deployment == 0):
		return errors.New("names neither or both of lease and deployment")
	case c.IssuedAt == nil, c.ExpiresAt == nil:
		return errors.New("does not say when it was issued and how long it is good")
	case c.ExpiresAt.Sub(c.IssuedAt.Time) > Lifetime:
		return fmt.Errorf("is good for more than %s", Lifetime)
	case len(c.Scopes) > len(AllScopes):
		return errors.New("has too many scopes")
	}
	return c.validateOwner()
}

func (c *claims) validateOwner() error {
	if c.Owner == "" {
		return nil
	}
	if prefix, _, err := bech32.DecodeAndConvert(c.Owner); err != nil || prefix != scope.AccountPrefix {
		return errors.New("names an owner that is no account")
	}
	return nil
}

// Issue makes a token. A grant without an owner is the signer's own; with another owner the signer is an access key of the
// deployment. A Signer with Amino gives the form for wallets.
func Issue(s Signer, g Grant, now time.Time) (string, error) {
	issuer, err := addressOf(s.Public)
	if err != nil {
		return "", err
	}
	if g.Owner == issuer {
		g.Owner = ""
	}
	if g.ExpiresAt.IsZero() {
		g.ExpiresAt = now.Add(Lifetime)
	}
	c := &claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: issuer, Audience: jwt.ClaimStrings{Audience},
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(g.ExpiresAt),
		},
		Owner: g.Owner, ChainID: g.ChainID, Provider: g.Provider, Lease: g.Lease, Deployment: g.Deployment, Scopes: g.Scopes,
	}
	if err := c.Validate(); err != nil {
		return "", fmt.Errorf("%w: it %w", ErrInvalid, err)
	}
	t := jwt.NewWithClaims(s.method(), c)
	if t.Header["jwk"], err = encodeKey(s.Public); err != nil {
		return "", err
	}
	raw, err := t.SignedString(s)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return raw, nil
}

// Verifier checks the tokens that come to one provider.
type Verifier struct {
	ChainID  string
	Provider string
	Now      func() time.Time // time.Now when nil
}

// Verify checks form, signature, times, network and provider of a token.
func (v Verifier) Verify(raw string) (Grant, error) {
	if len(raw) > maxBytes {
		return Grant{}, fmt.Errorf("%w: longer than %d bytes", ErrInvalid, maxBytes)
	}
	now := v.Now
	if now == nil {
		now = time.Now
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{es256k{}.Alg(), adr036{}.Alg()}), jwt.WithStrictDecoding(),
		jwt.WithAudience(Audience), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithLeeway(Leeway), jwt.WithTimeFunc(now),
	)
	c := new(claims)
	if _, err := parser.ParseWithClaims(raw, c, issuerKey); err != nil {
		if errors.Is(err, jwt.ErrTokenExpired) {
			return Grant{}, ErrExpired
		}
		return Grant{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if c.ChainID != v.ChainID {
		return Grant{}, fmt.Errorf("%w: the network %q", ErrElsewhere, c.ChainID)
	}
	if c.Provider != v.Provider {
		return Grant{}, fmt.Errorf("%w: the provider %q", ErrElsewhere, c.Provider)
	}
	owner := c.Owner
	if owner == "" {
		owner = c.Issuer
	}
	return Grant{
		Issuer: c.Issuer, Owner: owner, ChainID: c.ChainID, Provider: c.Provider, Lease: c.Lease, Deployment: c.Deployment,
		Scopes: c.Scopes, ExpiresAt: c.ExpiresAt.Time,
	}, nil
}

// issuerKey takes the public key from the header and makes sure that it is the issuer's.
func issuerKey(t *jwt.Token) (any, error) {
	key, err := decodeKey(t.Header["jwk"])
	if err != nil {
		return nil, err
	}
	address, err := addressOf(key)
	if err != nil {
		return nil, err
	}
	if issuer, err := t.Claims.GetIssuer(); err != nil || issuer != address {
		return nil, errors.New("its key is not the issuer's")
	}
	return key, nil
}

func addressOf(key *secp256k1.PubKey) (string, error) {
	if key == nil || len(key.Key) != secp256k1.PubKeySize {
		return "", errors.New("want a secp256k1 key")
	}
	return bech32.ConvertAndEncode(scope.AccountPrefix, key.Address())
}
