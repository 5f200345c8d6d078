package simulation

import (
	"errors"
	"fmt"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"
)

// mostFee is the most that a simulated transaction pays, in micro-denom.
const mostFee = 2000

// Page is the one page of a list that a simulation reads.
func Page() *query.PageRequest { return &query.PageRequest{Limit: 100} }

// Sign returns the signers of a message. They keep a little for the fee: left to itself, the simulator burns half of what an
// account has with every transaction.
func Sign(account simsx.SimAccount) []simsx.SimAccount {
	liquid := account.LiquidBalance()
	fees := make(sdk.Coins, 0, len(liquid.Coins))
	for _, coin := range liquid.Coins {
		fees = append(fees, sdk.NewCoin(coin.Denom, math.MinInt(coin.Amount, math.NewInt(mostFee))))
	}
	liquid.Coins = sdk.NewCoins(fees...)
	return []simsx.SimAccount{account}
}

// Spend takes a coin of the amount from what the account can spend, less if it has less. It tells false if that is nothing
// beside the fee.
func Spend(account simsx.SimAccount, denom string, amount uint64) (sdk.Coin, bool) {
	has := account.LiquidBalance().AmountOf(denom).SubRaw(mostFee)
	coin := sdk.Coin{Denom: denom, Amount: math.MinInt(has, math.NewIntFromUint64(amount))}
	return coin, coin.IsPositive() && account.LiquidBalance().BlockAmount(coin)
}

// May lets a message fail with one of the errors and no other.
func May(allowed ...error) simsx.SimDeliveryResultHandler {
	return func(err error) error {
		for _, one := range allowed {
			if errors.Is(err, one) {
				return nil
			}
		}
		return err
	}
}

// Refused wants a message to fail with one of the errors.
func Refused(wanted ...error) simsx.SimDeliveryResultHandler {
	return func(err error) error {
		if err == nil {
			return fmt.Errorf("accepted, should have failed with %v", wanted)
		}
		return May(wanted...)(err)
	}
}

// OneIn tells true once in n.
func OneIn(r *simsx.XRand, n int) bool { return r.Intn(n) == 0 }

// UpTo returns a number from 1 to most; 1 if most is 0.
func UpTo(r *simsx.XRand, most uint64) uint64 { return 1 + uint64(r.Int63n(int64(max(most, 1)))) }

// A factory returns as soon as it has skipped: the simulator goes on at once, and further numbers that it drew would make the
// history depend on which of the two is faster.

// FirstFrom returns the first account, counted from a random one on, for which the function finds something, and what it
// found. It skips the operation if there is none.
func FirstFrom[T any](
	testData *simsx.ChainDataSource, reporter simsx.SimulationReporter, what string, find func(simsx.SimAccount) (T, bool),
) (simsx.SimAccount, T) {
	count := testData.AccountsCount()
	start := testData.Rand().Intn(count)
	for i := range count {
		account := testData.AccountAt(reporter, (start+i)%count)
		if found, ok := find(account); ok {
			return account, found
		}
	}
	var none T
	reporter.Skip("no " + what)
	return simsx.SimAccount{}, none
}
