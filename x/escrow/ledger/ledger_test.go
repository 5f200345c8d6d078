package ledger_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/x/escrow/ledger"
)

func TestMicroAndGrainsConvertWithTheRoundingTheyName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		grains := amount(t, "grains", 160)
		floor, ceil := ledger.FloorMicro(grains), ledger.CeilMicro(grains)
		require.True(t, ledger.Grains(floor).LTE(grains))
		require.True(t, ledger.Grains(floor.AddRaw(1)).GT(grains))
		require.True(t, ledger.Grains(ceil).GTE(grains))
		require.True(t, ledger.Grains(ceil.SubRaw(1)).LT(grains))

		micro, dust := ledger.SplitMicro(grains)
		require.Equal(t, grains, ledger.Grains(micro).Add(dust))
		require.False(t, dust.IsNegative())
		require.True(t, dust.LT(math.NewInt(ledger.GrainsPerMicro)))
	})
}

func TestAFeeIsRoundedDown(t *testing.T) {
	for _, c := range []struct {
		amount int64
		bps    uint32
		fee    int64
	}{
		{0, 200, 0},
		{49, 200, 0},
		{50, 200, 1},
		{99, 200, 1},
		{1_000_000, 200, 20_000},
		{7, 0, 0},
		{7, 10_000, 7},
	} {
		require.Equal(t, c.fee, ledger.Fee(math.NewInt(c.amount), c.bps).Int64(), "%d at %d bps", c.amount, c.bps)
	}
}

func TestALineSumsUpWhatFlowedWhileItFlowed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line, want := ledger.ZeroLine(), math.ZeroInt()
		end := uint64(0)
		for i := range rapid.IntRange(0, 8).Draw(t, "flows") {
			rate := rapid.Uint64Range(1, 1<<63-1).Draw(t, "rate")
			from := rapid.Uint64Range(0, 1<<40).Draw(t, "from")
			seconds := rapid.Uint64Range(0, 1<<40).Draw(t, "seconds")
			// Stops are recorded in any order, some before their starts.
			if i%2 == 0 {
				line = line.Start(rate, from).Stop(rate, from+seconds)
			} else {
				line = line.Stop(rate, from+seconds).Start(rate, from)
			}
			want = want.Add(ledger.Need(math.NewIntFromUint64(rate), seconds))
			end = max(end, from+seconds)
		}
		require.Equal(t, want.String(), line.At(end).String())
		require.True(t, line.Slope.IsZero())
	})
}

func TestALineFromASecondIsZeroThereAndKeepsItsSlope(t *testing.T) {
	line := ledger.ZeroLine().Start(7, 100).Shift(math.NewInt(55))
	from := line.From(300)
	require.Equal(t, "0", from.At(300).String())
	require.Equal(t, "70", from.At(310).String())
	require.False(t, line.IsZero())
	require.False(t, ledger.ZeroLine().Shift(math.OneInt()).IsZero())
	require.False(t, ledger.ZeroLine().Start(1, 0).IsZero())
	require.True(t, line.Plus(ledger.ZeroLine().Stop(7, 100).Shift(math.NewInt(-55))).IsZero())
}

// amount draws an amount of up to so many bits, small ones and dust often.
func amount(t *rapid.T, label string, bits int) math.Int {
	if rapid.Bool().Draw(t, label+" is small") {
		return math.NewInt(rapid.Int64Range(0, 10_000).Draw(t, label))
	}
	bytes := rapid.SliceOfN(rapid.Byte(), 0, bits/8).Draw(t, label)
	out := math.ZeroInt()
	for _, b := range bytes {
		out = out.MulRaw(256).AddRaw(int64(b))
	}
	return out
}
