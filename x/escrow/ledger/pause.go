package ledger

import sdkmath "cosmossdk.io/math"

// HoldRate is the part of a rate, below 2^63, that is paid while its service is paused: so many basis points, at most
// 10,000, rounded up, and at least 1.
func HoldRate(rate uint64, bps uint32) uint64 {
	share := sdkmath.NewIntFromUint64(rate).Mul(sdkmath.NewIntFromUint64(uint64(bps))).AddRaw(basisPoints - 1).QuoRaw(basisPoints)
	return max(1, share.Uint64())
}

// LowSecond is when an account that runs out at a zero second is low: the runway before that, but not before the second
// that follows now, and never after the zero second.
func LowSecond(zero, runway, now uint64) uint64 {
	return min(zero, max(before(zero, runway), now+1))
}

// LaterLowSecond is LowSecond for an account that lasts at least as long as when its low second was last computed: it is
// then no earlier. So an event that is processed late, after a later one, does not make the account low before that one.
func LaterLowSecond(zero, runway, low uint64) uint64 {
	return min(zero, max(before(zero, runway), low))
}

func before(second, seconds uint64) uint64 { return second - min(second, seconds) }

// Lasts tells that what is free at second t pays a rate for so many seconds.
func (a Account) Lasts(rate sdkmath.Int, seconds, t uint64) bool {
	return a.Free(t).GTE(Need(rate, seconds))
}

// Missing returns the grains that must be added for Lasts to hold; 0 when it does.
func (a Account) Missing(rate sdkmath.Int, seconds, t uint64) sdkmath.Int {
	return sdkmath.MaxInt(sdkmath.ZeroInt(), Need(rate, seconds).Sub(a.Free(t)))
}

// RetainUntil is the second from which nothing that closes now can be claimed any more: when the running epoch has ended,
// its earnings were held back, and one epoch more has passed. Things that close in one epoch go one after the other, as
// they closed, and not all at once.
func RetainUntil(now, epochEnd, epochSeconds, holdbackEpochs uint64) uint64 {
	wait := (holdbackEpochs + 1) * epochSeconds
	return max(epochEnd+wait, now+epochSeconds+wait)
}
