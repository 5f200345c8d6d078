package keeper_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	"github.com/cosmos/cosmos-sdk/x/authz"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/escrow/types"
)

// grants lets alice deposit the uncle's money up to a limit, with a real message.
func (b *bench) grants(limit int64, lasts time.Duration, accounts ...uint64) {
	b.t.Helper()
	var expires *time.Time
	if lasts != 0 {
		until := b.Time().Add(lasts)
		expires = &until
	}
	msg, err := authz.NewMsgGrant(uncle, chain.Account("alice"),
		types.NewDepositAuthorization(sdk.NewCoins(chain.Coin(limit)), accounts...), expires)
	require.NoError(b.t, err)
	b.Funded("alice", chain.Coin(1))
	require.NoError(b.t, b.Deliver(msg))
}

// mayDeposit is what alice may still deposit of the uncle's money; -1 when no grant stands.
func (b *bench) mayDeposit() int64 {
	b.t.Helper()
	authorization, _ := b.Authz.GetAuthorization(b.Ctx(), chain.Account("alice"), uncle, types.DepositURL())
	if authorization == nil {
		return -1
	}
	return authorization.(*types.DepositAuthorization).SpendLimit.AmountOf("usouk").Int64()
}

func (b *bench) grantedDeposit(id uint64, micro int64) *types.MsgDeposit {
	return &types.MsgDeposit{
		Signer: b.Text(chain.Account("alice")), Account: id, Amount: chain.Coin(micro), Granter: b.Text(uncle),
	}
}

func TestAGrantedDepositIsTheGrantersAndComesBackToTheGrant(t *testing.T) {
	b := start(t, quick())
	b.Fund(uncle, chain.Coin(1_000))
	id := b.open("alice", 500)
	b.grants(400, 0)
	require.NoError(t, b.Deliver(b.grantedDeposit(id, 300)))
	require.Equal(t, []int64{700, 100}, []int64{b.Balance(uncle), b.mayDeposit()})
	deposits := b.stored(id).Deposits
	require.Len(t, deposits, 2)
	require.Equal(t, []string{b.Text(uncle), b.Text(chain.Account("alice"))}, []string{deposits[1].Depositor, deposits[1].Grantee})

	b.pay(id, "bob", 10*unit, service)
	b.NextBlock(60 * second) // 600: 500 of the owner, then 100 of the uncle
	b.ends(id)
	require.Equal(t, []int64{900, 300}, []int64{b.Balance(uncle), b.mayDeposit()})
	require.Equal(t, int64(1), b.Balance(chain.Account("alice")), "all of her own is spent")
	b.AssertInvariants()
}

func TestAnAccountCanBeOpenedWithAGrantersMoney(t *testing.T) {
	b := start(t, quick())
	b.Fund(uncle, chain.Coin(1_000))
	b.grants(400, 0)
	alice := chain.Account("alice")
	open := func(micro int64) (id uint64, err error) {
		err = b.Try(func(ctx sdk.Context) error {
			id, err = b.Escrow.OpenAccount(ctx, alice, chain.Coin(micro), uncle)
			return err
		})
		return id, err
	}
	_, err := open(401)
	require.ErrorIs(t, err, types.ErrGrant)
	_, err = open(99)
	require.ErrorIs(t, err, types.ErrInvalidAmount)
	id, err := open(400)
	require.NoError(t, err)
	require.Equal(t, []int64{600, 0}, []int64{b.Balance(uncle), b.mayDeposit()}, "spent, and it stays")
	_, err = open(100)
	require.ErrorIs(t, err, types.ErrGrant)
	b.deposits(id, "alice", 7)
	require.Len(t, b.stored(id).Deposits, 2)

	// Exhaustion restores it too, in a block hook.
	b.pay(id, "bob", 39*unit, service) // 407 last for 10 s, and 17 are left: 7 of alice, 10 of the uncle
	b.NextBlock(30 * second)
	require.Equal(t, closedState, b.stored(id).State)
	require.Equal(t, []int64{610, 10}, []int64{b.Balance(uncle), b.mayDeposit()})
	require.Equal(t, int64(1+7), b.Balance(alice))
	b.AssertInvariants()
}

