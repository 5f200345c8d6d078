package keeper_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/escrow/types"
)

// TestGasOfTheStepsOfALease keeps the gas of escrow's part in a lease within what leaves room for the market's: see the
// budgets of the chain's cost model. The numbers hold for any number of accounts.
func TestGasOfTheStepsOfALease(t *testing.T) {
	b := start(t, quick())
	b.open("dave", 1_000_000)
	alice := b.Funded("alice", chain.Coin(1_000_000_000))
	var account, stream uint64
	measure := func(budget uint64, f func(ctx sdk.Context) error) {
		t.Helper()
		require.NoError(t, b.Try(f))
		t.Logf("%d gas of %d", b.GasUsed, budget)
		require.LessOrEqual(t, b.GasUsed, budget)
	}
	b.pay(1, "bob", unit, service) // the payee has earned before
	measure(40_000, func(ctx sdk.Context) (err error) {
		account, err = b.Escrow.OpenAccount(ctx, alice, chain.Coin(1_000_000_000), nil)
		return err
	})
	measure(20_000, func(ctx sdk.Context) error {
		held, err := b.Escrow.Hold(ctx, account, 5*unit, 60)
		require.NoError(t, err)
		return b.Escrow.Release(ctx, account, held)
	})
	measure(30_000, func(ctx sdk.Context) (err error) {
		opened, err := b.Escrow.OpenStream(ctx, account, 7, chain.Account("bob"), 5*unit, service)
		stream = opened.Id
		return err
	})
	b.NextBlock(10 * second)
	measure(30_000, func(ctx sdk.Context) error { return b.Escrow.CloseStream(ctx, stream, b.Now()) })
	measure(30_000, func(ctx sdk.Context) error { _, err := b.Escrow.CloseAccount(ctx, account); return err })
}

// BenchmarkExhaustion ends 10,000 accounts of one stream each in one second.
func BenchmarkExhaustion(b *testing.B) {
	const accounts = 10_000
	params := quick()
	params.MaxDeadlinesPerBlock = 100_000
	for b.Loop() {
		b.StopTimer()
		c := start(b, params)
		for i := range accounts {
			c.pay(c.open(fmt.Sprintf("tenant %d", i), 100), fmt.Sprintf("payee %d", i%100), 10*unit, service)
		}
		c.NextBlock(second)
		b.StartTimer()
		c.NextBlock(20 * second)
		b.StopTimer()
		require.Equal(b, types.AccountState_ACCOUNT_STATE_CLOSED, c.account(accounts).Account.State)
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/accounts, "µs/account")
}

// BenchmarkBlockWithNothingDue is the cost of a block at growing numbers of live accounts.
func BenchmarkBlockWithNothingDue(b *testing.B) {
	for _, accounts := range []int{10, 1_000, 10_000} {
		b.Run(fmt.Sprint(accounts), func(b *testing.B) {
			c := start(b, types.DefaultParams())
			for i := range accounts {
				c.pay(c.open(fmt.Sprintf("tenant %d", i), 1_000_000), fmt.Sprintf("payee %d", i%100), 10, service)
			}
			c.NextBlock(second)
			b.ResetTimer()
			for b.Loop() {
				require.NoError(b, c.Escrow.BeginBlock(c.Ctx()))
			}
		})
	}
}
