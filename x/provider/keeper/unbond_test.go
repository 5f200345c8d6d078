package keeper_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/provider/types"
)

func TestBondReturnsExactlyAtItsSecond(t *testing.T) {
	b := start(t)
	operator := b.register("acme", chain.Coin(500))
	response, err := chain.Send[types.MsgUnbondResponse](b.Chain, &types.MsgUnbond{Operator: b.name("acme"), Amount: chain.Coin(120)})
	require.NoError(t, err)
	require.Equal(t, types.MsgUnbondResponse{Unbonding: 1, CompletesAt: 101}, *response)
	b.saw(&types.EventUnbonding{Provider: b.name("acme"), Unbonding: 1, Amount: "120usouk", CompletesAt: 101})
	require.Equal(t, "380usouk", b.provider(operator).Bond.String())
	require.Equal(t, []string{"1: 120usouk at 101"}, b.unbondings("acme"))
	b.AssertInvariants()

	b.pass(99)
	require.Equal(t, uint64(100), b.Now())
	require.Equal(t, int64(0), b.Balance(operator), "a second early it is still at stake")
	b.pass(1)
	require.Equal(t, int64(120), b.Balance(operator))
	b.saw(&types.EventUnbonded{Provider: b.name("acme"), Unbonding: 1, Amount: "120usouk"})
	require.Empty(t, b.unbondings("acme"))
}

func TestOnlyBondThatIsSpareCanBeTakenBack(t *testing.T) {
	b, above := startUnder(t)
	b.register("acme", chain.Coin(500), sdk.NewInt64Coin(ibcDenom, 7))
	above.asks[b.name("acme")] = sdk.NewCoins(chain.Coin(400), sdk.NewInt64Coin(ibcDenom, 8))
	huge := math.NewIntFromBigInt(math.OneInt().BigInt().Lsh(math.OneInt().BigInt(), 96))
	for name, c := range map[string]struct {
		operator string
		amount   sdk.Coin
		want     error
	}{
		"of a stranger":              {b.name("stranger"), chain.Coin(1), types.ErrNotFound},
		"by the agent":               {b.name("acme's agent"), chain.Coin(1), types.ErrNotFound},
		"of nobody":                  {"", chain.Coin(1), types.ErrInvalidAddress},
		"of nothing":                 {b.name("acme"), chain.Coin(0), types.ErrInvalidBond},
		"less than nothing":          {b.name("acme"), sdk.Coin{Denom: "usouk", Amount: math.NewInt(-1)}, types.ErrInvalidBond},
		"of no amount":               {b.name("acme"), sdk.Coin{Denom: "usouk"}, types.ErrInvalidBond},
		"of 2^96":                    {b.name("acme"), sdk.Coin{Denom: "usouk", Amount: huge}, types.ErrInvalidBond},
		"in what is no coin":         {b.name("acme"), sdk.Coin{Denom: "!", Amount: math.OneInt()}, types.ErrInvalidBond},
		"in coins never bonded":      {b.name("acme"), sdk.NewInt64Coin("uother", 1), types.ErrInvalidBond},
		"more than is bonded":        {b.name("acme"), chain.Coin(501), types.ErrInvalidBond},
		"what the market asks for":   {b.name("acme"), chain.Coin(101), types.ErrBondRequired},
		"of a denom that runs short": {b.name("acme"), sdk.NewInt64Coin(ibcDenom, 1), types.ErrBondRequired},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			b.refused(c.want, &types.MsgUnbond{Operator: c.operator, Amount: c.amount})
		})
	}
	b.t = t
	b.unbond("acme", chain.Coin(100))
	above.err = fmt.Errorf("cannot tell")
	b.refused(above.err, &types.MsgUnbond{Operator: b.name("acme"), Amount: chain.Coin(1)})
}

func TestAtMostSevenUnbondingsAreUnderWay(t *testing.T) {
	b := start(t)
	b.register("acme", chain.Coin(500))
	for range types.MaxUnbondings {
		b.unbond("acme", chain.Coin(10))
		b.pass(1)
	}
	eighth := &types.MsgUnbond{Operator: b.name("acme"), Amount: chain.Coin(10)}
	b.refused(types.ErrTooManyUnbondings, eighth)
	b.pass(92)
	b.refused(types.ErrTooManyUnbondings, eighth)
	b.pass(1)
	b.agrees(eighth)
	require.Len(t, b.unbondings("acme"), types.MaxUnbondings)
}