func TestARefundWhoseGrantIsGoneStillReachesTheGranter(t *testing.T) {
	revoke := func(b *bench) {
		msg := authz.NewMsgRevoke(uncle, chain.Account("alice"), types.DepositURL())
		require.NoError(b.t, b.Deliver(&msg))
	}
	for name, c := range map[string]struct {
		lasts time.Duration
		spoil func(b *bench)
		left  int64
	}{
		"revoked":              {0, revoke, -1},
		"expired":              {10 * second, func(b *bench) { b.NextBlock(11 * second) }, -1},
		"expires right now":    {10 * second, func(b *bench) { b.NextBlock(10 * second) }, 100},
		"revoked and renewed":  {0, func(b *bench) { revoke(b); b.grants(50, 0) }, 50},
		"renewed":              {0, func(b *bench) { b.grants(50, 0) }, 50},
		"renewed and used":     {0, func(b *bench) { b.grants(50, 0); require.NoError(b.t, b.Deliver(b.grantedDeposit(1, 20))) }, 50},
		"now of another kind":  {0, func(b *bench) { revoke(b); b.grantsGeneric() }, -2},
		"for other accounts":   {0, func(b *bench) { revoke(b); b.grants(50, 0, 77) }, 50},
		"as large as can be":   {0, func(b *bench) { revoke(b); b.grantsMost() }, -3},
		"not touched meantime": {0, func(*bench) {}, 400},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, quick())
			b.Fund(uncle, chain.Coin(1_000))
			id := b.open("alice", 500)
			b.grants(400, c.lasts)
			require.NoError(t, b.Deliver(b.grantedDeposit(id, 300)))
			c.spoil(b)
			b.ends(id)
			require.Equal(t, int64(1_000), b.Balance(uncle))
			if c.left >= -1 {
				require.Equal(t, c.left, b.mayDeposit())
			}
			b.AssertInvariants()
		})
	}
}

func (b *bench) grantsGeneric() {
	b.t.Helper()
	msg, err := authz.NewMsgGrant(uncle, chain.Account("alice"), authz.NewGenericAuthorization(types.DepositURL()), nil)
	require.NoError(b.t, err)
	require.NoError(b.t, b.Deliver(msg))
}

func (b *bench) grantsMost() {
	b.t.Helper()
	msg, err := authz.NewMsgGrant(uncle, chain.Account("alice"),
		types.NewDepositAuthorization(sdk.NewCoins(coin("usouk", power(96).SubRaw(1)))), nil)
	require.NoError(b.t, err)
	require.NoError(b.t, b.Deliver(msg))
}

func TestADepositWithoutAGrantThatAllowsItIsRefused(t *testing.T) {
	deposit := func(micro int64) func(*bench, uint64) *types.MsgDeposit {
		return func(b *bench, id uint64) *types.MsgDeposit { return b.grantedDeposit(id, micro) }
	}
	for name, c := range map[string]struct {
		grant func(b *bench)
		msg   func(b *bench, id uint64) *types.MsgDeposit
		want  error
	}{
		"no grant":          {func(*bench) {}, deposit(10), types.ErrGrant},
		"one of any kind":   {func(b *bench) { b.Funded("alice", chain.Coin(1)); b.grantsGeneric() }, deposit(10), types.ErrGrant},
		"more than granted": {func(b *bench) { b.grants(9, 0) }, deposit(10), types.ErrGrant},
		"another account":   {func(b *bench) { b.grants(100, 0, 2, 3) }, deposit(10), types.ErrGrant},
		"too late":          {func(b *bench) { b.grants(100, second); b.NextBlock(2 * second) }, deposit(10), types.ErrGrant},
		"at the last moment": {
			func(b *bench) { b.grants(100, second); b.NextBlock(second) }, deposit(10), types.ErrGrant,
		},
		"more than there is": {func(b *bench) { b.grants(2_000, 0) }, deposit(1_500), sdkerrors.ErrInsufficientFunds},
		"nothing":            {func(b *bench) { b.grants(100, 0) }, deposit(0), types.ErrInvalidAmount},
		"a granter that is no address": {func(b *bench) { b.grants(100, 0) }, func(b *bench, id uint64) *types.MsgDeposit {
			msg := b.grantedDeposit(id, 10)
			msg.Granter = "uncle"
			return msg
		}, types.ErrInvalidAddress},
		"somebody else's grant": {func(b *bench) { b.grants(100, 0) }, func(b *bench, id uint64) *types.MsgDeposit {
			msg := b.grantedDeposit(id, 10)
			msg.Signer = b.Text(stranger)
			return msg
		}, types.ErrGrant},
		"a grant to somebody who is not the owner": {func(b *bench) {
			b.Fund(stranger, chain.Coin(1))
			grant, err := authz.NewMsgGrant(uncle, stranger, types.NewDepositAuthorization(sdk.NewCoins(chain.Coin(100))), nil)
			require.NoError(b.t, err)
			require.NoError(b.t, b.Deliver(grant))
		}, func(b *bench, id uint64) *types.MsgDeposit {
			msg := b.grantedDeposit(id, 10)
			msg.Signer = b.Text(stranger)
			return msg
		}, types.ErrGrant},
		"a grant of oneself": {func(b *bench) { b.grants(100, 0) }, func(b *bench, id uint64) *types.MsgDeposit {
			msg := b.grantedDeposit(id, 10)
			msg.Signer = msg.Granter
			return msg
		}, types.ErrGrant},
		"a granter that may not receive": {func(*bench) {}, func(b *bench, id uint64) *types.MsgDeposit {
			msg := b.grantedDeposit(id, 10)
			msg.Granter = b.Text(b.Auth.GetModuleAddress(types.ModuleName))
			return msg
		}, types.ErrInvalidAddress},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, quick())
			b.Fund(uncle, chain.Coin(1_000))
			id := b.open("alice", 500)
			c.grant(b)
			before := b.state()
			require.ErrorIs(t, b.Deliver(c.msg(b, id)), c.want)
			require.Equal(t, before, b.state())
		})
	}
}

