package keeper_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/proof/types"
)

// reborn is a chain that starts from the exported state of another one, at its time.
func (b *bench) reborn() *bench {
	b.t.Helper()
	state := b.Export()
	again := open(b.t, chain.WithState(state))
	require.Equal(b.t, b.text(), again.text(), "the export of the import")
	again.check()
	again.Advance(b.Time().Sub(again.Time()))
	again.NextBlock(0) // which only sets the time
	return again
}

// editing is reborn with a change of the module's state.
func (b *bench) editing(edit func(*types.GenesisState)) *bench {
	b.t.Helper()
	genesis, err := b.Proof.ExportGenesis(b.Ctx())
	require.NoError(b.t, err)
	edit(genesis)
	state := b.Export()
	state[types.ModuleName] = chain.JSON(genesis)
	again := open(b.t, chain.WithState(state))
	again.Advance(b.Time().Sub(again.Time()))
	again.NextBlock(0)
	again.check()
	return again
}

func TestAStateIsImportedAtEveryStageAndGoesOn(t *testing.T) {
	b := start(t)
	for _, name := range []string{"acme", "best", "corp", "dull"} {
		b.sells(name, 2)
		b.rents("tenant of "+name, name, 1_000_000)
	}
	b.proves("acme", 1, 100)
	b = b.reborn() // with a proven epoch
	b.until(endOf(2))
	acme, best := b.tree("acme", 2, 100), b.tree("best", 2, 90)
	b.commits("acme", 2, acme)
	b.commits("best", 2, best)
	b = b.reborn() // committed
	b.until(b.epoch(2).CommitUntil)
	b = b.reborn() // a round is awaited
	corp := b.tree("corp", 2, 80)
	b.commits("corp", 2, corp)
	b = b.reborn() // two rounds are
	b.beacon()
	b = b.reborn() // audited
	for len(b.awaited()) > 0 {
		b.beacon()
	}
	require.True(t, b.opens("corp", 2, corp).Proven)
	require.True(t, b.opens("acme", 2, acme).Proven)
	b = b.reborn()
	c, _ := b.committed("best", 2)
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_AUDITED, c.State)
	b.until(c.OpenBy)
	b = b.reborn() // forged
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_FORGED, b.state("best", 2))
	require.Len(t, b.faults("best"), 1)
	b.until(endOf(3))
	b.commits("acme", 3, b.tree("acme", 3, 100))
	b.until(b.epoch(3).CommitUntil)
	b.until(b.epoch(3).DrawBy)
	require.True(t, b.epoch(3).Doubled)
	b = b.reborn() // drawn by block hashes, but not yet done
	b.tick(0)
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_AUDITED, b.state("acme", 3))
}

func TestAStateIsImportedBetweenTheRoundOfALateCommitmentAndItsDraw(t *testing.T) {
	b := start(t)
	b.sells("acme", 1)
	b.rents("alice", "acme", 100_000)
	b.until(endOf(1))
	tree := b.tree("acme", 1, 100)
	b.until(b.epoch(1).CommitUntil)
	b.commits("acme", 1, tree)
	b = b.reborn() // between the commitment and the name of its round, too
	c := b.named("acme", 1)
	at, err := b.keys.Group.TimeOf(c.Round)
	require.NoError(t, err)
	b.tick(time.Unix(int64(at), 0).Sub(b.Time()))
	require.NoError(t, b.Deliver(b.round(c.Round)))
	b = b.reborn()
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_AUDITED, b.state("acme", 1))
	require.True(t, b.opens("acme", 1, tree).Proven)
}

