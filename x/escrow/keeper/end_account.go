package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/escrow/types"
)

// EndAccount closes all open streams of an account now, and then the account as CloseAccount does: the same as closing
// them one by one, with one write of the account for all. Nothing may be held. It takes O(streams).
func (k *Keeper) EndAccount(ctx context.Context, id uint64) (sdk.Coin, error) {
	clock, now, err := k.present(ctx)
	if err != nil {
		return sdk.Coin{}, err
	}
	account, err := k.endableAccount(ctx, id, now)
	if err != nil {
		return sdk.Coin{}, err
	}
	streams, err := k.openStreamsOf(ctx, id)
	if err != nil {
		return sdk.Coin{}, err
	}
	books := booksOf(account)
	for _, stream := range streams {
		if stream.ClosedAt == 0 { // else its account is exhausted and in quarantine
			stream.ClosedAt = now
			books.Outflow = books.Outflow.Stop(stream.Rate, now)
			if err := k.stopInflow(ctx, clock, stream, account.Denom); err != nil {
				return sdk.Coin{}, err
			}
		}
		if err := k.fileClosed(ctx, stream); err != nil {
			return sdk.Coin{}, err
		}
	}
	if err := k.moveZeroSecond(ctx, id, account.ZeroAt, 0); err != nil {
		return sdk.Coin{}, err
	}
	account.Streams, account.ZeroAt = 0, 0
	return k.refundAll(ctx, account, books, now)
}

// endableAccount returns an account that is not closed, not due, and holds nothing.
func (k *Keeper) endableAccount(ctx context.Context, id, now uint64) (types.Account, error) {
	account, err := k.Account(ctx, id)
	if err != nil {
		return types.Account{}, err
	}
	switch {
	case account.State == types.AccountState_ACCOUNT_STATE_CLOSED:
		return types.Account{}, types.ErrAccountClosed.Wrapf("account %d", id)
	case due(account, now):
		return types.Account{}, types.ErrBehind.Wrapf("account %d, zero second %d", id, account.ZeroAt)
	case !account.Held.IsZero():
		return types.Account{}, types.ErrAccountBusy.Wrapf("account %d: %s grains held", id, account.Held)
	}
	return account, nil
}
