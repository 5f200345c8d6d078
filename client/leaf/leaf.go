// Package leaf checks what a provider shows a tenant of its commitment: the leaf of a lease, or that there is none. It owns the
// check against the root on the chain and against what the chain says was due. It knows nothing of connections.
package leaf

import (
	"errors"
	"fmt"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/sumtree"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// ErrFalse says that what is shown does not hold under the root on the chain, or is not about what was asked for.
var ErrFalse = errors.New("what the provider shows does not hold")

// Shown is what a provider shows, as its gateway or the chain gives it.
type Shown struct {
	Opening []byte // of the leaf; empty when it is absent
	Absence []byte // of the lease; empty when it is there
	Receipt []byte // that the leaf names, as it is encoded; empty without one
}

// Asked is what a leaf must be about.
type Asked struct {
	Root     prooftypes.Root
	Lease    uint64
	Epoch    uint64
	ChainID  string
	Start    uint64 // of the epoch, in service seconds
	End      uint64
	Due      prooftypes.Due
	Receipts bool // the receipt that a leaf names must be shown, too
}

// Leaf is a leaf that holds; absent ones credit nothing.
type Leaf struct {
	Absent   bool
	Credited math.Int // grains
	Said     prooftypes.Leaf
	Receipt  *prooftypes.Receipt
}

// Verify returns the leaf that is shown, or ErrFalse.
func Verify(shown Shown, asked Asked) (Leaf, error) {
	tree, err := asked.Root.Tree()
	if err != nil {
		return Leaf{}, fmt.Errorf("%w: %w", ErrFalse, err)
	}
	switch {
	case len(shown.Opening) > 0 && len(shown.Absence) > 0:
		return Leaf{}, fmt.Errorf("%w: a leaf and that there is none", ErrFalse)
	case len(shown.Opening) > 0:
		return opened(tree, shown, asked)
	case len(shown.Absence) > 0:
		return absent(tree, shown.Absence, asked.Lease)
	default:
		return Leaf{}, fmt.Errorf("%w: neither a leaf nor that there is none", ErrFalse)
	}
}

func absent(tree sumtree.Root, encoded []byte, lease uint64) (Leaf, error) {
	absence, err := sumtree.UnmarshalAbsence(encoded)
	if err == nil {
		err = absence.Verify(tree, lease)
	}
	if err != nil {
		return Leaf{}, fmt.Errorf("%w: that lease %d has no leaf: %w", ErrFalse, lease, err)
	}
	return Leaf{Absent: true, Credited: math.ZeroInt()}, nil
}

func opened(tree sumtree.Root, shown Shown, asked Asked) (Leaf, error) {
	opening, err := sumtree.UnmarshalOpening(shown.Opening)
	if err != nil {
		return Leaf{}, fmt.Errorf("%w: %w", ErrFalse, err)
	}
	proven, err := opening.Verify(tree)
	if err != nil {
		return Leaf{}, fmt.Errorf("%w: under the root on the chain: %w", ErrFalse, err)
	}
	if proven.Leaf.ID != asked.Lease {
		return Leaf{}, fmt.Errorf("%w: it is the leaf of lease %d", ErrFalse, proven.Leaf.ID)
	}
	said, err := prooftypes.ParseLeaf(proven.Leaf.Payload)
	if err != nil {
		return Leaf{}, fmt.Errorf("%w: %w", ErrFalse, err)
	}
	l := Leaf{Credited: prooftypes.Credited(proven.Leaf), Said: said}
	if said.Epoch != asked.Epoch {
		return Leaf{}, fmt.Errorf("%w: it is of epoch %d", ErrFalse, said.Epoch)
	}
	if err := said.CheckDue(l.Credited, asked.Due.Grains, asked.Due.Seconds); err != nil {
		return Leaf{}, fmt.Errorf("%w: %w", ErrFalse, err)
	}
	l.Receipt, err = evidence(shown.Receipt, said, asked)
	return l, err
}

// evidence checks the receipt that a leaf names.
func evidence(encoded []byte, said prooftypes.Leaf, asked Asked) (*prooftypes.Receipt, error) {
	if said.Evidence != prooftypes.Evidence_EVIDENCE_RECEIPT || len(encoded) == 0 && !asked.Receipts {
		return nil, nil
	}
	var receipt prooftypes.Receipt
	if err := receipt.Unmarshal(encoded); err != nil {
		return nil, fmt.Errorf("%w: the receipt that it names: %w", ErrFalse, err)
	}
	if err := receipt.Supports(asked.Lease, said, asked.ChainID, asked.Start, asked.End); err != nil {
		return nil, fmt.Errorf("%w: the receipt that it names: %w", ErrFalse, err)
	}
	return &receipt, nil
}

// Claimable is what a lease can still claim when a leaf was proven, in grains: what was due, less what was credited and paid. A
// tenant's word on the chain bounds what counts as credited.
func Claimable(l Leaf, due prooftypes.Due, paid math.Int, posted *prooftypes.Posted, end uint64) math.Int {
	credited := l.Credited
	if posted != nil {
		if word, ok := posted.Last(); ok {
			credited = math.MinInt(credited, prooftypes.CreditOf(due.Grains, word.Allows(end), due.Seconds))
		}
	}
	return math.MaxInt(due.Grains.Sub(credited).Sub(paid), math.ZeroInt())
}
