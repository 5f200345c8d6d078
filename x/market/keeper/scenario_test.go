package keeper_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/testutil/chain"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
)

func TestASignedBidBecomesAPaidLeaseAndTheRestIsRefundedExactly(t *testing.T) {
	b := start(t)
	b.sells("p", 10, hourly)
	id := b.deploys("alice", "web", 10_000, want("web", 2, 5000))
	require.Empty(t, b.leases(id))

	b.tick(second)
	lease := b.lease(id)
	require.Equal(t, types.LeaseState_LEASE_STATE_PENDING, lease.State)
	require.Equal(t, 2*hourly, lease.Rate)
	require.Equal(t, lease.CreatedAt+window, lease.AckBy)
	require.Equal(t, types.BidState_BID_STATE_FILLED, b.bids(id)[0].State)

	require.Equal(t, []string{""}, b.acks("p", lease.Id))
	b.check()
	require.Equal(t, types.LeaseState_LEASE_STATE_ACTIVE, b.lease(id).State)

	b.tick(100 * second)
	require.Equal(t, int64(10_000-200), b.closes("alice", id))
	b.check()
	require.Equal(t, int64(9_800), b.Balance(chain.Account("alice")))
	lease = b.lease(id)
	require.Equal(t, types.LeaseState_LEASE_STATE_CLOSED, lease.State)
	require.Equal(t, types.Reason_REASON_TENANT, lease.Reason)
	require.Equal(t, types.DeploymentState_DEPLOYMENT_STATE_CLOSED, b.deployment(id).State)
	require.Equal(t, types.Resources{}, b.offer(lease.Offer).Pool.Allocated)
}

func TestAProviderThatDoesNotAcknowledgePaysAnHourAndTheBidGoesToAnother(t *testing.T) {
	b := start(t)
	cheap := b.sells("cheap", 10, hourly)
	b.sells("dear", 10, hourly+100)
	id := b.deploys("alice", "web", 10_000, want("web", 1, 5000))
	b.tick(second)
	first := b.lease(id)
	require.Equal(t, cheap, first.Offer)

	bond := b.bond("cheap")
	b.tick(window * second)
	leases := b.leases(id)
	require.Equal(t, types.LeaseState_LEASE_STATE_FAILED, leases[0].State)
	require.Equal(t, types.Reason_REASON_NOT_ACKED, leases[0].Reason)
	require.Equal(t, first.AckBy, leases[0].ClosedAt)
	require.Equal(t, bond-int64(hourly), b.bond("cheap"))

	b.tick(second)
	leases = b.leases(id)
	require.Len(t, leases, 2)
	require.Equal(t, b.name("dear"), leases[1].Provider)
	require.Equal(t, []string{b.name("cheap")}, b.bids(id)[0].Excluded)
	require.Equal(t, []string{""}, b.acks("dear", leases[1].Id))
	require.Equal(t, int64(10_000+hourly/2), b.closes("alice", id), "compensation comes back with the deposit")
	b.check()
}

func TestADeclinedLeaseFailsAtOnceAndCostsAnHour(t *testing.T) {
	b := start(t)
	b.sells("p", 10, hourly)
	id := b.deploys("alice", "web", 10_000, want("web", 1, 5000))
	b.tick(second)
	bond := b.bond("p")
	lease := b.lease(id)
	require.Equal(t, []string{""}, b.declines("p", lease.Id))
	b.check()
	require.Equal(t, bond-int64(hourly), b.bond("p"))
	require.Equal(t, types.Reason_REASON_DECLINED, b.lease(id).Reason)
	require.Equal(t, types.BidState_BID_STATE_OPEN, b.bids(id)[0].State)
	b.tick(second)
	b.tick(second)
	require.Len(t, b.leases(id), 1, "nobody else sells")
}

