package keeper_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/testutil/chain"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

func zone(value string) types.Label { return types.Label{Key: types.ZoneLabel, Value: value} }

func TestWhenAProviderAndItsStandbyFailInOneSecondTheReplicaReturnsToTheBookFirst(t *testing.T) {
	b := tuned(t, longEpochs)
	id, _, _ := b.guarded(100_000, wantStandbys("web", 1, 1))
	b.tick(second)
	b.jails("a")
	b.jails("b")
	at := b.Now()
	b.tick(3 * second)
	leases := b.leases(id)
	b.ended(leases[0], failed, types.Reason_REASON_JAILED, at)
	b.ended(leases[1], failed, types.Reason_REASON_JAILED, at)
	require.True(t, leases[1].Standby, "it never took over")
	bid := b.bids(id)[0]
	require.True(t, bid.Returned)
	require.Zero(t, bid.Placed+bid.StandingBy)
	require.Equal(t, []string{b.name("a"), b.name("b")}, bid.Excluded)
	b.tick(second)
	last := b.leases(id)[2]
	require.Equal(t, b.name("c"), last.Provider)
	require.False(t, last.Standby)
	b.accounted(id, 100_000, 0)
}

func TestWhenTwoProvidersFailInOneSecondEachLosesToAStandby(t *testing.T) {
	b := tuned(t, longEpochs)
	for i, name := range []string{"a", "b"} {
		b.sells(name, 1, hourly+uint64(i))
	}
	b.sells("s", 1, hourly+2)
	b.sells("u", 1, hourly+3)
	spec := wantStandbys("web", 2, 2)
	id := b.deploys("alice", "web", 100_000, spec)
	b.tick(second)
	b.acks("a", 1)
	b.acks("b", 2)
	b.tick(second)
	require.Equal(t, []string{""}, b.acks("s", 3), "each standby is a lease of one replica")
	require.Equal(t, []string{""}, b.acks("u", 4))
	b.sells("spare", 5, hourly+3)
	b.tick(5 * second)
	b.jails("a")
	b.jails("b")
	b.tick(second)
	leases := b.leases(id)
	b.tookOver(leases[2], leases[0])
	b.tookOver(leases[3], leases[1])
	require.Equal(t, uint32(2), b.bids(id)[0].Placed)
	require.Zero(t, b.bids(id)[0].StandingBy)
	b.accounted(id, 100_000, 0)
}

func TestALeaseOfManyReplicasIsTakenOverOneByOneAndTheRestReturns(t *testing.T) {
	for _, noReplace := range []bool{false, true} {
		b := tuned(t, longEpochs)
		spec := wantStandbys("web", 3, 2)
		spec.NoReplace = noReplace
		b.sells("a", 3, hourly)
		b.sells("b", 10, hourly+1)
		b.sells("c", 10, hourly+2)
		id := b.deploys("alice", "web", 100_000, spec)
		b.tick(second)
		b.acks("a", 1)
		b.tick(second)
		require.Equal(t, []string{""}, b.acks("b", 2))
		require.Equal(t, []string{""}, b.acks("c", 3))
		b.jails("a")
		b.tick(second)
		leases := b.leases(id)
		b.tookOver(leases[1], leases[0])
		b.tookOver(leases[2], leases[0])
		bid := b.bids(id)[0]
		require.Equal(t, uint32(2), bid.Placed)
		require.Equal(t, uint32(2), bid.MissingStandbys(), "it asks for others")
		require.Equal(t, !noReplace, bid.Returned)
		if noReplace {
			require.Equal(t, uint32(1), bid.Released, "what nobody took over is wanted no more")
			require.Zero(t, bid.Missing())
			continue
		}
		b.tick(second)
		require.Equal(t, b.name("b"), b.leases(id)[3].Provider, "where the bid serves, and stands by no more")
		require.Equal(t, uint32(3), b.bids(id)[0].Placed)
	}
}

func TestAStandbyIsInAnotherZoneThanWhatServes(t *testing.T) {
	b := tuned(t, longEpochs)
	b.sells("a", 10, hourly, zone("east"))
	b.sells("b", 10, hourly+1, zone("east"))
	b.sells("c", 10, hourly+2)
	b.sells("d", 10, hourly+3, zone("west"))
	id := b.deploys("alice", "web", 100_000, wantStandbys("web", 1, 1))
	b.tick(second)
	b.tick(second)
	leases := b.leases(id)
	require.Equal(t, b.name("a"), leases[0].Provider)
	require.Equal(t, b.name("d"), leases[1].Provider, "b is in the same zone, and where c is nobody knows")
}

