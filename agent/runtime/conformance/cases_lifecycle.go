package conformance

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/runtime"
)

// lifecycleCases is how replicas live.
var lifecycleCases = []testCase{
	{name: "an apply replaces only what changed", run: onlyWhatChanged},
	{name: "limits change while a replica runs", run: resized},
	{name: "an update that fails goes back to what worked", run: heldBack},
	{name: "an update goes from replica to replica and stops at the first that fails", run: rolling},
	{name: "services start when what they depend on is there", run: ordered},
	{name: "jobs end and restarts are bounded", run: jobs},
	{name: "health is checked from outside and shown", run: health},
	{name: "a pause stops everything and keeps it", run: paused},
	{name: "a small init reaps and passes signals on", run: initReaps},
	{name: "ports on which nothing listens are known", run: silent},
	{name: "what cannot come true is refused", run: lifeRefusals},
}

// well is a health check that succeeds as soon as it is made.
func well(path string) *runtime.HealthCheck {
	return &runtime.HealthCheck{Command: []string{"/workload", "check", path}, Interval: time.Second, Timeout: slowly(5 * time.Second), Retries: 2}
}

// promptly makes a check that will not fail tell so sooner than its interval.
func promptly(c *runtime.HealthCheck) *runtime.HealthCheck {
	c.StartPeriod, c.StartInterval = time.Second, 100*time.Millisecond
	return c
}

func healthy(s runtime.ReplicaStatus) bool { return running(s) && s.Health == runtime.HealthHealthy }

// among finds the replica of a service in a status.
func among(t testing.TB, r runtime.Runtime, lease runtime.LeaseID, service string, replica uint32, check func(runtime.ReplicaStatus) bool) runtime.ReplicaStatus {
	t.Helper()
	var got runtime.ReplicaStatus
	Eventually(t, fmt.Sprintf("%s %d", service, replica), func() error {
		s, err := r.Status(context.Background(), lease)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(s.Replicas, func(r runtime.ReplicaStatus) bool { return r.Service == service && r.Replica == replica })
		if i < 0 {
			return fmt.Errorf("no such replica")
		}
		if got = s.Replicas[i]; !check(got) {
			return fmt.Errorf("it is %+v", got)
		}
		return nil
	})
	return got
}

// another copies a workload as its n-th revision.
func another(w runtime.Workload, n int, change func(*runtime.Workload)) runtime.Workload {
	w.Revision, w.Services = revision(n), slices.Clone(w.Services)
	change(&w)
	return w
}

// heard collects events of a runtime that tells them.
type heard struct {
	mu     sync.Mutex
	events []runtime.Event
}

