package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/escrow/ledger"
	"github.com/souk-network/souk/x/escrow/types"
)

// maxAccountBits bounds what an account may hold in all, in grains.
const maxAccountBits = 128

// OpenAccount opens an account of the owner with a first deposit of at least the denom's minimum, and moves the coins:
// those of the owner or, with a granter, those of the granter, who must have allowed the owner to deposit them.
func (k *Keeper) OpenAccount(
	ctx context.Context, owner sdk.AccAddress, deposit sdk.Coin, granter sdk.AccAddress,
) (uint64, error) {
	if err := k.checkReceiver(owner); err != nil {
		return 0, err
	}
	if err := k.checkDeposit(ctx, deposit, true); err != nil {
		return 0, err
	}
	ownerText, err := k.text(owner)
	if err != nil {
		return 0, err
	}
	id, err := k.nextAccount.Next(ctx)
	if err != nil {
		return 0, fmt.Errorf("number a new account: %w", err)
	}
	if id >= types.MaxAccounts {
		return 0, types.ErrInvalidAmount.Wrapf("no account ids left")
	}
	from, err := k.collect(ctx, id, owner, deposit, granter)
	if err != nil {
		return 0, err
	}
	account := types.Account{
		Id: id, Owner: ownerText, Denom: deposit.Denom, PausedRate: math.ZeroInt(),
		State: types.AccountState_ACCOUNT_STATE_FUNDED,
	}
	books := ledger.Account{Outflow: ledger.ZeroLine(), Held: math.ZeroInt()}
	books = books.Deposit(from, ledger.Grains(deposit.Amount))
	if err := k.writeAccount(ctx, withBooks(account, books)); err != nil {
		return 0, err
	}
	if err := k.owners.Set(ctx, collections.Join(owner, id)); err != nil {
		return 0, fmt.Errorf("index account %d: %w", id, err)
	}
	return id, emit(ctx, types.NewEventDeposited(id, from.Depositor, deposit))
}

// Deposit moves coins of the signer into an account: a stranger's deposit is a gift to the owner. With a granter it moves
// the granter's coins, under the grant that the signer has; one of the two must be the owner. What is left of them returns to
// the granter. A low account that has enough again resumes. It returns the account as it is then.
func (k *Keeper) Deposit(
	ctx context.Context, id uint64, signer sdk.AccAddress, amount sdk.Coin, granter sdk.AccAddress,
) (types.Account, error) {
	now, err := k.Now(ctx)
	if err != nil {
		return types.Account{}, err
	}
	account, err := k.liveAccount(ctx, id, now)
	if err != nil {
		return types.Account{}, err
	}
	if err := checkFunds(account, amount); err != nil {
		return types.Account{}, err
	}
	if err := k.checkDeposit(ctx, amount, false); err != nil {
		return types.Account{}, err
	}
	if err := k.checkDepositor(account, signer, granter); err != nil {
		return types.Account{}, err
	}
	from, err := k.collect(ctx, id, signer, amount, granter)
	if err != nil {
		return types.Account{}, err
	}
	giver := from.Depositor
	if granter == nil {
		from = ledger.Source{Depositor: account.Owner}
	}
	if err := checkEntries(account, from); err != nil {
		return types.Account{}, err
	}
	if err := emit(ctx, types.NewEventDeposited(id, giver, amount)); err != nil {
		return types.Account{}, err
	}
	return k.fund(ctx, account, from, amount)
}

// checkDeposit refuses what the parameters do not admit.
func (k *Keeper) checkDeposit(ctx context.Context, deposit sdk.Coin, first bool) error {
	denom, err := k.DenomParams(ctx, deposit.Denom)
	if err != nil {
		return err
	}
	if denom.Halted {
		return types.ErrHalted.Wrap(denom.Denom)
	}
	if err := types.ValidateAmount(deposit.Amount); err != nil {
		return err
	}
	if first && deposit.Amount.LT(denom.MinDeposit) {
		return types.ErrInvalidAmount.Wrapf("deposit %s: want at least %s%s", deposit, denom.MinDeposit, denom.Denom)
	}
	return nil
}

// checkDepositor refuses others' money from anybody but the owner: strangers could take all places for entries. The owner's
// own money comes from whom the owner granted it.
func (k *Keeper) checkDepositor(account types.Account, signer, granter sdk.AccAddress) error {
	if granter == nil {
		return nil
	}
	signerText, err := k.text(signer)
	if err != nil {
		return err
	}
	granterText, err := k.text(granter)
	if err != nil {
		return err
	}
	if signerText != account.Owner && granterText != account.Owner {
		return types.ErrGrant.Wrapf("only its owner may deposit another's money into account %d", account.Id)
	}
	return nil
}