func TestStandbysOfABidAreInDifferentZones(t *testing.T) {
	for _, at := range []struct {
		name  string
		serve []types.Label
		then  []string
	}{
		{"beside what serves in a zone", []types.Label{zone("north")}, []string{"b", "d"}},
		{"beside what serves nobody knows where", nil, []string{"b", "d"}},
	} {
		t.Run(at.name, func(t *testing.T) {
			b := tuned(t, longEpochs)
			b.sells("a", 10, hourly, at.serve...)
			b.sells("b", 10, hourly+1, zone("east"))
			b.sells("c", 10, hourly+2, zone("east"))
			b.sells("d", 10, hourly+3, zone("west"))
			id := b.deploys("alice", "web", 100_000, wantStandbys("web", 1, 3))
			b.tick(second)
			b.acks("a", 1)
			for range 4 {
				b.tick(second)
			}
			var standbys []string
			for _, lease := range b.leases(id)[1:] {
				require.True(t, lease.Standby)
				standbys = append(standbys, lease.Provider)
			}
			require.Equal(t, []string{b.name(at.then[0]), b.name(at.then[1])}, standbys, "c is where b is")
			require.Equal(t, uint32(1), b.bids(id)[0].MissingStandbys())
			b.sells("e", 10, hourly+4, zone("south"))
			b.tick(second)
			require.Equal(t, b.name("e"), b.leases(id)[3].Provider)
		})
	}
}

func TestAnOfferThatTakesNoStandbysServesReplicasOnly(t *testing.T) {
	b := tuned(t, longEpochs)
	none := types.OfferTerms{NoStandbys: true}
	for i, name := range []string{"a", "b"} {
		b.joins(name, 1_000_000_000)
		b.sets(name, units(10))
		post := b.postOffer(name, hourly+uint64(i))
		post.Terms = none
		require.NoError(t, b.Deliver(post))
	}
	b.sells("c", 10, hourly+2)
	id := b.deploys("alice", "web", 100_000, wantStandbys("web", 1, 2))
	b.tick(second)
	b.tick(second)
	b.tick(second)
	leases := b.leases(id)
	require.Len(t, leases, 2, "b takes none")
	require.Equal(t, b.name("a"), leases[0].Provider)
	require.Equal(t, b.name("c"), leases[1].Provider)
	require.NoError(t, b.Deliver(&types.MsgUpdateOffer{Signer: b.name("b"), Offer: 2, Asks: asking(hourly + 1)}))
	b.tick(second)
	b.tick(second)
	require.Equal(t, b.name("b"), b.leases(id)[2].Provider, "now it does")
	require.True(t, b.leases(id)[2].Standby)
	require.NoError(t, b.Deliver(&types.MsgUpdateOffer{Signer: b.name("b"), Offer: 2, Asks: asking(hourly + 1), Terms: none}))
	require.Equal(t, []string{""}, b.acks("b", 3), "what it has stays")
	b.check()
}

func TestTheShareOfAStandbyIsThatOfItsAcknowledgement(t *testing.T) {
	b := tuned(t, longEpochs)
	id, _, spare := b.guarded(100_000, wantStandbys("web", 1, 1))
	require.Equal(t, uint32(500), spare.StandbyBps)
	params, err := b.Market.Params(b.Ctx())
	require.NoError(t, err)
	params.StandbyBps = 1000
	require.NoError(t, b.Deliver(&types.MsgUpdateParams{Authority: b.Authority, Params: params}))
	b.check()
	require.Equal(t, uint64(share), b.stream(b.leases(id)[1]).Rate)
	large := wantStandbys("web", 1, 1)
	large.Unit, large.Cap = units(2), 10_000
	require.NoError(t, b.Deliver(&types.MsgUpdateDeployment{
		Signer: b.name("alice"), Deployment: id, ManifestHash: b.deployment(id).ManifestHash, Bids: []types.BidSpec{large},
	}))
	b.check()
	resized := b.leases(id)[1]
	require.Equal(t, uint32(1000), resized.StandbyBps)
	require.Equal(t, (resized.Rate+9)/10, b.stream(resized).Rate)

	state := b.Export()
	var g types.GenesisState
	b.Codec.MustUnmarshalJSON(state[types.ModuleName], &g)
	g.Leases[1].StandbyBps = 500 // of another rate than it is paid
	require.NoError(t, g.Validate(b.Addresses))
	state[types.ModuleName] = b.json(&g)
	require.Panics(t, func() { startFrom(t, nil, chain.WithState(state)) })
}

