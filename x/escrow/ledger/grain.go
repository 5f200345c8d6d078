package ledger

import "cosmossdk.io/math"

// GrainsPerMicro is the number of grains in one micro-denom: the seconds of an hour.
const GrainsPerMicro = 3600

// basisPoints is the whole, in basis points.
const basisPoints = 10_000

// Grains converts micro-denom to grains.
func Grains(micro math.Int) math.Int { return micro.MulRaw(GrainsPerMicro) }

// FloorMicro converts grains, at least 0, to micro-denom, rounded down.
func FloorMicro(grains math.Int) math.Int { return grains.QuoRaw(GrainsPerMicro) }

// CeilMicro converts grains, at least 0, to micro-denom, rounded up.
func CeilMicro(grains math.Int) math.Int {
	return grains.AddRaw(GrainsPerMicro - 1).QuoRaw(GrainsPerMicro)
}

// SplitMicro divides grains, at least 0, into whole micro-denom and the dust that is left, in grains.
func SplitMicro(grains math.Int) (micro, dust math.Int) {
	micro = FloorMicro(grains)
	return micro, grains.Sub(Grains(micro))
}

// Fee returns the share of amount that bps basis points make, rounded down, so that the payer never pays more.
func Fee(amount math.Int, bps uint32) math.Int {
	return amount.Mul(math.NewIntFromUint64(uint64(bps))).QuoRaw(basisPoints)
}

// Need returns the grains that a total rate takes in so many seconds.
func Need(rate math.Int, seconds uint64) math.Int { return rate.Mul(math.NewIntFromUint64(seconds)) }
