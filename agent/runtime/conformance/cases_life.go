package conformance

import (
	"fmt"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/runtime"
)

func waitsForImage(t *testing.T, p pair) {
	apply(t, p.a, Workload(1, "later:1"))
	s := Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return s.Error != "" })
	require.Equal(t, runtime.PhaseFailed, s.Phase)
	require.NotEqual(t, runtime.ClassProvider, s.Class)

	Push(t, p.a.Images(), bob, "later", "1", Image(t, serving()))
	Push(t, p.b.Images(), alice, "later", "1", Image(t, serving()))
	s = Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return s.Error != "" })
	require.Equal(t, runtime.PhaseFailed, s.Phase, "the image is another account's, or at another provider")

	pushed := time.Now()
	Push(t, p.a.Images(), alice, "later", "1", Image(t, serving()))
	s = Running(t, p.a, 1)
	require.Empty(t, s.Error)
	Get(t, s, "/")
	t.Logf("from push to answer: %v", time.Since(pushed).Round(time.Millisecond))
}

func restarts(t *testing.T, p pair) {
	Push(t, p.a.Images(), alice, "hello", "1", Image(t, serving()))
	Push(t, p.a.Images(), alice, "once", "1", Image(t, v1.Config{Entrypoint: []string{"/workload", "exit"}}))
	Push(t, p.a.Images(), alice, "wrong", "1", Image(t, v1.Config{Entrypoint: []string{"/no-such-program"}}))
	with := func(policy runtime.RestartPolicy, args ...string) func(*runtime.Service) {
		return func(s *runtime.Service) { s.Restart, s.Args = policy, args }
	}
	apply(t, p.a, Workload(1, "hello:1", with(runtime.RestartAlways)))
	apply(t, p.a, Workload(2, "once:1", with(runtime.RestartOnFailure, "3")))
	apply(t, p.a, Workload(3, "once:1", with(runtime.RestartOnFailure, "0")))
	apply(t, p.a, Workload(4, "once:1", with(runtime.RestartNo, "3")))
	apply(t, p.a, Workload(5, "wrong:1"))

	first := Running(t, p.a, 1)
	tell(t, first, "/exit?code=0")
	again := Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return running(s) && s.Restarts == 1 })
	require.True(t, again.StartedAt.After(first.StartedAt))
	require.Equal(t, first.Endpoints, again.Endpoints, "the address stays")

	failing := Replica(t, p.a, 2, 0, func(s runtime.ReplicaStatus) bool { return s.Restarts >= 2 })
	require.Equal(t, 3, failing.ExitCode)
	Replica(t, p.a, 2, 0, func(s runtime.ReplicaStatus) bool {
		return s.Phase == runtime.PhasePending && s.Class == runtime.ClassTenant && !s.NextStart.IsZero()
	})

	for lease, code := range map[runtime.LeaseID]int{3: 0, 4: 3} {
		s := Replica(t, p.a, lease, 0, func(s runtime.ReplicaStatus) bool { return s.Phase == runtime.PhaseExited })
		require.Equal(t, code, s.ExitCode)
		require.EqualValues(t, 1, s.Exits)
		require.Zero(t, s.Restarts)
	}

	s := Replica(t, p.a, 5, 0, func(s runtime.ReplicaStatus) bool { return s.Phase == runtime.PhaseFailed })
	require.Equal(t, runtime.ClassTenant, s.Class, s.Error)
	contains(t, s.Error, "no-such-program")
}