func TestNoProviderStandsByTwiceForABidNorWhereItServes(t *testing.T) {
	b := tuned(t, longEpochs)
	b.sells("a", 10, hourly)
	b.sells("b", 10, hourly+1)
	id := b.deploys("alice", "web", 100_000, wantStandbys("web", 1, 2))
	at := func() (providers []string) {
		for _, lease := range b.leases(id) {
			if lease.State.Live() {
				providers = append(providers, lease.Provider)
			}
		}
		return providers
	}
	b.tick(second)
	b.acks("a", 1)
	for range 3 {
		b.tick(second)
	}
	require.Equal(t, []string{b.name("a"), b.name("b")}, at(), "b stands by already")
	b.sells("c", 10, hourly+2)
	b.tick(second)
	require.Equal(t, []string{b.name("a"), b.name("b"), b.name("c")}, at())
	b.acks("b", 2)
	b.acks("c", 3)
	require.Equal(t, []uint64{2}, b.failsOver("alice", 1))
	b.tick(second)
	b.tick(second)
	require.Equal(t, []string{b.name("b"), b.name("c")}, at(), "b serves now, and does not stand by for itself")
	b.sells("d", 10, hourly+3)
	b.tick(second)
	require.Equal(t, []string{b.name("b"), b.name("c"), b.name("d")}, at())
	b.check()
}

func TestReplicasThatComeLaterAvoidWhereTheBidStandsBy(t *testing.T) {
	b := tuned(t, longEpochs)
	id, _, _ := b.guarded(100_000, wantStandbys("web", 1, 1))
	spec := wantStandbys("web", 12, 1)
	spec.MinReplicas = 1
	require.NoError(t, b.Deliver(&types.MsgUpdateDeployment{
		Signer: b.name("alice"), Deployment: id, ManifestHash: b.deployment(id).ManifestHash, Bids: []types.BidSpec{spec},
	}))
	b.tick(second)
	var at []string
	for _, lease := range b.leases(id)[2:] {
		at = append(at, lease.Provider)
	}
	require.Equal(t, []string{b.name("a"), b.name("c")}, at, "nine at a, two at c, none at b")
}

func TestAStandbyThatIsAcknowledgedAfterItsReplicaWasLostServesAtOnce(t *testing.T) {
	b := tuned(t, longEpochs)
	b.sells("a", 1, hourly)
	b.sells("b", 1, hourly+1)
	spec := wantStandbys("web", 1, 1)
	spec.LeaseSeconds = 500
	id := b.deploys("alice", "web", 100_000, spec)
	b.tick(second)
	b.acks("a", 1)
	b.tick(second)
	b.jails("a")
	b.tick(2 * second)
	require.True(t, b.bids(id)[0].Returned)
	require.Equal(t, pending, b.leases(id)[1].State)
	b.tick(2 * second)
	require.Len(t, b.leases(id), 2, "where it stands by nothing else of it goes")
	require.Equal(t, []string{""}, b.acks("b", 2))
	b.check()
	heir, bid := b.leases(id)[1], b.bids(id)[0]
	require.Equal(t, active, heir.State)
	require.False(t, heir.Standby)
	require.Equal(t, b.Now()+500, heir.EndsAt)
	require.Equal(t, uint32(1), bid.Placed)
	require.Zero(t, bid.StandingBy)
	require.False(t, bid.Returned)
	require.Equal(t, types.BidState_BID_STATE_OPEN, bid.State)
}

