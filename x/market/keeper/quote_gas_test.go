package keeper_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/market/types"
)

// gasOfQuotes returns the gas of quotes by name, beside leases that live already: the first quote of a bid, one that displaces
// another of twenty, one that is taken back, and one that is accepted.
func gasOfQuotes(t *testing.T, live int) map[string]uint64 {
	t.Helper()
	b := start(t)
	offer := b.sells("p", uint64(live)+200, hourly)
	b.Fund(chain.Account("p"), chain.Coin(1e12))
	require.NoError(t, b.Deliver(b.addBond("p", 1e12)))
	b.crowd("p", live)
	_, bid := b.collectsAt("alice", 100_000, collects("web", 2, 2*hourly))

	gas := map[string]uint64{}
	b.quotes("p", bid, offer, hourly, 2)
	gas["submit"] = b.GasUsed
	require.NoError(t, b.Deliver(&types.MsgWithdrawQuote{Signer: b.name("p-agent"), Provider: b.name("p"), Bid: bid}))
	gas["withdraw"] = b.GasUsed
	for i := range int(quick().QuotesPerBid) {
		name := fmt.Sprintf("q-%d", i)
		b.quotes(name, bid, b.sells(name, 1, hourly), 2*hourly, 1)
	}
	b.quotes("p", bid, offer, hourly, 2)
	gas["displace"] = b.GasUsed
	b.accepts("alice", "p", bid, hourly, 1)
	gas["accept"] = b.GasUsed
	b.accepts("alice", "p", bid, hourly, 1)
	gas["accept the last"] = b.GasUsed
	t.Logf("beside %d leases: %v gas", live, gas)
	return gas
}

func TestTheGasOfQuotesDoesNotGrowWithTheMarket(t *testing.T) {
	few, many := gasOfQuotes(t, 100), gasOfQuotes(t, 10_000)
	for name, gas := range few {
		require.InEpsilon(t, gas, many[name], 0.02, name)
	}
	require.LessOrEqual(t, few["submit"], uint64(30_000))
	require.LessOrEqual(t, few["accept"], uint64(80_000))
	require.LessOrEqual(t, few["displace"], uint64(160_000))
}
