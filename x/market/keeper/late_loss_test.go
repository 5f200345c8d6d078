package keeper_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/market/types"
)

// delays keeps the deadlines from a second on from being processed for some blocks, where blocks process one deadline each:
// bids expire a second before.
func (b *bench) delays(from uint64, names ...string) {
	b.t.Helper()
	for _, name := range names {
		bid := want(name, 1, 1)
		bid.LifetimeSeconds = from - 1 - b.Now()
		b.deploys("bob", name, 1000, bid)
	}
}

func TestWhatIsDueOfStandbysBeforeTheirBidEndsIsSettledBeforeIt(t *testing.T) {
	b := tuned(t, longEpochs, oneAtATime)
	spec := wantStandbys("web", 1, 1)
	spec.LeaseSeconds = 300
	id, primary, spare := b.guarded(100_000, spec)
	b.tick(time.Duration(primary.EndsAt-answerWindow-10-b.Now()) * second)
	by := b.challenges("alice", spare.Id)
	require.Less(t, by, primary.EndsAt)
	b.delays(by, "one", "two", "three")
	bond := b.bond("b")
	b.tick(time.Duration(primary.EndsAt+4-b.Now()) * second)
	require.Equal(t, standby, b.leases(id)[1].State, "nothing is processed yet")
	b.closes("alice", id)
	b.check()
	b.ended(b.leases(id)[0], closed, types.Reason_REASON_EXPIRED, primary.EndsAt)
	b.ended(b.leases(id)[1], failed, types.Reason_REASON_UNREACHABLE, by)
	require.Equal(t, bond-int64(hourly+1), b.bond("b"), "an hour of its whole rate")
}

func TestStandbysThatAreDueAfterTheirBidEndedAreNotNeededByThen(t *testing.T) {
	b := tuned(t, longEpochs, oneAtATime)
	spec := wantStandbys("web", 1, 1)
	spec.LeaseSeconds = 300
	id, primary, spare := b.guarded(100_000, spec)
	b.tick(time.Duration(primary.EndsAt-10-b.Now()) * second)
	require.Greater(t, b.challenges("alice", spare.Id), primary.EndsAt)
	b.delays(primary.EndsAt, "one", "two", "three")
	bond := b.bond("b")
	b.tick((answerWindow + 10) * second)
	b.closes("alice", id)
	b.check()
	b.ended(b.leases(id)[0], closed, types.Reason_REASON_EXPIRED, primary.EndsAt)
	b.ended(b.leases(id)[1], closed, types.Reason_REASON_NOT_NEEDED, primary.EndsAt)
	require.Equal(t, bond, b.bond("b"))
}

func TestALossIsExactWhenNoStandbyCanTakeOverBecauseItsAccountLags(t *testing.T) {
	for name, lose := range map[string]func(b *bench, primary types.Lease) (uint64, types.Reason){
		"jailed": func(b *bench, _ types.Lease) (uint64, types.Reason) {
			b.jails("a")
			return b.Now(), types.Reason_REASON_JAILED
		},
		"unreachable": func(b *bench, primary types.Lease) (uint64, types.Reason) {
			return b.challenges("alice", primary.Id), types.Reason_REASON_UNREACHABLE
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := tuned(t, longEpochs)
			id, primary, _ := b.guarded(100_000, wantStandbys("web", 1, 1))
			at, reason := lose(b, primary)
			catchUp := b.Market.LagAccounts()
			b.tick(time.Duration(at-b.Now()) * second)
			catchUp()
			b.check()
			require.Empty(t, b.quarantine())
			b.ended(b.leases(id)[0], failed, reason, at)
			require.Equal(t, standby, b.leases(id)[1].State, "it goes on standing by")
			require.True(t, b.bids(id)[0].Returned, "the replica is in the book")
			b.tick(second)
			require.Equal(t, b.name("c"), b.leases(id)[2].Provider)
			require.False(t, b.leases(id)[2].Standby)
		})
	}
}

