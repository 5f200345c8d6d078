package sumtree

import (
	"errors"
	"fmt"
)

// ErrOpening says that an opening does not prove its leaf against a root.
var ErrOpening = errors.New("opening is invalid")

// Opening proves one leaf. Path has the siblings from the leaf to the top.
type Opening struct {
	Index uint64
	N     uint64 // leaves of the tree
	Leaf  Leaf
	Path  []Node
}

// Proven is what a valid opening shows.
type Proven struct {
	Index  uint64
	Leaf   Leaf
	Before Uint128 // sum of all leaves to the left
}

// Covers tells if a position is in the leaf's part of the sum: at least Before, and
// below Before plus the leaf's sum.
func (p Proven) Covers(position Uint128) bool {
	into, err := position.Sub(p.Before)
	return err == nil && into.Cmp(p.Leaf.Sum) < 0
}

// Verify checks the opening against a root. It hashes at most MaxDepth + 3 times, and
// returns ErrOpening, beside what else is wrong, if the leaf is not proven.
func (o Opening) Verify(root Root) (Proven, error) {
	proven, err := o.verify(root)
	if err != nil {
		return Proven{}, fmt.Errorf("verify the opening of id %d at index %d: %w: %w", o.Leaf.ID, o.Index, ErrOpening, err)
	}
	return proven, nil
}

func (o *Opening) verify(root Root) (Proven, error) {
	if o.N != root.N {
		return Proven{}, fmt.Errorf("it is of a tree of %d leaves, the root of one of %d", o.N, root.N)
	}
	if err := o.validate(); err != nil {
		return Proven{}, err
	}
	top, before, err := o.climb()
	if err != nil {
		return Proven{}, err
	}
	if top.Sum != root.Sum {
		return Proven{}, fmt.Errorf("its sums add up to %s, the root has %s", top.Sum, root.Sum)
	}
	if rootHash(o.N, &top) != root.Hash {
		return Proven{}, errors.New("its hash is not the root's")
	}
	return Proven{Index: o.Index, Leaf: o.Leaf, Before: before}, nil
}

// validate checks what needs no root: the leaf, the index and the length of the path.
func (o *Opening) validate() error {
	if err := o.Leaf.validate(); err != nil {
		return err
	}
	if o.N > MaxLeaves || o.Index >= o.N {
		return fmt.Errorf("no index %d in a tree of %d leaves, which has at most %d", o.Index, o.N, uint64(MaxLeaves))
	}
	if want := depth(o.Index, o.N); len(o.Path) != want {
		return fmt.Errorf("the path has %d steps, index %d of %d leaves has %d", len(o.Path), o.Index, o.N, want)
	}
	return nil
}

// climb returns the topmost node that the path leads to, and the sum of all siblings on
// the left. The opening must be valid.
func (o *Opening) climb() (top Node, before Uint128, err error) {
	at := o.Leaf.node()
	c := climb{o.Index, o.N}
	for i := range o.Path {
		sibling := &o.Path[i]
		if left, _ := c.next(); !left {
			at, err = join(&at, sibling)
		} else if before, err = before.Add(sibling.Sum); err == nil {
			at, err = join(sibling, &at)
		}
		if err != nil {
			return Node{}, Uint128{}, fmt.Errorf("step %d: %w", i, err)
		}
	}
	return at, before, nil
}
