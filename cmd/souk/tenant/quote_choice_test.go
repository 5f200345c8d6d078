package tenant

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	markettypes "github.com/souk-network/souk/x/market/types"
)

func quote(provider string, rate uint64, replicas uint32, created uint64) markettypes.Quote {
	return markettypes.Quote{Provider: provider, Rate: rate, Replicas: replicas, CreatedAt: created}
}

func TestTheCheapestQuotesAreTaken(t *testing.T) {
	a, b, c := quote("a", 30, 1, 5), quote("b", 20, 2, 9), quote("c", 20, 1, 7)
	for _, test := range []struct {
		name    string
		quotes  []markettypes.Quote
		lacking uint32
		want    []taking
	}{
		{"none is there", nil, 2, nil},
		{"none is wanted", []markettypes.Quote{a}, 0, nil},
		{"the older of two equals", []markettypes.Quote{a, b, c}, 1, []taking{{c, 1}}},
		{"several share it", []markettypes.Quote{a, b, c}, 2, []taking{{c, 1}, {b, 1}}},
		{"less than is wanted", []markettypes.Quote{a, b, c}, 9, []taking{{c, 1}, {b, 2}, {a, 1}}},
	} {
		t.Run(test.name, func(t *testing.T) { require.Equal(t, test.want, cheapestOf(test.quotes, test.lacking)) })
	}
}

func TestNoChoiceOfTheSameQuotesIsCheaper(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		quotes := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) markettypes.Quote {
			return quote(rapid.StringN(1, 3, 3).Draw(t, "provider"), rapid.Uint64Range(1, 50).Draw(t, "rate"),
				rapid.Uint32Range(0, 4).Draw(t, "replicas"), rapid.Uint64Range(1, 9).Draw(t, "created"))
		}), 0, 6).Draw(t, "quotes")
		lacking := rapid.Uint32Range(0, 8).Draw(t, "lacking")
		cost, there := func(list []taking) (cost uint64, n uint32) {
			for _, x := range list {
				cost, n = cost+x.quote.Rate*uint64(x.replicas), n+x.replicas
			}
			return cost, n
		}, uint32(0)
		for _, q := range quotes {
			there += q.Replicas
		}
		got, taken := cost(cheapestOf(quotes, lacking))
		require.Equal(t, min(there, lacking), taken)
		var other []taking
		left := lacking
		for _, q := range rapid.Permutation(quotes).Draw(t, "other order") {
			other = append(other, taking{q, min(q.Replicas, left)})
			left -= min(q.Replicas, left)
		}
		dearer, _ := cost(other)
		require.LessOrEqual(t, got, dearer)
	})
}

func TestWhatIsTypedChoosesAmongTheQuotesShown(t *testing.T) {
	quotes := []markettypes.Quote{quote("a", 10, 1, 1), quote("b", 20, 5, 1), quote("c", 30, 5, 1)}
	for typed, want := range map[string][]taking{
		"":        {{quotes[0], 1}},
		"2":       {{quotes[1], 3}},
		" 3, 1 ":  {{quotes[2], 3}},
		"1 2":     {{quotes[0], 1}, {quotes[1], 2}},
		"1,3,  2": {{quotes[0], 1}, {quotes[2], 2}},
	} {
		got, err := chosenOf(quotes, 3, typed)
		require.NoError(t, err, typed)
		require.Equal(t, want, got, typed)
	}
	for _, typed := range []string{"0", "4", "x", "1 1", "-1", "1.5"} {
		_, err := chosenOf(quotes, 3, typed)
		require.Error(t, err, typed)
	}
}
