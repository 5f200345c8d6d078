package proof

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/souk-network/souk/sumtree"
)

// forger builds trees by the rules of package sumtree without any of its checks: from leaves in any order, with one lease twice.
// When inOrder is set, it tells parents of ranges that ascend although the leases below them do not.
type forger struct {
	leaves  []sumtree.Leaf
	inOrder bool
}

// Root commits to all leaves.
func (f forger) Root() sumtree.Root {
	top := f.node(0, len(f.leaves))
	count := binary.BigEndian.AppendUint64([]byte{2}, uint64(len(f.leaves)))
	return sumtree.Root{Hash: sha256.Sum256(append(count, encoded(top)...)), Sum: top.Sum, N: uint64(len(f.leaves))}
}

// node is what a parent is told of the leaves from one to before another.
func (f forger) node(from, to int) sumtree.Node {
	if to-from == 1 {
		return leafNode(f.leaves[from])
	}
	middle := from + half(to-from)
	left, right := f.node(from, middle), f.node(middle, to)
	sum, err := left.Sum.Add(right.Sum)
	if err != nil {
		panic(err) // a few leases do not earn 2^128 grains
	}
	bytes := append(append([]byte{1}, encoded(left)...), encoded(right)...)
	node := sumtree.Node{Hash: sha256.Sum256(bytes), Sum: sum, Min: left.Min, Max: right.Max}
	if f.inOrder {
		node.Min, node.Max = uint64(from)+1, uint64(to)
	}
	return node
}

// OpenAt shows the leaf that covers a position in the sum.
func (f forger) OpenAt(position sumtree.Uint128) (sumtree.Opening, error) {
	return f.opening(f.at(position)), nil
}

// opening shows a leaf with its path.
func (f forger) opening(index int) sumtree.Opening {
	o := sumtree.Opening{Index: uint64(index), N: uint64(len(f.leaves)), Leaf: f.leaves[index]}
	for from, to := 0, len(f.leaves); to-from > 1; {
		middle := from + half(to-from)
		if index < middle {
			o.Path, to = append([]sumtree.Node{f.node(middle, to)}, o.Path...), middle
		} else {
			o.Path, from = append([]sumtree.Node{f.node(from, middle)}, o.Path...), middle
		}
	}
	return o
}

// at is the index of the leaf that covers a position in the sum.
func (f forger) at(position sumtree.Uint128) int {
	var before sumtree.Uint128
	for i, leaf := range f.leaves {
		into, err := position.Sub(before)
		if err == nil && into.Cmp(leaf.Sum) < 0 {
			return i
		}
		if before, err = before.Add(leaf.Sum); err != nil {
			panic(err)
		}
	}
	panic("position beyond the sum")
}

func leafNode(l sumtree.Leaf) sumtree.Node {
	payload := sha256.Sum256(append([]byte{3}, l.Payload...))
	sum := l.Sum.Bytes()
	bytes := append(binary.BigEndian.AppendUint64([]byte{0}, l.ID), sum[:]...)
	return sumtree.Node{Hash: sha256.Sum256(append(bytes, payload[:]...)), Sum: l.Sum, Min: l.ID, Max: l.ID}
}

func encoded(n sumtree.Node) []byte {
	sum := n.Sum.Bytes()
	bytes := append(append([]byte{}, n.Hash[:]...), sum[:]...)
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(bytes, n.Min), n.Max)
}

// half is the greatest power of two below n.
func half(n int) int {
	k := 1
	for 2*k < n {
		k *= 2
	}
	return k
}
