package types

import (
	"context"
	"errors"
	"slices"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
)

const (
	// MaxGrantAccounts is the most accounts that a grant may name.
	MaxGrantAccounts = 16
	// MaxGrantDenoms is the most denoms that the limit of a grant may have.
	MaxGrantDenoms = 16
)

var _ authz.Authorization = &DepositAuthorization{}

// DepositURL is the message that a DepositAuthorization is granted for.
func DepositURL() string { return sdk.MsgTypeURL(&MsgDeposit{}) }

// NewDepositAuthorization allows deposits of the granter's coins up to a limit, into any account if none is named.
func NewDepositAuthorization(limit sdk.Coins, accounts ...uint64) *DepositAuthorization {
	return &DepositAuthorization{SpendLimit: limit, Accounts: accounts}
}

// MsgTypeURL returns the message that is authorized.
func (DepositAuthorization) MsgTypeURL() string { return DepositURL() }

// ValidateBasic checks ranges, and that nothing is spent yet: authz calls it for what is granted, not for what it stores. A
// limit may be empty: a spent grant stays, so that refunds find it.
func (a DepositAuthorization) ValidateBasic() error {
	if len(a.Spent) > 0 {
		return ErrGrant.Wrap("a new grant has nothing spent")
	}
	return a.validate()
}

// validate checks ranges. Whoever uses a grant that is stored calls it again: a genesis of authz may hold any.
func (a DepositAuthorization) validate() error {
	if err := validateGranted("limit", a.SpendLimit); err != nil {
		return err
	}
	if err := validateGranted("spent", a.Spent); err != nil {
		return err
	}
	if len(a.Accounts) > MaxGrantAccounts {
		return ErrGrant.Wrapf("%d accounts: want at most %d", len(a.Accounts), MaxGrantAccounts)
	}
	for i, account := range a.Accounts {
		if account == 0 || account >= MaxAccounts || slices.Contains(a.Accounts[:i], account) {
			return ErrGrant.Wrapf("account %d: not an id, or named twice", account)
		}
	}
	return nil
}

// validateGranted refuses too many denoms before it looks at them.
func validateGranted(what string, coins sdk.Coins) error {
	if len(coins) > MaxGrantDenoms {
		return ErrGrant.Wrapf("%s in %d denoms: want at most %d", what, len(coins), MaxGrantDenoms)
	}
	for _, coin := range coins {
		if err := ValidateAmount(coin.Amount); err != nil {
			return ErrGrant.Wrapf("%s in %s: %s", what, coin.Denom, err)
		}
	}
	if err := coins.Validate(); err != nil {
		return ErrGrant.Wrapf("%s: %s", what, err)
	}
	return nil
}

// Accept lets MsgExec deliver nothing: the deposit would be the granter's gift to the owner of the account, who could close
// it and keep the money. Escrow itself spends a grant that MsgDeposit names.
func (DepositAuthorization) Accept(context.Context, sdk.Msg) (authz.AcceptResponse, error) {
	return authz.AcceptResponse{}, ErrGrant.Wrap("not through MsgExec: name the granter in MsgDeposit")
}

// Spend takes a deposit off the limit. It refuses accounts that are not named and amounts beyond the limit.
func (a DepositAuthorization) Spend(account uint64, amount sdk.Coin) (*DepositAuthorization, error) {
	if err := a.validate(); err != nil {
		return nil, err
	}
	if !a.covers(account) {
		return nil, ErrGrant.Wrapf("not for account %d", account)
	}
	if err := ValidateAmount(amount.Amount); err != nil {
		return nil, err
	}
	if found, limit := a.SpendLimit.Find(amount.Denom); !found || limit.Amount.LT(amount.Amount) {
		return nil, ErrGrant.Wrapf("%s left, not %s", a.SpendLimit, amount)
	}
	left := &DepositAuthorization{
		SpendLimit: a.SpendLimit.Sub(amount), Accounts: a.Accounts, Spent: a.Spent.Add(amount),
	}
	return left, left.validate()
}

// Restore gives of a refund what was spent under this very grant back to the limit; restored is zero when that is nothing:
// the account is not named, or the grant was renewed meanwhile.
func (a DepositAuthorization) Restore(
	account uint64, refund sdk.Coin,
) (grant *DepositAuthorization, restored sdk.Coin, err error) {
	restored = sdk.NewCoin(refund.Denom, math.ZeroInt())
	if err := errors.Join(a.validate(), ValidateAmount(refund.Amount)); err != nil {
		return nil, restored, err
	}
	if !a.covers(account) {
		return nil, restored, nil
	}
	restored.Amount = math.MinInt(refund.Amount, a.Spent.AmountOf(refund.Denom))
	if !restored.IsPositive() {
		return nil, restored, nil
	}
	grant = &DepositAuthorization{
		SpendLimit: a.SpendLimit.Add(restored), Accounts: a.Accounts, Spent: a.Spent.Sub(restored),
	}
	return grant, restored, grant.validate()
}

// covers tells that an account may receive under the grant.
func (a DepositAuthorization) covers(account uint64) bool {
	return len(a.Accounts) == 0 || slices.Contains(a.Accounts, account)
}
