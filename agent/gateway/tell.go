package gateway

import (
	"context"
	"errors"

	"github.com/souk-network/souk/agent/runtime"
)

// errNode stands for whatever went wrong between the agent and its node, of whose addresses no caller hears.
var errNode = errors.New("the provider could not ask its node about the lease: try again in a moment")

// tell is an error of the runtime as its caller may read it. One that is the provider's goes into the provider's log, for
// it may name paths and programs of the host.
func (s *Server) tell(what string, lease uint64, err error) error {
	class := runtime.ClassOf(err)
	if class == runtime.ClassProvider && !errors.Is(err, context.Canceled) {
		s.log.Error(what+" failed", "lease", lease, "error", err)
	}
	return errors.New(runtime.ForTenant(class, err.Error()))
}
