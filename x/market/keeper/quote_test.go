package keeper_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// collects is a bid that collects quotes for replicas of one plain unit.
func collects(name string, replicas uint32, limit uint64) types.BidSpec {
	spec := want(name, replicas, limit)
	spec.MinReplicas, spec.Mode = 1, types.BidMode_BID_MODE_QUOTE
	return spec
}

// collectsAt opens a deployment with one such bid, and returns the ids of both.
func (b *bench) collectsAt(owner string, micro int64, spec types.BidSpec) (deployment, bid uint64) {
	b.t.Helper()
	deployment = b.deploys(owner, "web", micro, spec)
	return deployment, b.bids(deployment)[0].Id
}

func (b *bench) submit(provider string, bid, offer, rate uint64, replicas uint32) *types.MsgSubmitQuote {
	return &types.MsgSubmitQuote{
		Signer: b.name(provider + "-agent"), Bid: bid, Offer: offer, Ask: asking(rate)[0], Replicas: replicas, ValidSeconds: 60,
	}
}

// quotes delivers a quote that is taken.
func (b *bench) quotes(provider string, bid, offer, rate uint64, replicas uint32) {
	b.t.Helper()
	response, err := chain.Send[types.MsgSubmitQuoteResponse](b.Chain, b.submit(provider, bid, offer, rate, replicas))
	require.NoError(b.t, err)
	require.Equal(b.t, rate, response.Rate)
}

func (b *bench) accept(signer, provider string, bid, maxRate uint64, replicas uint32) *types.MsgAcceptQuote {
	return &types.MsgAcceptQuote{
		Signer: b.name(signer), Bid: bid, Provider: b.name(provider), Replicas: replicas, MaxRate: maxRate,
	}
}

// accepts delivers an acceptance that is taken, and returns its lease.
func (b *bench) accepts(signer, provider string, bid, maxRate uint64, replicas uint32) types.Lease {
	b.t.Helper()
	response, err := chain.Send[types.MsgAcceptQuoteResponse](b.Chain, b.accept(signer, provider, bid, maxRate, replicas))
	require.NoError(b.t, err)
	lease, err := b.query().Lease(b.Ctx(), &types.QueryLeaseRequest{Id: response.Lease})
	require.NoError(b.t, err)
	return lease.Lease
}

// quoted returns the providers whose quotes can be accepted, the cheapest first.
func (b *bench) quoted(bid uint64) []string {
	b.t.Helper()
	response, err := b.query().Quotes(b.Ctx(), &types.QueryQuotesRequest{Bid: bid})
	require.NoError(b.t, err)
	var providers []string
	for _, quote := range response.Quotes {
		provider, err := b.Provider.GetProvider(b.Ctx(), b.bytes(quote.Provider))
		require.NoError(b.t, err)
		providers = append(providers, provider.Info.Name)
	}
	return providers
}

// stored returns how many quotes there are, whether they can be accepted or not.
func (b *bench) stored() int {
	b.t.Helper()
	g, err := b.Market.ExportGenesis(b.Ctx())
	require.NoError(b.t, err)
	return len(g.Quotes)
}

func (b *bench) bytes(address string) sdk.AccAddress {
	b.t.Helper()
	bz, err := b.Addresses.StringToBytes(address)
	require.NoError(b.t, err)
	return bz
}

// quotesOnly takes an offer out of the auction.
func (b *bench) quotesOnly(provider string, offer, rate uint64) {
	b.t.Helper()
	require.NoError(b.t, b.Deliver(&types.MsgUpdateOffer{
		Signer: b.name(provider), Offer: offer, Asks: asking(rate), Terms: types.OfferTerms{QuotesOnly: true},
	}))
}

