package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/escrow/keeper"
	"github.com/souk-network/souk/x/escrow/types"
)

// ends closes an account with all its streams.
func (b *bench) ends(id uint64) {
	b.t.Helper()
	require.NoError(b.t, b.Try(func(ctx sdk.Context) error { _, err := b.Escrow.EndAccount(ctx, id); return err }))
}

func (b *bench) forgotten(id uint64) bool {
	b.t.Helper()
	told, err := b.book.pruned.Has(b.Ctx(), id)
	require.NoError(b.t, err)
	_, err = b.Escrow.Account(b.Ctx(), id)
	require.Equal(b.t, told, types.ErrAccountNotFound.Is(err))
	return told
}

func TestWhatClosedIsForgottenOnceNobodyCanClaim(t *testing.T) {
	b := start(t, quick())
	id, other := b.open("alice", 1_001), b.open("dave", 1_000)
	first, second2 := b.pay(id, "bob", unit/7, service), b.pay(id, "carol", unit, hold)
	kept := b.pay(other, "bob", unit, service)
	b.NextBlock(10 * second)
	until, err := b.Escrow.RetainUntil(b.Ctx())
	require.NoError(t, err)
	require.Equal(t, uint64(11+4*100), until)
	b.stop(first)
	b.stop(kept)
	b.NextBlock(10 * second)
	b.ends(id)
	b.AssertInvariants()
	require.Len(t, b.genesis().Retained, 3)

	b.Run(380*second, 38*second) // 401: before 411
	require.Equal(t, uint64(11), b.stream(kept).ClosedAt)
	b.NextBlock(10 * second) // 411
	for _, gone := range []uint64{first, kept} {
		_, err := b.Escrow.Stream(b.Ctx(), gone)
		require.ErrorIs(t, err, types.ErrStreamNotFound)
		b.fails(types.ErrStreamNotFound, func(ctx sdk.Context) error { return b.Escrow.CloseStream(ctx, gone, b.Now()) })
	}
	require.Equal(t, uint64(21), b.stream(second2).ClosedAt, "it goes with its account")
	require.False(t, b.forgotten(id))
	require.Empty(t, b.genesis().Dust)
	b.AssertInvariants()

	b.NextBlock(10 * second) // 421
	require.True(t, b.forgotten(id))
	require.False(t, b.forgotten(other))
	_, err = b.Escrow.Stream(b.Ctx(), second2)
	require.ErrorIs(t, err, types.ErrStreamNotFound)
	require.Empty(t, b.genesis().Retained)
	require.Len(t, b.genesis().Dust, 1, "what rounding left in the account")
	owned, err := keeper.NewQueryServer(b.Escrow).Accounts(b.Ctx(), &types.QueryAccountsRequest{
		Owner: b.Text(chain.Account("alice")),
	})
	require.NoError(t, err)
	require.Empty(t, owned.Accounts)
	b.AssertInvariants()
	b.fails(types.ErrAccountNotFound, func(ctx sdk.Context) error {
		return b.Escrow.AddFunds(ctx, id, chain.Coin(1), "faucet")
	})
}

func TestAnAccountWithManyStreamsIsForgottenInChunks(t *testing.T) {
	params := quick()
	params.HoldbackEpochs, params.MaxDeadlinesPerBlock = 0, 300
	b := start(t, params)
	id := b.open("alice", 1_000_000)
	for range 3 {
		for range 200 {
			b.pay(id, "bob", 1, service)
		}
		for n := b.stored(id).StreamsOpened; n > b.stored(id).StreamsOpened-200; n-- {
			b.stop(types.StreamID(id, n))
		}
	}
	genesis := b.genesis()
	require.Len(t, genesis.Retained, 600)
	// All were stopped by themselves: only the account is left to take them along.
	genesis.Retained = nil
	state := b.Export()
	state[types.ModuleName] = b.Codec.MustMarshalJSON(genesis)
	again := &bench{Chain: chain.New(t, chain.WithState(state), chain.WithStore("book")), t: t}
	again.book = newBook(again.Chain)
	again.Escrow.SetHooks(again.book)
	again.NextBlock(0)
	again.ends(id)
	again.Run(180*second, 60*second)
	require.Len(t, again.genesis().ClosedStreams, 600)
	again.NextBlock(20 * second)
	var left []int
	for len(again.genesis().Retained) > 0 {
		left = append(left, len(again.genesis().ClosedStreams))
		again.NextBlock(0)
		again.AssertInvariants()
	}
	require.Equal(t, []int{88}, left, "two chunks a block")
	require.True(t, again.forgotten(id))
	require.Empty(t, again.genesis().ClosedStreams)
}

