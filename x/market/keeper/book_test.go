package keeper_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/authz"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// changed starts a market with other parameters.
func changed(t testing.TB, change func(*types.Params)) *bench {
	t.Helper()
	genesis := types.DefaultGenesis()
	genesis.Params = quick()
	change(&genesis.Params)
	return startFrom(t, genesis, chain.WithEscrowParams(quickEscrow()))
}

// governs sets the market's parameters.
func (b *bench) governs(change func(*types.Params)) {
	b.t.Helper()
	params, err := b.Market.Params(b.Ctx())
	require.NoError(b.t, err)
	change(&params)
	require.NoError(b.t, b.Deliver(&types.MsgUpdateParams{Authority: b.Authority, Params: params}))
}

func (b *bench) updates(provider string, offer, rate uint64, change ...func(*types.MsgUpdateOffer)) {
	b.t.Helper()
	message := &types.MsgUpdateOffer{Signer: b.name(provider + "-agent"), Offer: offer, Asks: asking(rate)}
	for _, f := range change {
		f(message)
	}
	require.NoError(b.t, b.Deliver(message))
}

func TestAHigherAskCountsAfterExactlyOneClearingAndALowerOneAtOnce(t *testing.T) {
	b := start(t)
	offer := b.sells("p", 10, hourly)
	b.tick(second)
	first := b.deploys("ann", "web", 10_000, want("web", 1, hourly))
	b.updates("p", offer, hourly+5)
	require.Equal(t, asking(hourly), b.offer(offer).Offer.Asks)
	require.Equal(t, asking(hourly+5), b.offer(offer).Offer.NextAsks)
	require.Equal(t, asking(hourly+5), b.offer(offer).Pool.HighestAsks, "bonded at what is declared")
	b.updates("p", offer, hourly+3) // the lower of both counts still
	b.tick(second)
	require.Equal(t, hourly, b.lease(first).Rate)
	require.Equal(t, asking(hourly)[0], b.lease(first).Ask)
	require.Equal(t, asking(hourly+3), b.offer(offer).Offer.Asks)
	require.Empty(t, b.offer(offer).Offer.NextAsks)

	next := b.deploys("bob", "web", 10_000, want("web", 1, hourly+3))
	cheap := b.deploys("cat", "web", 10_000, want("web", 1, hourly+2))
	b.tick(second)
	require.Equal(t, hourly+3, b.lease(next).Rate)
	require.Empty(t, b.leases(cheap))
	b.updates("p", offer, hourly+1)
	b.tick(second)
	require.Equal(t, hourly+1, b.lease(cheap).Rate, "and is told to those who rest")
}

func TestOfTwoPricesTheOneThatFallsCountsAtOnceAndTheOtherLater(t *testing.T) {
	b := start(t)
	offer := b.sells("p", 10, hourly)
	b.tick(second)
	b.Funded("p", other(1000))
	require.NoError(t, b.Deliver(b.addBondCoin("p", other(1000))))
	asks := []types.Ask{{Denom: "uother", Cpu: 7}, {Denom: denom, Cpu: hourly - 101, Memory: 200}}
	b.updates("p", offer, 0, func(m *types.MsgUpdateOffer) { m.Asks = asks })
	require.Equal(t, []types.Ask{{Denom: "uother", Cpu: 7}, {Denom: denom, Cpu: hourly - 101, Memory: 1}}, b.offer(offer).Offer.Asks)
	b.tick(second)
	require.Equal(t, asks, b.offer(offer).Offer.Asks)
	b.updates("p", offer, 0, func(m *types.MsgUpdateOffer) { m.Asks = asks[:1] })
	require.Equal(t, asks[:1], b.offer(offer).Offer.Asks, "what is not asked for any more is not offered")
}

