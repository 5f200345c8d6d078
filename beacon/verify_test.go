package beacon_test

import (
	"bytes"
	"encoding/hex"
	"math/big"
	"testing"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fp"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/beacon"
)

// Rounds that quicknet published (https://api.drand.sh/<chain hash>/public/<round>): 1000 to 1003 as in the tests of the Ideal Network's
// pulse verifier, 657413 as in the README of github.com/mcdcam/python-drand-verify. Where those give no randomness, none is here.
var published = []struct {
	round                 uint64
	signature, randomness string
}{
	{1000, "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39", "fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd"},
	{1001, "b33bf3667cbd5a82de3a24b4e0e9fe5513cc1a0e840368c6e31f5fcfa79bea03f73896b25883abf2853d10337fb8fa41", ""},
	{1002, "ab066f9c12dd6de1336fca0f925192fb0c72a771c3e4c82ede1fd362c1a770f9eb05843c6308ce2530b53a99c0281a6e", ""},
	{1003, "b104c82771698f45fd8dcfead083d482694c31ab519bcef077f126f3736fe98c8392fd5d45d88aeb76b56ccfcb0296d7", ""},
	{657413, "b713718a38ae728dfd477991af2822e08d2f305e47718cef9f7848ce4050e7be41076862b98fad56e91a6b85b89cd97b", "fc1873a13f3545aeade8401532ef5519920652eee6b0d2b19ca12643b87b3587"},
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(text)
	require.NoError(t, err)
	return raw
}

func TestPublishedRoundsVerifyAndGiveTheirRandomness(t *testing.T) {
	group := beacon.Quicknet()
	require.NoError(t, group.Validate())
	for _, p := range published {
		signature := unhex(t, p.signature)
		randomness, err := group.Verify(p.round, signature)
		require.NoError(t, err, "round %d", p.round)
		require.Equal(t, beacon.Randomness(signature), randomness)
		if p.randomness != "" {
			require.Equal(t, p.randomness, hex.EncodeToString(randomness[:]), "round %d", p.round)
		}
	}
}

func TestARoundVerifiesUnderItsOwnNumberOnly(t *testing.T) {
	for _, p := range published {
		for _, q := range published {
			_, err := beacon.Quicknet().Verify(q.round, unhex(t, p.signature))
			if p.round == q.round {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, beacon.ErrSignature, "signature of %d as round %d", p.round, q.round)
			}
		}
	}
	_, err := beacon.Quicknet().Verify(0, unhex(t, published[0].signature))
	require.ErrorIs(t, err, beacon.ErrRound)
}

func TestNoFlippedBitGoesUnnoticed(t *testing.T) {
	signature := unhex(t, published[0].signature)
	for bit := range 8 * len(signature) {
		altered := bytes.Clone(signature)
		altered[bit/8] ^= 1 << (bit % 8)
		randomness, err := beacon.Quicknet().Verify(1000, altered)
		require.Error(t, err, "bit %d", bit)
		require.Zero(t, randomness, "a refused round has no randomness")
	}
}

func TestSignaturesThatAreNoPointAreMalformed(t *testing.T) {
	good := unhex(t, published[0].signature)
	infinity := append([]byte{0xc0}, make([]byte, beacon.SignatureSize-1)...)
	ofOrderThree := append([]byte{0x80}, make([]byte, beacon.SignatureSize-1)...) // (0, 2)
	for name, signature := range map[string][]byte{
		"nothing":                       nil,
		"47 bytes":                      good[:47],
		"49 bytes":                      append(bytes.Clone(good), 0),
		"the same twice":                append(bytes.Clone(good), good...),
		"an uncompressed encoding":      uncompressed(t, good),
		"its first half":                uncompressed(t, good)[:48],
		"no compression flag":           append([]byte{good[0] &^ 0x80}, good[1:]...),
		"infinity":                      infinity,
		"infinity with a sign":          append([]byte{0xe0}, infinity[1:]...),
		"infinity with a coordinate":    append([]byte{0xc0}, good[1:]...),
		"infinity, uncompressed":        append([]byte{0x40}, infinity[1:]...),
		"a coordinate off the curve":    offCurve(beacon.SignatureSize),
		"a coordinate out of the field": beyondField(beacon.SignatureSize),
		"the field's order added":       plusFieldOrder(ofOrderThree),
		"a point out of the subgroup":   strayG1(t),
		"a point of order three":        ofOrderThree,
		"a public key":                  beacon.Quicknet().PublicKey,
	} {
		t.Run(name, func(t *testing.T) {
			randomness, err := beacon.Quicknet().Verify(1000, signature)
			require.ErrorIs(t, err, beacon.ErrEncoding)
			require.Zero(t, randomness)
		})
	}
}

func TestAnotherPointOfTheGroupIsNoSignature(t *testing.T) {
	good := unhex(t, published[0].signature)
	negated := bytes.Clone(good)
	negated[0] ^= 0x20
	_, _, generator, _ := bls12381.Generators()
	encoded := generator.Bytes()
	for name, signature := range map[string][]byte{"the negation": negated, "the generator": encoded[:]} {
		_, err := beacon.Quicknet().Verify(1000, signature)
		require.ErrorIs(t, err, beacon.ErrSignature, name)
	}
}

func TestAnotherGroupsRoundsAreRefused(t *testing.T) {
	_, _, _, generator := bls12381.Generators()
	key := generator.Bytes()
	other := beacon.Quicknet()
	other.PublicKey = key[:]
	require.NoError(t, other.Validate())
	_, err := other.Verify(1000, unhex(t, published[0].signature))
	require.ErrorIs(t, err, beacon.ErrSignature)

	other.PublicKey = strayG2(t)
	_, err = other.Verify(1000, unhex(t, published[0].signature))
	require.ErrorIs(t, err, beacon.ErrGroup)
}

// uncompressed returns the long encoding of a point, which is as valid elsewhere.
func uncompressed(t *testing.T, encoded []byte) []byte {
	t.Helper()
	var point bls12381.G1Affine
	_, err := point.SetBytes(encoded)
	require.NoError(t, err)
	raw := point.RawBytes()
	return raw[:]
}

// plusFieldOrder returns an encoding of the same coordinate that is not reduced.
func plusFieldOrder(encoded []byte) []byte {
	coordinate := new(big.Int).SetBytes(append([]byte{encoded[0] & 0x1f}, encoded[1:]...))
	raw := coordinate.Add(coordinate, fp.Modulus()).FillBytes(make([]byte, len(encoded)))
	raw[0] |= encoded[0] & 0xe0
	return raw
}

func BenchmarkVerify(b *testing.B) {
	group, signature := beacon.Quicknet(), unhex(b, published[0].signature)
	for b.Loop() {
		if _, err := group.Verify(1000, signature); err != nil {
			b.Fatal(err)
		}
	}
}