func TestABidThatCollectsQuotesTakesOneAtItsPriceAndNeverAnOfferOfTheAuction(t *testing.T) {
	b := start(t)
	offer := b.sells("p", 10, hourly)
	id, bid := b.collectsAt("alice", 10_000, collects("web", 3, 2*hourly))
	for range 5 {
		b.tick(second)
	}
	require.Empty(t, b.leases(id), "the auction does not serve it")

	b.quotes("p", bid, offer, hourly+7, 2)
	b.check()
	lease := b.accepts("alice", "p", bid, hourly+7, 0)
	require.Equal(t, types.LeaseState_LEASE_STATE_PENDING, lease.State)
	require.Equal(t, uint32(2), lease.Replicas)
	require.Equal(t, 2*(hourly+7), lease.Rate)
	require.Equal(t, asking(hourly + 7)[0], lease.Ask)
	require.Equal(t, b.Now()+window, lease.AckBy)
	require.Equal(t, uint32(2), b.bids(id)[0].Placed)
	require.Equal(t, types.BidState_BID_STATE_OPEN, b.bids(id)[0].State, "one replica is missing")
	require.Zero(t, b.stored(), "it is used up")
	b.check()
	require.Equal(t, []string{""}, b.acks("p", lease.Id))
	b.tick(10 * second)

	b.quotes("p", bid, offer, hourly, 5)
	lease = b.accepts("alice", "p", bid, hourly, 0)
	require.Equal(t, uint32(1), lease.Replicas, "no more than is missing")
	require.Equal(t, types.BidState_BID_STATE_FILLED, b.bids(id)[0].State)
	require.Zero(t, b.stored(), "a bid that is full wants no quotes")
	b.check()
	b.refuses(types.ErrBidState, b.submit("p", bid, offer, hourly, 1))
	b.closes("alice", id)
	b.tick(second)
}

func TestAQuoteIsAcceptedInParts(t *testing.T) {
	b := start(t)
	offer := b.sells("p", 10, hourly)
	id, bid := b.collectsAt("alice", 100_000, collects("web", 6, 2*hourly))
	b.quotes("p", bid, offer, hourly, 4)
	require.Equal(t, uint32(1), b.accepts("alice", "p", bid, hourly, 1).Replicas)
	b.refuses(types.ErrTooManyReplicas, b.accept("alice", "p", bid, hourly, 4))
	require.Equal(t, uint32(3), b.accepts("alice", "p", bid, hourly, 3).Replicas)
	b.refuses(types.ErrQuoteNotFound, b.accept("alice", "p", bid, hourly, 1))
	b.quotes("p", bid, offer, hourly, 4)
	b.refuses(types.ErrTooManyReplicas, b.accept("alice", "p", bid, hourly, 3))
	b.accepts("alice", "p", bid, hourly, 2)
	require.Equal(t, types.BidState_BID_STATE_FILLED, b.bids(id)[0].State)
	require.Len(t, b.leases(id), 3)
	b.check()
}

func TestReplicasOfAQuoteThatAreNotAcknowledgedWaitForQuotesOfOthers(t *testing.T) {
	b := start(t)
	first, second1 := b.sells("p", 10, hourly), b.sells("q", 10, hourly)
	id, bid := b.collectsAt("alice", 10_000, collects("web", 1, 2*hourly))
	b.quotes("p", bid, first, hourly, 1)
	b.accepts("alice", "p", bid, hourly, 0)
	b.tick(window * second)
	require.Equal(t, types.LeaseState_LEASE_STATE_FAILED, b.lease(id).State)
	require.Equal(t, types.BidState_BID_STATE_OPEN, b.bids(id)[0].State)
	b.tick(second)
	b.tick(second)
	require.Len(t, b.leases(id), 1, "it does not fall to the auction")
	b.refuses(types.ErrUnsuitable, b.submit("p", bid, first, hourly, 1))
	b.quotes("q", bid, second1, hourly, 1)
	lease := b.accepts("alice", "q", bid, hourly, 0)
	require.Equal(t, []string{""}, b.acks("q", lease.Id))
	b.tick(second)
}

func TestTwentyJunkQuotesKeepNoHonestOneOut(t *testing.T) {
	sybils := func(b *bench) (names []string, offers []uint64) {
		for i := range int(quick().QuotesPerBid) {
			names = append(names, fmt.Sprintf("sybil-%02d", i))
			offers = append(offers, b.sells(names[i], 2, hourly))
		}
		return names, offers
	}
	for name, junk := range map[string]func(b *bench, names []string, offers []uint64, bid uint64){
		"that are dear": func(b *bench, names []string, offers []uint64, bid uint64) {
			for i, name := range names {
				b.quotes(name, bid, offers[i], 2*hourly, 1)
			}
		},
		"that have expired": func(b *bench, names []string, offers []uint64, bid uint64) {
			for i, name := range names {
				b.quotes(name, bid, offers[i], 10, 1)
			}
			b.tick(60 * second)
		},
		"of providers that have nothing left": func(b *bench, names []string, offers []uint64, bid uint64) {
			for i, name := range names {
				b.quotes(name, bid, offers[i], 10, 1)
				b.sets(name, types.Resources{})
			}
			b.tick(second)
			b.tick(second)
		},
		"of offers that are withdrawn": func(b *bench, names []string, offers []uint64, bid uint64) {
			for i, name := range names {
				b.quotes(name, bid, offers[i], 10, 1)
				require.NoError(b.t, b.Deliver(&types.MsgWithdrawOffer{Signer: b.name(name), Offer: offers[i]}))
			}
		},
		"of providers in jail": func(b *bench, names []string, offers []uint64, bid uint64) {
			for i, name := range names {
				b.quotes(name, bid, offers[i], 10, 1)
				require.NoError(b.t, b.Provider.Jail(b.Ctx(), chain.Account(name), 3600, 1, "test"))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t)
			names, offers := sybils(b)
			honest := b.sells("honest", 10, hourly)
			_, bid := b.collectsAt("alice", 100_000, collects("web", 1, 2*hourly))
			junk(b, names, offers, bid)
			require.Equal(t, int(quick().QuotesPerBid), b.stored())
			b.quotes("honest", bid, honest, hourly, 1)
			require.Equal(t, "honest", b.quoted(bid)[0])
			require.LessOrEqual(t, b.stored(), int(quick().QuotesPerBid))
			b.check()
			b.accepts("alice", "honest", bid, hourly, 0)
			require.Zero(t, b.stored())
			b.check()
		})
	}
}

