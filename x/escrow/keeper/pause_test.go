package keeper_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/escrow/keeper"
	"github.com/souk-network/souk/x/escrow/types"
)

// careful are quick parameters with which services pause at a runway of 10 s, and then pay a tenth.
func careful() types.Params {
	params := quick()
	params.PauseRunwaySeconds, params.PauseBps = 10, 1000
	return params
}

const (
	funded = types.AccountState_ACCOUNT_STATE_FUNDED
	low    = types.AccountState_ACCOUNT_STATE_LOW
)

func (b *bench) stored(id uint64) types.Account {
	b.t.Helper()
	account, err := b.Escrow.Account(b.Ctx(), id)
	require.NoError(b.t, err)
	return account
}

func (b *bench) stream(id uint64) types.Stream {
	b.t.Helper()
	stream, err := b.Escrow.Stream(b.Ctx(), id)
	require.NoError(b.t, err)
	return stream
}

// now returns the stream that pays in the place of one that was opened once.
func (b *bench) now(stream uint64) types.Stream {
	b.t.Helper()
	id, err := b.book.latest(b.Ctx(), stream)
	require.NoError(b.t, err)
	return b.stream(id)
}

func (b *bench) runway(id uint64) *types.QueryRunwayResponse {
	b.t.Helper()
	runway, err := keeper.NewQueryServer(b.Escrow).Runway(b.Ctx(), &types.QueryRunwayRequest{Id: id})
	require.NoError(b.t, err)
	return runway
}

// deposits adds micro-denom of a name that then has them.
func (b *bench) deposits(id uint64, name string, micro int64) types.Account {
	b.t.Helper()
	signer := b.Funded(name, chain.Coin(micro))
	var account types.Account
	require.NoError(b.t, b.Try(func(ctx sdk.Context) (err error) {
		account, err = b.Escrow.Deposit(ctx, id, signer, chain.Coin(micro), nil)
		return err
	}))
	return account
}

func TestServicePausesARunwayBeforeTheEndAndThenPaysItsShare(t *testing.T) {
	b := start(t, careful())
	id := b.open("alice", 1_000)
	paid := b.pay(id, "bob", 10*unit, service)
	kept := b.pay(id, "carol", 5*unit, hold)
	// 1000 at 15 a second last for 66 s; 10 s before that it is low.
	require.Equal(t, []uint64{67, 57}, []uint64{b.stored(id).ZeroAt, b.stored(id).LowAt})
	b.Run(55*second, 5*second)
	require.Equal(t, funded, b.stored(id).State)
	b.NextBlock(5 * second) // 61

	account := b.stored(id)
	require.Equal(t, low, account.State)
	require.Equal(t, []uint64{0, 57 + 26}, []uint64{account.LowAt, account.ZeroAt}, "160 at 6 a second")
	require.Equal(t, int64(9*unit), account.PausedRate.Int64())
	require.Equal(t, uint32(2), account.Streams)
	stopped, stands := b.stream(paid), b.now(paid)
	require.Equal(t, []uint64{57, 57}, []uint64{stopped.ClosedAt, stands.OpenedAt})
	require.Equal(t, []uint64{unit, 10 * unit}, []uint64{stands.Rate, stands.FullRate})
	require.Equal(t, hold, stands.Kind)
	require.Equal(t, b.now(kept), b.stream(kept), "what is no service goes on")
	runway := b.runway(id)
	require.Equal(t, []uint64{22, 83, 61, 0}, []uint64{runway.Seconds, runway.ZeroAt, runway.Now, runway.LowAt})
	require.Equal(t, []int64{int64(6 * unit), int64(15 * unit)}, []int64{runway.Rate.Int64(), runway.FullRate.Int64()})
	require.Equal(t, int64(15*20-(160-4*6)), runway.ResumeDeposit.Int64())
	b.AssertInvariants()

	b.Run(40*second, 8*second)
	require.Equal(t, []any{closedState, uint64(83)}, []any{b.stored(id).State, b.stored(id).ExhaustedAt})
	require.Equal(t, int64(4), b.Balance(chain.Account("alice")))
	require.Equal(t, uint64(83), b.now(paid).ClosedAt)
	b.AssertInvariants()
}

