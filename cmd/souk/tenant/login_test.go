package tenant

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/token"
	markettypes "github.com/souk-network/souk/x/market/types"
)

var errKeyring = errors.New("the keyring was opened")

// loggedIn is an authority whose account key nobody may use.
func loggedIn(t *testing.T, expires time.Time, scopes ...string) (*authority, login) {
	t.Helper()
	l := loginsIn(t.TempDir(), "chain-a")
	item, err := newLogin("chain-a", "souk1owner", "alice", &open{Deployment: markettypes.Deployment{Id: 3, Name: "shop"}}, scopes, expires)
	require.NoError(t, err)
	require.NoError(t, l.keep(item))
	return &authority{
		chainID: "chain-a", owner: "souk1owner", logins: l,
		account: func() (token.Signer, error) { return token.Signer{}, errKeyring },
	}, item
}

func TestASessionKeyStandsInForTheAccountsKeyAsFarAsItsScopesGo(t *testing.T) {
	a, item := loggedIn(t, time.Now().Add(time.Hour), "read", "exec")
	lease := markettypes.Lease{Id: 7, Deployment: 3, Provider: "souk1provider"}
	for _, s := range []token.Scope{token.ScopeStatus, token.ScopeLogs, token.ScopeEvents, token.ScopeExec} {
		signer, expires, err := a.signer(lease.Deployment, s, time.Now())
		require.NoError(t, err, s)
		require.WithinDuration(t, item.Expires, expires, 0)
		require.NotNil(t, signer.Public)
	}
	for _, s := range []token.Scope{token.ScopeManifest, token.ScopePush} {
		_, _, err := a.signer(lease.Deployment, s, time.Now())
		require.ErrorIs(t, err, errKeyring, s)
	}
	_, _, err := a.signer(4, token.ScopeStatus, time.Now())
	require.ErrorIs(t, err, errKeyring, "another deployment")
	_, _, err = a.signer(3, token.ScopeStatus, item.Expires)
	require.ErrorIs(t, err, errKeyring, "it has expired")
	a.owner = "souk1other"
	_, _, err = a.signer(3, token.ScopeStatus, time.Now())
	require.ErrorIs(t, err, errKeyring, "another owner's")
}

func TestATokenOfASessionKeyEndsWithIt(t *testing.T) {
	const owner = "souk1v5p39lf5msrmxt9ggq9em5tze6esd05l963xch"
	a, item := loggedIn(t, time.Now().Add(5*time.Minute).Truncate(time.Second), "read")
	item.Owner, a.owner = owner, owner
	require.NoError(t, a.logins.keep(item))
	raw, err := a.token(markettypes.Lease{Id: 7, Deployment: 3, Provider: "souk1provider"}, token.ScopeLogs)
	require.NoError(t, err)
	grant, err := token.Verifier{ChainID: "chain-a", Provider: "souk1provider"}.Verify(raw)
	require.NoError(t, err)
	require.Equal(t, item.Address, grant.Issuer)
	require.Equal(t, owner, grant.Owner)
	require.Equal(t, []token.Scope{token.ScopeLogs}, grant.Scopes, "no more than is needed")
	require.WithinDuration(t, item.Expires, grant.ExpiresAt, 0)
}

func TestASessionKeyIsForItsOwnerAlone(t *testing.T) {
	a, item := loggedIn(t, time.Now().Add(time.Hour), "read")
	info, err := os.Stat(a.logins.file(3))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	owner, err := a.logins.ownerOf("alice", time.Now())
	require.NoError(t, err)
	require.Equal(t, item.Owner, owner)
	owner, err = a.logins.ownerOf("bob", time.Now())
	require.NoError(t, err)
	require.Empty(t, owner)
	require.NoError(t, a.logins.forget(3))
	require.NoError(t, a.logins.forget(3), "forgetting twice is no error")
	_, found, err := a.logins.of(3)
	require.NoError(t, err)
	require.False(t, found)
}

func TestExpiredAccessKeysAreDroppedWhenOthersChange(t *testing.T) {
	key := func(address string, expires uint64) markettypes.AccessKey {
		return markettypes.AccessKey{Address: address, ExpiresAt: expires}
	}
	before := []markettypes.AccessKey{key("a", 0), key("c", 50), key("d", 101), key("e", 0)}
	require.Equal(t, []markettypes.AccessKey{key("a", 0), key("b", 200), key("d", 101)},
		keysWith(before, 100, []string{"e"}, key("b", 200)))
	require.Len(t, before, 4, "the list itself stays")
}
