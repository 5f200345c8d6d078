package keeper_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/provider/keeper"
	"github.com/souk-network/souk/x/provider/types"
)

func attest(b *bench, auditor, provider string, expires uint64, labels ...types.AttestedLabel) *types.MsgAttest {
	return &types.MsgAttest{Auditor: b.name(auditor), Provider: b.name(provider), ExpiresAt: expires, Labels: labels}
}

func revoke(b *bench, auditor, provider string) *types.MsgRevokeAttestation {
	return &types.MsgRevokeAttestation{Auditor: b.name(auditor), Provider: b.name(provider)}
}

// update says again what the registration of a name said, with auditors.
func update(b *bench, name string, auditors ...string) *types.MsgUpdate {
	r := b.registration(name)
	for _, auditor := range auditors {
		r.Auditors = append(r.Auditors, b.name(auditor))
	}
	return &types.MsgUpdate{
		Operator: r.Operator, Payout: r.Payout, GatewayUri: r.GatewayUri, TlsKeys: r.TlsKeys, Info: r.Info, Auditors: r.Auditors,
	}
}

func (b *bench) attested(provider string) []types.Attestation {
	b.t.Helper()
	attestations, err := b.Provider.AttestationsOf(b.Ctx(), chain.Account(provider))
	require.NoError(b.t, err)
	return attestations
}

func TestAnAuditorVouchesForAProviderThatNamesIt(t *testing.T) {
	b, above := startUnder(t)
	b.register("acme")
	b.agrees(update(b, "acme", "auditor"))
	arch := types.AttestedLabel{Key: "arch", Value: "amd64"}
	b.pass(2)
	b.agrees(attest(b, "auditor", "acme", 10, arch))
	b.saw(&types.EventAttested{Provider: b.name("acme"), Auditor: b.name("auditor"), ExpiresAt: 10})
	want := types.Attestation{
		Provider: b.name("acme"), Auditor: b.name("auditor"), Labels: []types.AttestedLabel{arch}, ExpiresAt: 10, AttestedAt: 3,
	}
	require.Equal(t, []types.Attestation{want}, b.attested("acme"))
	require.True(t, want.CountsAt(9))
	require.False(t, want.CountsAt(10))
	b.agrees(attest(b, "auditor", "acme", 20))
	require.Empty(t, b.attested("acme")[0].Labels, "it replaces what was said")
	b.pass(30)
	require.Len(t, b.attested("acme"), 1, "an expired one stays until it is replaced, revoked or dropped")
	b.agrees(revoke(b, "auditor", "acme"))
	b.saw(&types.EventAttested{Provider: b.name("acme"), Auditor: b.name("auditor")})
	require.Empty(t, b.attested("acme"))
	b.refused(types.ErrNoAttestation, revoke(b, "auditor", "acme"))
	heard := "attested " + b.name("acme")
	require.Equal(t, []string{heard, heard, heard}, above.heard)

	above.err = errors.New("no")
	b.refused(above.err, attest(b, "auditor", "acme", 100))
}

func TestAttestationsAreRefused(t *testing.T) {
	b := start(t)
	b.register("acme")
	b.agrees(update(b, "acme", "auditor"))
	good := func() *types.MsgAttest {
		return attest(b, "auditor", "acme", 100, types.AttestedLabel{Key: "a", Value: "b"})
	}
	many := make([]types.AttestedLabel, 33)
	for name, c := range map[string]struct {
		spoil func(m *types.MsgAttest)
		want  error
	}{
		"by a stranger":         {func(m *types.MsgAttest) { m.Auditor = b.name("stranger") }, types.ErrNotAuditor},
		"by the provider":       {func(m *types.MsgAttest) { m.Auditor = b.name("acme") }, types.ErrNotAuditor},
		"by nobody":             {func(m *types.MsgAttest) { m.Auditor = "" }, types.ErrInvalidAddress},
		"of a stranger":         {func(m *types.MsgAttest) { m.Provider = b.name("stranger") }, types.ErrNotFound},
		"of nobody":             {func(m *types.MsgAttest) { m.Provider = "" }, types.ErrInvalidAddress},
		"that is over":          {func(m *types.MsgAttest) { m.ExpiresAt = 1 }, types.ErrInvalidAttestation},
		"for a lifetime":        {func(m *types.MsgAttest) { m.ExpiresAt = 2 + 2*365*24*3600 }, types.ErrInvalidAttestation},
		"with too many labels":  {func(m *types.MsgAttest) { m.Labels = many }, types.ErrInvalidAttestation},
		"with an empty key":     {func(m *types.MsgAttest) { m.Labels[0].Key = "" }, types.ErrInvalidAttestation},
		"with a long key":       {func(m *types.MsgAttest) { m.Labels[0].Key = strings.Repeat("k", 65) }, types.ErrInvalidAttestation},
		"with a space in a key": {func(m *types.MsgAttest) { m.Labels[0].Key = "a b" }, types.ErrInvalidAttestation},
		"with a long value":     {func(m *types.MsgAttest) { m.Labels[0].Value = strings.Repeat("v", 129) }, types.ErrInvalidAttestation},
		"with controls":         {func(m *types.MsgAttest) { m.Labels[0].Value = "\x1b" }, types.ErrInvalidAttestation},
		"with a label twice":    {func(m *types.MsgAttest) { m.Labels = append(m.Labels, m.Labels[0]) }, types.ErrInvalidAttestation},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			bad := good()
			c.spoil(bad)
			b.refused(c.want, bad)
		})
	}
	b.t = t
	b.refused(types.ErrInvalidAddress, &types.MsgRevokeAttestation{Auditor: "x", Provider: b.name("acme")})
	b.refused(types.ErrInvalidAddress, &types.MsgRevokeAttestation{Auditor: b.name("auditor"), Provider: "x"})
	b.refused(types.ErrNoAttestation, revoke(b, "auditor", "stranger"))
}

