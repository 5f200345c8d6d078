package types

import (
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/sumtree"
)

// Tree is the root as package sumtree verifies under it, or ErrInvalidRoots.
func (r Root) Tree() (sumtree.Root, error) {
	if len(r.Hash) != HashBytes {
		return sumtree.Root{}, ErrInvalidRoots.Wrapf("hash of %d bytes: want %d", len(r.Hash), HashBytes)
	}
	if r.Sum.IsNil() || r.Sum.IsNegative() {
		return sumtree.Root{}, ErrInvalidRoots.Wrap("the sum is not set, or negative")
	}
	sum, err := sumtree.FromBig(r.Sum.BigInt())
	if err != nil {
		return sumtree.Root{}, ErrInvalidRoots.Wrapf("sum: %s", err)
	}
	root := sumtree.Root{Hash: [HashBytes]byte(r.Hash), Sum: sum, N: r.Count}
	if err := root.Validate(); err != nil {
		return sumtree.Root{}, ErrInvalidRoots.Wrap(err.Error())
	}
	return root, nil
}

// NewRoot is the root of a tree in a denom, as it is committed to.
func NewRoot(denom string, root sumtree.Root) Root {
	return Root{Denom: denom, Hash: root.Hash[:], Sum: intOf(root.Sum), Count: root.N}
}

// ValidateRoots accepts 1 to 4 roots of trees, sorted by denom.
func ValidateRoots(roots []Root) error {
	if len(roots) == 0 || len(roots) > MaxRoots {
		return ErrInvalidRoots.Wrapf("%d roots: want 1 to %d", len(roots), MaxRoots)
	}
	for i, root := range roots {
		if err := sdk.ValidateDenom(root.Denom); err != nil {
			return ErrInvalidRoots.Wrap(err.Error())
		}
		if i > 0 && roots[i-1].Denom >= root.Denom {
			return ErrInvalidRoots.Wrapf("not sorted and unique at %s", root.Denom)
		}
		if _, err := root.Tree(); err != nil {
			return err
		}
	}
	return nil
}

// RootOf returns the root of a denom; ok is false when the commitment has none.
func (c Commitment) RootOf(denom string) (root Root, ok bool) {
	for _, root := range c.Roots {
		if root.Denom == denom {
			return root, true
		}
	}
	return Root{}, false
}

// Empty tells that the commitment claims nothing: there is nothing to audit.
func (c Commitment) Empty() bool { return c.ToOpen() == 0 }

// Decided tells that the commitment is credited or forfeited.
func (s CommitmentState) Decided() bool { return s.Proven() || s.Forfeited() }

// Proven tells that the commitment is credited.
func (s CommitmentState) Proven() bool { return s == CommitmentState_COMMITMENT_STATE_PROVEN }

// Forfeited tells that nothing of the commitment counts as proven.
func (s CommitmentState) Forfeited() bool {
	return s == CommitmentState_COMMITMENT_STATE_FORGED || s == CommitmentState_COMMITMENT_STATE_DISOWNED
}

// AwaitsOwnRound tells that the commitment came late and is not drawn yet: it has a round of its own.
func (c Commitment) AwaitsOwnRound() bool {
	return c.Late && c.State == CommitmentState_COMMITMENT_STATE_COMMITTED
}

// ToOpen is how many roots an audit asks to open: those with a sum.
func (c Commitment) ToOpen() int {
	n := 0
	for _, root := range c.Roots {
		if root.Sum.IsPositive() {
			n++
		}
	}
	return n
}
