package output

import (
	"bytes"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"
)

func TestMoneyIsWrittenExactlyInTheDisplayDenom(t *testing.T) {
	for amount, want := range map[int64]string{
		0:             "0 SOUK",
		1:             "0.000001 SOUK",
		1_500_000:     "1.5 SOUK",
		-2_000_001:    "-2.000001 SOUK",
		1_000_000_000: "1000 SOUK",
	} {
		require.Equal(t, want, Money(math.NewInt(amount), "usouk"))
	}
	require.Equal(t, "7 ibc/ABC", Money(math.NewInt(7), "ibc/ABC"), "an unknown denom stays in its own unit")
}

func TestMoneyLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := math.NewIntFromUint64(rapid.Uint64().Draw(t, "amount"))
		var number string
		text := Money(amount, "usouk")
		number = text[:len(text)-len(" SOUK")]
		back, ok := new(big.Rat).SetString(number)
		require.True(t, ok)
		require.Equal(t, new(big.Rat).SetInt(amount.BigInt()), back.Mul(back, big.NewRat(1_000_000, 1)))
	})
}

func TestRunwayHasTwoUnits(t *testing.T) {
	for seconds, want := range map[uint64]string{
		5:              "5 s",
		61:             "1 min 1 s",
		3*3600 + 59:    "3 h 0 min",
		86400*12 + 9e3: "12 days 2 h",
		1 << 62:        "over 100 years",
	} {
		require.Equal(t, want, Runway(seconds))
	}
	require.Equal(t, "3m", Age(3*time.Minute+time.Second))
}

func TestControlSequencesOfOthersDoNotReachTheTerminal(t *testing.T) {
	require.Equal(t, "evil[2J name", Clean("evil\x1b[2J\tname\u202e\r\n"))
}

func TestFormats(t *testing.T) {
	type item struct {
		Name string `json:"name"`
		Rate uint64 `json:"rate"`
	}
	items := []any{item{"a", 1}, item{"b", 20}}
	rows := Rows{
		Columns: []Column{{Name: "name"}, {Name: "rate", Right: true}, {Name: "more", Wide: true}},
		Cells:   [][]string{{"a", "1", "x"}, {"b", "20", "y"}},
		Empty:   "nothing",
	}
	for format, want := range map[Format]string{
		Table: "NAME  RATE\na        1\nb       20\n",
		Wide:  "NAME  RATE  MORE\na        1  x\nb       20  y\n",
		JSONL: "{\"name\":\"a\",\"rate\":1}\n{\"name\":\"b\",\"rate\":20}\n",
		YAML:  "- name: a\n  rate: 1\n- name: b\n  rate: 20\n",
		JSON:  "[\n  {\n    \"name\": \"a\",\n    \"rate\": 1\n  },\n  {\n    \"name\": \"b\",\n    \"rate\": 20\n  }\n]\n",
	} {
		var out bytes.Buffer
		require.NoError(t, Printer{Format: format, Out: &out}.List(items, rows))
		require.Equal(t, want, out.String(), "%s", format)
	}
	var out bytes.Buffer
	require.NoError(t, Printer{Format: Table, Out: &out}.List(nil, Rows{Empty: "nothing"}))
	require.Equal(t, "nothing\n", out.String())
	_, err := ParseFormat("xml")
	require.ErrorContains(t, err, "table, wide, json, yaml, jsonl")
}

func TestCoinsAreReadAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]string{
		"1.5SOUK":       "1500000usouk",
		" 2 souk ":      "2000000usouk",
		"0.000001SOUK":  "1usouk",
		"1500000usouk":  "1500000usouk",
		"100SOUK":       "100000000usouk",
		"7 ibc/0123ABC": "7ibc/0123ABC",
	} {
		coin, err := ParseCoin(text)
		require.NoError(t, err, text)
		require.Equal(t, want, coin.String(), text)
	}
	for _, text := range []string{"", "5", "SOUK", "-1SOUK", "0.0000001SOUK", "1.2.3SOUK", "-5usouk"} {
		_, err := ParseCoin(text)
		require.Error(t, err, text)
	}
}
