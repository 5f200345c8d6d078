package token

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"

	markettypes "github.com/souk-network/souk/x/market/types"
)

var now = time.Unix(1_800_000_000, 0)

func newSigner(t testing.TB) Signer {
	t.Helper()
	key := secp256k1.GenPrivKey()
	public, ok := key.PubKey().(*secp256k1.PubKey)
	require.True(t, ok)
	return Signer{Public: public, Sign: key.Sign}
}

func grant() Grant {
	return Grant{ChainID: "souk-1", Provider: "souk1provider", Lease: 7, Scopes: []Scope{ScopeStatus, ScopeLogs}}
}

func verifier(at time.Time) Verifier {
	return Verifier{ChainID: "souk-1", Provider: "souk1provider", Now: func() time.Time { return at }}
}

func TestATokenSaysWhoMayDoWhat(t *testing.T) {
	s := newSigner(t)
	raw, err := Issue(s, grant(), now)
	require.NoError(t, err)
	g, err := verifier(now.Add(Lifetime)).Verify(raw)
	require.NoError(t, err)
	owner, err := addressOf(s.Public)
	require.NoError(t, err)
	require.Equal(t, owner, g.Owner)
	require.True(t, now.Add(Lifetime).Equal(g.ExpiresAt))
	require.NoError(t, g.Allows(ScopeLogs, 7, 1))
	require.ErrorIs(t, g.Allows(ScopePush, 7, 1), ErrScope)
	require.ErrorIs(t, g.Allows(ScopeLogs, 8, 1), ErrElsewhere)
}

func TestADeploymentTokenIsGoodForItsLeasesOnly(t *testing.T) {
	g := grant()
	g.Lease, g.Deployment = 0, 3
	raw, err := Issue(newSigner(t), g, now)
	require.NoError(t, err)
	g, err = verifier(now).Verify(raw)
	require.NoError(t, err)
	require.NoError(t, g.Allows(ScopeStatus, 99, 3))
	require.ErrorIs(t, g.Allows(ScopeStatus, 99, 4), ErrElsewhere)
}

func TestAnAccessKeySignsForAnOwner(t *testing.T) {
	owner, err := addressOf(newSigner(t).Public)
	require.NoError(t, err)
	for _, amino := range []bool{false, true} {
		s := newSigner(t)
		s.Amino = amino
		issuer, err := addressOf(s.Public)
		require.NoError(t, err)
		g := grant()
		g.Owner = owner
		raw, err := Issue(s, g, now)
		require.NoError(t, err)
		g, err = verifier(now).Verify(raw)
		require.NoError(t, err)
		require.Equal(t, owner, g.Owner)
		require.Equal(t, issuer, g.Issuer)
	}
}

func TestAnOwnerIsItsOwnIssuer(t *testing.T) {
	s := newSigner(t)
	g := grant()
	var err error
	g.Owner, err = addressOf(s.Public)
	require.NoError(t, err)
	raw, err := Issue(s, g, now)
	require.NoError(t, err)
	got, err := verifier(now).Verify(raw)
	require.NoError(t, err)
	require.Equal(t, g.Owner, got.Issuer)
	require.Equal(t, g.Owner, got.Owner)
	g.Owner = "souk1nobody"
	_, err = Issue(s, g, now)
	require.ErrorIs(t, err, ErrInvalid)
}

func TestAccessKeysMayAtAProviderWhatTheChainLetsThem(t *testing.T) {
	const read, exec = markettypes.Scope_SCOPE_READ, markettypes.Scope_SCOPE_EXEC
	const manage, watch = markettypes.Scope_SCOPE_MANAGE, markettypes.Scope_SCOPE_WATCH
	tests := []struct {
		on   []markettypes.Scope
		want []Scope
	}{
		{nil, nil},
		{[]markettypes.Scope{read}, []Scope{ScopeStatus, ScopeLogs, ScopeEvents}},
		{[]markettypes.Scope{exec}, []Scope{ScopeExec}},
		{[]markettypes.Scope{manage}, []Scope{ScopeManifest, ScopeStatus, ScopeLogs, ScopePush, ScopeEvents}},
		{[]markettypes.Scope{watch}, []Scope{ScopeManifest, ScopeStatus, ScopeEvents}},
		{[]markettypes.Scope{read, exec, manage, watch}, AllScopes},
		{[]markettypes.Scope{99}, nil},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, ScopesOf(tt.on), "%v", tt.on)
	}
	for number := range markettypes.Scope_name {
		if s := markettypes.Scope(number); s != markettypes.Scope_SCOPE_UNSPECIFIED {
			require.NotEmpty(t, ScopesOf([]markettypes.Scope{s}), "%s", s)
		}
	}
}

