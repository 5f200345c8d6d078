package keeper_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/escrow/types"
)

func TestEarningsAccrueAreHeldBackMatureAndAreWithdrawnLessTheFee(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 1_000_000)
	b.pay(id, "bob", 10*unit, service)
	b.pay(id, "bob", unit, hold)
	b.Run(50*second, 10*second)
	e := b.earnings("bob")
	require.Equal(t, []int64{550, 0, 0, int64(11 * unit)}, []int64{e.Accruing.Int64(), e.HeldBack.Int64(), e.Available.Int64(), e.Rate.Int64()})
	b.fails(types.ErrNothingToWithdraw, func(ctx sdk.Context) error {
		_, _, err := b.Escrow.WithdrawEarnings(ctx, chain.Account("bob"), chain.Account("bob"), "usouk")
		return err
	})

	b.Run(60*second, 10*second) // second 111: the first epoch, 1 to 101, is closed
	e = b.earnings("bob")
	require.Equal(t, []int64{110, 1100, 0}, []int64{e.Accruing.Int64(), e.HeldBack.Int64(), e.Available.Int64()})
	b.Run(180*second, 10*second) // second 291: matures at 301
	require.Equal(t, int64(0), b.earnings("bob").Available.Int64())
	b.NextBlock(10 * second)
	require.Equal(t, int64(1100), b.earnings("bob").Available.Int64())
	b.AssertInvariants()

	net, fee := b.withdraw("bob")
	require.Equal(t, []int64{1078, 22}, []int64{net, fee})
	require.Equal(t, int64(1078), b.Balance(chain.Account("bob")))
	require.Equal(t, int64(22), b.CommunityPool())
	b.AssertInvariants()
	b.Run(300*second, 10*second)
	net, fee = b.withdraw("bob")
	require.Equal(t, int64(3*1100), net+fee)
	b.AssertInvariants()
}

func TestAWithdrawalMergesAtMost200Epochs(t *testing.T) {
	params := quick()
	params.EpochSeconds, params.HoldbackEpochs = 1, 0
	b := start(t, params)
	id := b.open("alice", 1_000_000)
	b.pay(id, "bob", unit, service)
	b.Run(250*second, second)
	net, fee := b.withdraw("bob")
	require.Equal(t, int64(200), net+fee)
	net, fee = b.withdraw("bob")
	require.Equal(t, int64(50), net+fee)
	b.AssertInvariants()
}

func TestLessThanAMicroDenomStaysInThePot(t *testing.T) {
	params := quick()
	params.EpochSeconds, params.HoldbackEpochs = 10, 0
	b := start(t, params)
	id := b.open("alice", 1_000)
	b.pay(id, "bob", unit/16, service) // 2250 grains an epoch
	b.Run(10*second, 5*second)
	b.fails(types.ErrNothingToWithdraw, func(ctx sdk.Context) error {
		_, _, err := b.Escrow.WithdrawEarnings(ctx, chain.Account("bob"), chain.Account("bob"), "usouk")
		return err
	})
	b.Run(10*second, 5*second) // 4500 grains
	net, fee := b.withdraw("bob")
	require.Equal(t, []int64{1, 0}, []int64{net, fee})
	b.Run(20*second, 5*second) // 900 + 4500
	net, _ = b.withdraw("bob")
	require.Equal(t, int64(1), net)
	b.AssertInvariants()
}

func TestManyPoorEpochsDoNotKeepARichOneFromItsTurn(t *testing.T) {
	params := quick()
	params.EpochSeconds, params.HoldbackEpochs = 1, 0
	b := start(t, params)
	id := b.open("alice", 1_000_000)
	b.pay(id, "bob", 10, service) // 10 grains an epoch: 200 of them are less than a micro-denom
	b.Run(200*second, second)
	b.pay(id, "bob", 10*unit, service)
	b.Run(50*second, second)
	net, fee := b.withdraw("bob")
	require.Zero(t, net+fee, "the oldest 200 come to nothing")
	net, fee = b.withdraw("bob")
	require.GreaterOrEqual(t, net+fee, int64(490), "but what comes after them is paid")
	b.AssertInvariants()
}