func TestTheDearestAndOfThoseTheNewestQuoteIsDisplaced(t *testing.T) {
	genesis := types.DefaultGenesis()
	genesis.Params = quick()
	genesis.Params.QuotesPerBid = 2
	b := startFrom(t, genesis, chain.WithEscrowParams(quickEscrow()))
	offers := map[string]uint64{}
	for _, name := range []string{"a", "b", "c", "d"} {
		offers[name] = b.sells(name, 10, hourly)
	}
	_, bid := b.collectsAt("alice", 10_000, collects("web", 1, 2*hourly))
	b.quotes("a", bid, offers["a"], hourly, 1)
	b.tick(second)
	b.quotes("b", bid, offers["b"], hourly, 1)
	b.refuses(types.ErrQuoteBeaten, b.submit("c", bid, offers["c"], hourly, 1))
	b.quotes("c", bid, offers["c"], hourly-1, 1)
	require.Equal(t, []string{"c", "a"}, b.quoted(bid))
	b.refuses(types.ErrQuoteNotFound, b.accept("alice", "b", bid, hourly, 0))

	b.quotes("c", bid, offers["c"], hourly-2, 1)
	require.Equal(t, []string{"c", "a"}, b.quoted(bid), "a cheaper one keeps its place")
	b.quotes("d", bid, offers["d"], hourly-1, 1)
	require.Equal(t, []string{"c", "d"}, b.quoted(bid))
	b.check()
}

func TestWhatAProviderAsksForABidBecomesNoDearer(t *testing.T) {
	genesis := types.DefaultGenesis()
	genesis.Params = quick()
	genesis.Params.QuotesPerBid = 2
	b := startFrom(t, genesis, chain.WithEscrowParams(quickEscrow()))
	offers := map[string]uint64{}
	for _, name := range []string{"honest", "bait", "other"} {
		offers[name] = b.sells(name, 10, hourly)
	}
	_, bid := b.collectsAt("alice", 10_000, collects("web", 1, 2*hourly))
	b.quotes("bait", bid, offers["bait"], 10, 1)
	b.refuses(types.ErrQuoteBeaten, b.submit("bait", bid, offers["bait"], 11, 1)) // though there is room
	b.quotes("honest", bid, offers["honest"], hourly, 1)
	b.quotes("other", bid, offers["other"], hourly-1, 1)
	require.Equal(t, []string{"bait", "other"}, b.quoted(bid))

	b.refuses(types.ErrQuoteBeaten, b.submit("bait", bid, offers["bait"], 2*hourly, 1))
	b.quotes("bait", bid, offers["bait"], 10, 2) // at the same price it may be renewed
	require.NoError(t, b.Deliver(&types.MsgWithdrawQuote{Signer: b.name("bait-agent"), Provider: b.name("bait"), Bid: bid}))
	b.refuses(types.ErrQuoteBeaten, b.submit("bait", bid, offers["bait"], 11, 1)) // though it has none
	b.quotes("honest", bid, offers["honest"], hourly, 1)
	require.Equal(t, []string{"other", "honest"}, b.quoted(bid), "what it takes back leaves its place to others")
	b.check()
	again := startFrom(t, nil, chain.WithState(b.Export()))
	again.tick(60 * second)
	again.refuses(types.ErrQuoteBeaten, again.submit("bait", bid, offers["bait"], 11, 1))
	again.quotes("bait", bid, offers["bait"], 9, 1)

	b.tick(60 * second)
	b.refuses(types.ErrQuoteBeaten, b.submit("bait", bid, offers["bait"], 11, 1)) // though all have expired
	b.refuses(types.ErrQuoteBeaten, b.submit("honest", bid, offers["honest"], hourly+1, 1))
	b.quotes("bait", bid, offers["bait"], 10, 1)
	require.Equal(t, []string{"bait"}, b.quoted(bid))
	b.check()

	spec := collects("web", 1, 3*hourly) // another bid, under the same number
	require.NoError(t, b.Deliver(&types.MsgUpdateDeployment{
		Signer: b.name("alice"), Deployment: 1, ManifestHash: b.deployment(1).ManifestHash, Bids: []types.BidSpec{spec},
	}))
	b.quotes("bait", bid, offers["bait"], 2*hourly, 1)
	b.check()
	b.closes("alice", 1)
	b.check()
	g, err := b.Market.ExportGenesis(b.Ctx())
	require.NoError(t, err)
	require.Empty(t, g.QuoteFloors, "it goes with the bid")
}

