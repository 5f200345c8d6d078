package peer

import (
	"errors"

	"connectrpc.com/connect"

	"github.com/souk-network/souk/agent/runtime"
)

// Reason says in a few words, always the same ones, why another provider did not give something: addresses, ports and what it
// says itself are for the log.
func Reason(err error) string {
	var here *runtime.ClassifiedError
	switch code := connect.CodeOf(err); {
	case errors.As(err, &here) && here.Class == runtime.ClassProvider:
		return "gave what could not be stored here"
	case errors.Is(err, errAbsent), code == connect.CodeFailedPrecondition, code == connect.CodeNotFound, code == connect.CodeUnimplemented:
		return "does not have it"
	case code == connect.CodePermissionDenied, code == connect.CodeUnauthenticated:
		return "does not give it to this provider"
	case errors.Is(err, runtime.ErrDigestMismatch), errors.Is(err, errOdd):
		return "sent something else"
	case errors.Is(err, runtime.ErrTooLarge):
		return "has more than fits here"
	default:
		return "does not answer as it should"
	}
}
