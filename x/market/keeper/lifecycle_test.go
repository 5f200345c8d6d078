package keeper_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/testutil/chain"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

const (
	pending = types.LeaseState_LEASE_STATE_PENDING
	active  = types.LeaseState_LEASE_STATE_ACTIVE
	paused  = types.LeaseState_LEASE_STATE_PAUSED
	leaving = types.LeaseState_LEASE_STATE_LEAVING
	closed  = types.LeaseState_LEASE_STATE_CLOSED
	failed  = types.LeaseState_LEASE_STATE_FAILED

	// notice, reclaim and pause are what the parameters of tuned say, in seconds.
	notice, reclaim, pause = 100, 20, 60
	// holdRate is what a paused unit pays at the plain ask, in micro-denom a hour.
	holdRate = hourly / 10
)

// tuned opens a market with short notices that pauses accounts; change may change its parameters.
func tuned(t testing.TB, change ...func(*escrowtypes.Params, *types.Params)) *bench {
	t.Helper()
	escrow, genesis := quickEscrow(), types.DefaultGenesis()
	escrow.MinRunwaySeconds, escrow.PauseRunwaySeconds, escrow.PauseBps = pause, pause, 1000
	genesis.Params = quick()
	genesis.Params.NoticeSeconds, genesis.Params.ReclaimNoticeSeconds = notice, reclaim
	for _, f := range change {
		f(&escrow, &genesis.Params)
	}
	return startFrom(t, genesis, chain.WithEscrowParams(escrow))
}

// oneAtATime lets blocks process one deadline each.
func oneAtATime(escrow *escrowtypes.Params, _ *types.Params) { escrow.MaxDeadlinesPerBlock = 1 }

// longEpochs lets nothing be forgotten within a test.
func longEpochs(escrow *escrowtypes.Params, _ *types.Params) { escrow.EpochSeconds = 100_000 }

// serves opens a deployment of one group that the provider p acknowledges, and returns it with its lease.
func (b *bench) serves(owner string, micro int64, spec types.BidSpec) (uint64, types.Lease) {
	b.t.Helper()
	id := b.deploys(owner, "web", micro, spec)
	b.tick(second)
	lease := b.lease(id)
	require.Equal(b.t, []string{""}, b.acks("p", lease.Id))
	b.check()
	return id, b.lease(id)
}

func (b *bench) resigns(provider string, reason types.Reason, leases ...uint64) []string {
	b.t.Helper()
	response, err := chain.Send[types.MsgResignLeasesResponse](b.Chain, &types.MsgResignLeases{
		Signer: b.name(provider + "-agent"), Provider: b.name(provider), Leases: leases, Reason: reason,
	})
	require.NoError(b.t, err)
	return texts(response.Results)
}

func (b *bench) reclaims(provider string, leases ...uint64) []string {
	b.t.Helper()
	response, err := chain.Send[types.MsgReclaimLeasesResponse](b.Chain, &types.MsgReclaimLeases{
		Signer: b.name(provider + "-agent"), Provider: b.name(provider), Leases: leases,
	})
	require.NoError(b.t, err)
	return texts(response.Results)
}

func texts(results []types.AckResult) []string {
	errs := make([]string, len(results))
	for i, result := range results {
		errs[i] = result.Error
	}
	return errs
}

func (b *bench) jails(provider string) {
	b.t.Helper()
	require.NoError(b.t, b.Deliver(&providertypes.MsgJail{
		Authority: b.Authority, Provider: b.name(provider), Seconds: 1000, SlashBps: 100, Reason: "test",
	}))
}

func (b *bench) closeLease(signer string, lease uint64, replace bool) *types.MsgCloseLease {
	return &types.MsgCloseLease{Signer: b.name(signer), Lease: lease, Replace: replace}
}

func (b *bench) record(provider string) providertypes.Record {
	b.t.Helper()
	record, err := b.Provider.RecordOf(b.Ctx(), chain.Account(provider))
	require.NoError(b.t, err)
	record.Provider = ""
	return record
}

// ended asserts how a lease ended.
func (b *bench) ended(lease types.Lease, state types.LeaseState, reason types.Reason, at uint64) {
	b.t.Helper()
	require.Equal(b.t, state, lease.State)
	require.Equal(b.t, reason, lease.Reason)
	require.Equal(b.t, at, lease.ClosedAt)
	require.True(b.t, lease.Held.IsZero())
}

