package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/provider/types"
)

func lived(t *testing.T) *bench {
	t.Helper()
	b := start(t)
	operator := b.register("acme", chain.Coin(500), sdk.NewInt64Coin(ibcDenom, 7))
	b.register("other")
	require.NoError(t, b.Provider.SetRequirement(b.Ctx(), operator, sdk.NewCoins(chain.Coin(70))))
	return b
}

func TestExportImportExportIsIdentical(t *testing.T) {
	b := lived(t)
	again := &bench{Chain: chain.New(t, chain.WithState(b.Export())), t: t}
	require.Equal(t, b.state(), again.state())
	again.AssertInvariants()
	provider, err := again.Provider.ProviderOfAgent(again.Ctx(), chain.Account("acme's agent"))
	require.NoError(t, err)
	require.Equal(t, b.provider(chain.Account("acme")), provider)
}

func TestAGenesisThatContradictsItselfIsRefused(t *testing.T) {
	b := lived(t)
	acme := func(g *types.GenesisState) *types.Provider {
		for i := range g.Providers {
			if g.Providers[i].Info.Name == "acme" {
				return &g.Providers[i]
			}
		}
		return nil
	}
	for name, c := range map[string]struct {
		spoil func(g *types.GenesisState)
		want  error
	}{
		"parameters out of range":       {func(g *types.GenesisState) { g.Params.BondHours = 1 << 30 }, types.ErrInvalidParams},
		"a provider twice":              {func(g *types.GenesisState) { g.Providers = append(g.Providers, g.Providers[0]) }, types.ErrInvalidGenesis},
		"an agent twice":                {func(g *types.GenesisState) { g.Providers[0].Agent = g.Providers[1].Agent }, types.ErrInvalidGenesis},
		"an operator that is none":      {func(g *types.GenesisState) { acme(g).Operator = "acme" }, types.ErrInvalidGenesis},
		"a gateway that is none":        {func(g *types.GenesisState) { acme(g).GatewayUri = "" }, types.ErrInvalidGenesis},
		"keys that are none":            {func(g *types.GenesisState) { acme(g).TlsKeys = nil }, types.ErrInvalidGenesis},
		"a name with controls":          {func(g *types.GenesisState) { acme(g).Info.Name = "\x00" }, types.ErrInvalidGenesis},
		"no lifecycle":                  {func(g *types.GenesisState) { acme(g).Lifecycle = 0 }, types.ErrInvalidGenesis},
		"too good a reputation":         {func(g *types.GenesisState) { acme(g).Reputation = 1_000_001 }, types.ErrInvalidGenesis},
		"a negative bond":               {func(g *types.GenesisState) { acme(g).Bond[0].Amount = math.NewInt(-1) }, types.ErrInvalidGenesis},
		"a bond that is not set":        {func(g *types.GenesisState) { acme(g).Bond[0].Amount = math.Int{} }, types.ErrInvalidGenesis},
		"a bond that the bank lacks":    {func(g *types.GenesisState) { acme(g).Bond[1].Amount = math.NewInt(501) }, types.ErrBroken},
		"a requirement of a stranger":   {func(g *types.GenesisState) { g.Requirements[0].Provider = b.Text(chain.Account("x")) }, types.ErrInvalidGenesis},
		"a requirement twice":           {func(g *types.GenesisState) { g.Requirements = append(g.Requirements, g.Requirements[0]) }, types.ErrInvalidGenesis},
		"a requirement of nothing":      {func(g *types.GenesisState) { g.Requirements[0].Coins = nil }, types.ErrInvalidGenesis},
		"a requirement that is not set": {func(g *types.GenesisState) { g.Requirements[0].Coins[0].Amount = math.Int{} }, types.ErrInvalidGenesis},
	} {
		t.Run(name, func(t *testing.T) {
			genesis, err := b.Provider.ExportGenesis(b.Ctx())
			require.NoError(t, err)
			c.spoil(genesis)
			ctx, _ := b.Ctx().CacheContext()
			require.ErrorIs(t, b.Provider.InitGenesis(ctx, genesis), c.want)
		})
	}
}
