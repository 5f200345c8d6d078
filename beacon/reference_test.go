package beacon_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	circl "github.com/cloudflare/circl/ecc/bls12381"
	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/beacon"
)

func TestHashToCurveGivesTheVectorsOfRFC9380(t *testing.T) {
	// Appendix J.9.1 of RFC 9380, BLS12381G1_XMD:SHA-256_SSWU_RO_.
	const tag = "QUUX-V01-CS02-with-BLS12381G1_XMD:SHA-256_SSWU_RO_"
	for message, want := range map[string]string{
		"": "052926add2207b76ca4fa57a8734416c8dc95e24501772c814278700eed6d1e4e8cf62d9c09db0fac349612b759e79a1" +
			"08ba738453bfed09cb546dbb0783dbb3a5f1f566ed67bb6be0e8c67e2e81a4cc68ee29813bb7994998f3eae0c9c6a265",
		"abc": "03567bc5ef9c690c2ab2ecdf6a96ef1c139cc0b2f284dca0a9a7943388a49a3aee664ba5379a7655d3c68900be2f6903" +
			"0b9c15f3fe6e5cf4211f346271d7b01c8f3b28be689c8429c85b67af215533311f0b8dfaaa154fa6b88176c229f2885d",
	} {
		point, err := bls12381.HashToG1([]byte(message), []byte(tag))
		require.NoError(t, err)
		raw := point.RawBytes()
		require.Equal(t, want, hex.EncodeToString(raw[:]), "message %q", message)
	}
}

// circlGroup signs as a beacon does, with another library.
func circlGroup(secret uint64) (beacon.Group, func(round uint64) []byte) {
	var scalar circl.Scalar
	scalar.SetUint64(secret)
	var key circl.G2
	key.ScalarMult(&scalar, circl.G2Generator())
	sign := func(round uint64) []byte {
		message := beacon.Message(round)
		var point circl.G1
		point.Hash(message[:], []byte(beacon.DomainTag))
		point.ScalarMult(&scalar, &point)
		return point.BytesCompressed()
	}
	return beacon.Group{PublicKey: key.BytesCompressed(), GenesisTime: 1, PeriodSeconds: 1}, sign
}

func TestWhatAnotherLibrarySignsVerifies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.Uint64Min(1).Draw(t, "secret")
		round := rapid.Uint64Min(1).Draw(t, "round")
		group, sign := circlGroup(secret)
		require.NoError(t, group.Validate())
		randomness, err := group.Verify(round, sign(round))
		require.NoError(t, err)
		require.Equal(t, beacon.Randomness(sign(round)), randomness)
		_, err = group.Verify(round, sign(round^1))
		if round > 1 {
			require.ErrorIs(t, err, beacon.ErrSignature)
		}
	})
}

// FuzzVerify holds acceptance against another library's: whatever the bytes, both call the same ones the group's signature.
func FuzzVerify(f *testing.F) {
	for _, p := range published {
		f.Add(p.round, unhex(f, p.signature))
	}
	f.Add(uint64(1000), strayG1(f))
	f.Add(uint64(1), beyondField(beacon.SignatureSize))
	f.Add(uint64(1), bytes.Repeat([]byte{0}, beacon.SignatureSize))
	group := beacon.Quicknet()
	var key circl.G2
	require.NoError(f, key.SetBytes(group.PublicKey))
	f.Fuzz(func(t *testing.T, round uint64, signature []byte) {
		_, err := group.Verify(round, signature)
		require.Equal(t, circlAccepts(&key, round, signature), err == nil, "round %d, %x: %v", round, signature, err)
	})
}

func circlAccepts(key *circl.G2, round uint64, signature []byte) bool {
	var point, hashed circl.G1
	if round == 0 || len(signature) != circl.G1SizeCompressed || point.SetBytes(signature) != nil || point.IsIdentity() {
		return false
	}
	message := beacon.Message(round)
	hashed.Hash(message[:], []byte(beacon.DomainTag))
	return circl.Pair(&point, circl.G2Generator()).IsEqual(circl.Pair(&hashed, key))
}