func TestNoLeaseIsFreeWhenThePriceMovesFromOneResourceToAnother(t *testing.T) {
	b := start(t)
	b.joins("p", 1_000_000_000)
	b.sets("p", units(10))
	post := b.postOffer("p", hourly)
	post.Asks = []types.Ask{{Denom: denom, Cpu: hourly}}
	require.NoError(t, b.Deliver(post))
	b.tick(second)
	memory := &types.MsgUpdateOffer{Signer: b.name("p"), Offer: 1, Asks: []types.Ask{{Denom: denom, Memory: hourly}}}
	b.refuses(types.ErrInvalidAsk, memory)
	b.updates("p", 1, hourly)
	b.tick(second)
	require.NoError(t, b.Deliver(memory))
	require.Equal(t, []types.Ask{{Denom: denom, Memory: 1}}, b.offer(1).Offer.Asks)
	b.tick(second)
	require.Equal(t, memory.Asks, b.offer(1).Offer.Asks)
}

func TestLessCapacityCountsAfterExactlyOneClearingAndMoreAtOnce(t *testing.T) {
	b := start(t)
	offer := b.sells("p", 3, hourly)
	b.tick(second)
	id := b.deploys("ann", "web", 10_000, want("web", 3, hourly))
	b.sets("p", units(1))
	require.Equal(t, units(3), b.offer(offer).Pool.Total)
	require.Equal(t, units(1), *b.offer(offer).Pool.NextTotal)
	b.tick(second)
	require.Equal(t, types.LeaseState_LEASE_STATE_PENDING, b.lease(id).State, "this clearing still had three")
	require.Equal(t, units(1), b.offer(offer).Pool.Total)
	require.Nil(t, b.offer(offer).Pool.NextTotal)

	next := b.deploys("bob", "web", 10_000, want("web", 1, hourly))
	b.tick(second)
	require.Empty(t, b.leases(next))
	b.sets("p", units(4))
	require.Nil(t, b.offer(offer).Pool.NextTotal)
	b.tick(second)
	require.Len(t, b.leases(next), 1)
}

func TestLessCapacityFreesItsBondEvenIfNobodyBids(t *testing.T) {
	b := start(t)
	b.sells("p", 10, hourly)
	b.tick(second)
	required := func() int64 {
		coins, err := b.Market.ProviderHooks().Required(b.Ctx(), chain.Account("p"))
		require.NoError(t, err)
		return coins.AmountOf(denom).Int64()
	}
	require.Equal(t, int64(3*10*hourly), required())
	b.sets("p", units(1))
	require.Equal(t, int64(3*10*hourly), required())
	b.tick(second)
	require.Equal(t, int64(3*hourly), required())
}

func TestAnOfferWithAnEndLeavesTheBookAtItsSecondWhateverWaitsToBeProcessed(t *testing.T) {
	b := start(t)
	offer := b.sells("p", 10, hourly)
	end := b.Now() + 10
	b.refuses(types.ErrInvalidTerms, &types.MsgUpdateOffer{
		Signer: b.name("p"), Offer: offer, Asks: asking(hourly), Terms: types.OfferTerms{ExpiresAt: b.Now()},
	})
	b.updates("p", offer, hourly, func(m *types.MsgUpdateOffer) { m.Terms.ExpiresAt = end - 5 })
	b.updates("p", offer, hourly, func(m *types.MsgUpdateOffer) { m.Terms.ExpiresAt = end })
	id := b.deploys("ann", "web", 10_000, want("web", 1, 5000))
	b.tick(9 * second)
	require.Len(t, b.leases(id), 1)
	require.Equal(t, types.OfferState_OFFER_STATE_ACTIVE, b.offer(offer).Offer.State)
	late := b.deploys("bob", "web", 10_000, want("web", 1, 5000))
	b.tick(second)
	require.Equal(t, types.OfferState_OFFER_STATE_WITHDRAWN, b.offer(offer).Offer.State)
	b.tick(second)
	require.Len(t, b.leases(late), 1, "the clearing at the end of the second before still had it")
	b.refuses(types.ErrOfferState, &types.MsgWithdrawOffer{Signer: b.name("p"), Offer: offer})
}