func TestALowAccountResumesWithTwiceTheRunwayAndNotWithLess(t *testing.T) {
	b := start(t, careful())
	id := b.open("alice", 200)
	paid := b.pay(id, "bob", 10*unit, service) // low at 11
	b.NextBlock(12 * second)                   // 13: 100 - 2 x 1 left
	require.Equal(t, int64(102), b.runway(id).ResumeDeposit.Int64())
	require.Equal(t, low, b.deposits(id, "alice", 101).State)
	require.Equal(t, int64(1), b.runway(id).ResumeDeposit.Int64())
	resumed, err := b.Escrow.TryResume(b.Ctx(), id)
	require.NoError(t, err)
	require.False(t, resumed)

	account := b.deposits(id, "stranger", 1)
	require.Equal(t, funded, account.State)
	require.Equal(t, []uint64{33, 23}, []uint64{account.ZeroAt, account.LowAt})
	require.True(t, account.PausedRate.IsZero())
	require.True(t, b.runway(id).ResumeDeposit.IsZero())
	again := b.now(paid)
	require.Equal(t, []any{service, 10 * unit, uint64(0), uint64(13)}, []any{again.Kind, again.Rate, again.FullRate, again.OpenedAt})
	require.Equal(t, uint32(3), account.StreamsOpened)
	b.AssertInvariants()
	b.NextBlock(10 * second)
	require.Equal(t, low, b.stored(id).State, "and is low again in time")
	b.AssertInvariants()
}

func TestCompensationResumesALowAccountToo(t *testing.T) {
	b := start(t, careful(), chain.WithModuleAccount("treasury"))
	id := b.open("alice", 200)
	paid := b.pay(id, "bob", 10*unit, service)
	b.NextBlock(10 * second)
	require.Equal(t, low, b.stored(id).State)
	require.NoError(t, b.Bank.SendCoinsFromAccountToModule(b.Ctx(), b.Funded("rich", chain.Coin(100)), "treasury",
		sdk.NewCoins(chain.Coin(100))))
	require.NoError(t, b.Try(func(ctx sdk.Context) error { return b.Escrow.AddFunds(ctx, id, chain.Coin(100), "treasury") }))
	require.Equal(t, funded, b.stored(id).State)
	require.Equal(t, service, b.now(paid).Kind)
	b.AssertInvariants()
}

func TestWhatIsMadeCheaperLetsALowAccountResume(t *testing.T) {
	b := start(t, careful())
	id := b.open("alice", 200)
	paid := b.pay(id, "bob", 10*unit, service)
	resumed, err := b.Escrow.TryResume(b.Ctx(), id)
	require.NoError(t, err)
	require.False(t, resumed, "it is not low")
	b.NextBlock(10 * second) // 100 left
	replaced, err := b.Escrow.ReplaceStream(b.Ctx(), b.now(paid).Id, 5*unit)
	require.NoError(t, err)
	require.Equal(t, []uint64{unit / 2, 5 * unit}, []uint64{replaced.Rate, replaced.FullRate})
	require.Equal(t, int64(45*unit/10), b.stored(id).PausedRate.Int64())
	resumed, err = b.Escrow.TryResume(b.Ctx(), id)
	require.NoError(t, err)
	require.True(t, resumed)
	require.Equal(t, uint64(31), b.stored(id).ZeroAt)
	b.AssertInvariants()

	_, err = b.Escrow.TryResume(b.Ctx(), 99)
	require.ErrorIs(t, err, types.ErrAccountNotFound)
}

func TestAStreamThatOpensInALowAccountOpensPausedUnlessThereIsEnoughForAll(t *testing.T) {
	b := start(t, careful())
	id := b.open("alice", 300)
	first := b.pay(id, "bob", 10*unit, service)
	b.NextBlock(20 * second) // low at 21, 100 left
	second2 := b.opens(id, "carol", 20*unit, service)
	require.Equal(t, []any{hold, 2 * unit, 20 * unit}, []any{second2.Kind, second2.Rate, second2.FullRate})
	require.Equal(t, int64(27*unit), b.stored(id).PausedRate.Int64())
	kept := b.opens(id, "dave", 2*unit, hold)
	require.Equal(t, []any{hold, 2 * unit, uint64(0)}, []any{kept.Kind, kept.Rate, kept.FullRate})
	b.AssertInvariants()

	// Without the second it could resume: with it, it cannot, until it is closed.
	b.stop(second2.Id)
	require.Equal(t, int64(9*unit), b.stored(id).PausedRate.Int64())
	b.stop(kept.Id)
	require.Equal(t, low, b.deposits(id, "alice", 99).State)
	third := b.opens(id, "carol", unit/100, service)
	require.Equal(t, hold, third.Kind)
	b.stop(third.Id)

	// Money that is held for a stream lets everything resume when it opens.
	other := b.open("erin", 1_000)
	paid := b.pay(other, "bob", 10*unit, service)
	held, err := b.Escrow.Hold(b.Ctx(), other, 10*unit, 20)
	require.NoError(t, err)
	b.Run(60*second, 20*second) // low at 61: 100 free, 300 held
	require.Equal(t, low, b.stored(other).State)
	b.NextBlock(second)
	_, err = b.Escrow.OpenHeldStream(b.Ctx(), other, 8, chain.Account("carol"), 9*unit, service, held)
	require.NoError(t, err)
	require.Equal(t, funded, b.stored(other).State)
	require.True(t, b.stored(other).PausedRate.IsZero())
	require.Equal(t, hold, b.now(first).Kind, "another account")
	require.Equal(t, []any{service, 10 * unit}, []any{b.now(paid).Kind, b.now(paid).Rate})
	b.AssertInvariants()
}

