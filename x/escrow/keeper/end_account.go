package keeper

import (
	"context"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/escrow/types"
)

// EndAccount closes all open streams of an account now, and then the account as CloseAccount does: the same as closing
// them one by one, with one write of the account for all. Nothing may be held. It takes O(streams).
func (k *Keeper) EndAccount(ctx context.Context, id uint64) (sdk.Coin, error) {
	account, err := k.Account(ctx, id)
	if err != nil {
		return sdk.Coin{}, err
	}
	c, err := k.change(ctx, account)
	if err != nil {
		return sdk.Coin{}, err
	}
	if err := checkEnd(account, c.now); err != nil {
		return sdk.Coin{}, err
	}
	streams, err := k.openStreamsOf(ctx, id)
	if err != nil {
		return sdk.Coin{}, err
	}
	for _, s := range streams {
		switch { // an exhausted account is in quarantine
		case account.ExhaustedAt == 0:
			s, err = c.stop(ctx, s, c.now)
		case s.ClosedAt == 0:
			s, err = c.stopPot(ctx, s)
		}
		if err != nil {
			return sdk.Coin{}, err
		}
		if err := k.fileClosed(ctx, s); err != nil {
			return sdk.Coin{}, err
		}
	}
	c.account.Streams = 0
	if err := c.pots.write(ctx); err != nil {
		return sdk.Coin{}, err
	}
	return c.refundAll(ctx)
}

// checkEnd refuses an account that is closed, due, or holds something.
func checkEnd(account types.Account, now uint64) error {
	switch {
	case account.State == types.AccountState_ACCOUNT_STATE_CLOSED:
		return types.ErrAccountClosed.Wrapf("account %d", account.Id)
	case due(account, now):
		return behind(account)
	case !account.Held.IsZero():
		return types.ErrAccountBusy.Wrapf("account %d: %s grains held", account.Id, account.Held)
	}
	return nil
}

// refundAll pays out what the books of an account have left, closes it, and keeps it until no claim can refer to it. The
// dust stays in it until then.
func (c *change) refundAll(ctx context.Context) (sdk.Coin, error) {
	refunded, err := c.payBack(ctx)
	if err != nil {
		return sdk.Coin{}, err
	}
	if err := c.moveDue(ctx, c.account.Id, c.account.DueAt(), 0); err != nil {
		return sdk.Coin{}, err
	}
	c.account.State = types.AccountState_ACCOUNT_STATE_CLOSED
	c.account.ZeroAt, c.account.LowAt = 0, 0
	if err := c.retain(ctx, types.StreamID(c.account.Id, 0)); err != nil {
		return sdk.Coin{}, err
	}
	if err := c.writeAccount(ctx, c.account); err != nil {
		return sdk.Coin{}, err
	}
	return refunded, emit(ctx, types.NewEventAccountClosed(c.account, refunded))
}

// payBack pays what the books of an account have left to its depositors, in whole micro-denom. It writes nothing of the
// account yet.
func (c *change) payBack(ctx context.Context) (sdk.Coin, error) {
	types.Weigh(ctx, uint32(len(c.account.Deposits)))
	books, refunds := c.books.Settle(c.now).PayBack()
	paid := sdk.NewCoin(c.account.Denom, math.ZeroInt())
	for _, r := range refunds {
		coin := sdk.NewCoin(c.account.Denom, r.Micro)
		if err := c.refund(ctx, c.account.Id, r.Source, coin); err != nil {
			return sdk.Coin{}, err
		}
		paid = paid.Add(coin)
	}
	c.books, c.account = books, withBooks(c.account, books)
	return paid, nil
}