// collect moves a deposit out of the signer's pocket or, with a granter, out of the granter's. It returns whose it is.
func (k *Keeper) collect(
	ctx context.Context, id uint64, signer sdk.AccAddress, amount sdk.Coin, granter sdk.AccAddress,
) (ledger.Source, error) {
	signerText, err := k.text(signer)
	if err != nil {
		return ledger.Source{}, err
	}
	payer, source := signer, ledger.Source{Depositor: signerText}
	if granter != nil {
		granterText, err := k.text(granter)
		if err != nil {
			return ledger.Source{}, err
		}
		if err := k.spendGrant(ctx, id, signer, granter, amount); err != nil {
			return ledger.Source{}, err
		}
		payer, source = granter, ledger.Source{Depositor: granterText, Grantee: signerText}
	}
	err = k.bank.SendCoinsFromAccountToModule(ctx, payer, types.ModuleName, sdk.NewCoins(amount))
	if err != nil {
		return ledger.Source{}, fmt.Errorf("deposit into account %d: %w", id, err)
	}
	return source, nil
}

// checkEntries refuses a new depositor when there are too many. A place is kept for the owner, so that gifts and
// compensation always find one.
func checkEntries(account types.Account, from ledger.Source) error {
	ownerHasPlace := false
	for _, d := range account.Deposits {
		source := ledger.Source{Depositor: d.Depositor, Grantee: d.Grantee}
		if source == from {
			return nil
		}
		ownerHasPlace = ownerHasPlace || source == ledger.Source{Depositor: account.Owner}
	}
	places := types.MaxDeposits
	if !ownerHasPlace && from != (ledger.Source{Depositor: account.Owner}) {
		places--
	}
	if len(account.Deposits) >= places {
		return types.ErrTooManyDeposits.Wrapf("account %d has %d", account.Id, len(account.Deposits))
	}
	return nil
}

// AddFunds moves coins of another module into the owner's entry of an account; into the owner's pocket if the account is
// closed. A low account that has enough again resumes.
func (k *Keeper) AddFunds(ctx context.Context, id uint64, amount sdk.Coin, fromModule string) error {
	account, err := k.Account(ctx, id)
	if err != nil {
		return err
	}
	if err := checkFunds(account, amount); err != nil {
		return err
	}
	coins := sdk.NewCoins(amount)
	if account.State == types.AccountState_ACCOUNT_STATE_CLOSED {
		owner, err := k.address(account.Owner)
		if err != nil {
			return err
		}
		if err := k.bank.SendCoinsFromModuleToAccount(ctx, fromModule, owner, coins); err != nil {
			return fmt.Errorf("pay the owner of closed account %d: %w", id, err)
		}
		return nil
	}

	now, err := k.Now(ctx)
	if err != nil {
		return err
	}
	if due(account, now) {
		return behind(account)
	}
	if err := k.bank.SendCoinsFromModuleToModule(ctx, fromModule, types.ModuleName, coins); err != nil {
		return fmt.Errorf("add funds to account %d: %w", id, err)
	}
	if err := emit(ctx, types.NewEventDeposited(id, fromModule, amount)); err != nil {
		return err
	}
	_, err = k.fund(ctx, account, ledger.Source{Depositor: account.Owner}, amount)
	return err
}

// CloseAccount refunds what is left of an account without open streams and held money: whole micro-denom to the
// depositors.
func (k *Keeper) CloseAccount(ctx context.Context, id uint64) (sdk.Coin, error) {
	account, err := k.Account(ctx, id)
	if err != nil {
		return sdk.Coin{}, err
	}
	if account.State == types.AccountState_ACCOUNT_STATE_CLOSED {
		return sdk.Coin{}, types.ErrAccountClosed.Wrapf("account %d", id)
	}
	if account.Streams != 0 || !account.Held.IsZero() {
		return sdk.Coin{}, types.ErrAccountBusy.Wrapf("account %d: %d streams open, %s grains held", id, account.Streams,
			account.Held)
	}
	c, err := k.change(ctx, account)
	if err != nil {
		return sdk.Coin{}, err
	}
	return c.refundAll(ctx)
}

// refund pays a depositor, and gives it back to the grant that it came under.
func (k *Keeper) refund(ctx context.Context, id uint64, source ledger.Source, coin sdk.Coin) error {
	to, err := k.address(source.Depositor)
	if err != nil {
		return err
	}
	if err := k.bank.SendCoinsFromModuleToAccount(ctx, types.ModuleName, to, sdk.NewCoins(coin)); err != nil {
		return fmt.Errorf("refund account %d: %w", id, err)
	}
	if source.Grantee == "" {
		return nil
	}
	return k.restoreGrant(ctx, id, source, to, coin)
}