func TestDroppingAnAuditorDropsWhatItSaid(t *testing.T) {
	b, above := startUnder(t)
	b.register("acme")
	b.agrees(update(b, "acme", "auditor", "second"))
	b.agrees(attest(b, "auditor", "acme", 100), attest(b, "second", "acme", 100))
	above.heard = nil
	b.agrees(update(b, "acme", "second", "third"))
	require.Equal(t, []string{"attested " + b.name("acme")}, above.heard)
	require.Len(t, b.attested("acme"), 1)
	require.Equal(t, b.name("second"), b.attested("acme")[0].Auditor)
	b.agrees(update(b, "acme", "second"))
	require.Len(t, above.heard, 1, "nothing was dropped this time")
	b.refused(types.ErrNotAuditor, attest(b, "auditor", "acme", 100))

	eight := []string{"1", "2", "3", "4", "5", "6", "7", "8"}
	b.agrees(update(b, "acme", eight...))
	require.Empty(t, b.attested("acme"))
	b.refused(types.ErrInvalidAuditors, update(b, "acme", append(eight, "9")...))
	b.refused(types.ErrInvalidAuditors, update(b, "acme", "1", "1"))
	nobody := update(b, "acme")
	nobody.Auditors = []string{"nobody"}
	b.refused(types.ErrInvalidAuditors, nobody)
}

func TestAttestAndRevokeInOneBlockAndTheOtherWayRound(t *testing.T) {
	b := start(t)
	b.register("acme")
	b.agrees(update(b, "acme", "auditor"), attest(b, "auditor", "acme", 100), revoke(b, "auditor", "acme"))
	require.Empty(t, b.attested("acme"))
	b.agrees(attest(b, "auditor", "acme", 100), attest(b, "auditor", "acme", 100), revoke(b, "auditor", "acme"), attest(b, "auditor", "acme", 50))
	require.Len(t, b.attested("acme"), 1)
}

func TestAttestationsAreListedByProviderAndByAuditor(t *testing.T) {
	b := start(t)
	q := keeper.NewQueryServer(b.Provider)
	for _, name := range []string{"acme", "other", "third"} {
		b.register(name)
		b.agrees(update(b, name, "auditor", "second"), attest(b, "auditor", name, 100))
	}
	b.agrees(attest(b, "second", "acme", 100))
	of, err := q.Attestations(b.Ctx(), &types.QueryAttestationsRequest{Operator: b.name("acme")})
	require.NoError(t, err)
	require.Equal(t, b.attested("acme"), of.Attestations)
	require.Len(t, of.Attestations, 2)

	var found []string
	page := &query.PageRequest{Limit: 2}
	for range 2 {
		by, err := q.AttestationsBy(b.Ctx(), &types.QueryAttestationsByRequest{Auditor: b.name("auditor"), Pagination: page})
		require.NoError(t, err)
		for _, a := range by.Attestations {
			require.Equal(t, b.name("auditor"), a.Auditor)
			found = append(found, a.Provider)
		}
		page.Key = by.Pagination.NextKey
	}
	require.ElementsMatch(t, []string{b.name("acme"), b.name("other"), b.name("third")}, found)

	_, err = q.Attestations(b.Ctx(), nil)
	require.ErrorIs(t, err, types.ErrInvalidRequest)
	_, err = q.Attestations(b.Ctx(), &types.QueryAttestationsRequest{Operator: "acme"})
	require.ErrorIs(t, err, types.ErrInvalidAddress)
	_, err = q.AttestationsBy(b.Ctx(), nil)
	require.ErrorIs(t, err, types.ErrInvalidRequest)
	_, err = q.AttestationsBy(b.Ctx(), &types.QueryAttestationsByRequest{Auditor: "x"})
	require.ErrorIs(t, err, types.ErrInvalidAddress)
	_, err = q.AttestationsBy(b.Ctx(), &types.QueryAttestationsByRequest{
		Auditor: b.name("auditor"), Pagination: &query.PageRequest{Key: []byte("x"), Offset: 1},
	})
	require.ErrorIs(t, err, types.ErrInvalidRequest)
	_, err = q.Unbondings(b.Ctx(), nil)
	require.ErrorIs(t, err, types.ErrInvalidRequest)
	_, err = q.Unbondings(b.Ctx(), &types.QueryUnbondingsRequest{Operator: "x"})
	require.ErrorIs(t, err, types.ErrInvalidAddress)
}
