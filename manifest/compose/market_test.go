package compose

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cosmos/btcutil/bech32"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestPercentagesAreExactInPartsPerMillion(t *testing.T) {
	for text, want := range map[string]uint32{
		"0": 0, "95": 950_000, "95%": 950_000, "95 %": 950_000, "99.5%": 995_000, "0.0001": 1, "100.0000%": 1_000_000,
	} {
		got, ok := parsePercent(text)
		require.True(t, ok, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "%", "-1", "100.0001", "101%", "0.00001", "1e2", "95%%", "95  %", "5000000000", "429496.7297"} {
		_, ok := parsePercent(text)
		require.False(t, ok, text)
	}
}

func TestDurationsAreWholeSecondsWithinAHundredYears(t *testing.T) {
	for text, want := range map[string]uint64{
		"1s": 1, "90m": 5400, "36h": 129_600, "7d": 604_800, "1d2h3m4s": 93_784, "3162240000s": maxLeaseSeconds, "36600d": maxLeaseSeconds,
	} {
		got, ok := parseDuration(text)
		require.True(t, ok, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "0s", "0d0h", "36", "1.5h", "-1h", "1h1d", "1w", "1 h", "36600d1s", "999999999d", "9999999999d", "1H"} {
		_, ok := parseDuration(text)
		require.False(t, ok, text)
	}
}

func TestAnAddressIsTakenOnlyAsTheChainKeepsIt(t *testing.T) {
	address := func(t require.TestingT, prefix string, raw []byte) string {
		groups, err := bech32.ConvertBits(raw, 8, 5, true)
		require.NoError(t, err)
		text, err := bech32.Encode(prefix, groups)
		require.NoError(t, err)
		return text
	}
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SliceOfN(rapid.Byte(), 1, 255).Draw(t, "raw")
		text := address(t, "souk", raw)
		require.True(t, isAddress(text), text)
		require.False(t, isAddress(strings.ToUpper(text)))
		at := rapid.IntRange(len("souk1"), len(text)-1).Draw(t, "at")
		for _, other := range []string{"q", "p", "z"} {
			wrong := text[:at] + other + text[at+1:]
			require.Equal(t, wrong == text, isAddress(wrong), "one letter is mistyped: %s", wrong)
		}
	})
	for _, text := range []string{
		"", "souk1", "souk", address(t, "souk", nil), address(t, "souk", make([]byte, 256)), address(t, "cosmos", make([]byte, 20)),
		address(t, "soukvaloper", make([]byte, 20)), " " + address(t, "souk", make([]byte, 20)), strings.Repeat("souk1", 1000),
	} {
		require.False(t, isAddress(text), text)
	}
}

func TestABoundIsReadWithAndWithoutASpace(t *testing.T) {
	for _, n := range []string{"0", "-5", "40", "999999999999999999"} {
		for _, sign := range []string{">=", "<="} {
			for _, space := range []string{"", " ", "  "} {
				operator, value, err := parseCondition(sign + space + n)
				require.NoError(t, err)
				require.Equal(t, n, value)
				require.Equal(t, map[string]string{">=": "at-least", "<=": "at-most"}[sign], fmt.Sprint(operator))
			}
		}
	}
	for _, text := range []string{">", "=", "!", ">3", "<3", "=3", "==3", ">=", ">= ", ">=x", ">=+1", ">=1.0", "<= 1000000000000000000", "!=", "!= a b", "!= a "} {
		require.True(t, conditional(text), text)
		_, _, err := parseCondition(text)
		require.Error(t, err, text)
	}
}
