package sumtree_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/souk-network/souk/sumtree"
)

// refused fails the test if an opening verifies.
func refused(t rapid.TB, what string, o sumtree.Opening, root sumtree.Root) {
	t.Helper()
	p, err := o.Verify(root)
	if !errors.Is(err, sumtree.ErrOpening) {
		t.Fatalf("%s: verified as %+v, %v", what, p, err)
	}
	if p.Leaf.ID != 0 || !p.Leaf.Sum.IsZero() || p.Leaf.Payload != nil {
		t.Fatalf("%s: refused, yet tells of %+v", what, p)
	}
}

// twist changes a number, by little or much.
func twist(t *rapid.T, v uint64) uint64 {
	return v ^ rapid.OneOf(rapid.Just(uint64(1)), rapid.Uint64Min(1)).Draw(t, "twist")
}

func twistSum(t *rapid.T, v sumtree.Uint128) sumtree.Uint128 {
	if rapid.Bool().Draw(t, "upper half") {
		return sumtree.Uint128{Hi: twist(t, v.Hi), Lo: v.Lo}
	}
	return sumtree.Uint128{Hi: v.Hi, Lo: twist(t, v.Lo)}
}

// mutate changes one thing of an opening.
func mutate(t *rapid.T, o *sumtree.Opening) string {
	o.Path = slices.Clone(o.Path)
	kinds := []string{"index", "n", "id", "sum", "payload", "longer"}
	if len(o.Path) > 0 {
		kinds = append(kinds, "shorter", "step hash", "step sum", "step min", "step max")
	}
	if len(o.Path) > 1 {
		kinds = append(kinds, "swapped")
	}
	kind := rapid.SampledFrom(kinds).Draw(t, "mutation")
	i := rapid.IntRange(0, max(0, len(o.Path)-1)).Draw(t, "step")
	switch kind {
	case "index":
		o.Index = twist(t, o.Index)
	case "n":
		o.N = twist(t, o.N)
	case "id":
		o.Leaf.ID = twist(t, o.Leaf.ID)
	case "sum":
		o.Leaf.Sum = twistSum(t, o.Leaf.Sum)
	case "payload":
		o.Leaf.Payload = append(slices.Clone(o.Leaf.Payload), 0)
	case "longer":
		o.Path = append(o.Path, sumtree.Node{Min: 1, Max: 1})
	case "shorter":
		o.Path = slices.Delete(o.Path, i, i+1)
	case "step hash":
		o.Path[i].Hash[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
	case "step sum":
		o.Path[i].Sum = twistSum(t, o.Path[i].Sum)
	case "step min":
		o.Path[i].Min = twist(t, o.Path[i].Min)
	case "step max":
		o.Path[i].Max = twist(t, o.Path[i].Max)
	case "swapped":
		j := (i + 1) % len(o.Path)
		o.Path[i], o.Path[j] = o.Path[j], o.Path[i]
	}
	return kind
}

func TestAnOpeningOfWhichAnythingIsChangedIsRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		leaves := validLeaves(t, 1)
		tree := build(t, leaves)
		o := mustOpen(t, tree, uint64(rapid.IntRange(0, len(leaves)-1).Draw(t, "index")))
		what := mutate(t, &o)
		refused(t, what, o, tree.Root())
	})
}

func TestAnOpeningOfWhichAnyBitIsChangedIsRefused(t *testing.T) {
	for _, count := range []int{1, 2, 5, 100} {
		tree := build(t, few(count))
		for _, index := range []uint64{0, uint64(count / 2), uint64(count - 1)} {
			wire, err := mustOpen(t, tree, index).Marshal()
			if err != nil {
				t.Fatal(err)
			}
			for bit := range len(wire) * 8 {
				forged := slices.Clone(wire)
				forged[bit/8] ^= 1 << (bit % 8)
				if o, err := sumtree.UnmarshalOpening(forged); err == nil {
					refused(t, fmt.Sprintf("index %d of %d, bit %d", index, count, bit), o, tree.Root())
				}
			}
		}
	}
}

func TestAnOpeningIsRefusedAgainstAnotherRoot(t *testing.T) {
	tree, other := build(t, few(5)), build(t, few(5)[:4])
	changed := few(5)
	changed[4].Payload = []byte("other")
	o := mustOpen(t, tree, 2)
	root := tree.Root()
	for name, foreign := range map[string]sumtree.Root{
		"one leaf less":         other.Root(),
		"another payload":       build(t, changed).Root(),
		"no leaves":             {},
		"more leaves claimed":   {Hash: root.Hash, Sum: root.Sum, N: 6},
		"a higher sum claimed":  {Hash: root.Hash, Sum: sumtree.FromUint64(51), N: 5},
		"a lower sum claimed":   {Hash: root.Hash, Sum: sumtree.FromUint64(49), N: 5},
		"more leaves than ever": {Hash: root.Hash, Sum: root.Sum, N: sumtree.MaxLeaves + 1},
	} {
		refused(t, name, o, foreign)
		o := o
		o.N = foreign.N
		refused(t, name+", in the opening too", o, foreign)
	}
}

// The hash of an inner node is no leaf, and that of a leaf no root.
func TestANodeDoesNotPassAsOneOfAnotherKind(t *testing.T) {
	tree := build(t, few(4))
	root, o := tree.Root(), mustOpen(t, tree, 0)
	top := reference{leaves: few(4)}.node(0, 4)
	for name, bare := range map[string][32]byte{"the topmost node": top.Hash, "a child of it": o.Path[1].Hash} {
		refused(t, name+" as a root", o, sumtree.Root{Hash: bare, Sum: root.Sum, N: 4})
		o := o
		o.Path = o.Path[:1]
		o.N = 2
		refused(t, name+" as a root of its size", o, sumtree.Root{Hash: bare, Sum: sumtree.FromUint64(5), N: 2})
	}
}
