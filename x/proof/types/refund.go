package types

import (
	"cosmossdk.io/math"

	"github.com/souk-network/souk/sumtree"
)

// CheckAbsence refuses an encoded proof that a lease is not in the tree, unless it is one: ErrInvalidOpening.
func (r Root) CheckAbsence(encoded []byte, lease uint64) error {
	tree, err := r.Tree()
	if err != nil {
		return err
	}
	absence, err := sumtree.UnmarshalAbsence(encoded)
	if err != nil {
		return ErrInvalidOpening.Wrapf("absence: %s", err)
	}
	if err := absence.Verify(tree, lease); err != nil {
		return ErrInvalidOpening.Wrapf("absence of lease %d: %s", lease, err)
	}
	return nil
}

// Withholds returns what was due for leaves that the provider withheld, in grains.
func (c Commitment) Withholds(denom string) math.Int {
	for _, w := range c.Withheld {
		if w.Denom == denom {
			return w.Grains
		}
	}
	return math.ZeroInt()
}

// Outage tells that so much of the bond misses the epoch that nobody's miss counts.
func (t Turnout) Outage(params Params) bool {
	return t.MissingBond.MulRaw(WholePpm).GT(t.Bond.MulRaw(int64(params.OutagePpm)))
}

// TooManyMissed tells that so many epochs of the last probationEpochs are more than may be missed.
func (p Params) TooManyMissed(missed int) bool {
	return uint64(missed)*WholePpm > uint64(p.MissedPpm)*uint64(p.ProbationEpochs)
}
