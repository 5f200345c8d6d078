package types

import (
	"bytes"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/sumtree"
)

func intOf(v sumtree.Uint128) math.Int { return math.NewIntFromBigInt(v.Big()) }

// Credited are the grains that a leaf of a tree credits.
func Credited(leaf sumtree.Leaf) math.Int { return intOf(leaf.Sum) }

// ParseLeaf decodes the payload of a leaf. It accepts the one encoding of what a provider may say, and nothing besides: an
// encoding with unknown or repeated fields is not that.
func ParseLeaf(payload []byte) (Leaf, error) {
	var leaf Leaf
	if err := leaf.Unmarshal(payload); err != nil {
		return Leaf{}, ErrInvalidOpening.Wrapf("leaf: %s", err)
	}
	encoded, err := leaf.Marshal()
	if err != nil {
		return Leaf{}, ErrInvalidOpening.Wrapf("leaf: %s", err)
	}
	if !bytes.Equal(encoded, payload) {
		return Leaf{}, ErrInvalidOpening.Wrap("leaf: not the encoding of what it holds")
	}
	if leaf.UpSeconds > leaf.DueSeconds {
		return Leaf{}, ErrInvalidOpening.Wrapf("leaf: up for %d of %d seconds", leaf.UpSeconds, leaf.DueSeconds)
	}
	switch leaf.Evidence {
	case Evidence_EVIDENCE_UNSPECIFIED:
		if len(leaf.EvidenceHash) != 0 {
			return Leaf{}, ErrInvalidOpening.Wrap("leaf: a hash without evidence")
		}
	case Evidence_EVIDENCE_RECEIPT:
		if len(leaf.EvidenceHash) != HashBytes {
			return Leaf{}, ErrInvalidOpening.Wrapf("leaf: hash of a receipt of %d bytes, want %d", len(leaf.EvidenceHash), HashBytes)
		}
	default:
		return Leaf{}, ErrInvalidOpening.Wrapf("leaf: evidence %d is not known", leaf.Evidence)
	}
	return leaf, nil
}

// CheckDue refuses a leaf that says something else than the chain of for how long service was due, or that credits more than that
// share of it in which the lease was up.
func (l Leaf) CheckDue(credited, dueGrains math.Int, dueSeconds uint64) error {
	if l.DueSeconds != dueSeconds {
		return ErrInvalidOpening.Wrapf("leaf: service was due for %d seconds, not %d", dueSeconds, l.DueSeconds)
	}
	if most := CreditOf(dueGrains, l.UpSeconds, dueSeconds); credited.GT(most) {
		return ErrInvalidOpening.Wrapf("leaf: credits %s grains, at most %s are due for %d of %d seconds", credited, most, l.UpSeconds,
			dueSeconds)
	}
	return nil
}