func TestWhoTakesNoLeasesIsInNoBookAndIsBackWithoutAWordFromTenants(t *testing.T) {
	key := func(b *bench) *providertypes.MsgDeclareMaintenance {
		from := b.Now() + 7200
		return &providertypes.MsgDeclareMaintenance{Signer: b.name("p"), Provider: b.name("p"), From: from, Until: from + 100}
	}
	for name, c := range map[string]struct {
		leave, back func(*bench)
	}{
		"in maintenance": {
			leave: func(b *bench) {
				require.NoError(b.t, b.Deliver(key(b)))
				b.Run(7200*second, 3600*second)
			},
			back: func(b *bench) { b.Run(100*second, 50*second) },
		},
		"about to enter maintenance": {
			leave: func(b *bench) {
				require.NoError(b.t, b.Deliver(key(b)))
				b.Run((7200-window+1)*second, 3600*second)
			},
			back: func(b *bench) { b.Run((100+window)*second, 50*second) },
		},
		"jailed": {
			leave: func(b *bench) { require.NoError(b.t, b.Provider.Jail(b.Ctx(), chain.Account("p"), 50, 0, "test")) },
			back: func(b *bench) {
				b.tick(50 * second)
				require.NoError(b.t, b.Deliver(&providertypes.MsgUnjail{Operator: b.name("p")}))
			},
		},
		"leaving": {
			leave: func(b *bench) {
				require.NoError(b.t, b.Deliver(&providertypes.MsgDeregister{Operator: b.name("p")}))
			},
		},
		"while the market is halted": {
			leave: func(b *bench) { b.governs(func(p *types.Params) { p.Halted = true }) },
			back:  func(b *bench) { b.governs(func(p *types.Params) { p.Halted = false }) },
		},
		"while its offer is withdrawn and another is posted": {
			leave: func(b *bench) {
				require.NoError(b.t, b.Deliver(&types.MsgWithdrawOffer{Signer: b.name("p"), Offer: 1}))
			},
			back: func(b *bench) { b.posts("p", hourly) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := changed(t, func(p *types.Params) { p.BidLifetimeSeconds = 100_000 })
			b.sells("p", 10, hourly)
			b.tick(second)
			c.leave(b)
			id := b.deploys("ann", "web", 10_000, want("web", 1, 5000))
			b.tick(second)
			b.tick(second)
			require.Empty(t, b.leases(id))
			if name != "while the market is halted" {
				response, err := b.query().Book(b.Ctx(), &types.QueryBookRequest{})
				require.NoError(t, err)
				require.Empty(t, response.Entries, "nor is it shown")
			}
			if c.back == nil {
				return
			}
			c.back(b)
			for range 3 {
				b.tick(second)
			}
			require.Len(t, b.leases(id), 1)
		})
	}
}

func TestABondBelowTheLeastTakesNoLeaseAndPostsNoOffer(t *testing.T) {
	b := start(t)
	b.sells("p", 10, hourly)
	params := providertypes.DefaultParams()
	params.MinBond = sdk.NewCoins(chain.Coin(1_000_000_001))
	require.NoError(t, b.Deliver(&providertypes.MsgUpdateParams{Authority: b.Authority, Params: params}))
	required, err := b.Market.ProviderHooks().Required(b.Ctx(), chain.Account("p"))
	require.NoError(t, err)
	require.Equal(t, params.MinBond, required)
	id := b.deploys("ann", "web", 10_000, want("web", 1, 5000))
	b.tick(second)
	require.Empty(t, b.leases(id))
	b.joins("q", 1_000_000_000)
	b.sets("q", units(1))
	b.refuses(types.ErrBondTooLow, b.postOffer("q", hourly))
	b.Funded("p", chain.Coin(1))
	require.NoError(t, b.Deliver(b.addBond("p", 1)))
	b.tick(second)
	require.Len(t, b.leases(id), 1)
}