func TestALowAccountTakesNoNewObligations(t *testing.T) {
	b := start(t, careful())
	id := b.open("alice", 200)
	paid := b.pay(id, "bob", 10*unit, service)
	b.NextBlock(10 * second)
	b.fails(types.ErrLow, func(ctx sdk.Context) error { _, err := b.Escrow.Hold(ctx, id, 1, 1); return err })
	room, err := b.Escrow.RateRoom(b.Ctx(), id, 1)
	require.NoError(t, err)
	require.Zero(t, room)
	b.fails(types.ErrInsufficientFunds, func(ctx sdk.Context) error {
		_, err := b.Escrow.ReplaceStream(ctx, b.now(paid).Id, 11*unit)
		return err
	})
	b.fails(types.ErrInsufficientFunds, func(ctx sdk.Context) error {
		_, err := b.Escrow.OpenStream(ctx, id, 1, chain.Account("bob"), 100_000*unit, service)
		return err
	})
}

func TestAnAccountThatCannotEvenPayTheShareEnds(t *testing.T) {
	params := careful()
	params.PauseBps = 10_000
	b := start(t, params)
	id := b.open("alice", 105)
	paid := b.pay(id, "bob", 100*unit, service) // zero and low second are both 2
	require.Equal(t, []uint64{2, 2}, []uint64{b.stored(id).ZeroAt, b.stored(id).LowAt})
	b.NextBlock(3 * second)
	require.Equal(t, []any{closedState, uint64(2)}, []any{b.stored(id).State, b.stored(id).ExhaustedAt})
	require.Equal(t, uint64(2), b.stream(paid).ClosedAt)
	require.Equal(t, int64(5), b.Balance(chain.Account("alice")))
	b.AssertInvariants()

	// With a share that is less, the same account goes on for a while.
	b = start(t, careful())
	id = b.open("alice", 115)
	b.pay(id, "bob", 100*unit, service)
	b.NextBlock(second)
	require.Equal(t, []any{low, uint64(3)}, []any{b.stored(id).State, b.stored(id).ZeroAt})
	b.NextBlock(2 * second)
	require.Equal(t, []any{closedState, uint64(3)}, []any{b.stored(id).State, b.stored(id).ExhaustedAt})
	b.AssertInvariants()
}

func TestAnAccountWithoutNumbersLeftEndsInsteadOfPausing(t *testing.T) {
	b := start(t, careful())
	b.open("alice", 300)
	b.pay(1, "bob", 10*unit, service)
	genesis := b.genesis()
	genesis.Accounts[0].StreamsOpened = types.MaxStreamsOpened
	state := b.Export()
	state[types.ModuleName] = b.Codec.MustMarshalJSON(genesis)
	again := &bench{Chain: chain.New(t, chain.WithState(state)), t: t}
	again.NextBlock(0)
	again.fails(types.ErrTooManyStreams, func(ctx sdk.Context) error {
		_, err := again.Escrow.OpenStream(ctx, 1, 1, chain.Account("bob"), 1, service)
		return err
	})
	again.fails(types.ErrTooManyStreams, func(ctx sdk.Context) error {
		_, err := again.Escrow.ReplaceStream(ctx, types.StreamID(1, 1), 1)
		return err
	})
	again.NextBlock(30 * second)
	require.Equal(t, []any{closedState, uint64(21)}, []any{again.stored(1).State, again.stored(1).ExhaustedAt})
	require.Equal(t, int64(100), again.Balance(chain.Account("alice")))
	again.AssertInvariants()
}

