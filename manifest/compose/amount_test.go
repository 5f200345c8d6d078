package compose

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestAmountsAreReadExactly(t *testing.T) {
	cases := []struct {
		text, denom string
		want        uint64
	}{
		{"0.05", "usouk", 50_000},
		{"0.05 souk", "usouk", 50_000},
		{"0.000001souk", "usouk", 1},
		{"50000usouk", "usouk", 50_000},
		{"1", "usouk", 1_000_000},
		{"9223372036854775807usouk", "usouk", 1<<63 - 1},
		{"7 ibc/27394FB0", "ibc/27394FB0", 7},
		{"12.5 usdc", "uusdc", 12_500_000},
	}
	for _, c := range cases {
		got, err := parseAmount(c.text, c.denom)
		require.NoError(t, err, c.text)
		require.Equal(t, c.want, got, c.text)
	}
}

func TestAmountsThatCannotBeExactAreRefused(t *testing.T) {
	for _, text := range []string{
		"", "-1", "1e3", ".5", "0.0000001", "0.5usouk", "9223372036854775808usouk", "1 atom", "1  souk", "souk", "0x10", "١", "1,5",
	} {
		_, err := parseAmount(text, "usouk")
		require.Error(t, err, text)
	}
	_, err := parseAmount("5", "ibc/27394FB0")
	require.Error(t, err, "no display unit")
}

func TestSizesAreReadAsComposeDoesAndRoundedUp(t *testing.T) {
	for text, want := range map[string]uint64{
		"256m": 256, "256MB": 256, "256MiB": 256, "1g": 1024, "1.5GiB": 1536, "1048576": 1, "1048577b": 2, "1k": 1, "2T": 2 << 20, "0": 0,
	} {
		got, ok := parseMiB(text)
		require.True(t, ok, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "m", "-1m", "1 gigabyte", "1e3", "99999999999999999999p"} {
		_, ok := parseMiB(text)
		require.False(t, ok, text)
	}
}

func TestDecimalsLoseNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		micro := rapid.Uint64Range(0, 1<<62).Draw(t, "micro")
		got, err := parseAmount(fmt.Sprintf("%d.%06d", micro/1_000_000, micro%1_000_000), "usouk")
		require.NoError(t, err)
		require.Equal(t, micro, got)
	})
}
