package keeper_test

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/testutil/chain"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
)

// update declares a deployment anew with the manifest that it has.
func (b *bench) update(signer string, id uint64, bids ...types.BidSpec) *types.MsgUpdateDeployment {
	b.t.Helper()
	deployment := b.deployment(id)
	return &types.MsgUpdateDeployment{
		Signer: b.name(signer), Deployment: id, ManifestHash: deployment.ManifestHash, Bids: bids,
		AccessKeys: deployment.AccessKeys, Custodians: deployment.Custodians,
	}
}

func (b *bench) declares(signer string, id uint64, bids ...types.BidSpec) {
	b.t.Helper()
	require.NoError(b.t, b.Deliver(b.update(signer, id, bids...)))
	b.check()
}

func (b *bench) live(id uint64) []types.Lease {
	b.t.Helper()
	leases, err := b.Market.LiveLeases(b.Ctx(), id)
	require.NoError(b.t, err)
	return leases
}

func TestEveryUpdateCountsAVersionSoThatNobodyOverwritesAnothersChange(t *testing.T) {
	b := tuned(t)
	b.sells("p", 4, hourly)
	id, lease := b.serves("alice", 10_000, want("web", 1, 5000))
	update := b.update("alice", id, want("web", 1, 5000))
	require.NoError(t, b.Deliver(update))
	require.Equal(t, uint64(2), b.deployment(id).Version, "the same manifest too")
	scaled := b.update("alice", id, want("web", 2, 5000))
	scaled.Version = 1
	b.refuses(types.ErrVersion, scaled)

	hash := sha256.Sum256([]byte("next"))
	update.ManifestHash, update.Version = hash[:], 2
	response, err := chain.Send[types.MsgUpdateDeploymentResponse](b.Chain, update)
	require.NoError(t, err)
	require.Equal(t, uint64(3), response.Version)
	require.Equal(t, []uint64{lease.Bid}, response.Bids)
	require.Equal(t, hash[:], b.deployment(id).ManifestHash)
	require.Equal(t, b.Now(), b.deployment(id).UpdatedAt)
	require.Equal(t, lease, b.lease(id))
	b.refuses(types.ErrVersion, update)
	b.check()
}

func TestAnUpdateScalesUpThroughTheBook(t *testing.T) {
	b := tuned(t)
	b.sells("p", 10, hourly)
	id, lease := b.serves("alice", 10_000, want("web", 1, 5000))
	b.declares("alice", id, want("web", 3, 5000))
	require.Equal(t, types.BidState_BID_STATE_OPEN, b.bids(id)[0].State)
	b.tick(second)
	leases := b.leases(id)
	require.Len(t, leases, 2)
	require.Equal(t, lease, leases[0])
	require.Equal(t, uint32(2), leases[1].Replicas)
	require.Equal(t, types.BidState_BID_STATE_FILLED, b.bids(id)[0].State)
}

func TestAnUpdateScalesDownWholeLeasesFirstAndThenAPartOfOne(t *testing.T) {
	b := tuned(t)
	b.sells("p", 3, hourly)
	b.sells("q", 10, hourly+100)
	id := b.deploys("alice", "web", 100_000, want("web", 6, 5000))
	b.tick(second)
	leases := b.leases(id)
	require.Len(t, leases, 2)
	b.acks("p", leases[0].Id)
	b.acks("q", leases[1].Id)
	acked := b.Now()
	b.tick(10 * second)
	b.declares("alice", id, want("web", 2, 5000))
	leases = b.leases(id)
	b.ended(leases[1], closed, types.Reason_REASON_TENANT, b.Now())
	require.Equal(t, active, leases[0].State)
	require.Equal(t, uint32(2), leases[0].Replicas)
	require.Equal(t, 2*hourly, leases[0].Rate)
	require.Equal(t, units(2), b.offer(leases[0].Offer).Pool.Allocated)
	bid := b.bids(id)[0]
	require.Equal(t, uint32(2), bid.Placed)
	require.Zero(t, bid.Released)
	require.Equal(t, types.BidState_BID_STATE_FILLED, bid.State)

	changed := b.Now()
	b.tick(10 * second)
	spent := (3*int64(hourly)+3*int64(hourly+100))*int64(changed-acked) + 2*int64(hourly)*int64(b.Now()-changed)
	require.Equal(t, 100_000*3600-spent, b.grains(id))
}