func TestBondAndUnbondInOneBlockAreExactInEitherOrder(t *testing.T) {
	b := start(t)
	operator := b.register("acme", chain.Coin(500))
	b.Fund(operator, chain.Coin(100))
	more, less := &types.MsgBond{Operator: b.name("acme"), Amount: chain.Coin(100)}, &types.MsgUnbond{Operator: b.name("acme"), Amount: chain.Coin(300)}
	b.agrees(more, less, less)
	require.True(t, b.provider(operator).Bond.Empty())
	b.refused(types.ErrInvalidBond, less)
	require.Equal(t, []string{"1: 300usouk at 101", "2: 300usouk at 101"}, b.unbondings("acme"))
	b.pass(100)
	require.Equal(t, int64(600), b.Balance(operator))
	b.agrees(more)
}

func TestASlashTakesTheBondFirstAndThenTheNewestUnbondings(t *testing.T) {
	b := start(t)
	operator := b.register("acme", chain.Coin(100), sdk.NewInt64Coin(ibcDenom, 50))
	b.unbond("acme", chain.Coin(20))
	b.pass(10)
	b.unbond("acme", sdk.NewInt64Coin(ibcDenom, 5))
	b.unbond("acme", chain.Coin(30))
	slash := func(amount, want int64) {
		t.Helper()
		slashed, err := b.Provider.SlashToPublic(b.Ctx(), operator, chain.Coin(amount), "test")
		require.NoError(t, err)
		require.Equal(t, chain.Coin(want), slashed)
		b.AssertInvariants()
	}
	atStake, err := b.Provider.AtStake(b.Ctx(), operator)
	require.NoError(t, err)
	require.Equal(t, "50"+ibcDenom+",100usouk", atStake.String())

	slash(40, 40)
	require.Equal(t, "45"+ibcDenom+",10usouk", b.provider(operator).Bond.String())
	slash(15, 15)
	require.Equal(t, "45"+ibcDenom, b.provider(operator).Bond.String())
	require.Equal(t, []string{"1: 20usouk at 101", "2: 5" + ibcDenom + " at 111", "3: 25usouk at 111"}, b.unbondings("acme"))
	slash(30, 30)
	require.Equal(t, []string{"1: 15usouk at 101", "2: 5" + ibcDenom + " at 111"}, b.unbondings("acme"))
	b.pass(90)
	require.Equal(t, int64(15), b.Balance(operator), "it gets what was left")
	slash(1, 0)
	b.pass(10)
	require.Equal(t, int64(5), b.Bank.GetBalance(b.Ctx(), operator, ibcDenom).Amount.Int64())
}

// Named cases of evasion: whatever a provider does in the block of its offence, what it had at stake can be taken.
func TestASlashIsNotEvaded(t *testing.T) {
	for name, evade := range map[string]func(b *bench) []sdk.Msg{
		"by unbonding in the block of the offence": func(b *bench) []sdk.Msg {
			return []sdk.Msg{&types.MsgUnbond{Operator: b.name("acme"), Amount: chain.Coin(500)}}
		},
		"by unbonding in many parts": func(b *bench) []sdk.Msg {
			part := &types.MsgUnbond{Operator: b.name("acme"), Amount: chain.Coin(70)}
			return []sdk.Msg{part, part, part, part, part, part, part}
		},
		"by naming another agent in the block of the offence": func(b *bench) []sdk.Msg {
			return []sdk.Msg{&types.MsgRotateAgent{Operator: b.name("acme"), Agent: b.name("new agent")}}
		},
		"by leaving and unbonding": func(b *bench) []sdk.Msg {
			return []sdk.Msg{
				&types.MsgDeregister{Operator: b.name("acme")}, &types.MsgUnbond{Operator: b.name("acme"), Amount: chain.Coin(500)},
			}
		},
		"by another payout and another gateway": func(b *bench) []sdk.Msg {
			other := b.registration("other")
			return []sdk.Msg{&types.MsgUpdate{
				Operator: b.name("acme"), Payout: other.Payout, GatewayUri: other.GatewayUri, TlsKeys: other.TlsKeys,
			}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t)
			operator := b.register("acme", chain.Coin(500))
			b.agrees(evade(b)...)
			slashed, err := b.Provider.SlashToPublic(b.Ctx(), operator, chain.Coin(495), "offence")
			require.NoError(t, err)
			require.Equal(t, chain.Coin(495), slashed)
			b.pass(200)
			require.LessOrEqual(t, b.Balance(operator), int64(5))
		})
	}
}