func TestWhoTakesOverEndsWhenTheLostLeaseWouldHave(t *testing.T) {
	b := tuned(t, longEpochs)
	spec := wantStandbys("web", 1, 1)
	spec.LeaseSeconds = 300
	id, primary, spare := b.guarded(100_000, spec)
	require.Equal(t, primary.AckedAt+300, primary.EndsAt)
	require.Zero(t, spare.EndsAt, "the term of a standby has not begun")
	b.tick(100 * second)
	require.Equal(t, []uint64{spare.Id}, b.failsOver("alice", primary.Id))
	b.check()
	require.Equal(t, primary.EndsAt, b.leases(id)[1].EndsAt)
	b.tick(2 * second)
	b.acks("c", 3)
	require.Equal(t, standby, b.leases(id)[2].State)
	b.tick(300 * second)
	b.ended(b.leases(id)[1], closed, types.Reason_REASON_EXPIRED, primary.EndsAt)
	b.ended(b.leases(id)[2], closed, types.Reason_REASON_NOT_NEEDED, primary.EndsAt)
	bid := b.bids(id)[0]
	require.Equal(t, uint32(1), bid.Released)
	require.Zero(t, bid.StandingBy)
	require.Equal(t, types.BidState_BID_STATE_FILLED, bid.State)
}

func TestStandbysEndWithWhatTheyStandByForWhoeverEndsIt(t *testing.T) {
	for _, acked := range []bool{false, true} {
		b := tuned(t, longEpochs)
		b.sells("a", 10, hourly)
		b.sells("b", 10, hourly+1)
		id := b.deploys("alice", "web", 100_000, wantStandbys("web", 1, 1))
		b.tick(second)
		b.acks("a", 1)
		b.tick(second)
		wait := int64(window) * int64(hourly+1) / int64(hourly)
		if acked {
			b.acks("b", 2)
			wait = 0
		}
		b.tick(second)
		require.NoError(t, b.Deliver(b.closeLease("alice", 1, false)))
		b.check()
		b.ended(b.leases(id)[1], closed, types.Reason_REASON_TENANT, b.Now())
		require.Zero(t, b.offer(2).Pool.Allocated)
		if acked {
			b.accounted(id, 100_000, wait)
		}
	}
}

func TestAStandbyThatIsClosedOrResignedIsAskedForAnew(t *testing.T) {
	for _, how := range []string{"close", "replace", "resign", "give up"} {
		b := tuned(t, longEpochs)
		id, primary, spare := b.guarded(100_000, wantStandbys("web", 1, 1))
		next := "c"
		switch how {
		case "close":
			next = "b" // nothing was said against it
			require.NoError(t, b.Deliver(b.closeLease("alice", spare.Id, false)))
		case "replace":
			require.NoError(t, b.Deliver(b.closeLease("alice", spare.Id, true)))
		case "resign":
			require.Equal(t, []string{""}, b.resigns("b", types.Reason_REASON_PROVIDER_LEFT, spare.Id))
			require.True(t, b.leases(id)[1].Standby)
			b.tick(notice * second)
		case "give up":
			require.Empty(t, b.failsOver("alice", spare.Id))
		}
		b.check()
		require.False(t, b.leases(id)[1].State.Live(), how)
		require.Equal(t, types.BidState_BID_STATE_OPEN, b.bids(id)[0].State)
		b.tick(second)
		require.Equal(t, b.name(next), b.leases(id)[2].Provider, how)
		require.True(t, b.leases(id)[2].Standby)
		require.Equal(t, active, b.leases(id)[0].State)
		b.acks(next, 3)
		require.Equal(t, []uint64{3}, b.failsOver("alice", primary.Id), how)
		b.check()
	}
}

func TestAStandbyWithNoticeTakesOverWhenThereIsNoOtherAndKeepsItsNotice(t *testing.T) {
	b := tuned(t, longEpochs)
	id, primary, spare := b.guarded(100_000, wantStandbys("web", 1, 1))
	b.resigns("b", types.Reason_REASON_PROVIDER_LEFT, spare.Id)
	leaves := b.leases(id)[1].LeavesAt
	require.Equal(t, []uint64{spare.Id}, b.failsOver("alice", primary.Id))
	b.check()
	heir := b.leases(id)[1]
	require.Equal(t, leaving, heir.State)
	require.False(t, heir.Standby)
	require.Equal(t, leaves, heir.LeavesAt)
	b.tick(time.Duration(leaves-b.Now()) * second)
	b.ended(b.leases(id)[1], closed, types.Reason_REASON_PROVIDER_LEFT, leaves)
	require.Equal(t, uint32(1), b.bids(id)[0].Placed+b.bids(id)[0].Missing())
}

