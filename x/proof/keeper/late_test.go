package keeper_test

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/proof/keeper"
	"github.com/souk-network/souk/x/proof/types"
)

func TestALateCommitmentIsDrawnByARoundOfItsOwnAndPaysAFee(t *testing.T) {
	b := startWith(t, seasoned(0)) // nobody in time is audited after two epochs
	b.sells("acme", 1)
	b.rents("alice", "acme", 100_000)
	b.proves("acme", 1, 100)
	b.proves("acme", 2, 100)
	b.until(endOf(3))
	tree := b.tree("acme", 3, 100)
	b.until(b.epoch(3).CommitUntil)
	b.beacon()
	require.True(t, b.epoch(3).Drawn, "nobody was in time")
	require.Equal(t, &types.MsgCommitEpochResponse{Commitment: 3, Late: true}, b.commits("acme", 3, tree))
	require.Empty(t, b.awaited(), "its round is not named yet")
	c := b.named("acme", 3)
	require.Equal(t, b.Now()+seedDelay+beaconTimeout, c.DrawBy)
	require.Equal(t, []uint64{c.Round}, b.awaited())
	b.beacon()

	c, drawn := b.committed("acme", 3)
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_AUDITED, c.State, "late ones always are")
	signature, err := b.keys.Signature(c.Round)
	require.NoError(t, err)
	randomness := sha256.Sum256(signature)
	require.Equal(t, types.LateSeed(randomness[:], c.Id), c.Seed)
	require.NotEqual(t, b.epoch(3).Seed, c.Seed)
	require.Len(t, drawn[0].Positions, int(quick().Openings))
	require.True(t, b.opens("acme", 3, tree).Proven)
	pot := b.pot("acme", 3)
	require.Equal(t, pot.Service.MulRaw(99).QuoRaw(100).String(), pot.Payable.String())
	require.Equal(t, pot.Service.QuoRaw(100).String(), pot.Refundable.String())
	require.Empty(t, b.awaited())
}

func TestCommitmentsThatAreNotGoodAreRefusedAndChangeNothing(t *testing.T) {
	b := start(t)
	b.sells("acme", 1)
	b.sells("idle", 1)
	b.rents("alice", "acme", 100_000)
	b.until(endOf(1) - 1)
	empty := b.build()
	b.refuses(types.ErrEpochNotFound, b.commitment("acme", 1, empty)) // it runs
	b.tick(second)
	tree := b.tree("acme", 1, 100)
	good := func() *types.MsgCommitEpoch { return b.commitment("acme", 1, tree) }
	change := func(edit func(*types.MsgCommitEpoch)) *types.MsgCommitEpoch {
		message := good()
		edit(message)
		return message
	}
	root := func(edit func(*types.Root)) *types.MsgCommitEpoch {
		return change(func(m *types.MsgCommitEpoch) { edit(&m.Roots[0]) })
	}
	service := b.pot("acme", 1).Service
	b.refuses(types.ErrEpochNotFound, change(func(m *types.MsgCommitEpoch) { m.Epoch = 2 }))
	b.refuses(types.ErrEpochNotFound, change(func(m *types.MsgCommitEpoch) { m.Epoch = 0 }))
	b.refuses(types.ErrInvalidAddress, change(func(m *types.MsgCommitEpoch) { m.Signer = "" }))
	b.refuses(types.ErrInvalidAddress, change(func(m *types.MsgCommitEpoch) { m.Provider = "acme" }))
	b.refusesAny(change(func(m *types.MsgCommitEpoch) { m.Signer = b.name("alice") }))
	b.refusesAny(change(func(m *types.MsgCommitEpoch) { m.Provider = b.name("alice") }))
	b.refuses(types.ErrNoPot, b.commitment("idle", 1, empty))
	b.refuses(types.ErrInvalidRoots, change(func(m *types.MsgCommitEpoch) { m.Roots = nil }))
	b.refuses(types.ErrInvalidRoots, change(func(m *types.MsgCommitEpoch) { m.Roots = append(m.Roots, m.Roots[0]) }))
	b.refuses(types.ErrInvalidRoots, change(func(m *types.MsgCommitEpoch) {
		for i := range 5 {
			m.Roots = append(m.Roots, m.Roots[0])
			m.Roots[i].Denom = fmt.Sprintf("udenom%d", i)
		}
	}))
	b.refuses(types.ErrInvalidRoots, root(func(r *types.Root) { r.Denom = "1" }))
	b.refuses(types.ErrNoPot, root(func(r *types.Root) { r.Denom = "uother" }))
	b.refuses(types.ErrInvalidRoots, root(func(r *types.Root) { r.Hash = r.Hash[1:] }))
	b.refuses(types.ErrInvalidRoots, root(func(r *types.Root) { r.Count = 0 }))
	b.refuses(types.ErrInvalidRoots, root(func(r *types.Root) { r.Sum = math.NewInt(-1) }))
	b.refuses(types.ErrInvalidRoots, root(func(r *types.Root) { r.Sum = math.NewIntFromUint64(1 << 63).MulRaw(1 << 62).MulRaw(8) }))
	b.refuses(types.ErrBeyondAccrual, root(func(r *types.Root) { r.Sum = service.AddRaw(1) }))
	require.NoError(t, b.Deliver(root(func(r *types.Root) { r.Sum = service })))
	b.refuses(types.ErrCommitted, good())
	b.refuses(types.ErrCommitted, root(func(r *types.Root) { r.Sum = service }))
	b.refuses(types.ErrCommitted, change(func(m *types.MsgCommitEpoch) { m.Signer = b.name("acme") }))
}

