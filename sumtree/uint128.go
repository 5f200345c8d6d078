package sumtree

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"math/bits"
)

// ErrRange says that a number does not fit the 128 bits of a sum.
var ErrRange = errors.New("number is out of the range of 128 bits")

// Uint128 is an integer from 0 to 2^128 - 1, in the halves Hi x 2^64 + Lo. The zero
// value is 0, and == compares.
type Uint128 struct {
	Hi, Lo uint64
}

// FromUint64 returns v as 128 bits.
func FromUint64(v uint64) Uint128 {
	return Uint128{Lo: v}
}

// FromBig returns v as 128 bits, or ErrRange if it is nil, negative or too large.
func FromBig(v *big.Int) (Uint128, error) {
	if v == nil || v.Sign() < 0 || v.BitLen() > 128 {
		return Uint128{}, fmt.Errorf("%v: %w", v, ErrRange)
	}
	var b [16]byte
	v.FillBytes(b[:])
	return FromBytes(b), nil
}

// FromBytes reads 16 big-endian bytes.
func FromBytes(b [16]byte) Uint128 {
	return Uint128{Hi: binary.BigEndian.Uint64(b[:8]), Lo: binary.BigEndian.Uint64(b[8:])}
}

// Bytes returns 16 big-endian bytes.
func (u Uint128) Bytes() [16]byte {
	var b [16]byte
	u.put(b[:])
	return b
}

// put writes 16 big-endian bytes to the start of b.
func (u Uint128) put(b []byte) {
	binary.BigEndian.PutUint64(b[:8], u.Hi)
	binary.BigEndian.PutUint64(b[8:16], u.Lo)
}

// Big returns u as a big integer of its own.
func (u Uint128) Big() *big.Int {
	b := u.Bytes()
	return new(big.Int).SetBytes(b[:])
}

// String returns u in decimal.
func (u Uint128) String() string {
	return u.Big().String()
}

// IsZero tells if u is 0.
func (u Uint128) IsZero() bool {
	return u == Uint128{}
}

// Cmp returns -1, 0 or 1 as u is less than, equal to or greater than v.
func (u Uint128) Cmp(v Uint128) int {
	switch {
	case u == v:
		return 0
	case u.Hi < v.Hi || u.Hi == v.Hi && u.Lo < v.Lo:
		return -1
	default:
		return 1
	}
}

// Add returns u + v, or ErrRange if that reaches 2^128.
func (u Uint128) Add(v Uint128) (Uint128, error) {
	lo, carry := bits.Add64(u.Lo, v.Lo, 0)
	hi, carry := bits.Add64(u.Hi, v.Hi, carry)
	if carry != 0 {
		return Uint128{}, fmt.Errorf("add %s to %s: %w", v, u, ErrRange)
	}
	return Uint128{Hi: hi, Lo: lo}, nil
}

// Sub returns u - v, or ErrRange if v is greater than u.
func (u Uint128) Sub(v Uint128) (Uint128, error) {
	lo, borrow := bits.Sub64(u.Lo, v.Lo, 0)
	hi, borrow := bits.Sub64(u.Hi, v.Hi, borrow)
	if borrow != 0 {
		return Uint128{}, fmt.Errorf("subtract %s from %s: %w", v, u, ErrRange)
	}
	return Uint128{Hi: hi, Lo: lo}, nil
}

// Draw returns the position that a digest draws from a sum: the digest, as a 256-bit
// big-endian integer, modulo the sum. A sum of 0 has no positions and gives ErrNoLeaf.
func Draw(digest [32]byte, sum Uint128) (Uint128, error) {
	if sum.IsZero() {
		return Uint128{}, fmt.Errorf("draw a position from a sum of 0: %w", ErrNoLeaf)
	}
	d := new(big.Int).SetBytes(digest[:])
	return FromBig(d.Mod(d, sum.Big()))
}
