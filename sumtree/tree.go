package sumtree

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

var (
	// ErrNoLeaf says that a tree has no leaf at an index, with an id or at a position.
	ErrNoLeaf = errors.New("no such leaf")
	// ErrPresent says that an id is in the tree, so that its absence cannot be shown.
	ErrPresent = errors.New("id is in the tree")
	// ErrRoot says that no tree has a root like this.
	ErrRoot = errors.New("root is invalid")
)

// Root is a commitment to a list of leaves. The root of an empty list is the zero value.
type Root struct {
	Hash [32]byte
	Sum  Uint128
	N    uint64 // leaves
}

// Validate refuses what no list of leaves can have as its root: more leaves than
// MaxLeaves, and a hash or a sum without leaves.
func (r Root) Validate() error {
	if r.N > MaxLeaves {
		return fmt.Errorf("%d leaves, at most %d are allowed: %w", r.N, uint64(MaxLeaves), ErrRoot)
	}
	if r.N == 0 && r != (Root{}) {
		return fmt.Errorf("no leaves, but a hash or a sum: %w", ErrRoot)
	}
	return nil
}

// Tree holds a list of leaves and all nodes above them.
type Tree struct {
	leaves []Leaf
	levels [][]Node // from the leaves up to the one topmost node; none without leaves
	root   Root
}

// Build makes the tree of leaves in strictly ascending order of their ids. It refuses an
// invalid leaf (ErrLeaf), another order and double ids (ErrOrder), and a total sum of
// 2^128 and more (ErrRange). It keeps the payloads, which must not be changed.
func Build(leaves []Leaf) (*Tree, error) {
	if len(leaves) == 0 {
		return &Tree{}, nil
	}
	if uint64(len(leaves)) > MaxLeaves {
		return nil, fmt.Errorf("build a tree of %d leaves, at most %d are allowed: %w",
			len(leaves), uint64(MaxLeaves), ErrLeaf)
	}
	level := make([]Node, len(leaves))
	for i := range leaves {
		if err := leaves[i].validate(); err != nil {
			return nil, fmt.Errorf("build a tree, leaf at index %d: %w", i, err)
		}
		level[i] = leaves[i].node()
	}
	levels, err := raise(level)
	if err != nil {
		return nil, fmt.Errorf("build a tree of %d leaves: %w", len(leaves), err)
	}
	count := uint64(len(leaves))
	top := &levels[len(levels)-1][0]
	return &Tree{
		leaves: slices.Clone(leaves),
		levels: levels,
		root:   Root{Hash: rootHash(count, top), Sum: top.Sum, N: count},
	}, nil
}

// raise builds all levels above the lowest one, which has at least one node.
func raise(level []Node) ([][]Node, error) {
	levels := [][]Node{level}
	for len(level) > 1 {
		above := make([]Node, 0, (len(level)+1)/2)
		for i := 0; i+1 < len(level); i += 2 {
			parent, err := join(&level[i], &level[i+1])
			if err != nil {
				return nil, err
			}
			above = append(above, parent)
		}
		if len(level)%2 == 1 {
			above = append(above, level[len(level)-1])
		}
		levels, level = append(levels, above), above
	}
	return levels, nil
}

// Root returns the commitment to the leaves.
func (t *Tree) Root() Root {
	return t.root
}

// Open proves the leaf at an index, from 0; ErrNoLeaf if there are not as many.
func (t *Tree) Open(index uint64) (Opening, error) {
	if index >= t.root.N {
		return Opening{}, fmt.Errorf("open index %d of %d leaves: %w", index, t.root.N, ErrNoLeaf)
	}
	o := Opening{Index: index, N: t.root.N, Leaf: t.leaves[index]}
	o.Path = make([]Node, 0, len(t.levels)-1)
	at := index
	for _, level := range t.levels {
		if sibling := at ^ 1; sibling < uint64(len(level)) {
			o.Path = append(o.Path, level[sibling])
		}
		at /= 2
	}
	return o, nil
}

// OpenID proves the leaf with an id; ErrNoLeaf if there is none.
func (t *Tree) OpenID(id uint64) (Opening, error) {
	index, found := t.find(id)
	if !found {
		return Opening{}, fmt.Errorf("open id %d: %w", id, ErrNoLeaf)
	}
	return t.Open(index)
}

// OpenAt proves the leaf that covers a position: with the sums of all leaves laid end to
// end, the one in whose part it lies. ErrNoLeaf if the position is not below the total.
func (t *Tree) OpenAt(position Uint128) (Opening, error) {
	if position.Cmp(t.root.Sum) >= 0 {
		return Opening{}, fmt.Errorf("open position %s of a sum of %s: %w", position, t.root.Sum, ErrNoLeaf)
	}
	var at uint64
	for i := len(t.levels) - 2; i >= 0; i-- {
		at *= 2
		left := t.levels[i][at].Sum
		if position.Cmp(left) < 0 {
			continue
		}
		// The position is in the node but beyond its left child, so there is a right one.
		rest, err := position.Sub(left)
		if err != nil {
			return Opening{}, err
		}
		position, at = rest, at+1
	}
	return t.Open(at)
}

// find returns the index of the first leaf whose id is not below id, and if it is id.
func (t *Tree) find(id uint64) (index uint64, found bool) {
	i, found := slices.BinarySearchFunc(t.leaves, id, func(l Leaf, id uint64) int { return cmp.Compare(l.ID, id) })
	return uint64(i), found
}
