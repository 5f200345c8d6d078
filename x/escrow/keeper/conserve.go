package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/x/escrow/ledger"
	"github.com/souk-network/souk/x/escrow/types"
)

// Books sums up what the module owes in one denom, against what it has in the bank. All in grains.
type Books struct {
	Bank, Accounts, Pots, Dust math.Int
}

// Conserved tells that the bank covers everything that is owed.
func (b Books) Conserved() bool { return b.Bank.GTE(b.Tracked()) }

// Tracked is everything that is owed: accounts with what they hold back, pots and epoch pots, dust.
func (b Books) Tracked() math.Int { return b.Accounts.Add(b.Pots).Add(b.Dust) }

// Books adds up the books of a denom. Accounts and pots are all taken at the same second, so that what one lost is what
// the other gained. It walks the whole state: for queries, tests and imports, never for messages and blocks.
func (k *Keeper) Books(ctx context.Context, denom string) (Books, error) {
	clock, err := k.Clock(ctx)
	if err != nil {
		return Books{}, err
	}
	accounts, err := k.sumAccounts(ctx, denom, clock.Now())
	if err != nil {
		return Books{}, err
	}
	pots, err := k.sumPots(ctx, denom, clock.Now())
	if err != nil {
		return Books{}, err
	}
	epochPots, err := k.sumEpochPots(ctx, denom)
	if err != nil {
		return Books{}, err
	}
	dust, err := k.dustOf(ctx, denom)
	if err != nil {
		return Books{}, err
	}
	bank := k.bank.GetBalance(ctx, k.auth.GetModuleAddress(types.ModuleName), denom).Amount
	return Books{Bank: ledger.Grains(bank), Accounts: accounts, Pots: pots.Add(epochPots), Dust: dust}, nil
}

func (k *Keeper) sumAccounts(ctx context.Context, denom string, now uint64) (math.Int, error) {
	sum := math.ZeroInt()
	err := k.accounts.Walk(ctx, nil, func(_ uint64, account types.Account) (bool, error) {
		if account.Denom == denom {
			sum = sum.Add(booksOf(account).Balance(now))
		}
		return false, nil
	})
	if err != nil {
		return math.Int{}, fmt.Errorf("sum up accounts: %w", err)
	}
	return sum, nil
}

func (k *Keeper) sumPots(ctx context.Context, denom string, now uint64) (math.Int, error) {
	sum := math.ZeroInt()
	err := k.pots.Walk(ctx, nil, func(key potKey, pot types.Pot) (bool, error) {
		if key.K2() == denom {
			sum = sum.Add(inflowOf(pot).At(now)).Add(pot.Available)
		}
		return false, nil
	})
	if err != nil {
		return math.Int{}, fmt.Errorf("sum up pots: %w", err)
	}
	return sum, nil
}

func (k *Keeper) sumEpochPots(ctx context.Context, denom string) (math.Int, error) {
	sum := math.ZeroInt()
	err := k.epochPots.Walk(ctx, nil, func(key epochPotKey, pot types.EpochPot) (bool, error) {
		if key.K2() == denom {
			sum = sum.Add(earnedOf(pot).Left())
		}
		return false, nil
	})
	if err != nil {
		return math.Int{}, fmt.Errorf("sum up epoch pots: %w", err)
	}
	return sum, nil
}

// CheckConservation checks, for every denom that the module holds or owes, that the bank covers what is owed, and that
// no amount is negative. It walks the whole state.
func (k *Keeper) CheckConservation(ctx context.Context) error {
	denoms, err := k.denoms(ctx)
	if err != nil {
		return err
	}
	for _, denom := range denoms {
		books, err := k.Books(ctx, denom)
		if err != nil {
			return err
		}
		if !books.Conserved() {
			return types.ErrBroken.Wrapf("%s: the bank has %s grains, the books %s", denom, books.Bank, books.Tracked())
		}
	}
	return k.checkSigns(ctx)
}

