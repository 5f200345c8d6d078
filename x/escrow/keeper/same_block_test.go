package keeper_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/authz"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/escrow/types"
)

// orders returns the items in every order.
func orders(items []string) [][]string {
	if len(items) == 0 {
		return [][]string{nil}
	}
	var out [][]string
	for i, first := range items {
		rest := append(append([]string(nil), items[:i]...), items[i+1:]...)
		for _, order := range orders(rest) {
			out = append(out, append([]string{first}, order...))
		}
	}
	return out
}

// TestWhatHappensInOneBlockCostsTheSameInEveryOrder lets a stream close in the block in which another opens, money comes
// in, a rate changes, the payee withdraws, and another account of the same payee ends. Whatever comes first, everybody ends
// up with the same.
func TestWhatHappensInOneBlockCostsTheSameInEveryOrder(t *testing.T) {
	var want []int64
	for _, order := range orders([]string{"open", "close", "deposit", "replace", "withdraw"}) {
		t.Run(strings.Join(order, ", "), func(t *testing.T) {
			b := start(t, careful())
			id, ending := b.open("alice", 10_000), b.open("dave", 1_704)
			old, changed := b.pay(id, "bob", 3*unit+7, service), b.pay(id, "bob", unit, service)
			b.pay(ending, "bob", 5*unit, service) // low at 331, and ends at 439
			b.Run(390*second, 39*second)
			alice := b.Funded("alice", chain.Coin(500))
			b.NextBlock(50 * second) // 441
			require.Equal(t, closedState, b.stored(ending).State)
			require.NoError(t, b.Try(func(ctx sdk.Context) error {
				for _, what := range order {
					var err error
					switch what {
					case "open":
						_, err = b.Escrow.OpenStream(ctx, id, 9, chain.Account("bob"), 2*unit, service)
					case "close":
						err = b.Escrow.CloseStream(ctx, old, 441)
					case "deposit":
						_, err = b.Escrow.Deposit(ctx, id, alice, chain.Coin(500), nil)
					case "replace":
						_, err = b.Escrow.ReplaceStream(ctx, changed, 4*unit)
					case "withdraw":
						_, _, err = b.Escrow.WithdrawEarnings(ctx, chain.Account("bob"), chain.Account("bob"), "usouk")
					}
					if err != nil {
						return fmt.Errorf("%s: %w", what, err)
					}
				}
				return nil
			}))
			b.AssertInvariants()
			b.NextBlock(10 * second)
			got := []int64{
				b.left(id), int64(b.stored(id).ZeroAt), int64(b.stored(id).LowAt), b.Balance(chain.Account("bob")),
				b.earnings("bob").Accruing.Int64(), b.earnings("bob").HeldBack.Int64(), b.earnings("bob").Available.Int64(),
				b.Balance(chain.Account("dave")),
			}
			if want == nil {
				want = got
			}
			require.Equal(t, want, got)
			b.ends(id)
			b.AssertInvariants()
		})
	}
}

func TestOpeningAndClosingInOneBlockMovesNothing(t *testing.T) {
	b := start(t, careful())
	alice := b.Funded("alice", chain.Coin(1_000))
	require.NoError(t, b.Try(func(ctx sdk.Context) error {
		id, err := b.Escrow.OpenAccount(ctx, alice, chain.Coin(900), nil)
		require.NoError(t, err)
		held, err := b.Escrow.Hold(ctx, id, 5*unit, 3)
		require.NoError(t, err)
		_, err = b.Escrow.OpenHeldStream(ctx, id, 1, chain.Account("bob"), 5*unit, service, held)
		require.NoError(t, err)
		_, err = b.Escrow.Deposit(ctx, id, alice, chain.Coin(100), nil)
		require.NoError(t, err)
		refunded, err := b.Escrow.EndAccount(ctx, id)
		require.Equal(t, chain.Coin(1_000), refunded)
		return err
	}))
	require.Equal(t, int64(1_000), b.Balance(alice))
	b.AssertInvariants()
}

