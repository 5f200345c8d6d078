package match_test

import (
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/match"
)

func TestRate(t *testing.T) {
	largest := match.Vector{}
	for r := range largest {
		largest[r] = match.MaxQuantity
	}
	highest := match.Vector{}
	for r := range highest {
		highest[r] = math.MaxUint64
	}
	for name, c := range map[string]struct {
		unit, ask match.Vector
		replicas  uint64
		want      uint64
		err       error
	}{
		"one of every ask unit costs the sum of the asks": {
			unit: match.Vector{1000, 1024, 1024, 1024, 1024, 1024, 1000, 1},
			ask:  match.Vector{1, 2, 4, 8, 16, 32, 64, 128}, replicas: 1, want: 255,
		},
		"the sum is rounded up once": {
			unit: match.Vector{match.CPUMillis: 500, match.MemoryMiB: 512},
			ask:  match.Vector{match.CPUMillis: 1, match.MemoryMiB: 1}, replicas: 1, want: 1,
		},
		"the least fraction is rounded up": {
			unit: match.Vector{match.CPUMillis: 1}, ask: match.Vector{match.CPUMillis: 1}, replicas: 1, want: 1,
		},
		"replicas are multiplied after rounding": {
			unit: match.Vector{match.CPUMillis: 1}, ask: match.Vector{match.CPUMillis: 1}, replicas: 1000, want: 1000,
		},
		"nothing costs nothing":  {ask: highest, replicas: 1},
		"no replicas, no rate":   {unit: largest, ask: match.Vector{1, 1, 1, 1, 1, 1, 1, 1}},
		"a free offer is free":   {unit: largest, replicas: math.MaxUint64},
		"the highest rate holds": {unit: match.Vector{match.EgressMbps: 1}, ask: match.Vector{match.EgressMbps: match.MaxRate}, replicas: 1, want: match.MaxRate},
		"one above the highest rate is refused": {
			unit: match.Vector{match.EgressMbps: 1}, ask: match.Vector{match.EgressMbps: match.MaxRate + 1}, replicas: 1, err: match.ErrOverflow,
		},
		"a replica too many is refused": {
			unit: match.Vector{match.EgressMbps: 1}, ask: match.Vector{match.EgressMbps: match.MaxRate/2 + 1}, replicas: 2, err: match.ErrOverflow,
		},
		"replicas beyond 64 bits are refused": {
			unit: match.Vector{match.EgressMbps: 1}, ask: match.Vector{match.EgressMbps: match.MaxRate}, replicas: math.MaxUint64, err: match.ErrOverflow,
		},
		"a sum just beyond 64 bits before scaling is right": {
			unit: match.Vector{match.CPUMillis: 1 << 20}, ask: match.Vector{match.CPUMillis: 1 << 37}, replicas: 1,
			want: 144_115_188_075_856, // ceil(2^57 / 1000)
		},
		"a sum that only rounding takes beyond 64 bits is right": {
			unit: match.Vector{match.EgressMbps: 1, match.MemoryMiB: 1},
			ask:  match.Vector{match.EgressMbps: 144_115_188_075_855, match.MemoryMiB: 900}, replicas: 1,
			want: 144_115_188_075_856,
		},
		"a rate of exactly 2^64 is refused": {
			unit: match.Vector{match.EgressMbps: 2}, ask: match.Vector{match.EgressMbps: 1 << 63}, replicas: 1, err: match.ErrOverflow,
		},
		"the largest unit at the highest asks is refused": {unit: largest, ask: highest, replicas: 1, err: match.ErrOverflow},
		"a quantity above the largest is refused": {
			unit: match.Vector{match.GPUMillis: match.MaxQuantity + 1}, replicas: 1, err: match.ErrQuantity,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := match.Rate(c.unit, c.ask, c.replicas)
			require.ErrorIs(t, err, c.err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestRateIsTheExactRateOrRefused(t *testing.T) {
	forBoth(t, func(t *rapid.T, k market) {
		unit, ask := vector(t, k.need(3000), "unit"), vector(t, k.have(100_000), "ask")
		replicas := k.need(1000).Draw(t, "replicas")
		got, err := match.Rate(unit, ask, replicas)
		one := refRate(unit, ask)
		total := new(big.Int).Mul(one, bigOf(replicas))
		switch limit := bigOf(match.MaxRate); {
		case tooLarge(unit):
			require.ErrorIs(t, err, match.ErrQuantity)
		case one.Cmp(limit) > 0 || total.Cmp(limit) > 0:
			require.ErrorIs(t, err, match.ErrOverflow)
		default:
			require.NoError(t, err)
			require.Equal(t, total.String(), bigOf(got).String())
		}
	})
}

func TestKeyIsTheExactKeyOrRefused(t *testing.T) {
	forBoth(t, func(t *rapid.T, k market) {
		unit, limit := vector(t, k.need(3000), "unit"), k.need(1_000_000).Draw(t, "cap")
		weights := k.weights(t)
		got, err := match.KeyOf(limit, unit, weights)
		switch {
		case tooLarge(unit):
			require.ErrorIs(t, err, match.ErrQuantity)
		case unit == match.Vector{}:
			require.ErrorIs(t, err, match.ErrEmptyUnit)
		default:
			require.NoError(t, err)
			whole := new(big.Int).Add(new(big.Int).Lsh(bigOf(got.Hi), 64), bigOf(got.Lo))
			require.Equal(t, refKey(limit, unit, weights).String(), whole.String())
		}
	})
}

func TestKey(t *testing.T) {
	vcpu := match.Vector{match.CPUMillis: 1000}
	for name, c := range map[string]struct {
		limit   uint64
		unit    match.Vector
		weights match.Weights
		want    match.Key
	}{
		"a cap of 1 for one ask unit is 2^16":      {limit: 1, unit: vcpu, want: match.Key{Lo: 1 << 16}},
		"twice the unit halves the key":            {limit: 1, unit: match.Vector{match.CPUMillis: 1000, match.MemoryMiB: 1024}, want: match.Key{Lo: 1 << 15}},
		"denoms of 18 decimals are told apart":     {limit: 1e18, unit: vcpu, want: match.Key{Hi: 3552, Lo: 13_165_050_183_672_659_968}},
		"a weight of 2 halves the key":             {limit: 1, unit: vcpu, weights: match.Weights{2 * match.WeightOne}, want: match.Key{Lo: 1 << 15}},
		"a weight is a quarter at least":           {limit: 1, unit: vcpu, weights: match.Weights{1}, want: match.Key{Lo: 1 << 18}},
		"a weight is four at most":                 {limit: 1, unit: vcpu, weights: match.Weights{math.MaxUint32}, want: match.Key{Lo: 1 << 14}},
		"the largest unit at the cap of 1 is zero": {limit: 1, unit: match.Vector{match.EgressMbps: match.MaxQuantity}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := match.KeyOf(c.limit, c.unit, c.weights)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
	require.Equal(t, 1, match.Key{Hi: 1}.Compare(match.Key{Lo: math.MaxUint64}))
	require.Equal(t, -1, match.Key{Lo: 1}.Compare(match.Key{Lo: 2}))
}

func tooLarge(unit match.Vector) bool {
	for _, q := range unit {
		if q > match.MaxQuantity {
			return true
		}
	}
	return false
}

func TestResourcesHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for r := range match.Dim(match.Dims) {
		seen[r.String()], seen[r.Unit()] = true, true
	}
	require.Len(t, seen, 2*match.Dims)
	require.Equal(t, "gpu_millis", match.GPUMillis.String())
	require.Equal(t, "unknown", match.Dim(match.Dims).String())
	require.Equal(t, "of an unknown resource", match.Dim(255).Unit())
}

func TestClassSetHoldsWhatWasAddedAndNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		classes := rapid.SliceOfN(rapid.Uint32Range(0, 300), 0, 10).Draw(t, "classes")
		set := match.NewClassSet(classes...)
		in := map[uint32]bool{}
		for _, c := range classes {
			in[c] = true
		}
		for c := range uint32(400) {
			require.Equal(t, in[c], set.Has(c))
		}
	})
	require.False(t, match.ClassSet(nil).Has(math.MaxUint32))
}