func TestAnUpdateScalesDownWhatWaitsBeforeWhatIsServed(t *testing.T) {
	b := tuned(t)
	b.sells("p", 10, hourly)
	id, served := b.serves("alice", 100_000, want("web", 2, 5000))
	b.declares("alice", id, want("web", 6, 5000))
	b.tick(second)
	waiting := b.leases(id)[1]
	require.Equal(t, uint32(4), waiting.Replicas)
	before := b.grains(id)
	b.declares("alice", id, want("web", 3, 5000))
	leases := b.leases(id)
	require.Equal(t, served.Replicas, leases[0].Replicas)
	require.Equal(t, pending, leases[1].State)
	require.Equal(t, uint32(1), leases[1].Replicas)
	require.Equal(t, hourly, leases[1].Rate)
	require.Equal(t, int64(hourly)*(window+pause), leases[1].Held.Int64())
	require.Equal(t, before-3*int64(hourly)*window, b.grains(id), "three replicas were kept free in vain")
	require.Equal(t, []string{""}, b.acks("p", waiting.Id))
	b.check()

	b.declares("alice", id, want("web", 2, 5000))
	b.ended(b.leases(id)[1], closed, types.Reason_REASON_TENANT, b.Now())
}

func TestAnUpdateResizesInPlaceAtTheLeasesOwnTerms(t *testing.T) {
	b := tuned(t)
	offer := b.sells("p", 10, hourly)
	id, lease := b.serves("alice", 100_000, want("web", 2, 10_000))
	require.NoError(t, b.Deliver(&types.MsgUpdateOffer{Signer: b.name("p"), Offer: offer, Asks: asking(hourly - 600)}))
	b.tick(10 * second)
	spec := want("web", 2, 10_000)
	spec.Unit = units(2)
	before := b.grains(id)
	b.declares("alice", id, spec)
	resized := b.lease(id)
	require.Equal(t, 4*hourly, resized.Rate)
	require.Equal(t, units(2), resized.Unit)
	require.Equal(t, units(4), b.offer(offer).Pool.Allocated)
	require.NotEqual(t, lease.Stream, resized.Stream)
	require.Equal(t, lease.AckedAt, resized.AckedAt)
	b.tick(10 * second)
	require.Equal(t, before-4*int64(hourly)*10, b.grains(id))

	spec.Unit = units(1)
	b.declares("alice", id, spec)
	require.Equal(t, 2*hourly, b.lease(id).Rate)
	require.Equal(t, units(2), b.offer(offer).Pool.Allocated)
}

func TestALeaseGrowsOnlyWhereItsProviderWouldSellItNow(t *testing.T) {
	for name, spoil := range map[string]func(b *bench, offer uint64, lease types.Lease){
		"the market is halted": func(b *bench, _ uint64, _ types.Lease) {
			params, err := b.Market.Params(b.Ctx())
			require.NoError(b.t, err)
			params.Halted = true
			require.NoError(b.t, b.Deliver(&types.MsgUpdateParams{Authority: b.Authority, Params: params}))
		},
		"it asks more": func(b *bench, offer uint64, _ types.Lease) {
			require.NoError(b.t, b.Deliver(&types.MsgUpdateOffer{Signer: b.name("p"), Offer: offer, Asks: asking(hourly + 1)}))
			b.tick(10 * second)
		},
		"it offers the pool no more": func(b *bench, offer uint64, _ types.Lease) {
			require.NoError(b.t, b.Deliver(&types.MsgWithdrawOffer{Signer: b.name("p"), Offer: offer}))
		},
		"it has given notice": func(b *bench, _ uint64, lease types.Lease) {
			require.Equal(b.t, []string{""}, b.resigns("p", types.Reason_REASON_POLICY, lease.Id))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := tuned(t)
			offer := b.sells("p", 10, hourly)
			spec := want("web", 2, 50_000)
			spec.Unit = units(2)
			id, lease := b.serves("alice", 100_000, spec)
			spoil(b, offer, lease)
			spec.Unit = units(3)
			b.refuses(types.ErrResize, b.update("alice", id, spec))
			spec.Unit = units(1)
			b.declares("alice", id, spec)
			require.Equal(t, 2*hourly, b.lease(id).Rate, "it may always become smaller")
		})
	}
}

func TestAResizeThatCanNotBeFailsAsAWholeAndNamesTheLease(t *testing.T) {
	b := tuned(t)
	b.joins("p", 10_000*30)
	b.sets("p", units(8))
	b.posts("p", 1000)
	id, lease := b.serves("alice", 200, want("web", 2, 5000))
	sized := func(n, limit uint64) types.BidSpec {
		spec := want("web", 2, limit)
		spec.Unit = units(n)
		return spec
	}
	for _, test := range []struct {
		name string
		spec types.BidSpec
		wait time.Duration
		want error
	}{
		{"above the cap", sized(2, 1999), 0, types.ErrResize},
		{"above the capacity", sized(5, 9000), 0, types.ErrNoCapacity},
		{"larger than machines", sized(9, 90_000), 0, types.ErrNoCapacity},
		{"beyond the money", sized(4, 9000), 160 * second, escrowtypes.ErrInsufficientFunds},
	} {
		t.Run(test.name, func(t *testing.T) {
			b.tick(test.wait)
			message := b.update("alice", id, test.spec)
			b.refuses(test.want, message)
			require.ErrorContains(t, b.Deliver(message), fmt.Sprintf("lease %d", lease.Id))
		})
	}
	require.Equal(t, lease.Unit, b.lease(id).Unit)
}