func TestANewEpochLengthTakesEffectWithTheNextEpoch(t *testing.T) {
	b := start(t, quick())
	params := quick()
	params.EpochSeconds = 30
	require.NoError(t, b.Deliver(&types.MsgUpdateParams{Authority: b.Authority, Params: params}))
	b.Run(90*second, 30*second)
	require.Equal(t, []uint64{1, 1, 101}, epochOf(b))
	b.NextBlock(20 * second)
	require.Equal(t, []uint64{2, 101, 131}, epochOf(b))
}

// TestEarningsThatMatureBeforeOlderOnesWaitForThem is a history of the simulator: the query promised what no withdrawal paid.
func TestEarningsThatMatureBeforeOlderOnesWaitForThem(t *testing.T) {
	b := start(t, quick())
	b.pay(b.open("alice", 100_000), "bob", 10*unit, service)
	b.Run(100*second, 50*second)
	params := quick()
	params.EpochSeconds, params.HoldbackEpochs = 10, 0
	require.NoError(t, b.Deliver(&types.MsgUpdateParams{Authority: b.Authority, Params: params}))
	b.Run(120*second, 10*second)

	require.True(t, b.earnings("bob").Available.IsZero(), "the first epoch is held back for 200 s, the others for none")
	b.fails(types.ErrNothingToWithdraw, func(ctx sdk.Context) error {
		_, _, err := b.Escrow.WithdrawEarnings(ctx, chain.Account("bob"), chain.Account("bob"), "usouk")
		return err
	})
	b.Run(100*second, 10*second)
	available := b.earnings("bob").Available.Int64()
	net, fee := b.withdraw("bob")
	require.Positive(t, available)
	require.Equal(t, available, net+fee)
}

func epochOf(b *bench) []uint64 {
	clock := b.clock()
	return []uint64{clock.Epoch, clock.EpochStart, clock.EpochEnd}
}

func TestEpochsShorterThanABlockCloseLateAndLoseNothing(t *testing.T) {
	params := quick()
	params.EpochSeconds, params.HoldbackEpochs = 10, 0
	b := start(t, params)
	id := b.open("alice", 1_000_000)
	stream := b.pay(id, "bob", 7, service)
	b.NextBlock(60 * second)
	require.Equal(t, []uint64{3, 61, 71}, epochOf(b))
	b.Run(600*second, 35*second)
	b.stop(stream)
	b.Run(60*second, 60*second)
	b.AssertInvariants()
	net, fee := b.withdraw("bob")
	require.Equal(t, int64(660*7/3600), net+fee)
}

func TestPotsAreRolledInPartsAndNoEpochClosesBeforeAllAre(t *testing.T) {
	params := quick()
	params.MaxDeadlinesPerBlock = 3
	b := start(t, params)
	id := b.open("alice", 1_000_000)
	for i := range 10 {
		b.pay(id, fmt.Sprintf("payee %d", i), unit, service)
	}
	touched := b.open("dave", 1_000_000)
	b.NextBlock(60 * second)
	b.NextBlock(60 * second) // second 121: epoch 1 closed at 101, three pots are rolled
	require.Equal(t, []uint64{2, 101, 201}, epochOf(b))
	genesis, err := b.Escrow.ExportGenesis(b.Ctx())
	require.NoError(t, err)
	require.NotNil(t, genesis.Sweep)
	require.Len(t, genesis.EpochPots, 3)

	// A payee whose pot is not rolled yet earns on: its pot is rolled first.
	for i := range 10 {
		b.pay(touched, fmt.Sprintf("payee %d", i), 2*unit, service)
	}
	b.AssertInvariants()
	again := &bench{Chain: chain.New(t, chain.WithState(b.Export())), t: t}
	require.Equal(t, b.state(), again.state(), "the cursor is exported too")

	b.NextBlock(60 * second)
	b.NextBlock(60 * second) // second 241, after the end of epoch 2
	require.Equal(t, uint64(2), b.clock().Epoch, "the sweep of epoch 1 is not over")
	b.Run(8*second, second)
	require.Equal(t, uint64(3), b.clock().Epoch)
	require.Equal(t, uint64(301), b.clock().EpochEnd)
	b.AssertInvariants()
	b.Run(400*second, 10*second)
	for i := range 10 {
		e := b.earnings(fmt.Sprintf("payee %d", i))
		total := e.Accruing.Add(e.HeldBack).Add(e.Available).Int64()
		require.Equal(t, int64(b.Now()-1+2*(b.Now()-121)), total)
	}
}

