package keeper_test

import (
	"crypto/sha256"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/testutil/chain"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market"
	"github.com/souk-network/souk/x/market/keeper"
	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

const (
	second = time.Second
	denom  = scope.Denom

	// window and runway are what the bench's parameters say, in seconds.
	window, runway = 15, 10
	// hourly is the rate of one unit at the plain ask: one micro-denom a second.
	hourly = uint64(3600)
)

func TestMain(m *testing.M) {
	scope.Set()
	os.Exit(m.Run())
}

// bench is a chain with a market, and people who use it.
type bench struct {
	*chain.Chain
	t      testing.TB
	Market *keeper.Keeper
}

// quickEscrow are parameters with short epochs and a short runway.
func quickEscrow() escrowtypes.Params {
	return escrowtypes.Params{
		MaxTickSeconds: 3600, EpochSeconds: 100, HoldbackEpochs: 2, MinRunwaySeconds: runway, FeeBps: 200,
		Denoms: []escrowtypes.DenomParams{
			{Denom: "uother", MinDeposit: math.NewInt(1)}, {Denom: denom, MinDeposit: math.NewInt(100)},
		},
		MaxDeadlinesPerBlock: 1000,
	}
}

// quick are parameters with a short window and no charge for clearing.
func quick() types.Params {
	params := types.DefaultParams()
	params.AckWindowSeconds, params.ClearingGas, params.BidLifetimeSeconds = window, 0, 1000
	params.AnswerWindowSeconds = answerWindow
	return params
}

// start opens a market whose clock ticks, at second 1.
func start(t testing.TB, options ...chain.Option) *bench {
	t.Helper()
	genesis := types.DefaultGenesis()
	genesis.Params = quick()
	return startFrom(t, genesis, append([]chain.Option{chain.WithEscrowParams(quickEscrow())}, options...)...)
}

// startFrom opens a market from a genesis; nil when an option has one.
func startFrom(t testing.TB, genesis *types.GenesisState, options ...chain.Option) *bench {
	t.Helper()
	b := &bench{t: t}
	options = append(options, chain.WithStore(types.StoreKey), chain.WithModule(b.build))
	if genesis != nil {
		options = append(options, chain.WithGenesis(types.ModuleName, b.json(genesis)))
	}
	b.Chain = chain.New(t, options...)
	b.NextBlock(0)
	return b
}

// build wires the market over escrow and provider, as the application does.
func (b *bench) build(c *chain.Chain) module.AppModule {
	b.Market = keeper.NewKeeper(c.Codec, c.StoreService(types.StoreKey), c.Addresses, c.Escrow, c.Provider, c.Bank, c.Authority)
	c.Escrow.SetHooks(b.Market.EscrowHooks())
	c.Provider.SetHooks(b.Market.ProviderHooks())
	for _, source := range b.Market.DeadlineSources() {
		c.Escrow.RegisterDeadlines(source)
	}
	return market.NewAppModule(c.Codec, b.Market)
}

// check asserts every invariant of market, escrow and provider.
func (b *bench) check() {
	b.t.Helper()
	require.NoError(b.t, b.Market.CheckInvariants(b.Ctx()))
	b.AssertInvariants()
}

// tick lets a block pass, and checks.
func (b *bench) tick(elapsed time.Duration) {
	b.t.Helper()
	b.NextBlock(elapsed)
	b.check()
}

// name returns the address of a name as text.
func (b *bench) name(name string) string { return b.Text(chain.Account(name)) }

// joins registers a provider with a bond in micro-denom; its agent is the name with -agent.
func (b *bench) joins(name string, micro int64) {
	b.t.Helper()
	b.Funded(name, chain.Coin(micro+1))
	key := sha256.Sum256([]byte(name))
	require.NoError(b.t, b.Deliver(&providertypes.MsgRegister{
		Operator: b.name(name), Agent: b.name(name + "-agent"), GatewayUri: "https://" + name + ".example:8443",
		TlsKeys: [][]byte{key[:]}, Info: providertypes.Info{Name: name}, Bond: sdk.NewCoins(chain.Coin(micro)),
	}))
}

// units is the capacity of n plain units: one vCPU and one GiB each.
func units(n uint64) types.Resources {
	return types.Resources{CpuMillis: 1000 * n, MemoryMib: 1024 * n}
}

// asking is a price list at which one plain unit costs the rate.
func asking(rate uint64) []types.Ask { return []types.Ask{{Denom: denom, Cpu: rate - 1, Memory: 1}} }

// region is a label list.
func region(value string) []types.Label { return []types.Label{{Key: "region", Value: value}} }

// sets declares pool 0 of a provider.
func (b *bench) sets(provider string, total types.Resources) {
	b.t.Helper()
	require.NoError(b.t, b.Deliver(b.setPool(provider, total)))
}

func (b *bench) setPool(provider string, total types.Resources) *types.MsgSetPool {
	return &types.MsgSetPool{
		Signer: b.name(provider + "-agent"), Provider: b.name(provider), Total: total, LargestUnit: total,
	}
}

// posts offers pool 0 of a provider at a rate for one plain unit, and returns the offer.
func (b *bench) posts(provider string, rate uint64, labels ...types.Label) uint64 {
	b.t.Helper()
	response, err := chain.Send[types.MsgPostOfferResponse](b.Chain, b.postOffer(provider, rate, labels...))
	require.NoError(b.t, err)
	return response.Offer
}

func (b *bench) postOffer(provider string, rate uint64, labels ...types.Label) *types.MsgPostOffer {
	return &types.MsgPostOffer{
		Signer: b.name(provider + "-agent"), Provider: b.name(provider), Asks: asking(rate), Labels: labels,
	}
}

// sells registers a provider with plenty of bond, that sells n units at a rate, and returns the offer.
func (b *bench) sells(name string, n, rate uint64, labels ...types.Label) uint64 {
	b.t.Helper()
	b.joins(name, 1_000_000_000)
	b.sets(name, units(n))
	return b.posts(name, rate, labels...)
}

// want is a bid for replicas of one plain unit.
func want(name string, replicas uint32, limit uint64) types.BidSpec {
	return types.BidSpec{Name: name, Unit: units(1), MinReplicas: replicas, Replicas: replicas, Cap: limit}
}

func (b *bench) create(owner, name string, micro int64, bids ...types.BidSpec) *types.MsgCreateDeployment {
	hash := sha256.Sum256([]byte(name))
	return &types.MsgCreateDeployment{
		Owner: b.name(owner), Name: name, ManifestHash: hash[:], Bids: bids, Deposit: chain.Coin(micro),
	}
}

// deploys gives a tenant coins and opens a deployment with them, and returns its id.
func (b *bench) deploys(owner, name string, micro int64, bids ...types.BidSpec) uint64 {
	b.t.Helper()
	b.Funded(owner, chain.Coin(micro))
	response, err := chain.Send[types.MsgCreateDeploymentResponse](b.Chain, b.create(owner, name, micro, bids...))
	require.NoError(b.t, err)
	require.Equal(b.t, response.Account, response.Deployment)
	require.Len(b.t, response.Bids, len(bids))
	return response.Deployment
}

// closes ends a deployment, and returns the refund in micro-denom.
func (b *bench) closes(owner string, deployment uint64) int64 {
	b.t.Helper()
	response, err := chain.Send[types.MsgCloseDeploymentResponse](b.Chain,
		&types.MsgCloseDeployment{Owner: b.name(owner), Deployment: deployment})
	require.NoError(b.t, err)
	return response.Refunded.Amount.Int64()
}

// acks accepts leases of a provider, and returns the errors of those that could not be, by place.
func (b *bench) acks(provider string, leases ...uint64) []string {
	b.t.Helper()
	return b.answers(&types.MsgAckLeases{
		Signer: b.name(provider + "-agent"), Provider: b.name(provider), Accept: leases,
	})
}

// declines refuses leases of a provider.
func (b *bench) declines(provider string, leases ...uint64) []string {
	b.t.Helper()
	return b.answers(&types.MsgAckLeases{
		Signer: b.name(provider + "-agent"), Provider: b.name(provider), Decline: leases,
	})
}

func (b *bench) answers(message *types.MsgAckLeases) []string {
	b.t.Helper()
	response, err := chain.Send[types.MsgAckLeasesResponse](b.Chain, message)
	require.NoError(b.t, err)
	errs := make([]string, len(response.Results))
	for i, result := range response.Results {
		errs[i] = result.Error
	}
	return errs
}

// query is the module's query server.
func (b *bench) query() types.QueryServer { return keeper.NewQueryServer(b.Market) }

// leases returns the leases of a deployment, ended ones too.
func (b *bench) leases(deployment uint64) []types.Lease {
	b.t.Helper()
	response, err := b.query().Leases(b.Ctx(), &types.QueryLeasesRequest{Deployment: deployment})
	require.NoError(b.t, err)
	return response.Leases
}

// lease returns the one lease of a deployment.
func (b *bench) lease(deployment uint64) types.Lease {
	b.t.Helper()
	leases := b.leases(deployment)
	require.Len(b.t, leases, 1)
	return leases[0]
}

// bids returns a deployment's bids.
func (b *bench) bids(deployment uint64) []types.Bid {
	b.t.Helper()
	response, err := b.query().Deployment(b.Ctx(), &types.QueryDeploymentRequest{Id: deployment})
	require.NoError(b.t, err)
	return response.Bids
}

func (b *bench) deployment(id uint64) types.Deployment {
	b.t.Helper()
	response, err := b.query().Deployment(b.Ctx(), &types.QueryDeploymentRequest{Id: id})
	require.NoError(b.t, err)
	return response.Deployment
}

func (b *bench) offer(id uint64) types.QueryOfferResponse {
	b.t.Helper()
	response, err := b.query().Offer(b.Ctx(), &types.QueryOfferRequest{Id: id})
	require.NoError(b.t, err)
	return *response
}

// bond returns what a provider has at stake, in micro-denom.
func (b *bench) bond(provider string) int64 {
	b.t.Helper()
	coins, err := b.Provider.BondOf(b.Ctx(), chain.Account(provider))
	require.NoError(b.t, err)
	return coins.AmountOf(denom).Int64()
}

// refuses delivers messages that must fail with an error of the module, as a whole and without a trace.
func (b *bench) refuses(expected error, messages ...sdk.Msg) {
	b.t.Helper()
	before := b.Export()
	err := b.Deliver(messages...)
	require.ErrorIs(b.t, err, expected)
	require.Equal(b.t, before, b.Export())
	b.check()
}

func (b *bench) json(genesis *types.GenesisState) []byte {
	b.t.Helper()
	return chain.JSON(genesis)
}

func (b *bench) addBond(provider string, micro int64) sdk.Msg {
	return b.addBondCoin(provider, chain.Coin(micro))
}

func (b *bench) addBondCoin(provider string, amount sdk.Coin) sdk.Msg {
	return &providertypes.MsgBond{Operator: b.name(provider), Amount: amount}
}

func other(amount int64) sdk.Coin { return sdk.NewInt64Coin("uother", amount) }
