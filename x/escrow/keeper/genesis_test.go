package keeper_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/escrow/types"
)

// lived returns a chain with a bit of everything in it.
func lived(t *testing.T) *bench {
	t.Helper()
	params := quick()
	params.MaxDeadlinesPerBlock = 3
	b := start(t, params)
	rich, poor, bad := b.open("alice", 100_000), b.open("dave", 100), b.open("erin", 100)
	stream := b.pay(rich, "bob", 7, service)
	for i := range 12 {
		b.pay(rich, fmt.Sprintf("payee %d", i), unit, service)
	}
	b.pay(poor, "carol", 5*unit, hold)
	poison := b.pay(bad, "bob", 3*unit, service)
	b.book.poisonStreams = map[uint64]bool{poison: true}
	b.Run(60*second, 7*second)
	b.stop(stream)
	_, err := b.book.hold(b.Ctx(), rich, 3*unit, 1000)
	require.NoError(t, err)
	b.Run(45*second, 7*second)
	b.NextBlock(second)
	b.AssertInvariants()
	return b
}

func TestExportImportExportIsIdentical(t *testing.T) {
	b := lived(t)
	genesis, err := b.Escrow.ExportGenesis(b.Ctx())
	require.NoError(t, err)
	require.NotEmpty(t, genesis.Accounts)
	require.NotEmpty(t, genesis.OpenStreams)
	require.NotEmpty(t, genesis.ClosedStreams)
	require.NotEmpty(t, genesis.Pots)
	require.NotEmpty(t, genesis.EpochPots)
	require.NotEmpty(t, genesis.Quarantine)
	require.NotNil(t, genesis.Sweep)
	require.NoError(t, genesis.Validate(b.Addresses))

	again := chain.New(t, chain.WithState(b.Export()))
	exported, err := json.Marshal(again.Export())
	require.NoError(t, err)
	before, err := json.Marshal(b.Export())
	require.NoError(t, err)
	require.Equal(t, string(before), string(exported))
	again.AssertInvariants()
	require.Equal(t, b.Now(), again.Now())

	// The first tick after an import adds nothing; then both go on alike.
	again.NextBlock(60 * second)
	require.Equal(t, b.Now(), again.Now())
}

func TestAnImportedChainGoesOnLikeTheOldOne(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		params := drawParams(rt)
		params.MaxDeadlinesPerBlock = rapid.SampledFrom([]uint32{1, 1000}).Draw(rt, "deadlines a block")
		params.HoldbackEpochs = rapid.SampledFrom([]uint32{0, 2}).Draw(rt, "epochs held back")
		p := newPlayer(t, rt, params)
		p.play(drawHistory(rt, append(payouts, claims...)...))
		// The book above escrow is not part of its genesis: end what it holds.
		for _, id := range p.holds {
			if err := p.book.release(p.Ctx(), id); err != nil {
				rt.Skip("behind")
			}
		}
		again := &player{
			bench: &bench{Chain: chain.New(t, chain.WithModuleAccount("treasury"), chain.WithState(p.Export())), t: t},
			rt:    rt, accounts: p.accounts,
		}
		require.Equal(rt, p.state(), again.state())
		again.NextBlock(0)
		require.Equal(rt, p.settle(), again.settle())
	})
}