// The tokens of keplr.json were made by the wallet's library and signed by CosmJS: see keplr.js.
func TestTokensThatAWalletSignedAreTaken(t *testing.T) {
	file, err := os.ReadFile("testdata/keplr.json")
	require.NoError(t, err)
	var vectors []struct {
		Name, Issuer, Token, Key string
		Document                 []byte
	}
	require.NoError(t, json.Unmarshal(file, &vectors))
	require.Len(t, vectors, 3)
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			g, err := verifier(now).Verify(v.Token)
			require.NoError(t, err)
			require.Equal(t, v.Issuer, g.Issuer)
			secret, err := hex.DecodeString(v.Key)
			require.NoError(t, err)
			key := &secp256k1.PrivKey{Key: secret}
			public, ok := key.PubKey().(*secp256k1.PubKey)
			require.True(t, ok)
			text := v.Token[:strings.LastIndex(v.Token, ".")]
			document, err := signDocument(public, text)
			require.NoError(t, err)
			require.Equal(t, string(v.Document), string(document))
			signature, err := (adr036{}).Sign(text, Signer{Public: public, Sign: key.Sign, Amino: true})
			require.NoError(t, err)
			require.Equal(t, v.Token, text+"."+base64.RawURLEncoding.EncodeToString(signature), "both sign deterministically")
			_, err = verifier(now).Verify(highS(t, v.Token))
			require.ErrorIs(t, err, ErrInvalid)
			_, err = verifier(now.Add(Lifetime + Leeway + time.Second)).Verify(v.Token)
			require.ErrorIs(t, err, ErrExpired)
		})
	}
}

func TestTokensThatAreRefused(t *testing.T) {
	s := newSigner(t)
	issue := func(change func(*Grant)) string {
		g := grant()
		change(&g)
		raw, err := Issue(s, g, now)
		require.NoError(t, err)
		return raw
	}
	good := issue(func(*Grant) {})
	tests := []struct {
		name string
		raw  string
		at   time.Time
		want error
	}{
		{"expired", good, now.Add(Lifetime + Leeway + time.Second), ErrExpired},
		{"issued in the future", good, now.Add(-Leeway - time.Second), ErrInvalid},
		{"another provider's", issue(func(g *Grant) { g.Provider = "souk1other" }), now, ErrElsewhere},
		{"another network's", issue(func(g *Grant) { g.ChainID = "souk-2" }), now, ErrElsewhere},
		{"alg none", withHeader(t, good, func(h map[string]any) { h["alg"] = "none" }, ""), now, ErrInvalid},
		{"alg HS256 keyed with the public key", hs256(t, s, good), now, ErrInvalid},
		{"no key in the header", withHeader(t, good, func(h map[string]any) { delete(h, "jwk") }, "x"), now, ErrInvalid},
		{"a key that is not the issuer's", foreignKey(t, good), now, ErrInvalid},
		{"a point off the curve", withHeader(t, good, func(h map[string]any) {
			h["jwk"].(map[string]any)["y"] = base64.RawURLEncoding.EncodeToString(make([]byte, 32))
		}, "x"), now, ErrInvalid},
		{"a key on another curve", withHeader(t, good, func(h map[string]any) { h["jwk"].(map[string]any)["crv"] = "P-256" }, "x"), now, ErrInvalid},
		{"an RSA key", withHeader(t, good, func(h map[string]any) { h["jwk"] = map[string]any{"kty": "RSA", "n": "AQAB", "e": "AQAB"} }, "x"), now, ErrInvalid},
		{"a plain signature said to be a wallet's", resigned(t, s, good, "ADR036", s.Sign), now, ErrInvalid},
		{"a wallet's signature said to be plain", resigned(t, s, good, "ES256K", func(text []byte) ([]byte, error) {
			return adr036{}.Sign(string(text), s)
		}), now, ErrInvalid},
		{"a wallet's signature for another signer", resigned(t, s, good, "ADR036", func(text []byte) ([]byte, error) {
			document, err := signDocument(newSigner(t).Public, string(text))
			require.NoError(t, err)
			return s.Sign(document)
		}), now, ErrInvalid},
		{"an owner that is no account", raw(t, s, func(c *claims) { c.Owner = "alice" }), now, ErrInvalid},
		{"an owner on another kind of network", raw(t, s, func(c *claims) { c.Owner = "cosmos1qyqszqgpqyqszqgpqyqszqgpqyqszqgpjnp7du" }), now, ErrInvalid},
		{"changed claims", changedClaims(t, good), now, ErrInvalid},
		{"a signature with the high s", highS(t, good), now, ErrInvalid},
		{"another audience", raw(t, s, func(c *claims) { c.Audience = jwt.ClaimStrings{"elsewhere"} }), now, ErrInvalid},
		{"no expiry", raw(t, s, func(c *claims) { c.ExpiresAt = nil }), now, ErrInvalid},
		{"no time of issue", raw(t, s, func(c *claims) { c.IssuedAt = nil }), now, ErrInvalid},
		{"good for a day", raw(t, s, func(c *claims) { c.ExpiresAt = jwt.NewNumericDate(now.Add(24 * time.Hour)) }), now, ErrInvalid},
		{"neither lease nor deployment", raw(t, s, func(c *claims) { c.Lease = 0 }), now, ErrInvalid},
		{"both lease and deployment", raw(t, s, func(c *claims) { c.Deployment = 1 }), now, ErrInvalid},
		{"empty", "", now, ErrInvalid},
		{"too long", good + strings.Repeat("A", maxBytes), now, ErrInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := verifier(tt.at).Verify(tt.raw)
			require.ErrorIs(t, err, tt.want)
		})
	}
}