func TestAResizeBeyondTheBondIsRefused(t *testing.T) {
	b := tuned(t)
	b.joins("p", 200_000)
	b.sets("p", units(8))
	b.posts("p", hourly)
	id, _ := b.serves("alice", 100_000, want("web", 1, 50_000))
	spec := want("web", 1, 50_000)
	spec.Unit = units(2)
	b.refuses(types.ErrBondTooLow, b.update("alice", id, spec))
}

func TestALeaseThatWaitsCanNotBeResized(t *testing.T) {
	b := tuned(t)
	b.sells("p", 8, hourly)
	id := b.deploys("alice", "web", 10_000, want("web", 1, 9000))
	b.tick(second)
	spec := want("web", 1, 9000)
	spec.Unit = units(2)
	b.refuses(types.ErrLeaseState, b.update("alice", id, spec))
}

func TestAnUpdateDropsAndAddsGroups(t *testing.T) {
	b := tuned(t, func(_ *escrowtypes.Params, params *types.Params) { params.ClearingGas = 5_000_000 })
	b.sells("p", 8, hourly)
	id := b.deploys("alice", "web", 10_000, want("a", 1, 5000), want("b", 1, 5000))
	b.tick(second)
	leases := b.leases(id)
	b.acks("p", leases[0].Id) // b waits
	b.tick(second)
	b.declares("alice", id, want("c", 1, 5000), want("a", 1, 5000))
	require.InDelta(t, 5_000_000, b.GasUsed, 500_000, "the group that enters the book pays for its clearing")
	b.ended(b.leases(id)[1], closed, types.Reason_REASON_TENANT, b.Now())
	bids := b.bids(id)
	require.Equal(t, types.BidState_BID_STATE_CLOSED, bids[1].State)
	require.Equal(t, "c", bids[2].Spec.Name)
	b.tick(second)
	require.Len(t, b.live(id), 2)

	b.declares("alice", id, want("b", 2, 5000))
	require.Equal(t, bids[1].Id, b.bids(id)[1].Id, "a name that returns is the same bid")
	b.tick(second)
	require.Len(t, b.live(id), 1)
	require.Equal(t, uint32(2), b.live(id)[0].Replicas)
}

func TestADeploymentHasNoMoreThanSoManyNamesOverItsLife(t *testing.T) {
	b := tuned(t)
	id := b.deploys("alice", "web", 10_000, want("first", 1, 1))
	for i := range 3 {
		specs := make([]types.BidSpec, types.MaxBids)
		for j := range specs {
			specs[j] = want(fmt.Sprintf("group-%d-%d", i, j), 1, 1)
		}
		b.declares("alice", id, specs...)
	}
	specs := make([]types.BidSpec, types.MaxBids)
	for j := range specs {
		specs[j] = want(fmt.Sprintf("last-%d", j), 1, 1)
	}
	b.refuses(types.ErrTooManyBids, b.update("alice", id, specs...))
	b.declares("alice", id, specs[1:]...)
	b.closes("alice", id)
	b.check()
}

func TestAnUpdateRevivesNothingOfABidThatItLeavesAsItIs(t *testing.T) {
	b := tuned(t, func(_ *escrowtypes.Params, params *types.Params) { params.ClearingGas = 5_000_000 })
	b.sells("p", 10, hourly)
	rests, term := want("rests", 2, hourly-1), want("term", 1, 5000)
	rests.LifetimeSeconds, term.LeaseSeconds = 20, 30
	specs := []types.BidSpec{want("web", 2, 5000), term, rests}
	id := b.deploys("alice", "web", 100_000, specs...)
	b.tick(second)
	for _, lease := range b.leases(id) {
		require.Equal(t, []string{""}, b.acks("p", lease.Id))
	}
	b.tick(40 * second) // the term is over, and the bid that rests has expired
	require.NoError(t, b.Deliver(b.closeLease("alice", b.live(id)[0].Id, false)))
	require.Empty(t, b.live(id))
	before := b.bids(id)
	update := b.update("alice", id, specs...)
	update.AccessKeys = []types.AccessKey{{Address: b.name("friend"), Scopes: []types.Scope{types.Scope_SCOPE_READ}}}
	require.NoError(t, b.Deliver(update))
	require.Less(t, b.GasUsed, uint64(5_000_000), "no bid pays for a clearing")
	require.Equal(t, before, b.bids(id))
	b.tick(second)
	require.Empty(t, b.live(id))

	specs[1].Cap++
	b.declares("alice", id, specs...)
	b.tick(second)
	require.Len(t, b.live(id), 1, "of the bid that changed")

	update = b.update("alice", id, specs...)
	update.Again = true
	require.NoError(t, b.Deliver(update))
	require.Equal(t, types.BidState_BID_STATE_OPEN, b.bids(id)[2].State)
	b.tick(second)
	require.Len(t, b.live(id), 2)
}

