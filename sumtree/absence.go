package sumtree

import (
	"errors"
	"fmt"
)

// ErrAbsence says that a proof does not show that an id is absent.
var ErrAbsence = errors.New("absence is not proven")

// Absence proves that no leaf has an id, by the openings of its neighbours: nil where
// there is none, both nil for a tree without leaves.
type Absence struct {
	Left  *Opening // the last leaf below the id
	Right *Opening // the first leaf above the id
}

// ProveAbsence proves that no leaf has the id; ErrPresent if one has. The id is at least 1.
func (t *Tree) ProveAbsence(id uint64) (Absence, error) {
	if id == 0 {
		return Absence{}, fmt.Errorf("prove the absence of id 0, ids begin at 1: %w", ErrLeaf)
	}
	index, found := t.find(id)
	if found {
		return Absence{}, fmt.Errorf("prove the absence of id %d: %w", id, ErrPresent)
	}
	var a Absence
	if index > 0 {
		left, err := t.Open(index - 1)
		if err != nil {
			return Absence{}, err
		}
		a.Left = &left
	}
	if index < t.root.N {
		right, err := t.Open(index)
		if err != nil {
			return Absence{}, err
		}
		a.Right = &right
	}
	return a, nil
}

// Verify checks that the proof shows that no leaf of the root's tree has the id. It
// returns ErrAbsence, beside what else is wrong, if not.
func (a Absence) Verify(root Root, id uint64) error {
	if err := a.verify(root, id); err != nil {
		return fmt.Errorf("verify the absence of id %d: %w: %w", id, ErrAbsence, err)
	}
	return nil
}

func (a *Absence) verify(root Root, id uint64) error {
	if err := root.Validate(); err != nil {
		return err
	}
	if id == 0 {
		return fmt.Errorf("ids begin at 1: %w", ErrLeaf)
	}
	first, err := a.above(root, id) // the index of the first leaf above the id
	if err != nil {
		return err
	}
	if a.Left == nil {
		if first != 0 {
			return fmt.Errorf("index %d is above it, but nothing shows what comes before", first)
		}
		return nil
	}
	left, err := a.Left.Verify(root)
	if err != nil {
		return err
	}
	if left.Leaf.ID >= id || left.Index+1 != first {
		return fmt.Errorf("id %d at index %d is not the neighbour below, which is before index %d",
			left.Leaf.ID, left.Index, first)
	}
	return nil
}

// above returns the index of the right neighbour, or the number of leaves without one.
func (a *Absence) above(root Root, id uint64) (uint64, error) {
	if a.Right == nil {
		return root.N, nil
	}
	right, err := a.Right.Verify(root)
	if err != nil {
		return 0, err
	}
	if right.Leaf.ID <= id {
		return 0, fmt.Errorf("id %d at index %d is not above it", right.Leaf.ID, right.Index)
	}
	return right.Index, nil
}
