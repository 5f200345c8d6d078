package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/escrow/keeper"
	"github.com/souk-network/souk/x/escrow/types"
)

func TestQueriesOfOneThing(t *testing.T) {
	b := start(t, quick())
	q := keeper.NewQueryServer(b.Escrow)
	id := b.open("alice", 1_000)
	b.NextBlock(9 * second)

	runway, err := q.Runway(b.Ctx(), &types.QueryRunwayRequest{Id: id})
	require.NoError(t, err)
	require.Equal(t, []uint64{0, 0, 10}, []uint64{runway.Seconds, runway.ZeroAt, runway.Now})
	b.pay(id, "bob", 10*unit, service)
	b.NextBlock(10 * second)
	runway, err = q.Runway(b.Ctx(), &types.QueryRunwayRequest{Id: id})
	require.NoError(t, err)
	require.Equal(t, []uint64{90, 110, 20}, []uint64{runway.Seconds, runway.ZeroAt, runway.Now})
	require.Equal(t, int64(10*unit), runway.Rate.Int64())

	clock, err := q.Clock(b.Ctx(), &types.QueryClockRequest{})
	require.NoError(t, err)
	require.Equal(t, uint64(20), clock.Now)
	params, err := q.Params(b.Ctx(), &types.QueryParamsRequest{})
	require.NoError(t, err)
	require.Equal(t, quick(), params.Params)

	books, err := q.Conservation(b.Ctx(), &types.QueryConservationRequest{Denom: "usouk"})
	require.NoError(t, err)
	require.True(t, books.Conserved)
	require.Equal(t, []int64{1_000 * 3600, 900 * 3600, 100 * 3600, 0},
		[]int64{books.Bank.Int64(), books.Accounts.Int64(), books.Pots.Int64(), books.Dust.Int64()})
	nothing, err := q.Earnings(b.Ctx(), &types.QueryEarningsRequest{Payee: b.Text(chain.Account("zoe")), Denom: "usouk"})
	require.NoError(t, err)
	require.True(t, nothing.Accruing.IsZero() && nothing.HeldBack.IsZero() && nothing.Available.IsZero() && nothing.Rate.IsZero())
}

func TestListsComeInBoundedPages(t *testing.T) {
	b := start(t, quick())
	q := keeper.NewQueryServer(b.Escrow)
	for range 130 {
		b.open("alice", 100)
	}
	other := b.open("dave", 1_000_000)
	first, err := q.Accounts(b.Ctx(), &types.QueryAccountsRequest{
		Owner: b.Text(chain.Account("alice")), Pagination: &query.PageRequest{Limit: 1_000_000, CountTotal: true},
	})
	require.NoError(t, err)
	require.Len(t, first.Accounts, 100)
	second2, err := q.Accounts(b.Ctx(), &types.QueryAccountsRequest{
		Owner: b.Text(chain.Account("alice")), Pagination: &query.PageRequest{Key: first.Pagination.NextKey},
	})
	require.NoError(t, err)
	require.Len(t, second2.Accounts, 30)
	require.Empty(t, second2.Pagination.NextKey)
	require.Equal(t, uint64(101), second2.Accounts[0].Id)

	var ids []uint64
	for range 200 {
		ids = append(ids, b.pay(other, "bob", 1, service))
	}
	for _, id := range ids[:50] {
		b.stop(id)
	}
	var open []uint64
	request := &types.QueryStreamsRequest{Account: other, Pagination: &query.PageRequest{Limit: 60}}
	for {
		page, err := q.Streams(b.Ctx(), request)
		require.NoError(t, err)
		for _, s := range page.Streams {
			open = append(open, s.Id)
			require.Equal(t, other, s.Account)
		}
		if page.Pagination.NextKey == nil {
			break
		}
		request.Pagination.Key = page.Pagination.NextKey
	}
	require.Equal(t, ids[50:], open)
	closed, err := q.Streams(b.Ctx(), &types.QueryStreamsRequest{Account: other, Closed: true})
	require.NoError(t, err)
	require.Len(t, closed.Streams, 50)
	none, err := q.Streams(b.Ctx(), &types.QueryStreamsRequest{Account: 999})
	require.NoError(t, err)
	require.Empty(t, none.Streams)
}

func TestQueriesThatMakeNoSenseAreRefused(t *testing.T) {
	b := start(t, quick())
	q := keeper.NewQueryServer(b.Escrow)
	id := b.open("alice", 100)
	stream := func(r *types.QueryStreamsRequest) error { _, err := q.Streams(b.Ctx(), r); return err }
	require.ErrorIs(t, stream(nil), types.ErrInvalidRequest)
	require.ErrorIs(t, stream(&types.QueryStreamsRequest{Account: 1 << 63}), types.ErrInvalidRequest)
	for name, page := range map[string]query.PageRequest{
		"an offset": {Offset: 7}, "backwards": {Reverse: true}, "a short key": {Key: []byte{1}},
		"the key of another account": {Key: []byte{0, 0, 0, 9, 0, 0, 0, 1}},
	} {
		require.ErrorIs(t, stream(&types.QueryStreamsRequest{Account: id, Pagination: &page}), types.ErrInvalidRequest, name)
	}
	_, err := q.Account(b.Ctx(), nil)
	require.ErrorIs(t, err, types.ErrInvalidRequest)
	_, err = q.Account(b.Ctx(), &types.QueryAccountRequest{Id: 99})
	require.ErrorIs(t, err, types.ErrAccountNotFound)
	_, err = q.Runway(b.Ctx(), nil)
	require.ErrorIs(t, err, types.ErrInvalidRequest)
	_, err = q.Runway(b.Ctx(), &types.QueryRunwayRequest{Id: 99})
	require.ErrorIs(t, err, types.ErrAccountNotFound)
	_, err = q.Accounts(b.Ctx(), nil)
	require.ErrorIs(t, err, types.ErrInvalidRequest)
	_, err = q.Accounts(b.Ctx(), &types.QueryAccountsRequest{Owner: "alice"})
	require.ErrorIs(t, err, types.ErrInvalidAddress)
	_, err = q.Earnings(b.Ctx(), nil)
	require.ErrorIs(t, err, types.ErrInvalidRequest)
	_, err = q.Earnings(b.Ctx(), &types.QueryEarningsRequest{Payee: "bob", Denom: "usouk"})
	require.ErrorIs(t, err, types.ErrInvalidAddress)
	_, err = q.Conservation(b.Ctx(), nil)
	require.ErrorIs(t, err, types.ErrInvalidRequest)
	_, err = q.Quarantine(b.Ctx(), nil)
	require.ErrorIs(t, err, types.ErrInvalidRequest)
}