func TestAGenesisThatContradictsItselfIsRefused(t *testing.T) {
	b := start(t)
	b.sells("acme", 1)
	b.rents("alice", "acme", 1_000_000)
	b.proves("acme", 1, 100)
	b.until(endOf(2))
	b.commits("acme", 2, b.tree("acme", 2, 100))
	b.until(b.epoch(2).CommitUntil)
	b.beacon()
	c, _ := b.committed("acme", 2)
	b.until(c.OpenBy)
	good := func() *types.GenesisState {
		g, err := b.Proof.ExportGenesis(b.Ctx())
		require.NoError(t, err)
		g.Claims = []types.Claim{{Epoch: 2, Lease: 1, Paid: math.ZeroInt()}}
		g.Posted = []types.Posted{{Epoch: 2, Lease: 1, Words: []types.Word{{Seq: 1, Until: 150}, {Seq: 2, Until: 150}}}}
		g.Forced = []types.Forced{{
			Id: 1, Lease: 1, Epoch: 2, Provider: b.name("acme"), By: b.name("alice"), Bond: chain.Coin(1), AnswerBy: 1000,
		}}
		g.NextForced = 2
		return g
	}
	require.NoError(t, good().Validate(scope.AddressCodec()))
	require.NotEmpty(t, good().Faults)
	require.NotEmpty(t, good().Rounds)
	for name, edit := range map[string]func(*types.GenesisState){
		"no counter":                       func(g *types.GenesisState) { g.NextCommitment = 0 },
		"too many block hashes":            func(g *types.GenesisState) { g.BlockHashes = append(g.BlockHashes, g.BlockHashes...) },
		"a short block hash":               func(g *types.GenesisState) { g.BlockHashes[0] = g.BlockHashes[0][1:] },
		"an epoch twice":                   func(g *types.GenesisState) { g.Epochs = append(g.Epochs, g.Epochs[0]) },
		"an epoch without a number":        func(g *types.GenesisState) { g.Epochs[0].Number = 0 },
		"an epoch that ends before it":     func(g *types.GenesisState) { g.Epochs[0].End = g.Epochs[0].Start },
		"an epoch without a window":        func(g *types.GenesisState) { g.Epochs[0].CommitUntil = g.Epochs[0].ClosedAt },
		"a late window that is too short":  func(g *types.GenesisState) { g.Epochs[0].LateUntil = g.Epochs[0].CommitUntil - 1 },
		"a round without a second":         func(g *types.GenesisState) { g.Epochs[0].DrawBy = 0 },
		"drawn without a seed":             func(g *types.GenesisState) { g.Epochs[0].Seed = nil },
		"a short seed":                     func(g *types.GenesisState) { g.Epochs[0].Seed = []byte{1} },
		"a turnout of more than all":       func(g *types.GenesisState) { g.Epochs[0].Turnout.Missing = 100 },
		"a phase that is not known":        func(g *types.GenesisState) { g.Epochs[0].Turnout.Phase = 4 },
		"a commitment twice":               func(g *types.GenesisState) { g.Commitments = append(g.Commitments, g.Commitments[0]) },
		"two commitments to an epoch":      func(g *types.GenesisState) { g.Commitments[1].Epoch = g.Commitments[0].Epoch },
		"a commitment that is to come":     func(g *types.GenesisState) { g.NextCommitment = 2 },
		"a commitment without an epoch":    func(g *types.GenesisState) { g.Commitments[0].Epoch = 77 },
		"a commitment of nobody":           func(g *types.GenesisState) { g.Commitments[0].Provider = "acme" },
		"a commitment in no state":         func(g *types.GenesisState) { g.Commitments[0].State = 0 },
		"a commitment without roots":       func(g *types.GenesisState) { g.Commitments[0].Roots = nil },
		"late without a round":             func(g *types.GenesisState) { g.Commitments[0].Late = true },
		"audited without a second":         func(g *types.GenesisState) { g.Commitments[1].State = 2; g.Commitments[1].OpenBy = 0 },
		"opened what it did not commit to": func(g *types.GenesisState) { g.Commitments[0].Opened = []string{"uother"} },
		"opened twice":                     func(g *types.GenesisState) { g.Commitments[0].Opened = []string{denom, denom} },
		"withheld what it did not commit to": func(g *types.GenesisState) {
			g.Commitments[0].Withheld = []types.Withheld{{Denom: "uother", Grains: math.OneInt()}}
		},
		"expected twice":              func(g *types.GenesisState) { g.Expected = append(g.Expected, g.Expected[0]) },
		"expected in nothing":         func(g *types.GenesisState) { g.Expected[0].Denoms = nil },
		"expected in unsorted denoms": func(g *types.GenesisState) { g.Expected[0].Denoms = []string{"b-b", "a-a"} },
		"a round twice":               func(g *types.GenesisState) { g.Rounds = append(g.Rounds, g.Rounds[0]) },
		"a round without randomness":  func(g *types.GenesisState) { g.Rounds[0].Randomness = nil },
		"a fault twice":               func(g *types.GenesisState) { g.Faults = append(g.Faults, g.Faults[0]) },
		"a fault of no kind":          func(g *types.GenesisState) { g.Faults[0].Kind = 0 },
		"a fault that is to come":     func(g *types.GenesisState) { g.NextFault = 1 },
		"a standing twice":            func(g *types.GenesisState) { g.Standings = append(g.Standings, g.Standings[0]) },
		"unsorted misses":             func(g *types.GenesisState) { g.Standings[0].Missed = []uint64{2, 1} },
		"a forced opening twice":      func(g *types.GenesisState) { g.Forced = append(g.Forced, g.Forced[0]) },
		"a forced opening to come":    func(g *types.GenesisState) { g.NextForced = 1 },
		"a claim twice":               func(g *types.GenesisState) { g.Claims = append(g.Claims, g.Claims[0]) },
		"a claim in no epoch":         func(g *types.GenesisState) { g.Claims[0].Epoch = 50 },
		"a negative claim":            func(g *types.GenesisState) { g.Claims[0].Paid = math.NewInt(-1) },
		"receipts twice":              func(g *types.GenesisState) { g.Posted = append(g.Posted, g.Posted[0]) },
		"receipts out of order":       func(g *types.GenesisState) { g.Posted[0].Words[1].Seq = 1 },
		"too many receipts": func(g *types.GenesisState) {
			g.Posted[0].Words = []types.Word{{Seq: 1}, {Seq: 2}, {Seq: 3}, {Seq: 4}, {Seq: 5}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := good()
			edit(g)
			require.ErrorIs(t, g.Validate(scope.AddressCodec()), types.ErrInvalidGenesis, name)
		})
	}
}

