package match

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// MaxRate is the highest rate of a lease, in micro-denom per hour.
const MaxRate = math.MaxInt64

var (
	// ErrQuantity refuses a unit with a quantity above [MaxQuantity].
	ErrQuantity = errors.New("quantity above the maximum")
	// ErrOverflow refuses a rate above [MaxRate].
	ErrOverflow = errors.New("rate above the maximum")
	// ErrReplicas refuses a bid that wants no replica, or fewer than its minimum.
	ErrReplicas = errors.New("replicas wanted are none or below the minimum")
	// ErrEmptyUnit refuses a unit that asks for nothing: it has no key.
	ErrEmptyUnit = errors.New("unit asks for no resource")
)

// Rate returns what replicas of a unit cost at an ask, in micro-denom per hour:
//
//	ceil(sum over r of unit[r] x ask[r] / ask unit of r) x replicas
//
// with one ceiling, over the sum. It fails with [ErrQuantity] or [ErrOverflow]
// and never wraps.
func Rate(unit, ask Vector, replicas uint64) (uint64, error) {
	need, err := needOf(unit)
	if err != nil {
		return 0, err
	}
	one, ok := need.rate(&ask)
	if !ok {
		return 0, fmt.Errorf("rate of one replica: %w", ErrOverflow)
	}
	hi, total := bits.Mul64(one, replicas)
	if hi != 0 || total > MaxRate {
		return 0, fmt.Errorf("rate of %d replicas at %d: %w", replicas, one, ErrOverflow)
	}
	return total, nil
}

// need is a unit prepared for pricing and fitting many offers: dims lists the
// resources that it asks for at all, amount[i] and scaled[i] belong to dims[i].
type need struct {
	dims   [Dims]Dim
	amount Vector
	scaled Vector // amount x perUnit, at most 2^57
	count  int
}

func needOf(unit Vector) (need, error) {
	var n need
	for r, q := range unit {
		if q == 0 {
			continue
		}
		if q > MaxQuantity {
			return need{}, fmt.Errorf("%d %s: %w", q, Dim(r).Unit(), ErrQuantity)
		}
		n.dims[n.count] = Dim(r)
		n.amount[n.count] = q
		n.scaled[n.count] = q * perUnit[r]
		n.count++
	}
	return n, nil
}

// cost is the price of one unit at an ask, times commonScale, in 128 bits. It
// cannot overflow: each of the 8 products is below 2^57 x 2^64.
func (n *need) cost(ask *Vector) (hi, lo uint64) {
	for i := range n.count {
		h, l := bits.Mul64(n.scaled[i], ask[n.dims[i]])
		var carry uint64
		lo, carry = bits.Add64(lo, l, 0)
		hi += h + carry
	}
	return hi, lo
}

// rate is the price of one unit in micro-denom per hour, rounded up; false when
// it is above MaxRate.
func (n *need) rate(ask *Vector) (uint64, bool) {
	hi, lo := n.cost(ask)
	lo, carry := bits.Add64(lo, commonScale-1, 0)
	hi += carry
	if hi == 0 {
		return lo / commonScale, true
	}
	if hi >= commonScale {
		return 0, false
	}
	rate, _ := bits.Div64(hi, lo, commonScale)
	return rate, rate <= MaxRate
}

// fits reports whether room holds one unit.
func (n *need) fits(room *Vector) bool {
	for i := range n.count {
		if room[n.dims[i]] < n.amount[i] {
			return false
		}
	}
	return true
}

// times returns how many units room holds, at most limit.
func (n *need) times(room *Vector, limit uint64) uint64 {
	for i := range n.count {
		limit = min(limit, room[n.dims[i]]/n.amount[i])
	}
	return limit
}