func TestAnEpochTakesNoCommitmentOnceItsLateWindowIsOver(t *testing.T) {
	b := start(t)
	b.sells("acme", 1)
	b.rents("alice", "acme", 100_000)
	b.until(endOf(1))
	require.Equal(t, b.epoch(1).ClosedAt+lateEpochs*epochLength, b.epoch(1).LateUntil)
	tree := b.tree("acme", 1, 100)
	b.until(b.epoch(1).LateUntil - 1)
	require.NoError(t, b.Try(func(ctx sdk.Context) error { // it would still be taken
		cache, _ := ctx.CacheContext()
		_, err := keeper.NewMsgServer(b.Proof).CommitEpoch(cache, b.commitment("acme", 1, tree))
		return err
	}))
	b.tick(second)
	b.refuses(types.ErrTooLate, b.commitment("acme", 1, tree))
}

func TestRoundsThatNothingWaitsForAreRefused(t *testing.T) {
	b := start(t)
	b.sells("acme", 1)
	b.rents("alice", "acme", 100_000)
	b.refuses(types.ErrNotAwaited, b.round(1))
	b.until(endOf(1))
	b.until(b.epoch(1).CommitUntil)
	awaited := b.awaited()
	require.Len(t, awaited, 1)
	require.Equal(t, awaited[0], b.keys.Group.RoundAt(uint64(b.Time().Unix())+seedDelay))
	b.refuses(types.ErrNotAwaited, b.round(awaited[0]-1))
	b.refuses(types.ErrNotAwaited, b.round(awaited[0]+1))
	forged := b.round(awaited[0] + 1)
	forged.Round--
	b.refuses(types.ErrInvalidSignature, forged)
	short := b.round(awaited[0])
	short.Signature = short.Signature[1:]
	b.refuses(types.ErrInvalidSignature, short)
	b.refuses(types.ErrInvalidSignature, &types.MsgPostRound{Signer: b.name("anybody"), Signature: make([]byte, 48)})
	b.refuses(types.ErrInvalidAddress, &types.MsgPostRound{Signer: "x", Round: awaited[0], Signature: make([]byte, 48)})

	require.NoError(t, b.Deliver(b.round(awaited[0])))
	require.GreaterOrEqual(t, b.GasUsed, quick().BeaconGas)
	b.saw(&types.EventRoundKnown{Round: awaited[0]})
	b.saw(&types.EventSeeded{Epoch: 1})
	signature, err := b.keys.Signature(awaited[0])
	require.NoError(t, err)
	randomness := sha256.Sum256(signature)
	require.Equal(t, types.EpochSeed(randomness[:], 1), b.epoch(1).Seed)
	b.refuses(types.ErrKnown, b.round(awaited[0]))
	require.Empty(t, b.awaited())
	require.Zero(t, b.Balance(chain.Account("anybody")), "there is nothing to pay it from")
}

func TestARoundIsPaidForAsFarAsTheModuleHasCoinsThatAreNobodysBond(t *testing.T) {
	params := quick()
	params.BeaconRebate = chain.Coin(100)
	b := startWith(t, params)
	donor := b.Funded("donor", chain.Coin(150))
	require.NoError(t, b.Bank.SendCoinsFromAccountToModule(b.Ctx(), donor, types.ModuleName, sdk.NewCoins(chain.Coin(150))))
	for i, want := range []int64{100, 150, 150} {
		number := uint64(i + 1)
		b.until(endOf(number))
		b.until(b.epoch(number).CommitUntil)
		b.beacon()
		require.Equal(t, want, b.Balance(chain.Account("anybody")))
	}
}

func TestASilentBeaconIsReplacedByBlockHashesAndDoublesTheAudits(t *testing.T) {
	b := startWith(t, seasoned(500_000))
	b.sells("acme", 1)
	b.rents("alice", "acme", 100_000)
	b.proves("acme", 1, 100)
	b.proves("acme", 2, 100)
	b.until(endOf(3))
	tree := b.tree("acme", 3, 100)
	b.commits("acme", 3, tree)
	b.until(b.epoch(3).CommitUntil)
	epoch := b.epoch(3)
	require.Equal(t, epoch.CommitUntil+seedDelay+beaconTimeout, epoch.DrawBy)
	b.until(epoch.DrawBy - 1)
	require.Empty(t, b.epoch(3).Seed)
	b.tick(second)
	drawn := b.epoch(3)
	require.True(t, drawn.Doubled)
	b.saw(&types.EventSeeded{Epoch: 3, Doubled: true})
	require.Equal(t, types.FallbackSeed(b.hashes(), epoch.Digest), drawn.Seed)
	require.Empty(t, b.awaited())
	b.refuses(types.ErrNotAwaited, b.round(epoch.Round))
	b.tick(0)
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_AUDITED, b.state("acme", 3), "500,000 ppm twice is everybody")
	require.True(t, b.opens("acme", 3, tree).Proven)
}

