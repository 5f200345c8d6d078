package sumtree_test

import (
	"crypto/sha256"
	"encoding/binary"
	"math/big"

	"github.com/souk-network/souk/sumtree"
)

// The reference is the specification read word for word: recursive, from the left, with
// big integers. It checks nothing, so it also is the forger: lie, if set, changes what a
// parent is told of a child.
type reference struct {
	leaves []sumtree.Leaf
	lie    func(from, to int, n sumtree.Node) sumtree.Node
}

func hash(parts ...[]byte) [32]byte {
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	return sha256.Sum256(all)
}

func fixed(v uint64) []byte {
	return binary.BigEndian.AppendUint64(nil, v)
}

func wide(v sumtree.Uint128) []byte {
	return v.Big().FillBytes(make([]byte, 16))
}

// wrappingSum adds modulo 2^128.
func wrappingSum(a, b sumtree.Uint128) sumtree.Uint128 {
	sum := new(big.Int).Add(a.Big(), b.Big())
	low := new(big.Int).Mod(sum, new(big.Int).Lsh(big.NewInt(1), 128))
	v, err := sumtree.FromBig(low)
	if err != nil {
		panic(err)
	}
	return v
}

func encodeNode(n sumtree.Node) []byte {
	b := append([]byte{}, n.Hash[:]...)
	b = append(b, wide(n.Sum)...)
	b = append(b, fixed(n.Min)...)
	return append(b, fixed(n.Max)...)
}

// split is the greatest power of two below n.
func split(n int) int {
	k := 1
	for k*2 < n {
		k *= 2
	}
	return k
}

func (r reference) node(from, to int) sumtree.Node {
	var n sumtree.Node
	if to-from == 1 {
		leaf := r.leaves[from]
		payload := hash([]byte{3}, leaf.Payload)
		n = sumtree.Node{
			Hash: hash([]byte{0}, fixed(leaf.ID), wide(leaf.Sum), payload[:]),
			Sum:  leaf.Sum, Min: leaf.ID, Max: leaf.ID,
		}
	} else {
		k := from + split(to-from)
		left, right := r.node(from, k), r.node(k, to)
		n = sumtree.Node{
			Hash: hash([]byte{1}, encodeNode(left), encodeNode(right)),
			Sum:  wrappingSum(left.Sum, right.Sum), Min: left.Min, Max: right.Max,
		}
	}
	if r.lie != nil {
		n = r.lie(from, to, n)
	}
	return n
}

func (r reference) root() sumtree.Root {
	if len(r.leaves) == 0 {
		return sumtree.Root{}
	}
	n := uint64(len(r.leaves))
	top := r.node(0, len(r.leaves))
	return sumtree.Root{Hash: hash([]byte{2}, fixed(n), encodeNode(top)), Sum: top.Sum, N: n}
}

func (r reference) path(index, from, to int) []sumtree.Node {
	if to-from == 1 {
		return nil
	}
	k := from + split(to-from)
	if index < k {
		return append(r.path(index, from, k), r.node(k, to))
	}
	return append(r.path(index, k, to), r.node(from, k))
}

func (r reference) open(index int) sumtree.Opening {
	return sumtree.Opening{
		Index: uint64(index), N: uint64(len(r.leaves)),
		Leaf: r.leaves[index], Path: r.path(index, 0, len(r.leaves)),
	}
}
