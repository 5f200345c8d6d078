package match

import "math/bits"

// fitShare is by what part, at most, a poor fit makes an offer's worth count for
// more when prices steer: an eighth, which measured best of a few.
const fitShare = 8

// fitWork is what the fit of an offer costs beside the look at its entry.
const fitWork = 6

// shape is the direction of a vector of values: each over the greatest, in 14
// bits.
type shape struct {
	value  [Dims]uint32
	square uint64 // the sum of the squares, below 2^31
	change uint32 // the pool's change for which it is valid
}

// set makes the shape that of amounts at some prices.
func (s *shape) set(scaled, prices *Vector) {
	var worth [Dims]Uint128
	length := 0
	for r := range Dims {
		if scaled[r] > 0 {
			hi, lo := bits.Mul64(scaled[r], prices[r])
			worth[r] = Uint128{Hi: hi, Lo: lo}
			length = max(length, worth[r].length())
		}
	}
	s.square = 0
	shift := uint(max(0, length-14))
	for r := range Dims {
		v := worth[r].half(shift).Lo
		s.value[r] = uint32(v)
		s.square += v * v
	}
}

// away is the square of the sine between two shapes, in 16 bits: 0 where a unit
// takes of each resource in proportion to what is free of it.
func (s *shape) away(other *shape) uint64 {
	if s.square == 0 || other.square == 0 {
		return 0
	}
	var dot uint64
	for r := range Dims {
		dot += uint64(s.value[r]) * uint64(other.value[r])
	}
	whole := s.square * other.square >> 16
	if whole == 0 {
		return 0
	}
	return one - min(one, dot*dot/whole)
}

// fitted is the worth of a replica to the choice: more the less the unit's shape
// is that of what the pool has left, so that no pool is left with much of what
// cannot be sold for want of the rest.
func (m *market) fitted(d *demand, e *entry, worth uint64) uint64 {
	m.work += fitWork
	prices, p, left := &m.index.worth[e.offer], &m.pools[e.pool], &m.shapes[e.offer]
	if left.change != p.change {
		var scaled Vector
		for r := range Dims {
			scaled[r] = min(p.free[r], MaxQuantity) * perUnit[r]
		}
		left.set(&scaled, prices)
		left.change = p.change
	}
	var scaled Vector
	for i := range d.count {
		scaled[d.dims[i]] = d.scaled[i]
	}
	var own shape
	own.set(&scaled, prices)
	return plus(worth, times(worth, own.away(left), fitShare*one, worth))
}
