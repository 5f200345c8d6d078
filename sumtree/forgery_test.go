package sumtree_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/souk-network/souk/sumtree"
)

// opened returns what a forger can prove against its own root.
func (r reference) opened() []sumtree.Proven {
	root := r.root()
	var proven []sumtree.Proven
	for i := range r.leaves {
		if p, err := r.open(i).Verify(root); err == nil {
			proven = append(proven, p)
		}
	}
	return proven
}

// anyForger draws leaves in any order, with double ids and with sums that may overflow,
// and at times lies about what parents are told.
func anyForger(t *rapid.T) reference {
	ids := rapid.SliceOfN(rapid.OneOf(rapid.Uint64Max(12), rapid.Uint64()), 1, 20).Draw(t, "ids")
	r := reference{leaves: anyLeaves(t, ids)}
	if rapid.Bool().Draw(t, "one leaf is worth more than all") {
		i := rapid.IntRange(0, len(ids)-1).Draw(t, "which")
		r.leaves[i].Sum = sumtree.Uint128{Hi: math.MaxUint64, Lo: rapid.Uint64().Draw(t, "worth")}
	}
	switch rapid.IntRange(0, 2).Draw(t, "lies") {
	case 1: // of one node, anything
		at, size := rapid.IntRange(0, len(ids)-1).Draw(t, "at"), rapid.IntRange(1, len(ids)).Draw(t, "size")
		field := rapid.IntRange(0, 2).Draw(t, "field")
		value := anyUint128(t, "lie")
		r.lie = func(from, to int, n sumtree.Node) sumtree.Node {
			if from <= at && at < to && to-from <= size {
				switch field {
				case 0:
					n.Min = value.Lo
				case 1:
					n.Max = value.Lo
				default:
					n.Sum = value
				}
			}
			return n
		}
	case 2: // of all nodes, ranges that are in order
		least := rapid.IntRange(1, 4).Draw(t, "least size")
		r.lie = func(from, to int, n sumtree.Node) sumtree.Node {
			if to-from >= least {
				n.Min, n.Max = uint64(from)+1, uint64(to)
			}
			return n
		}
	}
	return r
}

func TestWhatAForgerCanOpenIsInOrderAndDoesNotOverlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		forger := anyForger(t)
		proven := forger.opened()
		total := forger.root().Sum
		for i, p := range proven {
			end, err := p.Before.Add(p.Leaf.Sum)
			if err != nil || end.Cmp(total) > 0 {
				t.Fatalf("index %d covers more than the sum of %s: %+v", p.Index, total, p)
			}
			if i == 0 {
				continue
			}
			last := proven[i-1]
			if last.Leaf.ID >= p.Leaf.ID {
				t.Fatalf("ids %d and %d open at indices %d and %d", last.Leaf.ID, p.Leaf.ID, last.Index, p.Index)
			}
			if lastEnd, err := last.Before.Add(last.Leaf.Sum); err != nil || lastEnd.Cmp(p.Before) > 0 {
				t.Fatalf("the parts of index %d and %d overlap", last.Index, p.Index)
			}
		}
	})
}

func TestAForgerThatBuildRefusesCannotOpenAllItsLeaves(t *testing.T) {
	refusals := 0
	rapid.Check(t, func(t *rapid.T) {
		forger := anyForger(t)
		if _, err := sumtree.Build(forger.leaves); err == nil {
			return
		}
		refusals++
		if opened := len(forger.opened()); opened == len(forger.leaves) {
			t.Fatalf("all %d leaves open", opened)
		}
	})
	if refusals == 0 {
		t.Error("the forger never did anything wrong")
	}
}

func TestOfADoubledLeaseOneOpeningFails(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		leaves := validLeaves(t, 2)
		from := rapid.IntRange(0, len(leaves)-1).Draw(t, "doubled")
		to := rapid.IntRange(0, len(leaves)-1).Draw(t, "over")
		if from == to {
			return
		}
		leaves[to] = sumtree.Leaf{ID: leaves[from].ID, Sum: anySum(t)}
		for _, lie := range []func(int, int, sumtree.Node) sumtree.Node{nil, inOrder} {
			forger := reference{leaves: leaves, lie: lie}
			seen := 0
			for _, p := range forger.opened() {
				if p.Index == uint64(from) || p.Index == uint64(to) {
					seen++
				}
			}
			if seen > 1 {
				t.Fatalf("id %d opens at %d and at %d", leaves[from].ID, from, to)
			}
		}
	})
}

// inOrder tells parents of ranges that are in order, whatever the ids are.
func inOrder(from, to int, n sumtree.Node) sumtree.Node {
	n.Min, n.Max = uint64(from)+1, uint64(to)
	return n
}

func TestASumThatLeavesDoNotAddUpToOpensNothing(t *testing.T) {
	for _, inflated := range []uint64{0, 49, 51, 1_000_000} {
		forger := reference{leaves: few(5), lie: func(from, to int, n sumtree.Node) sumtree.Node {
			if to-from == 5 {
				n.Sum = sumtree.FromUint64(inflated)
			}
			return n
		}}
		if opened := forger.opened(); len(opened) > 0 {
			t.Errorf("a sum of %d instead of 50 opens %+v", inflated, opened)
		}
	}
}

func TestAForgerCannotProveTheAbsenceOfALeafThatItOpens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		forger := anyForger(t)
		root, proven := forger.root(), forger.opened()
		for _, a := range forger.absences() {
			for _, p := range proven {
				if err := a.Verify(root, p.Leaf.ID); err == nil {
					t.Fatalf("id %d opens at index %d and is absent by %+v", p.Leaf.ID, p.Index, a)
				}
			}
		}
	})
}

// absences returns all pairs of openings that a forger has, also not neighbours and alone.
func (r reference) absences() []sumtree.Absence {
	openings := make([]sumtree.Opening, len(r.leaves))
	for i := range openings {
		openings[i] = r.open(i)
	}
	all := []sumtree.Absence{{}}
	for i := range openings {
		all = append(all, sumtree.Absence{Left: &openings[i]}, sumtree.Absence{Right: &openings[i]})
		for j := range openings {
			all = append(all, sumtree.Absence{Left: &openings[i], Right: &openings[j]})
		}
	}
	return all
}
