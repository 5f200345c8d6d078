package containerd_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/runtime/conformance"
)

func TestALeaseKeepsOnlyImagesThatItMayRun(t *testing.T) {
	needRoot(t)
	r := open(t, config(t, "souk1one", stateDir(t)))
	images := r.Images()
	var digests []string
	revision := func(n int) runtime.Workload {
		w := conformance.Workload(1, fmt.Sprintf("app:%d", n), func(s *runtime.Service) {
			s.HealthCheck = &runtime.HealthCheck{Command: []string{"/workload", "check", "/seed"}, Interval: time.Second, Timeout: 5 * time.Second, Retries: 2}
		})
		w.Revision = fmt.Sprintf("%064x", n+1)
		return w
	}
	for n := range 2 {
		digests = append(digests, conformance.Push(t, images, owner, "app", fmt.Sprint(n), imageWithSeed(t, n)).Digest)
	}
	has := func(n int) bool {
		ok, err := images.Has(t.Context(), owner, "app@"+digests[n])
		require.NoError(t, err)
		return ok
	}
	for n := range 2 {
		require.NoError(t, r.Apply(t.Context(), revision(n)))
		conformance.Replica(t, r, 1, 0, func(s runtime.ReplicaStatus) bool {
			return s.Phase == runtime.PhaseRunning && s.Running == revision(n).Revision
		})
		require.NoError(t, images.Delete(t.Context(), owner, fmt.Sprintf("app:%d", n)))
		require.True(t, has(n), "the lease runs it")
	}
	conformance.Eventually(t, "release of the old image", func() error {
		if has(0) {
			return fmt.Errorf("it is here")
		}
		return nil
	})
	require.True(t, has(1))
	s := conformance.Running(t, r, 1)
	conformance.Get(t, s, "/") // it listens
	tell(s, "/exit?code=1")
	s = conformance.Replica(t, r, 1, 0, func(s runtime.ReplicaStatus) bool { return s.Phase == runtime.PhaseRunning && s.Restarts == 1 })
	conformance.Get(t, s, "/")
}