func TestASpreadCountsWhatIsPlacedAlready(t *testing.T) {
	b := start(t)
	for i, zone := range []string{"a", "a", "b"} {
		b.puts(sale{provider: fmt.Sprintf("p-%d", i), units: 10, rate: hourly + uint64(i), labels: map[string]string{types.ZoneLabel: zone}})
	}
	spec := want("web", 4, 5000)
	spec.MinReplicas, spec.MaxPerProvider, spec.MaxPerZone = 1, 2, 2
	id := b.deploys("ann", "web", 100_000, spec)
	b.tick(second)
	byProvider := func() map[string]uint32 {
		got := map[string]uint32{}
		live, err := b.Market.LiveLeases(b.Ctx(), id)
		require.NoError(t, err)
		for _, l := range live {
			got[l.Provider] += l.Replicas
		}
		return got
	}
	require.Equal(t, map[string]uint32{b.name("p-0"): 2, b.name("p-2"): 2}, byProvider())
	for _, lease := range b.leases(id) {
		if lease.Provider == b.name("p-2") {
			require.Equal(t, []string{""}, b.declines("p-2", lease.Id))
		}
	}
	b.tick(second)
	b.tick(second)
	require.Equal(t, map[string]uint32{b.name("p-0"): 2}, byProvider(), "zone a is full of it, zone b declined")
	b.puts(sale{provider: "p-3", units: 1, rate: hourly, labels: map[string]string{types.ZoneLabel: "b"}})
	b.tick(second)
	require.Equal(t, map[string]uint32{b.name("p-0"): 2, b.name("p-3"): 1}, byProvider())
}

func TestABookOfManyClassesIsReadInWindows(t *testing.T) {
	b := changed(t, func(p *types.Params) { p.ClassesPerBlock = 2 })
	for i := range 7 {
		b.sells(fmt.Sprintf("p-%d", i), 10, hourly, region(fmt.Sprint("r-", i))...)
	}
	b.tick(second)
	spec := want("web", 1, 5000)
	spec.Requirements = []types.LabelRequirement{{Key: "region", Operator: types.Operator_OPERATOR_IN, Values: []string{"r-6"}}}
	id := b.deploys("ann", "web", 10_000, spec)
	for range 6 {
		b.tick(second)
	}
	require.Len(t, b.leases(id), 1)
	for range 6 {
		b.tick(second)
	}
	require.False(t, b.clearing().Sweeping)
}

// rests fills a market with bids that nobody can serve.
func (b *bench) rests(bids int) {
	b.t.Helper()
	for done := 0; done < bids; {
		group := manyBids(min(types.MaxBids, bids-done))
		for i := range group {
			group[i].Cap = hourly - 1
		}
		b.deploys(fmt.Sprintf("resting-%d", done), "web", 100_000, group...)
		done += len(group)
	}
	for range 3 {
		b.NextBlock(second)
	}
}

// endBlockGas is what the end of this block reads and writes, without ending it.
func (b *bench) endBlockGas() uint64 {
	b.t.Helper()
	meter := storetypes.NewInfiniteGasMeter()
	cache, _ := b.Ctx().WithGasMeter(meter).CacheContext()
	require.NoError(b.t, b.Market.EndBlock(cache))
	return meter.GasConsumed()
}

func TestBidsThatRestCostNothingWhileTheBookOnlyLoses(t *testing.T) {
	cost := func(resting int) map[string]uint64 {
		b := start(t)
		offer := b.sells("p", 100, hourly)
		b.sells("q", 100, hourly)
		b.rests(resting)
		got := map[string]uint64{}
		for _, step := range []struct {
			name   string
			losing func()
		}{
			{"nothing", func() {}},
			{"a higher ask", func() { b.updates("p", offer, hourly+1) }},
			{"less capacity", func() { b.sets("p", units(90)) }},
			{"a lease", func() { b.deploys("ann", "web", 100_000, want("web", 1, 5000)) }},
			{"an offer withdrawn", func() { require.NoError(t, b.Deliver(&types.MsgWithdrawOffer{Signer: b.name("p"), Offer: offer})) }},
		} {
			step.losing()
			got[step.name] = b.endBlockGas()
			b.tick(second)
			require.False(t, b.clearing().Sweeping, step.name)
		}
		return got
	}
	few, many := cost(32), cost(640)
	for step, gas := range few {
		require.InEpsilon(t, gas, many[step], 0.02, step)
	}
}

