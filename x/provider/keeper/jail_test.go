package keeper_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/provider/types"
)

func (b *bench) jail(provider string, seconds uint64, bps uint32) *types.MsgJail {
	return &types.MsgJail{Authority: b.Authority, Provider: b.name(provider), Seconds: seconds, SlashBps: bps, Reason: "served nobody"}
}

func TestGovernanceJailsAProviderAtThatSecondAndSlashesWhatItHasAtStake(t *testing.T) {
	b, above := startUnder(t)
	operator := b.register("acme", chain.Coin(500), sdk.NewInt64Coin(ibcDenom, 9))
	b.unbond("acme", chain.Coin(400))
	b.pass(5)
	b.agrees(b.jail("acme", 60, 5_000))
	b.saw(&types.EventJailed{Provider: b.name("acme"), Second: 6, Until: 66, Reason: "served nobody"})
	require.Equal(t, []string{fmt.Sprintf("jailed %s, 1, at 6", b.name("acme"))}, above.heard)
	provider := b.provider(operator)
	require.True(t, provider.Jailed())
	require.Equal(t, []uint64{6, 66}, []uint64{provider.JailedAt, provider.JailedUntil})
	require.Equal(t, "5"+ibcDenom, provider.Bond.String())
	require.Equal(t, []string{"1: 250usouk at 101"}, b.unbondings("acme"))
	require.Equal(t, int64(125), b.CommunityPool())
	record, err := b.Provider.RecordOf(b.Ctx(), operator)
	require.NoError(t, err)
	require.Equal(t, types.Record{Provider: b.name("acme"), Jailings: 1}, record)
}

func TestAJailedProviderComesBackExactlyAtItsSecondWithTheBondItNeeds(t *testing.T) {
	b, above := startUnder(t)
	operator := b.register("acme", chain.Coin(500))
	back := &types.MsgUnjail{Operator: b.name("acme")}
	b.refused(types.ErrNotJailed, back)
	b.agrees(b.jail("acme", 60, 0))
	b.refused(types.ErrJailed, back)
	b.pass(59)
	b.refused(types.ErrJailed, back)
	b.pass(1)
	b.refused(types.ErrNotFound, &types.MsgUnjail{Operator: b.name("acme's agent")})
	b.refused(types.ErrInvalidAddress, &types.MsgUnjail{Operator: "acme"})
	above.asks[b.name("acme")] = sdk.NewCoins(chain.Coin(501))
	b.refused(types.ErrBondRequired, back)
	above.asks[b.name("acme")] = sdk.NewCoins(chain.Coin(500))
	above.heard = nil
	b.agrees(back)
	b.saw(&types.EventUnjailed{Provider: b.name("acme")})
	require.Equal(t, []string{"unjailed " + b.name("acme")}, above.heard)
	provider := b.provider(operator)
	require.False(t, provider.Jailed())
	require.Equal(t, uint64(1), provider.JailedAt, "when it was jailed stays known")
	b.refused(types.ErrNotJailed, back)
}

func TestJailingAJailedProviderMakesItWaitLongerAndEndsNothingAgain(t *testing.T) {
	b, above := startUnder(t)
	operator := b.register("acme", chain.Coin(1_000))
	b.agrees(b.jail("acme", 60, 1_000), b.jail("acme", 10, 1_000))
	provider := b.provider(operator)
	require.Equal(t, []uint64{1, 71}, []uint64{provider.JailedAt, provider.JailedUntil})
	b.pass(100)
	b.agrees(b.jail("acme", 10, 0))
	provider = b.provider(operator)
	require.Equal(t, []uint64{1, 111}, []uint64{provider.JailedAt, provider.JailedUntil}, "it counts from now when its time is over")
	require.Len(t, above.heard, 1)
	require.Equal(t, "810usouk", provider.Bond.String())
	record, err := b.Provider.RecordOf(b.Ctx(), operator)
	require.NoError(t, err)
	require.Equal(t, uint64(3), record.Jailings)
}

