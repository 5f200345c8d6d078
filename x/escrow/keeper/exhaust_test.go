package keeper_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/escrow/types"
)

func TestAllStreamsStopTogetherAtTheLastSecondThatAllCanBePaid(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 100)
	first := b.pay(id, "bob", 4*unit, service)
	b.NextBlock(5 * second)
	second2 := b.pay(id, "carol", 3*unit, hold)
	// 100 - 5x4 = 80 last for 11 s at 7 a second, and 3 are left.
	require.Equal(t, uint64(6+11), b.account(id).Account.ZeroAt)

	b.Run(60*second, 9*second)
	account := b.account(id)
	require.Equal(t, types.AccountState_ACCOUNT_STATE_CLOSED, account.Account.State)
	require.Equal(t, uint64(17), account.Account.ExhaustedAt)
	require.Equal(t, uint64(0), account.Account.ZeroAt)
	require.Equal(t, int64(3), b.Balance(chain.Account("alice")))
	require.Equal(t, int64(64), b.earnings("bob").Accruing.Int64())
	require.Equal(t, int64(33), b.earnings("carol").Accruing.Int64())
	for _, stream := range []uint64{first, second2} {
		at, err := b.book.ended.Get(b.Ctx(), stream)
		require.NoError(t, err)
		require.Equal(t, uint64(17), at)
		require.NoError(t, b.Escrow.CloseStream(b.Ctx(), stream, b.Now()), "closing again changes nothing")
	}
	b.AssertInvariants()
}

func TestAnAccountIsDueAtItsZeroSecondAndNotBefore(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 100)
	b.pay(id, "bob", 10*unit, service) // lasts until 11
	b.NextBlock(9 * second)
	require.Equal(t, types.AccountState_ACCOUNT_STATE_FUNDED, b.account(id).Account.State)
	_, err := b.Escrow.Deposit(b.Ctx(), id, b.Funded("alice", chain.Coin(10)), chain.Coin(10), nil)
	require.NoError(t, err, "in time")
	b.NextBlock(1 * second)
	require.Equal(t, types.AccountState_ACCOUNT_STATE_FUNDED, b.account(id).Account.State)
	b.NextBlock(1 * second)
	require.Equal(t, types.AccountState_ACCOUNT_STATE_CLOSED, b.account(id).Account.State)
	alice := b.Funded("alice", chain.Coin(10))
	b.fails(types.ErrAccountClosed, func(ctx sdk.Context) error {
		_, err := b.Escrow.Deposit(ctx, id, alice, chain.Coin(10), nil)
		return err
	})
	b.AssertInvariants()
}

func TestAHaltOfSixHoursBillsAtMostOneTick(t *testing.T) {
	b := start(t, quick())
	rich, poor := b.open("alice", 1_000_000), b.open("dave", 100)
	b.pay(rich, "bob", unit, service)
	b.pay(poor, "bob", unit, service)
	b.NextBlock(6 * time.Hour)
	require.Equal(t, uint64(61), b.Now())
	require.Equal(t, int64(60), b.spent(rich))
	require.Equal(t, int64(60), b.spent(poor))
	require.Equal(t, types.AccountState_ACCOUNT_STATE_FUNDED, b.account(poor).Account.State)
	b.AssertInvariants()
}

func TestAClockThatGoesBackStandsStill(t *testing.T) {
	b := start(t, quick())
	b.NextBlock(10 * second)
	b.NextBlock(-5 * second)
	require.Equal(t, uint64(11), b.Now())
	b.NextBlock(5 * second)
	require.Equal(t, uint64(16), b.Now())
}

func Test256StreamsEndTogetherInOneBlockEvenIfABlockMayDoLess(t *testing.T) {
	params := quick()
	params.MaxDeadlinesPerBlock = 10
	b := start(t, params)
	id, other := b.open("alice", 256*20), b.open("dave", 100)
	for i := range types.MaxStreams {
		b.pay(id, fmt.Sprintf("payee %d", i%20), unit, service)
	}
	b.pay(other, "bob", 5*unit, service) // lasts until 21 too
	b.NextBlock(20 * second)
	require.Equal(t, types.AccountState_ACCOUNT_STATE_CLOSED, b.account(id).Account.State)
	require.Equal(t, types.AccountState_ACCOUNT_STATE_FUNDED, b.account(other).Account.State, "the block is full")
	require.Equal(t, uint64(21), b.clock().Frontier)
	require.Equal(t, int64(0), b.Balance(chain.Account("alice")))
	b.AssertInvariants()

	dave := b.Funded("dave", chain.Coin(10))
	for name, f := range map[string]func(ctx sdk.Context) error{
		"deposit": func(ctx sdk.Context) error {
			_, err := b.Escrow.Deposit(ctx, other, dave, chain.Coin(10), nil)
			return err
		},
		"hold": func(ctx sdk.Context) error { _, err := b.Escrow.Hold(ctx, other, 1, 1); return err },
		"open": func(ctx sdk.Context) error {
			_, err := b.Escrow.OpenStream(ctx, other, 1, chain.Account("bob"), 1, service)
			return err
		},
		"close": func(ctx sdk.Context) error {
			return b.Escrow.CloseStream(ctx, types.StreamID(other, 1), b.Now())
		},
		"pay hold": func(ctx sdk.Context) error {
			return b.Escrow.PayHold(ctx, other, 1, chain.Account("bob"), unit, 10)
		},
		"add funds": func(ctx sdk.Context) error {
			return b.Escrow.AddFunds(ctx, other, chain.Coin(1), "faucet")
		},
	} {
		t.Run("an account that is due and waits refuses "+name, func(t *testing.T) {
			b.t = t
			b.fails(types.ErrBehind, f)
		})
	}
	b.t = t

	b.NextBlock(5 * second)
	require.Equal(t, types.AccountState_ACCOUNT_STATE_CLOSED, b.account(other).Account.State)
	require.Equal(t, uint64(21), b.account(other).Account.ExhaustedAt)
	require.Equal(t, b.Now(), b.clock().Frontier)
	b.AssertInvariants()
}

