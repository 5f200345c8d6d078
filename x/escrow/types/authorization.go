package types

import (
	"context"
	"slices"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
)

// MaxGrantAccounts is the most accounts that a grant may name.
const MaxGrantAccounts = 16

var _ authz.Authorization = &DepositAuthorization{}

// DepositURL is the message that a DepositAuthorization is granted for.
func DepositURL() string { return sdk.MsgTypeURL(&MsgDeposit{}) }

// NewDepositAuthorization allows deposits of the granter's coins up to a limit, into any account if none is named.
func NewDepositAuthorization(limit sdk.Coins, accounts ...uint64) *DepositAuthorization {
	return &DepositAuthorization{SpendLimit: limit, Accounts: accounts}
}

// MsgTypeURL returns the message that is authorized.
func (DepositAuthorization) MsgTypeURL() string { return DepositURL() }

// ValidateBasic checks ranges. A limit may be empty: a spent grant stays, so that refunds find it.
func (a DepositAuthorization) ValidateBasic() error {
	if err := a.SpendLimit.Validate(); err != nil {
		return ErrGrant.Wrap(err.Error())
	}
	for _, coin := range a.SpendLimit {
		if err := ValidateAmount(coin.Amount); err != nil {
			return ErrGrant.Wrapf("limit in %s: %s", coin.Denom, err)
		}
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

// Accept lets MsgExec deliver a deposit that the granter signs in name: it is the granter's own deposit then, to whom
// nothing returns that the message itself would not return.
func (a DepositAuthorization) Accept(_ context.Context, msg sdk.Msg) (authz.AcceptResponse, error) {
	deposit, ok := msg.(*MsgDeposit)
	if !ok {
		return authz.AcceptResponse{}, ErrGrant.Wrapf("for deposits only, not for %s", sdk.MsgTypeURL(msg))
	}
	if deposit.Granter != "" {
		return authz.AcceptResponse{}, ErrGrant.Wrap("a deposit under one grant cannot use another")
	}
	left, err := a.Spend(deposit.Account, deposit.Amount)
	if err != nil {
		return authz.AcceptResponse{}, err
	}
	return authz.AcceptResponse{Accept: true, Updated: left}, nil
}

// Spend takes a deposit off the limit. It refuses accounts that are not named and amounts beyond the limit.
func (a DepositAuthorization) Spend(account uint64, amount sdk.Coin) (*DepositAuthorization, error) {
	if len(a.Accounts) > 0 && !slices.Contains(a.Accounts, account) {
		return nil, ErrGrant.Wrapf("not for account %d", account)
	}
	if err := ValidateAmount(amount.Amount); err != nil {
		return nil, err
	}
	if found, limit := a.SpendLimit.Find(amount.Denom); !found || limit.Amount.LT(amount.Amount) {
		return nil, ErrGrant.Wrapf("%s left, not %s", a.SpendLimit, amount)
	}
	return &DepositAuthorization{SpendLimit: a.SpendLimit.Sub(amount), Accounts: a.Accounts}, nil
}

// Restore gives a refund back to the limit; ok is false when that would reach 2^96.
func (a DepositAuthorization) Restore(refund sdk.Coin) (restored *DepositAuthorization, ok bool) {
	limit := a.SpendLimit.AmountOf(refund.Denom)
	if limit.BigInt().BitLen() > amountBits || refund.Amount.BigInt().BitLen() > amountBits ||
		limit.Add(refund.Amount).BigInt().BitLen() > amountBits {
		return nil, false
	}
	return &DepositAuthorization{SpendLimit: a.SpendLimit.Add(refund), Accounts: a.Accounts}, true
}