func TestOfStandbysWithNoticeTheFirstTakesOverWhicheverLeavesFirst(t *testing.T) {
	b := tuned(t, longEpochs)
	for i, name := range []string{"a", "b", "c"} {
		b.sells(name, 10, hourly+uint64(i))
	}
	b.deploys("alice", "web", 100_000, wantStandbys("web", 1, 2))
	b.tick(second)
	b.acks("a", 1)
	b.tick(second)
	require.Equal(t, []string{""}, b.acks("b", 2))
	require.Equal(t, []string{""}, b.acks("c", 3))
	b.resigns("c", types.Reason_REASON_PROVIDER_LEFT, 3)
	b.tick(5 * second)
	b.resigns("b", types.Reason_REASON_PROVIDER_LEFT, 2)
	require.Equal(t, []uint64{2}, b.failsOver("alice", 1), "which serves the longer")
	b.check()
}

func TestAnExpiredBidGivesUpStandbysAndAsksAgainWhenItLosesSomething(t *testing.T) {
	b := tuned(t, longEpochs)
	b.sells("a", 10, hourly)
	id := b.deploys("alice", "web", 100_000, wantStandbys("web", 1, 1))
	b.tick(second)
	b.acks("a", 1)
	require.Equal(t, types.BidState_BID_STATE_OPEN, b.bids(id)[0].State)
	b.tick(1000 * second)
	bid := b.bids(id)[0]
	require.Equal(t, types.BidState_BID_STATE_EXPIRED, bid.State)
	require.Equal(t, uint32(1), bid.Placed)
	b.sells("b", 10, hourly+1)
	b.tick(second)
	b.tick(second)
	require.Len(t, b.leases(id), 1, "it was given up")

	b.failsOver("alice", 1)
	b.tick(second)
	b.acks("b", 2)
	require.Equal(t, active, b.leases(id)[1].State)
	require.Equal(t, types.BidState_BID_STATE_OPEN, b.bids(id)[0].State)
	require.Equal(t, uint32(1), b.bids(id)[0].MissingStandbys())
	b.sells("c", 10, hourly+2)
	b.tick(second)
	require.True(t, b.leases(id)[2].Standby)
}

func TestAStandbyThatAnExpiredBidLosesBringsBackNoReplicasThatHadExpired(t *testing.T) {
	for _, how := range []string{"close", "replace", "resign", "give up"} {
		t.Run(how, func(t *testing.T) {
			b := tuned(t, longEpochs)
			b.sells("a", 1, hourly)
			b.sells("b", 1, hourly+1)
			id := b.deploys("alice", "web", 100_000, wantStandbys("web", 1, 1))
			b.tick(second)
			b.acks("a", 1)
			b.tick(second)
			require.Equal(t, []string{""}, b.acks("b", 2))
			more := wantStandbys("web", 2, 1)
			more.MinReplicas = 1
			require.NoError(t, b.Deliver(&types.MsgUpdateDeployment{
				Signer: b.name("alice"), Deployment: id, ManifestHash: b.deployment(id).ManifestHash, Bids: []types.BidSpec{more},
			}))
			b.tick(1000 * second)
			bid := b.bids(id)[0]
			require.Equal(t, types.BidState_BID_STATE_EXPIRED, bid.State)
			require.Equal(t, uint32(1), bid.Missing())
			require.Equal(t, uint32(1), bid.StandingBy)
			b.sells("c", 10, hourly+2)

			switch how {
			case "close":
				require.NoError(t, b.Deliver(b.closeLease("alice", 2, false)))
			case "replace":
				require.NoError(t, b.Deliver(b.closeLease("alice", 2, true)))
			case "resign":
				require.Equal(t, []string{""}, b.resigns("b", types.Reason_REASON_PROVIDER_LEFT, 2))
				b.tick(notice * second)
			case "give up":
				require.Empty(t, b.failsOver("alice", 2))
			}
			b.check()
			b.tick(second)
			b.tick(second)
			bid = b.bids(id)[0]
			require.Equal(t, uint32(1), bid.Released, "what had expired is wanted no more")
			require.Equal(t, uint32(1), bid.Placed)
			require.Len(t, b.leases(id), 3)
			require.True(t, b.leases(id)[2].Standby)
		})
	}
}

