package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/escrow/types"
)

func TestAStreamNamesTheOneWhosePlaceItTook(t *testing.T) {
	b := start(t, careful())
	id := b.open("alice", 1_000)
	first := b.opens(id, "bob", unit, hold)
	require.Zero(t, first.Previous)
	served, err := b.Escrow.ServeStream(b.Ctx(), first.Id, 10*unit)
	require.NoError(t, err)
	require.Equal(t, first.Id, served.Previous)
	b.NextBlock(10 * second) // 11
	changed := b.replace(served.Id, 20*unit)
	require.Equal(t, served.Id, changed.Previous)
	b.Run(40*second, 10*second) // 51: low at 46
	open := b.genesis().OpenStreams
	require.Len(t, open, 1)
	require.Equal(t, changed.Id, open[0].Previous)
	alice := b.Funded("alice", chain.Coin(5_000))
	require.NoError(t, b.Try(func(ctx sdk.Context) error {
		_, err := b.Escrow.Deposit(ctx, id, alice, chain.Coin(5_000), nil)
		return err
	}))
	resumed := b.genesis().OpenStreams[0]
	require.Equal(t, open[0].Id, resumed.Previous)
	b.NextBlock(9 * second) // 60

	due, err := b.Escrow.Due(b.Ctx(), resumed.Id, 1, 60)
	require.NoError(t, err)
	require.Equal(t, types.Due{Grains: due.Grains, Seconds: 10 + 35 + 9}, due)
	require.Equal(t, int64((10*10+35*20+9*20)*unit), due.Grains.Int64())
	due, err = b.Escrow.Due(b.Ctx(), resumed.Id, 46, 51)
	require.NoError(t, err)
	require.Zero(t, due.Seconds)
	due, err = b.Escrow.Due(b.Ctx(), changed.Id, 1, 60)
	require.NoError(t, err)
	require.Equal(t, uint64(45), due.Seconds, "the chain up to a stream in its middle")
	due, err = b.Escrow.Due(b.Ctx(), resumed.Id, 20, 10)
	require.NoError(t, err)
	require.Zero(t, due.Seconds, "a span that ends before it begins")
}

func TestDueOfWhatIsForgottenIsRefused(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 100_000)
	stream := b.pay(id, "bob", unit, service)
	b.NextBlock(10 * second)
	next := b.replace(stream, 2*unit)
	b.Run(700*second, 50*second)
	_, err := b.Escrow.Due(b.Ctx(), stream, 1, 11)
	require.ErrorIs(t, err, types.ErrStreamNotFound)
	_, err = b.Escrow.Due(b.Ctx(), next.Id, 1, 101)
	require.ErrorIs(t, err, types.ErrStreamNotFound)
	due, err := b.Escrow.Due(b.Ctx(), next.Id, 11, 101)
	require.NoError(t, err)
	require.Equal(t, uint64(90), due.Seconds)
	b.AssertInvariants()
}

func TestDueReadsABoundedNumberOfStreams(t *testing.T) {
	params := quick()
	params.EpochSeconds, params.HoldbackEpochs = 1, 100
	b := start(t, params)
	stream := b.opens(b.open("alice", 100_000_000), "bob", 1, service)
	first := stream
	for i := range uint64(types.MaxDueStreams) {
		if i%types.MaxReplaced == 0 {
			b.NextBlock(second)
		}
		stream = b.replace(stream.Id, i+2)
	}
	b.NextBlock(second)
	_, err := b.Escrow.Due(b.Ctx(), stream.Id, 1, 3)
	require.ErrorIs(t, err, types.ErrTooManyStreams)
	due, err := b.Escrow.Due(b.Ctx(), stream.Previous, 1, 2)
	require.NoError(t, err)
	require.Equal(t, int64(first.Rate), due.Grains.Int64())
}

func TestDueWaitsForWhatIsNotProcessed(t *testing.T) {
	params := quick()
	params.MaxDeadlinesPerBlock = 1
	b := start(t, params)
	var last uint64
	for _, name := range []string{"a", "b", "c"} {
		last = b.pay(b.open(name, 100), "bob", 10*unit, service)
	}
	b.NextBlock(20 * second) // 21: all three ended at 11, one is processed
	_, err := b.Escrow.Due(b.Ctx(), last, 1, 20)
	require.ErrorIs(t, err, types.ErrBehind)
	due, err := b.Escrow.Due(b.Ctx(), last, 1, 11)
	require.NoError(t, err)
	require.Equal(t, uint64(10), due.Seconds, "nothing that is pending changes this")
	b.Run(5*second, second)
	due, err = b.Escrow.Due(b.Ctx(), last, 1, 20)
	require.NoError(t, err)
	require.Equal(t, uint64(10), due.Seconds)
}