// A provider that is slashed in favour of an account of its own moves bond out of the module no further than the slash
// goes: what is unbonding pays that much less. That half of a penalty goes to the public is for the market to see to.
func TestASlashToOnesOwnAccountPaysTheBondOnce(t *testing.T) {
	b := start(t)
	operator := b.register("acme", chain.Coin(500))
	b.Fund(operator, chain.Coin(10))
	account, err := b.Escrow.OpenAccount(b.Ctx(), operator, chain.Coin(10), nil)
	require.NoError(t, err)
	b.unbond("acme", chain.Coin(500))
	slashed, err := b.Provider.SlashToAccount(b.Ctx(), operator, chain.Coin(200), account, "sham")
	require.NoError(t, err)
	require.Equal(t, chain.Coin(200), slashed)
	_, err = b.Escrow.CloseAccount(b.Ctx(), account)
	require.NoError(t, err)
	require.Equal(t, int64(210), b.Balance(operator))
	b.pass(100)
	require.Equal(t, int64(510), b.Balance(operator))
}

func TestBondThatIsDueIsNotSlashedHoweverLateItIsPaid(t *testing.T) {
	params := quickEscrow()
	params.MaxDeadlinesPerBlock = 1
	b := start(t, chain.WithEscrowParams(params))
	operator := b.register("acme", chain.Coin(500))
	b.unbond("acme", chain.Coin(100))
	b.unbond("acme", chain.Coin(200))
	b.pass(100)
	require.Equal(t, int64(100), b.Balance(operator))
	require.Len(t, b.unbondings("acme"), 1, "one is due and waits for the next block")
	slashed, err := b.Provider.SlashToPublic(b.Ctx(), operator, chain.Coin(500), "late")
	require.NoError(t, err)
	require.Equal(t, chain.Coin(200), slashed)
	b.pass(0)
	require.Equal(t, int64(300), b.Balance(operator))
}

func TestAnUnbondingThatCannotBePaidWaitsInQuarantineAndIsPaidOnceByARetry(t *testing.T) {
	b := start(t)
	operator := b.register("acme", chain.Coin(500))
	other := b.register("other", chain.Coin(50))
	b.unbond("acme", chain.Coin(500))
	thief := chain.Account("thief")
	stolen := sdk.NewCoins(chain.Coin(500))
	require.NoError(t, b.Bank.SendCoinsFromModuleToAccount(b.Ctx(), types.ModuleName, thief, stolen))
	require.NoError(t, b.Deliver(&types.MsgUnbond{Operator: b.name("other"), Amount: chain.Coin(50)}))
	b.NextBlock(100 * time.Second)
	require.Equal(t, int64(0), b.Balance(operator))
	require.Equal(t, int64(50), b.Balance(other), "the next item is not held up")
	require.Equal(t, []string{"1: 500usouk at 101"}, b.unbondings("acme"), "it is still counted")
	require.ErrorIs(t, b.Provider.CheckConservation(b.Ctx()), types.ErrBroken)

	retry := &escrowtypes.MsgRetry{Authority: b.Authority, Source: types.UnbondingSource, Id: 1}
	require.Error(t, b.Deliver(retry))
	require.NoError(t, b.Bank.SendCoinsFromAccountToModule(b.Ctx(), thief, types.ModuleName, stolen))
	b.agrees(retry)
	require.Equal(t, int64(500), b.Balance(operator))
	require.ErrorIs(t, b.Deliver(retry), escrowtypes.ErrNotQuarantined)
	require.NoError(t, b.Provider.UnbondingDeadlines().Retry(b.Ctx(), 1), "an item dealt with is left alone")
	require.Equal(t, int64(500), b.Balance(operator))
}

func TestAnEmptyQueueHasNothingToProcess(t *testing.T) {
	b := start(t)
	for _, source := range []escrowtypes.DeadlineSource{b.Provider.UnbondingDeadlines(), b.Provider.RotationDeadlines()} {
		_, err := source.ProcessNext(b.Ctx())
		require.ErrorIs(t, err, escrowtypes.ErrNothingDue, source.Name())
		_, err = source.Quarantine(b.Ctx())
		require.ErrorIs(t, err, escrowtypes.ErrNothingDue, source.Name())
	}
}