func TestAnOfferThatMissesThreeAcknowledgementsInADayIsSuspendedUntilItIsUpdated(t *testing.T) {
	b := start(t)
	offer := b.sells("p", 10, hourly)
	for i, name := range []string{"one", "two", "three"} {
		require.Equal(t, types.OfferState_OFFER_STATE_ACTIVE, b.offer(offer).Offer.State)
		id := b.deploys("alice", name, 10_000, want("web", 1, 5000))
		b.tick(second)
		require.Len(t, b.leases(id), 1, i)
		b.tick(window * second)
	}
	require.Equal(t, types.OfferState_OFFER_STATE_SUSPENDED, b.offer(offer).Offer.State)
	require.Empty(t, b.offer(offer).Pool.HighestAsks)

	update := &types.MsgUpdateOffer{Signer: b.name("p"), Offer: offer, Asks: asking(hourly)}
	until := b.offer(offer).Offer.SuspendedUntil
	require.Equal(t, b.Now()-1+uint64(quick().SuspensionSeconds), until, "from the second of the third miss")
	b.tick(time.Duration(until-b.Now()-1) * second)
	b.refuses(types.ErrSuspended, update)
	b.refuses(types.ErrSuspended, b.postOffer("p", hourly))
	b.refuses(types.ErrSuspended, &types.MsgWithdrawOffer{Signer: b.name("p"), Offer: offer})
	b.tick(second)
	require.NoError(t, b.Deliver(update))
	require.Equal(t, types.OfferState_OFFER_STATE_ACTIVE, b.offer(offer).Offer.State)
	require.Empty(t, b.offer(offer).Offer.MissedAcks)
	require.Zero(t, b.offer(offer).Offer.SuspendedUntil)
	b.check()
}

func TestAnOfferIsPostedBesideASuspendedOneOnAnotherPoolAtOnceAndOnTheSamePoolWhenItsTimeIsOver(t *testing.T) {
	b := start(t)
	offer := b.sells("p", 10, hourly)
	for _, name := range []string{"one", "two", "three"} {
		b.deploys("alice", name, 10_000, want("web", 1, 5000))
		b.tick(second)
		b.tick(window * second)
	}
	until := b.offer(offer).Offer.SuspendedUntil
	require.NotZero(t, until)

	again := b.postOffer("p", hourly)
	b.refuses(types.ErrSuspended, again)
	set := b.setPool("p", units(10))
	set.Id = 1
	require.NoError(t, b.Deliver(set))
	elsewhere := b.postOffer("p", hourly)
	elsewhere.Pool = 1
	require.NoError(t, b.Deliver(elsewhere))

	b.tick(time.Duration(until-b.Now()) * second)
	require.NoError(t, b.Deliver(again))
	require.NoError(t, b.Deliver(&types.MsgWithdrawOffer{Signer: b.name("p"), Offer: offer}))
	b.check()
}

func TestMissedAcknowledgementsOlderThanADayAreForgotten(t *testing.T) {
	b := start(t)
	offer := b.sells("p", 10, hourly)
	for _, name := range []string{"one", "two", "three", "four"} {
		b.deploys("alice", name, 10_000, want("web", 1, 5000))
		b.tick(second)
		b.tick(window * second)
		b.Run(12*3600*second, 3600*second)
	}
	require.Equal(t, types.OfferState_OFFER_STATE_ACTIVE, b.offer(offer).Offer.State)
	require.Len(t, b.offer(offer).Offer.MissedAcks, 2)
}

func TestATenantWhoClosesBeforeTheAcknowledgementPaysOneWindow(t *testing.T) {
	b := start(t)
	b.sells("p", 10, hourly)
	id := b.deploys("alice", "web", 10_000, want("web", 1, 5000))
	b.tick(second)
	require.Equal(t, int64(10_000-window), b.closes("alice", id))
	b.check()
	require.Equal(t, types.Reason_REASON_TENANT, b.lease(id).Reason)
	require.Equal(t, []string{"lease 1 is not pending: lease is in another state"}, b.acks("p", 1))
}

func TestATenantWhoClosesAfterTheWindowHasPassedIsCompensated(t *testing.T) {
	params := quickEscrow()
	params.MaxDeadlinesPerBlock = 1
	b := start(t, chain.WithEscrowParams(params))
	b.sells("p", 10, hourly)
	b.deploys("first", "web", 10_000, want("web", 1, 5000))
	id := b.deploys("alice", "web", 10_000, want("web", 1, 5000))
	b.tick(second)
	b.tick((window + 5) * second) // one deadline a block: alice's lease is late, and not processed yet
	lease := b.lease(id)
	require.Equal(t, types.LeaseState_LEASE_STATE_PENDING, lease.State)
	require.Contains(t, b.acks("p", lease.Id)[0], types.ErrAckLate.Error())

	require.Equal(t, int64(10_000+hourly/2), b.closes("alice", id))
	b.check()
	require.Equal(t, types.Reason_REASON_NOT_ACKED, b.lease(id).Reason)
	require.Equal(t, lease.AckBy, b.lease(id).ClosedAt)
}