// acksAll acknowledges what waits for its provider, so that no bid loses one by being slow.
func (b *bench) acksAll(deployments []uint64) {
	b.t.Helper()
	for _, id := range deployments {
		for _, lease := range b.leases(id) {
			if lease.State == types.LeaseState_LEASE_STATE_PENDING {
				require.NoError(b.t, b.Deliver(&types.MsgAckLeases{
					Signer: lease.Provider, Provider: lease.Provider, Accept: []uint64{lease.Id},
				}))
			}
		}
	}
}

// A bid that the book alone could serve is served soon after the last gain, however small the steps in which bids and
// offers are read, and whatever happened before.
func TestNoBidThatTheBookCouldServeStarves(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := changed(t, func(p *types.Params) {
			p.BidsPerBlock = rapid.Uint32Range(2, 5).Draw(rt, "bids a block")
			p.OffersPerBlock = rapid.Uint32Range(1, 4).Draw(rt, "offers a block")
			p.ClassesPerBlock = rapid.Uint32Range(1, 3).Draw(rt, "classes a block")
		})
		sellers := rapid.IntRange(1, 4).Draw(rt, "sellers")
		for i := range sellers {
			b.sells(fmt.Sprintf("p-%d", i), 1, hourly+10, region(fmt.Sprint(i%3))...)
		}
		var ids []uint64
		steps := rapid.IntRange(1, 25).Draw(rt, "steps")
		for i := range steps {
			seller := fmt.Sprintf("p-%d", rapid.IntRange(0, sellers-1).Draw(rt, "seller"))
			offer := uint64(0)
			if _, err := fmt.Sscanf(seller, "p-%d", &offer); err != nil {
				rt.Fatal(err)
			}
			switch rapid.IntRange(0, 6).Draw(rt, "step") {
			case 0, 1:
				spec := want("web", 1, hourly+rapid.Uint64Range(0, 10).Draw(rt, "cap"))
				if rapid.Bool().Draw(rt, "picky") {
					spec.Requirements = []types.LabelRequirement{{
						Key: "region", Operator: types.Operator_OPERATOR_IN, Values: []string{fmt.Sprint(rapid.IntRange(0, 3).Draw(rt, "region"))},
					}}
				}
				ids = append(ids, b.deploys(fmt.Sprintf("t-%d", i), "web", 1000, spec))
			case 2:
				b.sets(seller, units(rapid.Uint64Range(0, 3).Draw(rt, "units")))
			case 3:
				b.updates(seller, offer+1, hourly+rapid.Uint64Range(0, 12).Draw(rt, "ask"), func(m *types.MsgUpdateOffer) {
					m.Labels = region(fmt.Sprint(rapid.IntRange(0, 3).Draw(rt, "new region")))
				})
			case 4:
				if len(ids) > 0 {
					which := rapid.IntRange(0, len(ids)-1).Draw(rt, "closed")
					require.NoError(rt, b.Deliver(&types.MsgCloseDeployment{
						Owner: b.deployment(ids[which]).Owner, Deployment: ids[which],
					}))
					ids = slices.Delete(ids, which, which+1)
				}
			default:
				b.tick(second)
				b.acksAll(ids)
			}
		}
		most := 20 + 2*(len(ids)+1)*(sellers+2) // every window beside every bid, twice
		for quiet := 0; quiet < 2; most-- {
			require.Positive(rt, most, "no end: %+v", b.clearing())
			before := b.clearing()
			b.NextBlock(second)
			b.acksAll(ids)
			quiet++
			if b.clearing() != before {
				quiet = 0
			}
		}
		b.check()
		for _, id := range ids {
			bid := b.bids(id)[0]
			if bid.State != types.BidState_BID_STATE_OPEN {
				continue
			}
			for i := range sellers {
				offer := b.offer(uint64(i + 1))
				free := offer.Pool.Free()
				could := offer.Offer.State == types.OfferState_OFFER_STATE_ACTIVE && free[0] >= 1000 && free[1] >= 1024 &&
					offer.Offer.Asks[0].Cpu+offer.Offer.Asks[0].Memory <= bid.Spec.Cap && types.Satisfies(offer.Offer.Labels, bid.Spec.Requirements)
				require.False(rt, could, "offer %d could serve bid %d, which rests: %+v", i+1, bid.Id, b.clearing())
			}
		}
	})
}

