package sumtree_test

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/souk-network/souk/sumtree"
)

func anyUint128(t *rapid.T, label string) sumtree.Uint128 {
	half := rapid.OneOf(rapid.Uint64(), rapid.SampledFrom([]uint64{0, 1, math.MaxUint64 - 1, math.MaxUint64}))
	return sumtree.Uint128{Hi: half.Draw(t, label+" hi"), Lo: half.Draw(t, label+" lo")}
}

// same tells if a checked result is the exact one: the number, or ErrRange where it does not fit.
func same(got sumtree.Uint128, err error, exact *big.Int) bool {
	if exact.Sign() < 0 || exact.BitLen() > 128 {
		return errors.Is(err, sumtree.ErrRange) && got.IsZero()
	}
	return err == nil && got.Big().Cmp(exact) == 0
}

func TestArithmeticIsThatOfBigIntegers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u, v := anyUint128(t, "u"), anyUint128(t, "v")
		if sum, err := u.Add(v); !same(sum, err, new(big.Int).Add(u.Big(), v.Big())) {
			t.Errorf("%s + %s = %s, %v", u, v, sum, err)
		}
		if rest, err := u.Sub(v); !same(rest, err, new(big.Int).Sub(u.Big(), v.Big())) {
			t.Errorf("%s - %s = %s, %v", u, v, rest, err)
		}
		if u.Cmp(v) != u.Big().Cmp(v.Big()) || u.Cmp(sumtree.FromBytes(u.Bytes())) != 0 {
			t.Errorf("%s compares with %s as %d", u, v, u.Cmp(v))
		}
		if u.IsZero() != (u.Big().Sign() == 0) || u.String() != u.Big().String() {
			t.Errorf("%s is not %s", u, u.Big())
		}
		if sumtree.FromBytes(u.Bytes()) != u {
			t.Errorf("%s does not survive its bytes", u)
		}
		if back, err := sumtree.FromBig(u.Big()); back != u || err != nil {
			t.Errorf("%s comes back as %s, %v", u, back, err)
		}
	})
}

func TestABigIntegerThatDoesNotFitIsRefused(t *testing.T) {
	for _, v := range []*big.Int{nil, big.NewInt(-1), new(big.Int).Lsh(big.NewInt(1), 128)} {
		if u, err := sumtree.FromBig(v); !errors.Is(err, sumtree.ErrRange) {
			t.Errorf("%v became %s, %v", v, u, err)
		}
	}
}

func TestADrawIsTheDigestModuloTheSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digest := [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "digest"))
		sum := anyUint128(t, "sum")
		if sum.IsZero() {
			return
		}
		position, err := sumtree.Draw(digest, sum)
		want := new(big.Int).SetBytes(digest[:])
		if want.Mod(want, sum.Big()); err != nil || position.Big().Cmp(want) != 0 {
			t.Errorf("%x of %s draws %s, %v", digest, sum, position, err)
		}
	})
}
