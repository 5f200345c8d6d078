package types_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/x/market/types"
)

func TestIntegersAreDigitsWithOneSignAtMost(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "-0": 0, "007": 7, "-12": -12, "999999999999999999": 999_999_999_999_999_999, "-999999999999999999": -999_999_999_999_999_999,
	} {
		got, ok := types.Integer(text)
		require.True(t, ok && got == want, text)
	}
	for _, text := range []string{"", "-", "+1", "--1", " 1", "1 ", "1.0", "1e3", "0x1", "1_000", "٣", "1000000000000000000", "-1000000000000000000"} {
		_, ok := types.Integer(text)
		require.False(t, ok, text)
	}
}

func TestBoundsAreMetByWholeNumbersOnly(t *testing.T) {
	bound := func(operator types.Operator, values ...string) types.LabelRequirement {
		return types.LabelRequirement{Key: "n", Operator: operator, Values: values}
	}
	least, most := types.Operator_OPERATOR_AT_LEAST, types.Operator_OPERATOR_AT_MOST
	for _, c := range []struct {
		value string
		r     types.LabelRequirement
		want  bool
	}{
		{"5", bound(least, "5"), true},
		{"4", bound(least, "5"), false},
		{"5", bound(most, "5"), true},
		{"6", bound(most, "5"), false},
		{"many", bound(least, "-999"), false},
		{"", bound(most, "999"), false},
		{"5", bound(least, "few"), false},
		{"5", bound(least), false},
		{"5", bound(least, "1", "2"), false},
		{"5", bound(types.Operator_OPERATOR_IN, "6"), false},
	} {
		require.Equal(t, c.want, types.Satisfies([]types.Label{{Key: "n", Value: c.value}}, []types.LabelRequirement{c.r}), "%+v", c)
	}
	require.False(t, types.Satisfies(nil, []types.LabelRequirement{bound(most, "5")}), "a label that is not there")
	require.False(t, bound(types.Operator_OPERATOR_EXISTS, "5").MetBy(5))
	for _, bad := range []types.LabelRequirement{bound(least), bound(most, "1", "2"), bound(least, "x"), bound(most, "1.5")} {
		require.ErrorIs(t, bad.Validate(), types.ErrInvalidLabel)
	}
	require.NoError(t, bound(most, "-15").Validate())
}

func TestTermsThatNobodyCouldMeetAreRefused(t *testing.T) {
	scope.Set()
	addresses := scope.AddressCodec()
	someone := sdk.AccAddress(make([]byte, 20)).String()
	coins := func(denoms ...string) sdk.Coins {
		var out sdk.Coins
		for _, d := range denoms {
			out = append(out, sdk.Coin{Denom: d, Amount: math.NewInt(1)})
		}
		return out
	}
	for name, terms := range map[string]types.OfferTerms{
		"an unknown class":          {Class: 9},
		"nobody":                    {Allow: []string{"nobody"}},
		"somebody in upper case":    {Deny: []string{strings.ToUpper(someone)}},
		"somebody twice":            {Allow: []string{someone, someone}},
		"too many":                  {Deny: make([]string, types.MaxTenants+1)},
		"no length between":         {MinLeaseSeconds: 2, MaxLeaseSeconds: 1},
		"longer than anything":      {MinLeaseSeconds: 1 << 62},
		"deposits in many denoms":   {MinDeposit: coins("ua1", "ub1", "uc1", "ud1", "ue1")},
		"deposits out of order":     {MinDeposit: coins("ub1", "ua1")},
		"no deposit":                {MinDeposit: sdk.Coins{{Denom: "ua1", Amount: math.ZeroInt()}}},
		"a deposit without amount":  {MinDeposit: sdk.Coins{{Denom: "ua1"}}},
		"a deposit beyond 96 bits":  {MinDeposit: sdk.Coins{{Denom: "ua1", Amount: math.NewIntFromUint64(1 << 63).MulRaw(1 << 62)}}},
		"a deposit in no such coin": {MinDeposit: coins("?")},
	} {
		require.Error(t, terms.Validate(addresses), name)
	}
	require.NoError(t, types.OfferTerms{
		Class: types.LeaseClass_LEASE_CLASS_SPOT, Allow: []string{someone}, Deny: []string{someone}, MinDeposit: coins("ua1", "ub1"),
		MinLeaseSeconds: 60, MaxLeaseSeconds: 60, ExpiresAt: 5,
	}.Validate(addresses))
}

// However often a provider changes its mind, what counts is never dearer than what counted, nor dearer than declared, and
// after a clearing it is what was declared.
func TestDeclaredAsksAndTotalsCountAsTheyShould(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		price := rapid.Uint64Range(1, 4)
		offer := types.Offer{Asks: []types.Ask{{Denom: "ua", Cpu: price.Draw(t, "cpu"), Memory: price.Draw(t, "memory")}}}
		pool := types.CapacityPool{Total: types.Resources{CpuMillis: price.Draw(t, "millis"), GpuMillis: price.Draw(t, "gpu")}}
		var clearings uint64
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "clears") {
				clearings++
				require.Equal(t, offer.Declared(), offer.At(clearings).Asks)
				if pool.NextTotal != nil {
					require.Equal(t, *pool.NextTotal, pool.At(clearings).Total)
				}
				continue
			}
			asks := []types.Ask{{Denom: "ua", Cpu: price.Draw(t, "cpu"), Memory: price.Draw(t, "memory")}}
			before := offer.At(clearings)
			var err error
			offer, err = offer.Declare(asks, clearings)
			require.NoError(t, err)
			require.Equal(t, asks, offer.Declared())
			require.Equal(t, min(before.Asks[0].Cpu, asks[0].Cpu), offer.Asks[0].Cpu)
			require.Equal(t, min(before.Asks[0].Memory, asks[0].Memory), offer.Asks[0].Memory)
			require.Equal(t, offer.Asks, offer.At(clearings).Asks, "the clearing of now is not the next one")
			gained, err := offer.Gained(types.Offer{State: types.OfferState_OFFER_STATE_ACTIVE, Asks: before.Asks})
			require.NoError(t, err)
			require.Equal(t, offer.Asks[0] != before.Asks[0], gained)

			total := types.Resources{CpuMillis: price.Draw(t, "millis"), GpuMillis: price.Draw(t, "gpu")}
			had := pool.At(clearings)
			pool = pool.Declare(total, clearings)
			require.Equal(t, max(had.Total.CpuMillis, total.CpuMillis), pool.Total.CpuMillis)
			require.Equal(t, max(had.Total.GpuMillis, total.GpuMillis), pool.Total.GpuMillis)
			require.Equal(t, pool.Total != had.Total, pool.Gained(had))
		}
	})
}
