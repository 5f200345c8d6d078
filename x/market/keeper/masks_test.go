package keeper_test

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/client/book" //nolint:depguard // what tenants are told is held against what clears
	"github.com/souk-network/souk/match"
	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// sale is an offer of a provider that sells nothing else, with all that a bid may ask about.
type sale struct {
	provider string
	units    uint64
	rate     uint64
	labels   map[string]string
	attested map[string]map[string]string // labels by auditor
	terms    types.OfferTerms
}

func labelsOf(labels map[string]string) []types.Label {
	var out []types.Label
	for key, value := range labels {
		out = append(out, types.Label{Key: key, Value: value})
	}
	slices.SortFunc(out, func(a, b types.Label) int { return cmp.Compare(a.Key, b.Key) })
	return out
}

// puts brings a sale into the book and returns its offer.
func (b *bench) puts(s sale) uint64 {
	b.t.Helper()
	b.joins(s.provider, 1_000_000_000)
	b.sets(s.provider, units(s.units))
	b.attests(s)
	post := b.postOffer(s.provider, s.rate, labelsOf(s.labels)...)
	post.Terms = s.terms
	response, err := chain.Send[types.MsgPostOfferResponse](b.Chain, post)
	require.NoError(b.t, err)
	return response.Offer
}

// attests lets auditors say what they vouch for of a provider.
func (b *bench) attests(s sale) {
	b.t.Helper()
	key := sha256.Sum256([]byte(s.provider))
	update := &providertypes.MsgUpdate{
		Operator: b.name(s.provider), Payout: b.name(s.provider), GatewayUri: "https://" + s.provider + ".example:8443",
		TlsKeys: [][]byte{key[:]}, Info: providertypes.Info{Name: s.provider},
	}
	for auditor := range s.attested {
		update.Auditors = append(update.Auditors, b.name(auditor))
	}
	slices.Sort(update.Auditors)
	require.NoError(b.t, b.Deliver(update))
	for auditor, labels := range s.attested {
		attest := &providertypes.MsgAttest{Auditor: b.name(auditor), Provider: b.name(s.provider), ExpiresAt: b.Now() + 1000}
		for _, l := range labelsOf(labels) {
			attest.Labels = append(attest.Labels, providertypes.AttestedLabel{Key: l.Key, Value: l.Value})
		}
		require.NoError(b.t, b.Deliver(attest))
	}
}

// requirement is what the oracle knows of requirements: plain functions of the value of a label.
type requirement struct {
	types.LabelRequirement
	met func(value string, there bool) bool
}

func atLeast(key string, bound int) requirement {
	return requirement{
		types.LabelRequirement{Key: key, Operator: types.Operator_OPERATOR_AT_LEAST, Values: []string{strconv.Itoa(bound)}},
		func(value string, _ bool) bool {
			number, err := strconv.Atoi(value)
			return err == nil && number >= bound
		},
	}
}

func atMost(key string, bound int) requirement {
	return requirement{
		types.LabelRequirement{Key: key, Operator: types.Operator_OPERATOR_AT_MOST, Values: []string{strconv.Itoa(bound)}},
		func(value string, _ bool) bool {
			number, err := strconv.Atoi(value)
			return err == nil && number <= bound
		},
	}
}

func exists(key string) requirement {
	return requirement{
		types.LabelRequirement{Key: key, Operator: types.Operator_OPERATOR_EXISTS},
		func(_ string, there bool) bool { return there },
	}
}

func among(key string, values ...string) requirement {
	return requirement{
		types.LabelRequirement{Key: key, Operator: types.Operator_OPERATOR_IN, Values: values},
		func(value string, there bool) bool { return there && slices.Contains(values, value) },
	}
}

func except(key string, values ...string) requirement {
	return requirement{
		types.LabelRequirement{Key: key, Operator: types.Operator_OPERATOR_NOT_IN, Values: values},
		func(value string, there bool) bool { return !there || !slices.Contains(values, value) },
	}
}

