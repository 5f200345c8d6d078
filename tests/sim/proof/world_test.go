package proof

import (
	mathrand "math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/types/module"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/beacon/local"
	"github.com/souk-network/souk/testutil/chain"
	escrowkeeper "github.com/souk-network/souk/x/escrow/keeper"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market"
	marketkeeper "github.com/souk-network/souk/x/market/keeper"
	markettypes "github.com/souk-network/souk/x/market/types"
	"github.com/souk-network/souk/x/proof"
	"github.com/souk-network/souk/x/proof/keeper"
	"github.com/souk-network/souk/x/proof/types"
)

const (
	second = time.Second
	denom  = scope.Denom

	// beforeEnd is when tenants put their receipts on the chain, in seconds before their epoch ends.
	beforeEnd = 120
	// beaconPeriod is the time between two rounds in seconds, as drand quicknet has it.
	beaconPeriod = 3
)

// world is a chain with the default parameters of proof of service, and the providers who are played on it. The beacon is a local
// group, so that the rounds differ between seeds.
type world struct {
	*chain.Chain
	t      testing.TB
	Market *marketkeeper.Keeper
	Proof  *keeper.Keeper
	keys   *local.Keys
	random *mathrand.Rand
	params types.Params
	escrow escrowtypes.Params
	// parties are all providers.
	parties []*party
	// epoch is the last one that has closed.
	epoch uint64
}

// groups are the beacons by seed.
var groups sync.Map

func group(seed uint64) *local.Keys {
	if keys, ok := groups.Load(seed); ok {
		return keys.(*local.Keys)
	}
	keys, err := local.Generate(mathrand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), 1}), local.Spec{
		Members: 1, Threshold: 1, PeriodSeconds: beaconPeriod,
		GenesisTime: uint64(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Unix()),
	})
	if err != nil {
		panic(err)
	}
	groups.Store(seed, keys)
	return keys
}

// newWorld starts a chain in which everybody who is named is in good standing: as many clean epochs as probation asks for.
func newWorld(t testing.TB, seed uint64, good ...string) *world {
	t.Helper()
	return newWorldWith(t, seed, good, func(*types.Params) {}, chain.WithoutHistory())
}

// newWorldWith is newWorld with other parameters and options.
func newWorldWith(t testing.TB, seed uint64, good []string, edit func(*types.Params), options ...chain.Option) *world {
	t.Helper()
	w := &world{t: t, keys: group(seed), random: mathrand.New(mathrand.NewPCG(seed, 6))}
	w.params = types.DefaultParams()
	w.params.Beacon = types.NewBeacon(w.keys.Group)
	edit(&w.params)
	// A block may come an hour after the last, so that a year passes in few of them; all else is as on a public network.
	w.escrow = escrowtypes.DefaultParams()
	w.escrow.MaxTickSeconds, w.escrow.MaxDeadlinesPerBlock = 3600, 100_000

	proofGenesis := types.DefaultGenesis()
	proofGenesis.Params = w.params
	marketGenesis := markettypes.DefaultGenesis()
	marketGenesis.Params.ClearingGas = 0
	for _, name := range good {
		text, err := scope.AddressCodec().BytesToString(chain.Account(name))
		require.NoError(t, err)
		proofGenesis.Standings = append(proofGenesis.Standings,
			types.Standing{Provider: text, CleanEpochs: uint64(w.params.ProbationEpochs), ProvenEpochs: uint64(w.params.ProbationEpochs)})
	}
	options = append(options,
		chain.WithStore(markettypes.StoreKey), chain.WithStore(types.StoreKey), chain.WithModuleAccount(types.ModuleName),
		chain.WithModule(w.buildMarket), chain.WithModule(w.buildProof),
		chain.WithEscrowParams(w.escrow),
		chain.WithGenesis(types.ModuleName, chain.JSON(proofGenesis)),
		chain.WithGenesis(markettypes.ModuleName, chain.JSON(marketGenesis)),
	)
	w.Chain = chain.New(t, options...)
	w.NextBlock(0)
	return w
}