// AssertInvariants is CheckConservation and CheckBooks for states into which nobody forced coins: bank and books must be
// equal.
func (k *Keeper) AssertInvariants(ctx context.Context) error {
	if err := errors.Join(k.CheckConservation(ctx), k.CheckBooks(ctx)); err != nil {
		return err
	}
	denoms, err := k.denoms(ctx)
	if err != nil {
		return err
	}
	for _, denom := range denoms {
		books, err := k.Books(ctx, denom)
		if err != nil {
			return err
		}
		if !books.Bank.Equal(books.Tracked()) {
			return types.ErrBroken.Wrapf("%s: the bank has %s grains, the books only %s", denom, books.Bank, books.Tracked())
		}
	}
	return nil
}

// denoms returns every denom that occurs in the books or the parameters, in order of first occurrence.
func (k *Keeper) denoms(ctx context.Context) ([]string, error) {
	var denoms []string
	seen := make(map[string]bool)
	add := func(denom string) {
		if !seen[denom] {
			seen[denom] = true
			denoms = append(denoms, denom)
		}
	}
	params, err := k.Params(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range params.Denoms {
		add(d.Denom)
	}
	walks := []func() error{
		func() error {
			return k.accounts.Walk(ctx, nil, func(_ uint64, a types.Account) (bool, error) { add(a.Denom); return false, nil })
		},
		func() error {
			return k.pots.Walk(ctx, nil, func(key potKey, _ types.Pot) (bool, error) { add(key.K2()); return false, nil })
		},
		func() error {
			return k.epochPots.Walk(ctx, nil, func(key epochPotKey, _ types.EpochPot) (bool, error) { add(key.K2()); return false, nil })
		},
		func() error {
			return k.dust.Walk(ctx, nil, func(denom string, _ math.Int) (bool, error) { add(denom); return false, nil })
		},
	}
	for _, walk := range walks {
		if err := walk(); err != nil {
			return nil, fmt.Errorf("list denoms: %w", err)
		}
	}
	return denoms, nil
}

// checkSigns checks that nobody owes: accounts up to now or their zero second, pots of an epoch that does not lag,
// epoch pots, dust.
func (k *Keeper) checkSigns(ctx context.Context) error {
	clock, err := k.Clock(ctx)
	if err != nil {
		return err
	}
	err = k.accounts.Walk(ctx, nil, func(id uint64, a types.Account) (bool, error) {
		return false, checkAccountSigns(unpackAccount(id, a), clock.Now())
	})
	if err != nil {
		return err
	}
	err = k.pots.Walk(ctx, nil, func(key potKey, pot types.Pot) (bool, error) {
		accrued := inflowOf(pot).At(clock.Now())
		if accrued.IsNegative() || pot.Available.IsNegative() {
			return true, types.ErrBroken.Wrapf("pot of %X in %s: %s grains accrued, %s available", []byte(key.K1()), key.K2(), accrued,
				pot.Available)
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	return k.epochPots.Walk(ctx, nil, func(key epochPotKey, pot types.EpochPot) (bool, error) {
		if !earnedOf(pot).Balances() {
			return true, types.ErrBroken.Wrapf("epoch pot %d of %X in %s: %s + %s, payable %s, refundable %s, forfeited %s, refunded %s, "+
				"settled %s", key.K3(), []byte(key.K1()), key.K2(), pot.Service, pot.Hold, pot.Payable, pot.Refundable, pot.Forfeited,
				pot.Refunded, pot.Settled)
		}
		return false, nil
	})
}

func checkAccountSigns(a types.Account, now uint64) error {
	until := now
	if a.ZeroAt != 0 {
		until = min(now, a.ZeroAt)
	}
	books := booksOf(a)
	if free := books.Free(until); free.IsNegative() || a.Held.IsNegative() || a.Outflow.Slope.IsNegative() {
		return types.ErrBroken.Wrapf("account %d: %s grains free at %d, %s held, drawn at %s", a.Id, free, until, a.Held,
			a.Outflow.Slope)
	}
	for _, e := range books.Entries {
		if e.Remainder.IsNegative() || e.Spent.IsNegative() {
			return types.ErrBroken.Wrapf("account %d: deposit of %s has %s, spent %s", a.Id, e.Depositor, e.Remainder, e.Spent)
		}
	}
	return nil
}
