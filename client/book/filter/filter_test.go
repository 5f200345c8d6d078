package filter

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	markettypes "github.com/souk-network/souk/x/market/types"
)

func entry(id uint64, cpuPrice uint64, labels ...markettypes.Label) markettypes.BookEntry {
	return markettypes.BookEntry{
		Offer: markettypes.Offer{
			Id: id, Provider: "souk1provider", Labels: labels,
			Asks: []markettypes.Ask{{Denom: "usouk", Cpu: cpuPrice, Memory: 500_000, Gpu: 1_000_000}},
		},
		Pool: markettypes.CapacityPool{
			Total:       markettypes.Resources{CpuMillis: 8000, MemoryMib: 4096, GpuMillis: 2000},
			Allocated:   markettypes.Resources{CpuMillis: 500},
			LargestUnit: markettypes.Resources{CpuMillis: 4000},
		},
		Reputation: 990_000, ProviderName: "one",
	}
}

func TestAnExpressionSaysWhatAnOfferMustBe(t *testing.T) {
	a100 := entry(3, 400_000, markettypes.Label{Key: "gpu.model", Value: "a100"}, markettypes.Label{Key: "region", Value: "eu-west"},
		markettypes.Label{Key: "tier", Value: "gold"}, markettypes.Label{Key: "carbon.g_per_kwh", Value: "40"})
	for expression, want := range map[string]bool{
		`gpu.model == "a100" && price < 2`: true,  // 0.4 + 0.5 + 1
		`price < 1.9`:                      false, // exactly that
		`price <= 1.9`:                     true,
		`price.cpu == 0.4`:                 true,
		`region == "eu-west"`:              true,
		`region.startsWith("us")`:          false,
		`cpu > 7 && cpu < 8`:               true, // 500 of 8000 are taken
		`memory >= 4`:                      true,
		`gpu.count == 2`:                   true,
		`largest.cpu > 4`:                  false,
		`reputation >= 99`:                 true,
		`labels["tier"] == "gold"`:         true,
		`labels["nothing"] == "x"`:         false, // it has no such label
		`"nothing" in labels`:              false,
		`carbon < 50 && latency == -1`:     true,
		`name.matches("^o")`:               true,
		`spot || attested`:                 false,
		`offer in [3, 4]`:                  true,
		`price * 730 < 1400 && price > 0`:  true,
	} {
		f, err := Compile(expression, "usouk")
		require.NoError(t, err, expression)
		got, err := f.Match(a100)
		require.NoError(t, err, expression)
		require.Equal(t, want, got, expression)
	}
}

func TestAnOfferInAnotherDenomHasNoPriceThatIsLow(t *testing.T) {
	f, err := Compile("price < 1000000", "uother")
	require.NoError(t, err)
	got, err := f.Match(entry(1, 1))
	require.NoError(t, err)
	require.False(t, got)
}

func TestAMistakeIsShownAtItsColumn(t *testing.T) {
	for expression, want := range map[string]string{
		"cpu > 1 && prise < 2": "column 12: there is no field prise; did you mean price?\ncpu > 1 && prise < 2\n           ^",
		"gpu.modle == 'x'":     "column 1: there is no field gpu; did you mean gpu.count?\ngpu.modle == 'x'\n^",
		"price":                "column 1: this is a number, want what is true or false, such as price < 2\nprice\n^",
		"price < 'x'":          "column 7: < does not fit these kinds of values: '(double, string)'\nprice < 'x'\n      ^",
	} {
		_, err := Compile(expression, "usouk")
		require.ErrorIs(t, err, ErrExpression)
		require.EqualError(t, err, want)
	}
	_, err := Compile("price <", "usouk")
	var at *Error
	require.ErrorAs(t, err, &at)
	require.Equal(t, 8, at.Column)
}

func TestOffersAreSortedByAField(t *testing.T) {
	list := []markettypes.BookEntry{entry(1, 30), entry(2, 10), entry(3, 20), entry(4, 10)}
	ids := func() (out []uint64) {
		for _, e := range list {
			out = append(out, e.Offer.Id)
		}
		return out
	}
	require.NoError(t, Sort(list, "price.cpu", "usouk"))
	require.Equal(t, []uint64{2, 4, 3, 1}, ids())
	require.NoError(t, Sort(list, "-price.cpu", "usouk"))
	require.Equal(t, []uint64{1, 3, 2, 4}, ids())
	require.ErrorIs(t, Sort(list, "beauty", "usouk"), ErrExpression)
}

func TestEveryFieldCanBeFilteredAndSorted(t *testing.T) {
	for _, f := range Fields {
		_, err := Compile(f.Name+" == "+f.Name, "usouk")
		require.NoError(t, err, f.Name)
		require.NoError(t, Sort([]markettypes.BookEntry{entry(1, 1), entry(2, 2)}, f.Name, "usouk"))
		require.NotEmpty(t, f.Doc)
	}
}

func TestNoTextBreaksTheCompiler(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		expression := rapid.OneOf(rapid.String(), rapid.StringMatching(`(price|cpu|labels|[a-z.]{1,9}|[<>=!&|()\[\]"' 0-9]){1,12}`)).Draw(t, "expression")
		f, err := Compile(expression, "usouk")
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		_, _ = f.Match(entry(1, 1)) // may fail, must return
	})
}