func listen(t testing.TB, r runtime.Runtime) *heard {
	t.Helper()
	w, ok := r.(runtime.Watcher)
	if !ok {
		t.Skip("the runtime does not tell what happens")
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	h := &heard{}
	events := w.Watch(ctx)
	go func() {
		for e := range events {
			h.mu.Lock()
			h.events = append(h.events, e)
			h.mu.Unlock()
		}
	}()
	return h
}

// of waits until a service told of these kinds of events, in this order among others.
func (h *heard) of(t testing.TB, service string, kinds ...runtime.EventKind) {
	t.Helper()
	Eventually(t, fmt.Sprintf("events %v of %q", kinds, service), func() error {
		h.mu.Lock()
		defer h.mu.Unlock()
		left := kinds
		for _, e := range h.events {
			if len(left) > 0 && e.Service == service && e.Kind == left[0] {
				left = left[1:]
			}
		}
		if len(left) > 0 {
			return fmt.Errorf("%v did not come among %+v", left, h.events)
		}
		return nil
	})
}

func onlyWhatChanged(t *testing.T, p pair) {
	Push(t, p.a.Images(), alice, "hello", "1", Image(t, serving()))
	first := Workload(1, "hello:1")
	first.Services = append(first.Services, Workload(1, "hello:1", func(s *runtime.Service) { s.Name = "db" }).Services...)
	apply(t, p.a, first)
	web, db := among(t, p.a, 1, "web", 0, running), among(t, p.a, 1, "db", 0, running)

	second := another(first, 2, func(w *runtime.Workload) {
		w.Services[0].Env = []string{"GENERATION=2"}
		w.Services[1].Replicas = 2
		w.Services = append(w.Services, Workload(1, "hello:1", func(s *runtime.Service) { s.Name = "a" }).Services...)
		slices.SortFunc(w.Services, func(a, b runtime.Service) int { return strings.Compare(a.Name, b.Name) })
	})
	apply(t, p.a, second)
	now := among(t, p.a, 1, "web", 0, func(s runtime.ReplicaStatus) bool { return running(s) && s.Running == revision(2) })
	require.True(t, now.StartedAt.After(web.StartedAt))
	same := among(t, p.a, 1, "db", 0, func(s runtime.ReplicaStatus) bool { return running(s) && s.Running == revision(2) })
	require.Equal(t, db.StartedAt, same.StartedAt, "nothing of it changed, though its place did")
	require.Equal(t, db.Endpoints, same.Endpoints)
	one := among(t, p.a, 1, "db", 1, running)
	among(t, p.a, 1, "a", 0, running)

	third := another(second, 3, func(w *runtime.Workload) {
		w.Services = w.Services[1:] // without "a"
		w.Services[0].Restart, w.Services[0].StopGraceSeconds, w.Services[0].HealthCheck = runtime.RestartOnFailure, 1, promptly(well("/workload"))
	})
	apply(t, p.a, third)
	changed := among(t, p.a, 1, "db", 1, func(s runtime.ReplicaStatus) bool { return healthy(s) && s.Running == revision(3) })
	require.Equal(t, one.StartedAt, changed.StartedAt, "policies and health checks change in place")
	tell(t, changed, "/exit?code=0")
	among(t, p.a, 1, "db", 1, func(s runtime.ReplicaStatus) bool { return s.Phase == runtime.PhaseExited })
	Eventually(t, "three replicas", func() error {
		s, err := p.a.Status(t.Context(), 1)
		if err == nil && len(s.Replicas) != 3 {
			err = fmt.Errorf("%d", len(s.Replicas))
		}
		return err
	})
}

func resized(t *testing.T, p pair) {
	Push(t, p.a.Images(), alice, "hello", "1", Image(t, serving()))
	first := Workload(1, "hello:1", func(s *runtime.Service) {
		s.Resources.CPUMillis, s.Resources.EgressMbps = 200, 100
	})
	apply(t, p.a, first)
	s := Running(t, p.a, 1)
	sandbox := isolation(t, p.a) == "gvisor" // which counts processes and time in its own way
	if !sandbox {
		code, _ := Get(t, s, "/fork", "n", "70")
		require.Equal(t, http.StatusTeapot, code, "64 processes are allowed")
	}

	apply(t, p.a, another(first, 2, func(w *runtime.Workload) {
		r := &w.Services[0].Resources
		r.CPUMillis, r.MemoryMiB, r.PIDs, r.EgressMbps = 1000, 256, 1024, 50
	}))
	now := Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return running(s) && s.Running == revision(2) })
	if !sandbox { // which is started anew when it has to be
		require.Equal(t, s.StartedAt, now.StartedAt, "%+v", now)
		code, text := Get(t, now, "/fork", "n", "70")
		require.Equal(t, http.StatusOK, code, text)
	}
	code, text := Get(t, now, "/memory", "mib", "120")
	require.Equal(t, http.StatusOK, code, text)
	sample := sampler(t, p.a)
	before := sample(1).Total
	Get(t, now, "/spin", "ms", "1000")
	after := sample(1).Total
	if sandbox { // it is throttled all the same: with its own threads it wants more than one processor
		require.Greater(t, after.CPUNanos-before.CPUNanos, uint64(800_000_000), "a fifth of a processor became a whole one")
	} else {
		require.Less(t, after.ThrottledNanos-before.ThrottledNanos, uint64(400_000_000), "a fifth of a processor became a whole one")
	}

	// What does not fit any more is started anew, with what is leased.
	apply(t, p.a, another(first, 3, func(w *runtime.Workload) { w.Services[0].Resources.MemoryMiB = 48 }))
	smaller := Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool {
		return running(s) && s.Running == revision(3) && s.StartedAt.After(now.StartedAt)
	})
	require.Zero(t, smaller.Exits, "it did not end by itself")
	tell(t, smaller, "/memory?mib=100")
	again := Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return running(s) && s.Restarts == 1 })
	require.True(t, again.OOMKilled)
	if !sandbox {
		code, _ = Get(t, again, "/fork", "n", "70")
		require.Equal(t, http.StatusTeapot, code, "limits stay over a restart")
	}
}