func TestAnUpdateResizesStandbysAndEndsTheNewestOfTooMany(t *testing.T) {
	b := tuned(t, longEpochs)
	b.sells("a", 10, hourly)
	for i, name := range []string{"b", "c", "d"} {
		b.sells(name, 10, hourly+1+uint64(i))
	}
	id := b.deploys("alice", "web", 100_000, wantStandbys("web", 1, 3))
	b.tick(second)
	b.acks("a", 1)
	b.tick(second)
	for i, name := range []string{"b", "c", "d"} {
		require.Equal(t, []string{""}, b.acks(name, uint64(2+i)))
	}
	update := func(spec types.BidSpec) error {
		err := b.Deliver(&types.MsgUpdateDeployment{
			Signer: b.name("alice"), Deployment: id, ManifestHash: b.deployment(id).ManifestHash, Bids: []types.BidSpec{spec},
		})
		b.check()
		return err
	}
	large := wantStandbys("web", 1, 2)
	large.Unit, large.Cap = units(2), 10_000
	require.NoError(t, update(large))
	leases := b.leases(id)
	b.ended(leases[3], closed, types.Reason_REASON_TENANT, b.Now())
	require.Equal(t, standby, leases[2].State)
	require.Equal(t, 2*hourly+1, leases[1].Rate-1, "two units at its ask")
	require.Equal(t, uint64(361), b.stream(leases[1]).Rate, "a twentieth of that, rounded up")
	require.Equal(t, types.BidState_BID_STATE_FILLED, b.bids(id)[0].State)

	require.NoError(t, update(want("web", 1, 5000)))
	for _, lease := range b.leases(id)[1:] {
		require.Equal(t, types.Reason_REASON_TENANT, lease.Reason)
	}
	require.Zero(t, b.bids(id)[0].StandingBy)
}

func TestAStandbyOfAPausedLeaseTakesOverPausedAndResumes(t *testing.T) {
	b := tuned(t, longEpochs)
	id, primary, spare := b.guarded(300, wantStandbys("web", 1, 1))
	b.tick(250 * second)
	require.Equal(t, paused, b.leases(id)[0].State)
	require.Equal(t, standby, b.leases(id)[1].State, "it is paid little already")
	hold := b.stream(b.leases(id)[1]).Rate
	require.Equal(t, uint64(share), hold)
	require.Equal(t, []uint64{spare.Id}, b.failsOver("alice", primary.Id))
	b.check()
	heir := b.leases(id)[1]
	require.Equal(t, paused, heir.State)
	require.True(t, heir.Paused)
	stream := b.stream(heir)
	require.Equal(t, heir.Rate, stream.FullRate)
	require.Equal(t, uint64(361), stream.Rate, "what a pause pays")

	gift := b.Funded("friend", chain.Coin(1000))
	_, err := b.Escrow.Deposit(b.Ctx(), id, gift, chain.Coin(1000), nil)
	require.NoError(t, err)
	b.check()
	require.Equal(t, active, b.leases(id)[1].State)
}

func TestAStandbyEndsWithTheMoney(t *testing.T) {
	b := tuned(t, longEpochs)
	id, _, _ := b.guarded(300, wantStandbys("web", 1, 1))
	b.Run(3000*second, 500*second)
	leases := b.leases(id)
	require.Equal(t, leases[0].ClosedAt, leases[1].ClosedAt)
	for _, lease := range leases {
		require.Equal(t, types.Reason_REASON_INSUFFICIENT_FUNDS, lease.Reason)
	}
	require.Equal(t, types.DeploymentState_DEPLOYMENT_STATE_CLOSED, b.deployment(id).State)
	b.check()
}

func TestAStandbyThatTheAccountCannotPayStaysAndTheReplicaReturns(t *testing.T) {
	b := start(t, chain.WithEscrowParams(quickEscrow())) // nothing is ever paused
	b.sells("a", 1, hourly)
	b.sells("b", 1, 20*hourly)
	spec := wantStandbys("web", 1, 1)
	spec.Cap = 30 * hourly
	id := b.deploys("alice", "web", 600, spec)
	b.tick(second)
	b.acks("a", 1)
	b.tick(second)
	require.Equal(t, []string{""}, b.acks("b", 2))
	account, err := b.Escrow.Account(b.Ctx(), id)
	require.NoError(t, err)
	b.tick(time.Duration(account.ZeroAt-b.Now()-5) * second) // left is enough for five seconds of both, and for none of the whole rate
	require.Empty(t, b.failsOver("alice", 1))
	b.check()
	require.Equal(t, standby, b.leases(id)[1].State)
	require.True(t, b.bids(id)[0].Returned)
}

