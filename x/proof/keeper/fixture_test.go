package keeper_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/crypto/secp256k1"
	"github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/beacon/local"
	"github.com/souk-network/souk/sumtree"
	"github.com/souk-network/souk/testutil/chain"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market"
	marketkeeper "github.com/souk-network/souk/x/market/keeper"
	markettypes "github.com/souk-network/souk/x/market/types"
	"github.com/souk-network/souk/x/proof"
	"github.com/souk-network/souk/x/proof/keeper"
	"github.com/souk-network/souk/x/proof/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

const (
	second = time.Second
	denom  = scope.Denom

	// epoch is the length of an epoch, and the windows are what the bench's parameters say, all in seconds.
	epochLength, commitWindow, seedDelay, openWindow, forceWindow, beaconTimeout, grace = 100, 10, 5, 20, 20, 30, 2
	holdbackEpochs, lateEpochs, probation                                               = 8, 2, 6
	// bonded is what a provider has at stake.
	bonded = 1_000_000_000
	// hourly is the rate of one unit: one micro-denom, which is 3600 grains, a second.
	hourly = uint64(3600)
)

func TestMain(m *testing.M) {
	scope.Set()
	os.Exit(m.Run())
}

// bench is a chain with a market whose pay is proven, and people who use it.
type bench struct {
	*chain.Chain
	t      testing.TB
	Market *marketkeeper.Keeper
	Proof  *keeper.Keeper
	keys   *local.Keys
}

// group is a beacon of three, the same in every test, with a round a second.
var group = sync.OnceValue(func() *local.Keys {
	keys, err := local.Generate(mathrand.NewChaCha8([32]byte{1}), local.Spec{
		Members: 3, Threshold: 2, PeriodSeconds: 1,
		GenesisTime: uint64(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Unix()),
	})
	if err != nil {
		panic(err)
	}
	return keys
})

// quickEscrow are parameters with short epochs.
func quickEscrow() escrowtypes.Params {
	return escrowtypes.Params{
		MaxTickSeconds: 3600, EpochSeconds: epochLength, HoldbackEpochs: holdbackEpochs, MinRunwaySeconds: 10, FeeBps: 200,
		Denoms: []escrowtypes.DenomParams{
			{Denom: "uother", MinDeposit: math.NewInt(1)}, {Denom: denom, MinDeposit: math.NewInt(100)},
		},
		MaxDeadlinesPerBlock: 1000,
	}
}

// quick are parameters with short windows, drawn by a local beacon.
func quick() types.Params {
	params := types.DefaultParams()
	params.CommitWindowSeconds, params.SeedDelaySeconds, params.OpenWindowSeconds = commitWindow, seedDelay, openWindow
	params.LateEpochs, params.ProbationEpochs = lateEpochs, probation
	params.ForceWindowSeconds, params.BeaconTimeoutSeconds, params.ReceiptGraceSeconds = forceWindow, beaconTimeout, grace
	params.Beacon = types.NewBeacon(group().Group)
	return params
}

// start opens a chain whose clock ticks, at second 1 of epoch 1.
func start(t testing.TB, options ...chain.Option) *bench {
	t.Helper()
	return startWith(t, quick(), options...)
}

// startWith is start with other parameters.
func startWith(t testing.TB, params types.Params, options ...chain.Option) *bench {
	t.Helper()
	genesis := types.DefaultGenesis()
	genesis.Params = params
	marketGenesis := markettypes.DefaultGenesis()
	marketGenesis.Params.AckWindowSeconds, marketGenesis.Params.ClearingGas = 15, 0
	options = append([]chain.Option{
		chain.WithEscrowParams(quickEscrow()),
		chain.WithGenesis(types.ModuleName, chain.JSON(genesis)),
		chain.WithGenesis(markettypes.ModuleName, chain.JSON(marketGenesis)),
	}, options...)
	b := open(t, options...)
	b.NextBlock(0)
	return b
}

// open wires market and proof over escrow and provider, as the application does.
func open(t testing.TB, options ...chain.Option) *bench {
	t.Helper()
	b := &bench{t: t, keys: group()}
	options = append(options, chain.WithStore(markettypes.StoreKey), chain.WithStore(types.StoreKey),
		chain.WithModuleAccount(types.ModuleName), chain.WithModule(b.buildMarket), chain.WithModule(b.buildProof))
	b.Chain = chain.New(t, options...)
	return b
}