func TestNobodyGivesUpALeaseWhileItsStandbysCouldNotTakeOver(t *testing.T) {
	b := tuned(t, longEpochs, oneAtATime)
	id, primary, spare := b.guarded(300, wantStandbys("web", 1, 1))
	account, err := b.Escrow.Account(b.Ctx(), id)
	require.NoError(t, err)
	b.delays(account.DueAt(), "one", "two", "three")
	b.tick(time.Duration(account.DueAt()-b.Now()) * second)
	require.Equal(t, active, b.leases(id)[0].State, "it is to be paused, and was not yet")
	b.refuses(types.ErrBehind, b.failover("alice", primary.Id))
	b.refuses(types.ErrBehind, b.closeLease("alice", primary.Id, true))
	for range 3 {
		b.tick(0)
	}
	require.Equal(t, paused, b.leases(id)[0].State)
	require.Equal(t, []uint64{spare.Id}, b.failsOver("alice", primary.Id))
	b.check()
}

func TestAKeyThatMayOnlyWatchFailsABidOverOnceAnAnswerWindow(t *testing.T) {
	b := tuned(t, longEpochs)
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		b.sells(name, 1, hourly)
	}
	create := b.create("alice", "web", 100_000, want("web", 3, 5000), want("db", 1, 5000))
	for name, scopes := range map[string][]types.Scope{
		"watcher": {types.Scope_SCOPE_WATCH}, "manager": {types.Scope_SCOPE_MANAGE, types.Scope_SCOPE_WATCH},
	} {
		create.AccessKeys = append(create.AccessKeys, types.AccessKey{Address: b.name(name), Scopes: scopes})
	}
	sortKeys(create.AccessKeys)
	b.Funded("alice", chain.Coin(100_000))
	require.NoError(t, b.Deliver(create))
	b.tick(second)
	web, db := []uint64{}, uint64(0)
	for _, lease := range b.leases(1) {
		if lease.Bid == 1 {
			web = append(web, lease.Id)
			continue
		}
		db = lease.Id
	}
	require.Len(t, web, 3)
	b.failsOver("watcher", web[0])
	at := b.Now()
	require.Equal(t, at, b.bids(1)[0].WatchedAt)
	b.refuses(types.ErrTooSoon, b.failover("watcher", web[1]))
	b.failsOver("watcher", db) // of another bid
	b.tick(second)
	again := startFrom(t, nil, chain.WithState(b.Export()))
	again.refuses(types.ErrTooSoon, again.failover("watcher", web[1]))
	b.failsOver("manager", web[1])
	b.failsOver("alice", web[2])
	b.tick(second)
	var next uint64
	for _, lease := range b.leases(1) {
		if lease.Bid == 1 && lease.State == pending {
			next = lease.Id
		}
	}
	require.NotZero(t, next)
	b.tick(time.Duration(at+window-2-b.Now()) * second)
	for _, provider := range []string{"a", "b", "c", "d", "e", "f"} {
		b.acks(provider, next)
	}
	b.tick(time.Duration(at+answerWindow-1-b.Now()) * second)
	b.refuses(types.ErrTooSoon, b.failover("watcher", next))
	b.tick(second)
	b.failsOver("watcher", next)
	b.check()
}

func TestAStandbyThatTakesOverLateIsNotServedBeyondTheTermAndOthersAreNotNeededAfterIt(t *testing.T) {
	b := tuned(t, longEpochs, oneAtATime)
	for i, name := range []string{"a", "b", "c"} {
		b.sells(name, 10, hourly+uint64(i))
	}
	spec := wantStandbys("web", 1, 2)
	spec.LeaseSeconds = 300
	id := b.deploys("alice", "web", 100_000, spec)
	b.tick(second)
	b.acks("a", 1)
	b.tick(second)
	require.Equal(t, []string{""}, b.acks("b", 2))
	require.Equal(t, []string{""}, b.acks("c", 3))
	ends := b.leases(id)[0].EndsAt
	b.tick(time.Duration(ends-answerWindow-10-b.Now()) * second)
	by := b.challenges("alice", 1)
	b.tick(12 * second)
	require.Equal(t, ends+2, b.challenges("alice", 3))
	b.delays(by, "one", "two", "three")
	b.tick(time.Duration(ends+4-b.Now()) * second)
	require.Equal(t, active, b.leases(id)[0].State, "nothing is processed yet")
	b.closes("alice", id)
	b.check()
	leases := b.leases(id)
	b.ended(leases[0], failed, types.Reason_REASON_UNREACHABLE, by)
	b.ended(leases[1], closed, types.Reason_REASON_EXPIRED, ends)
	require.Equal(t, share*(ends+4-leases[1].AckedAt), b.paidFor(leases[1]).Uint64(), "it stood by, and served for no second")
	b.ended(leases[2], closed, types.Reason_REASON_NOT_NEEDED, ends)
}
