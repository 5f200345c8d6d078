package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/testutil/chain"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/provider/keeper"
	"github.com/souk-network/souk/x/provider/types"
)

func TestEarningsGoToThePurseWhoeverOfTheTwoAsks(t *testing.T) {
	b := start(t)
	operator := b.register("acme", chain.Coin(500))
	agent, purse := chain.Account("acme's agent"), chain.Account("acme's purse")
	for _, signer := range []string{b.Text(operator), b.Text(agent)} {
		b.earn(operator, 1_000)
		before := b.Balance(purse)
		response, err := chain.Send[types.MsgWithdrawResponse](b.Chain, &types.MsgWithdraw{
			Signer: signer, Provider: b.Text(operator), Denom: "usouk",
		})
		require.NoError(t, err)
		require.Equal(t, chain.Coin(980), response.Amount)
		require.Equal(t, chain.Coin(20), response.Fee)
		require.Equal(t, before+980, b.Balance(purse))
		b.AssertInvariants()
	}
	require.Equal(t, int64(0), b.Balance(agent))
	require.Equal(t, int64(40), b.CommunityPool())
	for name, c := range map[string]struct {
		signer, provider, denom string
		want                    error
	}{
		"a stranger":           {b.Text(chain.Account("stranger")), b.Text(operator), "usouk", types.ErrUnauthorized},
		"the purse":            {b.Text(purse), b.Text(operator), "usouk", types.ErrUnauthorized},
		"nobody":               {"", b.Text(operator), "usouk", types.ErrUnauthorized},
		"for nobody":           {b.Text(operator), "", "usouk", types.ErrInvalidAddress},
		"for the agent":        {b.Text(agent), b.Text(agent), "usouk", types.ErrNotFound},
		"what is no coin":      {b.Text(operator), b.Text(operator), "!", types.ErrInvalidRequest},
		"a coin of no account": {b.Text(operator), b.Text(operator), "uother", escrowtypes.ErrNothingToWithdraw},
		"twice":                {b.Text(operator), b.Text(operator), "usouk", escrowtypes.ErrNothingToWithdraw},
	} {
		t.Run("but not "+name, func(t *testing.T) {
			b.t = t
			b.refused(c.want, &types.MsgWithdraw{Signer: c.signer, Provider: c.provider, Denom: c.denom})
		})
	}
}

func TestOnlyGovernanceChangesParametersAndOnlyWithinTheirRanges(t *testing.T) {
	b := start(t)
	good := quick()
	good.MinBond = sdk.NewCoins(chain.Coin(5))
	b.refused(types.ErrUnauthorized, &types.MsgUpdateParams{Authority: b.name("acme"), Params: good})
	for name, spoil := range map[string]func(p *types.Params){
		"too many bond hours":            func(p *types.Params) { p.BondHours = 8761 },
		"too many free bond hours":       func(p *types.Params) { p.FreeBondHours = 8761 },
		"no unbonding time":              func(p *types.Params) { p.UnbondingSeconds = 0 },
		"a very long unbonding time":     func(p *types.Params) { p.UnbondingSeconds = 366 * 24 * 3600 },
		"no notice of maintenance":       func(p *types.Params) { p.MaintenanceNoticeSeconds = 0 },
		"more maintenance than there is": func(p *types.Params) { p.MaintenanceQuotaSeconds = p.MaintenancePeriodSeconds + 1 },
		"no period of maintenance":       func(p *types.Params) { p.MaintenancePeriodSeconds, p.MaintenanceQuotaSeconds = 0, 0 },
		"a rotation at once":             func(p *types.Params) { p.RotationEpochs = 0 },
		"a rotation in a lifetime":       func(p *types.Params) { p.RotationEpochs = 1001 },
		"a negative bond":                func(p *types.Params) { p.MinBond = sdk.Coins{{Denom: "usouk", Amount: math.NewInt(-1)}} },
		"a bond of no amount":            func(p *types.Params) { p.MinBond = sdk.Coins{{Denom: "usouk"}} },
		"a bond in what is no coin":      func(p *types.Params) { p.MinBond = sdk.Coins{{Denom: "!", Amount: math.OneInt()}} },
	} {
		t.Run("not "+name, func(t *testing.T) {
			b.t = t
			bad := good
			spoil(&bad)
			b.refused(types.ErrInvalidParams, &types.MsgUpdateParams{Authority: b.Authority, Params: bad})
		})
	}
	b.t = t
	b.agrees(&types.MsgUpdateParams{Authority: b.Authority, Params: good})
	response, err := keeper.NewQueryServer(b.Provider).Params(b.Ctx(), &types.QueryParamsRequest{})
	require.NoError(t, err)
	require.Equal(t, good, response.Params)
}

func TestProvidersAreFoundByOperatorByAgentAndInBoundedPages(t *testing.T) {
	b := start(t)
	q := keeper.NewQueryServer(b.Provider)
	operator := b.register("acme", chain.Coin(500))
	require.NoError(t, b.Provider.SetRequirement(b.Ctx(), operator, b.registration("x", chain.Coin(7)).Bond))
	one, err := q.Provider(b.Ctx(), &types.QueryProviderRequest{Operator: b.Text(operator)})
	require.NoError(t, err)
	require.Equal(t, b.provider(operator), one.Provider)
	require.Equal(t, "7usouk", one.Required.String())
	byAgent, err := q.ByAgent(b.Ctx(), &types.QueryByAgentRequest{Agent: b.Text(chain.Account("acme's agent"))})
	require.NoError(t, err)
	require.Equal(t, one.Provider, byAgent.Provider)

	for i := range 220 {
		b.register("provider-" + string(rune('a'+i%26)) + string(rune('a'+i/26)))
	}
	first, err := q.Providers(b.Ctx(), &types.QueryProvidersRequest{Pagination: &query.PageRequest{Limit: 1 << 40, CountTotal: true}})
	require.NoError(t, err)
	require.Len(t, first.Providers, 200)
	rest, err := q.Providers(b.Ctx(), &types.QueryProvidersRequest{Pagination: &query.PageRequest{Key: first.Pagination.NextKey}})
	require.NoError(t, err)
	require.Len(t, rest.Providers, 21)
	all, err := q.Providers(b.Ctx(), nil)
	require.NoError(t, err)
	require.Len(t, all.Providers, 200)

	_, err = q.Provider(b.Ctx(), nil)
	require.ErrorIs(t, err, types.ErrInvalidRequest)
	_, err = q.Provider(b.Ctx(), &types.QueryProviderRequest{Operator: "acme"})
	require.ErrorIs(t, err, types.ErrInvalidAddress)
	_, err = q.Provider(b.Ctx(), &types.QueryProviderRequest{Operator: b.Text(chain.Account("stranger"))})
	require.ErrorIs(t, err, types.ErrNotFound)
	_, err = q.ByAgent(b.Ctx(), nil)
	require.ErrorIs(t, err, types.ErrInvalidRequest)
	_, err = q.ByAgent(b.Ctx(), &types.QueryByAgentRequest{Agent: "agent"})
	require.ErrorIs(t, err, types.ErrInvalidAddress)
	_, err = q.ByAgent(b.Ctx(), &types.QueryByAgentRequest{Agent: b.Text(operator)})
	require.ErrorIs(t, err, types.ErrNotFound)
}
