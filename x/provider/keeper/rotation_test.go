package keeper_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/testutil/chain"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/provider/types"
)

// agents tells which of some names may act for a provider at present.
func (b *bench) agents(provider string, names ...string) []string {
	b.t.Helper()
	var may []string
	for _, name := range names {
		if _, err := b.Provider.Authorize(b.Ctx(), b.name(name), b.name(provider)); err == nil {
			may = append(may, name)
		}
		found, err := b.Provider.ProviderOfAgent(b.Ctx(), chain.Account(name))
		if may != nil && may[len(may)-1] == name {
			require.NoError(b.t, err)
			require.Equal(b.t, b.name(provider), found.Operator)
			require.Equal(b.t, b.name(name), found.Agent)
		} else {
			require.ErrorIs(b.t, err, types.ErrNotFound)
		}
	}
	return may
}

func rotate(b *bench, provider, agent string) *types.MsgRotateAgent {
	return &types.MsgRotateAgent{Operator: b.name(provider), Agent: b.name(agent)}
}

func TestANewAgentTakesOverAnEpochAfterTheRunningOne(t *testing.T) {
	b := start(t)
	b.register("acme")
	b.pass(3)
	response, err := chain.Send[types.MsgRotateAgentResponse](b.Chain, rotate(b, "acme", "new"))
	require.NoError(t, err)
	require.Equal(t, uint64(21), response.RotatesAt, "the running epoch ends at 11, the next one at 21")
	b.pass(16)
	require.Equal(t, []string{"acme's agent"}, b.agents("acme", "acme's agent", "new"))
	b.pass(1)
	require.Equal(t, []string{"new"}, b.agents("acme", "acme's agent", "new"))
	b.saw(&types.EventAgentRotated{Provider: b.name("acme"), Agent: b.name("new")})
	other := b.registration("other")
	other.Agent = b.name("acme's agent")
	b.agrees(other)
}

func TestBothAgentsAreTakenWhileARotationIsUnderWay(t *testing.T) {
	b := start(t)
	b.register("acme")
	b.register("other")
	b.agrees(rotate(b, "acme", "new"))
	for _, agent := range []string{"acme's agent", "new", "other's agent"} {
		third := b.registration("third")
		third.Agent = b.name(agent)
		b.refused(types.ErrAgentTaken, third)
	}
	b.refused(types.ErrAgentTaken, rotate(b, "other", "new"))
	b.refused(types.ErrAgentTaken, rotate(b, "other", "acme's agent"))
	b.refused(types.ErrNotFound, rotate(b, "stranger", "x"))
	b.refused(types.ErrNotFound, rotate(b, "acme's agent", "x"))
	b.refused(types.ErrInvalidAddress, &types.MsgRotateAgent{Operator: b.name("acme"), Agent: "x"})
	b.refused(types.ErrInvalidAddress, &types.MsgRotateAgent{Operator: "x", Agent: b.name("x")})
}

func TestARotationIsReplacedOrCancelled(t *testing.T) {
	b := start(t)
	b.register("acme")
	b.refused(types.ErrInvalidRotation, rotate(b, "acme", "acme's agent"))
	b.agrees(rotate(b, "acme", "new"), rotate(b, "acme", "newer"), rotate(b, "acme", "newer"))
	b.register("new") // its agent is another account; what matters is that the account itself is free:
	fresh := b.registration("fresh")
	fresh.Agent = b.name("new")
	b.agrees(fresh)
	response, err := chain.Send[types.MsgRotateAgentResponse](b.Chain, rotate(b, "acme", "acme's agent"))
	require.NoError(t, err)
	require.Zero(t, response.RotatesAt)
	b.refused(types.ErrInvalidRotation, rotate(b, "acme", "acme's agent"))
	b.pass(60)
	require.Equal(t, []string{"acme's agent"}, b.agents("acme", "acme's agent", "newer"))
}

// late is a chain that processes one deadline a block, with as many due unbondings before the rotation as blocks to wait.
func late(t *testing.T) *bench {
	t.Helper()
	params := quickEscrow()
	params.MaxDeadlinesPerBlock, params.EpochSeconds = 1, 60
	b := start(t, chain.WithEscrowParams(params))
	b.register("acme")
	b.register("other", chain.Coin(500))
	for range 3 {
		b.unbond("other", chain.Coin(10))
	}
	b.agrees(rotate(b, "acme", "new"))
	b.pass(150)
	clock, err := b.Escrow.Clock(b.Ctx())
	require.NoError(t, err)
	require.Less(t, clock.Frontier, b.Now())
	return b
}

func TestARotationCountsFromItsSecondHoweverLateItIsProcessed(t *testing.T) {
	b := late(t)
	require.Equal(t, []string{"new"}, b.agents("acme", "acme's agent", "new"))
	third := b.registration("third")
	third.Agent = b.name("acme's agent")
	b.agrees(third)
	b.saw(&types.EventAgentRotated{Provider: b.name("acme"), Agent: b.name("new")})
	for range 5 {
		b.pass(0)
	}
	require.Equal(t, []string{"new"}, b.agents("acme", "new"))
	require.Equal(t, []string{"acme's agent"}, b.agents("third", "acme's agent"))
}

func TestANewRotationMayStartWhileTheLastOneIsNotYetProcessed(t *testing.T) {
	b := late(t)
	b.refused(types.ErrInvalidRotation, rotate(b, "acme", "new"))
	response, err := chain.Send[types.MsgRotateAgentResponse](b.Chain, rotate(b, "acme", "acme's agent"))
	require.NoError(t, err)
	require.Greater(t, response.RotatesAt, b.Now()+59, "it counts from now, not from an epoch that is past")
	b.pass(600)
	for range 5 {
		b.pass(0)
	}
	require.Equal(t, []string{"acme's agent"}, b.agents("acme", "acme's agent", "new"))
}

func TestARotationThatCannotBeCompletedStopsNothingAndIsRetried(t *testing.T) {
	b := start(t)
	operator := b.register("acme")
	b.register("other")
	b.agrees(rotate(b, "acme", "new"), rotate(b, "other", "other's new"))
	whole := b.provider(operator)
	broken := whole
	broken.Agent = "nobody"
	require.NoError(t, b.Provider.Poison(b.Ctx(), operator, broken))
	b.NextBlock(20 * time.Second)
	require.Equal(t, []string{"other's new"}, b.agents("other", "other's agent", "other's new"))
	require.Equal(t, b.name("new"), b.provider(operator).Agent, "the new agent acts all the same")

	retry := &escrowtypes.MsgRetry{Authority: b.Authority, Source: types.RotationSource, Id: whole.Number}
	require.ErrorIs(t, b.Deliver(retry), types.ErrInvalidAddress)
	require.NoError(t, b.Provider.Poison(b.Ctx(), operator, whole))
	b.agrees(retry)
	require.Equal(t, []string{"new"}, b.agents("acme", "acme's agent", "new"))
	require.NoError(t, b.Provider.RotationDeadlines().Retry(b.Ctx(), whole.Number), "an item dealt with is left alone")
	require.ErrorIs(t, b.Provider.RotationDeadlines().Retry(b.Ctx(), 99), types.ErrNotFound)
}