func TestAForgottenAccountThatFailsIsSetAsideAndForgottenLater(t *testing.T) {
	for name, fails := range map[string]bool{"an error": true, "a panic": false} {
		t.Run(name, func(t *testing.T) {
			b := start(t, quick())
			bad, good := b.open("alice", 1_000), b.open("dave", 1_000)
			b.ends(bad)
			b.ends(good)
			b.book.poisonPruned = map[uint64]bool{bad: fails}
			b.Run(420*second, 60*second)
			require.True(t, b.forgotten(good))
			require.False(t, b.forgotten(bad))
			b.AssertInvariants()
			genesis := b.genesis()
			require.Empty(t, genesis.Retained)
			require.Len(t, genesis.Quarantine, 1)
			require.NoError(t, genesis.Validate(b.Addresses))

			retry := &types.MsgRetry{Authority: b.Authority, Source: types.RetainedSource, Id: types.StreamID(bad, 0)}
			require.Error(t, b.Deliver(retry))
			b.book.poisonPruned = nil
			require.NoError(t, b.Deliver(retry))
			require.True(t, b.forgotten(bad))
			require.Empty(t, b.genesis().Quarantine)
			b.AssertInvariants()
		})
	}
}

func TestALargeAccountInQuarantineIsForgottenByTheQueue(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 1_000_000)
	for range types.MaxStreams {
		b.pay(id, "bob", 1, service)
	}
	b.ends(id)
	genesis := b.genesis()
	genesis.Retained = nil
	genesis.Quarantine = []types.Quarantined{{Source: types.RetainedSource, Id: types.StreamID(id, 0)}}
	state := b.Export()
	state[types.ModuleName] = b.Codec.MustMarshalJSON(genesis)
	again := &bench{Chain: chain.New(t, chain.WithState(state)), t: t}
	again.NextBlock(0)
	require.NoError(t, again.Deliver(&types.MsgRetry{
		Authority: again.Authority, Source: types.RetainedSource, Id: types.StreamID(id, 0),
	}))
	require.Empty(t, again.genesis().ClosedStreams)
	require.Len(t, again.genesis().Retained, 1)
	again.NextBlock(second)
	require.Empty(t, again.genesis().Accounts)
	again.AssertInvariants()
}

func TestAnAccountWhoseExhaustionIsInQuarantineIsNotForgotten(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 103)
	stream := b.pay(id, "bob", 5*unit, service)
	b.book.poisonAccounts = map[uint64]bool{id: true}
	b.Run(600*second, 60*second)
	require.Equal(t, uint64(21), b.stored(id).ExhaustedAt)
	require.Empty(t, b.genesis().Retained)
	b.stop(stream)
	require.Len(t, b.genesis().Retained, 1, "closed by hand")
	b.AssertInvariants()
	_, err := b.Escrow.CloseAccount(b.Ctx(), id)
	require.NoError(t, err)
	b.Run(600*second, 60*second)
	require.Empty(t, b.genesis().Accounts)
	// What is in quarantine for it needs nothing more.
	b.book.poisonAccounts = nil
	require.NoError(t, b.Deliver(&types.MsgRetry{Authority: b.Authority, Source: types.AccountSource, Id: id}))
	b.AssertInvariants()
}

func TestDustStaysInItsAccountUntilThatIsForgotten(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 1_000)
	b.pay(id, "bob", unit/7, service)
	b.NextBlock(10 * second)
	b.ends(id)
	response := b.account(id)
	require.True(t, response.Balance.IsZero())
	require.Equal(t, math.NewInt(3600-514*10%3600), response.Account.Deposits[0].Remainder)
	books, err := b.Escrow.Books(b.Ctx(), "usouk")
	require.NoError(t, err)
	require.True(t, books.Dust.IsZero())
	b.AssertInvariants()
	b.Run(500*second, 50*second)
	books, err = b.Escrow.Books(b.Ctx(), "usouk")
	require.NoError(t, err)
	require.True(t, books.Accounts.IsZero())
	require.Equal(t, int64(3600-514*10%3600), books.Dust.Int64())
}