func TestAnEpochIsForgottenOnceNothingCanReferToIt(t *testing.T) {
	b := start(t)
	b.sells("acme", 1)
	b.rents("alice", "acme", 1_000_000)
	b.proves("acme", 1, 100)
	b.until(endOf(2))
	b.commits("acme", 2, b.tree("acme", 2, 100))
	b.until(b.epoch(2).CommitUntil)
	b.beacon()
	c, _ := b.committed("acme", 2)
	b.until(c.OpenBy)
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_FORGED, b.state("acme", 2))
	b = b.editing(func(g *types.GenesisState) {
		for i := range g.Epochs {
			g.Epochs[i].Turnout.Phase = types.TurnoutDone
		}
	})
	b.until(b.epoch(2).PruneAt() - 1)
	forfeited := b.pot("acme", 2).Forfeited
	require.True(t, forfeited.IsPositive())
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_FORGED, b.state("acme", 2))
	pool := b.CommunityPool()
	b.tick(5 * second)
	b.refusesAny(b.commitment("acme", 2, b.build()))
	_, err := b.query().Epoch(b.Ctx(), &types.QueryEpochRequest{Epoch: 2})
	require.ErrorIs(t, err, types.ErrEpochNotFound)
	_, err = b.query().Commitment(b.Ctx(), &types.QueryCommitmentRequest{Provider: b.name("acme"), Epoch: 2})
	require.ErrorIs(t, err, types.ErrCommitmentNotFound)
	require.Len(t, b.faults("acme"), 1, "with its commitment")
	require.Equal(t, uint64(2), b.faults("acme")[0].Commitment.Epoch)
	require.Greater(t, b.CommunityPool(), pool, "what nobody claimed is the public's")
}