func TestMoneyThatRunsOutClosesEverythingAtItsSecond(t *testing.T) {
	b := start(t)
	b.sells("p", 10, hourly)
	id := b.deploys("alice", "web", 1_000, want("web", 2, 5000), want("db", 1, 1))
	b.tick(second)
	lease := b.lease(id)
	b.acks("p", lease.Id)
	acked := b.Now()
	b.tick(600 * second)

	lease = b.lease(id)
	require.Equal(t, types.LeaseState_LEASE_STATE_CLOSED, lease.State)
	require.Equal(t, types.Reason_REASON_INSUFFICIENT_FUNDS, lease.Reason)
	require.Equal(t, acked+500, lease.ClosedAt)
	deployment := b.deployment(id)
	require.Equal(t, types.DeploymentState_DEPLOYMENT_STATE_CLOSED, deployment.State)
	require.Equal(t, types.Reason_REASON_INSUFFICIENT_FUNDS, deployment.Reason)
	require.Equal(t, acked+500, deployment.ClosedAt)
	for _, bid := range b.bids(id) {
		require.Equal(t, types.BidState_BID_STATE_CLOSED, bid.State)
	}
	b.refuses(types.ErrDeploymentState, &types.MsgCloseDeployment{Owner: b.name("alice"), Deployment: id})
	b.deploys("alice", "web", 1_000, want("web", 1, 5000))
}

func TestALeaseWhoseDeadlineIsInQuarantineEndsWithItsAccountOrByRetry(t *testing.T) {
	for _, retry := range []bool{false, true} {
		b := start(t)
		b.sells("p", 2, hourly)
		spec := want("web", 1, 5000)
		id := b.deploys("alice", "web", 200, spec, want("db", 1, 5000))
		b.tick(second)
		b.acks("p", b.leases(id)[0].Id)
		offer, err := b.Market.BreakOffer(b.Ctx(), 1)
		require.NoError(t, err)
		b.NextBlock(window * second)
		require.NoError(t, b.Market.MendOffer(b.Ctx(), 1, offer))
		b.check()
		waiting := b.leases(id)[1]
		require.Equal(t, types.LeaseState_LEASE_STATE_PENDING, waiting.State)
		require.True(t, waiting.Held.IsPositive())

		if retry {
			require.NoError(t, b.Deliver(&escrowtypes.MsgRetry{
				Authority: b.Authority, Source: types.AckSource, Id: waiting.Id,
			}))
			b.check()
			waiting = b.leases(id)[1]
			require.Equal(t, types.Reason_REASON_NOT_ACKED, waiting.Reason)
			continue
		}
		b.tick(500 * second)
		for _, lease := range b.leases(id) {
			require.Equal(t, types.Reason_REASON_INSUFFICIENT_FUNDS, lease.Reason)
		}
		require.Equal(t, types.DeploymentState_DEPLOYMENT_STATE_CLOSED, b.deployment(id).State)
		require.Equal(t, int64(window+runway), b.Balance(chain.Account("alice")), "what was held is refunded")
	}
}

func TestABidThatRestsTooLongExpiresAndItsLeasesGoOn(t *testing.T) {
	b := start(t)
	b.sells("p", 1, hourly)
	spec := want("web", 2, 5000)
	spec.MinReplicas = 1
	id := b.deploys("alice", "web", 100_000, spec)
	b.tick(second)
	b.acks("p", b.lease(id).Id)
	b.tick(1000 * second)
	bid := b.bids(id)[0]
	require.Equal(t, types.BidState_BID_STATE_EXPIRED, bid.State)
	require.Equal(t, uint32(1), bid.Placed)
	b.sets("p", units(5))
	b.tick(second)
	b.tick(second)
	require.Len(t, b.leases(id), 1)
	require.Equal(t, types.LeaseState_LEASE_STATE_ACTIVE, b.lease(id).State)
}

func TestARestingBidIsServedWhenCapacityComes(t *testing.T) {
	b := start(t)
	id := b.deploys("alice", "web", 10_000, want("web", 3, 5000))
	b.tick(second)
	b.sells("p", 2, hourly)
	b.tick(second)
	require.Empty(t, b.leases(id), "two are fewer than the minimum")
	b.sets("p", units(3))
	b.tick(second)
	require.Equal(t, uint32(3), b.lease(id).Replicas)
}

func TestOneBidIsServedByTheCheapestOffersTogether(t *testing.T) {
	b := start(t)
	b.sells("dear", 5, 4000)
	b.sells("cheap", 2, hourly)
	b.sells("dearer", 5, 5001)
	id := b.deploys("alice", "web", 10_000, want("web", 4, 5000))
	b.tick(second)
	leases := b.leases(id)
	require.Len(t, leases, 2)
	require.Equal(t, b.name("cheap"), leases[0].Provider)
	require.Equal(t, uint32(2), leases[0].Replicas)
	require.Equal(t, b.name("dear"), leases[1].Provider)
	require.Equal(t, uint64(8000), leases[1].Rate)
}

