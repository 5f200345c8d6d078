package keeper_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/escrow/types"
)

func (b *bench) replace(id, rate uint64) types.Stream {
	b.t.Helper()
	var stream types.Stream
	require.NoError(b.t, b.Try(func(ctx sdk.Context) (err error) {
		stream, err = b.Escrow.ReplaceStream(ctx, id, rate)
		return err
	}))
	return stream
}

func TestAnotherRateIsAnotherStreamForTheSame(t *testing.T) {
	b := start(t, careful())
	id := b.open("alice", 1_000)
	first := b.opens(id, "bob", 10*unit, service)
	b.NextBlock(10 * second)
	next := b.replace(first.Id, 4*unit)
	require.Equal(t, first.Id+1, next.Id)
	require.Equal(t, []any{first.Ref, first.Payee, service, 4 * unit, uint64(11)},
		[]any{next.Ref, next.Payee, next.Kind, next.Rate, next.OpenedAt})
	require.Equal(t, uint64(11), b.stream(first.Id).ClosedAt)
	require.Equal(t, []uint64{236, 226}, []uint64{b.stored(id).ZeroAt, b.stored(id).LowAt}, "900 at 4 a second")
	require.Equal(t, uint32(1), b.stored(id).Streams)
	require.Equal(t, next, b.replace(next.Id, 4*unit), "the same rate changes nothing")

	up := b.replace(next.Id, 90*unit)
	require.Equal(t, []uint64{11, 11}, []uint64{b.stream(next.Id).OpenedAt, b.stream(next.Id).ClosedAt})
	require.Equal(t, uint64(12), b.stored(id).LowAt, "900 last for the minimal runway of 10 s, and no more")
	b.fails(types.ErrInsufficientFunds, func(ctx sdk.Context) error {
		_, err := b.Escrow.ReplaceStream(ctx, up.Id, 90*unit+1)
		return err
	})
	require.Equal(t, int64(100), b.earnings("bob").Accruing.Int64())
	b.AssertInvariants()

	b.fails(types.ErrStreamNotFound, func(ctx sdk.Context) error {
		_, err := b.Escrow.ReplaceStream(ctx, first.Id, unit)
		return err
	})
	for _, rate := range []uint64{0, 1 << 63} {
		b.fails(types.ErrInvalidRate, func(ctx sdk.Context) error {
			_, err := b.Escrow.ReplaceStream(ctx, up.Id, rate)
			return err
		})
	}
}

func TestTheMissingMoneyForAHigherRateIsNamed(t *testing.T) {
	b := start(t, careful())
	id := b.open("alice", 100)
	stream := b.pay(id, "bob", unit, service)
	_, err := b.Escrow.ReplaceStream(b.Ctx(), stream, 30*unit)
	require.ErrorContains(t, err, "account 1 needs 200usouk more")
}

func TestALowerRateNeverFailsForMoney(t *testing.T) {
	b := start(t, careful())
	id := b.open("alice", 205)
	stream := b.pay(id, "bob", 100*unit, service)
	b.NextBlock(second) // low at 2
	lower := b.replace(b.now(stream).Id, unit)
	require.Equal(t, []any{hold, unit / 10, unit}, []any{lower.Kind, lower.Rate, lower.FullRate})
	require.Equal(t, int64(unit-unit/10), b.stored(id).PausedRate.Int64())
	b.AssertInvariants()
	kept := b.opens(id, "carol", unit, hold)
	kept = b.replace(kept.Id, unit/2)
	require.Equal(t, []any{hold, unit / 2, uint64(0)}, []any{kept.Kind, kept.Rate, kept.FullRate})
	b.AssertInvariants()
}

func TestOpenReplaceAndCloseInOneSecondLeavesNothing(t *testing.T) {
	b := start(t, careful())
	id := b.open("alice", 1_000)
	stream := b.opens(id, "bob", unit, service)
	for rate := range uint64(20) {
		stream = b.replace(stream.Id, (rate+2)*unit)
	}
	b.stop(stream.Id)
	b.ends(id)
	require.Equal(t, int64(1_000), b.Balance(chain.Account("alice")))
	require.True(t, b.earnings("bob").Accruing.IsZero())
	b.AssertInvariants()
}

func TestAStreamIsNotReplacedMoreOftenInAnEpochsLengthThanDueCanFollow(t *testing.T) {
	b := start(t, quick())
	stream := b.opens(b.open("alice", 100_000), "bob", 1, service)
	b.NextBlock(second)
	for i := range uint64(types.MaxReplaced) {
		stream = b.replace(stream.Id, i+2)
	}
	replace := func() error {
		return b.Try(func(ctx sdk.Context) error {
			_, err := b.Escrow.ReplaceStream(ctx, stream.Id, unit)
			return err
		})
	}
	b.Run(time.Duration(quick().EpochSeconds-1)*second, 10*second)
	require.ErrorIs(t, replace(), types.ErrTooManyStreams)
	b.NextBlock(second)
	require.NoError(t, replace(), "an epoch's length after the first")
	b.AssertInvariants()
}
