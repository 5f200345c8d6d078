package keeper_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/souk-network/souk/testutil/chain"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/provider/types"
)

func TestABondGrows(t *testing.T) {
	b := start(t)
	operator := b.register("acme", chain.Coin(500))
	b.Fund(operator, chain.Coin(100), sdk.NewInt64Coin("uother", 100))
	response, err := chain.Send[types.MsgBondResponse](b.Chain, &types.MsgBond{Operator: b.Text(operator), Amount: chain.Coin(60)})
	require.NoError(t, err)
	require.Equal(t, "560usouk", response.Bond.String())
	require.Equal(t, int64(40), b.Balance(operator))
	b.AssertInvariants()

	huge := math.NewIntFromBigInt(math.OneInt().BigInt().Lsh(math.OneInt().BigInt(), 96))
	for name, c := range map[string]struct {
		operator string
		amount   sdk.Coin
		want     error
	}{
		"of a stranger":      {b.Text(chain.Account("stranger")), chain.Coin(1), types.ErrNotFound},
		"of nobody":          {"", chain.Coin(1), types.ErrInvalidAddress},
		"of nothing":         {b.Text(operator), chain.Coin(0), types.ErrInvalidBond},
		"less than nothing":  {b.Text(operator), sdk.Coin{Denom: "usouk", Amount: math.NewInt(-1)}, types.ErrInvalidBond},
		"of no amount":       {b.Text(operator), sdk.Coin{Denom: "usouk"}, types.ErrInvalidBond},
		"of 2^96":            {b.Text(operator), sdk.Coin{Denom: "usouk", Amount: huge}, types.ErrInvalidBond},
		"in unknown coins":   {b.Text(operator), sdk.NewInt64Coin("uother", 1), types.ErrInvalidBond},
		"in what is no coin": {b.Text(operator), sdk.Coin{Denom: "!", Amount: math.OneInt()}, types.ErrInvalidBond},
		"beyond its means":   {b.Text(operator), chain.Coin(41), sdkerrors.ErrInsufficientFunds},
	} {
		t.Run("but not "+name, func(t *testing.T) {
			b.t = t
			b.refused(c.want, &types.MsgBond{Operator: c.operator, Amount: c.amount})
		})
	}
}

func TestTheModuleAboveLearnsOfMoreBondAndMayRefuseIt(t *testing.T) {
	b, above := startUnder(t)
	require.Panics(t, func() { b.Provider.SetHooks(above) })
	operator := b.register("acme")
	b.Fund(operator, chain.Coin(100))
	b.agrees(&types.MsgBond{Operator: b.Text(operator), Amount: chain.Coin(1)})
	require.Equal(t, []string{"bonded " + b.Text(operator)}, above.heard)
	above.err = errors.New("no")
	b.refused(above.err, &types.MsgBond{Operator: b.Text(operator), Amount: chain.Coin(1)})
}