func TestAGrantOfDepositsIsNoCashThroughAuthz(t *testing.T) {
	b := start(t, quick())
	b.Fund(uncle, chain.Coin(1_000))
	id := b.open("alice", 500)
	exec := func(change func(*types.MsgDeposit)) error {
		deposit := &types.MsgDeposit{Signer: b.Text(uncle), Account: id, Amount: chain.Coin(150)}
		change(deposit)
		msg := authz.NewMsgExec(chain.Account("alice"), []sdk.Msg{deposit})
		return b.Deliver(&msg)
	}
	require.ErrorIs(t, exec(func(*types.MsgDeposit) {}), authz.ErrNoAuthorizationFound)
	b.grants(400, 0, id)
	before := b.state()
	for _, change := range []func(*types.MsgDeposit){
		func(*types.MsgDeposit) {},
		func(m *types.MsgDeposit) { m.Account = 2 },
		func(m *types.MsgDeposit) { m.Amount = sdk.Coin{Denom: "usouk"} },
		func(m *types.MsgDeposit) { m.Granter = b.Text(uncle) },
	} {
		err := exec(change)
		require.ErrorIs(t, err, types.ErrGrant)
		require.ErrorContains(t, err, "name the granter in MsgDeposit")
	}
	require.Equal(t, before, b.state())
	require.Equal(t, []int64{1_000, 400}, []int64{b.Balance(uncle), b.mayDeposit()})
	b.ends(id)
	require.Equal(t, int64(500+1), b.Balance(chain.Account("alice")), "nothing but her own")

	// Who may deposit in another's name without limits makes the other's gifts.
	id = b.open("bob", 500)
	b.grantsGeneric()
	require.NoError(t, exec(func(m *types.MsgDeposit) { m.Account = id }))
	require.Len(t, b.stored(id).Deposits, 1, "a gift to the owner")
	require.Equal(t, int64(850), b.Balance(uncle))
	b.AssertInvariants()
}

// many returns a coin of each of so many denoms, sorted.
func many(n int) sdk.Coins {
	coins := make(sdk.Coins, n)
	for i := range coins {
		coins[i] = sdk.NewInt64Coin(fmt.Sprintf("denom%06d", i), 1)
	}
	return coins
}