func TestATokenThatWouldBeRefusedIsNotIssued(t *testing.T) {
	g := grant()
	g.ExpiresAt = now.Add(time.Hour)
	_, err := Issue(newSigner(t), g, now)
	require.ErrorIs(t, err, ErrInvalid)
}

func FuzzVerify(f *testing.F) {
	// Workers of the fuzzer are processes of their own: the one good token must be the same in all.
	key := secp256k1.GenPrivKeyFromSecret([]byte("fuzz"))
	public, ok := key.PubKey().(*secp256k1.PubKey)
	require.True(f, ok)
	good, err := Issue(Signer{Public: public, Sign: key.Sign}, grant(), now)
	require.NoError(f, err)
	wallet, err := Issue(Signer{Public: public, Sign: key.Sign, Amino: true}, grant(), now)
	require.NoError(f, err)
	g := grant()
	g.Owner = "souk1qyqszqgpqyqszqgpqyqszqgpqyqszqgpswkvju"
	foreign, err := Issue(Signer{Public: public, Sign: key.Sign}, g, now)
	require.NoError(f, err)
	issued := []string{good, wallet, foreign}
	for _, raw := range issued {
		f.Add(raw)
	}
	f.Add("a.b.c")
	f.Add(withHeader(f, good, func(h map[string]any) { h["jwk"] = []int{1} }, "x"))
	f.Fuzz(func(t *testing.T, raw string) {
		g, err := verifier(now).Verify(raw)
		if err == nil && !slices.Contains(issued, raw) {
			t.Fatalf("a forged token was taken: %q says %+v", raw, g)
		}
	})
}

// raw signs claims that Issue would not.
func raw(t testing.TB, s Signer, change func(*claims)) string {
	t.Helper()
	owner, err := addressOf(s.Public)
	require.NoError(t, err)
	c := &claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: owner, Audience: jwt.ClaimStrings{Audience},
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(Lifetime)),
		},
		ChainID: "souk-1", Provider: "souk1provider", Lease: 7, Scopes: AllScopes,
	}
	change(c)
	token := jwt.NewWithClaims(s.method(), c)
	token.Header["jwk"], err = encodeKey(s.Public)
	require.NoError(t, err)
	text, err := token.SignedString(s)
	require.NoError(t, err)
	return text
}

// withHeader changes the header and, when given, the signature.
func withHeader(t testing.TB, good string, change func(map[string]any), signature string) string {
	t.Helper()
	parts := strings.Split(good, ".")
	header := map[string]any{}
	text, err := base64.RawURLEncoding.DecodeString(parts[0])
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &header))
	change(header)
	text, err = json.Marshal(header)
	require.NoError(t, err)
	if signature != "" {
		signature = parts[2]
	}
	return base64.RawURLEncoding.EncodeToString(text) + "." + parts[1] + "." + signature
}

func hs256(t testing.TB, s Signer, good string) string {
	t.Helper()
	unsigned := withHeader(t, good, func(h map[string]any) { h["alg"] = "HS256" }, "")
	unsigned = strings.TrimSuffix(unsigned, ".")
	signature, err := jwt.SigningMethodHS256.Sign(unsigned, s.Public.Key)
	require.NoError(t, err)
	return unsigned + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// foreignKey signs somebody else's claims with a key of one's own.
func foreignKey(t testing.TB, good string) string {
	t.Helper()
	thief := newSigner(t)
	text := withHeader(t, good, func(h map[string]any) {
		key, err := encodeKey(thief.Public)
		require.NoError(t, err)
		h["jwk"] = key
	}, "")
	text = strings.TrimSuffix(text, ".")
	signature, err := thief.Sign([]byte(text))
	require.NoError(t, err)
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// resigned says another algorithm and signs that.
func resigned(t testing.TB, s Signer, good, alg string, sign func([]byte) ([]byte, error)) string {
	t.Helper()
	text := strings.TrimSuffix(withHeader(t, good, func(h map[string]any) { h["alg"] = alg }, ""), ".")
	signature, err := sign([]byte(text))
	require.NoError(t, err)
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func changedClaims(t testing.TB, good string) string {
	t.Helper()
	parts := strings.Split(good, ".")
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	changed := strings.Replace(string(text), `"lease":"7"`, `"lease":"8"`, 1)
	require.NotEqual(t, string(text), changed)
	return parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(changed)) + "." + parts[2]
}

// highS mirrors s, which plain ECDSA would take.
func highS(t testing.TB, good string) string {
	t.Helper()
	parts := strings.Split(good, ".")
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	require.NoError(t, err)
	s := scalar(signature[32:])
	s.Negate()
	high := s.Bytes()
	copy(signature[32:], high[:])
	return parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(signature)
}
