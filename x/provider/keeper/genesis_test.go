package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/provider/types"
)

// lived has something of everything that can be stored.
func lived(t *testing.T) *bench {
	t.Helper()
	b := start(t)
	operator := b.register("acme", chain.Coin(500), sdk.NewInt64Coin(ibcDenom, 7))
	b.register("other")
	b.register("gone")
	b.register("leaving", chain.Coin(30))
	b.unbond("acme", chain.Coin(100))
	b.unbond("leaving", chain.Coin(10))
	b.agrees(
		update(b, "acme", "auditor", "second"), attest(b, "auditor", "acme", 100, types.AttestedLabel{Key: "arch", Value: "arm64"}),
		attest(b, "second", "acme", 50), rotate(b, "acme", "new"), maintain(b, "acme", 50, 60), maintain(b, "acme", 70, 75),
		b.leave("gone"), b.leave("leaving"), b.jail("other", 60, 0),
	)
	require.NoError(t, b.Provider.Note(b.Ctx(), operator, types.OutcomeFailed, 3))
	require.NoError(t, b.Provider.SetRequirement(b.Ctx(), operator, sdk.NewCoins(chain.Coin(70))))
	return b
}

func TestExportImportExportIsIdentical(t *testing.T) {
	b := lived(t)
	again := &bench{Chain: chain.New(t, chain.WithState(b.Export())), t: t}
	require.Equal(t, b.state(), again.state())
	again.AssertInvariants()
	again.NextBlock(0)
	require.Equal(t, []string{"acme's agent"}, again.agents("acme", "acme's agent", "new"))
	again.register("fifth")
	require.Equal(t, uint64(5), again.provider(chain.Account("fifth")).Number)
	again.agrees(b.registration("gone"))
	require.Equal(t, uint64(3), again.provider(chain.Account("gone")).Number)
}

func TestAnImportedChainGoesOnAsTheOneThatWasExported(t *testing.T) {
	b := lived(t)
	again := &bench{Chain: chain.New(t, chain.WithState(b.Export())), t: t}
	again.NextBlock(0)
	for _, c := range []*bench{b, again} {
		require.Equal(t, uint64(3), c.unbond("acme", chain.Coin(1)))
		c.pass(50)
		c.pass(51)
		require.Equal(t, int64(101), c.Balance(chain.Account("acme")))
		require.Equal(t, []string{"new"}, c.agents("acme", "acme's agent", "new"))
		c.agrees(&types.MsgUnjail{Operator: c.name("other")})
	}
	left, err := b.Provider.ExportGenesis(b.Ctx())
	require.NoError(t, err)
	right, err := again.Provider.ExportGenesis(again.Ctx())
	require.NoError(t, err)
	require.Equal(t, left, right)
}