func TestAStoredGrantThatNobodyCouldGrantIsNotUsedAndKeepsNoRefund(t *testing.T) {
	for name, bad := range map[string]*types.DepositAuthorization{
		"too many denoms": {SpendLimit: append(many(5_000), chain.Coin(500)), Spent: sdk.NewCoins(chain.Coin(300))},
		"too many spent":  {SpendLimit: sdk.NewCoins(chain.Coin(500)), Spent: append(many(5_000), chain.Coin(300))},
		"an overflow":     {SpendLimit: sdk.Coins{coin("usouk", power(96).SubRaw(1))}, Spent: sdk.NewCoins(chain.Coin(300))},
		"no order":        {SpendLimit: sdk.Coins{chain.Coin(500), coin("a1", math.OneInt())}, Spent: sdk.NewCoins(chain.Coin(300))},
		"no amount":       {SpendLimit: sdk.NewCoins(chain.Coin(500)), Spent: sdk.Coins{coin("usouk", math.ZeroInt())}},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, quick())
			b.Fund(uncle, chain.Coin(1_000))
			id := b.open("alice", 500)
			b.grants(400, 0)
			require.NoError(t, b.Deliver(b.grantedDeposit(id, 300)))
			alice := chain.Account("alice")
			require.NoError(t, b.Try(func(ctx sdk.Context) error { return b.Authz.SaveGrant(ctx, alice, uncle, bad, nil) }))
			if name != "an overflow" { // which nothing but a refund would reach
				require.ErrorIs(t, b.Deliver(b.grantedDeposit(id, 10)), types.ErrGrant)
			}
			b.ends(id)
			require.Equal(t, int64(1_000), b.Balance(uncle))
			stored, _ := b.Authz.GetAuthorization(b.Ctx(), alice, uncle, types.DepositURL())
			require.Equal(t, bad.SpendLimit.String(), stored.(*types.DepositAuthorization).SpendLimit.String(), "as it was")
			b.AssertInvariants()
		})
	}
}

func TestEveryEntryThatIsRefundedInABlockHookCountsAgainstItsCap(t *testing.T) {
	params := quick()
	params.MaxDeadlinesPerBlock = 4
	b := start(t, params)
	id, other := b.open("alice", 100), b.open("dave", 100)
	for _, name := range []string{"one", "two", "three"} {
		b.Fund(chain.Account(name), chain.Coin(10))
		require.NoError(t, b.Try(func(ctx sdk.Context) error {
			limit := types.NewDepositAuthorization(sdk.NewCoins(chain.Coin(10)))
			require.NoError(t, b.Authz.SaveGrant(ctx, chain.Account("alice"), chain.Account(name), limit, nil))
			_, err := b.Escrow.Deposit(ctx, id, chain.Account("alice"), chain.Coin(10), chain.Account(name))
			return err
		}))
	}
	b.pay(id, "bob", 130*unit/10, service) // 130 last for 10 s
	b.pay(other, "bob", 10*unit, service)  // and so do 100
	b.NextBlock(11 * second)
	require.Equal(t, []types.AccountState{closedState, funded}, []types.AccountState{b.stored(id).State, b.stored(other).State})
	b.NextBlock(0)
	require.Equal(t, closedState, b.stored(other).State)
	b.AssertInvariants()
}

func TestAGrantIsForDepositsOnlyAndWithinItsRanges(t *testing.T) {
	_, err := types.NewDepositAuthorization(sdk.NewCoins(chain.Coin(1))).Accept(t.Context(), &banktypes.MsgSend{})
	require.ErrorIs(t, err, types.ErrGrant)
	for name, c := range map[string]struct {
		grant *types.DepositAuthorization
		want  error
	}{
		"a limit":                 {types.NewDepositAuthorization(sdk.NewCoins(chain.Coin(1)), 1, 2), nil},
		"nothing left":            {types.NewDepositAuthorization(nil), nil},
		"a limit of nothing":      {types.NewDepositAuthorization(sdk.Coins{chain.Coin(0)}), types.ErrGrant},
		"a limit of 2^96":         {types.NewDepositAuthorization(sdk.Coins{coin("usouk", power(96))}), types.ErrGrant},
		"16 denoms":               {types.NewDepositAuthorization(many(16)), nil},
		"too many denoms":         {types.NewDepositAuthorization(many(17)), types.ErrGrant},
		"something spent already": {&types.DepositAuthorization{Spent: many(1)}, types.ErrGrant},
		"account 0":               {types.NewDepositAuthorization(nil, 0), types.ErrGrant},
		"an account out of range": {types.NewDepositAuthorization(nil, types.MaxAccounts), types.ErrGrant},
		"an account twice":        {types.NewDepositAuthorization(nil, 7, 8, 7), types.ErrGrant},
		"too many accounts": {
			types.NewDepositAuthorization(nil, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17), types.ErrGrant,
		},
	} {
		require.ErrorIs(t, c.grant.ValidateBasic(), c.want, name)
	}
}