func drawSale(t *rapid.T, i int, tenants []string) sale {
	s := sale{
		provider: fmt.Sprintf("p-%d", i), units: rapid.Uint64Range(1, 4).Draw(t, "units"),
		rate: hourly + rapid.Uint64Range(0, 3).Draw(t, "rate"), labels: map[string]string{},
		attested: map[string]map[string]string{},
	}
	tier := rapid.SampledFrom([]string{"", "1", "2", "3", "gold"})
	for key, values := range map[string]*rapid.Generator[string]{
		"tier": tier, types.ZoneLabel: rapid.SampledFrom([]string{"", "a", "b"}),
		types.CarbonLabel:  rapid.SampledFrom([]string{"", "10", "200", "low"}),
		types.LatencyLabel: rapid.SampledFrom([]string{"", "0", "5", "31", "32", "-1"}),
	} {
		if value := values.Draw(t, key); value != "" {
			s.labels[key] = value
		}
	}
	for _, auditor := range []string{"iso", "tuv"} {
		if rapid.IntRange(0, 2).Draw(t, auditor) == 0 {
			s.attested[auditor] = map[string]string{}
			if value := tier.Draw(t, auditor+" says"); value != "" {
				s.attested[auditor]["tier"] = value
			}
		}
	}
	rarely := func(label string) bool { return rapid.IntRange(0, 4).Draw(t, label) == 0 }
	if rarely("spot") {
		s.terms.Class = types.LeaseClass_LEASE_CLASS_SPOT
	}
	if rarely("lists allowed") {
		s.terms.Allow = []string{rapid.SampledFrom(tenants).Draw(t, "allowed")}
	}
	if rarely("lists denied") {
		s.terms.Deny = []string{rapid.SampledFrom(tenants).Draw(t, "denied")}
	}
	if rarely("minimum deposit") {
		s.terms.MinDeposit = sdk.NewCoins(chain.Coin(rapid.SampledFrom([]int64{999, 1000, 1001}).Draw(t, "least")))
	}
	if rarely("shortest") {
		s.terms.MinLeaseSeconds = 50
	}
	if rarely("longest") {
		s.terms.MaxLeaseSeconds = 100
	}
	return s
}

func drawMasks(t *rapid.T, providers []string, name func(string) string) (types.BidSpec, []requirement) {
	spec := want("web", rapid.Uint32Range(1, 6).Draw(t, "replicas"), hourly+rapid.Uint64Range(0, 3).Draw(t, "cap"))
	spec.MinReplicas = rapid.Uint32Range(0, spec.Replicas).Draw(t, "least")
	sometimes := func(label string) bool { return rapid.IntRange(0, 3).Draw(t, label) == 0 }
	var requirements []requirement
	if sometimes("requires") {
		requirements = append(requirements, rapid.SampledFrom([]requirement{
			atLeast("tier", 2), atMost("tier", 2), exists("tier"), among("tier", "1", "gold"), except("tier", "1", "2"),
		}).Draw(t, "requirement"))
	}
	for _, r := range requirements {
		spec.Requirements = append(spec.Requirements, r.LabelRequirement)
	}
	if sometimes("attested") {
		spec.AttestedBy = []string{name("iso")}
	}
	if sometimes("allows") {
		for _, p := range rapid.SliceOfNDistinct(rapid.SampledFrom(append(providers, "nobody")), 1, 3, rapid.ID[string]).Draw(t, "allow") {
			spec.Allow = append(spec.Allow, name(p))
		}
	}
	if sometimes("denies") {
		spec.Deny = []string{name(rapid.SampledFrom(providers).Draw(t, "deny"))}
	}
	if sometimes("spread") {
		spec.MaxPerProvider = rapid.Uint32Range(1, 2).Draw(t, "most per provider")
	}
	if sometimes("zones") {
		spec.MaxPerZone = rapid.Uint32Range(1, 3).Draw(t, "most per zone")
	}
	if sometimes("latency") {
		spec.LatencyClasses = rapid.SampledFrom([]uint32{1, 1 << 5, 1<<31 | 1}).Draw(t, "classes")
	}
	if sometimes("carbon") {
		spec.MaxCarbon = rapid.SampledFrom([]uint32{9, 10, 199}).Draw(t, "grams")
	}
	if sometimes("takes spot") {
		spec.Class = types.LeaseClass_LEASE_CLASS_SPOT
	}
	spec.LeaseSeconds = rapid.SampledFrom([]uint64{0, 0, 49, 50, 100, 101}).Draw(t, "term")
	return spec, requirements
}

