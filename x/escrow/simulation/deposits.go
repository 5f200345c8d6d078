package simulation

import (
	"context"
	"errors"
	"time"

	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/authz"

	"github.com/souk-network/souk/x/escrow/types"
)

// Grants lists what accounts may do in each other's name.
type Grants interface {
	IterateGrants(ctx context.Context, each func(granter, grantee sdk.AccAddress, grant authz.Grant) (stop bool))
}

// Grant lets the grantee deposit for the granter.
type Grant struct {
	Granter, Grantee sdk.AccAddress
	Limit            sdk.Coins
	Accounts         []uint64
}

// GrantsOf returns the grants of deposits that stand at the time of the block.
func GrantsOf(ctx context.Context, grants Grants) []Grant {
	var found []Grant
	now := sdk.UnwrapSDKContext(ctx).BlockTime()
	grants.IterateGrants(ctx, func(granter, grantee sdk.AccAddress, grant authz.Grant) bool {
		authorization, ok := grant.Authorization.GetCachedValue().(*types.DepositAuthorization)
		if ok && (grant.Expiration == nil || grant.Expiration.After(now)) {
			found = append(found, Grant{
				Granter: granter, Grantee: grantee, Limit: authorization.SpendLimit, Accounts: authorization.Accounts,
			})
		}
		return false
	})
	return found
}

// depositErrors are why a deposit into an open account may fail all the same: the account is due, but not dealt with yet, the
// denom is halted, or too many deposited already.
var depositErrors = []error{types.ErrBehind, types.ErrExhausted, types.ErrHalted, types.ErrTooManyDeposits}

// deposit adds to an account: its owner, somebody who makes a gift, or somebody whom a granter lets pay.
func (m Module) deposit() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgDeposit, simsx.SimDeliveryResultHandler) {
		r := testData.Rand()
		owner, account := m.open(ctx, testData, reporter)
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		switch r.Intn(4) {
		case 0:
			return m.depositFor(ctx, testData, reporter, owner, account)
		case 1:
			owner = testData.AnyAccount(reporter)
		}
		coin, ok := Spend(owner, account.Denom, m.amount(r))
		if !ok {
			reporter.Skip("nothing to deposit")
			return nil, nil, nil
		}
		msg := &types.MsgDeposit{Signer: owner.AddressBech32, Account: account.Id, Amount: coin}
		if OneIn(r, 20) {
			msg.Account += 1 << 40
			return Sign(owner), msg, Refused(types.ErrAccountNotFound)
		}
		return Sign(owner), msg, May(depositErrors...)
	})
}

// depositFor pays from what a granter allowed: within the limit, or a little more. It is refused where neither of the two owns the account.
func (m Module) depositFor(
	ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter, owner simsx.SimAccount,
	account types.Account,
) ([]simsx.SimAccount, *types.MsgDeposit, simsx.SimDeliveryResultHandler) {
	r := testData.Rand()
	grants := GrantsOf(ctx, m.grants)
	if len(grants) == 0 {
		reporter.Skip("nobody lets anybody deposit")
		return nil, nil, nil
	}
	if owned := grantedTo(grants, owner.Address); len(owned) > 0 && !OneIn(r, 5) {
		grants = owned
	}
	grant := simsx.OneOf(r, grants)
	grantee := testData.GetAccountbyAccAddr(reporter, grant.Grantee)
	granter := testData.GetAccountbyAccAddr(reporter, grant.Granter)
	if reporter.IsSkipped() {
		return nil, nil, nil
	}
	amount := m.amount(r)
	if limit := grant.Limit.AmountOf(account.Denom); limit.IsUint64() && !OneIn(r, 5) {
		amount = min(amount, limit.Uint64())
	}
	coin, ok := Spend(granter, account.Denom, amount)
	if !ok {
		reporter.Skip("granter has nothing")
		return nil, nil, nil
	}
	msg := &types.MsgDeposit{
		Signer: grantee.AddressBech32, Account: account.Id, Amount: coin, Granter: granter.AddressBech32,
	}
	stranger := grantee.AddressBech32 != account.Owner && granter.AddressBech32 != account.Owner
	if stranger || coin.Amount.GT(grant.Limit.AmountOf(coin.Denom)) {
		return Sign(grantee), msg, Refused(append([]error{types.ErrGrant}, depositErrors...)...)
	}
	return Sign(grantee), msg, May(append([]error{types.ErrGrant}, depositErrors...)...)
}

