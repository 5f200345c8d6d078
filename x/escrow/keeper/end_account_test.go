package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/escrow/types"
)

func TestEndingAnAccountIsClosingItsStreamsOneByOneAndThenTheAccount(t *testing.T) {
	open := func() (*bench, uint64, []uint64) {
		b := start(t, quick())
		id := b.open("alice", 100_000)
		streams := []uint64{b.pay(id, "p", 7*unit+1, service), b.pay(id, "q", 3*unit+2, hold)}
		b.NextBlock(20 * second)
		streams = append(streams, b.pay(id, "p", unit+3, service))
		b.NextBlock(95 * second)
		return b, id, streams
	}
	once, id, _ := open()
	require.NoError(t, once.Try(func(ctx sdk.Context) error {
		_, err := once.Escrow.EndAccount(ctx, id)
		return err
	}))
	each, _, streams := open()
	for _, stream := range streams {
		each.stop(stream)
	}
	require.NoError(t, each.Try(func(ctx sdk.Context) error {
		_, err := each.Escrow.CloseAccount(ctx, id)
		return err
	}))
	once.fails(types.ErrAccountClosed, func(ctx sdk.Context) error {
		_, err := once.Escrow.EndAccount(ctx, id)
		return err
	})
	// One by one, the streams are retained by themselves: that is all the difference, and it goes with them.
	require.Len(t, each.genesis().Retained, len(streams)+1)
	require.Len(t, once.genesis().Retained, 1)
	each.Run(500*second, 50*second)
	once.Run(500*second, 50*second)
	require.Equal(t, each.Export(), once.Export())
	require.Positive(t, once.Balance(chain.Account("alice")))
	once.AssertInvariants()
}

func TestAnAccountThatHoldsMoneyCanNotEnd(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 1000)
	var held math.Int
	require.NoError(t, b.Try(func(ctx sdk.Context) (err error) {
		held, err = b.Escrow.Hold(ctx, id, unit, 5)
		return err
	}))
	end := func(ctx sdk.Context) error {
		_, err := b.Escrow.EndAccount(ctx, id)
		return err
	}
	b.fails(types.ErrAccountBusy, end)
	require.NoError(t, b.Escrow.Release(b.Ctx(), id, held))
	require.NoError(t, b.Try(end))
	require.Equal(t, int64(1000), b.Balance(chain.Account("alice")))
}

func TestAnAccountThatIsDueCanNotEndBeforeItsDeadlineIsProcessed(t *testing.T) {
	params := quick()
	params.MaxDeadlinesPerBlock = 1
	b := start(t, params)
	first, due := b.open("alice", 100), b.open("bob", 100)
	b.pay(first, "p", unit, service)
	b.pay(due, "p", unit, service)
	for range 2 {
		b.NextBlock(60 * second)
	}
	b.fails(types.ErrBehind, func(ctx sdk.Context) error {
		_, err := b.Escrow.EndAccount(ctx, due)
		return err
	})
}