// would tells what the documentation says of a sale and a bid, in the plainest words.
func (s sale) would(spec types.BidSpec, requirements []requirement, owner string, deposit int64, name func(string) string) bool {
	holds := func(labels map[string]string) bool {
		for _, r := range requirements {
			value, there := labels[r.Key]
			if !r.met(value, there) {
				return false
			}
		}
		return true
	}
	attested := len(spec.AttestedBy) == 0
	for auditor, labels := range s.attested {
		attested = attested || slices.Contains(spec.AttestedBy, name(auditor)) && holds(labels)
	}
	latency := spec.LatencyClasses == 0
	for class := range 32 {
		latency = latency || spec.LatencyClasses&(1<<class) != 0 && s.labels[types.LatencyLabel] == strconv.Itoa(class)
	}
	grams, err := strconv.Atoi(s.labels[types.CarbonLabel])
	carbon := spec.MaxCarbon == 0 || err == nil && grams <= int(spec.MaxCarbon)
	tenant := (len(s.terms.Allow) == 0 || slices.Contains(s.terms.Allow, owner)) && !slices.Contains(s.terms.Deny, owner) &&
		deposit >= s.terms.MinDeposit.AmountOf(denom).Int64()
	term := spec.LeaseSeconds
	bounds := (term == 0 || term >= s.terms.MinLeaseSeconds) &&
		(s.terms.MaxLeaseSeconds == 0 || term != 0 && term <= s.terms.MaxLeaseSeconds)
	class := s.terms.Class != types.LeaseClass_LEASE_CLASS_SPOT || spec.Class == types.LeaseClass_LEASE_CLASS_SPOT
	provider := (len(spec.Allow) == 0 || slices.Contains(spec.Allow, name(s.provider))) && !slices.Contains(spec.Deny, name(s.provider))
	zone := spec.MaxPerZone == 0 || s.labels[types.ZoneLabel] != ""
	return holds(s.labels) && attested && latency && carbon && tenant && bounds && class && provider && zone && s.rate <= spec.Cap
}

// oracle returns how many replicas of a bid each sale would get, by place: one replica at a time, the cheapest first.
func oracle(sales []sale, spec types.BidSpec, would func(sale) bool) []uint32 {
	got := make([]uint32, len(sales))
	zones := map[string]uint32{}
	var all uint32
	for range spec.Replicas {
		best := -1
		for i, s := range sales {
			switch zone := s.labels[types.ZoneLabel]; {
			case !would(s), uint64(got[i]) >= s.units:
			case spec.MaxPerProvider > 0 && got[i] >= spec.MaxPerProvider:
			case spec.MaxPerZone > 0 && zones[zone] >= spec.MaxPerZone:
			case best < 0 || s.rate < sales[best].rate:
				best = i
			}
		}
		if best < 0 {
			break
		}
		got[best]++
		zones[sales[best].labels[types.ZoneLabel]]++
		all++
	}
	if all < spec.MinReplicas {
		return make([]uint32, len(sales))
	}
	return got
}

