package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/escrow/types"
)

func TestAStreamPaysByTheSecondAndTheRestIsRefundedToTheMicroDenom(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 1_000)
	stream := b.pay(id, "bob", unit+1, service) // a little more than one micro-denom a second
	b.Run(30*second, 7*second)
	require.Equal(t, uint64(31), b.Now())
	require.Equal(t, int64(969), b.left(id), "30 s cost 30 and 30/3600 micro-denom")
	require.Equal(t, int64(31), b.spent(id))
	b.AssertInvariants()

	b.stop(stream)
	b.Run(50*second, 10*second)
	require.Equal(t, int64(969), b.left(id), "a closed stream costs nothing")
	var refunded sdk.Coin
	require.NoError(t, b.Try(func(ctx sdk.Context) (err error) {
		refunded, err = b.Escrow.CloseAccount(ctx, id)
		return err
	}))
	require.Equal(t, chain.Coin(969), refunded)
	require.Equal(t, int64(969), b.Balance(chain.Account("alice")))
	require.Equal(t, int64(31), b.ModuleBalance(types.ModuleName))
	b.AssertInvariants()
	require.Equal(t, int64(30), b.earnings("bob").Accruing.Int64())
}

func TestOpeningAndClosingInOneBlockCostsNothing(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 1_000)
	b.NextBlock(5 * second)
	stream := b.pay(id, "bob", 50*unit, service)
	b.stop(stream)
	refunded, err := b.Escrow.CloseAccount(b.Ctx(), id)
	require.NoError(t, err)
	require.Equal(t, chain.Coin(1_000), refunded)
	b.AssertInvariants()
}

func TestACloseIsExactAtItsSecondHoweverLateItComes(t *testing.T) {
	for name, c := range map[string]struct {
		at     func(opened, now uint64) uint64
		closed func(opened, now uint64) uint64
	}{
		"now":                      {func(_, now uint64) uint64 { return now }, func(_, now uint64) uint64 { return now }},
		"earlier":                  {func(_, now uint64) uint64 { return now - 7 }, func(_, now uint64) uint64 { return now - 7 }},
		"when it opened":           {func(o, _ uint64) uint64 { return o }, func(o, _ uint64) uint64 { return o }},
		"before it opened":         {func(o, _ uint64) uint64 { return o - 3 }, func(o, _ uint64) uint64 { return o }},
		"before there was a clock": {func(_, _ uint64) uint64 { return 0 }, func(o, _ uint64) uint64 { return o }},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, quick())
			id := b.open("alice", 1_000)
			b.NextBlock(10 * second)
			opened := b.Now()
			stream := b.pay(id, "bob", unit, service)
			b.Run(20*second, 5*second)
			now := b.Now()
			require.NoError(t, b.Escrow.CloseStream(b.Ctx(), stream, c.at(opened, now)))
			want := c.closed(opened, now)
			got, err := b.Escrow.Stream(b.Ctx(), stream)
			require.NoError(t, err)
			require.Equal(t, want, got.ClosedAt)
			require.Equal(t, int64(want-opened), b.spent(id))
			require.Equal(t, int64(want-opened), b.earnings("bob").Accruing.Int64())
			b.AssertInvariants()
		})
	}
}

func TestAStreamClosesOnce(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 1_000)
	stream := b.pay(id, "bob", unit, service)
	b.NextBlock(10 * second)
	b.stop(stream)
	before := b.state()
	b.stop(stream)
	require.NoError(t, b.Escrow.CloseStream(b.Ctx(), stream, 1))
	require.Equal(t, before, b.state())
}

func TestACloseInAClosedEpochCountsFromTheRunningOne(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 1_000)
	stream := b.pay(id, "bob", unit, service)
	b.Run(120*second, 20*second) // the first epoch ended at 101
	require.Equal(t, uint64(101), b.clock().EpochStart)
	require.NoError(t, b.Escrow.CloseStream(b.Ctx(), stream, 50))
	require.Equal(t, int64(100), b.spent(id), "the first epoch is final")
	b.AssertInvariants()
}

func TestAStreamThatCannotOpenIsRefused(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 1_000)
	bob := chain.Account("bob")
	open := func(account, rate uint64, payee sdk.AccAddress, kind types.StreamKind) func(sdk.Context) error {
		return func(ctx sdk.Context) error {
			_, err := b.Escrow.OpenStream(ctx, account, 7, payee, rate, kind)
			return err
		}
	}
	b.fails(types.ErrInvalidRate, open(id, 0, bob, service))
	b.fails(types.ErrInvalidRate, open(id, 1<<63, bob, service))
	b.fails(types.ErrInvalidKind, open(id, 1, bob, types.StreamKind_STREAM_KIND_UNSPECIFIED))
	b.fails(types.ErrInvalidKind, open(id, 1, bob, 99))
	b.fails(types.ErrInvalidAddress, open(id, 1, nil, service))
	b.fails(types.ErrAccountNotFound, open(id+1, 1, bob, service))
	b.fails(types.ErrInsufficientFunds, open(id, 1_000*unit+1, bob, service))
	b.fails(types.ErrInsufficientFunds, open(id, 1<<63-1, bob, service))
	b.fails(types.ErrStreamNotFound, func(ctx sdk.Context) error {
		return b.Escrow.CloseStream(ctx, types.StreamID(id, 1), b.Now())
	})
	stream := b.pay(id, "bob", unit, service)
	b.fails(types.ErrInvalidSecond, func(ctx sdk.Context) error { return b.Escrow.CloseStream(ctx, stream, b.Now()+1) })
	b.fails(types.ErrAccountBusy, func(ctx sdk.Context) error { _, err := b.Escrow.CloseAccount(ctx, id); return err })
	b.stop(stream)
	_, err := b.Escrow.CloseAccount(b.Ctx(), id)
	require.NoError(t, err)
	b.fails(types.ErrAccountClosed, open(id, 1, bob, service))
	b.fails(types.ErrAccountClosed, func(ctx sdk.Context) error { _, err := b.Escrow.CloseAccount(ctx, id); return err })
}

func TestAnAccountHasAtMost256OpenStreams(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 1_000_000)
	var last uint64
	for range types.MaxStreams {
		last = b.pay(id, "bob", 1, service)
	}
	b.fails(types.ErrTooManyStreams, func(ctx sdk.Context) error {
		_, err := b.Escrow.OpenStream(ctx, id, 7, chain.Account("bob"), 1, service)
		return err
	})
	b.stop(last)
	require.Greater(t, b.pay(id, "bob", 1, service), last)
	b.AssertInvariants()
}
