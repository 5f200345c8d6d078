package local

import "errors"

var (
	// ErrKeys says that keys are not those of one threshold group.
	ErrKeys = errors.New("not the keys of a beacon group")
	// ErrPartials says that partial signatures do not make a round: too few, of one member twice, or false.
	ErrPartials = errors.New("partial signatures do not make a round")
)
