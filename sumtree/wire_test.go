package sumtree_test

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/souk-network/souk/sumtree"
)

func TestAnOpeningComesBackFromItsEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		leaves := validLeaves(t, 1)
		tree := build(t, leaves)
		o := mustOpen(t, tree, uint64(rapid.IntRange(0, len(leaves)-1).Draw(t, "index")))
		wire, err := o.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		back, err := sumtree.UnmarshalOpening(wire)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(back.Leaf.Payload, o.Leaf.Payload) {
			t.Fatalf("payload %x came back as %x", o.Leaf.Payload, back.Leaf.Payload)
		}
		back.Leaf.Payload = o.Leaf.Payload
		if !reflect.DeepEqual(back, o) {
			t.Fatalf("%+v came back as %+v", o, back)
		}
		for cut := range wire {
			if _, err := sumtree.UnmarshalOpening(wire[:cut]); !errors.Is(err, sumtree.ErrEncoding) {
				t.Fatalf("the first %d of %d bytes: %v", cut, len(wire), err)
			}
		}
		if _, err := sumtree.UnmarshalOpening(append(wire, 0)); !errors.Is(err, sumtree.ErrEncoding) {
			t.Fatalf("a byte too many: %v", err)
		}
	})
}

func TestADecodedOpeningDoesNotKeepTheBytes(t *testing.T) {
	tree := build(t, few(3))
	wire, err := mustOpen(t, tree, 1).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	o, err := sumtree.UnmarshalOpening(wire)
	if err != nil {
		t.Fatal(err)
	}
	clear(wire)
	if _, err := o.Verify(tree.Root()); err != nil {
		t.Error(err)
	}
}

// step is one sibling with the hash and the sum 0.
func step(gapAndWidth ...byte) []byte {
	return append(make([]byte, 33), gapAndWidth...)
}

func TestOtherBytesAreRefused(t *testing.T) {
	most := slices.Concat(bytes.Repeat([]byte{0xff}, 9), []byte{1}) // 2^64 - 1
	leaf := func(index, n, id, sum []byte) []byte { return slices.Concat(index, n, id, sum, []byte{0}) }
	one, zero := []byte{1}, []byte{0}
	for name, b := range map[string][]byte{
		"nothing":                            {},
		"no leaves":                          leaf(zero, zero, one, zero),
		"an index beyond the leaves":         leaf(one, one, one, zero),
		"id 0":                               leaf(zero, one, zero, zero),
		"an index in too many bytes":         leaf([]byte{0x80, 0}, one, one, zero),
		"an id in too many bytes":            leaf(zero, one, []byte{0x81, 0}, zero),
		"an id of 65 bits":                   leaf(zero, one, slices.Concat(bytes.Repeat([]byte{0xff}, 9), []byte{3}), zero),
		"more leaves than allowed":           slices.Concat(leaf(zero, []byte{0x81, 0x80, 0x80, 0x80, 0x80, 0x20}, one, zero), bytes.Repeat(step(0, 0), 41)),
		"a sum of 129 bits":                  leaf(zero, one, one, slices.Concat(bytes.Repeat([]byte{0x80}, 18), []byte{4})),
		"a sum without an end":               leaf(zero, one, one, bytes.Repeat([]byte{0x80}, 19)),
		"a payload that is not there":        {0, 1, 1, 0, 1},
		"a payload that is too long":         slices.Concat([]byte{0, 1, 1, 0, 0x81, 0x08}, make([]byte, 1025)),
		"no sibling":                         {0, 2, 1, 0, 0},
		"a right sibling beyond all ids":     slices.Concat(leaf(zero, []byte{2}, most, zero), step(0, 0)),
		"a right sibling that ends too far":  slices.Concat(leaf(zero, []byte{2}, one, zero), step(0), most),
		"a right sibling that wraps around":  slices.Concat(leaf(zero, []byte{2}, []byte{9}, zero), step(), most, zero),
		"a left sibling below 1":             slices.Concat(leaf(one, []byte{2}, one, zero), step(0, 0)),
		"a left sibling that begins below 1": slices.Concat(leaf(one, []byte{2}, []byte{3}, zero), step(0, 2)),
		"a left sibling that wraps around":   slices.Concat(leaf(one, []byte{2}, []byte{3}, zero), step(), most, zero),
		"more than an opening can have":      make([]byte, sumtree.MaxOpeningBytes+1),
	} {
		t.Run(name, func(t *testing.T) {
			if o, err := sumtree.UnmarshalOpening(b); !errors.Is(err, sumtree.ErrEncoding) {
				t.Errorf("%+v, %v", o, err)
			}
		})
	}
	for name, b := range map[string][]byte{
		"nothing":              {},
		"a third side":         {4},
		"sides in two bytes":   {0x80, 0},
		"a side without bytes": {1},
		"a byte too many":      {0, 0},
		"more than an absence": make([]byte, sumtree.MaxAbsenceBytes+1),
	} {
		t.Run("absence, "+name, func(t *testing.T) {
			if a, err := sumtree.UnmarshalAbsence(b); !errors.Is(err, sumtree.ErrEncoding) {
				t.Errorf("%+v, %v", a, err)
			}
		})
	}
}

