package sumtree

import (
	"math"
	"slices"
)

// reader decodes from the front of rest. After a failure it returns zeros.
type reader struct {
	rest   []byte
	failed bool
}

// opening reads what Opening.append writes, and fails on what that would not write.
func (r *reader) opening() Opening {
	var o Opening
	o.Index = r.uint(MaxLeaves - 1)
	o.N = r.uint(MaxLeaves)
	o.Leaf.ID = r.uint(math.MaxUint64)
	o.Leaf.Sum = r.uint128()
	o.Leaf.Payload = slices.Clone(r.bytes(r.uint(MaxPayloadBytes)))
	if o.Leaf.ID == 0 || o.Index >= o.N {
		r.failed = true
	}
	if r.failed {
		return Opening{}
	}
	o.Path = make([]Node, 0, depth(o.Index, o.N))
	low, high := o.Leaf.ID, o.Leaf.ID // the range of the node so far
	c := climb{o.Index, o.N}
	for left, ok := c.next(); ok && !r.failed; left, ok = c.next() {
		sibling := r.sibling(left, low, high)
		o.Path = append(o.Path, sibling)
		low, high = min(low, sibling.Min), max(high, sibling.Max)
	}
	return o
}

// sibling reads one step beside a node with ids from low to high.
func (r *reader) sibling(left bool, low, high uint64) Node {
	var n Node
	copy(n.Hash[:], r.bytes(hashBytes))
	n.Sum = r.uint128()
	gap, width := r.uint(math.MaxUint64), r.uint(math.MaxUint64)
	room := math.MaxUint64 - high // how many ids there are on that side
	if left {
		room = low - 1
	}
	if r.failed || gap >= room || width >= room-gap {
		r.failed = true
		return Node{}
	}
	if left {
		n.Max = low - 1 - gap
		n.Min = n.Max - width
	} else {
		n.Min = high + 1 + gap
		n.Max = n.Min + width
	}
	return n
}

// bytes reads count bytes, which alias rest.
func (r *reader) bytes(count uint64) []byte {
	if r.failed || count > uint64(len(r.rest)) {
		r.failed = true
		return nil
	}
	b := r.rest[:count]
	r.rest = r.rest[count:]
	return b
}

// uint reads a number of up to most.
func (r *reader) uint(most uint64) uint64 {
	v := r.uint128()
	if v.Hi > 0 || v.Lo > most {
		r.failed = true
		return 0
	}
	return v.Lo
}

// uint128 reads a number in the fewest bytes.
func (r *reader) uint128() Uint128 {
	var v Uint128
	for i := range uint(maxVarint128) {
		if r.failed || uint(len(r.rest)) <= i {
			break
		}
		group := uint64(r.rest[i] & 0x7f)
		v.Hi |= shift(group, i*7)
		if i*7 < 64 {
			v.Lo |= group << (i * 7)
		}
		if r.rest[i] < 0x80 {
			overflow := i == maxVarint128-1 && group > 3 // 18 groups of 7 bits leave 2
			padded := i > 0 && group == 0
			r.failed = overflow || padded
			r.rest = r.rest[i+1:]
			return v
		}
	}
	r.failed = true
	return Uint128{}
}

// shift returns the upper 64 bits of group x 2^by, for by below 128.
func shift(group uint64, by uint) uint64 {
	if by >= 64 {
		return group << (by - 64)
	}
	return group >> (64 - by)
}
