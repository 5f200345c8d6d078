package keeper_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/market/types"
)

func TestAHundredThousandDustBidsDoNotDelayAGoodOne(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a hundred thousand bids")
	}
	const dust = 100_000
	b := start(t)
	b.sells("p", 10, 5*hourly)
	b.NextBlock(0)
	b.dust("low", dust/2, 1)      // what they promise is dust
	b.dust("sham", dust/2, 1<<40) // what they have is dust: four fifths of what one lease needs
	require.Len(t, b.fresh(), dust)
	b.NextBlock(0) // the clearing of this second is over: all that is committed
	b.NextBlock(second)
	good := b.deploys("good", "web", 1000, want("web", 1, 6*hourly))

	began := time.Now()
	b.NextBlock(second)
	t.Logf("the block took %s", time.Since(began))
	require.Equal(t, types.LeaseState_LEASE_STATE_PENDING, b.lease(good).State, "in the next block")
	require.Equal(t, []string{""}, b.acks("p", b.lease(good).Id))

	again := b.deploys("again", "web", 1000, want("web", 1, 6*hourly))
	for range 3 {
		b.NextBlock(second)
	}
	require.Len(t, b.leases(again), 1, "and in any block after it")
	require.Less(t, len(b.fresh()), dust, "while the dust is read, too")
}

// dust puts so many bids into the book, 32 a deployment, each deployment with the least deposit.
func (b *bench) dust(name string, bids int, limit uint64) {
	b.t.Helper()
	for done := 0; done < bids; {
		n := min(types.MaxBids, bids-done)
		group := make([]types.BidSpec, n)
		for i := range group {
			group[i] = want(fmt.Sprintf("group-%d", i), 1, limit)
		}
		b.deploys(fmt.Sprintf("%s-%d", name, done), "web", 100, group...)
		done += n
	}
}

func TestWhoCanPayMoreIsReadFirstWhateverWasPromised(t *testing.T) {
	for name, at := range map[string]struct {
		sham  types.BidSpec
		micro int64
	}{
		"a cap without money":           {want("web", 1, 1<<40), 100},
		"many replicas that it needs":   {want("web", 100, 5*hourly), 1000},
		"more resources for that money": {types.BidSpec{Name: "web", Unit: units(2), MinReplicas: 1, Replicas: 1, Cap: 9 * hourly}, 1000},
		"crumbs of a unit":              {types.BidSpec{Name: "web", Unit: types.Resources{CpuMillis: 1, MemoryMib: 1}, MinReplicas: 1, Replicas: 1, Cap: 2 * hourly}, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			b := narrow(t, 4, 4096)
			b.NextBlock(0)
			for i := range 20 {
				b.deploys(fmt.Sprintf("sham-%d", i), "web", at.micro, at.sham)
			}
			good := b.deploys("good", "web", 1000, want("web", 1, 5*hourly))
			goodBid := b.bids(good)[0].Id
			b.tick(second)
			require.NotContains(t, b.fresh(), goodBid, "it was read in the first clearing")
			require.Len(t, b.fresh(), 21-4)
		})
	}
}

func TestTheBidsOfAMessageShareTheMoneyThatTheyArePutInOrderBy(t *testing.T) {
	b := narrow(t, 4, 4096)
	b.NextBlock(0)
	shams := manyBids(8)
	for i := range shams {
		shams[i].Cap = 1 << 40
	}
	for i := range 4 {
		b.deploys(fmt.Sprintf("sham-%d", i), "web", 100, shams...)
	}
	good := b.deploys("good", "web", 101, want("web", 1, 5*hourly))
	b.tick(second)
	require.NotContains(t, b.fresh(), b.bids(good)[0].Id, "of each eight only the first can pay as much")
}

func TestTheBidsOfManyMessagesShareTheMoneyToo(t *testing.T) {
	b := narrow(t, 4, 4096)
	b.NextBlock(0)
	shams := manyBids(8)
	for i := range shams {
		shams[i].Cap = 1 << 40
	}
	sham := b.deploys("sham", "web", 1000, shams[0])
	for i := 2; i <= len(shams); i++ {
		require.NoError(t, b.Deliver(b.update("sham", sham, shams[:i]...)))
	}
	good := b.deploys("good", "web", 1000, want("web", 1, 5*hourly))
	require.Len(t, b.fresh(), len(shams)+1)
	b.tick(second)
	require.NotContains(t, b.fresh(), b.bids(good)[0].Id, "of the eight only the first can pay more")
}

func TestABidThatIsDeclaredAnewDoesNotPayBesideItself(t *testing.T) {
	b := narrow(t, 4, 4096)
	b.NextBlock(0)
	for i := range 20 {
		b.deploys(fmt.Sprintf("rival-%d", i), "web", 1000, want("web", 1, 3*hourly))
	}
	good := b.deploys("good", "web", 150, want("web", 1, 4*hourly)) // which can pay 6 of them
	require.NoError(t, b.Deliver(b.update("good", good, want("web", 1, 5*hourly))))
	require.Len(t, b.fresh(), 21)
	b.tick(second)
	require.NotContains(t, b.fresh(), b.bids(good)[0].Id)
}

