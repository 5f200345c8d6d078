package local

import (
	"fmt"
	"io"
	"math/big"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/souk-network/souk/beacon"
)

// MaxMembers bounds a group: more would make combining slow, and nobody needs them on one machine.
const MaxMembers = 128

// Spec is what to decide before a group's keys are made.
type Spec struct {
	Members       int    // who hold a share, 1 to MaxMembers
	Threshold     int    // how many of them sign a round, 1 to Members
	GenesisTime   uint64 // Unix seconds of round 1
	PeriodSeconds uint64
}

// Generate deals a group's shares (Shamir, over the scalar field) from a source of randomness: crypto/rand.Reader, or a seeded generator where
// the same keys must come out again.
func Generate(random io.Reader, spec Spec) (*Keys, error) {
	if spec.Members < 1 || spec.Members > MaxMembers {
		return nil, fmt.Errorf("%w: %d members instead of 1 to %d", ErrKeys, spec.Members, MaxMembers)
	}
	if spec.Threshold < 1 || spec.Threshold > spec.Members {
		return nil, fmt.Errorf("%w: a threshold of %d among %d members", ErrKeys, spec.Threshold, spec.Members)
	}
	polynomial := make([]fr.Element, spec.Threshold)
	for i := range polynomial {
		if err := drawScalar(random, &polynomial[i]); err != nil {
			return nil, fmt.Errorf("draw the group's secret: %w", err)
		}
	}
	keys := &Keys{
		Group:     beacon.Group{PublicKey: publicKey(polynomial[0]), GenesisTime: spec.GenesisTime, PeriodSeconds: spec.PeriodSeconds},
		Threshold: spec.Threshold,
	}
	for i := range spec.Members {
		index := uint32(i + 1)
		share := evaluate(polynomial, index)
		keys.Members = append(keys.Members, Member{Index: index, PublicKey: publicKey(share), share: share})
	}
	if err := keys.Validate(); err != nil {
		return nil, err
	}
	return keys, nil
}

// drawScalar reads a scalar other than zero. 48 bytes, reduced, are within 2^-128 of uniform.
func drawScalar(random io.Reader, scalar *fr.Element) error {
	for scalar.SetZero(); scalar.IsZero(); {
		var raw [48]byte
		if _, err := io.ReadFull(random, raw[:]); err != nil {
			return err
		}
		scalar.SetBytes(raw[:])
	}
	return nil
}

// evaluate returns the polynomial, lowest coefficient first, at a member's index.
func evaluate(polynomial []fr.Element, index uint32) fr.Element {
	var value, at fr.Element
	at.SetUint64(uint64(index))
	for i := len(polynomial) - 1; i >= 0; i-- {
		value.Mul(&value, &at).Add(&value, &polynomial[i])
	}
	return value
}

// publicKey returns secret x G2, compressed.
func publicKey(secret fr.Element) []byte {
	var key bls12381.G2Affine
	key.ScalarMultiplicationBase(secret.BigInt(new(big.Int)))
	encoded := key.Bytes()
	return encoded[:]
}