// What clears is what an oracle says, and what a tenant was told before: each mask of a bid and each term of an offer.
func TestClearingAndScreeningDoWhatAnOracleSays(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := start(t)
		tenants := []string{b.name("ann"), b.name("bob")}
		var sales []sale
		var providers []string
		for i := range rapid.IntRange(1, 5).Draw(rt, "sales") {
			sales = append(sales, drawSale(rt, i, tenants))
			providers = append(providers, sales[i].provider)
			b.puts(sales[i])
		}
		spec, requirements := drawMasks(rt, providers, b.name)
		const deposit = 1000
		expected := oracle(sales, spec, func(s sale) bool { return s.would(spec, requirements, b.name("ann"), deposit, b.name) })

		orders, err := b.query().Book(b.Ctx(), &types.QueryBookRequest{})
		require.NoError(rt, err)
		screening := (&book.Book{Entries: orders.Entries}).ScreenFor(spec,
			types.Tenant{Owner: b.name("ann"), Denom: denom, Received: math.NewInt(deposit)})

		id := b.deploys("ann", "web", deposit, spec)
		b.tick(second)
		got := make([]uint32, len(sales))
		for _, lease := range b.leases(id) {
			got[lease.Offer-1] = lease.Replicas
			offer := b.offer(lease.Offer).Offer
			require.Equal(rt, offer.Asks[0], lease.Ask)
			require.Equal(rt, offer.LeaseClass(), lease.Class)
		}
		require.Equal(rt, expected, got)

		require.Equal(rt, slices.Max(got) > 0, screening.Reason.Block == match.Clears, "%s", screening.Reason)
		told := map[uint64]bool{}
		for _, c := range screening.Candidates {
			told[c.Entry.Offer.Id] = true
		}
		for i, replicas := range got {
			require.True(rt, replicas == 0 || told[uint64(i+1)], "offer %d was no candidate", i+1)
		}
	})
}

