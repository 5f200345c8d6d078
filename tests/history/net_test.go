package history

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"

	"github.com/souk-network/souk/testutil/chain"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market"
	marketkeeper "github.com/souk-network/souk/x/market/keeper"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

const (
	native = "usouk"
	stable = "ustable"

	// wealth is what everybody has of each denom at first, in micro-denom.
	wealth = int64(1_000_000_000)
	// bonded is the bond with which the first providers begin, in each denom.
	bonded = int64(2_000_000)
	// hourly is the rate of one plain unit at the lowest ask: one micro-denom a second.
	hourly = uint64(3600)
	// grains are those of a micro-denom.
	grains = 3600

	providers, founders, tenants = 4, 3, 3
)

var denoms = []string{native, stable}

// people are those of a history, by name.
var people = []string{
	"tenant-0", "tenant-1", "tenant-2", "uncle", "stranger", "auditor", "provider-0", "provider-1", "provider-2", "provider-3",
	"agent-0", "agent-1", "agent-2", "agent-3", "spare", "payout",
}

// net is a market on a chain.
type net struct {
	*chain.Chain
	market *marketkeeper.Keeper
	last   sentinel
	names  map[string]string // of people, in text
}

// found makes a net at its first second: everybody has coins, and three providers have a pool and an offer each.
func found(t testing.TB) *net {
	n := &net{names: map[string]string{}}
	n.Chain = chain.New(t, chain.WithStore(markettypes.StoreKey), chain.WithStore(sentinelStore),
		chain.WithModule(n.build), chain.WithEscrowParams(escrowParams()))
	n.Escrow.RegisterDeadlines(n.last)
	for _, name := range people {
		n.names[name] = n.Text(n.Funded(name, coin(native, wealth), coin(stable, wealth)))
	}
	n.NextBlock(0)
	for i := range founders {
		require.NoError(t, n.Deliver(n.register(i), n.setPool(i, 0, units(6)), n.postOffer(i, 0, hourly+uint64(i))))
	}
	n.NextBlock(0)
	return n
}

// build wires the market over escrow and provider, as the application does.
func (n *net) build(c *chain.Chain) module.AppModule {
	n.market = marketkeeper.NewKeeper(c.Codec, c.StoreService(markettypes.StoreKey), c.Addresses, c.Escrow, c.Provider, c.Bank, c.Authority)
	c.Escrow.SetHooks(n.market.EscrowHooks())
	c.Provider.SetHooks(n.market.ProviderHooks())
	for _, source := range n.market.DeadlineSources() {
		c.Escrow.RegisterDeadlines(source)
	}
	n.last = sentinel{c.StoreService(sentinelStore), c.Escrow.Now}
	return market.NewAppModule(c.Codec, n.market)
}

// branch is a net that goes on from here by itself.
func (n *net) branch(t testing.TB) *net {
	b := *n
	b.Chain = n.Chain.Branch(t)
	return &b
}

func escrowParams() escrowtypes.Params {
	return escrowtypes.Params{
		MaxTickSeconds: 3600, EpochSeconds: 50, HoldbackEpochs: 1, MinRunwaySeconds: 10, FeeBps: 200,
		Denoms: []escrowtypes.DenomParams{
			{Denom: native, MinDeposit: math.NewInt(100)}, {Denom: stable, MinDeposit: math.NewInt(1)},
		},
		MaxDeadlinesPerBlock: plenty, PauseRunwaySeconds: 5, PauseBps: 1000,
	}
}

// plenty of deadlines is more than are ever due in a history.
const plenty = 100_000

func coin(denom string, micro int64) sdk.Coin { return sdk.NewInt64Coin(denom, micro) }

// units is the capacity of n plain units: one vCPU and one GiB each.
func units(n uint64) markettypes.Resources {
	return markettypes.Resources{CpuMillis: 1000 * n, MemoryMib: 1024 * n}
}

// asks are price lists in both denoms at which one plain unit costs the rate.
func asks(rate uint64) []markettypes.Ask {
	return []markettypes.Ask{{Denom: native, Cpu: rate - 1, Memory: 1}, {Denom: stable, Cpu: rate - 1, Memory: 1}}
}