// grantedTo picks the grants of one grantee.
func grantedTo(grants []Grant, grantee sdk.AccAddress) []Grant {
	var picked []Grant
	for _, grant := range grants {
		if grant.Grantee.Equals(grantee) {
			picked = append(picked, grant)
		}
	}
	return picked
}

// grant allows deposits of a random sum, into all accounts or into some.
func (m Module) grant() simsx.SimMsgFactoryX {
	return simsx.SimMsgFactoryFn[*authz.MsgGrant](func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *authz.MsgGrant) {
		r := testData.Rand()
		granter := testData.AnyAccount(reporter)
		grantee := testData.AnyAccount(reporter, simsx.ExcludeAccounts(granter))
		if reporter.IsSkipped() {
			return nil, nil
		}
		authorization := &types.DepositAuthorization{SpendLimit: sdk.NewCoins(
			sdk.NewInt64Coin(types.DefaultDenom, int64(m.amount(r))), sdk.NewInt64Coin(Stable, int64(m.amount(r))),
		)}
		if OneIn(r, 6) {
			for id := UpTo(r, 3); id < 12; id += UpTo(r, 4) {
				authorization.Accounts = append(authorization.Accounts, id)
			}
		}
		packed, err := codectypes.NewAnyWithValue(authorization)
		if err != nil {
			reporter.Fail(err)
			return nil, nil
		}
		grant := authz.Grant{Authorization: packed}
		if OneIn(r, 2) {
			expires := sdk.UnwrapSDKContext(ctx).BlockTime().Add(time.Duration(UpTo(r, 200_000)) * time.Second)
			grant.Expiration = &expires
		}
		return Sign(granter), &authz.MsgGrant{Granter: granter.AddressBech32, Grantee: grantee.AddressBech32, Grant: grant}
	})
}

// execute tries to deposit in the granter's name through MsgExec, which no grant of deposits allows.
func (m Module) execute() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *authz.MsgExec, simsx.SimDeliveryResultHandler) {
		r := testData.Rand()
		grants := GrantsOf(ctx, m.grants)
		_, account := m.open(ctx, testData, reporter)
		if len(grants) == 0 || reporter.IsSkipped() {
			reporter.Skip("nobody lets anybody deposit")
			return nil, nil, nil
		}
		grant := simsx.OneOf(r, grants)
		grantee := testData.GetAccountbyAccAddr(reporter, grant.Grantee)
		granter := testData.GetAccountbyAccAddr(reporter, grant.Granter)
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		coin, ok := Spend(granter, account.Denom, min(m.amount(r), UpTo(r, 1000)))
		if !ok {
			reporter.Skip("granter has nothing")
			return nil, nil, nil
		}
		msg := authz.NewMsgExec(grantee.Address, []sdk.Msg{
			&types.MsgDeposit{Signer: granter.AddressBech32, Account: account.Id, Amount: coin},
		})
		return Sign(grantee), &msg, Refused(types.ErrGrant, authz.ErrNoAuthorizationFound, sdkerrors.ErrUnauthorized)
	})
}

// open returns an account that is not closed, and its owner.
func (m Module) open(
	ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
) (simsx.SimAccount, types.Account) {
	r := testData.Rand()
	return FirstFrom(testData, reporter, "open account", func(owner simsx.SimAccount) (types.Account, bool) {
		accounts, err := m.queries.Accounts(ctx, &types.QueryAccountsRequest{Owner: owner.AddressBech32, Pagination: Page()})
		if err != nil {
			reporter.Fail(errors.Join(errors.New("list accounts"), err))
			return types.Account{}, false
		}
		var open []types.Account
		for _, account := range accounts.Accounts {
			if account.State != types.AccountState_ACCOUNT_STATE_CLOSED {
				open = append(open, account)
			}
		}
		if len(open) == 0 {
			return types.Account{}, false
		}
		return simsx.OneOf(r, open), true
	})
}

// amount draws a deposit, small ones as often as large ones.
func (Module) amount(r *simsx.XRand) uint64 {
	return UpTo(r, simsx.OneOf(r, []uint64{3, 1000, 100_000, 10_000_000}))
}