func TestOfMoreProvidersThanABidRemembersThoseThatAskedMostAreForgotten(t *testing.T) {
	b := start(t)
	_, bid := b.collectsAt("alice", 10_000, collects("web", 1, 2*hourly))
	names := make([]string, types.MaxQuoteFloors+1)
	offers := make([]uint64, len(names))
	for i := range names {
		names[i] = fmt.Sprintf("p-%03d", i)
		offers[i] = b.sells(names[i], 1, hourly)
	}
	withdraws := func(i int) {
		require.NoError(t, b.Deliver(&types.MsgWithdrawQuote{Signer: b.name(names[i]), Provider: b.name(names[i]), Bid: bid}))
	}
	for i := range types.MaxQuoteFloors {
		b.quotes(names[i], bid, offers[i], hourly+uint64(i), 1)
		withdraws(i)
	}
	last := types.MaxQuoteFloors
	b.quotes(names[last], bid, offers[last], 2*hourly, 1) // more than any: not remembered
	withdraws(last)
	b.quotes(names[last], bid, offers[last], hourly, 1) // takes the place of the highest
	withdraws(last)
	b.check()
	g, err := b.Market.ExportGenesis(b.Ctx())
	require.NoError(t, err)
	require.Len(t, g.QuoteFloors, types.MaxQuoteFloors)
	b.refuses(types.ErrQuoteBeaten, b.submit(names[last], bid, offers[last], hourly+1, 1))
	b.refuses(types.ErrQuoteBeaten, b.submit(names[0], bid, offers[0], hourly+1, 1))
	b.quotes(names[last-1], bid, offers[last-1], 2*hourly, 1)
	b.check()
}

func TestAQuoteThatIsDearerThanTheTenantWouldPayIsRefused(t *testing.T) {
	b := start(t)
	offer := b.sells("p", 10, hourly)
	_, bid := b.collectsAt("alice", 10_000, collects("web", 1, 2*hourly))
	b.quotes("p", bid, offer, hourly, 1)
	b.refuses(types.ErrTooDear, b.accept("alice", "p", bid, hourly-1, 0))
	b.accepts("alice", "p", bid, hourly, 0)
}

func TestABidThatMayHaveNoQuotesTakesNone(t *testing.T) {
	b := start(t)
	offer := b.sells("p", 10, hourly)
	_, bid := b.collectsAt("alice", 10_000, collects("web", 1, 2*hourly))
	params := quick()
	params.QuotesPerBid = 0
	require.NoError(t, b.Market.ForceParams(b.Ctx(), params))
	require.ErrorIs(t, b.Deliver(b.submit("p", bid, offer, hourly, 1)), types.ErrQuoteBeaten)
}