func TestARoundEndsAlsoWhenOnlyTwoBidsAreReadABlock(t *testing.T) {
	b := narrow(t, 2, 4096)
	b.NextBlock(0)
	var early []uint64
	for i := range 5 { // worth more and older, and declared anew in each block
		early = append(early, b.deploys(fmt.Sprintf("early-%d", i), "web", 1000, want("web", 1, hourly)))
	}
	poor := b.deploys("poor", "web", 100, want("web", 1, 1))
	bid := b.bids(poor)[0].Id
	for n := range uint64(40) {
		for i, id := range early {
			require.NoError(t, b.Deliver(b.update(fmt.Sprintf("early-%d", i), id, want("web", 1, hourly-1-n%2))))
		}
		b.tick(second)
	}
	require.NotContains(t, b.fresh(), bid)
	require.NotEmpty(t, b.fresh())
}

func TestDenomsThatWaitShareTheReads(t *testing.T) {
	b := narrow(t, 8, 4096)
	b.NextBlock(0)
	for i := range 50 {
		owner := fmt.Sprintf("rich-%d", i)
		b.Funded(owner, other(1_000_000_000))
		message := b.create(owner, "web", 1, want("web", 1, 1<<40))
		message.Deposit = sdk.NewCoin("uother", math.NewInt(1_000_000_000))
		require.NoError(t, b.Deliver(message))
	}
	for i := range 3 {
		b.deploys(fmt.Sprintf("t-%d", i), "web", 1000, want("web", 1, hourly))
	}
	b.tick(second)
	left := 0
	for _, id := range b.fresh() {
		if id > 50 {
			left++
		}
	}
	require.Zero(t, left, "three of the eight reads, or more if they are the oldest")
	require.Len(t, b.fresh(), 53-8)
}

func TestWhatIsWorthLeastIsReadSomeDay(t *testing.T) {
	b := narrow(t, 4, 4096)
	poor := b.deploys("poor", "web", 100, want("web", 1, 1))
	bid := b.bids(poor)[0].Id
	for i := range 40 { // more come all the time than can be read
		for j := range 6 {
			b.deploys(fmt.Sprintf("rich-%d-%d", i, j), "web", 1000, want("web", 1, hourly-1))
		}
		b.tick(second)
		if i < 3 {
			continue
		}
		require.NotContains(t, b.fresh(), bid)
	}
	require.NotEmpty(t, b.fresh())

	// One that returns behind the round that is under way comes in the next one.
	require.NoError(t, b.Deliver(b.update("poor", poor, want("web", 1, 2))))
	require.Contains(t, b.fresh(), bid)
	for i := range 300 {
		for j := range 6 {
			b.deploys(fmt.Sprintf("more-%d-%d", i, j), "web", 1000, want("web", 1, hourly-1))
		}
		b.NextBlock(second)
	}
	require.NotContains(t, b.fresh(), bid)
	b.check()
}

func TestABidThatLeavesTheBookWaitsNoMore(t *testing.T) {
	b := narrow(t, 2, 4096)
	b.NextBlock(0)
	var all []uint64
	for i := range 10 {
		all = append(all, b.deploys(fmt.Sprintf("t-%d", i), "web", 1000, want("web", 1, uint64(i+1))))
	}
	b.closes("t-0", all[0])
	require.NoError(t, b.Deliver(b.update("t-1", all[1], collects("web", 1, 5))))
	require.NoError(t, b.Deliver(b.update("t-2", all[2], want("db", 1, 5))))
	require.Equal(t, []uint64{4, 5, 6, 7, 8, 9, 10, 11}, b.fresh())
	b.check()
	b.tick(1000 * second)
	require.Empty(t, b.fresh(), "expired")
	b.check()
}

func TestFreshBidsSurviveExportAndImport(t *testing.T) {
	b := narrow(t, 4, 4096)
	b.sells("p", 10, hourly)
	for i := range 20 {
		b.deploys(fmt.Sprintf("t-%d", i), "web", 1000, want("web", 1, hourly+uint64(i*7%20)))
	}
	b.tick(second)
	require.NotEmpty(t, b.fresh())
	again := startFrom(t, nil, chain.WithState(b.Export()))
	b.NextBlock(0)
	for range 10 {
		require.True(t, b.withoutSeed() == again.withoutSeed())
		b.tick(second)
		again.tick(second)
	}
	require.Empty(t, b.fresh())
}

func TestASweepPassesOverBidsThatWaitOrCollectQuotes(t *testing.T) {
	b := narrow(t, 2, 4096)
	resting := b.deploys("resting", "web", 1000, want("web", 1, hourly))
	for range 3 {
		b.tick(second)
	}
	for i := range 30 {
		b.collectsAt(fmt.Sprintf("quoting-%d", i), 1000, collects("web", 1, hourly))
	}
	last := b.deploys("last", "web", 1000, want("web", 1, hourly))
	for range 5 {
		b.tick(second)
	}
	b.sells("p", 10, hourly)
	for range 30 {
		b.tick(second)
	}
	require.Len(t, b.leases(resting), 1)
	require.Len(t, b.leases(last), 1)
	require.False(t, b.clearing().Sweeping)
	b.check()
}
