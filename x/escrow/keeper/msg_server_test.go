package keeper_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/escrow/types"
)

// power returns 2^bits.
func power(bits uint) math.Int { return math.NewIntFromBigInt(new(big.Int).Lsh(big.NewInt(1), bits)) }

func coin(denom string, amount math.Int) sdk.Coin { return sdk.Coin{Denom: denom, Amount: amount} }

func TestADepositLengthensTheRunway(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 1_000)
	b.pay(id, "bob", 10*unit, service)
	b.NextBlock(10 * second)
	alice := b.Funded("alice", chain.Coin(500))
	msg := &types.MsgDeposit{Signer: b.Text(alice), Account: id, Amount: chain.Coin(500)}
	response, err := chain.Send[types.MsgDepositResponse](b.Chain, msg)
	require.NoError(t, err)
	require.Equal(t, uint64(151), response.ZeroAt)
	require.Equal(t, int64(1_400), b.left(id))
	b.AssertInvariants()
}

func TestAStrangersDepositIsAGiftToTheOwner(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 1_000)
	stranger := b.Funded("stranger", chain.Coin(500))
	require.NoError(t, b.Deliver(&types.MsgDeposit{Signer: b.Text(stranger), Account: id, Amount: chain.Coin(500)}))
	require.Len(t, b.account(id).Account.Deposits, 1)
	_, err := b.Escrow.CloseAccount(b.Ctx(), id)
	require.NoError(t, err)
	require.Equal(t, int64(1_500), b.Balance(chain.Account("alice")))
	require.Equal(t, int64(0), b.Balance(stranger))
	b.AssertInvariants()
}

func TestADepositThatMakesNoSenseIsRefusedAndChangesNothing(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 1_000)
	closed := b.open("alice", 1_000)
	_, err := b.Escrow.CloseAccount(b.Ctx(), closed)
	require.NoError(t, err)
	alice := b.Funded("alice", chain.Coin(500), sdk.NewInt64Coin("uother", 500))
	text := b.Text(alice)
	for name, c := range map[string]struct {
		signer  string
		account uint64
		amount  sdk.Coin
		want    error
	}{
		"no signer":                  {"", id, chain.Coin(1), types.ErrInvalidAddress},
		"a signer of another chain":  {"cosmos1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5lzv7xu", id, chain.Coin(1), types.ErrInvalidAddress},
		"an endless signer":          {strings.Repeat("souk1", 10_000), id, chain.Coin(1), types.ErrInvalidAddress},
		"a signer without the money": {b.Text(chain.Account("poor")), id, chain.Coin(1), sdkerrors.ErrInsufficientFunds},
		"an unknown account":         {text, 99, chain.Coin(1), types.ErrAccountNotFound},
		"account 0":                  {text, 0, chain.Coin(1), types.ErrAccountNotFound},
		"the last account there is":  {text, 1<<64 - 1, chain.Coin(1), types.ErrAccountNotFound},
		"a closed account":           {text, closed, chain.Coin(1), types.ErrAccountClosed},
		"nothing":                    {text, id, chain.Coin(0), types.ErrInvalidAmount},
		"less than nothing":          {text, id, coin("usouk", math.NewInt(-5)), types.ErrInvalidAmount},
		"no amount":                  {text, id, sdk.Coin{Denom: "usouk"}, types.ErrInvalidAmount},
		"2^96":                       {text, id, coin("usouk", power(96)), types.ErrInvalidAmount},
		"2^255":                      {text, id, coin("usouk", power(255)), types.ErrInvalidAmount},
		"more than the signer has":   {text, id, coin("usouk", power(96).SubRaw(1)), sdkerrors.ErrInsufficientFunds},
		"another denom":              {text, id, sdk.NewInt64Coin("uother", 1), types.ErrDenom},
		"no denom":                   {text, id, coin("", math.OneInt()), types.ErrDenom},
		"an endless denom":           {text, id, coin(strings.Repeat("u", 10_000), math.OneInt()), types.ErrDenom},
	} {
		t.Run(name, func(t *testing.T) {
			before := b.state()
			require.ErrorIs(t, b.Deliver(&types.MsgDeposit{Signer: c.signer, Account: c.account, Amount: c.amount}), c.want)
			require.Equal(t, before, b.state())
		})
	}
}

func TestAnAccountNeverHoldsMoreThanTheBooksCanCount(t *testing.T) {
	b := start(t, quick())
	most := coin("usouk", power(96).SubRaw(1))
	whale := b.Funded("whale", coin("usouk", power(116)))
	id, err := b.Escrow.OpenAccount(b.Ctx(), whale, most, nil)
	require.NoError(t, err)
	// 2^96 micro-denom are nearly 2^108 grains.
	for b.account(id).Balance.LT(power(115)) {
		_, err = b.Escrow.Deposit(b.Ctx(), id, whale, most, nil)
		require.NoError(t, err)
		if b.account(id).Balance.GT(power(100)) {
			break
		}
	}
	b.pay(id, "bob", 1<<63-1, service)
	b.Run(600*second, 60*second)
	b.AssertInvariants()
}

