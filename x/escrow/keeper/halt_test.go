package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/escrow/types"
)

func (b *bench) halts(params types.Params, halted bool) {
	b.t.Helper()
	params.Denoms = append([]types.DenomParams(nil), params.Denoms...)
	params.Denoms[0].Halted = halted
	require.NoError(b.t, b.Deliver(&types.MsgUpdateParams{Authority: b.Authority, Params: params}))
}

func TestAHaltedDenomTakesNothingNewAndWhatFlowsFlows(t *testing.T) {
	b := start(t, careful(), chain.WithModuleAccount("treasury"))
	id, poor := b.open("alice", 1_000), b.open("dave", 200)
	paid := b.pay(id, "bob", unit, service)
	b.pay(poor, "bob", 10*unit, service) // low at 11
	held, err := b.Escrow.Hold(b.Ctx(), id, unit, 5)
	require.NoError(t, err)
	b.Run(350*second, 50*second)
	b.open("erin", 100)
	waiting := b.open("alice", 200)
	b.pay(waiting, "bob", 10*unit, service) // low at 361
	b.halts(careful(), true)
	alice := b.Funded("alice", chain.Coin(1_000))

	for name, f := range map[string]func(ctx sdk.Context) error{
		"deposit": func(ctx sdk.Context) error {
			_, err := b.Escrow.Deposit(ctx, id, alice, chain.Coin(10), nil)
			return err
		},
		"open account": func(ctx sdk.Context) error {
			_, err := b.Escrow.OpenAccount(ctx, alice, chain.Coin(500), nil)
			return err
		},
		"hold": func(ctx sdk.Context) error { _, err := b.Escrow.Hold(ctx, id, 1, 1); return err },
		"open stream": func(ctx sdk.Context) error {
			_, err := b.Escrow.OpenStream(ctx, id, 1, chain.Account("bob"), 1, hold)
			return err
		},
		"a higher rate": func(ctx sdk.Context) error { _, err := b.Escrow.ReplaceStream(ctx, paid, 2*unit); return err },
		"withdraw": func(ctx sdk.Context) error {
			_, _, err := b.Escrow.WithdrawEarnings(ctx, chain.Account("bob"), chain.Account("bob"), "usouk")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			b.fails(types.ErrHalted, f)
		})
	}
	b.t = t
	room, err := b.Escrow.RateRoom(b.Ctx(), id, 1)
	require.NoError(t, err)
	require.Zero(t, room)

	require.NoError(t, b.Escrow.Release(b.Ctx(), id, held))
	b.replace(paid, unit/2)
	b.NextBlock(12 * second)
	require.Equal(t, low, b.stored(waiting).State, "pausing goes on")
	require.NoError(t, b.Bank.SendCoinsFromAccountToModule(b.Ctx(), alice, "treasury", sdk.NewCoins(chain.Coin(500))))
	require.NoError(t, b.Try(func(ctx sdk.Context) error {
		return b.Escrow.AddFunds(ctx, waiting, chain.Coin(500), "treasury")
	}))
	require.Equal(t, low, b.stored(waiting).State, "resuming does not")
	resumed, err := b.Escrow.TryResume(b.Ctx(), waiting)
	require.NoError(t, err)
	require.False(t, resumed)
	b.ends(id)
	b.AssertInvariants()

	b.halts(careful(), false)
	resumed, err = b.Escrow.TryResume(b.Ctx(), waiting)
	require.NoError(t, err)
	require.True(t, resumed)
	net, _ := b.withdraw("bob")
	require.Positive(t, net)
	b.AssertInvariants()
}

func TestAHaltedDenomExhaustsAndRefunds(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 103)
	b.pay(id, "bob", 5*unit, service)
	b.halts(quick(), true)
	b.NextBlock(30 * second)
	require.Equal(t, closedState, b.stored(id).State)
	require.Equal(t, int64(3), b.Balance(chain.Account("alice")))
	b.AssertInvariants()
}
