package types

import "math"

const (
	// WholeBps is the whole, in basis points.
	WholeBps = 10_000
	// WholePpm is the whole, in parts per million.
	WholePpm = 1_000_000

	maxJailSeconds = 365 * 24 * 3600
	maxReasonBytes = 128
)

// ValidateJail bounds a jailing.
func ValidateJail(seconds uint64, slashBps uint32, reason string) error {
	switch {
	case seconds == 0 || seconds > maxJailSeconds:
		return ErrInvalidJail.Wrapf("%d seconds: want 1 to %d", seconds, maxJailSeconds)
	case slashBps > WholeBps:
		return ErrInvalidJail.Wrapf("%d basis points: want at most %d", slashBps, WholeBps)
	case len(reason) > maxReasonBytes || !printable(reason):
		return ErrInvalidJail.Wrapf("reason of %d bytes: want at most %d, printable", len(reason), maxReasonBytes)
	}
	return nil
}

// JailedUntil returns from when a provider may unjail itself that is jailed now for so many seconds. One that is jailed
// already stays so much longer.
func JailedUntil(p Provider, now, seconds uint64) uint64 {
	from := max(now, p.JailedUntil)
	return from + min(seconds, math.MaxUint64-from)
}