// grains is what is left in a deployment's account at present.
func (b *bench) grains(deployment uint64) int64 {
	b.t.Helper()
	account, err := b.Escrow.Account(b.Ctx(), deployment)
	require.NoError(b.t, err)
	total := int64(0)
	for _, deposit := range account.Deposits {
		total += deposit.Remainder.Add(deposit.Spent).Int64()
	}
	return total - account.Outflow.Intercept.Int64() - account.Outflow.Slope.Int64()*int64(b.Now())
}

func TestALeaseWithATermEndsAtItsSecondWhateverTheDelay(t *testing.T) {
	for _, delayed := range []bool{false, true} {
		b := tuned(t, func(escrow *escrowtypes.Params, _ *types.Params) {
			if delayed {
				escrow.MaxDeadlinesPerBlock = 1
			}
		}, longEpochs)
		b.sells("p", 10, hourly)
		spec := want("web", 2, 5000)
		spec.LeaseSeconds = 300
		id, lease := b.serves("alice", 10_000, spec)
		require.Equal(t, lease.AckedAt+300, lease.EndsAt)
		if delayed {
			b.deploys("idle", "other", 200, want("web", 1, 1), want("web-2", 1, 1), want("web-3", 1, 1))
		}
		b.tick(2000 * second) // three bids expire before, or one block at a time
		for range 5 {
			b.tick(0)
		}
		b.ended(b.lease(id), closed, types.Reason_REASON_EXPIRED, lease.EndsAt)
		bid := b.bids(id)[0]
		require.Equal(t, uint32(2), bid.Released)
		require.Equal(t, types.BidState_BID_STATE_FILLED, bid.State, "its replicas are wanted no more")
		require.Equal(t, int64(10_000-600)*3600, b.grains(id))
		require.Equal(t, int64(10_000-600), b.closes("alice", id))
	}
}

func TestLowMoneyPausesALeaseAndADepositResumesIt(t *testing.T) {
	b := tuned(t)
	b.sells("p", 10, hourly)
	id, lease := b.serves("alice", 1_000, want("web", 1, 5000))
	low := lease.AckedAt + 1_000 - pause
	b.tick(945 * second)
	lease = b.lease(id)
	require.Equal(t, paused, lease.State)
	stream, err := b.Escrow.Stream(b.Ctx(), lease.Stream)
	require.NoError(t, err)
	require.Equal(t, hourly, stream.FullRate)
	require.Equal(t, low, stream.OpenedAt)
	left := int64(pause*3600) - int64(holdRate)*int64(b.Now()-low)
	require.Equal(t, left, b.grains(id))

	b.Funded("alice", chain.Coin(200))
	require.NoError(t, b.Deliver(&escrowtypes.MsgDeposit{Signer: b.name("alice"), Account: id, Amount: chain.Coin(200)}))
	b.check()
	require.Equal(t, active, b.lease(id).State)
	require.NotEqual(t, stream.Id, b.lease(id).Stream)
	b.tick(10 * second)
	require.Equal(t, left+(200-10)*3600, b.grains(id))
	require.Equal(t, uint64(2), uint64(b.lease(id).Replicas)+1)
}

func TestAPausedLeaseEndsWhenItsMoneyDoes(t *testing.T) {
	b := tuned(t, longEpochs)
	b.sells("p", 10, hourly)
	id, lease := b.serves("alice", 1_000, want("web", 1, 5000))
	low := lease.AckedAt + 1_000 - pause
	b.tick(3000 * second)
	b.ended(b.lease(id), closed, types.Reason_REASON_INSUFFICIENT_FUNDS, low+pause*hourly/holdRate)
	require.Zero(t, b.Balance(chain.Account("alice")))
}