func TestRequirementsOnLabelsAreMet(t *testing.T) {
	b := start(t)
	b.sells("here", 5, hourly, region("eu")...)
	b.sells("there", 5, hourly-10, region("us")...)
	b.sells("nowhere", 5, hourly-20)
	for name, test := range map[string]struct {
		requirement types.LabelRequirement
		provider    string
	}{
		"in":     {types.LabelRequirement{Key: "region", Operator: types.Operator_OPERATOR_IN, Values: []string{"eu"}}, "here"},
		"not-in": {types.LabelRequirement{Key: "region", Operator: types.Operator_OPERATOR_NOT_IN, Values: []string{"eu"}}, "nowhere"},
		"exists": {types.LabelRequirement{Key: "region", Operator: types.Operator_OPERATOR_EXISTS}, "there"},
	} {
		spec := want("web", 1, 5000)
		spec.Requirements = []types.LabelRequirement{test.requirement}
		id := b.deploys("alice", name, 10_000, spec)
		b.tick(second)
		require.Equal(t, b.name(test.provider), b.lease(id).Provider, name)
	}
}

func TestABidWhoseAccountCannotHoldTheMoneyIsSkippedAndTriedAgainAfterADeposit(t *testing.T) {
	b := start(t)
	b.sells("p", 10, hourly)
	need := int64(window + runway)
	poor := b.deploys("poor", "web", 100, want("web", 5, 5000))
	rich := b.deploys("rich", "web", 5*need, want("web", 5, 5000))
	b.tick(second)
	require.Empty(t, b.leases(poor))
	require.Equal(t, uint32(5), b.lease(rich).Replicas, "what the poor could not take is the rich one's")

	gift := b.Funded("friend", chain.Coin(25))
	_, err := b.Escrow.Deposit(b.Ctx(), poor, gift, chain.Coin(25), nil)
	require.NoError(t, err)
	b.acks("p", b.lease(rich).Id)
	b.tick(window * second)
	b.tick(second)
	require.Equal(t, uint32(5), b.lease(poor).Replicas)
}

func TestABidWhoseAccountCannotHoldTheMoneyForAllTakesWhatItCanPay(t *testing.T) {
	b := start(t)
	b.sells("a", 3, hourly)
	b.sells("b", 3, hourly)
	spec := want("web", 6, 5000)
	spec.MinReplicas = 3
	id := b.deploys("alice", "web", 149, spec)
	b.tick(second)
	require.Equal(t, uint32(5), b.bids(id)[0].Placed, "149 hold five for 25 seconds")
	require.Equal(t, types.BidState_BID_STATE_OPEN, b.bids(id)[0].State)
}

func TestABidWithMoneyForAllButOneReplicaGetsThoseOfOneOffer(t *testing.T) {
	b := start(t)
	b.sells("p", 1000, hourly)
	spec := want("web", 1000, 5000)
	spec.MinReplicas = 1
	id := b.deploys("alice", "web", 999*(window+runway), spec)
	b.tick(second)
	require.Equal(t, uint32(999), b.lease(id).Replicas)
}

func TestBidsWithoutFundsKeepNothingFromOthers(t *testing.T) {
	b := start(t)
	b.joins("p", int64(10*30*hourly)) // bond for ten
	b.sets("p", units(10))
	b.posts("p", hourly)
	sham := manyBids(types.MaxBids)
	for i := range sham {
		sham[i].Cap, sham[i].Replicas, sham[i].MinReplicas = types.MaxRate, 10, 10
	}
	greedy := b.deploys("sham", "web", 100, sham...)
	honest := b.deploys("alice", "web", 10*(window+runway), want("web", 10, 5000))
	b.tick(second)
	require.Empty(t, b.leases(greedy))
	require.Equal(t, uint32(10), b.lease(honest).Replicas, "served in the same clearing")
}

func TestBidsOfOneDeploymentShareItsMoney(t *testing.T) {
	b := start(t)
	b.sells("p", 10, hourly)
	id := b.deploys("alice", "web", 4*(window+runway), want("a", 3, 5002), want("b", 2, 5001), want("c", 1, 5000))
	b.tick(second)
	var placed []uint32
	for _, bid := range b.bids(id) {
		placed = append(placed, bid.Placed)
	}
	require.Equal(t, []uint32{3, 0, 1}, placed)
}

