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
	p, err := k.purse(ctx, id, ackWindowSeconds)
	if err != nil {
		return math.Int{}, err
	}
	held, need := p.need(rate)
	if err := checkFree(p.account, p.free, need); err != nil {
		return math.Int{}, err
	}
	books := booksOf(p.account).Settle(p.now)
	books.Held = books.Held.Add(held)
	if _, err := k.saveAccount(ctx, p.account, books); err != nil {
		return math.Int{}, err
	}
	return held, nil
}

// RateRoom returns the highest rate that Hold would reserve now, in micro-denom an hour; 0 when there is none. Each Hold
// takes its rate off it, so that it bounds the sum of several.
func (k *Keeper) RateRoom(ctx context.Context, id, ackWindowSeconds uint64) (uint64, error) {
	p, err := k.purse(ctx, id, ackWindowSeconds)
	if err != nil {
		return 0, err
	}
	return p.room(), nil
}

// purse is what a live account can hold money out of, in grains.
type purse struct {
	account types.Account
	now     uint64
	free    math.Int
	slope   math.Int // drawn each second
	seconds uint64   // that a hold must last, at least 1
}

func (k *Keeper) purse(ctx context.Context, id, ackWindowSeconds uint64) (purse, error) {
	if ackWindowSeconds > maxSpanSeconds {
		return purse{}, types.ErrInvalidSecond.Wrapf("ack window of %d s", ackWindowSeconds)
	}
	now, err := k.Now(ctx)
	if err != nil {
		return purse{}, err
	}
	account, err := k.liveAccount(ctx, id, now)
	if err != nil {
		return purse{}, err
	}
	params, err := k.Params(ctx)
	if err != nil {
		return purse{}, err
	}
	books := booksOf(account)
	return purse{
		account: account, now: now, free: books.Free(now), slope: books.Outflow.Slope,
		seconds: ackWindowSeconds + uint64(params.MinRunwaySeconds),
	}, nil
}

// need returns what is held for a rate, and what must be free for that.
func (p purse) need(rate uint64) (held, need math.Int) {
	held = ledger.Need(math.NewIntFromUint64(rate), p.seconds)
	return held, held.Add(ledger.Need(p.slope, p.seconds))
}

// room is the highest rate whose need is free: need solved for the rate, rounded down.
func (p purse) room() uint64 {
	if !p.free.IsPositive() {
		return 0
	}
	room := p.free.Quo(math.NewIntFromUint64(p.seconds)).Sub(p.slope)
	switch {
	case !room.IsPositive():
		return 0
	case !room.IsUint64():
		return types.MaxRate - 1
	default:
		return min(room.Uint64(), types.MaxRate-1)
	}
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