func TestAProviderThatResignsServesUntilItsNoticeIsOver(t *testing.T) {
	b := tuned(t)
	b.sells("p", 10, hourly)
	b.sells("q", 10, hourly+100)
	id, lease := b.serves("alice", 10_000, want("web", 2, 5000))
	require.Equal(t, []string{""}, b.resigns("p", types.Reason_REASON_POLICY, lease.Id))
	given := b.Now()
	lease = b.lease(id)
	require.Equal(t, leaving, lease.State)
	require.Equal(t, given+notice, lease.LeavesAt)
	require.Contains(t, b.resigns("p", types.Reason_REASON_POLICY, lease.Id)[0], types.ErrLeaseState.Error())

	b.tick((notice - 1) * second)
	require.Equal(t, leaving, b.lease(id).State)
	b.tick(10 * second)
	b.ended(b.leases(id)[0], closed, types.Reason_REASON_POLICY, given+notice)
	b.tick(second)
	next := b.leases(id)[1]
	require.Equal(t, b.name("q"), next.Provider, "the replicas returned to the book, without p")
	require.Equal(t, uint32(2), next.Replicas)
	require.Equal(t, providertypes.Record{Acknowledged: 1, Resigned: 1}, b.record("p"))
}

func TestOnlyWhatIsServedCanBeResigned(t *testing.T) {
	b := tuned(t)
	b.sells("p", 10, hourly)
	b.joins("q", 1000)
	id := b.deploys("alice", "web", 10_000, want("web", 1, 5000))
	b.tick(second)
	lease := b.lease(id)
	require.Contains(t, b.resigns("p", types.Reason_REASON_POLICY, lease.Id)[0], types.ErrLeaseState.Error())
	require.Contains(t, b.resigns("q", types.Reason_REASON_POLICY, lease.Id)[0], types.ErrUnauthorized.Error())
	require.Contains(t, b.resigns("p", types.Reason_REASON_POLICY, 99)[0], types.ErrLeaseNotFound.Error())
	require.Contains(t, b.reclaims("p", lease.Id)[0], types.ErrLeaseState.Error())
	b.acks("p", lease.Id)
	require.Contains(t, b.reclaims("p", lease.Id)[0], "not a spot lease")
	require.Equal(t, []string{""}, b.resigns("p", types.Reason_REASON_PROVIDER_LEFT, lease.Id))
	b.check()
}