func TestAnAccountHas16EntriesAndAlwaysAPlaceForItsOwner(t *testing.T) {
	b := start(t, quick())
	b.grants(100, 0)
	b.Fund(uncle, chain.Coin(10_000))
	var id uint64
	require.NoError(t, b.Try(func(ctx sdk.Context) (err error) {
		id, err = b.Escrow.OpenAccount(ctx, chain.Account("alice"), chain.Coin(100), uncle)
		return err
	}))
	deposit := func(n int) error {
		friend, alice := chain.Account(string(rune('a'+n))), chain.Account("alice")
		b.Fund(friend, chain.Coin(1))
		return b.Try(func(ctx sdk.Context) error {
			limit := types.NewDepositAuthorization(sdk.NewCoins(chain.Coin(10)))
			require.NoError(t, b.Authz.SaveGrant(ctx, alice, friend, limit, nil))
			_, err := b.Escrow.Deposit(ctx, id, alice, chain.Coin(1), friend)
			return err
		})
	}
	for n := range types.MaxDeposits - 2 {
		require.NoError(t, deposit(n))
	}
	require.ErrorIs(t, deposit(20), types.ErrTooManyDeposits)
	require.NoError(t, deposit(3), "an entry that is there already")
	b.deposits(id, "stranger", 5)
	require.Len(t, b.stored(id).Deposits, types.MaxDeposits)
	require.ErrorIs(t, deposit(20), types.ErrTooManyDeposits)
	b.deposits(id, "alice", 5)
	b.pay(id, "bob", 10*unit, service)
	b.NextBlock(5 * second)
	b.ends(id)
	require.Equal(t, int64(1+10), b.Balance(chain.Account("alice")))
	require.Equal(t, int64(10_000-50), b.Balance(uncle))
	b.AssertInvariants()
}

// A key that watches over a deployment tops it up with its owner's money, within what the owner granted it.
func TestTheOwnersMoneyComesFromWhomTheOwnerGrantedIt(t *testing.T) {
	b := start(t, quick())
	alice, watcher := b.Funded("alice", chain.Coin(1_000)), chain.Account("watcher")
	id := b.open("alice", 500)
	before := b.Balance(alice)
	grant, err := authz.NewMsgGrant(alice, watcher, types.NewDepositAuthorization(sdk.NewCoins(chain.Coin(100)), id), nil)
	require.NoError(t, err)
	require.NoError(t, b.Deliver(grant))
	top := func(micro int64) error {
		return b.Deliver(&types.MsgDeposit{Signer: b.Text(watcher), Account: id, Amount: chain.Coin(micro), Granter: b.Text(alice)})
	}
	require.NoError(t, top(60))
	require.ErrorIs(t, top(41), types.ErrGrant, "beyond the limit")
	require.NoError(t, top(40))
	require.Equal(t, before-100, b.Balance(alice))
	deposits := b.stored(id).Deposits
	require.Len(t, deposits, 2)
	require.Equal(t, []string{b.Text(alice), b.Text(watcher)}, []string{deposits[1].Depositor, deposits[1].Grantee})

	other := b.open("carol", 500)
	require.ErrorIs(t, b.Deliver(&types.MsgDeposit{
		Signer: b.Text(watcher), Account: other, Amount: chain.Coin(1), Granter: b.Text(alice),
	}), types.ErrGrant, "not into another's account")

	b.pay(id, "bob", 10*unit, service)
	b.NextBlock(55 * second) // 550: the owner's 500, then 50 of what the watcher added
	b.ends(id)
	left, _ := b.Authz.GetAuthorization(b.Ctx(), watcher, alice, types.DepositURL())
	require.Equal(t, int64(50), left.(*types.DepositAuthorization).SpendLimit.AmountOf("usouk").Int64(), "what was not spent may be deposited again")
	require.Equal(t, before-50, b.Balance(alice))
	b.AssertInvariants()
}