func (w *world) buildMarket(c *chain.Chain) module.AppModule {
	w.Market = marketkeeper.NewKeeper(c.Codec, c.StoreService(markettypes.StoreKey), c.Addresses, c.Escrow, c.Provider, c.Bank, c.Authority)
	c.Escrow.SetHooks(w.Market.EscrowHooks())
	c.Provider.SetHooks(w.Market.ProviderHooks())
	for _, source := range w.Market.DeadlineSources() {
		c.Escrow.RegisterDeadlines(source)
	}
	return market.NewAppModule(c.Codec, w.Market)
}

func (w *world) buildProof(c *chain.Chain) module.AppModule {
	w.Proof = keeper.NewKeeper(c.Codec, c.StoreService(types.StoreKey), c.Addresses, c.Bank, c.Auth, c.Escrow, c.Provider, w.Market,
		c.Authority)
	c.Escrow.SetCreditPolicy(w.Proof.Policy())
	w.Market.SetHooks(w.Proof.MarketHooks())
	for _, source := range w.Proof.DeadlineSources() {
		c.Escrow.RegisterDeadlines(source)
	}
	return proof.NewAppModule(c.Codec, w.Proof)
}

// check asserts every invariant of the four modules.
func (w *world) check() {
	w.t.Helper()
	require.NoError(w.t, w.Proof.CheckInvariants(w.Ctx()))
	require.NoError(w.t, w.Market.CheckInvariants(w.Ctx()))
	w.AssertInvariants()
	stuck, err := escrowkeeper.NewQueryServer(w.Escrow).Quarantine(w.Ctx(), &escrowtypes.QueryQuarantineRequest{})
	require.NoError(w.t, err)
	require.Empty(w.t, stuck.Items, "in quarantine")
}

// endOf is the second at which an epoch ends.
func (w *world) endOf(epoch uint64) uint64 { return 1 + epoch*uint64(w.escrow.EpochSeconds) }

// openedBy is the second by which the audits of an epoch are answered, or never are.
func (w *world) openedBy(epoch uint64) uint64 {
	return w.endOf(epoch) + uint64(w.params.CommitWindowSeconds+w.params.SeedDelaySeconds+w.params.OpenWindowSeconds) + 60
}

// until makes the block of a service second.
func (w *world) until(at uint64) {
	w.t.Helper()
	now := w.Now()
	require.LessOrEqual(w.t, now, at, "that second is past")
	if now < at {
		w.NextBlock(time.Duration(at-now) * second)
	}
}

// query answers the module's queries.
func (w *world) query() types.QueryServer { return keeper.NewQueryServer(w.Proof) }

// awaited are the beacon rounds that something waits for.
func (w *world) awaited() []uint64 {
	w.t.Helper()
	response, err := w.query().Beacon(w.Ctx(), &types.QueryBeaconRequest{})
	require.NoError(w.t, err)
	return response.Awaited
}

// beacon posts every round that is awaited as soon as it can be known, and makes blocks until all of it is drawn.
func (w *world) beacon() {
	w.t.Helper()
	for range 2 { // the rounds of late commitments are not named at once
		if len(w.awaited()) == 0 {
			w.NextBlock(second)
		}
	}
	for _, number := range w.awaited() {
		w.knows(number)
		require.NoError(w.t, w.Deliver(w.round(number)))
	}
	for range len(w.parties)/int(w.params.DrawsPerBlock) + 2 {
		w.NextBlock(second)
	}
}

// knows makes the block of the time at which a round can be known, if that is still to come.
func (w *world) knows(round uint64) {
	w.t.Helper()
	at, err := w.keys.Group.TimeOf(round)
	require.NoError(w.t, err)
	if now := uint64(w.Time().Unix()); now < at {
		w.NextBlock(time.Duration(at-now) * second)
	}
}

// round is the message that brings a round.
func (w *world) round(number uint64) *types.MsgPostRound {
	w.t.Helper()
	signature, err := w.keys.Signature(number)
	require.NoError(w.t, err)
	return &types.MsgPostRound{Signer: w.Text(chain.Account("anybody")), Round: number, Signature: signature}
}
