package keeper

import (
	"context"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/escrow/ledger"
	"github.com/souk-network/souk/x/escrow/types"
)

// Refund takes grains out of an epoch pot that is credited and has not matured, and gives them back to an account that had
// paid into it: at most what the account paid in that epoch, which the caller knows from Due. It takes what was not proven
// first, then what was forfeited, then what the payee would get for service, never hold accrual. What is not there any more
// is not paid; it returns what was.
//
// The account has then drawn so much less: the newest entry that was drawn on gets it first, as when a stream closes late,
// and a low account that has enough again resumes. The depositors of a closed account are paid at once, in whole
// micro-denom; the rest stays in its entries.
func (k *Keeper) Refund(
	ctx context.Context, payee sdk.AccAddress, denom string, epoch, id uint64, grains math.Int,
) (math.Int, error) {
	if grains.IsNil() || grains.IsNegative() {
		return math.Int{}, types.ErrInvalidAmount.Wrap("refund a negative amount")
	}
	pot, err := k.unmatured(ctx, payee, denom, epoch)
	if err != nil {
		return math.Int{}, err
	}
	if !pot.Credited {
		return math.Int{}, types.ErrEpochPot.Wrapf("pot in %s for epoch %d is not credited yet", denom, epoch)
	}
	c, err := k.refundChange(ctx, id, denom)
	if err != nil {
		return math.Int{}, err
	}
	grains, err = c.drawn(ctx, grains)
	if err != nil {
		return math.Int{}, err
	}
	earned, paid := earnedOf(pot).Refund(grains)
	if paid.IsZero() {
		return paid, nil
	}
	if err := k.writeEpochPot(ctx, payee, withEarned(pot, earned)); err != nil {
		return math.Int{}, err
	}
	if err := c.takeBack(ctx, paid); err != nil {
		return math.Int{}, err
	}
	return paid, emit(ctx, types.NewEventRefunded(id, pot, paid))
}

// refundChange begins a step of an account of a denom, also of one that has run out or is closed.
func (k *Keeper) refundChange(ctx context.Context, id uint64, denom string) (*change, error) {
	account, err := k.Account(ctx, id)
	if err != nil {
		return nil, err
	}
	if account.Denom != denom {
		return nil, types.ErrDenom.Wrapf("account %d holds %s, not %q", id, account.Denom, denom)
	}
	c, err := k.change(ctx, account)
	if err != nil {
		return nil, err
	}
	if due(account, c.now) {
		return nil, behind(account)
	}
	return c, nil
}

// drawn bounds grains by what the account has drawn for good: more can never go back to it. What its open streams draw in the
// running epoch may still turn out not to have been drawn, when they close late.
func (c *change) drawn(ctx context.Context, grains math.Int) (math.Int, error) {
	flows := c.account.ExhaustedAt == 0 && c.account.Streams != 0
	if flows && c.books.Outflow.At(c.clock.EpochStart).GTE(grains) {
		return grains, nil // no stream that has opened since then makes this too much
	}
	drawn := c.books.Outflow.At(c.now)
	if flows {
		streams, err := c.openStreamsOf(ctx, c.account.Id)
		if err != nil {
			return math.Int{}, err
		}
		for _, s := range streams {
			since := max(s.OpenedAt, c.clock.EpochStart)
			drawn = drawn.Sub(ledger.Need(math.NewIntFromUint64(s.Rate), c.now-min(c.now, since)))
		}
	}
	return math.MinInt(grains, math.MaxInt(math.ZeroInt(), drawn)), nil
}

// takeBack takes grains back into the account that its streams had drawn, and writes it.
func (c *change) takeBack(ctx context.Context, grains math.Int) error {
	c.books.Outflow = c.books.Outflow.Shift(grains.Neg())
	if c.account.State == types.AccountState_ACCOUNT_STATE_CLOSED {
		if _, err := c.payBack(ctx); err != nil {
			return err
		}
		return c.writeAccount(ctx, c.account)
	}
	swaps, _, err := c.resume(ctx, math.ZeroInt())
	if err != nil {
		return err
	}
	if err := c.save(ctx); err != nil {
		return err
	}
	return c.tellResumed(ctx, swaps, c.now)
}

// Forfeit takes from a payee all that it earned by service in a closed epoch that has not matured, whether credited or not,
// and was not refunded. Hold accrual stays payable. What is forfeited pays refunds until it matures. It returns what it took
// now: nothing the second time.
func (k *Keeper) Forfeit(ctx context.Context, payee sdk.AccAddress, denom string, epoch uint64) (math.Int, error) {
	pot, err := k.unmatured(ctx, payee, denom, epoch)
	if err != nil {
		return math.Int{}, err
	}
	earned, taken := earnedOf(pot).Forfeit()
	if taken.IsZero() && pot.Credited {
		return taken, nil
	}
	if err := k.writeEpochPot(ctx, payee, withEarned(pot, earned)); err != nil {
		return math.Int{}, err
	}
	return taken, emit(ctx, types.NewEventForfeited(pot, taken))
}

// SettleForfeited gives what is left of the forfeited part of a matured epoch pot to the public, as a withdrawal that merges
// the pot does. It does nothing if that has happened before, or nothing was forfeited.
func (k *Keeper) SettleForfeited(ctx context.Context, payee sdk.AccAddress, denom string, epoch uint64) error {
	pot, found, err := k.storedEpochPot(ctx, payee, denom, epoch)
	if err != nil || !found || pot.Forfeited.IsZero() {
		return err
	}
	now, err := k.Now(ctx)
	if err != nil {
		return err
	}
	if pot.MaturesAt > now {
		return types.ErrEpochPot.Wrapf("pot in %s for epoch %d matures at second %d", denom, epoch, pot.MaturesAt)
	}
	earned, taken := earnedOf(pot).Settle()
	if err := k.writeEpochPot(ctx, payee, withEarned(pot, earned)); err != nil {
		return err
	}
	return k.settlePublic(ctx, pot.Payee, denom, taken)
}

// settlePublic burns half of the whole micro-denom in forfeited grains, if the denom is the native one, and gives the rest to
// the community pool, the larger half of an odd amount. Less than a micro-denom becomes dust.
func (k *Keeper) settlePublic(ctx context.Context, payee, denom string, forfeited math.Int) error {
	micro, dust := ledger.SplitMicro(forfeited)
	if err := k.addDust(ctx, denom, dust); err != nil {
		return err
	}
	if micro.IsZero() {
		return nil
	}
	burned := sdk.NewCoin(denom, math.ZeroInt())
	if denom == types.DefaultDenom {
		burned.Amount = micro.QuoRaw(2)
	}
	if err := k.burn(ctx, burned); err != nil {
		return err
	}
	community := sdk.NewCoin(denom, micro.Sub(burned.Amount))
	if err := k.fundCommunity(ctx, community); err != nil {
		return err
	}
	return emit(ctx, types.NewEventForfeitSettled(payee, burned, community))
}