func TestASlashToThePublicBurnsHalfAndGivesHalfToTheCommunity(t *testing.T) {
	b := start(t)
	operator := b.register("acme", chain.Coin(500), sdk.NewInt64Coin(ibcDenom, 100))
	supply := b.Bank.GetSupply(b.Ctx(), "usouk").Amount.Int64()
	slash := func(coin sdk.Coin) sdk.Coin {
		slashed, err := b.Provider.SlashToPublic(b.Ctx(), operator, coin, "test")
		require.NoError(t, err)
		b.AssertInvariants()
		return slashed
	}
	require.Equal(t, chain.Coin(101), slash(chain.Coin(101)))
	require.Equal(t, supply-50, b.Bank.GetSupply(b.Ctx(), "usouk").Amount.Int64())
	require.Equal(t, int64(51), b.CommunityPool())
	require.Equal(t, chain.Coin(1), slash(chain.Coin(1)), "of one micro-denom nothing is burnt")
	require.Equal(t, supply-50, b.Bank.GetSupply(b.Ctx(), "usouk").Amount.Int64())
	require.Equal(t, chain.Coin(398), slash(chain.Coin(1_000_000)), "never more than there is")
	require.True(t, slash(chain.Coin(5)).IsZero())
	require.True(t, slash(sdk.NewInt64Coin("uother", 5)).IsZero())

	require.Equal(t, sdk.NewInt64Coin(ibcDenom, 30), slash(sdk.NewInt64Coin(ibcDenom, 30)))
	require.Equal(t, int64(100), b.Bank.GetSupply(b.Ctx(), ibcDenom).Amount.Int64(), "coins of other chains are not burnt")
	require.Equal(t, sdk.NewCoins(sdk.NewInt64Coin(ibcDenom, 70)), b.provider(operator).Bond)

	_, err := b.Provider.SlashToPublic(b.Ctx(), operator, sdk.Coin{Denom: "usouk", Amount: math.NewInt(-1)}, "test")
	require.ErrorIs(t, err, types.ErrInvalidBond)
	_, err = b.Provider.SlashToPublic(b.Ctx(), operator, sdk.Coin{Denom: "usouk"}, "test")
	require.ErrorIs(t, err, types.ErrInvalidBond)
	_, err = b.Provider.SlashToPublic(b.Ctx(), chain.Account("stranger"), chain.Coin(1), "test")
	require.ErrorIs(t, err, types.ErrNotFound)
}

func TestASlashToAnAccountCompensatesTheTenant(t *testing.T) {
	b := start(t)
	operator := b.register("acme", chain.Coin(500))
	tenant := b.Funded("tenant", chain.Coin(1_000))
	account, err := b.Escrow.OpenAccount(b.Ctx(), tenant, chain.Coin(1_000), nil)
	require.NoError(t, err)
	slashed, err := b.Provider.SlashToAccount(b.Ctx(), operator, chain.Coin(120), account, "not acknowledged")
	require.NoError(t, err)
	require.Equal(t, chain.Coin(120), slashed)
	b.AssertInvariants()
	refunded, err := b.Escrow.CloseAccount(b.Ctx(), account)
	require.NoError(t, err)
	require.Equal(t, chain.Coin(1_120), refunded)

	_, err = b.Provider.SlashToAccount(b.Ctx(), operator, chain.Coin(80), account, "too late")
	require.NoError(t, err)
	require.Equal(t, int64(1_200), b.Balance(tenant), "the owner of a closed account is paid")
	require.ErrorIs(t, b.Try(func(ctx sdk.Context) error {
		_, err := b.Provider.SlashToAccount(ctx, operator, chain.Coin(80), 99, "nobody")
		return err
	}), escrowtypes.ErrAccountNotFound)
	b.AssertInvariants()
}

func TestTheRequirementIsWrittenOnlyWhenItChanges(t *testing.T) {
	b := start(t)
	operator := b.register("acme", chain.Coin(500))
	set := func(coins sdk.Coins) uint64 {
		require.NoError(t, b.Try(func(ctx sdk.Context) error { return b.Provider.SetRequirement(ctx, operator, coins) }))
		got, err := b.Provider.RequirementOf(b.Ctx(), operator)
		require.NoError(t, err)
		require.True(t, coins.Equal(got))
		return b.GasUsed
	}
	first := set(sdk.NewCoins(chain.Coin(7)))
	again := set(sdk.NewCoins(chain.Coin(7)))
	require.Less(t, again, first/2)
	set(sdk.NewCoins(chain.Coin(8), sdk.NewInt64Coin(ibcDenom, 1)))
	set(nil)
	set(nil)
	require.ErrorIs(t, b.Provider.SetRequirement(b.Ctx(), operator, sdk.Coins{{Denom: "usouk", Amount: math.NewInt(-1)}}),
		types.ErrInvalidBond)
	require.ErrorIs(t, b.Provider.SetRequirement(b.Ctx(), operator, sdk.Coins{{Denom: "usouk"}}), types.ErrInvalidBond)
}
