package match

import (
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The index may only leave out what cannot be wanted, and should leave out
// nearly all of that.
func TestStopIsNeverBelowTheExactBoundAndHardlyAbove(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var unit Vector
		var c class
		for r := range Dims {
			unit[r] = rapid.Uint64Range(0, MaxQuantity).Draw(t, "unit")
			c.reference[r] = rapid.Uint64().Draw(t, "reference")
		}
		limit := rapid.Uint64Range(0, MaxRate).Draw(t, "limit")
		n, err := needOf(unit)
		require.NoError(t, err)

		cost := new(big.Int)
		for r := range Dims {
			term := new(big.Int).SetUint64(unit[r] * perUnit[r])
			cost.Add(cost, term.Mul(term, new(big.Int).SetUint64(c.reference[r])))
		}
		got := new(big.Int).SetUint64(c.stop(&n, limit))
		if cost.Sign() == 0 {
			require.Equal(t, uint64(math.MaxUint64), got.Uint64())
			return
		}
		exact := new(big.Int).SetUint64(limit)
		exact.Quo(exact.Mul(exact, big.NewInt(commonScale<<multipleBits)), cost)
		if !exact.IsUint64() {
			require.Equal(t, uint64(math.MaxUint64), got.Uint64())
			return
		}
		require.GreaterOrEqual(t, got.Cmp(exact), 0, "%s is below %s", got, exact)
		above := new(big.Int).Sub(got, exact)
		slack := new(big.Int).Add(new(big.Int).Rsh(exact, 60), big.NewInt(1))
		require.LessOrEqual(t, above.Cmp(slack), 0, "%s is far above %s", got, exact)
	})
}

func TestMultiple(t *testing.T) {
	room := Vector{1, 1}
	for name, c := range map[string]struct {
		reference, ask, room Vector
		want                 uint64
	}{
		"the ask at the reference is 1":                {reference: Vector{10, 20}, ask: Vector{10, 20}, room: room, want: 1 << 16},
		"the cheapest resource counts":                 {reference: Vector{10, 20}, ask: Vector{30, 10}, room: room, want: 1 << 15},
		"a resource that is not sold does not count":   {reference: Vector{10, 20, 30}, ask: Vector{10, 20, 1}, room: room, want: 1 << 16},
		"a resource that all give away does not count": {reference: Vector{0, 20}, ask: Vector{0, 40}, room: room, want: 1 << 17},
		"beyond 64 bits it is the highest":             {reference: Vector{1, 1}, ask: Vector{math.MaxUint64, math.MaxUint64}, room: room, want: math.MaxUint64},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, (&class{reference: c.reference}).multiple(&c.ask, &c.room))
		})
	}
}
