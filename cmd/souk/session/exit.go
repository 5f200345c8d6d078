package session

import (
	"errors"
	"fmt"
)

// Exit codes, part of what scripts rely on.
const (
	ExitFailed       = 1 // anything that has no code of its own
	ExitUsage        = 2 // the command was called wrongly; nothing was done
	ExitNoProvider   = 3 // nobody can serve; nothing was spent
	ExitNotReady     = 4 // paid, but not ready; the message says how to go on
	ExitNotConfirmed = 5 // a transaction was not confirmed, or a person said no
)

// Status is the end of a command whose own exit code is that of what it ran; there is nothing more to say.
type Status int

// Error implements error.
func (s Status) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

type exitError struct {
	error
	code int
}

func (e exitError) Unwrap() error { return e.error }

// WithExit gives an error the exit code of its command.
func WithExit(code int, err error) error {
	if err == nil {
		return nil
	}
	return exitError{err, code}
}

// Usage marks an error as a wrong call.
func Usage(err error) error { return WithExit(ExitUsage, err) }

// ExitCode is the exit code of a command that ended with err.
func ExitCode(err error) int {
	var coded exitError
	var status Status
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	case errors.As(err, &coded):
		return coded.code
	case errors.Is(err, ErrNotConfirmed):
		return ExitNotConfirmed
	default:
		return ExitFailed
	}
}