func TestLossesAreTakenOverInAHaltedDenom(t *testing.T) {
	b := tuned(t, longEpochs)
	id, primary, spare := b.guarded(100_000, wantStandbys("web", 1, 1))
	params, err := b.Escrow.Params(b.Ctx())
	require.NoError(t, err)
	for i := range params.Denoms {
		params.Denoms[i].Halted = true
	}
	require.NoError(t, b.Deliver(&escrowtypes.MsgUpdateParams{Authority: b.Authority, Params: params}))
	require.Equal(t, []uint64{spare.Id}, b.failsOver("alice", primary.Id))
	b.check()
	b.tookOver(b.leases(id)[1], b.leases(id)[0])
}

func TestALossThatAMessageSettlesLateIsTakenOverAtThatMessage(t *testing.T) {
	b := tuned(t, longEpochs, oneAtATime)
	id, primary, spare := b.guarded(100_000, wantStandbys("web", 1, 1))
	for _, name := range []string{"one", "two", "three"} { // these bids expire first
		bid := want(name, 1, 1)
		bid.LifetimeSeconds = answerWindow - 1
		b.deploys("bob", name, 1000, bid)
	}
	by := b.challenges("alice", primary.Id)
	b.tick((answerWindow + 4) * second)
	b.refuses(types.ErrLeaseState, b.closeLease("alice", primary.Id, true)) // it has ended by itself: nothing is done
	paid := hourly*(by-primary.AckedAt) + share*(b.Now()-spare.AckedAt)     // it stood by until now, and served for no second
	require.Equal(t, 100_000+int64(hourly)/2-int64((paid+3599)/3600), b.closes("alice", id))
	b.check()
	b.ended(b.leases(id)[0], failed, types.Reason_REASON_UNREACHABLE, by)
	b.ended(b.leases(id)[1], closed, types.Reason_REASON_TENANT, b.Now())
}

func TestAStateInTheMiddleOfAFailoverGoesOnAfterAnImport(t *testing.T) {
	b := tuned(t, longEpochs)
	id, primary, _ := b.guarded(100_000, wantStandbys("web", 1, 1))
	by := b.challenges("alice", primary.Id)
	b.tick(5 * second)
	state := b.Export()
	again := startFrom(t, nil, chain.WithState(state))
	again.check()
	b.NextBlock(0)
	require.True(t, b.withoutSeed() == again.withoutSeed())
	for range answerWindow {
		b.tick(second)
		again.tick(second)
		require.True(t, b.withoutSeed() == again.withoutSeed())
	}
	again.ended(again.leases(id)[0], failed, types.Reason_REASON_UNREACHABLE, by)
	again.tookOver(again.leases(id)[1], again.leases(id)[0])
}

// atOne moves one lease to where another is, with what their pools have allocated.
func atOne(g *types.GenesisState, one, other int) {
	to, from := g.Leases[one], &g.Leases[other]
	for i := range g.Pools {
		if g.Pools[i].Provider == from.Provider {
			g.Pools[i].Allocated = types.Resources{}
		}
		if g.Pools[i].Provider == to.Provider {
			g.Pools[i].Allocated = units(2)
		}
	}
	from.Provider, from.Offer, from.Pool = to.Provider, to.Offer, to.Pool
}

