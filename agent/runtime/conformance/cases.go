package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/runtime"
)

var basicCases = []testCase{
	{name: "two runtimes run equal leases side by side and do not meet", run: sideBySide},
	{name: "a container sees what its workload asks for", run: settings},
	{name: "a workload waits for its image and starts when it is pushed", run: waitsForImage},
	{name: "limits hold and neighbours live", run: limits},
	{name: "replicas that end are started again by policy", run: restarts},
	{name: "a new revision replaces the old and one without image does not", run: revisions},
	{name: "logs are read across time with tail, since and follow", run: logs},
	{name: "images are kept apart by scope and checked by digest", run: images},
	{name: "workloads have no more powers than they need", run: powers},
	{name: "what is malformed is refused", run: refusals},
}

func sideBySide(t *testing.T, p pair) {
	ctx := t.Context()
	for _, r := range p.each() {
		Push(t, r.Images(), alice, "hello", "1", Image(t, serving()))
	}
	for i, r := range p.each() {
		for _, lease := range []runtime.LeaseID{1, 1 << 63} {
			apply(t, r, Workload(lease, "hello:1", func(s *runtime.Service) {
				s.Hostname = []string{"first", "second"}[i]
			}))
		}
	}
	var seen []runtime.ReplicaStatus
	for i, r := range p.each() {
		for _, lease := range []runtime.LeaseID{1, 1 << 63} {
			s := Running(t, r, lease)
			_, text := Get(t, s, "/")
			contains(t, text, "hello from "+[]string{"first", "second"}[i]+" ")
			seen = append(seen, s)
		}
	}
	for i, from := range seen {
		for k, to := range seen {
			if i == k || !enforces(t, p.a, "network") {
				continue
			}
			status, text := Get(t, from, "/dial", "network", "tcp", "address", to.Endpoints[0].Address.String())
			require.Equal(t, 418, status, "lease %d reached lease %d: %s", i, k, text)
		}
	}

	require.NoError(t, p.a.Remove(ctx, 1))
	Gone(t, p.a, 1)
	_, err := p.a.Status(ctx, 1)
	require.ErrorIs(t, err, runtime.ErrNotFound)
	require.NoError(t, p.a.Remove(ctx, 1), "removing what does not exist succeeds")
	_, text := Get(t, seen[2], "/")
	contains(t, text, "hello from second")
	_, text = Get(t, seen[1], "/")
	contains(t, text, "hello from first")

	apply(t, p.a, Workload(1, "hello:1"))
	Running(t, p.a, 1)
	list, err := p.a.List(ctx)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, runtime.Observed{Lease: 1, Revision: revision(1), Owner: alice, Recorded: true}, list[0])
}
