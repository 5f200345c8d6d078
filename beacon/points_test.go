package beacon_test

import (
	"bytes"
	"testing"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/stretchr/testify/require"
)

// strayG1 returns the encoding of a point of the curve that is not in its subgroup of prime order.
func strayG1(t testing.TB) []byte {
	t.Helper()
	return stray(t, bls12381.SizeOfG1AffineCompressed, func(encoded []byte) (inCurve, inSubgroup bool) {
		var point bls12381.G1Affine
		err := bls12381.NewDecoder(bytes.NewReader(encoded), bls12381.NoSubgroupChecks()).Decode(&point)
		return err == nil && point.IsOnCurve(), point.IsInSubGroup()
	})
}

// strayG2 does for the twist what strayG1 does for the curve.
func strayG2(t testing.TB) []byte {
	t.Helper()
	return stray(t, bls12381.SizeOfG2AffineCompressed, func(encoded []byte) (inCurve, inSubgroup bool) {
		var point bls12381.G2Affine
		err := bls12381.NewDecoder(bytes.NewReader(encoded), bls12381.NoSubgroupChecks()).Decode(&point)
		return err == nil && point.IsOnCurve(), point.IsInSubGroup()
	})
}

func stray(t testing.TB, size int, where func([]byte) (inCurve, inSubgroup bool)) []byte {
	t.Helper()
	for x := byte(1); x < 100; x++ {
		encoded := make([]byte, size)
		encoded[0], encoded[size-1] = 0x80, x
		if inCurve, inSubgroup := where(encoded); inCurve && !inSubgroup {
			return encoded
		}
	}
	require.FailNow(t, "no small coordinate is that of a stray point")
	return nil
}

// offCurve returns an encoding whose coordinate no point of the curve, or of the twist, has.
func offCurve(size int) []byte {
	encoded := make([]byte, size)
	encoded[0] = 0x80
	for encoded[size-1] = 1; decodes(encoded); encoded[size-1]++ {
	}
	return encoded
}

func decodes(encoded []byte) bool {
	decoder := bls12381.NewDecoder(bytes.NewReader(encoded), bls12381.NoSubgroupChecks())
	if len(encoded) == bls12381.SizeOfG1AffineCompressed {
		return decoder.Decode(new(bls12381.G1Affine)) == nil
	}
	return decoder.Decode(new(bls12381.G2Affine)) == nil
}

// beyondField returns an encoding whose first coordinate is not below the field's order.
func beyondField(size int) []byte {
	encoded := bytes.Repeat([]byte{0xff}, size)
	encoded[0] = 0x9f
	return encoded
}
