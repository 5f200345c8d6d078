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
	if err := p.checkOpen(); err != nil {
		return math.Int{}, err
	}
	held, need := p.need(rate)
	if err := checkFree(p.account, p.books.Free(p.now), need); err != nil {
		return math.Int{}, err
	}
	p.books.Held = p.books.Held.Add(held)
	return held, p.save(ctx)
}

// RateRoom returns the highest rate that Hold would reserve now, in micro-denom an hour; 0 when there is none. Each Hold
// takes its rate off it, so that it bounds the sum of several.
func (k *Keeper) RateRoom(ctx context.Context, id, ackWindowSeconds uint64) (uint64, error) {
	p, err := k.purse(ctx, id, ackWindowSeconds)
	if err != nil {
		return 0, err
	}
	if err := p.checkOpen(); err != nil {
		return 0, nil //nolint:nilerr // an account that opens nothing has no room
	}
	return p.room(), nil
}

// purse is what a live account can hold money out of.
type purse struct {
	*change
	seconds uint64 // that a hold must last, at least 1
}

func (k *Keeper) purse(ctx context.Context, id, ackWindowSeconds uint64) (purse, error) {
	if ackWindowSeconds > maxSpanSeconds {
		return purse{}, types.ErrInvalidSecond.Wrapf("ack window of %d s", ackWindowSeconds)
	}
	c, err := k.liveChange(ctx, id)
	if err != nil {
		return purse{}, err
	}
	return purse{change: c, seconds: ackWindowSeconds + uint64(c.params.MinRunwaySeconds)}, nil
}

// checkOpen refuses to hold anything in an account that is low, whose denom is halted, or that could not number a stream.
func (p purse) checkOpen() error {
	if p.halted() {
		return types.ErrHalted.Wrap(p.account.Denom)
	}
	if p.low() {
		return types.ErrLow.Wrapf("account %d", p.account.Id)
	}
	if !p.numbers(1) {
		return tooMany(p.account)
	}
	return nil
}

// need returns what is held for a rate, and what must be free for that, in grains.
func (p purse) need(rate uint64) (held, need math.Int) {
	held = ledger.Need(math.NewIntFromUint64(rate), p.seconds)
	return held, held.Add(ledger.Need(p.books.Outflow.Slope, p.seconds))
}

// room is the highest rate whose need is free: need solved for the rate, rounded down.
func (p purse) room() uint64 {
	free := p.books.Free(p.now)
	if !free.IsPositive() {
		return 0
	}
	room := free.Quo(math.NewIntFromUint64(p.seconds)).Sub(p.books.Outflow.Slope)
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
	c, err := k.change(ctx, account)
	if err != nil {
		return err
	}
	if due(account, c.now) {
		return behind(account)
	}
	if c.books, err = unhold(account, c.books, held); err != nil {
		return err
	}
	return c.save(ctx)
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
	account, err := k.Account(ctx, id)
	if err != nil {
		return err
	}
	if account.ExhaustedAt != 0 {
		return nil
	}
	c, err := k.change(ctx, account)
	if err != nil {
		return err
	}
	if err := checkLive(account, c.now); err != nil {
		return err
	}

	free := c.books.Free(c.now).Sub(c.books.Outflow.Slope)
	paid := math.MinInt(ledger.Need(math.NewIntFromUint64(rate), seconds), free)
	if !paid.IsPositive() {
		return nil
	}
	text, err := k.text(payee)
	if err != nil {
		return err
	}
	c.books.Outflow = c.books.Outflow.Shift(paid)
	if err := c.pots.pay(ctx, text, paid, c.now); err != nil {
		return err
	}
	if err := c.save(ctx); err != nil {
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