func TestJailAndUnjailInOneBlockAndTheOtherWayRound(t *testing.T) {
	b := start(t)
	operator := b.register("acme", chain.Coin(1_000))
	back := &types.MsgUnjail{Operator: b.name("acme")}
	require.ErrorIs(t, b.Deliver(b.jail("acme", 5, 0), back), types.ErrJailed)
	require.False(t, b.provider(operator).Jailed(), "a transaction is all or nothing")
	b.agrees(b.jail("acme", 5, 0))
	b.pass(5)
	b.agrees(back, b.jail("acme", 5, 0))
	require.Equal(t, uint64(6), b.provider(operator).JailedAt)
}

func TestOnlyGovernanceJailsAndOnlyWithinBounds(t *testing.T) {
	b, above := startUnder(t)
	b.register("acme", chain.Coin(1_000))
	good := b.jail("acme", 60, 10_000)
	for name, c := range map[string]struct {
		spoil func(m *types.MsgJail)
		want  error
	}{
		"a stranger":      {func(m *types.MsgJail) { m.Authority = b.name("stranger") }, types.ErrUnauthorized},
		"the operator":    {func(m *types.MsgJail) { m.Authority = b.name("acme") }, types.ErrUnauthorized},
		"nobody":          {func(m *types.MsgJail) { m.Authority = "" }, types.ErrUnauthorized},
		"no address":      {func(m *types.MsgJail) { m.Provider = "acme" }, types.ErrInvalidAddress},
		"no provider":     {func(m *types.MsgJail) { m.Provider = b.name("stranger") }, types.ErrNotFound},
		"no time":         {func(m *types.MsgJail) { m.Seconds = 0 }, types.ErrInvalidJail},
		"a lifetime":      {func(m *types.MsgJail) { m.Seconds = math.MaxUint64 }, types.ErrInvalidJail},
		"more than all":   {func(m *types.MsgJail) { m.SlashBps = 10_001 }, types.ErrInvalidJail},
		"a long speech":   {func(m *types.MsgJail) { m.Reason = strings.Repeat("a", 129) }, types.ErrInvalidJail},
		"control bytes":   {func(m *types.MsgJail) { m.Reason = "\x1b[2J" }, types.ErrInvalidJail},
		"a mute stranger": {func(m *types.MsgJail) { m.Provider, m.SlashBps = b.name("stranger"), 0 }, types.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			bad := *good
			c.spoil(&bad)
			b.refused(c.want, &bad)
		})
	}
	b.t = t
	above.err = errors.New("no")
	b.refused(above.err, good)
	above.err = nil
	b.agrees(good)
	require.True(t, b.provider(chain.Account("acme")).Bond.Empty())
}

func TestTheTimeInJailDoesNotOverflow(t *testing.T) {
	require.Equal(t, uint64(math.MaxUint64), types.JailedUntil(types.Provider{JailedUntil: math.MaxUint64 - 5}, 1, 10))
	require.Equal(t, uint64(math.MaxUint64), types.JailedUntil(types.Provider{}, math.MaxUint64-5, 10))
}

func TestAShareOfWhatIsAtStakeIsTakenInEveryDenomAndReturned(t *testing.T) {
	b := start(t)
	operator := b.register("acme", chain.Coin(1_009), sdk.NewInt64Coin(ibcDenom, 99))
	b.unbond("acme", chain.Coin(400))
	slashed, err := b.Provider.SlashShare(b.Ctx(), operator, 1_000, "served nobody")
	require.NoError(t, err)
	require.Equal(t, sdk.NewCoins(chain.Coin(100), sdk.NewInt64Coin(ibcDenom, 9)), slashed, "a tenth, rounded down")
	require.Equal(t, "509usouk", b.provider(operator).Bond.Sub(sdk.NewInt64Coin(ibcDenom, 90)).String(), "of the bond first")
	require.Equal(t, []string{"1: 400usouk at 101"}, b.unbondings("acme"))
	b.AssertInvariants()

	none, err := b.Provider.SlashShare(b.Ctx(), operator, 0, "nothing")
	require.NoError(t, err)
	require.Empty(t, none)
	_, err = b.Provider.SlashShare(b.Ctx(), operator, 10_001, "more than all")
	require.ErrorIs(t, err, types.ErrInvalidJail)
	all, err := b.Provider.SlashShare(b.Ctx(), operator, types.WholeBps, "all")
	require.NoError(t, err)
	require.Equal(t, int64(909), all.AmountOf("usouk").Int64())
	require.Empty(t, b.unbondings("acme"))
	b.AssertInvariants()
}