func TestAnAccountWithoutNumbersLeftStaysLow(t *testing.T) {
	b := start(t, careful())
	b.open("alice", 300)
	b.pay(1, "bob", 10*unit, service)
	b.NextBlock(20 * second)
	again := b.opened(1, types.MaxStreamsOpened-types.ReservedStreams)
	require.Equal(t, low, again.deposits(1, "alice", 10_000).State)
	again.AssertInvariants()
}

// opened returns the same chain, with an account that has opened so many streams.
func (b *bench) opened(account uint64, streams uint32) *bench {
	b.t.Helper()
	genesis := b.genesis()
	genesis.Accounts[account-1].StreamsOpened = streams
	state := b.Export()
	state[types.ModuleName] = b.Codec.MustMarshalJSON(genesis)
	again := &bench{Chain: chain.New(b.t, chain.WithState(state)), t: b.t}
	again.NextBlock(0)
	return again
}

func TestWhatIsHeldFindsANumberWhenNumbersAreShort(t *testing.T) {
	b := start(t, careful())
	b.open("alice", 100_000)
	b.pay(1, "bob", 10*unit, service)
	held, err := b.Escrow.Hold(b.Ctx(), 1, unit, 20)
	require.NoError(t, err)
	const short = types.MaxStreamsOpened - types.ReservedStreams
	bob := chain.Account("bob")

	enough := b.opened(1, short-1)
	room, err := enough.Escrow.RateRoom(enough.Ctx(), 1, 20)
	require.NoError(t, err)
	require.Positive(t, room)
	_, err = enough.Escrow.OpenStream(enough.Ctx(), 1, 1, bob, unit, service)
	require.NoError(t, err)

	again := b.opened(1, short)
	room, err = again.Escrow.RateRoom(again.Ctx(), 1, 20)
	require.NoError(t, err)
	require.Zero(t, room)
	for name, refused := range map[string]func(ctx sdk.Context) error{
		"hold": func(ctx sdk.Context) error { _, err := again.Escrow.Hold(ctx, 1, 1, 20); return err },
		"open": func(ctx sdk.Context) error { _, err := again.Escrow.OpenStream(ctx, 1, 1, bob, 1, service); return err },
		"replace": func(ctx sdk.Context) error {
			_, err := again.Escrow.ReplaceStream(ctx, types.StreamID(1, 1), unit)
			return err
		},
	} {
		t.Run(name, func(*testing.T) { again.fails(types.ErrTooManyStreams, refused) })
	}
	opened, err := again.Escrow.OpenHeldStream(again.Ctx(), 1, 2, bob, unit, service, held)
	require.NoError(t, err)
	require.Equal(t, types.StreamID(1, short+1), opened.Id)
	for again.stored(1).State == funded {
		again.NextBlock(1_000 * second)
	}
	require.Equal(t, low, again.stored(1).State, "pauses have numbers too")
	require.Equal(t, low, again.deposits(1, "alice", 1_000_000).State)
	again.AssertInvariants()
}

func TestAPendingStreamOpensPausedWhenItsNumberIsTheLastToResumeWith(t *testing.T) {
	b := start(t, careful())
	b.open("alice", 1_000)
	b.pay(1, "bob", 10*unit, service)
	held, err := b.Escrow.Hold(b.Ctx(), 1, 10*unit, 20)
	require.NoError(t, err)
	b.Run(60*second, 20*second) // low at 61: 100 free, 300 held
	require.Equal(t, low, b.stored(1).State)
	again := b.opened(1, types.MaxStreamsOpened-types.ReservedStreams-1)
	opened, err := again.Escrow.OpenHeldStream(again.Ctx(), 1, 2, chain.Account("bob"), 10*unit, service, held)
	require.NoError(t, err)
	require.Equal(t, []any{hold, 10 * unit}, []any{opened.Kind, opened.FullRate})
	again.AssertInvariants()
}

