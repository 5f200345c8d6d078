package match_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/match"
)

func TestBidsWithoutMoneyChangeNothingOfTheBestClearing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := tight().input(t)
		for i := range in.Book.Offers { // nothing is free, as on the chain: what costs nothing needs no money
			for r := range match.Dims {
				in.Book.Offers[i].Ask[r]++
			}
		}
		in.Accounts = append(in.Accounts, match.Account{})
		poor := uint32(len(in.Accounts) - 1)
		best, c := match.ClearBest(in, 0)
		require.GreaterOrEqual(t, c.Bound.Compare(c.Welfare), 0)

		more := in
		for i := range rapid.IntRange(1, 5).Draw(t, "shams") {
			sham := tight().bid(t, uint64(1000+i), in.Book)
			sham.Account, sham.CapPerHour = poor, 1+sham.CapPerHour*100
			more.Bids = append(more.Bids[:len(more.Bids):len(more.Bids)], sham)
		}
		after, _ := match.ClearBest(more, 0)
		require.Equal(t, best.Assignments, after.Assignments)
	})
}

func TestClearingAgainCostsAFewTimesTheFirst(t *testing.T) {
	for name, spread := range map[string]uint64{"one ask": 1, "asks of their own": 1000} {
		t.Run(name, func(t *testing.T) {
			var in match.Input
			for i := range uint32(4096) {
				in.Book.Providers = append(in.Book.Providers, match.Provider{RateRoom: 1 << 40})
				in.Book.Pools = append(in.Book.Pools, poolOf(i, 2))
				in.Book.Offers = append(in.Book.Offers, match.Offer{ID: uint64(i), Pool: i, Ask: ask(10_000 + uint64(i)%spread)})
			}
			for i := range uint64(2048) {
				in.Bids = append(in.Bids, bidFor(i, 20_000+i, 1, 1))
			}
			first := match.Clear(in)
			best, c := match.ClearBest(in, 1<<21)
			require.Len(t, best.Assignments, 2048)
			require.LessOrEqual(t, best.Work, 8*(first.Work+c.Work)+1<<19)
			require.Less(t, c.GapPPM, uint32(1000))
		})
	}
}
