package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/escrow/types"
)

func TestAHoldNeedsTheWholeOutflowForWindowAndRunway(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 1_000)
	b.pay(id, "bob", 5*unit, service)
	var held math.Int
	hold := func(rate uint64) func(ctx sdk.Context) error {
		return func(ctx sdk.Context) error {
			grains, err := b.Escrow.Hold(ctx, id, rate, 15)
			if err == nil {
				held = grains
			}
			return err
		}
	}
	// 25 s at 5 + 35 a second take all of the 1000.
	b.fails(types.ErrInsufficientFunds, hold(35*unit+1))
	require.ErrorContains(t, b.Try(hold(36*unit)), "needs 25usouk more")
	require.NoError(t, b.Try(hold(35*unit)))
	require.Equal(t, int64(35*unit*25), held.Int64())
	require.Equal(t, uint64(26), b.account(id).Account.ZeroAt)
	b.fails(types.ErrInsufficientFunds, hold(1))
	b.AssertInvariants()

	for name, grains := range map[string]math.Int{
		"more than is held": held.AddRaw(1), "a negative amount": math.NewInt(-1), "nothing at all": {},
	} {
		t.Run("releasing "+name+" is refused", func(t *testing.T) {
			b.t = t
			b.fails(types.ErrInvalidHold, func(ctx sdk.Context) error { return b.Escrow.Release(ctx, id, grains) })
		})
	}
	b.t = t
	b.fails(types.ErrAccountBusy, func(ctx sdk.Context) error { _, err := b.Escrow.CloseAccount(ctx, id); return err })
	require.NoError(t, b.Escrow.Release(b.Ctx(), id, held))
	require.Equal(t, uint64(201), b.account(id).Account.ZeroAt)
	b.AssertInvariants()
}

func TestWhatIsHeldForAStreamPaysForItAtOnce(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 1_000)
	held, err := b.Escrow.Hold(b.Ctx(), id, 40*unit, 15)
	require.NoError(t, err)
	require.Equal(t, int64(40*unit*25), held.Int64(), "all of it")
	bob := chain.Account("bob")
	open := func(held math.Int) func(sdk.Context) error {
		return func(ctx sdk.Context) error {
			_, err := b.Escrow.OpenHeldStream(ctx, id, 1, bob, 40*unit, service, held)
			return err
		}
	}
	b.fails(types.ErrInsufficientFunds, open(math.ZeroInt()))
	for _, grains := range []math.Int{held.AddRaw(1), math.NewInt(-1), {}} {
		b.fails(types.ErrInvalidHold, open(grains))
	}
	require.NoError(t, b.Try(open(held)))
	account := b.account(id).Account
	require.True(t, account.Held.IsZero())
	require.Equal(t, uint64(26), account.ZeroAt, "25 s at 40 a second")
	b.AssertInvariants()
}

func TestAHoldOfNonsenseIsRefused(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 1_000)
	hold := func(account, rate, window uint64) func(sdk.Context) error {
		return func(ctx sdk.Context) error { _, err := b.Escrow.Hold(ctx, account, rate, window); return err }
	}
	b.fails(types.ErrInvalidRate, hold(id, 0, 1))
	b.fails(types.ErrInvalidRate, hold(id, 1<<63, 1))
	b.fails(types.ErrInvalidSecond, hold(id, 1, 1<<33))
	b.fails(types.ErrInsufficientFunds, hold(id, 1<<63-1, 1<<32))
	b.fails(types.ErrAccountNotFound, hold(id+1, 1, 1))
	b.fails(types.ErrAccountNotFound, func(ctx sdk.Context) error { return b.Escrow.Release(ctx, id+1, math.ZeroInt()) })
	_, err := b.Escrow.CloseAccount(b.Ctx(), id)
	require.NoError(t, err)
	b.fails(types.ErrAccountClosed, hold(id, 1, 1))
}

func TestPayingForCapacityOnceNeverStopsWhatRuns(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 1_000)
	b.pay(id, "bob", 10*unit, service)
	bob := chain.Account("carol")
	require.NoError(t, b.Escrow.PayHold(b.Ctx(), id, 3, bob, 2*unit, 60))
	require.Equal(t, int64(120), b.earnings("carol").Accruing.Int64())
	require.Equal(t, int64(880), b.left(id))
	require.NoError(t, b.Escrow.PayHold(b.Ctx(), id, 3, bob, 1<<62, 1<<32))
	require.Equal(t, int64(990), b.earnings("carol").Accruing.Int64(), "all but the next second of what runs")
	require.NoError(t, b.Escrow.PayHold(b.Ctx(), id, 3, bob, unit, 60))
	require.Equal(t, int64(990), b.earnings("carol").Accruing.Int64())
	require.Equal(t, types.AccountState_ACCOUNT_STATE_FUNDED, b.account(id).Account.State)
	b.AssertInvariants()
	b.fails(types.ErrInvalidRate, func(ctx sdk.Context) error { return b.Escrow.PayHold(ctx, id, 3, bob, 0, 60) })
	b.fails(types.ErrInvalidSecond, func(ctx sdk.Context) error { return b.Escrow.PayHold(ctx, id, 3, bob, 1, 1<<33) })

	b.NextBlock(second)
	require.Equal(t, types.AccountState_ACCOUNT_STATE_CLOSED, b.account(id).Account.State)
	require.NoError(t, b.Escrow.PayHold(b.Ctx(), id, 3, bob, unit, 60), "an exhausted account pays nothing")
	require.Equal(t, int64(990), b.earnings("carol").Accruing.Int64())
	b.AssertInvariants()
}