func (b *bench) buildMarket(c *chain.Chain) module.AppModule {
	b.Market = marketkeeper.NewKeeper(c.Codec, c.StoreService(markettypes.StoreKey), c.Addresses, c.Escrow, c.Provider, c.Bank, c.Authority)
	c.Escrow.SetHooks(b.Market.EscrowHooks())
	c.Provider.SetHooks(b.Market.ProviderHooks())
	for _, source := range b.Market.DeadlineSources() {
		c.Escrow.RegisterDeadlines(source)
	}
	return market.NewAppModule(c.Codec, b.Market)
}

func (b *bench) buildProof(c *chain.Chain) module.AppModule {
	b.Proof = keeper.NewKeeper(c.Codec, c.StoreService(types.StoreKey), c.Addresses, c.Bank, c.Auth, c.Escrow, c.Provider,
		b.Market, c.Authority)
	c.Escrow.SetCreditPolicy(b.Proof.Policy())
	b.Market.SetHooks(b.Proof.MarketHooks())
	for _, source := range b.Proof.DeadlineSources() {
		c.Escrow.RegisterDeadlines(source)
	}
	return proof.NewAppModule(c.Codec, b.Proof)
}

// check asserts every invariant of the four modules.
func (b *bench) check() {
	b.t.Helper()
	require.NoError(b.t, b.Proof.CheckInvariants(b.Ctx()))
	require.NoError(b.t, b.Market.CheckInvariants(b.Ctx()))
	b.AssertInvariants()
}

// tick lets a block pass, and checks.
func (b *bench) tick(elapsed time.Duration) {
	b.t.Helper()
	b.NextBlock(elapsed)
	b.check()
}

// until lets blocks of at most 5 seconds pass, and stops in the one at a service second.
func (b *bench) until(at uint64) {
	b.t.Helper()
	require.LessOrEqual(b.t, b.Now(), at, "that second is past")
	for b.Now() < at {
		b.tick(time.Duration(min(5, at-b.Now())) * second)
	}
}

// endOf is the second at which an epoch ends.
func endOf(number uint64) uint64 { return 1 + number*epochLength }

// name returns the address of a name as text.
func (b *bench) name(name string) string { return b.Text(chain.Account(name)) }

// sells registers a provider that sells n units, each for one micro-denom a second.
func (b *bench) sells(name string, n uint64) sdk.AccAddress {
	b.t.Helper()
	bond := sdk.NewCoins(chain.Coin(bonded), sdk.NewInt64Coin("uother", bonded))
	b.Funded(name, bond.Add(chain.Coin(1))...)
	key := sha256.Sum256([]byte(name))
	agent, operator := b.name(name+"-agent"), b.name(name)
	total := units(n)
	require.NoError(b.t, b.Deliver(
		&providertypes.MsgRegister{
			Operator: operator, Agent: agent, GatewayUri: "https://" + name + ".example:8443", TlsKeys: [][]byte{key[:]},
			Info: providertypes.Info{Name: name}, Bond: bond,
		},
		&markettypes.MsgSetPool{Signer: agent, Provider: operator, Total: total, LargestUnit: total},
		&markettypes.MsgPostOffer{
			Signer: agent, Provider: operator, Asks: []markettypes.Ask{
				{Denom: "uother", Cpu: hourly - 1, Memory: 1}, {Denom: denom, Cpu: hourly - 1, Memory: 1},
			},
			Labels: []markettypes.Label{{Key: "provider", Value: name}},
		},
	))
	return chain.Account(name)
}

// units is the capacity of n plain units: one vCPU and one GiB each.
func units(n uint64) markettypes.Resources {
	return markettypes.Resources{CpuMillis: 1000 * n, MemoryMib: 1024 * n}
}

// rents lets a tenant with so many micro-denom rent a unit of a provider from now on, and returns the lease.
func (b *bench) rents(tenant, provider string, micro int64) markettypes.Lease {
	b.t.Helper()
	return b.rentsFor(tenant, provider, chain.Coin(micro))
}

// rentsFor is rents in another currency.
func (b *bench) rentsFor(tenant, provider string, deposit sdk.Coin) markettypes.Lease {
	b.t.Helper()
	id := b.wins(tenant, provider, deposit)
	acked, err := chain.Send[markettypes.MsgAckLeasesResponse](b.Chain, &markettypes.MsgAckLeases{
		Signer: b.name(provider + "-agent"), Provider: b.name(provider), Accept: []uint64{id},
	})
	require.NoError(b.t, err)
	require.Empty(b.t, acked.Results[0].Error)
	lease, err := b.Market.Lease(b.Ctx(), id)
	require.NoError(b.t, err)
	return lease
}

