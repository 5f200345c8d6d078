package prover

import (
	"bytes"
	"cmp"
	"math/big"
	"slices"

	"cosmossdk.io/math"

	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// SameRoots tells that two lists of roots commit to the same.
func SameRoots(a, b []prooftypes.Root) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Denom != b[i].Denom || !bytes.Equal(a[i].Hash, b[i].Hash) || !a[i].Sum.Equal(b[i].Sum) || a[i].Count != b[i].Count {
			return false
		}
	}
	return true
}

// Holds tells that a book that was written down earlier can still be committed to: it has the leases of what would be written
// now, and says of none of them that it was up for longer, or credits it more. Its commitment may be on its way, so that another one is made only if it must.
func (b Book) Holds(now Book) bool {
	if len(b.Trees) != len(now.Trees) {
		return false
	}
	for i, t := range b.Trees {
		other := now.Trees[i]
		if t.Denom != other.Denom || len(t.Entries) != len(other.Entries) {
			return false
		}
		for j, e := range t.Entries {
			if !e.holds(other.Entries[j]) {
				return false
			}
		}
	}
	return true
}

// holds compares seconds, too: of a lease that pays little, several of them are worth the same.
func (e Entry) holds(now Entry) bool {
	var before, after prooftypes.Leaf
	if before.Unmarshal(e.Payload) != nil || after.Unmarshal(now.Payload) != nil {
		return false
	}
	return e.Lease == now.Lease && before.UpSeconds <= after.UpSeconds && before.DueSeconds == after.DueSeconds &&
		number(e.Sum).Cmp(number(now.Sum)) <= 0
}

func number(text string) *big.Int {
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return new(big.Int)
	}
	return n
}

// Reduced lists the leases that are credited less than their due, by denom: their tenants get something back.
func (b Book) Reduced() (map[string][]uint64, error) {
	reduced := map[string][]uint64{}
	for _, t := range b.Trees {
		for _, e := range t.Entries {
			var leaf prooftypes.Leaf
			if err := leaf.Unmarshal(e.Payload); err != nil {
				return nil, err
			}
			if leaf.UpSeconds < leaf.DueSeconds {
				reduced[t.Denom] = append(reduced[t.Denom], e.Lease)
			}
		}
	}
	return reduced, nil
}

// Seconds sums up for how long leases of a denom were up, and were to be.
func (b Book) Seconds() (up, due uint64, err error) {
	for _, t := range b.Trees {
		for _, e := range t.Entries {
			var leaf prooftypes.Leaf
			if err := leaf.Unmarshal(e.Payload); err != nil {
				return 0, 0, err
			}
			up, due = up+leaf.UpSeconds, due+leaf.DueSeconds
		}
	}
	return up, due, nil
}

// DenomOf tells in which tree a lease has a leaf; not ok when it has none.
func (b Book) DenomOf(lease uint64) (denom string, ok bool) {
	for _, t := range b.Trees {
		if _, found := t.entry(lease); found {
			return t.Denom, true
		}
	}
	return "", false
}

// Credited are the grains of a lease; 0 when it has no leaf.
func (b Book) Credited(lease uint64) math.Int {
	for _, t := range b.Trees {
		if e, found := t.entry(lease); found {
			return math.NewIntFromBigInt(number(e.Sum))
		}
	}
	return math.ZeroInt()
}

func (t Tree) entry(lease uint64) (Entry, bool) {
	i, found := slices.BinarySearchFunc(t.Entries, lease, func(e Entry, lease uint64) int { return cmp.Compare(e.Lease, lease) })
	if !found {
		return Entry{}, false
	}
	return t.Entries[i], true
}