func TestAGenesisWhoseStandbysContradictItIsRefused(t *testing.T) {
	b := tuned(t, longEpochs)
	for i, name := range []string{"a", "b", "c"} {
		b.sells(name, 10, hourly+uint64(i))
	}
	b.deploys("alice", "web", 100_000, wantStandbys("web", 1, 2))
	b.tick(second)
	b.acks("a", 1)
	b.tick(second)
	require.Equal(t, []string{""}, b.acks("b", 2))
	require.Equal(t, []string{""}, b.acks("c", 3))
	b.challenges("alice", 1)
	good := b.Export()[types.ModuleName]
	for name, spoil := range map[string]func(*types.GenesisState){
		"more standbys than leases":     func(g *types.GenesisState) { g.Bids[0].Spec.Standbys, g.Bids[0].StandingBy = 3, 3 },
		"more standbys than wanted":     func(g *types.GenesisState) { g.Bids[0].Spec.Standbys = 1 },
		"filled without its standby":    func(g *types.GenesisState) { g.Bids[0].Spec.Standbys = 3 },
		"returned and filled":           func(g *types.GenesisState) { g.Bids[0].Returned = true },
		"a standby that serves":         func(g *types.GenesisState) { g.Leases[1].State = active },
		"a lease that stands by":        func(g *types.GenesisState) { g.Leases[0].State = standby },
		"a standby with an end":         func(g *types.GenesisState) { g.Leases[1].EndsAt = 99 },
		"a paused standby":              func(g *types.GenesisState) { g.Leases[1].Paused = true },
		"a standby without a share":     func(g *types.GenesisState) { g.Leases[1].StandbyBps = 0 },
		"a share of what serves":        func(g *types.GenesisState) { g.Leases[0].StandbyBps = 500 },
		"a share of more than all":      func(g *types.GenesisState) { g.Leases[1].StandbyBps = 10_001 },
		"a standby beside what serves":  func(g *types.GenesisState) { atOne(g, 0, 1) },
		"two standbys at one provider":  func(g *types.GenesisState) { atOne(g, 1, 2) },
		"a standby that counts as both": func(g *types.GenesisState) { g.Leases[1].Standby = false },
		"an ended lease to be answered": func(g *types.GenesisState) {
			g.Leases[0].State, g.Leases[0].Reason, g.Leases[0].ClosedAt = closed, 1, 9
		},
	} {
		t.Run(name, func(t *testing.T) {
			var g types.GenesisState
			b.Codec.MustUnmarshalJSON(good, &g)
			require.NoError(t, g.Validate(b.Addresses))
			spoil(&g)
			require.ErrorIs(t, g.Validate(b.Addresses), types.ErrInvalidGenesis)
		})
	}
}

func TestCustodiansAreListedAsLongAsTheyAreNamed(t *testing.T) {
	b := tuned(t, longEpochs)
	b.joins("keeps", 1_000_000_000)
	b.joins("other", 1_000_000_000)
	custody := func(provider string) (ids []uint64) {
		response, err := b.query().Custody(b.Ctx(), &types.QueryCustodyRequest{Provider: b.name(provider)})
		require.NoError(t, err)
		for _, d := range response.Deployments {
			ids = append(ids, d.Id)
		}
		return ids
	}
	create := b.create("alice", "web", 1000, want("web", 1, 5000))
	create.Custodians = []string{b.name("keeps")}
	b.Funded("alice", chain.Coin(1000))
	require.NoError(t, b.Deliver(create))
	b.check()
	require.Equal(t, []uint64{1}, custody("keeps"))
	update := &types.MsgUpdateDeployment{
		Signer: b.name("alice"), Deployment: 1, ManifestHash: create.ManifestHash, Bids: create.Bids,
		Custodians: []string{b.name("other"), b.name("keeps")},
	}
	require.NoError(t, b.Deliver(update))
	require.Equal(t, []uint64{1}, custody("other"))
	update.Custodians = []string{b.name("other")}
	require.NoError(t, b.Deliver(update))
	b.check()
	require.Empty(t, custody("keeps"))
	b.closes("alice", 1)
	b.check()
	require.Empty(t, custody("other"))
}

func TestABidOnlyHasStandbysThatTheAuctionCanGive(t *testing.T) {
	b := start(t)
	quoted := wantStandbys("web", 1, 1)
	quoted.Mode = types.BidMode_BID_MODE_QUOTE
	many := wantStandbys("web", 1, types.MaxStandbys+1)
	for _, spec := range []types.BidSpec{quoted, many} {
		b.Funded("alice", chain.Coin(1000))
		b.refuses(types.ErrInvalidBid, b.create("alice", "web", 1000, spec))
	}
}

func TestGivingUpALeaseIsNoFaultOfItsProvider(t *testing.T) {
	b := tuned(t, longEpochs)
	id, primary, _ := b.guarded(100_000, wantStandbys("web", 1, 1))
	bond := b.bond("a")
	b.failsOver("alice", primary.Id)
	require.Equal(t, providertypes.Record{Acknowledged: 1}, b.record("a"))
	require.Equal(t, bond, b.bond("a"))
	b.refuses(types.ErrLeaseState, b.failover("alice", primary.Id))
	b.closes("alice", id)
	b.refuses(types.ErrDeploymentState, b.failover("alice", 2))
}