// wins lets a tenant bid for a unit of a provider, and returns the lease that nobody has acknowledged yet. Its deployment can be
// watched with watchKey.
func (b *bench) wins(tenant, provider string, deposit sdk.Coin) uint64 {
	b.t.Helper()
	b.Funded(tenant, deposit)
	hash := sha256.Sum256([]byte(tenant))
	response, err := chain.Send[markettypes.MsgCreateDeploymentResponse](b.Chain, &markettypes.MsgCreateDeployment{
		Owner: b.name(tenant), Name: fmt.Sprintf("web-%d-%d", b.Now(), b.Balance(chain.Account(tenant))), ManifestHash: hash[:],
		Deposit: deposit,
		Bids: []markettypes.BidSpec{{
			Name: "web", Unit: units(1), MinReplicas: 1, Replicas: 1, Cap: hourly,
			Allow: []string{b.name(provider)},
		}},
		AccessKeys: []markettypes.AccessKey{{
			Address: b.Text(sdk.AccAddress(watchKey.PubKey().Address())), Scopes: []markettypes.Scope{markettypes.Scope_SCOPE_WATCH},
		}},
	})
	require.NoError(b.t, err)
	b.tick(second) // the market clears once a second
	leases, err := marketkeeper.NewQueryServer(b.Market).Leases(b.Ctx(), &markettypes.QueryLeasesRequest{Deployment: response.Deployment})
	require.NoError(b.t, err)
	require.Len(b.t, leases.Leases, 1, "the bid was not matched")
	return leases.Leases[0].Id
}

// watchKey may watch all deployments.
var watchKey = secp256k1.GenPrivKeySecp256k1([]byte("watcher"))

func (b *bench) query() types.QueryServer { return keeper.NewQueryServer(b.Proof) }

// dues returns what was due to a provider for its leases in an epoch.
func (b *bench) dues(provider string, epoch uint64, denom string) []types.Due {
	b.t.Helper()
	var dues []types.Due
	page := &query.PageRequest{}
	for {
		response, err := b.query().Dues(b.Ctx(), &types.QueryDuesRequest{
			Provider: b.name(provider), Epoch: epoch, Denom: denom, Pagination: page,
		})
		require.NoError(b.t, err)
		dues = append(dues, response.Dues...)
		if len(response.Pagination.NextKey) == 0 {
			return dues
		}
		page = &query.PageRequest{Key: response.Pagination.NextKey}
	}
}

// vouch makes the leaf of a lease that was up for a part of the seconds that were due.
func vouch(epoch uint64, due types.Due, percent uint64) sumtree.Leaf {
	up := due.Seconds * percent / 100
	return leafOf(types.Leaf{Epoch: epoch, UpSeconds: up, DueSeconds: due.Seconds}, due.Lease,
		types.CreditOf(due.Grains, up, due.Seconds))
}

// leafOf is a leaf that credits some grains.
func leafOf(leaf types.Leaf, lease uint64, credited math.Int) sumtree.Leaf {
	payload, err := leaf.Marshal()
	if err != nil {
		panic(err)
	}
	sum, err := sumtree.FromBig(credited.BigInt())
	if err != nil {
		panic(err)
	}
	return sumtree.Leaf{ID: lease, Sum: sum, Payload: payload}
}

// tree is what an honest provider commits to, whose leases were up for a part of the time.
func (b *bench) tree(provider string, epoch uint64, percent uint64) *sumtree.Tree {
	b.t.Helper()
	return b.treeIn(provider, epoch, denom, percent)
}

func (b *bench) treeIn(provider string, epoch uint64, denom string, percent uint64) *sumtree.Tree {
	b.t.Helper()
	var leaves []sumtree.Leaf
	for _, due := range b.dues(provider, epoch, denom) {
		leaves = append(leaves, vouch(epoch, due, percent))
	}
	return b.build(leaves...)
}

func (b *bench) build(leaves ...sumtree.Leaf) *sumtree.Tree {
	b.t.Helper()
	tree, err := sumtree.Build(leaves)
	require.NoError(b.t, err)
	return tree
}