func TestAnAccountThatEndsInThisBlockCanNeitherBeSavedNorClosedAgain(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 107)
	stream := b.pay(id, "bob", 10*unit, service)
	b.NextBlock(60 * second)
	require.Equal(t, closedState, b.stored(id).State)
	alice := b.Funded("alice", chain.Coin(100))
	b.fails(types.ErrAccountClosed, func(ctx sdk.Context) error {
		_, err := b.Escrow.Deposit(ctx, id, alice, chain.Coin(100), nil)
		return err
	})
	b.fails(types.ErrAccountClosed, func(ctx sdk.Context) error { _, err := b.Escrow.EndAccount(ctx, id); return err })
	b.fails(types.ErrAccountClosed, func(ctx sdk.Context) error { _, err := b.Escrow.CloseAccount(ctx, id); return err })
	b.fails(types.ErrAccountClosed, func(ctx sdk.Context) error { _, err := b.Escrow.TryResume(ctx, id); return err })
	require.NoError(t, b.Escrow.CloseStream(b.Ctx(), stream, b.Now()))
	b.AssertInvariants()
}

func TestTheLargestAmountsAndRatesPauseResumeAndEndExactly(t *testing.T) {
	const fastest = uint64(1)<<63 - 1
	for _, bps := range []uint32{0, 1, 3_333, 10_000} {
		t.Run(fmt.Sprintf("at %d bps", bps), func(t *testing.T) {
			params := careful()
			params.PauseBps = bps
			b := start(t, params)
			most := coin("usouk", power(96).SubRaw(1))
			whale := b.Funded("whale", coin("usouk", power(100)))
			id, err := b.Escrow.OpenAccount(b.Ctx(), whale, most, nil)
			require.NoError(t, err)
			for range types.MaxStreams {
				b.pay(id, "bob", fastest, service)
			}
			// 2^96 x 3600 / (256 x 2^63) is more than a thousand years; paid at once, it is soon low.
			free := power(96).MulRaw(3600).Sub(math.NewIntFromUint64(fastest).MulRaw(256 * 15))
			for free.IsPositive() {
				part := math.MinInt(free, math.NewIntFromUint64(fastest).MulRaw(1<<32-1))
				require.NoError(t, b.Escrow.PayHold(b.Ctx(), id, 1, chain.Account("bob"), fastest,
					max(1, part.Quo(math.NewIntFromUint64(fastest)).Uint64())))
				free = free.Sub(part)
			}
			for b.stored(id).State == funded {
				b.NextBlock(second)
			}
			b.AssertInvariants()
			require.Equal(t, low, b.stored(id).State)
			_, err = b.Escrow.Deposit(b.Ctx(), id, whale, most, nil)
			require.NoError(t, err)
			require.Equal(t, funded, b.stored(id).State)
			b.AssertInvariants()
			b.ends(id)
			b.Run(600*second, 60*second)
			b.AssertInvariants()
		})
	}
}

func TestMessagesOfGovernanceWorkForNobodyElseInNoWay(t *testing.T) {
	b := start(t, careful())
	id := b.open("alice", 300)
	stream := b.pay(id, "bob", 10*unit, service)
	b.book.poisonSwaps = map[uint64]bool{stream: true}
	b.NextBlock(25 * second)
	b.book.poisonSwaps = nil
	alice := chain.Account("alice")
	params := careful()
	params.FeeBps = 5_000
	for _, signer := range []string{b.Authority, b.Text(alice), ""} {
		update := &types.MsgUpdateParams{Authority: signer, Params: params}
		retry := &types.MsgRetry{Authority: signer, Source: types.AccountSource, Id: id}
		for _, msg := range []sdk.Msg{update, retry} {
			if signer != b.Authority {
				require.ErrorIs(t, b.Deliver(msg), types.ErrUnauthorized)
				continue
			}
			exec := authz.NewMsgExec(alice, []sdk.Msg{msg})
			require.ErrorIs(t, b.Deliver(&exec), authz.ErrNoAuthorizationFound)
		}
	}
	update := &types.MsgUpdateParams{Authority: b.Authority, Params: params}
	back := &types.MsgUpdateParams{Authority: b.Authority, Params: careful()}
	retry := &types.MsgRetry{Authority: b.Authority, Source: types.AccountSource, Id: id}
	require.NoError(t, b.Deliver(update, update, back, retry))
	require.ErrorIs(t, b.Deliver(retry), types.ErrNotQuarantined)
	require.Equal(t, low, b.stored(id).State)
	b.AssertInvariants()
}