func TestOffersAndPoolsAreDeclaredByOperatorAgentOrWhomTheyAuthorize(t *testing.T) {
	b := start(t)
	b.joins("p", 1_000_000_000)
	b.sets("p", units(1))
	b.posts("p", hourly)
	post := b.postOffer("p", hourly)
	update := &types.MsgUpdateOffer{Offer: 1, Asks: asking(hourly)}
	withdraw := &types.MsgWithdrawOffer{Offer: 2}
	set := b.setPool("p", units(2))
	b.joins("q", 1)
	for name, message := range map[string]struct {
		sdk.Msg
		sign func(string)
	}{
		"set":      {set, func(s string) { set.Signer = s }},
		"post":     {post, func(s string) { post.Signer = s }},
		"update":   {update, func(s string) { update.Signer = s }},
		"withdraw": {withdraw, func(s string) { withdraw.Signer = s }},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "withdraw" {
				require.NoError(t, b.Deliver(b.postOffer("p", hourly)))
			}
			for _, stranger := range []string{"stranger", "q", "q-agent"} {
				message.sign(b.name(stranger))
				require.Error(t, b.Deliver(message.Msg), stranger)
			}
			message.sign("nobody")
			require.ErrorIs(t, b.Deliver(message.Msg), types.ErrInvalidAddress)
			message.sign(b.name("p"))
			require.NoError(t, b.Try(func(sdk.Context) error { return nil }))
			exec := authz.NewMsgExec(chain.Account("friend"), []sdk.Msg{message.Msg})
			require.Error(t, b.Deliver(&exec), "no grant yet")
			grant, err := authz.NewMsgGrant(chain.Account("p"), chain.Account("friend"),
				authz.NewGenericAuthorization(sdk.MsgTypeURL(message.Msg)), nil)
			require.NoError(t, err)
			b.Funded("p", chain.Coin(1))
			b.Funded("friend", chain.Coin(1))
			require.NoError(t, b.Deliver(grant, &exec))
			b.check()
		})
	}
}

func TestDeclaringOffersAndPoolsCostsTheSameInAnyMarket(t *testing.T) {
	cost := func(live int) (set, update uint64) {
		b := start(t)
		b.sells("p", uint64(live)+200, hourly)
		b.Fund(chain.Account("p"), chain.Coin(1e12))
		require.NoError(t, b.Deliver(b.addBond("p", 1e12)))
		for i := range live / 20 {
			b.sells(fmt.Sprintf("q-%d", i), 1, 9*hourly)
		}
		b.crowd("p", live)
		b.tick(time.Second)
		b.sets("p", units(uint64(live)+150))
		set = b.GasUsed
		b.updates("p", 1, hourly+1)
		return set, b.GasUsed
	}
	set, update := cost(100)
	setMany, updateMany := cost(2000)
	t.Logf("set %d, update %d gas", set, update)
	require.InEpsilon(t, set, setMany, 0.02)
	require.InEpsilon(t, update, updateMany, 0.02)
	require.Less(t, max(set, update), uint64(70_000))
}
