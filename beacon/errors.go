package beacon

import "errors"

var (
	// ErrGroup says that a group's parameters cannot be those of a beacon.
	ErrGroup = errors.New("not a beacon group")
	// ErrRound says that a number is not one of the group's rounds.
	ErrRound = errors.New("not a round of the beacon")
	// ErrEncoding says that a signature is not the one encoding of a usable point: wrong length or flags, coordinates out of range, off the
	// curve, out of the subgroup, or infinity.
	ErrEncoding = errors.New("beacon signature is malformed")
	// ErrSignature says that a signature is well formed but is not the group's for the round.
	ErrSignature = errors.New("beacon signature does not verify")
	// ErrNotYet says that the group has not signed the round yet: ask again at its time.
	ErrNotYet = errors.New("beacon round is not published yet")
)