func TestAnAccountThatMakesNoSenseIsRefused(t *testing.T) {
	b := start(t, quick())
	alice := b.Funded("alice", chain.Coin(1_000), sdk.NewInt64Coin("uother", 500))
	open := func(owner sdk.AccAddress, amount sdk.Coin) func(sdk.Context) error {
		return func(ctx sdk.Context) error { _, err := b.Escrow.OpenAccount(ctx, owner, amount, nil); return err }
	}
	b.fails(types.ErrInvalidAmount, open(alice, chain.Coin(99)))
	b.fails(types.ErrInvalidAmount, open(alice, chain.Coin(0)))
	b.fails(types.ErrInvalidAmount, open(alice, coin("usouk", math.NewInt(-1))))
	b.fails(types.ErrInvalidAmount, open(alice, coin("usouk", power(255))))
	b.fails(types.ErrInvalidAmount, open(alice, sdk.Coin{Denom: "usouk"}))
	b.fails(types.ErrDenom, open(alice, sdk.NewInt64Coin("uother", 100)))
	b.fails(types.ErrDenom, open(alice, coin("not a denom!", math.NewInt(100))))
	b.fails(sdkerrors.ErrInsufficientFunds, open(alice, chain.Coin(1_001)))
	b.fails(types.ErrInvalidAddress, open(nil, chain.Coin(100)))
	b.fails(types.ErrInvalidAddress, open(authtypes.NewModuleAddress(types.ModuleName), chain.Coin(100)))
	require.NoError(t, b.Try(open(alice, chain.Coin(100))))
}

func TestOnlyGovernanceChangesParametersAndOnlyWithinTheirRanges(t *testing.T) {
	b := start(t, quick())
	update := func(authority string, change func(*types.Params)) error {
		params := quick()
		change(&params)
		return b.Deliver(&types.MsgUpdateParams{Authority: authority, Params: params})
	}
	require.ErrorIs(t, update(b.Text(chain.Account("alice")), func(*types.Params) {}), types.ErrUnauthorized)
	require.ErrorIs(t, update("", func(*types.Params) {}), types.ErrUnauthorized)
	usouk := types.DenomParams{Denom: "usouk", MinDeposit: math.OneInt()}
	for name, change := range map[string]func(*types.Params){
		"a tick of 0":               func(p *types.Params) { p.MaxTickSeconds = 0 },
		"a tick of a day":           func(p *types.Params) { p.MaxTickSeconds = 86_400 },
		"an epoch of 0":             func(p *types.Params) { p.EpochSeconds = 0 },
		"an epoch of a year":        func(p *types.Params) { p.EpochSeconds = 365 * 86_400 },
		"an endless hold-back":      func(p *types.Params) { p.HoldbackEpochs = 1 << 31 },
		"no runway":                 func(p *types.Params) { p.MinRunwaySeconds = 0 },
		"an endless runway":         func(p *types.Params) { p.MinRunwaySeconds = 1<<32 - 1 },
		"a fee of all":              func(p *types.Params) { p.FeeBps = 10_000 },
		"no deadlines":              func(p *types.Params) { p.MaxDeadlinesPerBlock = 0 },
		"endless deadlines":         func(p *types.Params) { p.MaxDeadlinesPerBlock = 1 << 31 },
		"a denom twice":             func(p *types.Params) { p.Denoms = []types.DenomParams{usouk, usouk} },
		"a denom that is none":      func(p *types.Params) { p.Denoms[0].Denom = "!" },
		"a negative minimum":        func(p *types.Params) { p.Denoms[0].MinDeposit = math.NewInt(-1) },
		"a minimum that is not set": func(p *types.Params) { p.Denoms[0].MinDeposit = math.Int{} },
		"too many denoms":           func(p *types.Params) { p.Denoms = make([]types.DenomParams, 17) },
	} {
		t.Run(name, func(t *testing.T) {
			before := b.state()
			require.ErrorIs(t, update(b.Authority, change), types.ErrInvalidParams)
			require.Equal(t, before, b.state())
		})
	}
	require.NoError(t, update(b.Authority, func(p *types.Params) { p.FeeBps = 7 }))
	params, err := b.Escrow.Params(b.Ctx())
	require.NoError(t, err)
	require.Equal(t, uint32(7), params.FeeBps)
}

func TestADenomThatIsNoLongerListedTakesNoDepositsButPaysOut(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 1_000)
	stream := b.pay(id, "bob", unit, service)
	params := quick()
	params.Denoms = nil
	require.NoError(t, b.Deliver(&types.MsgUpdateParams{Authority: b.Authority, Params: params}))
	alice := b.Funded("alice", chain.Coin(500))
	require.ErrorIs(t, b.Deliver(&types.MsgDeposit{Signer: b.Text(alice), Account: id, Amount: chain.Coin(500)}), types.ErrDenom)
	listed, err := b.Escrow.IsSettlementDenom(b.Ctx(), "usouk")
	require.NoError(t, err)
	require.False(t, listed)
	b.Run(400*second, 50*second)
	b.stop(stream)
	refunded, err := b.Escrow.CloseAccount(b.Ctx(), id)
	require.NoError(t, err)
	require.Equal(t, chain.Coin(600), refunded)
	net, fee := b.withdraw("bob")
	require.Equal(t, []int64{196, 4}, []int64{net, fee}, "two epochs have matured")
	b.AssertInvariants()
}

func TestARecipientThatMayNotReceiveIsRefused(t *testing.T) {
	b := start(t, quick())
	b.fails(types.ErrInvalidAddress, func(ctx sdk.Context) error {
		_, _, err := b.Escrow.WithdrawEarnings(ctx, chain.Account("bob"), authtypes.NewModuleAddress(types.ModuleName), "usouk")
		return err
	})
	b.fails(types.ErrDenom, func(ctx sdk.Context) error {
		_, _, err := b.Escrow.WithdrawEarnings(ctx, chain.Account("bob"), chain.Account("bob"), "!")
		return err
	})
	b.fails(types.ErrNothingToWithdraw, func(ctx sdk.Context) error {
		_, _, err := b.Escrow.WithdrawEarnings(ctx, chain.Account("bob"), chain.Account("bob"), "unknown")
		return err
	})
}