func heldBack(t *testing.T, p pair) {
	events := listen(t, p.a)
	Push(t, p.a.Images(), alice, "hello", "1", Image(t, serving()))
	Push(t, p.a.Images(), alice, "once", "1", Image(t, v1.Config{Entrypoint: []string{"/workload", "exit"}}))
	first := Workload(1, "hello:1", func(s *runtime.Service) { s.HealthCheck, s.Env = promptly(well("/workload")), []string{"GENERATION=1"} })
	apply(t, p.a, first)
	Replica(t, p.a, 1, 0, healthy)
	events.of(t, "web", runtime.EventCreated, runtime.EventStarted, runtime.EventHealthy)

	n := 1
	for name, c := range map[string]struct {
		change func(*runtime.Service)
		why    string
	}{
		"it ends":           {func(s *runtime.Service) { s.Image, s.Args = "once:1", []string{"3"} }, "exit code 3"},
		"it does not start": {func(s *runtime.Service) { s.Entrypoint = []string{"/no-such-program"} }, "no-such-program"},
		"it is not well":    {func(s *runtime.Service) { s.Env, s.HealthCheck = []string{"A=1"}, well("/no-such-file") }, "missing /no-such-file"},
	} {
		n++
		failing := another(first, n, func(w *runtime.Workload) { c.change(&w.Services[0]) })
		apply(t, p.a, failing)
		s := Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return s.HeldBack && healthy(s) })
		require.Equal(t, revision(1), s.Running, name)
		require.Equal(t, revision(n), s.Wanted, name)
		require.Contains(t, s.Error, c.why, name)
		require.Equal(t, runtime.ClassTenant, s.Class, name)
		_, text := Get(t, s, "/env", "name", "GENERATION")
		require.Equal(t, "1", text, name)
		apply(t, p.a, failing)
		require.Equal(t, s.StartedAt, Replica(t, p.a, 1, 0, healthy).StartedAt, "it is not tried again")
	}
	events.of(t, "web", runtime.EventDegraded, runtime.EventDegraded, runtime.EventDegraded)

	// A revision that changes nothing of it counts as running, and is what a failure goes back to.
	n++
	apply(t, p.a, another(first, n, func(w *runtime.Workload) { w.Services[0].StopGraceSeconds = 1 }))
	same := Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return healthy(s) && s.Running == revision(n) })
	require.False(t, same.HeldBack)
	good := n
	n++
	apply(t, p.a, another(first, n, func(w *runtime.Workload) { w.Services[0].Entrypoint = []string{"/no-such-program"} }))
	Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return s.HeldBack && healthy(s) && s.Running == revision(good) })

	n++
	apply(t, p.a, another(first, n, func(w *runtime.Workload) { w.Services[0].Env = []string{"GENERATION=2"} }))
	s := Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return healthy(s) && s.Running == revision(n) })
	require.False(t, s.HeldBack)
	require.Empty(t, s.Error)
}

func rolling(t *testing.T, p pair) {
	Push(t, p.a.Images(), alice, "hello", "1", Image(t, serving()))
	first := Workload(1, "hello:1", func(s *runtime.Service) { s.HealthCheck, s.Replicas = promptly(well("/workload")), 3 })
	apply(t, p.a, first)
	var before []runtime.ReplicaStatus
	for i := range 3 {
		before = append(before, Replica(t, p.a, 1, i, healthy))
	}

	apply(t, p.a, another(first, 2, func(w *runtime.Workload) {
		w.Services[0].Env, w.Services[0].HealthCheck = []string{"GENERATION=2"}, well("/no-such-file")
	}))
	for i := range 3 {
		s := Replica(t, p.a, 1, i, func(s runtime.ReplicaStatus) bool { return s.HeldBack && running(s) && s.Running == revision(1) })
		require.Contains(t, s.Error, "no-such-file")
		if i > 0 {
			require.Equal(t, before[i].StartedAt, s.StartedAt, "the others were not touched")
		}
	}

	// A replica that joins while the update fails has nothing of its own to go back to: it takes what the others have.
	apply(t, p.a, another(first, 3, func(w *runtime.Workload) {
		w.Services[0].Env, w.Services[0].HealthCheck, w.Services[0].Replicas = []string{"GENERATION=2"}, well("/no-such-file"), 4
	}))
	for i := range 4 {
		Replica(t, p.a, 1, i, func(s runtime.ReplicaStatus) bool { return s.HeldBack && healthy(s) && s.Running == revision(1) })
	}

	apply(t, p.a, another(first, 4, func(w *runtime.Workload) { w.Services[0].Env = []string{"GENERATION=3"} }))
	done := func() bool {
		s, err := p.a.Status(t.Context(), 1)
		require.NoError(t, err)
		serving, current := 0, 0
		for _, r := range s.Replicas {
			if r.Phase == runtime.PhaseRunning && r.Health == runtime.HealthHealthy {
				serving++
			}
			if r.Running == revision(4) && r.Health == runtime.HealthHealthy {
				current++
			}
		}
		require.GreaterOrEqual(t, serving, 2, "one at a time: %+v", s.Replicas)
		return current == 3
	}
	for i := range 3 { // the first was started anew by the failed update: let it be well before counting
		Replica(t, p.a, 1, i, func(s runtime.ReplicaStatus) bool {
			return s.Health == runtime.HealthHealthy || s.Running != revision(1)
		})
	}
	Eventually(t, "all of the last revision", func() error {
		if !done() {
			return fmt.Errorf("not yet")
		}
		return nil
	})
}