// commitment is the message by which a provider's agent commits to a tree in the native denom.
func (b *bench) commitment(provider string, epoch uint64, tree *sumtree.Tree) *types.MsgCommitEpoch {
	return &types.MsgCommitEpoch{
		Signer: b.name(provider + "-agent"), Provider: b.name(provider), Epoch: epoch,
		Roots: []types.Root{types.NewRoot(denom, tree.Root())},
	}
}

// commits lets a provider commit to a tree.
func (b *bench) commits(provider string, epoch uint64, tree *sumtree.Tree) *types.MsgCommitEpochResponse {
	b.t.Helper()
	response, err := chain.Send[types.MsgCommitEpochResponse](b.Chain, b.commitment(provider, epoch, tree))
	require.NoError(b.t, err)
	b.check()
	return response
}

// committed returns what a provider committed to, with the positions that are drawn.
func (b *bench) committed(provider string, epoch uint64) (types.Commitment, []types.Drawn) {
	b.t.Helper()
	response, err := b.query().Commitment(b.Ctx(), &types.QueryCommitmentRequest{Provider: b.name(provider), Epoch: epoch})
	require.NoError(b.t, err)
	return response.Commitment, response.Drawn
}

func (b *bench) state(provider string, epoch uint64) types.CommitmentState {
	b.t.Helper()
	c, _ := b.committed(provider, epoch)
	return c.State
}

// openings is the message that shows what an audit drew of a tree in a denom.
func (b *bench) openings(provider string, epoch uint64, denom string, tree *sumtree.Tree) *types.MsgOpenAudit {
	b.t.Helper()
	message := &types.MsgOpenAudit{Signer: b.name(provider + "-agent"), Provider: b.name(provider), Epoch: epoch, Denom: denom}
	_, drawn := b.committed(provider, epoch)
	for _, of := range drawn {
		if of.Denom != denom {
			continue
		}
		for _, position := range of.Positions {
			at, err := sumtree.FromBig(position.BigInt())
			require.NoError(b.t, err)
			opening, err := tree.OpenAt(at)
			require.NoError(b.t, err)
			message.Openings = append(message.Openings, types.Shown{Opening: b.encode(opening)})
		}
	}
	return message
}

func (b *bench) encode(opening sumtree.Opening) []byte {
	b.t.Helper()
	encoded, err := opening.Marshal()
	require.NoError(b.t, err)
	return encoded
}

// opens lets a provider answer an audit in the native denom.
func (b *bench) opens(provider string, epoch uint64, tree *sumtree.Tree) *types.MsgOpenAuditResponse {
	b.t.Helper()
	response, err := chain.Send[types.MsgOpenAuditResponse](b.Chain, b.openings(provider, epoch, denom, tree))
	require.NoError(b.t, err)
	b.check()
	return response
}

func (b *bench) epoch(number uint64) types.Epoch {
	b.t.Helper()
	response, err := b.query().Epoch(b.Ctx(), &types.QueryEpochRequest{Epoch: number})
	require.NoError(b.t, err)
	return response.Epoch
}

// hashes returns the last block hashes, as they are drawn by.
func (b *bench) hashes() []byte {
	b.t.Helper()
	genesis, err := b.Proof.ExportGenesis(b.Ctx())
	require.NoError(b.t, err)
	return types.JoinHashes(genesis.BlockHashes)
}

// awaited returns the rounds that something waits for.
func (b *bench) awaited() []uint64 {
	b.t.Helper()
	response, err := b.query().Beacon(b.Ctx(), &types.QueryBeaconRequest{})
	require.NoError(b.t, err)
	return response.Awaited
}

// round is the message that brings a round.
func (b *bench) round(number uint64) *types.MsgPostRound {
	b.t.Helper()
	signature, err := b.keys.Signature(number)
	require.NoError(b.t, err)
	return &types.MsgPostRound{Signer: b.name("anybody"), Round: number, Signature: signature}
}

// named waits until the round of a late commitment is named: at the end of the first block of a later second.
func (b *bench) named(provider string, epoch uint64) types.Commitment {
	b.t.Helper()
	c, _ := b.committed(provider, epoch)
	require.Zero(b.t, c.Round)
	require.Zero(b.t, c.DrawBy)
	b.tick(0)
	b.tick(second)
	c, _ = b.committed(provider, epoch)
	require.Zero(b.t, c.Round, "it is still the second of the commitment")
	b.tick(0)
	c, _ = b.committed(provider, epoch)
	require.Equal(b.t, b.keys.Group.RoundAt(uint64(b.Time().Unix())+seedDelay), c.Round)
	return c
}