func TestWhatIsHeldIsReleasedWhenTheAccountEnds(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 1_000)
	b.pay(id, "bob", 10*unit, service)
	_, err := b.book.hold(b.Ctx(), id, 20*unit, 15) // holds 500 of 1000
	require.NoError(t, err)
	require.Equal(t, uint64(51), b.account(id).Account.ZeroAt)
	_, err = b.book.hold(b.Ctx(), id, 5*unit, 10) // holds 100
	require.NoError(t, err)
	require.Equal(t, uint64(41), b.account(id).Account.ZeroAt)
	b.Run(15*second, 5*second)
	require.Equal(t, uint64(101), b.account(id).Account.ZeroAt, "both windows are over")

	_, err = b.book.hold(b.Ctx(), id, unit, 60) // holds 70 of 850 until 76
	require.NoError(t, err)
	other, err := b.book.hold(b.Ctx(), id, 30*unit, 5)
	require.NoError(t, err)
	require.NoError(t, b.book.release(b.Ctx(), other))
	b.pay(id, "carol", 30*unit, service) // 780 last for 19 s, and 20 are left
	b.Run(60*second, 7*second)
	account := b.account(id).Account
	require.Equal(t, types.AccountState_ACCOUNT_STATE_CLOSED, account.State)
	require.Equal(t, uint64(16+19), account.ExhaustedAt)
	require.Equal(t, int64(90), b.Balance(chain.Account("alice")))
	b.AssertInvariants()
}

func TestAFailingHookQuarantinesOneAccountAndNothingElse(t *testing.T) {
	for name, fails := range map[string]bool{"an error": true, "a panic": false} {
		t.Run(name, func(t *testing.T) {
			b := start(t, quick())
			bad, good := b.open("alice", 100), b.open("dave", 110)
			stream := b.pay(bad, "bob", 3*unit, service) // until 34, 1 left
			b.pay(bad, "carol", 0+unit, hold)
			b.pay(good, "bob", 5*unit, service) // until 23
			b.book.poisonStreams = map[uint64]bool{stream: fails}
			b.Run(70*second, 35*second)

			require.Equal(t, types.AccountState_ACCOUNT_STATE_CLOSED, b.account(good).Account.State)
			account := b.account(bad).Account
			require.Equal(t, types.AccountState_ACCOUNT_STATE_FUNDED, account.State)
			require.Equal(t, uint64(26), account.ExhaustedAt)
			require.Equal(t, int64(0), b.left(bad))
			require.Equal(t, int64(75+110), b.earnings("bob").Accruing.Int64(), "no payment after the end")
			require.Equal(t, b.Now(), b.clock().Frontier)
			b.AssertInvariants()
			alice := b.Funded("alice", chain.Coin(5))
			b.fails(types.ErrExhausted, func(ctx sdk.Context) error {
				_, err := b.Escrow.Deposit(ctx, bad, alice, chain.Coin(5), nil)
				return err
			})

			retry := &types.MsgRetry{Authority: b.Authority, Source: types.AccountSource, Id: bad}
			require.Error(t, b.Deliver(retry), "still poisoned")
			b.book.poisonStreams = nil
			require.NoError(t, b.Deliver(retry))
			require.Equal(t, types.AccountState_ACCOUNT_STATE_CLOSED, b.account(bad).Account.State)
			require.ErrorIs(t, b.Deliver(retry), types.ErrNotQuarantined)
			b.AssertInvariants()
		})
	}
}

func TestAQuarantinedAccountCanBeClosedByHand(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 103)
	stream := b.pay(id, "bob", 5*unit, service)
	b.book.poisonAccounts = map[uint64]bool{id: false}
	b.Run(60*second, 30*second)
	require.Equal(t, uint64(21), b.account(id).Account.ExhaustedAt)
	b.stop(stream)
	refunded, err := b.Escrow.CloseAccount(b.Ctx(), id)
	require.NoError(t, err)
	require.Equal(t, chain.Coin(3), refunded)
	b.AssertInvariants()
	require.NoError(t, b.Deliver(&types.MsgRetry{Authority: b.Authority, Source: types.AccountSource, Id: id}))
	b.AssertInvariants()
}

func TestAHookThatLeavesMoneyHeldIsAtFault(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 1_000)
	b.pay(id, "bob", 10*unit, service)
	_, err := b.Escrow.Hold(b.Ctx(), id, 10*unit, 10) // unknown to the book
	require.NoError(t, err)
	b.Run(120*second, 60*second)
	require.Equal(t, types.AccountState_ACCOUNT_STATE_FUNDED, b.account(id).Account.State)
	genesis, err := b.Escrow.ExportGenesis(b.Ctx())
	require.NoError(t, err)
	require.Len(t, genesis.Quarantine, 1)
	require.Contains(t, genesis.Quarantine[0].Error, "account is in use")
	b.AssertInvariants()
}
