package keeper

import (
	"context"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/escrow/ledger"
	"github.com/souk-network/souk/x/escrow/types"
)

// maxSpanSeconds bounds the spans that callers ask to be paid for.
const maxSpanSeconds = uint64(1) << 32

// Hold reserves the money that a stream of the given rate needs for its ack window and the minimal runway. It needs a
// free balance that lasts as long for everything that is drawn already. It returns what is held, in grains, to be given
// to Release. ErrInsufficientFunds names what is missing.
func (k *Keeper) Hold(ctx context.Context, id, rate, ackWindowSeconds uint64) (math.Int, error) {
	if err := types.ValidateRate(rate); err != nil {
		return math.Int{}, err
	}
	if ackWindowSeconds > maxSpanSeconds {
		return math.Int{}, types.ErrInvalidSecond.Wrapf("ack window of %d s", ackWindowSeconds)
	}
	now, err := k.Now(ctx)
	if err != nil {
		return math.Int{}, err
	}
	account, err := k.liveAccount(ctx, id, now)
	if err != nil {
		return math.Int{}, err
	}
	params, err := k.Params(ctx)
	if err != nil {
		return math.Int{}, err
	}

	seconds := ackWindowSeconds + uint64(params.MinRunwaySeconds)
	books := booksOf(account).Settle(now)
	held := ledger.Need(math.NewIntFromUint64(rate), seconds)
	need := held.Add(ledger.Need(books.Outflow.Slope, seconds))
	if err := checkFree(account, books.Free(now), need); err != nil {
		return math.Int{}, err
	}
	books.Held = books.Held.Add(held)
	if _, err := k.saveAccount(ctx, account, books); err != nil {
		return math.Int{}, err
	}
	return held, nil
}

// Release gives back grains that Hold reserved. It works on an exhausted account too, so that what is pending can end.
func (k *Keeper) Release(ctx context.Context, id uint64, held math.Int) error {
	account, err := k.Account(ctx, id)
	if err != nil {
		return err
	}
	now, err := k.Now(ctx)
	if err != nil {
		return err
	}
	if due(account, now) {
		return types.ErrBehind.Wrapf("account %d, zero second %d", id, account.ZeroAt)
	}
	books, err := unhold(account, booksOf(account).Settle(now), held)
	if err != nil {
		return err
	}
	_, err = k.saveAccount(ctx, account, books)
	return err
}

// unhold takes held money back into the books of its account.
func unhold(account types.Account, books ledger.Account, held math.Int) (ledger.Account, error) {
	if held.IsNil() || held.IsNegative() || held.GT(account.Held) {
		return books, types.ErrInvalidHold.Wrapf("release %s of %s grains held in account %d", held, account.Held, account.Id)
	}
	books.Held = books.Held.Sub(held)
	return books, nil
}

// PayHold pays a payee once, as hold accrual, for capacity kept free: rate x seconds. It never pays more than leaves the
// open streams their next second, and nothing from an exhausted account: there the money had ended before.
func (k *Keeper) PayHold(
	ctx context.Context, id, ref uint64, payee sdk.AccAddress, rate, seconds uint64,
) error {
	if err := types.ValidateRate(rate); err != nil {
		return err
	}
	if seconds > maxSpanSeconds {
		return types.ErrInvalidSecond.Wrapf("a hold of %d s", seconds)
	}
	clock, now, err := k.present(ctx)
	if err != nil {
		return err
	}
	account, err := k.Account(ctx, id)
	if err != nil {
		return err
	}
	if account.ExhaustedAt != 0 {
		return nil
	}
	if err := checkLive(account, now); err != nil {
		return err
	}

	books := booksOf(account)
	paid := math.MinInt(ledger.Need(math.NewIntFromUint64(rate), seconds), books.Free(now).Sub(books.Outflow.Slope))
	if !paid.IsPositive() {
		return nil
	}
	books.Outflow = books.Outflow.Shift(paid)
	if _, err := k.saveAccount(ctx, account, books.Settle(now)); err != nil {
		return err
	}
	pay := func(l ledger.Line) ledger.Line { return l.Shift(paid) }
	if err := k.record(ctx, clock, payee, account.Denom, ledger.Hold, now, pay); err != nil {
		return err
	}
	text, err := k.text(payee)
	if err != nil {
		return err
	}
	return emit(ctx, types.NewEventHoldPaid(id, ref, text, paid))
}

// checkFree refuses with the amount missing, in micro-denom.
func checkFree(account types.Account, free, need math.Int) error {
	if free.GTE(need) {
		return nil
	}
	return types.ErrInsufficientFunds.Wrapf("account %d needs %s%s more", account.Id, ledger.CeilMicro(need.Sub(free)),
		account.Denom)
}