func revisions(t *testing.T, p pair) {
	Push(t, p.a.Images(), alice, "hello", "1", Image(t, serving()))
	first := Workload(1, "hello:1")
	apply(t, p.a, first)
	s := Running(t, p.a, 1)
	Get(t, s, "/write", "path", "/tmp/old", "mib", "1")

	same := Workload(1, "hello:1", func(s *runtime.Service) { s.Env = []string{"A=1"} })
	require.ErrorIs(t, p.a.Apply(t.Context(), same), runtime.ErrInvalid, "one revision, two workloads")

	second := Workload(1, "missing:1")
	second.Revision = revision(2)
	apply(t, p.a, second)
	s = Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return s.Error != "" })
	require.Equal(t, revision(1), s.Running, "what ran goes on")
	require.Equal(t, revision(2), s.Wanted)
	require.Equal(t, runtime.PhaseRunning, s.Phase)
	Get(t, s, "/")

	third := Workload(1, "hello:1", func(s *runtime.Service) { s.Env = []string{"GENERATION=3"}; s.Replicas = 2 })
	third.Revision = revision(3)
	apply(t, p.a, third)
	s = Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return running(s) && s.Running == revision(3) })
	require.Empty(t, s.Error)
	Replica(t, p.a, 1, 1, running)
	_, text := Get(t, s, "/env", "name", "GENERATION")
	require.Equal(t, "3", text)
	code, _ := Get(t, s, "/read", "path", "/tmp/old")
	require.Equal(t, 418, code, "a new revision begins with the image's files")

	fourth := Workload(1, "hello:1")
	fourth.Revision = revision(4)
	apply(t, p.a, fourth)
	Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return running(s) && s.Running == revision(4) })
	Eventually(t, "one replica", func() error {
		status, err := p.a.Status(t.Context(), 1)
		if err == nil && len(status.Replicas) != 1 {
			err = fmt.Errorf("%d replicas", len(status.Replicas))
		}
		return err
	})
	apply(t, p.a, fourth)
}

func refusals(t *testing.T, p pair) {
	for name, change := range map[string]func(*runtime.Workload){
		"no revision":           func(w *runtime.Workload) { w.Revision = "" },
		"revision is no hash":   func(w *runtime.Workload) { w.Revision = "../../../etc" },
		"no owner":              func(w *runtime.Workload) { w.Owner = "" },
		"owner is a path":       func(w *runtime.Workload) { w.Owner = "../x" },
		"owner is the public":   func(w *runtime.Workload) { w.Owner = string(runtime.PublicScope) },
		"no services":           func(w *runtime.Workload) { w.Services = nil },
		"a service twice":       func(w *runtime.Workload) { w.Services = append(w.Services, w.Services[0]) },
		"service name is path":  func(w *runtime.Workload) { w.Services[0].Name = "../../x" },
		"no replicas":           func(w *runtime.Workload) { w.Services[0].Replicas = 0 },
		"too many replicas":     func(w *runtime.Workload) { w.Services[0].Replicas = 1 << 31 },
		"no memory":             func(w *runtime.Workload) { w.Services[0].Resources.MemoryMiB = 0 },
		"no cpu":                func(w *runtime.Workload) { w.Services[0].Resources.CPUMillis = 0 },
		"no disk":               func(w *runtime.Workload) { w.Services[0].Resources.DiskMiB = 0 },
		"disk beyond reason":    func(w *runtime.Workload) { w.Services[0].Resources.DiskMiB = 1 << 60 },
		"no image":              func(w *runtime.Workload) { w.Services[0].Image = "" },
		"environment malformed": func(w *runtime.Workload) { w.Services[0].Env = []string{"x"} },
		"unknown policy":        func(w *runtime.Workload) { w.Services[0].Restart = "sometimes" },
		"port zero":             func(w *runtime.Workload) { w.Services[0].Ports[0].Container = 0 },
		"unknown protocol":      func(w *runtime.Workload) { w.Services[0].Ports[0].Protocol = "sctp" },
	} {
		w := Workload(1, "hello:1")
		change(&w)
		err := p.a.Apply(t.Context(), w)
		require.ErrorIs(t, err, runtime.ErrInvalid, name)
		require.Equal(t, runtime.ClassTenant, runtime.ClassOf(err), name)
	}
	list, err := p.a.List(t.Context())
	require.NoError(t, err)
	require.Empty(t, list)
	_, err = p.a.Logs(t.Context(), runtime.LogRequest{Lease: 1})
	require.ErrorIs(t, err, runtime.ErrNotFound)
}
