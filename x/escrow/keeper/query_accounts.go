package keeper

import (
	"context"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/x/escrow/ledger"
	"github.com/souk-network/souk/x/escrow/types"
)

// settled returns an account as if it were touched now: at most up to its zero second.
func settled(account types.Account, now uint64) types.Account {
	if account.ZeroAt != 0 {
		now = min(now, account.ZeroAt)
	}
	return withBooks(account, booksOf(account).Settle(now))
}

// Account returns one account, settled to now.
func (q queryServer) Account(ctx context.Context, request *types.QueryAccountRequest) (*types.QueryAccountResponse, error) {
	if request == nil {
		return nil, types.ErrInvalidRequest.Wrap("which account?")
	}
	account, err := q.Keeper.Account(ctx, request.Id)
	if err != nil {
		return nil, err
	}
	now, err := q.Now(ctx)
	if err != nil {
		return nil, err
	}
	account = settled(account, now)
	balance, spent := math.ZeroInt(), math.ZeroInt()
	for _, d := range account.Deposits {
		balance, spent = balance.Add(d.Remainder), spent.Add(d.Spent)
	}
	return &types.QueryAccountResponse{
		Account: account, Balance: ledger.FloorMicro(balance), Spent: ledger.CeilMicro(spent),
	}, nil
}

// Accounts lists the accounts of an owner.
func (q queryServer) Accounts(ctx context.Context, request *types.QueryAccountsRequest) (*types.QueryAccountsResponse, error) {
	if request == nil {
		return nil, types.ErrInvalidRequest.Wrap("whose accounts?")
	}
	owner, err := q.address(request.Owner)
	if err != nil {
		return nil, err
	}
	accounts, pageResponse, err := query.CollectionPaginate(ctx, q.owners, page(request.Pagination, maxAccountsPage),
		func(key collections.Pair[sdk.AccAddress, uint64], _ collections.NoValue) (types.Account, error) {
			return q.Keeper.Account(ctx, key.K2())
		}, query.WithCollectionPaginationPairPrefix[sdk.AccAddress, uint64](owner))
	if err != nil {
		return nil, types.ErrInvalidRequest.Wrap(err.Error())
	}
	return &types.QueryAccountsResponse{Accounts: accounts, Pagination: pageResponse}, nil
}

// Runway tells how long an account lasts.
func (q queryServer) Runway(ctx context.Context, request *types.QueryRunwayRequest) (*types.QueryRunwayResponse, error) {
	if request == nil {
		return nil, types.ErrInvalidRequest.Wrap("which account?")
	}
	account, err := q.Keeper.Account(ctx, request.Id)
	if err != nil {
		return nil, err
	}
	now, err := q.Now(ctx)
	if err != nil {
		return nil, err
	}
	params, err := q.Keeper.Params(ctx)
	if err != nil {
		return nil, err
	}
	response := &types.QueryRunwayResponse{
		Rate: account.Outflow.Slope, ZeroAt: account.ZeroAt, Now: now, LowAt: account.LowAt,
		FullRate: account.Outflow.Slope.Add(account.PausedRate), ResumeDeposit: math.ZeroInt(),
	}
	if account.State == types.AccountState_ACCOUNT_STATE_LOW {
		missing := booksOf(account).Missing(response.FullRate, resumeSeconds(params), now)
		response.ResumeDeposit = ledger.CeilMicro(missing)
	}
	if account.ZeroAt > now {
		response.Seconds = account.ZeroAt - now
	}
	return response, nil
}

// Streams lists the open or the closed streams of an account.
func (q queryServer) Streams(ctx context.Context, request *types.QueryStreamsRequest) (*types.QueryStreamsResponse, error) {
	if request == nil || request.Account >= types.MaxAccounts {
		return nil, types.ErrInvalidRequest.Wrap("which account?")
	}
	source := q.openStreams
	if request.Closed {
		source = q.closedStreams
	}
	streams, pageResponse, err := pageStreams(ctx, source, request.Account, page(request.Pagination, maxStreamsPage))
	if err != nil {
		return nil, err
	}
	return &types.QueryStreamsResponse{Streams: streams, Pagination: pageResponse}, nil
}