func TestAnUpdateAgainReopensABidThatExpiredOrReleasedReplicas(t *testing.T) {
	b := tuned(t)
	b.sells("p", 1, hourly)
	spec := want("web", 2, 5000)
	spec.MinReplicas = 1
	id, lease := b.serves("alice", 100_000, spec)
	b.tick(400 * second)
	b.tick(601 * second)
	require.Equal(t, types.BidState_BID_STATE_EXPIRED, b.bids(id)[0].State)
	b.sells("q", 5, hourly)
	again := b.update("alice", id, spec)
	again.Again = true
	require.NoError(t, b.Deliver(again))
	b.check()
	b.tick(second)
	require.Len(t, b.live(id), 2)

	require.NoError(t, b.Deliver(b.closeLease("alice", lease.Id, false)))
	require.Equal(t, uint32(1), b.bids(id)[0].Released)
	require.NoError(t, b.Deliver(again))
	b.check()
	require.Zero(t, b.bids(id)[0].Released)
	b.tick(second)
	require.Len(t, b.live(id), 2)
}

func TestAHigherCapIsTriedAtOnce(t *testing.T) {
	b := tuned(t)
	b.sells("p", 1, hourly)
	id := b.deploys("alice", "web", 10_000, want("web", 1, hourly-1))
	b.tick(second)
	b.tick(second)
	require.Empty(t, b.leases(id))
	b.declares("alice", id, want("web", 1, hourly))
	b.tick(second)
	require.Len(t, b.leases(id), 1)
}

func TestAnUpdateThatMakesALowDeploymentCheaperResumesIt(t *testing.T) {
	b := tuned(t)
	b.sells("p", 10, hourly)
	id, _ := b.serves("alice", 2_000, want("web", 10, 5000))
	b.tick(150 * second)
	require.Equal(t, paused, b.lease(id).State)
	b.declares("alice", id, want("web", 1, 5000))
	require.Equal(t, active, b.lease(id).State)
	require.Equal(t, hourly, b.lease(id).Rate)
}

func TestAPausedLeaseIsResizedAndStaysPaused(t *testing.T) {
	b := tuned(t)
	b.sells("p", 10, hourly)
	id, _ := b.serves("alice", 2_000, want("web", 10, 5000))
	b.tick(150 * second)
	b.declares("alice", id, want("web", 9, 5000))
	lease := b.lease(id)
	require.Equal(t, paused, lease.State)
	stream, err := b.Escrow.Stream(b.Ctx(), lease.Stream)
	require.NoError(t, err)
	require.Equal(t, 9*hourly, stream.FullRate)
}

func TestCustodiansMustBeProviders(t *testing.T) {
	b := tuned(t)
	b.sells("p", 10, hourly)
	b.Funded("alice", chain.Coin(10_000))
	create := b.create("alice", "web", 10_000, want("web", 1, 5000))
	create.Custodians = []string{b.name("nobody")}
	b.refuses(types.ErrCustodian, create)
	create.Custodians = []string{b.name("p")}
	response, err := chain.Send[types.MsgCreateDeploymentResponse](b.Chain, create)
	require.NoError(t, err)
	require.Equal(t, create.Custodians, b.deployment(response.Deployment).Custodians)
	update := b.update("alice", response.Deployment, want("web", 1, 5000))
	update.Custodians = []string{b.name("p"), b.name("nobody")}
	b.refuses(types.ErrCustodian, update)
}

func TestABidMayNotWantToRestLongerThanTheMarketAllows(t *testing.T) {
	b := tuned(t)
	b.Funded("alice", chain.Coin(20_000))
	spec := want("web", 1, 5000)
	spec.LifetimeSeconds = 1001
	b.refuses(types.ErrInvalidBid, b.create("alice", "web", 10_000, spec))
	spec.LifetimeSeconds = 10
	id := b.deploys("alice", "web", 10_000, spec)
	require.Equal(t, b.Now()+10, b.bids(id)[0].ExpiresAt)
	b.tick(10 * second)
	require.Equal(t, types.BidState_BID_STATE_EXPIRED, b.bids(id)[0].State)
	spec.LifetimeSeconds = 1001
	b.refuses(types.ErrInvalidBid, b.update("alice", id, spec))

	b.governs(func(p *types.Params) { p.BidLifetimeSeconds = 5 })
	spec.LifetimeSeconds = 10
	require.NoError(t, b.Deliver(b.update("alice", id, spec)), "a bid that stays as it is was made when it might")
}