func TestABidThatExpiredInPartGetsBackWhatWasPlacedAndNoMore(t *testing.T) {
	for name, end := range map[string]func(b *bench, lease uint64){
		"its provider is jailed": func(b *bench, _ uint64) { b.jails("p") },
		"its tenant replaces it": func(b *bench, lease uint64) {
			require.NoError(b.t, b.Deliver(b.closeLease("alice", lease, true)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := tuned(t)
			b.sells("p", 2, hourly)
			spec := want("web", 5, 5000)
			spec.MinReplicas, spec.LifetimeSeconds = 1, 30
			id, lease := b.serves("alice", 100_000, spec)
			require.Equal(t, uint32(2), lease.Replicas)
			b.tick(31 * second)
			require.Equal(t, types.BidState_BID_STATE_EXPIRED, b.bids(id)[0].State)
			b.sells("q", 10, hourly)
			b.tick(second)
			end(b, lease.Id)
			b.tick(second)
			b.tick(second)
			live := b.live(id)
			require.Len(t, live, 1)
			require.Equal(t, b.name("q"), live[0].Provider)
			require.Equal(t, uint32(2), live[0].Replicas)
			bid := b.bids(id)[0]
			require.Equal(t, types.BidState_BID_STATE_FILLED, bid.State)
			require.Equal(t, uint32(3), bid.Released, "what it missed when it expired")
		})
	}
}

func TestAnAccountResumesWhenALeaseEndsByItself(t *testing.T) {
	for name, test := range map[string]struct {
		first func(spec *types.BidSpec)
		ends  func(b *bench, lease types.Lease)
	}{
		"by its term": {func(spec *types.BidSpec) { spec.LeaseSeconds = 70 }, func(*bench, types.Lease) {}},
		"by notice": {func(*types.BidSpec) {}, func(b *bench, lease types.Lease) {
			require.Equal(b.t, []string{""}, b.reclaims("p", lease.Id))
		}},
		"by jail": {func(*types.BidSpec) {}, func(b *bench, _ types.Lease) { b.jails("p") }},
	} {
		t.Run(name, func(t *testing.T) {
			b := tuned(t)
			b.sells("q", 1, hourly)
			b.joins("p", 1_000_000_000)
			b.sets("p", units(9))
			post := b.postOffer("p", hourly)
			post.Terms.Class = types.LeaseClass_LEASE_CLASS_SPOT
			require.NoError(t, b.Deliver(post))
			many, one := want("many", 9, 5000), want("one", 1, 5000)
			many.Class, many.NoReplace = types.LeaseClass_LEASE_CLASS_SPOT, true
			test.first(&many)
			id := b.deploys("alice", "web", 1_000, one, many)
			b.tick(second)
			leases := b.leases(id)
			require.Equal(t, []string{""}, b.acks("q", leases[0].Id))
			require.Equal(t, []string{""}, b.acks("p", leases[1].Id))
			b.tick(45 * second)
			require.Equal(t, paused, b.leases(id)[0].State)
			test.ends(b, b.leases(id)[1])
			b.tick(30 * second)
			b.tick(second)
			leases = b.leases(id)
			require.False(t, leases[1].State.Live())
			require.Equal(t, active, leases[0].State)
			stream, err := b.Escrow.Stream(b.Ctx(), leases[0].Stream)
			require.NoError(t, err)
			require.Equal(t, leases[1].ClosedAt, stream.OpenedAt, "at the second at which the other ended")
		})
	}
}

func TestATermThatEndsBeforeTheNoticeEndsTheLease(t *testing.T) {
	b := tuned(t)
	b.sells("p", 10, hourly)
	spec := want("web", 1, 5000)
	spec.LeaseSeconds = 150
	id, lease := b.serves("alice", 10_000, spec)
	b.tick(60 * second)
	require.Equal(t, []string{""}, b.resigns("p", types.Reason_REASON_POLICY, lease.Id))
	b.tick(200 * second)
	b.ended(b.lease(id), closed, types.Reason_REASON_EXPIRED, lease.EndsAt)
}

func TestALeaseWithNoticeIsPausedAndResumedAndStaysLeaving(t *testing.T) {
	b := tuned(t)
	b.sells("p", 10, hourly)
	id, lease := b.serves("alice", 200, want("web", 1, 5000))
	require.Equal(t, []string{""}, b.resigns("p", types.Reason_REASON_PROVIDER_LEFT, lease.Id))
	leaves := b.lease(id).LeavesAt
	b.tick(145 * second)
	b.ended(b.lease(id), closed, types.Reason_REASON_PROVIDER_LEFT, leaves)

	b = tuned(t)
	b.sells("p", 10, hourly)
	id, lease = b.serves("alice", 120, want("web", 1, 5000))
	b.tick(50 * second)
	require.Equal(t, []string{""}, b.resigns("p", types.Reason_REASON_PROVIDER_LEFT, lease.Id))
	b.tick(15 * second)
	lease = b.lease(id)
	require.Equal(t, leaving, lease.State)
	stream, err := b.Escrow.Stream(b.Ctx(), lease.Stream)
	require.NoError(t, err)
	require.Equal(t, hourly, stream.FullRate, "it is paid for its capacity only")
	b.Funded("alice", chain.Coin(500))
	require.NoError(t, b.Deliver(&escrowtypes.MsgDeposit{Signer: b.name("alice"), Account: id, Amount: chain.Coin(500)}))
	b.check()
	require.Equal(t, leaving, b.lease(id).State)
	b.tick(notice * second)
	b.ended(b.lease(id), closed, types.Reason_REASON_PROVIDER_LEFT, lease.LeavesAt)
}

func TestALeaseTellsWhetherItIsPausedInEveryState(t *testing.T) {
	b := tuned(t)
	b.sells("p", 10, hourly)
	id := b.deploys("alice", "web", 1_000, want("web", 10, 5000))
	tells := func(state types.LeaseState, paused bool) {
		t.Helper()
		lease := b.leases(id)[0]
		require.Equal(t, state, lease.State)
		require.Equal(t, paused, lease.Paused)
		b.check()
	}
	b.tick(second)
	tells(pending, false)
	require.Equal(t, []string{""}, b.acks("p", b.lease(id).Id))
	tells(active, false)
	b.tick(45 * second)
	tells(paused, true)
	require.Equal(t, []string{""}, b.resigns("p", types.Reason_REASON_POLICY, b.lease(id).Id))
	tells(leaving, true)
	b.declares("alice", id, want("web", 9, 5000))
	tells(leaving, true)
	b.Funded("alice", chain.Coin(600))
	require.NoError(t, b.Deliver(&escrowtypes.MsgDeposit{Signer: b.name("alice"), Account: id, Amount: chain.Coin(600)}))
	tells(leaving, false)
	b.tick(80 * second)
	tells(leaving, true)
	work, err := b.query().Work(b.Ctx(), &types.QueryWorkRequest{Provider: b.name("p")})
	require.NoError(t, err)
	require.True(t, work.Work[0].Lease.Paused, "its provider sees it")
	b.tick(notice * second)
	tells(closed, false)
}

func TestASpotLeaseIsReclaimedAtShortNotice(t *testing.T) {
	b := tuned(t)
	b.joins("p", 1_000_000_000)
	b.sets("p", units(10))
	post := b.postOffer("p", hourly)
	post.Terms.Class = types.LeaseClass_LEASE_CLASS_SPOT
	require.NoError(t, b.Deliver(post))
	spec := want("web", 1, 5000)
	spec.Class = types.LeaseClass_LEASE_CLASS_SPOT
	id, lease := b.serves("alice", 10_000, spec)
	require.Equal(t, []string{""}, b.reclaims("p", lease.Id))
	given := b.Now()
	b.tick((reclaim + 30) * second)
	b.ended(b.lease(id), closed, types.Reason_REASON_RECLAIMED, given+reclaim)
	require.Equal(t, types.BidState_BID_STATE_OPEN, b.bids(id)[0].State)
	require.Equal(t, int64(10_000-reclaim)*3600, b.grains(id))
}

func TestAJailedProviderFailsItsLeasesAtThatSecond(t *testing.T) {
	b := tuned(t)
	b.sells("p", 10, hourly)
	b.sells("q", 10, hourly+100)
	id, lease := b.serves("alice", 10_000, want("web", 1, 5000))
	b.tick(50 * second)
	waiting := b.deploys("bob", "web", 10_000, want("web", 1, 5000))
	b.tick(second)
	jailed := b.Now()
	b.jails("p")
	b.tick(second)
	b.ended(b.leases(id)[0], failed, types.Reason_REASON_JAILED, jailed)
	b.ended(b.leases(waiting)[0], failed, types.Reason_REASON_JAILED, jailed)
	b.tick(second)
	require.Equal(t, b.name("q"), b.leases(id)[1].Provider)
	require.Equal(t, b.name("q"), b.leases(waiting)[1].Provider)
	require.Equal(t, int64(10_000*3600)-int64(jailed-lease.AckedAt)*3600, b.grains(id))
	require.Equal(t, int64(10_000*3600), b.grains(waiting), "no penalty: the jail slashes")
	require.Equal(t, providertypes.Record{Acknowledged: 1, Failed: 1, Jailings: 1}, b.record("p"))
}

func TestAProviderThatLeavesGivesNoticeAndDeclinesWhatWaits(t *testing.T) {
	b := tuned(t)
	offer := b.sells("p", 10, hourly)
	id, _ := b.serves("alice", 10_000, want("web", 1, 5000))
	waiting := b.deploys("bob", "web", 10_000, want("web", 1, 5000))
	b.tick(second)
	bond := b.bond("p")
	left := b.Now()
	require.NoError(t, b.Deliver(&providertypes.MsgDeregister{Operator: b.name("p")}))
	require.Equal(t, types.OfferState_OFFER_STATE_WITHDRAWN, b.offer(offer).Offer.State)
	b.tick(5 * second)
	lease := b.lease(id)
	require.Equal(t, leaving, lease.State)
	require.Equal(t, left+notice, lease.LeavesAt)
	b.ended(b.lease(waiting), failed, types.Reason_REASON_DECLINED, left)
	require.Equal(t, bond-int64(hourly), b.bond("p"))
	require.Equal(t, int64(10_000+hourly/2)*3600, b.grains(waiting), "half of the penalty")
	b.tick(notice * second)
	b.ended(b.lease(id), closed, types.Reason_REASON_PROVIDER_LEFT, left+notice)
}

func TestReplicasThatAreNotToBeReplacedAreWantedNoMore(t *testing.T) {
	b := tuned(t)
	b.sells("p", 10, hourly)
	b.sells("q", 10, hourly+1)
	spec := want("web", 2, 5000)
	spec.NoReplace = true
	id, _ := b.serves("alice", 10_000, spec)
	b.jails("p")
	b.tick(second)
	b.tick(second)
	require.Len(t, b.leases(id), 1)
	require.Equal(t, uint32(2), b.bids(id)[0].Released)
	require.Equal(t, types.BidState_BID_STATE_FILLED, b.bids(id)[0].State)
}

func TestATenantClosesOneLeaseAndKeepsTheOthers(t *testing.T) {
	for _, replace := range []bool{false, true} {
		b := tuned(t)
		b.sells("p", 2, hourly)
		b.sells("q", 10, hourly+100)
		id := b.deploys("alice", "web", 10_000, want("web", 3, 5000))
		b.tick(second)
		leases := b.leases(id)
		require.Len(t, leases, 2)
		b.acks("p", leases[0].Id)
		b.acks("q", leases[1].Id)
		b.tick(10 * second)
		require.NoError(t, b.Deliver(b.closeLease("alice", leases[0].Id, replace)))
		b.check()
		b.ended(b.leases(id)[0], closed, types.Reason_REASON_TENANT, b.Now())
		b.refuses(types.ErrLeaseState, b.closeLease("alice", leases[0].Id, replace))
		b.tick(second)
		b.tick(second)
		if replace {
			require.Len(t, b.leases(id), 3)
			require.Equal(t, b.name("q"), b.leases(id)[2].Provider)
			continue
		}
		require.Len(t, b.leases(id), 2)
		require.Equal(t, uint32(2), b.bids(id)[0].Released)
	}
}

func TestClosingAPendingLeasePaysTheWait(t *testing.T) {
	b := tuned(t)
	b.sells("p", 2, hourly)
	id := b.deploys("alice", "web", 10_000, want("web", 2, 5000))
	b.tick(second)
	require.NoError(t, b.Deliver(b.closeLease("alice", b.lease(id).Id, false)))
	b.check()
	require.Equal(t, int64(10_000-2*window)*3600, b.grains(id))
	require.Equal(t, int64(10_000-2*window), b.closes("alice", id))
}

func TestClosingALeaseResumesTheOthersOfALowAccount(t *testing.T) {
	b := tuned(t)
	b.sells("p", 10, hourly)
	id := b.deploys("alice", "web", 2_000, want("big", 9, 5000), want("small", 1, 5000))
	b.tick(second)
	leases := b.leases(id)
	b.acks("p", leases[0].Id, leases[1].Id)
	b.tick(160 * second)
	for _, lease := range b.leases(id) {
		require.Equal(t, paused, lease.State)
	}
	require.NoError(t, b.Deliver(b.closeLease("alice", leases[0].Id, false)))
	b.check()
	require.Equal(t, active, b.leases(id)[1].State)
}

func TestALeaseOfALowAccountIsAcknowledgedPaused(t *testing.T) {
	b := tuned(t)
	b.sells("p", 10, hourly)
	spec := want("web", 1, 5000)
	id := b.deploys("alice", "web", 150, spec, want("db", 1, 3600))
	b.tick(second)
	leases := b.leases(id)
	require.NotEmpty(t, leases)
	b.acks("p", leases[0].Id)
	b.tick(14 * second)
	if len(leases) > 1 {
		b.acks("p", leases[1].Id)
		b.check()
	}
	b.tick(40 * second)
	b.check()
}

func TestASecondLeaseOpensLaterInOneDeployment(t *testing.T) {
	b := tuned(t)
	b.sells("p", 1, hourly)
	spec := want("web", 2, 5000)
	spec.MinReplicas = 1
	id, first := b.serves("alice", 10_000, spec)
	b.tick(100 * second)
	b.sells("q", 1, hourly)
	b.tick(second)
	later := b.leases(id)[1]
	require.Equal(t, []string{""}, b.acks("q", later.Id))
	acked := b.Now()
	b.tick(50 * second)
	spent := int64(b.Now()-first.AckedAt) + int64(b.Now()-acked)
	require.Equal(t, (10_000-spent)*3600, b.grains(id))
	require.Equal(t, 10_000-spent, b.closes("alice", id))
	b.check()
}

func TestAnEndedLeaseIsForgottenWhenNothingCanBeClaimed(t *testing.T) {
	b := tuned(t)
	b.sells("p", 4, hourly)
	id := b.deploys("alice", "web", 100_000, want("a", 1, 5000), want("b", 1, 5000))
	b.tick(second)
	leases := b.leases(id)
	b.acks("p", leases[0].Id, leases[1].Id)
	b.tick(second)
	require.NoError(t, b.Deliver(b.closeLease("alice", leases[0].Id, false)))
	until, err := b.Escrow.RetainUntil(b.Ctx())
	require.NoError(t, err)
	b.tick(second)
	for b.Now()+20 < until {
		b.tick(20 * second)
	}
	require.Len(t, b.leases(id), 2)
	require.Equal(t, providertypes.Record{Acknowledged: 2}, b.record("p"))
	b.tick(40 * second)
	require.Len(t, b.leases(id), 1)
	require.Equal(t, leases[1].Id, b.leases(id)[0].Id)
	require.Equal(t, providertypes.Record{Acknowledged: 2, Completed: 1}, b.record("p"))
	_, err = b.query().Lease(b.Ctx(), &types.QueryLeaseRequest{Id: leases[0].Id})
	require.Error(t, err)
}

func TestAClosedDeploymentIsForgottenWithAllThatItHad(t *testing.T) {
	b := tuned(t)
	b.sells("p", 4, hourly)
	id, lease := b.serves("alice", 10_000, want("web", 1, 5000))
	b.tick(second)
	b.closes("alice", id)
	b.tick(second)
	_, err := b.query().Deployment(b.Ctx(), &types.QueryDeploymentRequest{Id: id})
	require.NoError(t, err)
	for range 6 {
		b.tick(100 * second)
	}
	_, err = b.query().Deployment(b.Ctx(), &types.QueryDeploymentRequest{Id: id})
	require.Error(t, err)
	_, err = b.query().Lease(b.Ctx(), &types.QueryLeaseRequest{Id: lease.Id})
	require.Error(t, err)
	g, err := b.Market.ExportGenesis(b.Ctx())
	require.NoError(t, err)
	require.Empty(t, g.Bids)
	require.Empty(t, g.Leases)
	require.Empty(t, g.Retained)
	require.Equal(t, providertypes.Record{Acknowledged: 1, Completed: 1}, b.record("p"))
}

func TestADeclineToOneselfCostsHalfOfWhatIsMoved(t *testing.T) {
	b := tuned(t)
	b.sells("p", 4, hourly)
	id := b.deploys("p", "sham", 10_000, want("web", 1, 5000))
	b.tick(second)
	bond, pool := b.bond("p"), b.CommunityPool()
	require.Equal(t, []string{""}, b.declines("p", b.lease(id).Id))
	require.Equal(t, bond-int64(hourly), b.bond("p"))
	require.Equal(t, int64(10_000+hourly/2)*3600, b.grains(id))
	require.Equal(t, pool+int64(hourly/4), b.CommunityPool(), "of the public's half, half is burnt")
}

func TestADeploymentWithMoreLeasesThanOneItemForgetsIsForgottenInParts(t *testing.T) {
	b := tuned(t)
	b.sells("p", 40, hourly)
	specs := make([]types.BidSpec, types.MaxBids)
	for i := range specs {
		specs[i] = want(fmt.Sprintf("group-%d", i), 1, 5000)
	}
	id := b.deploys("alice", "web", 1_000_000, specs...)
	const rounds = 9
	for range rounds {
		b.NextBlock(second)
		live := b.live(id)
		require.Len(t, live, types.MaxBids)
		for _, lease := range live {
			require.NoError(t, b.Deliver(b.closeLease("alice", lease.Id, false)))
		}
		again := b.update("alice", id, specs...)
		again.Again = true
		require.NoError(t, b.Deliver(again))
	}
	b.closes("alice", id)
	b.tick(second)
	g, err := b.Market.ExportGenesis(b.Ctx())
	require.NoError(t, err)
	require.Len(t, g.Leases, rounds*types.MaxBids)
	until, err := b.Escrow.RetainUntil(b.Ctx())
	require.NoError(t, err)
	b.tick(time.Duration(until-b.Now()+1) * second)
	for range 3 {
		b.tick(second)
	}
	g, err = b.Market.ExportGenesis(b.Ctx())
	require.NoError(t, err)
	require.Empty(t, g.Leases)
	require.Empty(t, g.Bids)
	next, err := b.Market.NextLease(b.Ctx())
	require.NoError(t, err)
	for id := uint64(1); id < next; id++ {
		_, err := b.query().Lease(b.Ctx(), &types.QueryLeaseRequest{Id: id})
		require.Error(t, err)
	}
}
