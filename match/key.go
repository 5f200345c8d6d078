package match

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"slices"
)

// Key ranks bids by what they pay for the resources they take: cap x 2^16 over
// the number of ask units in one replica, rounded down, as a number of 128 bits
// (a denom with 18 decimals does not fit 64).
type Key struct{ Hi, Lo uint64 }

// Compare returns -1, 0 or 1 as k is below, equal to or above other.
func (k Key) Compare(other Key) int {
	return cmp.Or(cmp.Compare(k.Hi, other.Hi), cmp.Compare(k.Lo, other.Lo))
}

// KeyOf returns the key of a bid with this cap (micro-denom per replica-hour)
// and unit. It fails with [ErrQuantity] or [ErrEmptyUnit].
func KeyOf(capPerHour uint64, unit Vector) (Key, error) {
	n, err := needOf(unit)
	if err != nil {
		return Key{}, err
	}
	if n.count == 0 {
		return Key{}, ErrEmptyUnit
	}
	return n.key(capPerHour), nil
}

// key divides cap x 2^16 x commonScale by the scaled sum of the unit, which is
// above 0 and at most 8 x 2^57.
func (n *need) key(capPerHour uint64) Key {
	var sum uint64
	for i := range n.count {
		sum += n.scaled[i]
	}
	hi, lo := bits.Mul64(capPerHour, commonScale<<16)
	quotient, rest := hi/sum, hi%sum
	low, _ := bits.Div64(rest, lo, sum)
	return Key{Hi: quotient, Lo: low}
}

// turn is a bid's place in the order of a batch.
type turn struct {
	key Key
	tie [sha256.Size]byte // set only where keys are equal
	id  uint64
	bid uint32
}

// rank puts turns in the order in which bids are served: by key, then by the
// hash of seed and id, then by id.
func rank(turns []turn, seed []byte) {
	slices.SortFunc(turns, func(a, b turn) int { return b.key.Compare(a.key) })
	preimage := append(slices.Clone(seed), make([]byte, 8)...)
	for start := 0; start < len(turns); {
		end := start + 1
		for end < len(turns) && turns[end].key == turns[start].key {
			end++
		}
		if end-start > 1 {
			breakTies(turns[start:end], preimage)
		}
		start = end
	}
}

// breakTies orders turns of one key. The preimage is the seed and 8 bytes for an id.
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
