package simulation

import (
	"slices"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"
)

// Accounts draws up to n different accounts, in the order of their addresses' text.
func Accounts(testData *simsx.ChainDataSource, reporter simsx.SimulationReporter, n int) []string {
	var drawn []string
	for range n {
		drawn = append(drawn, testData.AnyAccount(reporter).AddressBech32)
	}
	slices.Sort(drawn)
	return slices.Compact(drawn)
}
