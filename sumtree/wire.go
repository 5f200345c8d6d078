package sumtree

import (
	"errors"
	"fmt"
	"slices"
)

const (
	maxVarintBytes   = 10 // of 64 bits
	maxVarint128     = 19 // of 128 bits
	maxStepBytes     = hashBytes + maxVarint128 + 2*maxVarintBytes
	maxLeafBytes     = maxVarintBytes + maxVarint128 + 2 + MaxPayloadBytes
	maxPositionBytes = 2 * 6 // index and n, of up to 41 bits
)

const (
	// MaxOpeningBytes is how long the encoding of an opening is at most.
	MaxOpeningBytes = maxPositionBytes + maxLeafBytes + MaxDepth*maxStepBytes
	// MaxAbsenceBytes is how long the encoding of an absence is at most.
	MaxAbsenceBytes = 1 + 2*MaxOpeningBytes
)

// ErrEncoding says that bytes are not the encoding of anything.
var ErrEncoding = errors.New("encoding is invalid")

const (
	leftSide  = 1
	rightSide = 2
)

// Marshal encodes the opening. It refuses one that no tree has: an invalid leaf, an
// index or a path that do not fit the tree's size, and neighbours out of order.
func (o Opening) Marshal() ([]byte, error) {
	b, err := o.append(nil)
	if err != nil {
		return nil, fmt.Errorf("encode the opening of id %d at index %d: %w", o.Leaf.ID, o.Index, err)
	}
	return b, nil
}

func (o *Opening) append(b []byte) ([]byte, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	b = slices.Grow(b, maxPositionBytes+maxLeafBytes-MaxPayloadBytes+len(o.Leaf.Payload)+len(o.Path)*maxStepBytes)
	b = appendUint(b, o.Index)
	b = appendUint(b, o.N)
	b = appendUint(b, o.Leaf.ID)
	b = appendUint128(b, o.Leaf.Sum)
	b = appendUint(b, uint64(len(o.Leaf.Payload)))
	b = append(b, o.Leaf.Payload...)

	at := Node{Min: o.Leaf.ID, Max: o.Leaf.ID}
	c := climb{o.Index, o.N}
	for i := range o.Path {
		left, right := &at, &o.Path[i]
		if onLeft, _ := c.next(); onLeft {
			left, right = right, left
		}
		if err := checkOrder(left, right); err != nil {
			return nil, err
		}
		b = append(b, o.Path[i].Hash[:]...)
		b = appendUint128(b, o.Path[i].Sum)
		b = appendUint(b, right.Min-left.Max-1)
		b = appendUint(b, o.Path[i].Max-o.Path[i].Min)
		at = Node{Min: left.Min, Max: right.Max}
	}
	return b, nil
}

// UnmarshalOpening decodes an opening, or returns ErrEncoding. It does not keep b.
func UnmarshalOpening(b []byte) (Opening, error) {
	r := reader{rest: b}
	o := r.opening()
	if r.failed || len(r.rest) > 0 {
		return Opening{}, fmt.Errorf("decode an opening from %d bytes: %w", len(b), ErrEncoding)
	}
	return o, nil
}

// Marshal encodes the absence. It refuses one with an opening that cannot be encoded.
func (a Absence) Marshal() ([]byte, error) {
	b := []byte{0}
	for _, side := range []struct {
		bit     byte
		opening *Opening
	}{{leftSide, a.Left}, {rightSide, a.Right}} {
		if side.opening == nil {
			continue
		}
		var err error
		if b, err = side.opening.append(b); err != nil {
			return nil, fmt.Errorf("encode an absence, neighbour %d: %w", side.opening.Leaf.ID, err)
		}
		b[0] |= side.bit
	}
	return b, nil
}

// UnmarshalAbsence decodes an absence, or returns ErrEncoding. It does not keep b.
func UnmarshalAbsence(b []byte) (Absence, error) {
	r := reader{rest: b}
	sides := r.uint(leftSide | rightSide)
	var a Absence
	if sides&leftSide != 0 {
		left := r.opening()
		a.Left = &left
	}
	if sides&rightSide != 0 {
		right := r.opening()
		a.Right = &right
	}
	if r.failed || len(r.rest) > 0 {
		return Absence{}, fmt.Errorf("decode an absence from %d bytes: %w", len(b), ErrEncoding)
	}
	return a, nil
}

func appendUint(b []byte, v uint64) []byte {
	return appendUint128(b, FromUint64(v))
}

func appendUint128(b []byte, v Uint128) []byte {
	for v.Hi > 0 || v.Lo >= 0x80 {
		b = append(b, byte(v.Lo)|0x80)
		v.Lo, v.Hi = v.Lo>>7|v.Hi<<57, v.Hi>>7
	}
	return append(b, byte(v.Lo))
}