func TestBytesAtTheLimitsAreRead(t *testing.T) {
	most := slices.Concat(bytes.Repeat([]byte{0xff}, 9), []byte{1})
	sum := slices.Concat(bytes.Repeat([]byte{0xff}, 18), []byte{3})
	for name, b := range map[string][]byte{
		"the greatest id and sum":       slices.Concat([]byte{0, 1}, most, sum, []byte{0}),
		"a right sibling up to the end": slices.Concat([]byte{0, 2}, []byte{1, 0, 0}, step(0, 0xfd), most[1:]),
		"a left sibling from 1":         slices.Concat([]byte{1, 2}, []byte{3, 0, 0}, step(0, 1)),
	} {
		o, err := sumtree.UnmarshalOpening(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if back, err := o.Marshal(); err != nil || !bytes.Equal(back, b) {
			t.Errorf("%s: %x came back as %x, %v", name, b, back, err)
		}
	}
}

func TestWhatNoTreeHasIsNotEncoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		forger := anyForger(t)
		root := forger.root()
		for i := range forger.leaves {
			o := forger.open(i)
			wire, err := o.Marshal()
			if err != nil {
				refused(t, "an opening without an encoding", o, root)
				continue
			}
			if _, err := sumtree.UnmarshalOpening(wire); err != nil {
				t.Fatalf("%+v is encoded, but: %v", o, err)
			}
		}
	})
	path := mustOpen(t, build(t, few(2)), 0).Path
	leaf := sumtree.Leaf{ID: 1}
	for name, o := range map[string]sumtree.Opening{
		"without its path":          {N: 2, Leaf: leaf},
		"with a path that goes on":  {N: 1, Leaf: leaf, Path: path},
		"of too many leaves":        {Index: sumtree.MaxLeaves, N: sumtree.MaxLeaves + 1, Leaf: sumtree.Leaf{ID: 30}, Path: path},
		"of an index that is not":   {Index: 1, N: 1, Leaf: leaf},
		"of a leaf without an id":   {N: 1},
		"with a step out of order":  {Index: 1, N: 2, Leaf: leaf, Path: path},
		"with a step reversed":      {N: 2, Leaf: leaf, Path: []sumtree.Node{{Min: 9, Max: 8}}},
		"with a step that has id 0": {Index: 1, N: 2, Leaf: leaf, Path: []sumtree.Node{{}}},
	} {
		if wire, err := o.Marshal(); err == nil {
			t.Errorf("an opening %s is encoded as %x", name, wire)
		}
		if wire, err := (sumtree.Absence{Right: &o}).Marshal(); err == nil {
			t.Errorf("an absence with an opening %s is encoded as %x", name, wire)
		}
	}
}

func TestTheLongestOpeningHasTheBytesThatAreAllowed(t *testing.T) {
	o := sumtree.Opening{
		Index: sumtree.MaxLeaves - 1, N: sumtree.MaxLeaves,
		Leaf: sumtree.Leaf{
			ID: math.MaxUint64, Sum: sumtree.Uint128{Hi: math.MaxUint64},
			Payload: make([]byte, sumtree.MaxPayloadBytes),
		},
		Path: make([]sumtree.Node, sumtree.MaxDepth),
	}
	at := o.Leaf.ID
	for i := range o.Path {
		const width = 1 << 58
		at -= width + 1
		o.Path[i] = sumtree.Node{Sum: sumtree.Uint128{Hi: math.MaxUint64}, Min: at, Max: at + width}
	}
	wire, err := o.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	// Gaps here have 1 byte and widths 9: ids of 64 bits have no room for 40 long gaps and widths.
	if short := sumtree.MaxOpeningBytes - len(wire); short < 0 || short > sumtree.MaxDepth*10 {
		t.Errorf("%d bytes, %d are allowed", len(wire), sumtree.MaxOpeningBytes)
	}
	if _, err := sumtree.UnmarshalOpening(wire); err != nil {
		t.Error(err)
	}
}

// An opening of 100,000 leaves with a payload of 100 bytes has at most 1.2 kB.
func TestAnOpeningOf100kLeavesIsSmall(t *testing.T) {
	scattered := leases(largeTree)
	random := rand.New(rand.NewPCG(3, 4))
	for i := range scattered {
		scattered[i].ID = random.Uint64() | 1
		scattered[i].Sum = sumtree.Uint128{Hi: random.Uint64N(1 << 26), Lo: random.Uint64()}
	}
	slices.SortFunc(scattered, func(a, b sumtree.Leaf) int {
		return sumtree.FromUint64(a.ID).Cmp(sumtree.FromUint64(b.ID))
	})
	for name, leaves := range map[string][]sumtree.Leaf{
		"ids and sums as of leases":             leases(largeTree),
		"ids of 64 bits and sums up to 90 bits": scattered,
	} {
		tree, longest := build(t, leaves), 0
		for i := uint64(0); i < largeTree; i += 97 {
			wire, err := mustOpen(t, tree, i).Marshal()
			if err != nil {
				t.Fatal(err)
			}
			longest = max(longest, len(wire))
		}
		t.Logf("%s: %d bytes", name, longest)
		if longest > 1200 {
			t.Errorf("%s: %d bytes", name, longest)
		}
	}
}