func ordered(t *testing.T, p pair) {
	Push(t, p.a.Images(), alice, "hello", "1", Image(t, serving()))
	Push(t, p.a.Images(), alice, "once", "1", Image(t, v1.Config{Entrypoint: []string{"/workload", "exit"}}))
	w := Workload(1, "hello:1", func(s *runtime.Service) {
		s.DependsOn = []runtime.Dependency{
			{Service: "db", Condition: runtime.DependencyHealthy}, {Service: "migrate", Condition: runtime.DependencyCompleted},
		}
	})
	db := Workload(1, "hello:1", func(s *runtime.Service) { s.Name, s.HealthCheck = "db", well("/tmp/ready") }).Services[0]
	migrate := Workload(1, "once:1", func(s *runtime.Service) {
		s.Name, s.Job, s.Restart, s.Args = "migrate", true, runtime.RestartNo, []string{"4"}
		s.DependsOn = []runtime.Dependency{{Service: "db", Condition: runtime.DependencyStarted}}
	}).Services[0]
	w.Services = append(w.Services, db, migrate)
	apply(t, p.a, w)

	s := among(t, p.a, 1, "db", 0, running)
	web := among(t, p.a, 1, "web", 0, func(s runtime.ReplicaStatus) bool { return strings.Contains(s.Progress, "waiting for") })
	require.Equal(t, runtime.PhasePending, web.Phase)
	require.Equal(t, "waiting for db to be healthy", web.Progress)
	Get(t, s, "/write", "path", "/tmp/ready", "mib", "0")
	web = among(t, p.a, 1, "web", 0, func(s runtime.ReplicaStatus) bool { return s.Error != "" })
	require.Equal(t, runtime.PhasePending, web.Phase)
	contains(t, web.Error, "waiting for migrate to complete", "exit code 4")

	fixed := another(w, 2, func(w *runtime.Workload) { w.Services[2].Args = []string{"0"} })
	apply(t, p.a, fixed)
	web = among(t, p.a, 1, "web", 0, running)
	done := among(t, p.a, 1, "migrate", 0, func(s runtime.ReplicaStatus) bool { return s.Phase == runtime.PhaseExited })
	require.True(t, done.Job)
	require.Zero(t, done.ExitCode)
	require.False(t, web.StartedAt.Before(done.ExitedAt), "%v %v", web.StartedAt, done.ExitedAt)

	require.Equal(t, s.StartedAt, among(t, p.a, 1, "db", 0, running).StartedAt)

	// An update waits for the new migration, while the old goes on.
	apply(t, p.a, another(fixed, 3, func(w *runtime.Workload) {
		w.Services[0].Env = []string{"GENERATION=3"}
		w.Services[2].Env, w.Services[2].Args = []string{"GENERATION=3"}, []string{"5"}
	}))
	old := among(t, p.a, 1, "web", 0, func(s runtime.ReplicaStatus) bool { return running(s) && strings.Contains(s.Error, "exit code 5") })
	require.Equal(t, web.StartedAt, old.StartedAt)
	require.Equal(t, revision(2), old.Running)

	// A health check that is nowhere defined would be waited for in vain.
	vain := another(fixed, 4, func(w *runtime.Workload) {
		w.Services[1].HealthCheck = nil
		w.Services[0].Env = []string{"GENERATION=4"}
	})
	apply(t, p.a, vain)
	old = among(t, p.a, 1, "web", 0, func(s runtime.ReplicaStatus) bool { return strings.Contains(s.Error, "health check") })
	require.Equal(t, runtime.ClassTenant, old.Class)
}