func Test256StreamsPauseResumeAndEndTogether(t *testing.T) {
	params := careful()
	params.MaxDeadlinesPerBlock = 10
	b := start(t, params)
	id, other := b.open("alice", 256*30), b.open("dave", 300)
	streams := make([]uint64, types.MaxStreams)
	for i := range streams {
		streams[i] = b.pay(id, fmt.Sprintf("payee %d", i%20), unit, service)
	}
	b.pay(other, "bob", 10*unit, service)
	b.NextBlock(20 * second) // both are low at 21
	require.Equal(t, []any{low, uint32(256)}, []any{b.stored(id).State, b.stored(id).Streams})
	require.Equal(t, funded, b.stored(other).State, "the block is full")
	for _, s := range streams {
		require.Equal(t, []uint64{unit / 10, unit, 21}, []uint64{b.now(s).Rate, b.now(s).FullRate, b.now(s).OpenedAt})
	}
	b.AssertInvariants()
	b.NextBlock(second)
	require.Equal(t, []any{low, uint64(21)}, []any{b.stored(other).State, b.stream(types.StreamID(other, 1)).ClosedAt})

	require.Equal(t, funded, b.deposits(id, "alice", 256*20).State)
	for _, s := range streams {
		require.Equal(t, []any{service, unit, uint64(0)}, []any{b.now(s).Kind, b.now(s).Rate, b.now(s).FullRate})
	}
	require.Equal(t, uint32(3*256), b.stored(id).StreamsOpened)
	b.AssertInvariants()

	b.Run(300*second, 60*second)
	require.Equal(t, closedState, b.stored(id).State)
	for _, s := range streams {
		require.Equal(t, b.stored(id).ExhaustedAt, b.now(s).ClosedAt)
	}
	require.Equal(t, b.earnings("payee 1").HeldBack, b.earnings("payee 3").HeldBack, "all were paid alike")
	b.AssertInvariants()
}

func TestAPauseThatFailsIsSetAsideAndTheAccountPaysInFullUntilItsEnd(t *testing.T) {
	for name, fails := range map[string]bool{"an error": true, "a panic": false} {
		t.Run(name, func(t *testing.T) {
			b := start(t, careful())
			bad, good := b.open("alice", 300), b.open("dave", 300)
			stream := b.pay(bad, "bob", 10*unit, service)
			b.pay(good, "bob", 10*unit, service)
			b.book.poisonSwaps = map[uint64]bool{stream: fails}
			b.NextBlock(25 * second) // both low at 21
			require.Equal(t, low, b.stored(good).State)
			account := b.stored(bad)
			require.Equal(t, []any{funded, uint64(0), uint64(31)}, []any{account.State, account.LowAt, account.ZeroAt})
			require.Len(t, b.genesis().Quarantine, 1)
			b.AssertInvariants()

			retry := &types.MsgRetry{Authority: b.Authority, Source: types.AccountSource, Id: bad}
			require.Error(t, b.Deliver(retry), "still poisoned")
			b.book.poisonSwaps = nil
			require.NoError(t, b.Deliver(retry))
			require.Equal(t, low, b.stored(bad).State)
			require.Equal(t, b.Now(), b.now(stream).OpenedAt)
			require.Empty(t, b.genesis().Quarantine)
			b.AssertInvariants()
		})
	}
}

func TestAnAccountInQuarantineThatIsNoLongerLowNeedsNothing(t *testing.T) {
	b := start(t, careful())
	bad := b.open("alice", 300)
	stream := b.pay(bad, "bob", 10*unit, service)
	b.book.poisonSwaps = map[uint64]bool{stream: true}
	b.NextBlock(25 * second)
	b.deposits(bad, "alice", 1_000)
	require.Equal(t, []uint64{131, 121}, []uint64{b.stored(bad).ZeroAt, b.stored(bad).LowAt})
	require.NoError(t, b.Deliver(&types.MsgRetry{Authority: b.Authority, Source: types.AccountSource, Id: bad}))
	require.Equal(t, funded, b.stored(bad).State)
	b.AssertInvariants()
}

func TestAResumeWhoseHookFailsTakesNoDeposit(t *testing.T) {
	b := start(t, careful())
	id := b.open("alice", 200)
	paid := b.pay(id, "bob", 10*unit, service)
	b.NextBlock(12 * second)
	b.book.poisonSwaps = map[uint64]bool{b.now(paid).Id: true}
	alice := b.Funded("alice", chain.Coin(1_000))
	b.fails(errPoison, func(ctx sdk.Context) error {
		_, err := b.Escrow.Deposit(ctx, id, alice, chain.Coin(1_000), nil)
		return err
	})
}