func TestAGenesisThatContradictsItselfIsRefused(t *testing.T) {
	b := lived(t)
	for name, spoil := range map[string]func(g *types.GenesisState){
		"parameters out of range":        func(g *types.GenesisState) { g.Params.EpochSeconds = 0 },
		"a clock at second 0":            func(g *types.GenesisState) { g.Clock.EpochStart = 0 },
		"epoch 0":                        func(g *types.GenesisState) { g.Clock.Epoch = 0 },
		"an epoch without length":        func(g *types.GenesisState) { g.Clock.EpochEnd = g.Clock.EpochStart },
		"earnings that mature too early": func(g *types.GenesisState) { g.Clock.MaturesAt = g.Clock.EpochStart - 1 },
		"a stream after a later one":     func(g *types.GenesisState) { g.OpenStreams[0].Previous = g.OpenStreams[1].Id },
		"a stream after one of another account": func(g *types.GenesisState) {
			g.OpenStreams[len(g.OpenStreams)-1].Previous = g.OpenStreams[0].Id
		},
		"a stream after an open one": func(g *types.GenesisState) { g.OpenStreams[1].Previous = g.OpenStreams[0].Id },
		"a stream after one for another": func(g *types.GenesisState) {
			g.OpenStreams[1].Previous, g.ClosedStreams[0].Ref = g.ClosedStreams[0].Id, 99
		},
		"two streams after one": func(g *types.GenesisState) {
			for i := range 2 {
				g.OpenStreams[i].Previous, g.OpenStreams[i].Payee = g.ClosedStreams[0].Id, g.ClosedStreams[0].Payee
			}
		},
		"an untold epoch that is not in quarantine": func(g *types.GenesisState) {
			g.UntoldEpochs = []types.Epoch{{Number: 1, Start: 1, End: 101, ClosedAt: 101, MaturesAt: 301}}
		},
		"an epoch in quarantine that is told": func(g *types.GenesisState) {
			g.Quarantine = append(g.Quarantine, types.Quarantined{Source: types.EpochSource, Id: 1})
		},
		"an untold epoch that has not closed": func(g *types.GenesisState) { g.UntoldEpochs = untold(g, g.Clock.Epoch) },
		"an untold epoch 0":                   func(g *types.GenesisState) { g.UntoldEpochs = untold(g, 0) },
		"an untold epoch closed in the future": func(g *types.GenesisState) {
			g.UntoldEpochs = untold(g, 1)
			g.UntoldEpochs[0].ClosedAt = 1 << 40
		},
		"an untold epoch without length": func(g *types.GenesisState) {
			g.UntoldEpochs = untold(g, 1)
			g.UntoldEpochs[0].Start = 101
		},
		"an untold epoch that matures before its end": func(g *types.GenesisState) {
			g.UntoldEpochs = untold(g, 1)
			g.UntoldEpochs[0].MaturesAt = 100
		},
		"a frontier in the future":         func(g *types.GenesisState) { g.Clock.Frontier = g.Clock.Now() + 1 },
		"a frontier before the epoch":      func(g *types.GenesisState) { g.Clock.Frontier = g.Clock.EpochStart - 1 },
		"an account twice":                 func(g *types.GenesisState) { g.Accounts[1].Id = g.Accounts[0].Id },
		"account 0":                        func(g *types.GenesisState) { g.Accounts[0].Id = 0 },
		"the next account exists":          func(g *types.GenesisState) { g.NextAccount = 2 },
		"an owner that is no address":      func(g *types.GenesisState) { g.Accounts[0].Owner = "alice" },
		"a denom that is none":             func(g *types.GenesisState) { g.Accounts[0].Denom = "" },
		"an account without state":         func(g *types.GenesisState) { g.Accounts[0].State = 0 },
		"a negative hold":                  func(g *types.GenesisState) { g.Accounts[0].Held = math.NewInt(-1) },
		"a hold that is not set":           func(g *types.GenesisState) { g.Accounts[0].Held = math.Int{} },
		"an outflow too large":             func(g *types.GenesisState) { g.Accounts[0].Outflow.Intercept = power(200) },
		"a negative rate":                  func(g *types.GenesisState) { g.Accounts[0].Outflow.Slope = math.NewInt(-1) },
		"a closed account with streams":    func(g *types.GenesisState) { g.Accounts[0].State = closedState },
		"exhaustion in the future":         func(g *types.GenesisState) { g.Accounts[0].ExhaustedAt = 1 << 40 },
		"no deposits":                      func(g *types.GenesisState) { g.Accounts[0].Deposits = nil },
		"a negative deposit":               func(g *types.GenesisState) { g.Accounts[0].Deposits[0].Remainder = math.NewInt(-1) },
		"a depositor that is no address":   func(g *types.GenesisState) { g.Accounts[0].Deposits[0].Depositor = "x" },
		"a closed account with money":      func(g *types.GenesisState) { g.Accounts[1].Deposits[0].Remainder = math.NewInt(3600) },
		"more streams than counted":        func(g *types.GenesisState) { g.Accounts[0].Streams++ },
		"too many streams":                 func(g *types.GenesisState) { g.Accounts[0].Streams = 257 },
		"a stream of nobody":               func(g *types.GenesisState) { g.OpenStreams[0].Account = 99 },
		"streams out of order":             func(g *types.GenesisState) { g.OpenStreams[1].Id = g.OpenStreams[0].Id },
		"a stream of no rate":              func(g *types.GenesisState) { g.OpenStreams[0].Rate = 0 },
		"a stream of another rate":         func(g *types.GenesisState) { g.OpenStreams[0].Rate++ },
		"a stream of no kind":              func(g *types.GenesisState) { g.OpenStreams[0].Kind = 0 },
		"a stream of another kind":         func(g *types.GenesisState) { g.OpenStreams[0].Kind = hold },
		"a payee that is no address":       func(g *types.GenesisState) { g.OpenStreams[0].Payee = "bob" },
		"a stream opened in the future":    func(g *types.GenesisState) { g.OpenStreams[0].OpenedAt = 1 << 40 },
		"an open stream that is closed":    func(g *types.GenesisState) { g.OpenStreams[0].ClosedAt = 1 },
		"a stream closed before it opened": func(g *types.GenesisState) { g.ClosedStreams[0].ClosedAt = 0 },
		"a pot twice":                      func(g *types.GenesisState) { g.Pots[1] = g.Pots[0] },
		"a pot missing":                    func(g *types.GenesisState) { g.Pots = g.Pots[1:] },
		"a pot of a later epoch":           func(g *types.GenesisState) { g.Pots[0].Epoch = 99 },
		"a pot of nobody":                  func(g *types.GenesisState) { g.Pots[0].Payee = "" },
		"a negative pot":                   func(g *types.GenesisState) { g.Pots[0].Available = math.NewInt(-1) },
		"an amount that is not set":        func(g *types.GenesisState) { g.Pots[0].Running.Hold.Intercept = math.Int{} },
		"a pot that earns more":            func(g *types.GenesisState) { g.Pots[0].Running.Hold.Slope = math.OneInt() },
		"an epoch pot twice":               func(g *types.GenesisState) { g.EpochPots = append(g.EpochPots, g.EpochPots[0]) },
		"an epoch pot of nobody":           func(g *types.GenesisState) { g.EpochPots[0].Payee = "" },
		"an epoch pot not yet closed":      func(g *types.GenesisState) { g.EpochPots[0].Epoch = g.Clock.Epoch },
		"an epoch pot out of range":        func(g *types.GenesisState) { g.EpochPots[0].Service = power(200) },
		"an epoch pot that pays more":      func(g *types.GenesisState) { g.EpochPots[0].Payable = g.EpochPots[0].Payable.AddRaw(1) },
		"an epoch pot that forfeits more":  func(g *types.GenesisState) { g.EpochPots[0].Forfeited = math.OneInt() },
		"an epoch pot that refunds less":   func(g *types.GenesisState) { g.EpochPots[0].Refunded = math.NewInt(-1) },
		"an epoch pot that settled nil":    func(g *types.GenesisState) { g.EpochPots[0].Settled = math.Int{} },
		"an epoch pot that forfeits hold": func(g *types.GenesisState) {
			pot := &g.EpochPots[0]
			pot.Hold, pot.Payable, pot.Forfeited = pot.Hold.AddRaw(1), math.ZeroInt(), pot.Payable.AddRaw(1)
		},
		"an epoch pot that pays too early": func(g *types.GenesisState) { g.EpochPots[0].Credited = false },
		"dust twice":                       func(g *types.GenesisState) { g.Dust = []types.Dust{dust(1), dust(1)} },
		"negative dust":                    func(g *types.GenesisState) { g.Dust = []types.Dust{dust(-1)} },
		"dust of no denom":                 func(g *types.GenesisState) { g.Dust = []types.Dust{{Grains: math.OneInt()}} },
		"an item twice in quarantine":      func(g *types.GenesisState) { g.Quarantine = append(g.Quarantine, g.Quarantine[0]) },
		"an item of no source":             func(g *types.GenesisState) { g.Quarantine[0].Source = "" },
		"a sweep of nobody":                func(g *types.GenesisState) { g.Sweep.Payee = "bob" },
	} {
		t.Run(name, func(t *testing.T) {
			genesis, err := b.Escrow.ExportGenesis(b.Ctx())
			require.NoError(t, err)
			spoil(genesis)
			require.ErrorIs(t, genesis.Validate(b.Addresses), types.ErrInvalidGenesis)
			require.ErrorIs(t, b.Escrow.InitGenesis(b.Ctx(), genesis), types.ErrInvalidGenesis)
		})
	}
}