func jobs(t *testing.T, p pair) {
	Push(t, p.a.Images(), alice, "once", "1", Image(t, v1.Config{Entrypoint: []string{"/workload", "exit"}}))
	job := func(code string) runtime.Workload {
		return Workload(1, "once:1", func(s *runtime.Service) {
			s.Job, s.Restart, s.MaxRestarts, s.Args = true, runtime.RestartOnFailure, 2, []string{code}
		})
	}
	apply(t, p.a, job("3"))
	s := Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return s.Phase == runtime.PhaseExited })
	require.True(t, s.Job)
	require.EqualValues(t, 2, s.Restarts)
	require.EqualValues(t, 3, s.Exits)
	require.Equal(t, 3, s.ExitCode)
	require.False(t, s.Ready(time.Now()))

	well := job("0")
	well.Revision = revision(2)
	apply(t, p.a, well)
	s = Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return s.Phase == runtime.PhaseExited && s.ExitCode == 0 })
	require.EqualValues(t, 1, s.Exits)
	require.True(t, s.Ready(time.Now()))

	scaled := another(well, 3, func(w *runtime.Workload) { w.Services[0].Replicas = 2 })
	apply(t, p.a, scaled)
	Replica(t, p.a, 1, 1, func(s runtime.ReplicaStatus) bool { return s.Phase == runtime.PhaseExited })
	require.Equal(t, s.ExitedAt, Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return s.Phase == runtime.PhaseExited }).ExitedAt, "what is done is not done again")
}

func health(t *testing.T, p pair) {
	events := listen(t, p.a)
	config := serving()
	config.Healthcheck = &v1.HealthConfig{Test: []string{"CMD", "/workload", "check", "/tmp/ready"}, Interval: time.Second, Timeout: slowly(5 * time.Second), Retries: 2}
	Push(t, p.a.Images(), alice, "checked", "1", Image(t, config))
	apply(t, p.a, Workload(1, "checked:1"))
	apply(t, p.a, Workload(2, "checked:1", func(s *runtime.Service) { s.HealthCheck = &runtime.HealthCheck{Disabled: true} }))
	apply(t, p.a, Workload(3, "checked:1", func(s *runtime.Service) {
		s.HealthCheck = &runtime.HealthCheck{Command: []string{"/workload", "sleep"}, Interval: time.Second, Timeout: 300 * time.Millisecond, Retries: 1}
	}))
	apply(t, p.a, Workload(4, "checked:1", func(s *runtime.Service) {
		s.HealthCheck = &runtime.HealthCheck{StartPeriod: time.Hour, StartInterval: 200 * time.Millisecond}
	}))

	s := Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return s.Health == runtime.HealthUnhealthy })
	contains(t, s.HealthOutput, "missing /tmp/ready")
	require.Equal(t, runtime.PhaseRunning, s.Phase)
	require.Zero(t, s.Exits, "what is unhealthy is not started again")
	require.False(t, s.Ready(time.Now()))
	Get(t, s, "/write", "path", "/tmp/ready", "mib", "0")
	s = Replica(t, p.a, 1, 0, healthy)
	require.Empty(t, s.HealthOutput)
	require.True(t, s.Ready(time.Now()))
	Get(t, s, "/remove", "path", "/tmp/ready")
	Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return s.Health == runtime.HealthUnhealthy })
	events.of(t, "web", runtime.EventUnhealthy, runtime.EventHealthy, runtime.EventUnhealthy)

	require.Empty(t, Running(t, p.a, 2).Health)

	hanging := Replica(t, p.a, 3, 0, func(s runtime.ReplicaStatus) bool { return s.Health == runtime.HealthUnhealthy })
	contains(t, hanging.HealthOutput, "longer than 300ms")
	Eventually(t, "no check is left behind", func() error {
		if _, text := Get(t, hanging, "/ps"); strings.Contains(text, "sleep") {
			return fmt.Errorf("%s", text)
		}
		return nil
	})

	early := Replica(t, p.a, 4, 0, func(s runtime.ReplicaStatus) bool { return s.HealthOutput != "" })
	require.Equal(t, runtime.HealthStarting, early.Health, "failures do not count yet")
	Get(t, early, "/write", "path", "/tmp/ready", "mib", "0")
	Replica(t, p.a, 4, 0, healthy)
}