func TestAnEmptyPotIsDropped(t *testing.T) {
	params := quick()
	params.HoldbackEpochs = 0
	b := start(t, params)
	id := b.open("alice", 1_000)
	stream := b.pay(id, "bob", unit, service)
	b.NextBlock(60 * second)
	b.stop(stream)
	b.NextBlock(60 * second)
	b.withdraw("bob")
	b.Run(200*second, 50*second)
	genesis, err := b.Escrow.ExportGenesis(b.Ctx())
	require.NoError(t, err)
	require.Empty(t, genesis.Pots)
	require.Empty(t, genesis.EpochPots)
	b.AssertInvariants()

	b.pay(id, "bob", unit, service)
	b.NextBlock(10 * second)
	require.Equal(t, int64(10), b.earnings("bob").Accruing.Int64())
}

// policy decides as it is told.
type policy func(pot types.EpochPot) (math.Int, bool, error)

func (p policy) OnEpochClosed(context.Context, types.Epoch) error { return nil }

func (p policy) CheckParams(_ context.Context, params types.Params) error {
	if params.HoldbackEpochs == 7 {
		return errors.New("seven is not enough")
	}
	return nil
}

func (p policy) OnEpochPot(_ context.Context, pot types.EpochPot) (math.Int, bool, error) {
	return p(pot)
}

func TestAPolicyMayRefuseParametersUnderWhichItCouldNotDecide(t *testing.T) {
	b := start(t, quick())
	b.Escrow.SetCreditPolicy(policy(func(types.EpochPot) (math.Int, bool, error) { return math.Int{}, false, nil }))
	params := quick()
	params.HoldbackEpochs = 7
	err := b.Deliver(&types.MsgUpdateParams{Authority: b.Authority, Params: params})
	require.ErrorIs(t, err, types.ErrInvalidParams)
	require.ErrorContains(t, err, "seven is not enough")
	params.HoldbackEpochs = 8
	require.NoError(t, b.Deliver(&types.MsgUpdateParams{Authority: b.Authority, Params: params}))
}

func TestAPolicyMayLeaveServicePendingAndCreditItInPart(t *testing.T) {
	params := quick()
	params.HoldbackEpochs = 0
	for name, undecided := range map[string]policy{
		"undecided": func(types.EpochPot) (math.Int, bool, error) { return math.Int{}, false, nil },
		"no amount": func(types.EpochPot) (math.Int, bool, error) { return math.Int{}, true, nil },
		"failing":   func(types.EpochPot) (math.Int, bool, error) { return math.Int{}, true, errors.New("no beacon") },
		"panicking": func(types.EpochPot) (math.Int, bool, error) { panic("no beacon") },
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, params)
			b.Escrow.SetCreditPolicy(undecided)
			id := b.open("alice", 10_000)
			b.pay(id, "bob", unit, service)
			b.pay(id, "bob", unit, hold)
			b.Run(120*second, 60*second)
			require.Equal(t, int64(200), b.earnings("bob").HeldBack.Int64())
			b.AssertInvariants()
			b.fails(types.ErrNothingToWithdraw, func(ctx sdk.Context) error {
				_, _, err := b.Escrow.WithdrawEarnings(ctx, chain.Account("bob"), chain.Account("bob"), "usouk")
				return err
			})
			bob := chain.Account("bob")
			b.fails(types.ErrEpochPot, func(ctx sdk.Context) error {
				return b.Escrow.Credit(ctx, bob, "usouk", 7, math.ZeroInt())
			})
			require.NoError(t, b.Escrow.Credit(b.Ctx(), bob, "usouk", 1, math.NewInt(40*3600+1)))
			b.fails(types.ErrEpochPot, func(ctx sdk.Context) error {
				return b.Escrow.Credit(ctx, bob, "usouk", 1, math.ZeroInt())
			})
			b.AssertInvariants()
			net, fee := b.withdraw("bob")
			require.Equal(t, []int64{138, 2}, []int64{net, fee})
			require.Equal(t, int64(2+59), b.CommunityPool(), "the fee, and what was not proven")
			b.AssertInvariants()
		})
	}
}