func TestEachMaskOfABidAndEachTermOfAnOfferAlone(t *testing.T) {
	label := func(key, value string) func(*sale) {
		return func(s *sale) { s.labels = map[string]string{key: value} }
	}
	terms := func(terms types.OfferTerms) func(*sale) { return func(s *sale) { s.terms = terms } }
	spec := func(change func(*types.BidSpec)) func(*types.BidSpec) { return change }
	requires := func(r requirement) func(*types.BidSpec) {
		return func(s *types.BidSpec) { s.Requirements = []types.LabelRequirement{r.LabelRequirement} }
	}
	ann := chainName("ann")
	// The bid takes an offer that is as `right` makes it, and none that is as `wrong` makes it.
	for name, c := range map[string]struct {
		right, wrong func(*sale)
		bid          func(*types.BidSpec)
	}{
		"a lower bound on a number":        {label("tier", "3"), label("tier", "2"), requires(atLeast("tier", 3))},
		"what is no number meets no bound": {label("tier", "3"), label("tier", "3 stars"), requires(atLeast("tier", 1))},
		"an upper bound on a number":       {label("tier", "-3"), label("tier", "4"), requires(atMost("tier", 3))},
		"an attested fact": {
			func(s *sale) {
				label("tier", "3")(s)
				s.attested = map[string]map[string]string{"iso": {"tier": "3"}}
			},
			func(s *sale) {
				label("tier", "3")(s)
				s.attested = map[string]map[string]string{"iso": {"tier": "2"}, "tuv": {"tier": "3"}}
			},
			func(s *types.BidSpec) {
				requires(atLeast("tier", 3))(s)
				s.AttestedBy = []string{chainName("iso")}
			},
		},
		"an attestation of nothing in particular": {
			func(s *sale) { s.attested = map[string]map[string]string{"iso": {}} }, func(*sale) {},
			spec(func(s *types.BidSpec) { s.AttestedBy = []string{chainName("iso")} }),
		},
		"an auditor says more than the offer does": {
			func(s *sale) {
				label("tier", "3")(s)
				s.attested = map[string]map[string]string{"iso": {"tier": "3"}}
			},
			func(s *sale) { s.attested = map[string]map[string]string{"iso": {"tier": "3"}} },
			func(s *types.BidSpec) {
				requires(exists("tier"))(s)
				s.AttestedBy = []string{chainName("iso")}
			},
		},
		"a latency class": {
			label(types.LatencyLabel, "31"), label(types.LatencyLabel, "30"),
			spec(func(s *types.BidSpec) { s.LatencyClasses = 1 << 31 }),
		},
		"no latency class": {
			label(types.LatencyLabel, "0"), func(*sale) {}, spec(func(s *types.BidSpec) { s.LatencyClasses = 1<<32 - 1 }),
		},
		"carbon": {
			label(types.CarbonLabel, "100"), label(types.CarbonLabel, "101"), spec(func(s *types.BidSpec) { s.MaxCarbon = 100 }),
		},
		"unknown carbon": {label(types.CarbonLabel, "0"), func(*sale) {}, spec(func(s *types.BidSpec) { s.MaxCarbon = 1 })},
		"a bid on demand takes no spot": {
			func(*sale) {}, terms(types.OfferTerms{Class: types.LeaseClass_LEASE_CLASS_SPOT}),
			spec(func(s *types.BidSpec) { s.Class = types.LeaseClass_LEASE_CLASS_ON_DEMAND }),
		},
		"a tenant that is allowed":  {terms(types.OfferTerms{Allow: []string{ann}}), terms(types.OfferTerms{Allow: []string{chainName("bob")}}), nil},
		"a tenant that is denied":   {terms(types.OfferTerms{Deny: []string{chainName("bob")}}), terms(types.OfferTerms{Deny: []string{ann}}), nil},
		"a deposit that suffices":   {terms(types.OfferTerms{MinDeposit: sdk.NewCoins(chain.Coin(1000))}), terms(types.OfferTerms{MinDeposit: sdk.NewCoins(chain.Coin(1001))}), nil},
		"a deposit in another coin": {terms(types.OfferTerms{MinDeposit: sdk.NewCoins(other(5000))}), terms(types.OfferTerms{MinDeposit: sdk.NewCoins(chain.Coin(5000))}), nil},
		"a term that is long enough": {
			terms(types.OfferTerms{MinLeaseSeconds: 60}), terms(types.OfferTerms{MinLeaseSeconds: 61}),
			spec(func(s *types.BidSpec) { s.LeaseSeconds = 60 }),
		},
		"a term that is short enough": {
			terms(types.OfferTerms{MaxLeaseSeconds: 60}), terms(types.OfferTerms{MaxLeaseSeconds: 59}),
			spec(func(s *types.BidSpec) { s.LeaseSeconds = 60 }),
		},
		"no term": {terms(types.OfferTerms{MinLeaseSeconds: 60}), terms(types.OfferTerms{MaxLeaseSeconds: 60}), nil},
		"an allowed provider": {
			func(s *sale) { s.provider = "friend" }, func(*sale) {},
			spec(func(s *types.BidSpec) { s.Allow = []string{chainName("friend"), chainName("nobody")} }),
		},
		"a denied provider": {
			func(*sale) {}, func(s *sale) { s.provider = "foe" }, spec(func(s *types.BidSpec) { s.Deny = []string{chainName("foe")} }),
		},
		"a zone that is known": {
			label(types.ZoneLabel, "a"), label(types.ZoneLabel, ""), spec(func(s *types.BidSpec) { s.MaxPerZone = 1 }),
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, right := range []bool{true, false} {
				b := start(t)
				s := sale{provider: "p", units: 10, rate: hourly}
				c.wrong(&s)
				if right {
					s = sale{provider: "p", units: 10, rate: hourly}
					c.right(&s)
				}
				b.puts(s)
				bid := want("web", 1, 5000)
				if c.bid != nil {
					c.bid(&bid)
				}
				id := b.deploys("ann", "web", 1000, bid)
				b.tick(second)
				require.Equal(t, right, len(b.leases(id)) == 1)
			}
		})
	}
}

// chainName is the address of a name as text.
func chainName(name string) string { return chain.Account(name).String() }

func TestAReputationBelowTheLeastIsNotEnough(t *testing.T) {
	b := start(t)
	b.sells("p", 10, hourly)
	provider, err := b.Provider.GetProvider(b.Ctx(), chain.Account("p"))
	require.NoError(t, err)
	enough, more := want("web", 1, 5000), want("web", 1, 5000)
	enough.MinReputation, more.MinReputation = provider.Reputation, provider.Reputation+1
	first := b.deploys("ann", "web", 1000, enough)
	b.tick(second)
	require.Len(t, b.leases(first), 1)
	if more.MinReputation > types.MaxReputation {
		b.Funded("bob", chain.Coin(1000))
		b.refuses(types.ErrInvalidBid, b.create("bob", "web", 1000, more))
		return
	}
	next := b.deploys("bob", "web", 1000, more)
	b.tick(second)
	require.Empty(t, b.leases(next))
}
