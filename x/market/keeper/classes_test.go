package keeper

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	sdkmath "cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/market/types"
)

var (
	someValues  = rapid.SampledFrom([]string{"", "x", "y", "3", "-3", "007", "31", "32", "1234567890123456789"})
	somePeople  = []string{"ann", "bob", "cat"}
	someSeconds = rapid.SampledFrom([]uint64{0, 10, 20, 30})
)

func drawLabels(t *rapid.T) []types.Label {
	var labels []types.Label
	for _, key := range []string{"a", "b", types.CarbonLabel, types.LatencyLabel} {
		if rapid.Bool().Draw(t, "has "+key) {
			labels = append(labels, types.Label{Key: key, Value: someValues.Draw(t, key)})
		}
	}
	return labels
}

func drawRequirement(t *rapid.T) types.LabelRequirement {
	r := types.LabelRequirement{
		Key:      rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key"),
		Operator: types.Operator(rapid.Int32Range(0, 6).Draw(t, "operator")),
	}
	if r.Operator != types.Operator_OPERATOR_EXISTS {
		r.Values = rapid.SliceOfN(someValues, 1, 3).Draw(t, "values")
	}
	return r
}

func drawPeople(t *rapid.T, label string) []string {
	if rapid.IntRange(0, 2).Draw(t, label+" at all") > 0 {
		return nil
	}
	return rapid.SliceOfNDistinct(rapid.SampledFrom(somePeople), 0, 2, rapid.ID[string]).Draw(t, label)
}

func drawStanding(t *rapid.T) types.Standing {
	s := types.Standing{Labels: drawLabels(t), Terms: types.OfferTerms{
		Class: types.LeaseClass(rapid.Int32Range(0, 2).Draw(t, "class")),
		Allow: drawPeople(t, "allow"), Deny: drawPeople(t, "deny"),
		MinLeaseSeconds: someSeconds.Draw(t, "shortest"), MaxLeaseSeconds: someSeconds.Draw(t, "longest"),
	}}
	if rapid.IntRange(0, 3).Draw(t, "with minimum") == 0 {
		s.Terms.MinDeposit = sdk.NewCoins(sdk.NewInt64Coin(
			rapid.SampledFrom([]string{"uone", "utwo"}).Draw(t, "denom"), rapid.Int64Range(1, 3).Draw(t, "least")))
	}
	for _, auditor := range drawPeople(t, "auditors") {
		s.Attested = append(s.Attested, types.Attested{Auditor: auditor, Labels: drawLabels(t)})
	}
	return s
}

func drawSpec(t *rapid.T) types.BidSpec {
	return types.BidSpec{
		Requirements: rapid.SliceOfN(rapid.Custom(drawRequirement), 0, 2).Draw(t, "requirements"),
		AttestedBy:   drawPeople(t, "attested by"),
		LatencyClasses: rapid.OneOf(rapid.Just(uint32(0)), rapid.Just(uint32(0)), rapid.Just(uint32(1<<3|1<<31)), rapid.Uint32()).
			Draw(t, "latency"),
		MaxCarbon:    rapid.SampledFrom([]uint32{0, 0, 2, 3, 30, math.MaxUint32}).Draw(t, "carbon"),
		Class:        types.LeaseClass(rapid.Int32Range(0, 2).Draw(t, "class")),
		LeaseSeconds: someSeconds.Draw(t, "term"),
	}
}

// What classes say of all offers at once is what Suits says of each.
func TestClassesAgreeWithSuits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newClasses()
		standings := rapid.SliceOfN(rapid.Custom(drawStanding), 1, 80).Draw(t, "standings")
		numbers := make([]uint32, len(standings))
		for i, s := range standings {
			number, room, err := c.class(s, math.MaxInt)
			require.NoError(t, err)
			require.True(t, room)
			numbers[i] = number
		}
		tenant := types.Tenant{
			Owner: rapid.SampledFrom(append(somePeople, "dan")).Draw(t, "owner"), Denom: "uone",
			Received: sdkmath.NewInt(rapid.Int64Range(0, 4).Draw(t, "received")),
		}
		bid := drawSpec(t)
		suiting := c.suiting(bid, tenant)
		for i, s := range standings {
			if got, want := suiting.Has(numbers[i]), bid.Suits(s, tenant); got != want {
				t.Fatalf("%+v and %+v: %v, want %v", s, bid, got, want)
			}
		}
	})
}

func TestOffersThatStandAlikeAreOneClassAndOthersAreNot(t *testing.T) {
	c := newClasses()
	number := func(s types.Standing) uint32 {
		t.Helper()
		class, room, err := c.class(s, 100)
		require.NoError(t, err)
		require.True(t, room)
		return class
	}
	label := func(key, value string) []types.Label { return []types.Label{{Key: key, Value: value}} }
	first := number(types.Standing{Labels: label("a", "b")})
	require.Equal(t, first, number(types.Standing{Labels: label("a", "b")}))
	for i, other := range []types.Standing{
		{},
		{Labels: label("a", "")},
		{Labels: label("ab", "")},
		{Labels: label("a", "b\x01c")},
		{Labels: slices.Concat(label("a", "b"), label("c", ""))},
		{Attested: []types.Attested{{Auditor: "a", Labels: label("b", "")}}},
		{Attested: []types.Attested{{Auditor: "a"}}},
		{Labels: label("a", "b"), Attested: []types.Attested{{Auditor: "a"}}},
		{Terms: types.OfferTerms{Class: types.LeaseClass_LEASE_CLASS_SPOT}},
		{Terms: types.OfferTerms{Allow: []string{"a"}}},
		{Terms: types.OfferTerms{Deny: []string{"a"}}},
	} {
		require.Equal(t, uint32(i+1), number(other), fmt.Sprint(other))
	}
	require.Equal(t, uint32(1), number(types.Standing{Terms: types.OfferTerms{ExpiresAt: 5}}))
	_, room, err := c.class(types.Standing{Labels: label("new", "")}, 12)
	require.NoError(t, err)
	require.False(t, room, "the limit is full")
	again, room, err := c.class(types.Standing{Labels: label("a", "b")}, 12)
	require.NoError(t, err)
	require.True(t, room && again == first, "but not for one that is known")
}
