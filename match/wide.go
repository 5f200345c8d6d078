package match

import (
	"cmp"
	"math"
	"math/big"
	"math/bits"
)

// Uint128 is a number of 128 bits: sums over a batch do not fit 64.
type Uint128 struct{ Hi, Lo uint64 }

// Compare returns -1, 0 or 1 as u is below, equal to or above other.
func (u Uint128) Compare(other Uint128) int {
	return cmp.Or(cmp.Compare(u.Hi, other.Hi), cmp.Compare(u.Lo, other.Lo))
}

// String writes the number in decimal.
func (u Uint128) String() string {
	n := new(big.Int).SetUint64(u.Hi)
	return n.Or(n.Lsh(n, 64), new(big.Int).SetUint64(u.Lo)).String()
}

// minus is u - other, or 0 when other is above u.
func (u Uint128) minus(other Uint128) Uint128 {
	lo, borrow := bits.Sub64(u.Lo, other.Lo, 0)
	hi, borrow := bits.Sub64(u.Hi, other.Hi, borrow)
	if borrow != 0 {
		return Uint128{}
	}
	return Uint128{Hi: hi, Lo: lo}
}

// half is u over 2^times, rounded down.
func (u Uint128) half(times uint) Uint128 {
	if times >= 64 {
		return Uint128{Lo: u.Hi >> (times - 64)}
	}
	return Uint128{Hi: u.Hi >> times, Lo: u.Lo>>times | u.Hi<<(64-times)}
}

// length is the number of bits of u.
func (u Uint128) length() int {
	if u.Hi > 0 {
		return 64 + bits.Len64(u.Hi)
	}
	return bits.Len64(u.Lo)
}

// over divides by a divisor above 0 whose quotient fits 64 bits.
func (u Uint128) over(divisor Uint128) uint64 {
	if divisor.Hi == 0 {
		q, _ := bits.Div64(u.Hi, u.Lo, divisor.Lo)
		return q
	}
	// An estimate from the divisor's 64 leading bits is at most one too high
	// (Knuth, The Art of Computer Programming 2, 4.3.1); one less is at most
	// one too low.
	shift := uint(bits.LeadingZeros64(divisor.Hi))
	lead := divisor.Hi<<shift | divisor.Lo>>(63-shift)>>1
	q, _ := bits.Div64(u.Hi>>1, u.Hi<<63|u.Lo>>1, lead)
	q >>= 63 - shift
	if q > 0 {
		q--
	}
	hi, lo := bits.Mul64(q, divisor.Lo)
	product := Uint128{Hi: hi + q*divisor.Hi, Lo: lo}
	if u.minus(product).Compare(divisor) >= 0 {
		q++
	}
	return q
}

// sum adds up products of at most 145 bits, of which fewer than 2^40 fit memory.
type sum struct{ high, mid, low uint64 }

// add adds n x times.
func (s *sum) add(n Uint128, times uint64) {
	h0, l0 := bits.Mul64(n.Lo, times)
	h1, l1 := bits.Mul64(n.Hi, times)
	mid, carry := bits.Add64(l1, h0, 0)
	high := h1 + carry
	s.low, carry = bits.Add64(s.low, l0, 0)
	s.mid, carry = bits.Add64(s.mid, mid, carry)
	s.high += high + carry
}

// units is the sum over commonScale, rounded up; the highest number when it is
// above that.
func (s sum) units() Uint128 {
	const up = commonScale - 1
	low, carry := bits.Add64(s.low, up, 0)
	mid, carry := bits.Add64(s.mid, 0, carry)
	high := s.high + carry
	if high >= commonScale {
		return Uint128{Hi: math.MaxUint64, Lo: math.MaxUint64}
	}
	hi, rest := bits.Div64(high, mid, commonScale)
	lo, _ := bits.Div64(rest, low, commonScale)
	return Uint128{Hi: hi, Lo: lo}
}

// times returns a x b / c, at most limit; c is above 0.
func times(a, b, c, limit uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	if hi >= c {
		return limit
	}
	q, _ := bits.Div64(hi, lo, c)
	return min(q, limit)
}

// plus is a + b, or the highest number.
func plus(a, b uint64) uint64 {
	s, carry := bits.Add64(a, b, 0)
	if carry != 0 {
		return math.MaxUint64
	}
	return s
}
