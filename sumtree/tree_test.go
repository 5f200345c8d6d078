package sumtree_test

import (
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/souk-network/souk/sumtree"
)

func TestRootsOpeningsAndSumsAreTheReferences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		leaves := validLeaves(t, 0)
		tree, ref := build(t, leaves), reference{leaves: leaves}
		root := tree.Root()
		if want := ref.root(); root != want {
			t.Fatalf("root %+v, want %+v", root, want)
		}
		var before sumtree.Uint128
		for i, leaf := range leaves {
			o, err := tree.Open(uint64(i))
			if err != nil {
				t.Fatal(err)
			}
			if want := ref.open(i); !reflect.DeepEqual(o.Path, want.Path) && len(o.Path)+len(want.Path) > 0 {
				t.Fatalf("path of %d is %+v, want %+v", i, o.Path, want.Path)
			}
			p, err := o.Verify(root)
			if err != nil {
				t.Fatal(err)
			}
			if p.Index != uint64(i) || p.Leaf.ID != leaf.ID || p.Leaf.Sum != leaf.Sum || p.Before != before {
				t.Fatalf("leaf %d with %s before it is proven as %+v", i, before, p)
			}
			before = wrappingSum(before, leaf.Sum)
		}
		if before != root.Sum {
			t.Fatalf("leaves add up to %s, the root has %s", before, root.Sum)
		}
	})
}

func TestAPositionOpensTheOneLeafThatCoversIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		leaves := validLeaves(t, 1)
		tree := build(t, leaves)
		root := tree.Root()
		if root.Sum.IsZero() {
			t.Skip("nothing to draw")
		}
		digest := [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "digest"))
		position, err := sumtree.Draw(digest, root.Sum)
		if err != nil {
			t.Fatal(err)
		}
		drawn, err := tree.OpenAt(position)
		if err != nil {
			t.Fatal(err)
		}
		covering := 0
		for i := range leaves {
			o, err := tree.OpenID(leaves[i].ID)
			if err != nil {
				t.Fatal(err)
			}
			p, err := o.Verify(root)
			if err != nil {
				t.Fatal(err)
			}
			if p.Covers(position) {
				covering++
				if drawn.Index != p.Index || p.Leaf.Sum.IsZero() {
					t.Fatalf("position %s is covered by %d, but opens %d", position, p.Index, drawn.Index)
				}
			}
		}
		if covering != 1 {
			t.Fatalf("position %s is covered %d times", position, covering)
		}
	})
}

// The sums of few(5) are 0, 5, 10, 15, 20.
func TestTheEdgesOfALeafsPartBelongToIt(t *testing.T) {
	tree := build(t, few(5))
	for position, index := range map[uint64]uint64{0: 1, 4: 1, 5: 2, 14: 2, 15: 3, 29: 3, 30: 4, 49: 4} {
		o, err := tree.OpenAt(sumtree.FromUint64(position))
		if err != nil || o.Index != index {
			t.Errorf("position %d opens index %d, want %d (%v)", position, o.Index, index, err)
		}
	}
	for _, beyond := range []sumtree.Uint128{sumtree.FromUint64(50), {Hi: 1}, {Hi: math.MaxUint64, Lo: math.MaxUint64}} {
		if _, err := tree.OpenAt(beyond); !errors.Is(err, sumtree.ErrNoLeaf) {
			t.Errorf("position %s of 50: %v", beyond, err)
		}
	}
}

func TestALeafOfSumZeroOpensByItsIDAndIsNeverDrawn(t *testing.T) {
	tree := build(t, few(1))
	root := tree.Root()
	o, err := tree.OpenID(10)
	if err != nil {
		t.Fatal(err)
	}
	p, err := o.Verify(root)
	if err != nil || p.Leaf.ID != 10 || p.Covers(sumtree.Uint128{}) {
		t.Errorf("proven %+v, %v", p, err)
	}
	if _, err := tree.OpenAt(sumtree.Uint128{}); !errors.Is(err, sumtree.ErrNoLeaf) {
		t.Errorf("a position of nothing: %v", err)
	}
	if _, err := sumtree.Draw([32]byte{1}, root.Sum); !errors.Is(err, sumtree.ErrNoLeaf) {
		t.Errorf("a draw from nothing: %v", err)
	}
}

