package gateway

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"connectrpc.com/connect"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/agent/reconcile"
	"github.com/souk-network/souk/manifest"
)

// Screen tells whether a workload would be taken, to anybody: what is free stands in the provider's pool on the chain, too.
func (s *service) Screen(_ context.Context, req *connect.Request[api.ScreenRequest]) (*connect.Response[api.ScreenResponse], error) {
	unit, replicas := reconcile.Vector{}, req.Msg.GetReplicas()
	if len(req.Msg.GetUnit()) != len(unit) || replicas == 0 || replicas > manifest.MaxLeaseContainers {
		return nil, connect.NewError(connect.CodeInvalidArgument,
			fmt.Errorf("want %d amounts and 1 to %d replicas", len(unit), manifest.MaxLeaseContainers))
	}
	copy(unit[:], req.Msg.GetUnit())
	screened, err := s.agent.Screen(unit, replicas)
	if err != nil {
		return nil, connect.NewError(connect.CodeUnavailable, s.tell("screening", 0, err))
	}
	return connect.NewResponse(judge(unit, replicas, req.Msg.GetIsolation(), s.cfg.Isolation, screened)), nil
}

// judge says what is lacking.
func judge(unit reconcile.Vector, replicas uint32, isolation string, offered []string, screened reconcile.Screening) *api.ScreenResponse {
	out := new(api.ScreenResponse)
	for d, wanted := range unit {
		if wanted > screened.Free[d] {
			out.Shortfalls = append(out.Shortfalls, &api.Shortfall{Dimension: manifest.UnitNames[d], Wanted: wanted, Free: screened.Free[d]})
		}
	}
	room := screened.Fits >= replicas
	switch {
	case isolation != "" && !slices.Contains(offered, isolation):
		out.Message = fmt.Sprintf("the isolation class %q is not offered, but %s", Plain(isolation), strings.Join(offered, ", "))
	case unit[manifest.MemoryMiB] < manifest.MinMemoryMiB:
		out.Message = fmt.Sprintf("a container needs at least %d MiB of memory", manifest.MinMemoryMiB)
	case room:
		out.Fits = true
	case len(out.GetShortfalls()) > 0:
	case screened.Fits == 0:
		out.Message = "all that one replica wants is free, but not on one machine"
	default:
		out.Message = fmt.Sprintf("there is room for %d of the %d replicas", screened.Fits, replicas)
	}
	return out
}
