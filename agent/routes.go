package agent

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/souk-network/souk/agent/gateway"
	"github.com/souk-network/souk/agent/ingress"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/workload"
)

// routeEvery is how often the ingress learns which replicas run.
const routeEvery = 250 * time.Millisecond

// keepRoutes tells the ingress which replicas run until ctx ends.
func (a *Agent) keepRoutes(ctx context.Context) {
	ticker := time.NewTicker(routeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			a.Refresh(ctx)
		}
	}
}

// Refresh brings the ingress up to date at once, so that a tenant who is told that a service is ready can reach it.
func (a *Agent) Refresh(ctx context.Context) {
	a.mu.Lock()
	groups, leases := maps.Clone(a.groups), a.leases
	a.mu.Unlock()
	var routes []ingress.Route
	for _, id := range slices.Sorted(maps.Keys(groups)) {
		hosts := workload.Hosts(id, groups[id].group)
		if len(hosts) == 0 {
			continue
		}
		status, err := a.runtime.Status(ctx, id)
		for _, h := range hosts {
			route := ingress.Route{
				Label: h.Label, Lease: id, Owner: leases[id].Owner, Names: h.Names, Reason: "Its containers are about to be made.",
			}
			if err == nil {
				route.Backends = h.Backends(status)
				route.Reason = reasonOf(h, status)
			}
			routes = append(routes, route)
		}
	}
	a.ingress.SetRoutes(routes)
}

// Serves tells whether a tenant's own name leads to a lease.
func (a *Agent) Serves(name string, lease uint64) bool { return a.ingress.Serves(name, lease) }

// reasonOf says why a service does not answer, as much as anybody on the web may know.
func reasonOf(h workload.Host, status runtime.WorkloadStatus) string {
	for _, r := range status.Replicas {
		if r.Service != h.Service {
			continue
		}
		switch r.Phase {
		case runtime.PhaseExited:
			return "Its container has ended."
		case runtime.PhaseFailed:
			return "Its container could not be started. Its owner sees why with `souk ps`."
		default:
			return gateway.Plain("Its container is " + string(r.Phase) + ".")
		}
	}
	return "Its containers are about to be made."
}
