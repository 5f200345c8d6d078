package sumtree_test

import (
	"math/rand/v2"
	"slices"

	"pgregory.net/rapid"

	"github.com/souk-network/souk/sumtree"
)

// anySum draws sums of every length, so that up to 64 of them stay below 2^128.
func anySum(t *rapid.T) sumtree.Uint128 {
	sum := sumtree.Uint128{Hi: rapid.Uint64Max(1<<57).Draw(t, "hi"), Lo: rapid.Uint64().Draw(t, "lo")}
	switch rapid.IntRange(0, 3).Draw(t, "kind of sum") {
	case 0:
		return sumtree.Uint128{}
	case 1:
		return sumtree.FromUint64(sum.Lo % 1000)
	case 2:
		return sumtree.FromUint64(sum.Lo)
	default:
		return sum
	}
}

func anyID(t *rapid.T) uint64 {
	return rapid.OneOf(rapid.Uint64Range(1, 200), rapid.Uint64Min(1)).Draw(t, "id")
}

// anyLeaves draws leaves with the ids given.
func anyLeaves(t *rapid.T, ids []uint64) []sumtree.Leaf {
	leaves := make([]sumtree.Leaf, len(ids))
	for i, id := range ids {
		leaves[i] = sumtree.Leaf{ID: id, Sum: anySum(t), Payload: rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "payload")}
	}
	return leaves
}

// validLeaves draws leaves that make a tree, not fewer than least.
func validLeaves(t *rapid.T, least int) []sumtree.Leaf {
	count := rapid.IntRange(least, 40).Draw(t, "count")
	var ids []uint64
	for len(ids) < count {
		if id := anyID(t); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return anyLeaves(t, ids)
}

func build(t rapid.TB, leaves []sumtree.Leaf) *sumtree.Tree {
	t.Helper()
	tree, err := sumtree.Build(leaves)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// leases are count leaves such as an epoch of a provider has.
func leases(count int) []sumtree.Leaf {
	random := rand.New(rand.NewPCG(1, 2))
	leaves := make([]sumtree.Leaf, count)
	var id uint64 = 1_000_000
	for i := range leaves {
		id += 1 + random.Uint64N(50)
		payload := make([]byte, 100)
		for j := range payload {
			payload[j] = byte(random.Uint32())
		}
		leaves[i] = sumtree.Leaf{ID: id, Sum: sumtree.FromUint64(random.Uint64N(1 << 40)), Payload: payload}
	}
	return leaves
}

// few are leaves small enough to reason about: ids 10, 20, ... and sums 0, 5, 10, ...
func few(count int) []sumtree.Leaf {
	leaves := make([]sumtree.Leaf, count)
	for i := range leaves {
		leaves[i] = sumtree.Leaf{ID: uint64(i+1) * 10, Sum: sumtree.FromUint64(uint64(i) * 5), Payload: []byte{byte(i)}}
	}
	return leaves
}

func mustOpen(t rapid.TB, tree *sumtree.Tree, index uint64) sumtree.Opening {
	t.Helper()
	o, err := tree.Open(index)
	if err != nil {
		t.Fatal(err)
	}
	return o
}