func paused(t *testing.T, p pair) {
	pauser, ok := p.a.(runtime.Pauser)
	if !ok {
		t.Skip("the runtime does not pause")
	}
	events := listen(t, p.a)
	require.ErrorIs(t, pauser.Pause(t.Context(), 1), runtime.ErrNotFound)
	Push(t, p.a.Images(), alice, "hello", "1", Image(t, serving()))
	first := Workload(1, "hello:1")
	first.Services = append(first.Services, Workload(1, "hello:1", func(s *runtime.Service) { s.Name = "db" }).Services...)
	first.Services[0].DependsOn = []runtime.Dependency{{Service: "db", Condition: runtime.DependencyStarted}}
	apply(t, p.a, first)
	web, db := among(t, p.a, 1, "web", 0, running), among(t, p.a, 1, "db", 0, running)
	Get(t, web, "/write", "path", "/tmp/kept", "mib", "1")
	Get(t, db, "/")

	require.NoError(t, pauser.Pause(t.Context(), 1))
	require.NoError(t, pauser.Pause(t.Context(), 1), "twice is once")
	for _, name := range []string{"web", "db"} {
		s := among(t, p.a, 1, name, 0, func(s runtime.ReplicaStatus) bool { return s.Phase == runtime.PhasePaused })
		require.Zero(t, s.Exits, "it did not end by itself")
		require.Empty(t, s.Endpoints)
		require.Empty(t, s.Running)
	}
	list, err := p.a.List(t.Context())
	require.NoError(t, err)
	require.True(t, list[0].Paused)
	status, err := p.a.Status(t.Context(), 1)
	require.NoError(t, err)
	require.True(t, status.Paused)
	_, _, err = fetch("http://" + web.Endpoints[0].Address.String() + "/")
	require.Error(t, err)

	apply(t, p.a, first)
	again := among(t, p.a, 1, "web", 0, running)
	require.Equal(t, web.Endpoints, again.Endpoints, "its network was kept")
	require.Zero(t, again.Restarts)
	code, text := Get(t, again, "/read", "path", "/tmp/kept")
	require.Equal(t, http.StatusOK, code, text)
	require.True(t, again.StartedAt.After(among(t, p.a, 1, "db", 0, running).StartedAt), "in order")
	events.of(t, "", runtime.EventPaused, runtime.EventResumed)

	require.NoError(t, pauser.Pause(t.Context(), 1))
	among(t, p.a, 1, "db", 0, func(s runtime.ReplicaStatus) bool { return s.Phase == runtime.PhasePaused })
	apply(t, p.a, another(first, 2, func(w *runtime.Workload) { w.Services[0].Env = []string{"GENERATION=2"} }))
	s := among(t, p.a, 1, "web", 0, func(s runtime.ReplicaStatus) bool { return running(s) && s.Running == revision(2) })
	_, text = Get(t, s, "/env", "name", "GENERATION")
	require.Equal(t, "2", text)

	require.NoError(t, pauser.Pause(t.Context(), 1))
	require.NoError(t, p.a.Remove(t.Context(), 1))
	Gone(t, p.a, 1)
	events.of(t, "", runtime.EventRemoved)
}

func initReaps(t *testing.T, p pair) {
	Push(t, p.a.Images(), alice, "hello", "1", Image(t, serving()))
	apply(t, p.a, Workload(1, "hello:1", func(s *runtime.Service) { s.Init, s.ReadOnlyRoot = true, true }))
	s := Running(t, p.a, 1)
	_, text := Get(t, s, "/read", "path", "/proc/1/cmdline")
	contains(t, text, "init")
	code, text := Get(t, s, "/orphans", "n", "20")
	require.Equal(t, http.StatusOK, code, text)
	Eventually(t, "zombies are reaped", func() error {
		if _, text := Get(t, s, "/zombies"); text != "0" {
			return fmt.Errorf("%s are left", text)
		}
		return nil
	})
	code, _ = Get(t, s, "/write", "path", "/dev/init", "mib", "1")
	require.Equal(t, http.StatusTeapot, code, "it cannot be written to")
	tell(t, s, "/exit?code=7")
	s = Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return running(s) && s.Restarts == 1 })
	require.Equal(t, 7, s.ExitCode)
	Get(t, s, "/")
	apply(t, p.a, another(Workload(1, "hello:1"), 2, func(*runtime.Workload) {}))
	Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return running(s) && s.Running == revision(2) })
	entries := read(t, p.a, runtime.LogRequest{Lease: 1, Tail: -1})
	require.True(t, slices.ContainsFunc(entries, func(e runtime.LogEntry) bool { return e.Log == "asked to stop" }), "%+v", entries)
}