func TestFundsOfAModuleGoToTheAccountOrToTheOwnerOfAClosedOne(t *testing.T) {
	b := start(t, quick(), chain.WithModuleAccount("treasury"))
	rich := b.Funded("rich", chain.Coin(1_000))
	require.NoError(t, b.Bank.SendCoinsFromAccountToModule(b.Ctx(), rich, "treasury", sdk.NewCoins(chain.Coin(1_000))))
	id := b.open("alice", 100)
	require.NoError(t, b.Escrow.AddFunds(b.Ctx(), id, chain.Coin(30), "treasury"))
	require.Equal(t, int64(130), b.left(id))
	b.AssertInvariants()
	_, err := b.Escrow.CloseAccount(b.Ctx(), id)
	require.NoError(t, err)
	require.NoError(t, b.Escrow.AddFunds(b.Ctx(), id, chain.Coin(7), "treasury"))
	require.Equal(t, int64(137), b.Balance(chain.Account("alice")))
	b.AssertInvariants()

	add := func(coin sdk.Coin) func(sdk.Context) error {
		return func(ctx sdk.Context) error { return b.Escrow.AddFunds(ctx, id, coin, "treasury") }
	}
	b.fails(types.ErrInvalidAmount, add(chain.Coin(0)))
	b.fails(types.ErrInvalidAmount, add(sdk.Coin{Denom: "usouk", Amount: math.NewInt(-1)}))
	b.fails(types.ErrInvalidAmount, add(sdk.Coin{Denom: "usouk"}))
	b.fails(types.ErrDenom, add(sdk.NewInt64Coin("uother", 1)))
}

func TestRateRoomIsTheHighestRateThatCanBeHeld(t *testing.T) {
	for name, c := range map[string]struct {
		micro  int64
		drawn  uint64
		held   uint64
		window uint64
		room   uint64
	}{
		"a fresh account":                       {1_000, 0, 0, 15, 40 * unit},
		"the rate is rounded down":              {1_001, 0, 0, 16, 1_001 * unit / 26},
		"what is drawn needs its runway too":    {1_000, 5 * unit, 0, 15, 35 * unit},
		"what is held is not free":              {1_000, 0, 30 * unit, 15, 10 * unit},
		"nothing is left":                       {1_000, 20 * unit, 20 * unit, 15, 0},
		"more is drawn than lasts for the span": {1_000, 40 * unit, 0, 100, 0},
		"a rate has an upper bound":             {1 << 62, 0, 0, 0, 1<<63 - 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, quick())
			id := b.open("alice", c.micro)
			if c.drawn > 0 {
				b.pay(id, "bob", c.drawn, service)
			}
			if c.held > 0 {
				_, err := b.Escrow.Hold(b.Ctx(), id, c.held, c.window)
				require.NoError(t, err)
			}
			room, err := b.Escrow.RateRoom(b.Ctx(), id, c.window)
			require.NoError(t, err)
			require.Equal(t, c.room, room)
			requireRoom(t, b, id, c.window)
		})
	}
}

func TestRateRoomAndHoldAgreeOnAnyAccount(t *testing.T) {
	b := start(t, quick())
	rapid.Check(t, func(rt *rapid.T) {
		id := b.open("alice", rapid.Int64Range(100, 1<<50).Draw(rt, "deposit"))
		window := rapid.Uint64Range(0, 3600).Draw(rt, "window")
		for range rapid.IntRange(0, 3).Draw(rt, "holds") {
			before, err := b.Escrow.RateRoom(b.Ctx(), id, window)
			require.NoError(rt, err)
			if before == 0 {
				break
			}
			rate := rapid.Uint64Range(1, before).Draw(rt, "rate")
			_, err = b.Escrow.Hold(b.Ctx(), id, rate, window)
			require.NoError(rt, err)
			after, err := b.Escrow.RateRoom(b.Ctx(), id, window)
			require.NoError(rt, err)
			if before < 1<<63-1 {
				require.Equal(rt, before-rate, after, "a hold takes its rate off the room")
			}
		}
		requireRoom(rt, b, id, window)
	})
}

// requireRoom holds what RateRoom says, and nothing above it.
func requireRoom(t require.TestingT, b *bench, id, window uint64) {
	room, err := b.Escrow.RateRoom(b.Ctx(), id, window)
	require.NoError(t, err)
	hold := func(rate uint64) error {
		ctx, _ := b.Ctx().CacheContext()
		_, err := b.Escrow.Hold(ctx, id, rate, window)
		return err
	}
	require.Error(t, hold(room+1))
	if room > 0 {
		require.NoError(t, hold(room))
	}
}

func TestRateRoomOfWhatCannotHoldIsRefused(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 1_000)
	_, err := b.Escrow.RateRoom(b.Ctx(), id+1, 1)
	require.ErrorIs(t, err, types.ErrAccountNotFound)
	_, err = b.Escrow.RateRoom(b.Ctx(), id, 1<<33)
	require.ErrorIs(t, err, types.ErrInvalidSecond)
	_, err = b.Escrow.CloseAccount(b.Ctx(), id)
	require.NoError(t, err)
	_, err = b.Escrow.RateRoom(b.Ctx(), id, 1)
	require.ErrorIs(t, err, types.ErrAccountClosed)
}
