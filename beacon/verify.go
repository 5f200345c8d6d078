package beacon

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
)

// Scheme is drand's name of the one scheme this package knows.
const Scheme = "bls-unchained-g1-rfc9380"

// DomainTag separates the hashes of this scheme from all others (RFC 9380, section 3.1, and the BLS signature draft, section 4.2.1).
const DomainTag = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"

// Sizes in bytes of what a group publishes.
const (
	SignatureSize = bls12381.SizeOfG1AffineCompressed
	PublicKeySize = bls12381.SizeOfG2AffineCompressed
)

// compressed is the first bit of every encoding that drand writes; without it a point has a second, longer encoding.
const compressed = 0x80

// Message returns what the group signs for a round: SHA-256 of its number in 8 bytes, most significant first.
func Message(round uint64) [32]byte {
	var number [8]byte
	binary.BigEndian.PutUint64(number[:], round)
	return sha256.Sum256(number[:])
}

// Randomness returns what a round's signature is worth: SHA-256 of it. It proves nothing, see Group.Verify.
func Randomness(signature []byte) [32]byte {
	return sha256.Sum256(signature)
}

// Verify checks that a signature is the group's for a round and returns its randomness. There is one valid signature a round and one encoding
// of it. It returns ErrRound, ErrEncoding or ErrSignature, or ErrGroup if the group's own key cannot be used.
func (g Group) Verify(round uint64, signature []byte) (randomness [32]byte, err error) {
	if round == 0 {
		return randomness, fmt.Errorf("%w: rounds count from 1", ErrRound)
	}
	point, err := decodeSignature(signature)
	if err != nil {
		return randomness, err
	}
	key, err := decodePublicKey(g.PublicKey)
	if err != nil {
		return randomness, err
	}
	signed, err := signs(key, round, point)
	if err != nil {
		return randomness, fmt.Errorf("verify beacon round %d: %w", round, err)
	}
	if !signed {
		return randomness, fmt.Errorf("%w: it is not the group's for round %d", ErrSignature, round)
	}
	return Randomness(signature), nil
}

// signs tells whether point = secret x H(round), from e(point, -G2) x e(H(round), key) = 1.
func signs(key bls12381.G2Affine, round uint64, point bls12381.G1Affine) (bool, error) {
	message := Message(round)
	hashed, err := bls12381.HashToG1(message[:], []byte(DomainTag))
	if err != nil {
		return false, err
	}
	_, _, _, generator := bls12381.Generators()
	generator.Neg(&generator)
	return bls12381.PairingCheck([]bls12381.G1Affine{point, hashed}, []bls12381.G2Affine{generator, key})
}

// decodeSignature reads a point of G1 and refuses whatever is not its one encoding. The library checks range, curve and subgroup.
func decodeSignature(encoded []byte) (bls12381.G1Affine, error) {
	var point bls12381.G1Affine
	if len(encoded) != SignatureSize {
		return point, fmt.Errorf("%w: %d bytes instead of %d", ErrEncoding, len(encoded), SignatureSize)
	}
	if encoded[0]&compressed == 0 {
		return point, fmt.Errorf("%w: the point is not compressed", ErrEncoding)
	}
	if _, err := point.SetBytes(encoded); err != nil {
		return point, fmt.Errorf("%w: %w", ErrEncoding, err)
	}
	if point.IsInfinity() {
		return point, fmt.Errorf("%w: the point at infinity signs everything", ErrEncoding)
	}
	if point.Bytes() != [SignatureSize]byte(encoded) {
		return point, fmt.Errorf("%w: the point has another encoding", ErrEncoding)
	}
	return point, nil
}

// decodePublicKey reads a point of G2 as strictly as decodeSignature does one of G1.
func decodePublicKey(encoded []byte) (bls12381.G2Affine, error) {
	var point bls12381.G2Affine
	if len(encoded) != PublicKeySize {
		return point, fmt.Errorf("%w: its key has %d bytes instead of %d", ErrGroup, len(encoded), PublicKeySize)
	}
	if encoded[0]&compressed == 0 {
		return point, fmt.Errorf("%w: its key is not compressed", ErrGroup)
	}
	if _, err := point.SetBytes(encoded); err != nil {
		return point, fmt.Errorf("%w: its key: %w", ErrGroup, err)
	}
	if point.IsInfinity() {
		return point, fmt.Errorf("%w: its key is the point at infinity", ErrGroup)
	}
	if point.Bytes() != [PublicKeySize]byte(encoded) {
		return point, fmt.Errorf("%w: its key has another encoding", ErrGroup)
	}
	return point, nil
}