func TestAQuoteThatIsNotWhatTheTenantSawIsRefused(t *testing.T) {
	for name, at := range map[string]struct {
		change func(b *bench, bid, offer uint64)
		want   error
	}{
		"withdrawn": {func(b *bench, bid, _ uint64) {
			require.NoError(b.t, b.Deliver(&types.MsgWithdrawQuote{Signer: b.name("p-agent"), Provider: b.name("p"), Bid: bid}))
		}, types.ErrQuoteNotFound},
		"expired": {func(b *bench, _, _ uint64) { b.tick(60 * second) }, types.ErrQuoteExpired},
		"without capacity": {func(b *bench, _, _ uint64) {
			b.sets("p", units(1))
			b.tick(second)
			b.tick(second)
		}, types.ErrNoCapacity},
		"of a unit that fits no machine": {func(b *bench, _, _ uint64) {
			message := b.setPool("p", units(10))
			message.LargestUnit = types.Resources{CpuMillis: 999, MemoryMib: 1024}
			require.NoError(b.t, b.Deliver(message))
		}, types.ErrNoCapacity},
		"without bond": {func(b *bench, _, _ uint64) {
			_, err := b.Provider.SlashToPublic(b.Ctx(), chain.Account("p"), chain.Coin(999_900_000), "test")
			require.NoError(b.t, err)
		}, types.ErrBondTooLow},
		"of a provider in jail": {func(b *bench, _, _ uint64) {
			require.NoError(b.t, b.Provider.Jail(b.Ctx(), chain.Account("p"), 3600, 1, "test"))
		}, types.ErrTakesNoLeases},
		"of an offer that is withdrawn": {func(b *bench, _, offer uint64) {
			require.NoError(b.t, b.Deliver(&types.MsgWithdrawOffer{Signer: b.name("p"), Offer: offer}))
		}, types.ErrOfferState},
		"of an offer that sells to others": {func(b *bench, _, offer uint64) {
			require.NoError(b.t, b.Deliver(&types.MsgUpdateOffer{
				Signer: b.name("p"), Offer: offer, Asks: asking(hourly), Terms: types.OfferTerms{Deny: []string{b.name("alice")}},
			}))
		}, types.ErrUnsuitable},
		"beyond the money of the account": {func(b *bench, _, _ uint64) {
			_, err := b.Escrow.Hold(b.Ctx(), 1, 3600*31, window)
			require.NoError(b.t, err)
		}, escrowtypes.ErrInsufficientFunds},
		"in a market that is halted": {func(b *bench, _, _ uint64) {
			params := quick()
			params.Halted = true
			require.NoError(b.t, b.Deliver(&types.MsgUpdateParams{Authority: b.Authority, Params: params}))
		}, types.ErrHalted},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t)
			offer := b.sells("p", 10, hourly)
			deployment, bid := b.collectsAt("alice", 800, collects("web", 2, 2*hourly))
			b.quotes("p", bid, offer, hourly, 2)
			at.change(b, bid, offer)
			before := b.Export()
			require.ErrorIs(t, b.Deliver(b.accept("alice", "p", bid, hourly, 0)), at.want)
			require.Equal(t, before, b.Export())
			require.Empty(t, b.leases(deployment))
		})
	}
}

func TestOnlyQuotesThatCouldBeServedAreTaken(t *testing.T) {
	b := start(t)
	offer := b.sells("p", 10, hourly, region("eu")...)
	poor := b.joinsWith("poor", 150_000)
	base := collects("web", 2, 2*hourly)
	for i, at := range []struct {
		name string
		spec func(*types.BidSpec)
		msg  func(*types.MsgSubmitQuote)
		want error
	}{
		{"above the cap", nil, func(m *types.MsgSubmitQuote) { m.Ask = asking(2*hourly + 1)[0] }, types.ErrTooDear},
		{"in another denom", nil, func(m *types.MsgSubmitQuote) { m.Ask.Denom = "uother" }, types.ErrInvalidQuote},
		{"without a price", nil, func(m *types.MsgSubmitQuote) { m.Ask = types.Ask{Denom: denom} }, types.ErrInvalidAsk},
		{"for no replica", nil, func(m *types.MsgSubmitQuote) { m.Replicas = 0 }, types.ErrInvalidQuote},
		{"for no time", nil, func(m *types.MsgSubmitQuote) { m.ValidSeconds = 0 }, types.ErrInvalidQuote},
		{"of no such bid", nil, func(m *types.MsgSubmitQuote) { m.Bid = 99 }, types.ErrBidNotFound},
		{"of no such offer", nil, func(m *types.MsgSubmitQuote) { m.Offer = 99 }, types.ErrOfferNotFound},
		{"by a stranger", nil, func(m *types.MsgSubmitQuote) { m.Signer = b.name("alice") }, providertypes.ErrUnauthorized},
		{"beyond the bond", nil, func(m *types.MsgSubmitQuote) {
			m.Signer, m.Offer, m.Replicas = b.name("poor"), poor, 2
		}, types.ErrBondTooLow},
		{"of a label that the bid does not want", func(s *types.BidSpec) {
			s.Requirements = []types.LabelRequirement{among("region", "us").LabelRequirement}
		}, nil, types.ErrUnsuitable},
		{"for a unit that fits no machine", func(s *types.BidSpec) { s.Unit = units(11) }, func(m *types.MsgSubmitQuote) {
			m.Ask = asking(10)[0]
		}, types.ErrNoCapacity},
		{"of a provider that is denied", func(s *types.BidSpec) { s.Deny = []string{b.name("p")} }, nil, types.ErrUnsuitable},
		{"of a provider that is not allowed", func(s *types.BidSpec) { s.Allow = []string{b.name("q")} }, nil, types.ErrUnsuitable},
		{"of a provider without reputation", func(s *types.BidSpec) { s.MinReputation = 1_000_000 }, nil, types.ErrUnsuitable},
		{"in no zone", func(s *types.BidSpec) { s.MaxPerZone = 1 }, nil, types.ErrUnsuitable},
		{"of a bid of the auction", func(s *types.BidSpec) { s.Mode, s.Cap = 0, 1 }, nil, types.ErrBidState},
	} {
		t.Run(at.name, func(t *testing.T) {
			spec := base
			if at.spec != nil {
				at.spec(&spec)
			}
			deployment, bid := b.collectsAt(fmt.Sprintf("t-%d", i), 10_000, spec)
			message := b.submit("p", bid, offer, min(hourly, spec.Cap), 2)
			if at.msg != nil {
				at.msg(message)
			}
			b.refuses(at.want, message)
			b.closes(fmt.Sprintf("t-%d", i), deployment)
		})
	}
}

