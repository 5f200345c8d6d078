package price

import (
	"context"
	"math"
	"math/bits"
	"slices"

	markettypes "github.com/souk-network/souk/x/market/types"
)

const (
	whole = 10_000 // of utilisation, in hundredths of a percent
	// steps between floor and ceiling: a change of prices is a transaction, so they change by whole steps only.
	steps = 20
	// margin by which utilisation must leave its step before prices follow; half a step.
	margin = whole / steps / 2
)

// Scaled asks more the more is taken: the list's prices times
//
//	floor + (ceiling - floor) x k / 20
//
// rounded up, where k is the step of 5 % in which the utilisation lies, 0 to 20: that of the scarcest resource that has a
// price. Prices stay as they are until the utilisation has left its step by more than 2.5 %. The present offer is all that
// it remembers, so that an agent that restarts asks the same.
type Scaled struct{ Bounds }

// Asks implements Strategy.
func (s Scaled) Asks(_ context.Context, v View) ([]markettypes.Ask, error) {
	used := utilisation(v)
	for k := range uint64(steps + 1) {
		low, high := k*whole/steps, (k+1)*whole/steps // of the step; the last one has one point
		if used+margin >= low && used < high+margin && slices.Equal(v.Present, s.at(v.Base, k)) {
			return v.Present, nil
		}
	}
	return s.at(v.Base, used*steps/whole), nil
}

// at gives the prices of a step.
func (s Scaled) at(base []markettypes.Ask, k uint64) []markettypes.Ask {
	share := s.FloorPercent*steps + (s.CeilingPercent-s.FloorPercent)*k // of 100 x steps
	out := slices.Clone(base)
	for i := range out {
		for _, price := range fields(&out[i]) {
			*price = portion(*price, share, 100*steps)
		}
	}
	return out
}

// utilisation of the scarcest resource for which anything is asked, in hundredths of a percent.
func utilisation(v View) uint64 {
	most := uint64(0)
	for d := range v.Total {
		if v.Total[d] == 0 || !isPriced(v.Base, d) {
			continue
		}
		taken := min(v.Allocated[d], v.Total[d])
		hi, lo := bits.Mul64(taken, whole)
		part, _ := bits.Div64(hi, lo, v.Total[d]) // taken <= total: at most whole
		most = max(most, part)
	}
	return most
}

func isPriced(asks []markettypes.Ask, dimension int) bool {
	return slices.ContainsFunc(asks, func(a markettypes.Ask) bool { return *fields(&a)[dimension] > 0 })
}

// portion is amount x share / of, rounded up, and at most what a price can be.
func portion(amount, share, of uint64) uint64 {
	hi, lo := bits.Mul64(amount, share)
	lo, carry := bits.Add64(lo, of-1, 0)
	hi += carry
	if hi >= of {
		return math.MaxInt64
	}
	quotient, _ := bits.Div64(hi, lo, of)
	return min(quotient, math.MaxInt64)
}