func TestAPoolMayBeDeclaredSmallerThanWhatIsAllocated(t *testing.T) {
	b := start(t)
	offer := b.sells("p", 4, hourly)
	id := b.deploys("alice", "web", 10_000, want("web", 3, 5000))
	b.tick(second)
	b.acks("p", b.lease(id).Id)
	b.sets("p", units(1))
	b.tick(second)
	require.Zero(t, b.offer(offer).Pool.Free())

	other := b.deploys("bob", "web", 10_000, want("web", 1, 5000))
	b.tick(second)
	require.Empty(t, b.leases(other))
	require.Equal(t, types.LeaseState_LEASE_STATE_ACTIVE, b.lease(id).State, "leases go on")
	b.closes("alice", id)
	b.tick(second)
	require.Len(t, b.leases(other), 1)
}

func TestABondLimitsLeasesAndMoreBondIsMoreRoom(t *testing.T) {
	b := start(t)
	b.joins("p", int64(2*30*hourly))
	b.sets("p", units(10))
	b.posts("p", hourly)
	id := b.deploys("alice", "web", 10_000, want("web", 3, 5000))
	b.tick(second)
	require.Empty(t, b.leases(id), "bond for two")
	b.Funded("p", chain.Coin(int64(30*hourly)))
	require.NoError(t, b.Deliver(b.addBond("p", int64(30*hourly))))
	b.tick(second)
	require.Len(t, b.leases(id), 1)
}

func TestAnOfferBeyondTheBondIsRefusedWithTheAmountMissing(t *testing.T) {
	b := start(t)
	b.joins("p", int64(3*10*hourly)-1)
	b.sets("p", units(10))
	require.ErrorContains(t, b.Deliver(b.postOffer("p", hourly)), "108000usouk needed, 1usouk missing: bond too low")
	b.refuses(types.ErrBondTooLow, b.postOffer("p", hourly))
	b.sets("p", units(9))
	b.refuses(types.ErrBondTooLow, b.postOffer("p", hourly)) // what was declared counts for one clearing more
	b.tick(second)
	b.posts("p", hourly)
	b.refuses(types.ErrBondTooLow, b.setPool("p", units(10)))
	b.refuses(types.ErrBondTooLow, &types.MsgUpdateOffer{Signer: b.name("p"), Offer: 1, Asks: asking(5000)})
}

func TestAProviderThatIsShortMayOfferLess(t *testing.T) {
	b := start(t)
	b.joins("p", int64(3*10*hourly))
	b.sets("p", units(10))
	offer := b.posts("p", hourly)
	_, err := b.Provider.SlashToPublic(b.Ctx(), chain.Account("p"), chain.Coin(int64(20*hourly)), "test")
	require.NoError(t, err)
	b.sets("p", units(9))
	require.NoError(t, b.Deliver(&types.MsgUpdateOffer{Signer: b.name("p"), Offer: offer, Asks: asking(hourly - 1)}))
	b.refuses(types.ErrBondTooLow, &types.MsgUpdateOffer{Signer: b.name("p"), Offer: offer, Asks: asking(hourly)})
}

func TestTheRequirementIsToldToTheProviderModule(t *testing.T) {
	b := start(t)
	b.sells("p", 10, hourly)
	b.tick(second)
	required := func() int64 {
		coins, err := b.Provider.RequirementOf(b.Ctx(), chain.Account("p"))
		require.NoError(t, err)
		return coins.AmountOf(denom).Int64()
	}
	require.Equal(t, int64(3*10*hourly), required())
	id := b.deploys("alice", "web", 10_000, want("web", 4, 5000))
	b.tick(second)
	require.Equal(t, int64(30*4*hourly+3*6*hourly), required())
	b.closes("alice", id)
	b.tick(second)
	require.Equal(t, int64(3*10*hourly), required())
}

func TestBidsInTwoDenomsShareOnePool(t *testing.T) {
	b := start(t)
	b.joins("p", 1_000_000_000)
	b.sets("p", units(3))
	b.Fund(chain.Account("p"), other(1_000_000_000))
	require.NoError(t, b.Deliver(b.addBondCoin("p", other(1_000_000_000))))
	offer := b.postOffer("p", hourly)
	offer.Asks = append([]types.Ask{{Denom: "uother", Cpu: 100, Memory: 1}}, offer.Asks...)
	require.NoError(t, b.Deliver(offer))

	here := b.deploys("alice", "web", 10_000, want("web", 2, 5000))
	there := b.create("bob", "web", 1, want("web", 2, 5000))
	there.Deposit = other(10_000)
	b.Fund(chain.Account("bob"), other(10_000))
	require.NoError(t, b.Deliver(there))
	b.tick(second)
	leases := append(b.leases(here), b.leases(here+1)...)
	require.Len(t, leases, 1, "three units serve one of two bids for two")
	b.tick(second)
}