// joinsWith registers a provider with a bond that offers one plain unit for quotes only.
func (b *bench) joinsWith(name string, micro int64) uint64 {
	b.t.Helper()
	b.joins(name, micro)
	b.sets(name, units(1))
	message := b.postOffer(name, hourly)
	message.Terms.QuotesOnly = true
	response, err := chain.Send[types.MsgPostOfferResponse](b.Chain, message)
	require.NoError(b.t, err)
	return response.Offer
}

func TestAnOfferForQuotesOnlyIsNotInTheAuction(t *testing.T) {
	b := start(t)
	offer := b.sells("p", 10, hourly)
	b.quotesOnly("p", offer, hourly)
	b.check()
	auction := b.deploys("alice", "web", 10_000, want("web", 1, 2*hourly))
	_, bid := b.collectsAt("bob", 10_000, collects("web", 1, 2*hourly))
	for range 5 {
		b.tick(second)
	}
	require.Empty(t, b.leases(auction))
	for only, want := range map[bool]int{false: 0, true: 1} {
		response, err := b.query().Book(b.Ctx(), &types.QueryBookRequest{QuotesOnly: only})
		require.NoError(t, err)
		require.Len(t, response.Entries, want)
	}
	b.quotes("p", bid, offer, hourly, 1)
	require.Equal(t, types.LeaseState_LEASE_STATE_PENDING, b.accepts("bob", "p", bid, hourly, 1).State)

	require.NoError(t, b.Deliver(&types.MsgUpdateOffer{Signer: b.name("p"), Offer: offer, Asks: asking(hourly)}))
	b.tick(second)
	b.tick(second)
	require.Len(t, b.leases(auction), 1, "back in the auction it serves who waits")
	b.check()
}

func TestTheQuotesOfABidGoWithIt(t *testing.T) {
	for name, end := range map[string]func(b *bench, deployment uint64){
		"closed":  func(b *bench, deployment uint64) { b.closes("alice", deployment) },
		"expired": func(b *bench, _ uint64) { b.tick(1000 * second) },
		"dropped": func(b *bench, deployment uint64) {
			require.NoError(b.t, b.Deliver(b.update("alice", deployment, want("other", 1, 1))))
		},
		"changed": func(b *bench, deployment uint64) {
			require.NoError(b.t, b.Deliver(b.update("alice", deployment, collects("web", 2, hourly))))
		},
		"auctioned": func(b *bench, deployment uint64) {
			require.NoError(b.t, b.Deliver(b.update("alice", deployment, want("web", 2, 2*hourly))))
		},
		"exhausted": func(b *bench, deployment uint64) {
			b.serveOther("alice", deployment)
			b.tick(3000 * second)
			b.tick(second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t)
			offer := b.sells("p", 10, hourly)
			deployment, bid := b.collectsAt("alice", 2500, collects("web", 2, 2*hourly))
			message := b.submit("p", bid, offer, hourly, 2)
			message.ValidSeconds = 100_000
			require.NoError(t, b.Deliver(message))
			require.Equal(t, 1, b.stored())
			end(b, deployment)
			require.Zero(t, b.stored())
			b.check()
			b.tick(second)
		})
	}
}