// Account returns an account as of its last touch, or ErrAccountNotFound.
func (k *Keeper) Account(ctx context.Context, id uint64) (types.Account, error) {
	account, err := k.accounts.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return types.Account{}, types.ErrAccountNotFound.Wrapf("account %d", id)
	}
	if err != nil {
		return types.Account{}, fmt.Errorf("read account %d: %w", id, err)
	}
	return unpackAccount(id, account), nil
}

// liveAccount returns an account that can be drawn on now. One that is due, because blocks have more deadlines than they
// may process, is refused until it is processed: so nothing depends on that delay.
func (k *Keeper) liveAccount(ctx context.Context, id, now uint64) (types.Account, error) {
	account, err := k.Account(ctx, id)
	if err != nil {
		return types.Account{}, err
	}
	return account, checkLive(account, now)
}

// checkLive refuses an account that cannot be drawn on.
func checkLive(account types.Account, now uint64) error {
	switch {
	case account.State == types.AccountState_ACCOUNT_STATE_CLOSED:
		return types.ErrAccountClosed.Wrapf("account %d", account.Id)
	case account.ExhaustedAt != 0:
		return types.ErrExhausted.Wrapf("account %d, at second %d", account.Id, account.ExhaustedAt)
	case due(account, now):
		return behind(account)
	}
	return nil
}

func behind(account types.Account) error {
	return types.ErrBehind.Wrapf("account %d, due at second %d", account.Id, account.DueAt())
}

// due tells that an account was to be paused or to end at or before now, and this was not processed yet.
func due(account types.Account, now uint64) bool {
	return account.DueAt() != 0 && account.DueAt() <= now
}

// checkFunds refuses funds that an account cannot take.
func checkFunds(account types.Account, amount sdk.Coin) error {
	if err := types.ValidateAmount(amount.Amount); err != nil {
		return err
	}
	if amount.Denom != account.Denom {
		return types.ErrDenom.Wrapf("account %d holds %s, not %q", account.Id, account.Denom, amount.Denom)
	}
	total := booksOf(account).Total().Add(ledger.Grains(amount.Amount))
	if total.BigInt().BitLen() > maxAccountBits {
		return types.ErrInvalidAmount.Wrapf("account %d would hold more than 2^%d grains", account.Id, maxAccountBits)
	}
	return nil
}

// fund writes coins that have arrived into an entry, and resumes an account that is low if they are enough.
func (k *Keeper) fund(
	ctx context.Context, account types.Account, from ledger.Source, amount sdk.Coin,
) (types.Account, error) {
	c, err := k.change(ctx, account)
	if err != nil {
		return types.Account{}, err
	}
	c.books = c.books.Deposit(from, ledger.Grains(amount.Amount))
	swaps, _, err := c.resume(ctx, math.ZeroInt())
	if err != nil {
		return types.Account{}, err
	}
	if err := c.save(ctx); err != nil {
		return types.Account{}, err
	}
	return c.account, k.tellResumed(ctx, swaps, c.now)
}

// checkReceiver refuses addresses that a refund could not reach.
func (k *Keeper) checkReceiver(addr sdk.AccAddress) error {
	if err := sdk.VerifyAddressFormat(addr); err != nil {
		return types.ErrInvalidAddress.Wrap(err.Error())
	}
	if k.bank.BlockedAddr(addr) {
		return types.ErrInvalidAddress.Wrapf("%X may not receive coins", []byte(addr))
	}
	return nil
}

func (k *Keeper) writeAccount(ctx context.Context, account types.Account) error {
	if err := k.accounts.Set(ctx, account.Id, packAccount(account)); err != nil {
		return fmt.Errorf("write account %d: %w", account.Id, err)
	}
	return nil
}

// addDust keeps what rounding left over, in grains.
func (k *Keeper) addDust(ctx context.Context, denom string, grains math.Int) error {
	if grains.IsZero() {
		return nil
	}
	before, err := k.dustOf(ctx, denom)
	if err != nil {
		return err
	}
	if err := k.dust.Set(ctx, denom, before.Add(grains)); err != nil {
		return fmt.Errorf("write dust of %s: %w", denom, err)
	}
	return nil
}

func (k *Keeper) dustOf(ctx context.Context, denom string) (math.Int, error) {
	dust, err := k.dust.Get(ctx, denom)
	if errors.Is(err, collections.ErrNotFound) {
		return math.ZeroInt(), nil
	}
	if err != nil {
		return math.Int{}, fmt.Errorf("read dust of %s: %w", denom, err)
	}
	return dust, nil
}
