package local

import (
	"fmt"
	"math/big"
	"slices"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/souk-network/souk/beacon"
)

// Partial is a member's part of a round: the round signed with its share.
type Partial struct {
	Index     uint32 // the member's
	Signature []byte // point of G1, compressed
}

// Sign returns the member's part of a round. It signs whatever round it is asked for: whoever calls it minds the clock.
func (m Member) Sign(round uint64) (Partial, error) {
	if round == 0 {
		return Partial{}, fmt.Errorf("%w: rounds count from 1", beacon.ErrRound)
	}
	message := beacon.Message(round)
	point, err := bls12381.HashToG1(message[:], []byte(beacon.DomainTag))
	if err != nil {
		return Partial{}, fmt.Errorf("hash beacon round %d to the curve: %w", round, err)
	}
	point.ScalarMultiplication(&point, m.share.BigInt(new(big.Int)))
	signature := point.Bytes()
	return Partial{Index: m.Index, Signature: signature[:]}, nil
}

// VerifyPartial returns ErrPartials unless a partial signature is its member's for a round.
func (k *Keys) VerifyPartial(round uint64, partial Partial) error {
	i := slices.IndexFunc(k.Members, func(m Member) bool { return m.Index == partial.Index })
	if i < 0 {
		return fmt.Errorf("%w: the group has no member %d", ErrPartials, partial.Index)
	}
	alone := k.Group
	alone.PublicKey = k.Members[i].PublicKey
	if _, err := alone.Verify(round, partial.Signature); err != nil {
		return fmt.Errorf("%w: the part of %s: %w", ErrPartials, k.Members[i], err)
	}
	return nil
}

// Combine makes a round's signature of the parts of different members, at least as many as the threshold: always the same one, whoever's they
// are. It returns ErrPartials if one does not verify.
func (k *Keys) Combine(round uint64, partials []Partial) ([]byte, error) {
	if len(partials) < k.Threshold {
		return nil, fmt.Errorf("%w: %d of the %d needed", ErrPartials, len(partials), k.Threshold)
	}
	indices := make([]uint32, k.Threshold)
	points := make([]bls12381.G1Affine, k.Threshold)
	for i, partial := range partials[:k.Threshold] {
		if slices.Contains(indices[:i], partial.Index) {
			return nil, fmt.Errorf("%w: member %d signed twice", ErrPartials, partial.Index)
		}
		if err := k.VerifyPartial(round, partial); err != nil {
			return nil, err
		}
		indices[i] = partial.Index
		if _, err := points[i].SetBytes(partial.Signature); err != nil {
			return nil, fmt.Errorf("%w: the part of member %d: %w", ErrPartials, partial.Index, err)
		}
	}
	signature := weightedSum(points, lagrange(indices, 0))
	if _, err := k.Group.Verify(round, signature); err != nil {
		return nil, fmt.Errorf("combine beacon round %d: %w", round, err)
	}
	return signature, nil
}

// Signature signs a round with the first members, as many as the threshold. It minds no clock, see Beacon.
func (k *Keys) Signature(round uint64) ([]byte, error) {
	partials := make([]Partial, 0, k.Threshold)
	for _, member := range k.Members[:k.Threshold] {
		partial, err := member.Sign(round)
		if err != nil {
			return nil, err
		}
		partials = append(partials, partial)
	}
	return k.Combine(round, partials)
}

func weightedSum(points []bls12381.G1Affine, weights []fr.Element) []byte {
	var sum bls12381.G1Jac
	for i := range points {
		var term bls12381.G1Jac
		term.FromAffine(&points[i])
		term.ScalarMultiplication(&term, weights[i].BigInt(new(big.Int)))
		sum.AddAssign(&term)
	}
	var point bls12381.G1Affine
	point.FromJacobian(&sum)
	encoded := point.Bytes()
	return encoded[:]
}

// lagrange returns by how much the values at different indices count in the value at another: the product of (at - j) / (i - j) over all other j.
func lagrange(indices []uint32, at uint32) []fr.Element {
	weights := make([]fr.Element, len(indices))
	for i := range indices {
		above, below := fr.One(), fr.One()
		for j := range indices {
			if j == i {
				continue
			}
			above.Mul(&above, difference(at, indices[j]))
			below.Mul(&below, difference(indices[i], indices[j]))
		}
		weights[i].Div(&above, &below)
	}
	return weights
}

func difference(a, b uint32) *fr.Element {
	return new(fr.Element).SetInt64(int64(a) - int64(b))
}
