package sumtree_test

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/souk-network/souk/sumtree"
)

func TestAnIDIsProvenAbsentIfAndOnlyIfNoLeafHasIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		leaves := validLeaves(t, 0)
		tree := build(t, leaves)
		id := anyID(t)
		_, missing := tree.OpenID(id)
		a, err := tree.ProveAbsence(id)
		if missing == nil {
			if !errors.Is(err, sumtree.ErrPresent) {
				t.Fatalf("absence of id %d, which is there: %v", id, err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		wire, err := a.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		back, err := sumtree.UnmarshalAbsence(wire)
		if err != nil {
			t.Fatal(err)
		}
		if err := back.Verify(tree.Root(), id); err != nil {
			t.Fatal(err)
		}
		for _, leaf := range leaves {
			if err := back.Verify(tree.Root(), leaf.ID); !errors.Is(err, sumtree.ErrAbsence) {
				t.Fatalf("the absence of %d proves that of %d, which is there: %v", id, leaf.ID, err)
			}
		}
	})
}

func TestAbsenceNeedsBothNeighbours(t *testing.T) {
	tree := build(t, few(4)) // ids 10, 20, 30, 40
	root := tree.Root()
	open := func(index uint64) *sumtree.Opening {
		o := mustOpen(t, tree, index)
		return &o
	}
	broken := open(2)
	broken.Leaf.Sum = sumtree.FromUint64(1)
	for name, c := range map[string]struct {
		id          uint64
		left, right *sumtree.Opening
		absent      bool
	}{
		"between neighbours":                    {25, open(1), open(2), true},
		"below the first":                       {5, nil, open(0), true},
		"above the last":                        {45, open(3), nil, true},
		"the greatest id":                       {math.MaxUint64, open(3), nil, true},
		"id 0":                                  {0, nil, open(0), false},
		"nothing at all":                        {25, nil, nil, false},
		"neighbours further apart":              {25, open(0), open(2), false},
		"neighbours of another gap":             {15, open(1), open(2), false},
		"neighbours the wrong way":              {25, open(2), open(1), false},
		"one opening twice":                     {25, open(1), open(1), false},
		"the id on the left":                    {20, open(1), open(2), false},
		"the id on the right":                   {30, open(1), open(2), false},
		"the id alone on the left":              {40, open(3), nil, false},
		"the id alone on the right":             {10, nil, open(0), false},
		"above a leaf that is not last":         {25, open(1), nil, false},
		"below a leaf that is not first":        {25, nil, open(2), false},
		"an opening that is broken, right":      {25, open(1), broken, false},
		"an opening that is broken, left":       {35, broken, open(3), false},
		"above the last, with its left as well": {45, open(2), open(3), false},
	} {
		t.Run(name, func(t *testing.T) {
			err := sumtree.Absence{Left: c.left, Right: c.right}.Verify(root, c.id)
			if c.absent != (err == nil) || err != nil && !errors.Is(err, sumtree.ErrAbsence) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestWithoutLeavesEveryIDIsAbsent(t *testing.T) {
	tree := build(t, nil)
	if tree.Root() != (sumtree.Root{}) {
		t.Errorf("root %+v", tree.Root())
	}
	a, err := tree.ProveAbsence(7)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Verify(sumtree.Root{}, 7); err != nil {
		t.Error(err)
	}
	if _, err := tree.ProveAbsence(0); !errors.Is(err, sumtree.ErrLeaf) {
		t.Errorf("absence of id 0: %v", err)
	}
	for name, root := range map[string]sumtree.Root{"of another tree": build(t, few(1)).Root(), "invalid": {Hash: [32]byte{1}}} {
		if err := a.Verify(root, 7); !errors.Is(err, sumtree.ErrAbsence) {
			t.Errorf("root %s: %v", name, err)
		}
	}
	foreign := mustOpen(t, build(t, few(1)), 0)
	for _, a := range []sumtree.Absence{{Left: &foreign}, {Right: &foreign}} {
		if err := a.Verify(sumtree.Root{}, 7); !errors.Is(err, sumtree.ErrAbsence) {
			t.Errorf("with a leaf of another tree: %v", err)
		}
	}
}