func TestALateCommitmentWhoseRoundDoesNotComeIsDrawnByBlockHashes(t *testing.T) {
	b := start(t)
	b.sells("acme", 1)
	b.rents("alice", "acme", 100_000)
	b.until(endOf(1))
	tree := b.tree("acme", 1, 100)
	b.until(endOf(1) + 40)
	b.commits("acme", 1, tree)
	c := b.named("acme", 1)
	b.until(c.DrawBy)
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_COMMITTED, b.state("acme", 1))
	hashes := b.hashes()
	b.tick(0)
	drawn, _ := b.committed("acme", 1)
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_AUDITED, drawn.State)
	require.NotEqual(t, types.LateFallbackSeed(hashes, c.Id), drawn.Seed, "with the hash of the block that draws")
	require.True(t, b.opens("acme", 1, tree).Proven)
}

func TestALateCommitmentThatIsForgottenBeforeItsDrawKeepsNoOtherFromBeingDrawn(t *testing.T) {
	b := start(t)
	b.sells("acme", 1)
	b.rents("alice", "acme", 1_000_000)
	b.until(endOf(1))
	tree := b.tree("acme", 1, 100)
	b.until(b.epoch(1).CommitUntil)
	b.beacon()
	escrowParams, params := quickEscrow(), quick()
	escrowParams.HoldbackEpochs, params.BeaconTimeoutSeconds = 30, 1000
	require.NoError(t, b.Deliver(&escrowtypes.MsgUpdateParams{Authority: b.Authority, Params: escrowParams}))
	require.NoError(t, b.Deliver(&types.MsgUpdateParams{Authority: b.Authority, Params: params}))
	b.commits("acme", 1, tree)
	c := b.named("acme", 1)
	require.Greater(t, c.DrawBy, b.epoch(1).PruneAt(), "as only governance can bring about")
	params.BeaconTimeoutSeconds = beaconTimeout
	require.NoError(t, b.Deliver(&types.MsgUpdateParams{Authority: b.Authority, Params: params}))
	b.until(c.DrawBy)
	epoch := c.DrawBy/epochLength + 1
	b.until(endOf(epoch))
	tree = b.tree("acme", epoch, 100)
	b.until(b.epoch(epoch).CommitUntil)
	b.commits("acme", epoch, tree)
	b.beaconFor(epoch)
	require.True(t, b.opens("acme", epoch, tree).Proven)
}

func TestTheDigestOfAnEpochBindsAllItsCommitments(t *testing.T) {
	b := start(t)
	var digest []byte
	for _, name := range []string{"acme", "best", "corp"} {
		b.sells(name, 1)
		b.rents("tenant of "+name, name, 100_000)
	}
	b.until(endOf(1))
	for _, name := range []string{"corp", "acme", "best"} {
		tree := b.tree(name, 1, 100)
		b.commits(name, 1, tree)
		var err error
		digest, err = types.NextDigest(digest, b.name(name), []types.Root{types.NewRoot(denom, tree.Root())})
		require.NoError(t, err)
		require.Equal(t, digest, b.epoch(1).Digest)
	}
}

func TestBlocksDrawNoMoreCommitmentsThanTheyMay(t *testing.T) {
	params := quick()
	params.DrawsPerBlock = 2
	b := startWith(t, params)
	const providers = 7
	name := func(i int) string { return fmt.Sprintf("provider-%d", i) }
	for i := range providers {
		b.sells(name(i), 1)
		b.rents(fmt.Sprintf("tenant-%d", i), name(i), 100_000)
	}
	audited := func() (n int) {
		for i := range providers {
			if b.state(name(i), 1) == types.CommitmentState_COMMITMENT_STATE_AUDITED {
				n++
			}
		}
		return n
	}
	b.until(endOf(1))
	for i := range providers - 2 {
		b.commits(name(i), 1, b.tree(name(i), 1, 100))
	}
	b.until(b.epoch(1).CommitUntil)
	for i := providers - 2; i < providers; i++ {
		b.commits(name(i), 1, b.tree(name(i), 1, 100)) // late
	}
	late := b.named(name(providers-1), 1)
	at, err := b.keys.Group.TimeOf(late.Round)
	require.NoError(t, err)
	b.tick(time.Unix(int64(at), 0).Sub(b.Time()))
	for _, round := range b.awaited() {
		require.NoError(t, b.Deliver(b.round(round)))
	}
	for _, want := range []int{2, 4, 5, 7} {
		b.tick(0)
		require.Equal(t, want, audited())
		require.Equal(t, want >= 5, b.epoch(1).Drawn)
	}
	b.tick(0)
	require.Equal(t, providers, audited())
}