func TestAGenesisThatContradictsItselfIsRefused(t *testing.T) {
	b := lived(t)
	named := func(g *types.GenesisState, name string) *types.Provider {
		for i := range g.Providers {
			if g.Providers[i].Operator == b.name(name) {
				return &g.Providers[i]
			}
		}
		return nil
	}
	acme := func(g *types.GenesisState) *types.Provider { return named(g, "acme") }
	bad, params, broken := types.ErrInvalidGenesis, types.ErrInvalidParams, types.ErrBroken
	for name, c := range map[string]struct {
		spoil func(g *types.GenesisState)
		want  error
	}{
		"parameters out of range":        {func(g *types.GenesisState) { g.Params.BondHours = 1 << 30 }, params},
		"no next number":                 {func(g *types.GenesisState) { g.NextNumber = 0 }, bad},
		"no next unbonding":              {func(g *types.GenesisState) { g.NextUnbonding = 0 }, bad},
		"a provider twice":               {func(g *types.GenesisState) { g.Providers = append(g.Providers, g.Providers[0]) }, bad},
		"a number twice":                 {func(g *types.GenesisState) { g.Providers[0].Number = g.Providers[1].Number }, bad},
		"a number to come":               {func(g *types.GenesisState) { g.Providers[0].Number = g.NextNumber }, bad},
		"no number":                      {func(g *types.GenesisState) { g.Providers[0].Number = 0 }, bad},
		"an agent twice":                 {func(g *types.GenesisState) { named(g, "other").Agent = acme(g).Agent }, bad},
		"a next agent that is another's": {func(g *types.GenesisState) { named(g, "other").Agent = acme(g).NextAgent }, bad},
		"a next agent that is nobody":    {func(g *types.GenesisState) { acme(g).NextAgent = "x" }, bad},
		"a next agent that is the same":  {func(g *types.GenesisState) { acme(g).NextAgent = acme(g).Agent }, bad},
		"a rotation without a second":    {func(g *types.GenesisState) { acme(g).RotatesAt = 0 }, bad},
		"a rotation without an agent":    {func(g *types.GenesisState) { acme(g).NextAgent = "" }, bad},
		"a rotation of one that is gone": {func(g *types.GenesisState) {
			named(g, "gone").NextAgent, named(g, "gone").RotatesAt = b.name("x"), 1
		}, bad},
		"an operator that is none":      {func(g *types.GenesisState) { acme(g).Operator = "acme" }, bad},
		"a gateway that is none":        {func(g *types.GenesisState) { acme(g).GatewayUri = "" }, bad},
		"keys that are none":            {func(g *types.GenesisState) { acme(g).TlsKeys = nil }, bad},
		"a name with controls":          {func(g *types.GenesisState) { acme(g).Info.Name = "\x00" }, bad},
		"an auditor twice":              {func(g *types.GenesisState) { acme(g).Auditors[0] = acme(g).Auditors[1] }, bad},
		"no lifecycle":                  {func(g *types.GenesisState) { acme(g).Lifecycle = 0 }, bad},
		"an unknown lifecycle":          {func(g *types.GenesisState) { acme(g).Lifecycle = 9 }, bad},
		"leaving since never":           {func(g *types.GenesisState) { acme(g).Lifecycle = leaving }, bad},
		"active but leaving":            {func(g *types.GenesisState) { acme(g).LeavingSince = 1 }, bad},
		"gone with a bond":              {func(g *types.GenesisState) { named(g, "leaving").Lifecycle = gone }, bad},
		"gone with bond on its way":     {func(g *types.GenesisState) { named(g, "leaving").Lifecycle, named(g, "leaving").Bond = gone, nil }, bad},
		"in jail since never":           {func(g *types.GenesisState) { named(g, "other").JailedAt = 0 }, bad},
		"in jail until before":          {func(g *types.GenesisState) { named(g, "other").JailedUntil = named(g, "other").JailedAt }, bad},
		"windows out of order":          {func(g *types.GenesisState) { acme(g).Maintenance[0].Until = 71 }, bad},
		"a window of nothing":           {func(g *types.GenesisState) { acme(g).Maintenance[0].Until = 50 }, bad},
		"nine windows":                  {func(g *types.GenesisState) { acme(g).Maintenance = make([]types.Maintenance, 9) }, bad},
		"too good a reputation":         {func(g *types.GenesisState) { acme(g).Reputation = 1_000_001 }, bad},
		"a negative bond":               {func(g *types.GenesisState) { acme(g).Bond[0].Amount = math.NewInt(-1) }, bad},
		"a bond that is not set":        {func(g *types.GenesisState) { acme(g).Bond[0].Amount = math.Int{} }, bad},
		"a bond that the bank lacks":    {func(g *types.GenesisState) { acme(g).Bond[1].Amount = math.NewInt(501) }, broken},
		"an unbonding the bank lacks":   {func(g *types.GenesisState) { g.Unbondings[0].Amount.Amount = math.NewInt(101) }, broken},
		"an unbonding of a stranger":    {func(g *types.GenesisState) { g.Unbondings[0].Provider = b.name("x") }, bad},
		"an unbonding twice":            {func(g *types.GenesisState) { g.Unbondings[1].Id = g.Unbondings[0].Id }, bad},
		"an unbonding to come":          {func(g *types.GenesisState) { g.Unbondings[1].Id = g.NextUnbonding }, bad},
		"an unbonding of nothing":       {func(g *types.GenesisState) { g.Unbondings[0].Amount.Amount = math.ZeroInt() }, bad},
		"an unbonding of no amount":     {func(g *types.GenesisState) { g.Unbondings[0].Amount.Amount = math.Int{} }, bad},
		"an unbonding of no second":     {func(g *types.GenesisState) { g.Unbondings[0].CompletesAt = 0 }, bad},
		"a word of no auditor":          {func(g *types.GenesisState) { g.Attestations[0].Auditor = b.name("x") }, bad},
		"a word about a stranger":       {func(g *types.GenesisState) { g.Attestations[0].Provider = b.name("x") }, bad},
		"a word twice":                  {func(g *types.GenesisState) { g.Attestations[1] = g.Attestations[0] }, bad},
		"a word that never counted":     {func(g *types.GenesisState) { g.Attestations[0].ExpiresAt = g.Attestations[0].AttestedAt }, bad},
		"a word with a bad label":       {func(g *types.GenesisState) { g.Attestations[0].Labels = []types.AttestedLabel{{}} }, bad},
		"a record of a stranger":        {func(g *types.GenesisState) { g.Records[0].Provider = b.name("x") }, bad},
		"a record twice":                {func(g *types.GenesisState) { g.Records = append(g.Records, g.Records[0]) }, bad},
		"a requirement of a stranger":   {func(g *types.GenesisState) { g.Requirements[0].Provider = b.name("x") }, bad},
		"a requirement twice":           {func(g *types.GenesisState) { g.Requirements = append(g.Requirements, g.Requirements[0]) }, bad},
		"a requirement of nothing":      {func(g *types.GenesisState) { g.Requirements[0].Coins = nil }, bad},
		"a requirement that is not set": {func(g *types.GenesisState) { g.Requirements[0].Coins[0].Amount = math.Int{} }, bad},
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