// serveOther adds a bid of the auction to a deployment, whose lease is acknowledged; the first bid stays as it is.
func (b *bench) serveOther(owner string, deployment uint64) {
	b.t.Helper()
	specs := []types.BidSpec{b.bids(deployment)[0].Spec, want("other", 1, hourly)}
	require.NoError(b.t, b.Deliver(b.update(owner, deployment, specs...)))
	require.Equal(b.t, 1, b.stored(), "a bid that does not change keeps its quotes")
	b.tick(second)
	require.Equal(b.t, []string{""}, b.acks("p", b.lease(deployment).Id))
}

func TestABidMovesBetweenTheLanes(t *testing.T) {
	b := start(t)
	offer := b.sells("p", 10, hourly)
	deployment, bid := b.collectsAt("alice", 100_000, collects("web", 1, 2*hourly))
	b.tick(second)
	require.NoError(t, b.Deliver(b.update("alice", deployment, want("web", 1, 2*hourly))))
	b.refuses(types.ErrBidState, b.submit("p", bid, offer, hourly, 1))
	b.tick(second)
	lease := b.lease(deployment)
	require.Equal(t, hourly, lease.Rate, "the auction serves it")
	b.acks("p", lease.Id)

	more := collects("web", 2, 2*hourly)
	require.NoError(t, b.Deliver(b.update("alice", deployment, more)))
	for range 3 {
		b.tick(second)
	}
	require.Len(t, b.leases(deployment), 1, "what it misses now is quoted")
	b.quotes("p", bid, offer, hourly-1, 1)
	b.accepts("alice", "p", bid, hourly, 0)
	b.check()
}

func TestOnlyWhoMayManageTheDeploymentAcceptsQuotes(t *testing.T) {
	b := start(t)
	offer := b.sells("p", 10, hourly)
	create := b.create("alice", "web", 10_000, collects("web", 3, 2*hourly))
	create.AccessKeys = []types.AccessKey{
		{Address: b.name("manager"), Scopes: []types.Scope{types.Scope_SCOPE_MANAGE}},
		{Address: b.name("watcher"), Scopes: []types.Scope{types.Scope_SCOPE_READ, types.Scope_SCOPE_EXEC, types.Scope_SCOPE_WATCH}},
	}
	if create.AccessKeys[0].Address > create.AccessKeys[1].Address {
		create.AccessKeys[0], create.AccessKeys[1] = create.AccessKeys[1], create.AccessKeys[0]
	}
	b.Funded("alice", chain.Coin(10_000))
	response, err := chain.Send[types.MsgCreateDeploymentResponse](b.Chain, create)
	require.NoError(t, err)
	bid := response.Bids[0]
	b.quotes("p", bid, offer, hourly, 3)
	for _, signer := range []string{"p", "p-agent", "watcher", "bob"} {
		b.refuses(types.ErrUnauthorized, b.accept(signer, "p", bid, hourly, 1))
	}
	for _, signer := range []string{"alice", "bob"} {
		b.refuses(providertypes.ErrUnauthorized,
			&types.MsgWithdrawQuote{Signer: b.name(signer), Provider: b.name("p"), Bid: bid})
	}
	b.accepts("manager", "p", bid, hourly, 1)
	b.accepts("alice", "p", bid, hourly, 1)
	require.NoError(t, b.Deliver(&types.MsgWithdrawQuote{Signer: b.name("p"), Provider: b.name("p"), Bid: bid}))
	b.refuses(types.ErrQuoteNotFound, &types.MsgWithdrawQuote{Signer: b.name("p"), Provider: b.name("p"), Bid: bid})
}

func TestTheSpreadOfABidHoldsForQuotesToo(t *testing.T) {
	b := start(t)
	zone := func(value string) types.Label { return types.Label{Key: "zone", Value: value} }
	p, q, r := b.sells("p", 10, hourly, zone("a")), b.sells("q", 10, hourly, zone("a")), b.sells("r", 10, hourly, zone("b"))
	spec := collects("web", 10, 2*hourly)
	spec.MaxPerProvider, spec.MaxPerZone = 2, 3
	_, bid := b.collectsAt("alice", 100_000, spec)
	b.quotes("p", bid, p, hourly, 5)
	b.quotes("q", bid, q, hourly, 5)
	b.refuses(types.ErrUnsuitable, b.accept("alice", "p", bid, hourly, 3))
	b.accepts("alice", "p", bid, hourly, 2)
	b.refuses(types.ErrUnsuitable, b.accept("alice", "p", bid, hourly, 1))
	require.Equal(t, []string{"q"}, b.quoted(bid), "that of p can not be accepted any more")
	b.refuses(types.ErrUnsuitable, b.accept("alice", "q", bid, hourly, 2))
	b.accepts("alice", "q", bid, hourly, 1)
	b.refuses(types.ErrUnsuitable, b.submit("q", bid, q, hourly, 1))
	b.quotes("r", bid, r, hourly, 5)
	b.accepts("alice", "r", bid, hourly, 2)
	b.check()
}

