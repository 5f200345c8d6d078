package sumtree

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// The first byte of what is hashed tells its kind.
const (
	leafTag    = 0x00
	innerTag   = 0x01
	rootTag    = 0x02
	payloadTag = 0x03
)

const (
	hashBytes = sha256.Size
	nodeBytes = hashBytes + 16 + 8 + 8 // hash, sum, min, max
)

// ErrOrder says that ids do not ascend: two leaves have one id, or a range is reversed.
var ErrOrder = errors.New("ids are not in strictly ascending order")

// Node is what a parent binds of a child: its hash, the sum of all leaves below it, and
// the least and greatest of their ids.
type Node struct {
	Hash [32]byte
	Sum  Uint128
	Min  uint64
	Max  uint64
}

// put writes the node's encoding to the start of b.
func (n *Node) put(b []byte) {
	copy(b, n.Hash[:])
	n.Sum.put(b[hashBytes:])
	binary.BigEndian.PutUint64(b[hashBytes+16:], n.Min)
	binary.BigEndian.PutUint64(b[hashBytes+24:], n.Max)
}

// join returns the parent of two neighbours.
func join(left, right *Node) (Node, error) {
	if err := checkOrder(left, right); err != nil {
		return Node{}, err
	}
	sum, err := left.Sum.Add(right.Sum)
	if err != nil {
		return Node{}, err
	}
	var b [1 + 2*nodeBytes]byte
	b[0] = innerTag
	left.put(b[1:])
	right.put(b[1+nodeBytes:])
	return Node{Hash: sha256.Sum256(b[:]), Sum: sum, Min: left.Min, Max: right.Max}, nil
}

// checkOrder refuses neighbours whose ranges are reversed, hold the id 0, or touch.
func checkOrder(left, right *Node) error {
	if left.Min == 0 || left.Min > left.Max || left.Max >= right.Min || right.Min > right.Max {
		return fmt.Errorf("neighbours hold ids %d to %d and %d to %d: %w",
			left.Min, left.Max, right.Min, right.Max, ErrOrder)
	}
	return nil
}

// rootHash binds the topmost node and the number of leaves.
func rootHash(count uint64, top *Node) [32]byte {
	var b [1 + 8 + nodeBytes]byte
	b[0] = rootTag
	binary.BigEndian.PutUint64(b[1:], count)
	top.put(b[9:])
	return sha256.Sum256(b[:])
}

// climb walks from a leaf to the top of a tree of size leaves.
type climb struct {
	index, size uint64 // the place on the level reached, and the nodes of that level
}

// next moves up to the next level on which the node has a sibling, and tells on which
// side that is; ok is false at the top. Levels halve, so it ends.
func (c *climb) next() (left, ok bool) {
	for c.size > 1 {
		index, size := c.index, c.size
		c.index, c.size = index/2, size/2+size%2
		if index%2 == 1 {
			return true, true
		}
		if index+1 < size {
			return false, true
		}
	}
	return false, false
}

// depth counts the siblings on the way from a leaf to the top.
func depth(index, count uint64) int {
	c, steps := climb{index, count}, 0
	for _, ok := c.next(); ok; _, ok = c.next() {
		steps++
	}
	return steps
}
