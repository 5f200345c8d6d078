package keeper_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/provider/types"
)

const (
	active  = types.Lifecycle_LIFECYCLE_ACTIVE
	leaving = types.Lifecycle_LIFECYCLE_LEAVING
	gone    = types.Lifecycle_LIFECYCLE_GONE
)

func (b *bench) leave(provider string) *types.MsgDeregister {
	return &types.MsgDeregister{Operator: b.name(provider)}
}

func TestAProviderLeavesTakesItsBondBackAndIsGone(t *testing.T) {
	b, above := startUnder(t)
	operator := b.register("acme", chain.Coin(500))
	b.pass(4)
	above.asks[b.name("acme")] = sdk.NewCoins(chain.Coin(100))
	b.agrees(b.leave("acme"))
	b.saw(&types.EventLifecycle{Provider: b.name("acme"), Lifecycle: "LIFECYCLE_LEAVING"})
	require.Equal(t, []string{fmt.Sprintf("leaving %s, 1, at 5", b.name("acme"))}, above.heard)
	require.Equal(t, leaving, b.provider(operator).Lifecycle)
	require.Equal(t, uint64(5), b.provider(operator).LeavingSince)

	b.unbond("acme", chain.Coin(400))
	b.refused(types.ErrBondRequired, &types.MsgUnbond{Operator: b.name("acme"), Amount: chain.Coin(100)})
	above.asks = map[string]sdk.Coins{}
	b.unbond("acme", chain.Coin(100))
	b.pass(99)
	require.Equal(t, leaving, b.provider(operator).Lifecycle)
	b.pass(1)
	require.Equal(t, gone, b.provider(operator).Lifecycle)
	b.saw(&types.EventLifecycle{Provider: b.name("acme"), Lifecycle: "LIFECYCLE_GONE"})
	require.Equal(t, int64(500), b.Balance(operator))
	b.register("heir")
	b.agrees(rotate(b, "heir", "acme's agent"))
}

func TestAProviderWithNothingAtStakeIsGoneAtOnce(t *testing.T) {
	b := start(t)
	operator := b.register("acme")
	b.agrees(b.leave("acme"))
	require.Equal(t, gone, b.provider(operator).Lifecycle)
	require.Empty(t, b.agents("acme", "acme's agent"))
	_, err := b.Provider.Authorize(b.Ctx(), b.name("acme"), b.name("acme"))
	require.NoError(t, err, "the operator may still withdraw what it earned")
}

func TestAProviderIsGoneOnceTheLastOfItIsSlashed(t *testing.T) {
	b := start(t)
	operator := b.register("acme", chain.Coin(500))
	b.unbond("acme", chain.Coin(100))
	b.agrees(b.leave("acme"))
	_, err := b.Provider.SlashToPublic(b.Ctx(), operator, chain.Coin(499), "test")
	require.NoError(t, err)
	require.Equal(t, leaving, b.provider(operator).Lifecycle)
	_, err = b.Provider.SlashToPublic(b.Ctx(), operator, chain.Coin(1), "test")
	require.NoError(t, err)
	require.Equal(t, gone, b.provider(operator).Lifecycle)
	slashed, err := b.Provider.SlashToPublic(b.Ctx(), operator, chain.Coin(1), "test")
	require.NoError(t, err)
	require.True(t, slashed.IsZero())
	b.AssertInvariants()
}

func TestAProviderWithoutBondIsGoneOnlyOnceNothingIsAskedOfIt(t *testing.T) {
	b, above := startUnder(t)
	operator := b.register("acme")
	above.asks[b.name("acme")] = sdk.NewCoins(chain.Coin(7))
	b.agrees(b.leave("acme"))
	require.Equal(t, leaving, b.provider(operator).Lifecycle)
	require.NoError(t, b.Provider.SetRequirement(b.Ctx(), operator, sdk.NewCoins(chain.Coin(3))))
	require.Equal(t, leaving, b.provider(operator).Lifecycle)
	require.NoError(t, b.Provider.SetRequirement(b.Ctx(), operator, nil))
	require.Equal(t, leaving, b.provider(operator).Lifecycle, "the market is asked, not the note of what it told")
	above.asks = map[string]sdk.Coins{}
	require.NoError(t, b.Provider.SetRequirement(b.Ctx(), operator, nil))
	require.Equal(t, gone, b.provider(operator).Lifecycle)
}