func TestAQuoteIsGoodUntilItsSecondAndNotAtIt(t *testing.T) {
	for _, elapsed := range []time.Duration{59 * second, 60 * second} {
		b := start(t)
		offer := b.sells("p", 10, hourly)
		_, bid := b.collectsAt("alice", 10_000, collects("web", 1, 2*hourly))
		b.quotes("p", bid, offer, hourly, 1)
		b.tick(elapsed)
		if elapsed < 60*second {
			b.accepts("alice", "p", bid, hourly, 0)
			continue
		}
		require.Empty(t, b.quoted(bid))
		b.refuses(types.ErrQuoteExpired, b.accept("alice", "p", bid, hourly, 0))
	}
}

func TestQuotesSurviveExportAndImport(t *testing.T) {
	b := start(t)
	p, q := b.sells("p", 10, hourly), b.joinsWith("q", 1_000_000)
	_, one := b.collectsAt("alice", 10_000, collects("web", 3, 2*hourly))
	_, two := b.collectsAt("bob", 10_000, collects("web", 1, 2*hourly))
	b.quotes("p", one, p, hourly, 3)
	b.quotes("q", one, q, hourly-5, 1)
	b.quotes("p", two, p, hourly+1, 1)
	b.accepts("alice", "p", one, hourly, 1)
	b.tick(second)
	again := &bench{t: t}
	again.Chain = chain.New(t, chain.WithStore(types.StoreKey), chain.WithModule(again.build), chain.WithState(b.Export()))
	require.Equal(t, b.Export(), again.Export())
	again.NextBlock(0)
	again.check()
	require.Equal(t, []string{"q", "p"}, again.quoted(one))
	again.accepts("alice", "q", one, hourly, 1)
	again.check()

	good := b.Export()[types.ModuleName]
	for name, spoil := range map[string]func(*types.GenesisState){
		"remembered twice": func(g *types.GenesisState) {
			g.QuoteFloors = append(g.QuoteFloors, g.QuoteFloors[len(g.QuoteFloors)-1])
		},
		"remembered of no bid":       func(g *types.GenesisState) { g.QuoteFloors[0].Bid = 0 },
		"remembered above the cap":   func(g *types.GenesisState) { g.QuoteFloors[0].Rate = 3 * hourly },
		"dearer than is remembered":  func(g *types.GenesisState) { g.QuoteFloors[2].Rate-- },
		"cheaper than is remembered": func(g *types.GenesisState) { g.QuoteFloors[2].Rate++ },
		"of no bid":                  func(g *types.GenesisState) { g.Quotes[0].Bid = 99 },
		"twice":                      func(g *types.GenesisState) { g.Quotes = append(g.Quotes, g.Quotes[2]) },
		"of another provider":        func(g *types.GenesisState) { g.Quotes[0].Offer = g.Quotes[1].Offer },
		"at another price":           func(g *types.GenesisState) { g.Quotes[0].Rate++ },
		"above the cap":              func(g *types.GenesisState) { g.Bids[0].Spec.Cap = 5 },
		"of the auction":             func(g *types.GenesisState) { g.Bids[0].Spec.Mode = types.BidMode_BID_MODE_AUCTION },
		"for nothing":                func(g *types.GenesisState) { g.Quotes[0].Replicas = 0 },
		"without time":               func(g *types.GenesisState) { g.Quotes[0].ExpiresAt = g.Quotes[0].CreatedAt },
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

func TestOpenBidsAreListedByMode(t *testing.T) {
	b := start(t)
	b.deploys("alice", "web", 1000, want("web", 1, 1))
	_, quoting := b.collectsAt("bob", 1000, collects("web", 1, 1))
	for mode, want := range map[types.BidMode][]uint64{
		types.BidMode_BID_MODE_UNSPECIFIED: {1, 2}, types.BidMode_BID_MODE_AUCTION: {1}, types.BidMode_BID_MODE_QUOTE: {quoting},
	} {
		response, err := b.query().OpenBids(b.Ctx(), &types.QueryOpenBidsRequest{Mode: mode})
		require.NoError(t, err)
		var ids []uint64
		for _, bid := range response.Bids {
			ids = append(ids, bid.Id)
		}
		require.Equal(t, want, ids, mode)
	}
}