func TestParametersOfPausesCountFromTheNextTouch(t *testing.T) {
	b := start(t, careful())
	early, late := b.open("alice", 500), b.open("dave", 500)
	b.pay(early, "bob", 10*unit, service)
	b.pay(late, "bob", 10*unit, service)
	require.Equal(t, uint64(41), b.stored(early).LowAt)

	// A shorter runway moves what was filed when it is due; none at all pauses nothing.
	params := careful()
	params.PauseRunwaySeconds = 5
	require.NoError(t, b.Deliver(&types.MsgUpdateParams{Authority: b.Authority, Params: params}))
	b.NextBlock(41 * second) // 42
	require.Equal(t, []any{funded, uint64(46)}, []any{b.stored(early).State, b.stored(early).LowAt})
	params.PauseRunwaySeconds = 0
	require.NoError(t, b.Deliver(&types.MsgUpdateParams{Authority: b.Authority, Params: params}))
	b.NextBlock(5 * second) // 47
	require.Equal(t, []any{funded, uint64(0)}, []any{b.stored(early).State, b.stored(early).LowAt})
	b.AssertInvariants()
	b.NextBlock(5 * second)
	require.Equal(t, []any{closedState, uint64(51)}, []any{b.stored(late).State, b.stored(late).ExhaustedAt})
	b.AssertInvariants()
}

func TestALowAccountRefusesToDecideWhileOlderDeadlinesArePending(t *testing.T) {
	params := careful()
	params.MaxDeadlinesPerBlock = 1
	b := start(t, params)
	id := b.open("alice", 200)
	paid := b.pay(id, "bob", 10*unit, service) // low at 11
	b.NextBlock(10 * second)
	require.Equal(t, low, b.stored(id).State)
	for i := range 3 { // ends at 14
		b.pay(b.open(fmt.Sprintf("poor %d", i), 100), "bob", 30*unit, service)
	}
	b.NextBlock(3 * second)
	require.Less(t, b.clock().Frontier, b.Now())
	alice := b.Funded("alice", chain.Coin(1_000))
	for _, f := range []func(ctx sdk.Context) error{
		func(ctx sdk.Context) error {
			_, err := b.Escrow.Deposit(ctx, id, alice, chain.Coin(1), nil)
			return err
		},
		func(ctx sdk.Context) error { _, err := b.Escrow.TryResume(ctx, id); return err },
		func(ctx sdk.Context) error {
			_, err := b.Escrow.OpenStream(ctx, id, 1, chain.Account("bob"), 1, service)
			return err
		},
	} {
		b.fails(types.ErrBehind, f)
	}
	b.stop(b.now(paid).Id) // closing never waits
	for b.clock().Frontier < b.Now() {
		b.NextBlock(0)
	}
	require.Equal(t, funded, b.deposits(id, "alice", 1).State)
	b.AssertInvariants()
}

func TestASecondStreamOpenedLaterIsPaidFromItsOwnSecondAndPausedWithTheFirst(t *testing.T) {
	b := start(t, careful())
	id := b.open("alice", 1_000)
	first := b.pay(id, "bob", 10*unit, service)
	b.NextBlock(20 * second)
	second2 := b.pay(id, "carol", 10*unit, service) // 800 at 20: zero at 61, low at 51
	b.Run(60*second, 20*second)                     // 81
	require.Equal(t, low, b.stored(id).State)
	require.Equal(t, []uint64{51, 51}, []uint64{b.stream(first).ClosedAt, b.stream(second2).ClosedAt})
	require.Equal(t, int64(50*10+30), b.earnings("bob").Accruing.Int64())
	require.Equal(t, int64(30*10+30), b.earnings("carol").Accruing.Int64())
	require.Equal(t, math.NewInt(int64(18*unit)), b.stored(id).PausedRate)
	b.AssertInvariants()
}

func TestASettlementJustBeforeATopUpChangesNothing(t *testing.T) {
	left := func(settle bool) (int64, uint64) {
		b := start(t, careful())
		id := b.open("alice", 1_000)
		b.pay(id, "bob", 7*unit+1, service)
		b.NextBlock(33 * second)
		if settle {
			require.NoError(t, b.Escrow.Release(b.Ctx(), id, math.ZeroInt()))
			require.NoError(t, b.Escrow.Release(b.Ctx(), id, math.ZeroInt()))
		}
		b.deposits(id, "alice", 500)
		b.NextBlock(33 * second)
		b.AssertInvariants()
		return b.left(id), b.stored(id).ZeroAt
	}
	settledLeft, settledZero := left(true)
	plainLeft, plainZero := left(false)
	require.Equal(t, []any{plainLeft, plainZero}, []any{settledLeft, settledZero})
}