func (n *net) register(i int) *providertypes.MsgRegister {
	key := sha256.Sum256([]byte{byte(i)})
	return &providertypes.MsgRegister{
		Operator: n.names[fmt.Sprintf("provider-%d", i)], Agent: n.names[fmt.Sprintf("agent-%d", i)],
		GatewayUri: "https://provider.example:8443", TlsKeys: [][]byte{key[:]}, Bond: bothCoins(bonded),
		Auditors: []string{n.names["auditor"]},
	}
}

func bothCoins(micro int64) sdk.Coins { return sdk.NewCoins(coin(native, micro), coin(stable, micro)) }

func (n *net) setPool(i int, id uint32, total markettypes.Resources) *markettypes.MsgSetPool {
	return &markettypes.MsgSetPool{
		Signer: n.names[fmt.Sprintf("agent-%d", i)], Provider: n.names[fmt.Sprintf("provider-%d", i)], Id: id, Total: total,
		LargestUnit: units(3),
	}
}

func (n *net) postOffer(i int, pool uint32, rate uint64) *markettypes.MsgPostOffer {
	class := markettypes.LeaseClass_LEASE_CLASS_ON_DEMAND
	if i == founders-1 {
		class = markettypes.LeaseClass_LEASE_CLASS_SPOT
	}
	return &markettypes.MsgPostOffer{
		Signer: n.names[fmt.Sprintf("agent-%d", i)], Provider: n.names[fmt.Sprintf("provider-%d", i)], Pool: pool, Asks: asks(rate),
		Terms:  markettypes.OfferTerms{Class: class},
		Labels: []markettypes.Label{{Key: "region", Value: fmt.Sprint(i)}, {Key: "zone", Value: fmt.Sprint(i % 3)}},
	}
}

// zoneOf is the zone that labels name.
func zoneOf(labels []markettypes.Label) string {
	for _, l := range labels {
		if l.Key == markettypes.ZoneLabel {
			return l.Value
		}
	}
	return ""
}

// caughtUp tells that all is processed that was due when the block began, and every epoch is closed that is over.
func (n *net) caughtUp(t testing.TB) bool {
	done, err := n.last.done(n.Ctx())
	require.NoError(t, err)
	clock, err := n.Escrow.Clock(n.Ctx())
	require.NoError(t, err)
	return done && clock.Frontier < clock.EpochEnd
}

// check asserts every invariant of the three modules.
func (n *net) check(t testing.TB) {
	require.NoError(t, n.Escrow.AssertInvariants(n.Ctx()))
	require.NoError(t, n.Provider.AssertInvariants(n.Ctx()))
	require.NoError(t, n.market.CheckInvariants(n.Ctx()))
}

func (n *net) queries() markettypes.QueryServer { return marketkeeper.NewQueryServer(n.market) }

// has is what an account has of a denom, in micro-denom.
func (n *net) has(name, denom string) int64 {
	return n.Bank.GetBalance(n.Ctx(), chain.Account(name), denom).Amount.Int64()
}

// moduleHas is what a module has of a denom, in micro-denom.
func (n *net) moduleHas(module, denom string) int64 {
	return n.Bank.GetBalance(n.Ctx(), n.Auth.GetModuleAddress(module), denom).Amount.Int64()
}

// community is what the community pool has of a denom: all that distribution holds, for there are no rewards.
func (n *net) community(denom string) int64 { return n.moduleHas(distrtypes.ModuleName, denom) }

// state is the genesis of the three modules.
type state struct {
	escrow   *escrowtypes.GenesisState
	provider *providertypes.GenesisState
	market   *markettypes.GenesisState
}

func (n *net) export(t testing.TB) (s state) {
	var err error
	s.escrow, err = n.Escrow.ExportGenesis(n.Ctx())
	require.NoError(t, err)
	s.provider, err = n.Provider.ExportGenesis(n.Ctx())
	require.NoError(t, err)
	s.market, err = n.market.ExportGenesis(n.Ctx())
	require.NoError(t, err)
	return s
}
