package types

import "cosmossdk.io/math"

// Due is what a payee is to get for service in a span of time.
type Due struct {
	// Grains are rate x seconds, summed up.
	Grains math.Int
	// Seconds of the span in which service was paid.
	Seconds uint64
}

// Add adds what one stream paid from second from until second until, without it. Only a service stream counts; an open one
// paid until openUntil.
func (d Due) Add(s Stream, from, until, openUntil uint64) Due {
	if s.Kind != StreamKind_STREAM_KIND_SERVICE {
		return d
	}
	start, end := max(s.OpenedAt, from), openUntil
	if s.ClosedAt != 0 {
		end = min(s.ClosedAt, until)
	}
	if end <= start {
		return d
	}
	d.Seconds += end - start
	d.Grains = d.Grains.Add(math.NewIntFromUint64(s.Rate).Mul(math.NewIntFromUint64(end - start)))
	return d
}