func TestAProviderThatIsGoneMayRegisterAgainAndKeepsWhatCountsAgainstIt(t *testing.T) {
	b := start(t)
	operator := b.register("acme", chain.Coin(500))
	b.register("other")
	require.NoError(t, b.Provider.Note(b.Ctx(), operator, types.OutcomeMissed, 2))
	b.agrees(maintain(b, "acme", 30, 60), b.jail("acme", 1_000, 10_000))
	b.agrees(b.leave("acme"))
	require.Equal(t, gone, b.provider(operator).Lifecycle)
	b.pass(10)
	b.refused(types.ErrLifecycle, &types.MsgUnjail{Operator: b.name("acme")})

	again := b.registration("acme", chain.Coin(70))
	again.Agent = b.name("another agent")
	b.agrees(again)
	provider := b.provider(operator)
	require.Equal(t, active, provider.Lifecycle)
	require.Equal(t, uint64(1), provider.Number)
	require.Equal(t, uint64(11), provider.RegisteredAt)
	require.Zero(t, provider.LeavingSince)
	require.Equal(t, "70usouk", provider.Bond.String())
	require.Equal(t, uint64(1_001), provider.JailedUntil, "leaving is no way out of jail")
	require.Equal(t, []types.Maintenance{{From: 30, Until: 60}}, provider.Maintenance)
	require.Equal(t, []string{"another agent"}, b.agents("acme", "acme's agent", "another agent"))
	record, err := b.Provider.RecordOf(b.Ctx(), operator)
	require.NoError(t, err)
	require.Equal(t, types.Record{Provider: b.name("acme"), Missed: 2, Jailings: 1}, record)
	number, err := b.Provider.ProviderByNumber(b.Ctx(), 1)
	require.NoError(t, err)
	require.Equal(t, operator, number)
	b.refused(types.ErrExists, again)
}

func TestWhatALeavingProviderMayDo(t *testing.T) {
	b := start(t)
	operator := b.register("acme", chain.Coin(500))
	b.Fund(operator, chain.Coin(1))
	b.earn(operator, 1_000)
	b.agrees(b.leave("acme"))
	b.refused(types.ErrLifecycle, b.leave("acme"))
	b.refused(types.ErrLifecycle, &types.MsgBond{Operator: b.name("acme"), Amount: chain.Coin(1)})
	b.refused(types.ErrLifecycle, b.registration("acme"))
	b.agrees(
		&types.MsgWithdraw{Signer: b.name("acme's agent"), Provider: b.name("acme"), Denom: "usouk"},
		update(b, "acme"), rotate(b, "acme", "new"), maintain(b, "acme", 60, 70),
		&types.MsgUnbond{Operator: b.name("acme"), Amount: chain.Coin(500)},
	)
}

func TestWhatAProviderThatIsGoneMayNotDo(t *testing.T) {
	b := start(t)
	b.register("acme")
	b.agrees(update(b, "acme", "auditor"), b.leave("acme"))
	require.Equal(t, gone, b.provider(chain.Account("acme")).Lifecycle)
	for _, message := range []sdk.Msg{
		b.leave("acme"), update(b, "acme"), rotate(b, "acme", "new"),
		&types.MsgDeclareMaintenance{Signer: b.name("acme"), Provider: b.name("acme"), From: 60, Until: 70},
		&types.MsgBond{Operator: b.name("acme"), Amount: chain.Coin(1)},
		&types.MsgUnbond{Operator: b.name("acme"), Amount: chain.Coin(1)},
		attest(b, "auditor", "acme", 100),
	} {
		b.refused(types.ErrLifecycle, message)
	}
	b.refused(types.ErrUnauthorized, &types.MsgWithdraw{Signer: b.name("acme's agent"), Provider: b.name("acme"), Denom: "usouk"})
	b.agrees(b.jail("acme", 60, 10_000))
}

func TestLeavingAndComingBackInOneBlock(t *testing.T) {
	b := start(t)
	operator := b.register("acme")
	b.agrees(rotate(b, "acme", "new"), b.leave("acme"), b.registration("acme"), b.leave("acme"), b.registration("acme"))
	require.Equal(t, active, b.provider(operator).Lifecycle)
	b.pass(100)
	require.Equal(t, []string{"acme's agent"}, b.agents("acme", "acme's agent", "new"), "the rotation went with the old life")
	b.agrees(rotate(b, "acme", "new"))
}

func TestAProviderMayNotComeBackBeforeItsBondDoes(t *testing.T) {
	params := quickEscrow()
	params.MaxDeadlinesPerBlock = 1
	b := start(t, chain.WithEscrowParams(params))
	operator := b.register("acme", chain.Coin(500))
	b.register("other", chain.Coin(500))
	b.unbond("other", chain.Coin(500))
	b.unbond("acme", chain.Coin(500))
	b.agrees(b.leave("acme"))
	b.refused(types.ErrLifecycle, b.registration("acme"))
	b.NextBlock(200 * time.Second)
	require.Equal(t, leaving, b.provider(operator).Lifecycle)
	b.refused(types.ErrBehind, b.registration("acme"))
	b.pass(0)
	require.Equal(t, gone, b.provider(operator).Lifecycle)
	b.agrees(b.registration("acme"))
}

func TestTheModuleAboveMayRefuseThatAProviderLeaves(t *testing.T) {
	b, above := startUnder(t)
	b.register("acme", chain.Coin(1))
	above.err = errors.New("no")
	b.refused(above.err, b.leave("acme"))
	b.refused(types.ErrNotFound, b.leave("stranger"))
	b.refused(types.ErrInvalidAddress, &types.MsgDeregister{Operator: "acme"})
}