func silent(t *testing.T, p pair) {
	if isolation(t, p.a) == "gvisor" {
		t.Skip("what listens in a sandbox is not seen outside")
	}
	Push(t, p.a.Images(), alice, "hello", "1", Image(t, serving()))
	apply(t, p.a, Workload(1, "hello:1", func(s *runtime.Service) {
		s.Ports = append(s.Ports, runtime.Port{Container: 9090, Protocol: "tcp"})
	}))
	apply(t, p.a, Workload(2, "hello:1", func(s *runtime.Service) { s.Command = []string{"serve", "127.0.0.1:8080"} }))
	Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return running(s) && slices.Equal(s.Silent, []uint16{9090}) })
	Replica(t, p.a, 2, 0, func(s runtime.ReplicaStatus) bool {
		return running(s) && slices.Equal(s.Silent, []uint16{8080})
	})
}

func lifeRefusals(t *testing.T, p pair) {
	needs := func(service string, c runtime.DependencyCondition) []runtime.Dependency {
		return []runtime.Dependency{{Service: service, Condition: c}}
	}
	for name, change := range map[string]func(*runtime.Workload){
		"it waits for itself":          func(w *runtime.Workload) { w.Services[0].DependsOn = needs("web", runtime.DependencyStarted) },
		"it waits for nobody":          func(w *runtime.Workload) { w.Services[0].DependsOn = needs("x", runtime.DependencyStarted) },
		"it waits for what":            func(w *runtime.Workload) { w.Services[0].DependsOn = needs("db", "") },
		"what is always started again": func(w *runtime.Workload) { w.Services[0].DependsOn = needs("db", runtime.DependencyCompleted) },
		"a circle": func(w *runtime.Workload) {
			w.Services[0].DependsOn, w.Services[1].DependsOn = needs("db", runtime.DependencyStarted), needs("web", runtime.DependencyStarted)
		},
		"health that is not looked at": func(w *runtime.Workload) {
			w.Services[0].DependsOn = needs("db", runtime.DependencyHealthy)
			w.Services[1].HealthCheck = &runtime.HealthCheck{Disabled: true}
		},
		"a job without end":     func(w *runtime.Workload) { w.Services[0].Job = true },
		"a signal of no system": func(w *runtime.Workload) { w.Services[0].StopSignal = "SIGNOTHING" },
		"a day to stop":         func(w *runtime.Workload) { w.Services[0].StopGraceSeconds = 86400 },
		"a check too often": func(w *runtime.Workload) {
			w.Services[0].HealthCheck = &runtime.HealthCheck{Command: []string{"x"}, Interval: time.Millisecond}
		},
		"a check without program": func(w *runtime.Workload) { w.Services[0].HealthCheck = &runtime.HealthCheck{Command: []string{""}} },
		"a capability by number":  func(w *runtime.Workload) { w.Services[0].DropCapabilities = []string{"21"} },
		"a group with a colon":    func(w *runtime.Workload) { w.Services[0].Groups = []string{"a:b"} },
		"more memory than it has": func(w *runtime.Workload) { w.Services[0].ShmMiB = 1 << 20 },
		"a host without address":  func(w *runtime.Workload) { w.Services[0].ExtraHosts = []runtime.HostAddress{{Name: "x"}} },
		"a line feed in a name":   func(w *runtime.Workload) { w.Services[0].Aliases = []string{"x\n1.2.3.4 y"} },
	} {
		w := Workload(1, "hello:1")
		w.Services = append(w.Services, Workload(1, "hello:1", func(s *runtime.Service) { s.Name = "db" }).Services...)
		change(&w)
		err := p.a.Apply(t.Context(), w)
		require.ErrorIs(t, err, runtime.ErrInvalid, name)
		require.Equal(t, runtime.ClassTenant, runtime.ClassOf(err), name)
	}
}