func TestWhatIsNotThereDoesNotOpen(t *testing.T) {
	for _, count := range []int{0, 1, 5} {
		tree := build(t, few(count))
		if _, err := tree.Open(uint64(count)); !errors.Is(err, sumtree.ErrNoLeaf) {
			t.Errorf("index %d of %d: %v", count, count, err)
		}
		for _, id := range []uint64{0, 5, 15, 1000} {
			if _, err := tree.OpenID(id); !errors.Is(err, sumtree.ErrNoLeaf) {
				t.Errorf("id %d of %d leaves: %v", id, count, err)
			}
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	half := sumtree.Uint128{Hi: 1 << 63}
	almost := sumtree.Uint128{Hi: math.MaxUint64, Lo: math.MaxUint64}
	long := make([]byte, sumtree.MaxPayloadBytes+1)
	for name, c := range map[string]struct {
		leaves []sumtree.Leaf
		want   error
	}{
		"id 0":                               {[]sumtree.Leaf{{ID: 0}}, sumtree.ErrLeaf},
		"a payload that is too long":         {[]sumtree.Leaf{{ID: 1, Payload: long}}, sumtree.ErrLeaf},
		"two leaves with one id":             {[]sumtree.Leaf{{ID: 1}, {ID: 2}, {ID: 2}}, sumtree.ErrOrder},
		"descending ids":                     {[]sumtree.Leaf{{ID: 2}, {ID: 1}}, sumtree.ErrOrder},
		"two halves of 2^128":                {[]sumtree.Leaf{{ID: 1, Sum: half}, {ID: 2, Sum: half}}, sumtree.ErrRange},
		"one more than 2^128 - 1":            {[]sumtree.Leaf{{ID: 1, Sum: almost}, {ID: 2, Sum: sumtree.FromUint64(1)}}, sumtree.ErrRange},
		"a sum that overflows in the middle": {[]sumtree.Leaf{{ID: 1}, {ID: 2, Sum: half}, {ID: 3}, {ID: 4, Sum: half}, {ID: 5}}, sumtree.ErrRange},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := sumtree.Build(c.leaves); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

func TestTheGreatestSumAndTheLongestPayloadAreAllowed(t *testing.T) {
	leaves := []sumtree.Leaf{
		{ID: 1, Sum: sumtree.Uint128{Hi: math.MaxUint64, Lo: math.MaxUint64 - 1}, Payload: make([]byte, sumtree.MaxPayloadBytes)},
		{ID: 2},
		{ID: math.MaxUint64, Sum: sumtree.FromUint64(1)},
	}
	tree := build(t, leaves)
	for i := range leaves {
		wire, err := mustOpen(t, tree, uint64(i)).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		o, err := sumtree.UnmarshalOpening(wire)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.Verify(tree.Root()); err != nil {
			t.Error(err)
		}
	}
	last, err := tree.OpenAt(sumtree.Uint128{Hi: math.MaxUint64, Lo: math.MaxUint64 - 1})
	if err != nil || last.Leaf.ID != math.MaxUint64 {
		t.Errorf("the last position opens %d, %v", last.Leaf.ID, err)
	}
}

func TestBuildDoesNotKeepTheCallersSlice(t *testing.T) {
	leaves := few(3)
	tree := build(t, leaves)
	leaves[0].ID = 99
	if _, err := mustOpen(t, tree, 0).Verify(tree.Root()); err != nil {
		t.Error(err)
	}
}

func TestARootThatNoLeavesHaveIsInvalid(t *testing.T) {
	for name, root := range map[string]sumtree.Root{
		"a sum without leaves":  {Sum: sumtree.FromUint64(1)},
		"a hash without leaves": {Hash: [32]byte{1}},
		"too many leaves":       {N: sumtree.MaxLeaves + 1},
	} {
		if err := root.Validate(); !errors.Is(err, sumtree.ErrRoot) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, root := range []sumtree.Root{{}, build(t, few(1)).Root(), {N: sumtree.MaxLeaves}} {
		if err := root.Validate(); err != nil {
			t.Error(err)
		}
	}
}

// The vectors were computed from the specification by a program in another language.
func TestRootsAndEncodingsAreTheKnownOnes(t *testing.T) {
	for _, v := range vectors {
		tree := build(t, few(v.leaves))
		root := tree.Root()
		if got := hex.EncodeToString(root.Hash[:]); got != v.root {
			t.Errorf("root of %d leaves is %s, want %s", v.leaves, got, v.root)
		}
		if v.leaves == 0 {
			continue
		}
		wire, err := mustOpen(t, tree, v.index).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(wire); got != v.opening {
			t.Errorf("opening %d of %d leaves is %s, want %s", v.index, v.leaves, got, v.opening)
		}
	}
}