// untold puts an epoch of which the policy could not be told into quarantine.
func untold(g *types.GenesisState, number uint64) []types.Epoch {
	g.Quarantine = append(g.Quarantine, types.Quarantined{Source: types.EpochSource, Id: number})
	return []types.Epoch{{Number: number, Start: 1, End: 101, ClosedAt: 101, MaturesAt: 301}}
}

const closedState = types.AccountState_ACCOUNT_STATE_CLOSED

func dust(grains int64) types.Dust { return types.Dust{Denom: "usouk", Grains: math.NewInt(grains)} }

func TestAGenesisThatOwesMoreThanTheBankHasIsRefused(t *testing.T) {
	b := lived(t)
	for name, spoil := range map[string]func(g *types.GenesisState){
		"a larger deposit": func(g *types.GenesisState) {
			g.Accounts[0].Deposits[0].Remainder = g.Accounts[0].Deposits[0].Remainder.AddRaw(3600)
		},
		"more dust":              func(g *types.GenesisState) { g.Dust = append(g.Dust, dust(1)) },
		"a zero second too late": func(g *types.GenesisState) { g.Accounts[0].ZeroAt++ },
		"dust of an unheard coin": func(g *types.GenesisState) {
			g.Dust = append(g.Dust, types.Dust{Denom: "uother", Grains: math.OneInt()})
		},
	} {
		t.Run(name, func(t *testing.T) {
			genesis, err := b.Escrow.ExportGenesis(b.Ctx())
			require.NoError(t, err)
			spoil(genesis)
			state := b.Export()
			state[types.ModuleName] = b.Codec.MustMarshalJSON(genesis)
			require.Panics(t, func() { chain.New(t, chain.WithState(state)) })
		})
	}
}

func TestCoinsForcedIntoTheModuleHurtNobody(t *testing.T) {
	b := lived(t)
	rich := b.Funded("rich", chain.Coin(17))
	require.NoError(t, b.Bank.SendCoins(b.Ctx(), rich, b.Auth.GetModuleAddress(types.ModuleName), sdk.NewCoins(chain.Coin(17))))
	require.NoError(t, b.Escrow.CheckConservation(b.Ctx()))
	require.ErrorIs(t, b.Escrow.AssertInvariants(b.Ctx()), types.ErrBroken)
}