// beacon waits until the first round that is awaited can be known, posts it, and lets the block draw by it.
func (b *bench) beacon() {
	b.t.Helper()
	for range 2 { // the round of a late commitment is not named at once
		if len(b.awaited()) == 0 {
			b.tick(second)
		}
	}
	awaited := b.awaited()
	require.NotEmpty(b.t, awaited, "nothing is awaited")
	at, err := b.keys.Group.TimeOf(awaited[0])
	require.NoError(b.t, err)
	for uint64(b.Time().Unix()) < at {
		b.tick(second)
	}
	require.NoError(b.t, b.Deliver(b.round(awaited[0])))
	b.tick(0)
}

// proves commits a provider to an epoch that has closed, and answers the audit if it is drawn. It ends after the open window.
func (b *bench) proves(provider string, epoch uint64, percent uint64) {
	b.t.Helper()
	b.until(endOf(epoch))
	tree := b.tree(provider, epoch, percent)
	b.commits(provider, epoch, tree)
	b.until(endOf(epoch) + commitWindow)
	b.beacon()
	if b.state(provider, epoch) == types.CommitmentState_COMMITMENT_STATE_AUDITED {
		require.True(b.t, b.opens(provider, epoch, tree).Proven)
	}
	require.Equal(b.t, types.CommitmentState_COMMITMENT_STATE_PROVEN, b.state(provider, epoch))
}

// pot returns what a provider earned in an epoch.
func (b *bench) pot(provider string, epoch uint64) escrowtypes.EpochPot {
	b.t.Helper()
	return b.potIn(provider, epoch, denom)
}

func (b *bench) potIn(provider string, epoch uint64, denom string) escrowtypes.EpochPot {
	b.t.Helper()
	pot, err := b.Escrow.EpochPot(b.Ctx(), chain.Account(provider), denom, epoch)
	require.NoError(b.t, err)
	return pot
}

// standing returns what is remembered of a provider.
func (b *bench) standing(provider string) types.Standing {
	b.t.Helper()
	standing, err := b.Proof.Standing(b.Ctx(), chain.Account(provider))
	require.NoError(b.t, err)
	return standing
}

// faults returns what a provider did wrong, the newest first.
func (b *bench) faults(provider string) []types.Fault {
	b.t.Helper()
	response, err := b.query().Faults(b.Ctx(), &types.QueryFaultsRequest{Provider: b.name(provider)})
	require.NoError(b.t, err)
	return response.Faults
}

func (b *bench) provider(name string) providertypes.Provider {
	b.t.Helper()
	provider, err := b.Provider.GetProvider(b.Ctx(), chain.Account(name))
	require.NoError(b.t, err)
	return provider
}

// refuses delivers messages that must fail with an error, as a whole and without a trace.
func (b *bench) refuses(expected error, messages ...sdk.Msg) {
	b.t.Helper()
	before := b.text()
	require.ErrorIs(b.t, b.Deliver(messages...), expected)
	require.Equal(b.t, before, b.text())
}

// refusesAny is refuses for errors of other modules.
func (b *bench) refusesAny(messages ...sdk.Msg) {
	b.t.Helper()
	before := b.text()
	require.Error(b.t, b.Deliver(messages...))
	require.Equal(b.t, before, b.text())
}

// openings0 is an answer to an audit that was never drawn.
func (b *bench) openings0(provider string, epoch uint64) *types.MsgOpenAudit {
	return &types.MsgOpenAudit{
		Signer: b.name(provider + "-agent"), Provider: b.name(provider), Epoch: epoch, Denom: denom,
		Openings: []types.Shown{{Opening: []byte{1}}},
	}
}

// text is the whole state.
func (b *bench) text() string {
	b.t.Helper()
	text, err := json.MarshalIndent(b.Export(), "", " ")
	require.NoError(b.t, err)
	return string(text)
}

// saw tells that the last transaction or block emitted a typed event.
func (b *bench) saw(want proto.Message) {
	b.t.Helper()
	var seen []string
	for _, event := range b.Events {
		got, err := sdk.ParseTypedEvent(abci.Event(event))
		if err == nil {
			seen = append(seen, fmt.Sprintf("%T %s", got, got))
		}
	}
	require.Contains(b.t, seen, fmt.Sprintf("%T %s", want, want))
}
