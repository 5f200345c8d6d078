package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/escrow/types"
)

func TestAGenesisWithPausesGrantsAndWhatIsRetainedComesBackAndIsChecked(t *testing.T) {
	b := troubled(t)
	b.stop(types.StreamID(1, 1))
	b.ends(4)
	genesis := b.genesis()
	require.Equal(t, low, genesis.Accounts[1].State)
	require.NotEmpty(t, genesis.Accounts[0].Deposits[1].Grantee)
	require.NotZero(t, genesis.Accounts[0].LowAt)
	require.GreaterOrEqual(t, len(genesis.Retained), 4)
	again := &bench{Chain: chain.New(t, chain.WithModuleAccount("treasury"), chain.WithState(b.Export())), t: t}
	require.Equal(t, b.state(), again.state())
	again.AssertInvariants()

	last := len(genesis.Retained) - 1
	for name, spoil := range map[string]func(g *types.GenesisState){
		"a low second after the end":         func(g *types.GenesisState) { g.Accounts[0].LowAt = g.Accounts[0].ZeroAt + 1 },
		"a low second of a low account":      func(g *types.GenesisState) { g.Accounts[1].LowAt = 1 },
		"a paused rate that is not set":      func(g *types.GenesisState) { g.Accounts[1].PausedRate = math.Int{} },
		"a paused rate of a funded account":  func(g *types.GenesisState) { g.Accounts[0].PausedRate = math.OneInt() },
		"another paused rate":                func(g *types.GenesisState) { g.Accounts[1].PausedRate = g.Accounts[1].PausedRate.AddRaw(1) },
		"a closed account with an end":       func(g *types.GenesisState) { g.Accounts[3].ZeroAt = 7 },
		"a grantee that is no address":       func(g *types.GenesisState) { g.Accounts[0].Deposits[1].Grantee = "x" },
		"an entry twice":                     func(g *types.GenesisState) { g.Accounts[0].Deposits[1] = g.Accounts[0].Deposits[0] },
		"a service that stands in":           func(g *types.GenesisState) { g.OpenStreams[0].FullRate = 1 << 20 },
		"a full rate below the paused one":   func(g *types.GenesisState) { g.OpenStreams[1].FullRate = 1 },
		"a full rate too high":               func(g *types.GenesisState) { g.OpenStreams[1].FullRate = 1 << 63 },
		"retained out of order":              func(g *types.GenesisState) { g.Retained[0], g.Retained[1] = g.Retained[1], g.Retained[0] },
		"retained twice":                     func(g *types.GenesisState) { g.Retained[last].Id = g.Retained[0].Id },
		"retained of no account":             func(g *types.GenesisState) { g.Retained[last].Id = 3 },
		"an open stream to be forgotten":     func(g *types.GenesisState) { g.Retained[last].Id = g.OpenStreams[0].Id },
		"an open account to be forgotten":    func(g *types.GenesisState) { g.Retained[last].Id = types.StreamID(1, 0) },
		"an unknown account to be forgotten": func(g *types.GenesisState) { g.Retained[last].Id = types.StreamID(99, 0) },
		"a closed account that stays forever": func(g *types.GenesisState) {
			g.Retained = g.Retained[:last]
		},
		"a pause longer than the minimal runway": func(g *types.GenesisState) { g.Params.PauseRunwaySeconds = 11 },
		"a pause that pays more than all":        func(g *types.GenesisState) { g.Params.PauseBps = 10_001 },
	} {
		t.Run(name, func(t *testing.T) {
			genesis := b.genesis()
			spoil(genesis)
			require.ErrorIs(t, genesis.Validate(b.Addresses), types.ErrInvalidGenesis)
		})
	}
}

func TestBooksThatContradictTheirStreamsOrQueuesAreFound(t *testing.T) {
	for name, spoil := range map[string]func(g *types.GenesisState){
		"an account low at another second": func(g *types.GenesisState) { g.Accounts[0].LowAt-- },
		"an account that ends later":       func(g *types.GenesisState) { g.Accounts[0].ZeroAt++ },
	} {
		b := troubled(t)
		genesis := b.genesis()
		spoil(genesis)
		cache, _ := b.Ctx().CacheContext()
		// Written over what is there, the queue names the account at both seconds.
		err := b.Escrow.InitGenesis(cache, genesis)
		require.ErrorIs(t, err, types.ErrBroken, name)
	}
}
