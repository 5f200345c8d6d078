package match

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// Key ranks bids by what they pay for the resources they take: cap x 2^16 over
// the weighted number of ask units in one replica, rounded down, as a number of
// 128 bits (a denom with 18 decimals does not fit 64).
type Key struct{ Hi, Lo uint64 }

// Compare returns -1, 0 or 1 as k is below, equal to or above other.
func (k Key) Compare(other Key) int {
	return cmp.Or(cmp.Compare(k.Hi, other.Hi), cmp.Compare(k.Lo, other.Lo))
}

// KeyOf returns the key of a bid with this cap (micro-denom per replica-hour)
// and unit. It fails with [ErrQuantity] or [ErrEmptyUnit].
func KeyOf(capPerHour uint64, unit Vector, weights Weights) (Key, error) {
	n, err := needOf(unit)
	if err != nil {
		return Key{}, err
	}
	if n.count == 0 {
		return Key{}, ErrEmptyUnit
	}
	return n.key(capPerHour, &weights), nil
}

// key divides cap x 2^16 x WeightOne x commonScale, which is below 2^113, by the
// weighted sum of the scaled unit, which is above 2^20 and at most 8 x 2^75.
func (n *need) key(capPerHour uint64, weights *Weights) Key {
	var sum Uint128
	for i := range n.count {
		hi, lo := bits.Mul64(n.scaled[i], weights.of(n.dims[i]))
		var carry uint64
		sum.Lo, carry = bits.Add64(sum.Lo, lo, 0)
		sum.Hi += hi + carry
	}
	return keyOver(capPerHour, sum)
}

// keyOver is cap x 2^32 x commonScale over what it is to be spread, rounded down;
// the highest key when that is nothing.
func keyOver(capPerHour uint64, sum Uint128) Key {
	hi, lo := bits.Mul64(capPerHour, commonScale<<16)
	hi, lo = hi<<16|lo>>48, lo<<16
	switch {
	case sum.Hi > 0:
		return Key{Lo: Uint128{Hi: hi, Lo: lo}.over(sum)}
	case sum.Lo == 0:
		return Key{Hi: math.MaxUint64, Lo: math.MaxUint64}
	default:
		low, _ := bits.Div64(hi%sum.Lo, lo, sum.Lo)
		return Key{Hi: hi / sum.Lo, Lo: low}
	}
}

// turn is a bid's place in the order of a batch.
type turn struct {
	key Key
	tie [sha256.Size]byte // set only where keys are equal
	id  uint64
	bid uint32

	returned bool
}

// rank puts turns in the order in which bids are served: by key, then those that
// returned, then by the hash of seed and id, then by id.
func rank(turns []turn, seed []byte) {
	slices.SortFunc(turns, func(a, b turn) int {
		return cmp.Or(b.key.Compare(a.key), cmp.Compare(b.returns(), a.returns()))
	})
	preimage := append(slices.Clone(seed), make([]byte, 8)...)
	for start := 0; start < len(turns); {
		end := start + 1
		for end < len(turns) && turns[end].key == turns[start].key && turns[end].returned == turns[start].returned {
			end++
		}
		if end-start > 1 {
			breakTies(turns[start:end], preimage)
		}
		start = end
	}
}

// returns is 1 for a bid that returned.
func (t *turn) returns() int {
	if t.returned {
		return 1
	}
	return 0
}

// breakTies orders turns of one key, all of them returned or none. The preimage is the seed and 8 bytes for an id.
func breakTies(turns []turn, preimage []byte) {
	id := preimage[len(preimage)-8:]
	for i := range turns {
		binary.BigEndian.PutUint64(id, turns[i].id)
		turns[i].tie = sha256.Sum256(preimage)
	}
	slices.SortFunc(turns, func(a, b turn) int {
		return cmp.Or(slices.Compare(a.tie[:], b.tie[:]), cmp.Compare(a.id, b.id))
	})
}
