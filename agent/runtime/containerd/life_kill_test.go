package containerd_test

import (
	"context"
	"fmt"
	"math/rand"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/runtime/conformance"
	"github.com/souk-network/souk/agent/runtime/containerd"
)

// checkedBy is a workload whose health check looks for a file, with a variable that tells its generations apart.
func checkedBy(path, generation string) runtime.Workload {
	return conformance.Workload(1, "hello:1", func(s *runtime.Service) {
		s.HealthCheck = &runtime.HealthCheck{Command: []string{"/workload", "check", path}, Interval: time.Second, Timeout: 5 * time.Second, Retries: 2}
		s.Env = []string{"GENERATION=" + generation}
	})
}

func healthy(s runtime.ReplicaStatus) bool {
	return s.Phase == runtime.PhaseRunning && s.Health == runtime.HealthHealthy && len(s.Endpoints) > 0
}

func TestAnUpdateThatFailsGoesBackThoughTheAgentIsKilled(t *testing.T) {
	needRoot(t)
	state, c := seeded(t)
	r, err := containerd.New(context.Background(), c)
	require.NoError(t, err)
	good := checkedBy("/workload", "good")
	require.NoError(t, r.Apply(context.Background(), good))
	conformance.Replica(t, r, 1, 0, healthy)
	require.NoError(t, r.Close())

	rng := rand.New(rand.NewSource(time.Now().UnixNano())) //nolint:gosec // moments, not secrets
	bad := checkedBy("/no-such-file", "bad")
	bad.Revision = fmt.Sprintf("%064x", 2)
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	for range rounds {
		a := startAgent(t, state)
		a.send(t, order{Workload: bad})
		time.Sleep(time.Duration(rng.Intn(2500)) * time.Millisecond) // the moment of death is the point
		a.kill()
	}
	r = open(t, c)
	s := conformance.Replica(t, r, 1, 0, func(s runtime.ReplicaStatus) bool { return s.HeldBack && healthy(s) })
	require.Equal(t, good.Revision, s.Running)
	require.Equal(t, bad.Revision, s.Wanted)
	require.Contains(t, s.Error, "missing /no-such-file")
	_, text := conformance.Get(t, s, "/env", "name", "GENERATION")
	require.Equal(t, "good", text)
}

func TestHealthGoesOnOverARestartOfTheAgent(t *testing.T) {
	needRoot(t)
	_, c := seeded(t)
	r, err := containerd.New(context.Background(), c)
	require.NoError(t, err)
	w := checkedBy("/workload", "1")
	w.Services[0].HealthCheck.Timeout = 500 * time.Millisecond
	require.NoError(t, r.Apply(context.Background(), w))
	before := conformance.Replica(t, r, 1, 0, healthy)
	conformance.Eventually(t, "some checks", func() error {
		if up := time.Since(before.StartedAt); up < 2*time.Second {
			return fmt.Errorf("up for %v", up)
		}
		return nil
	})
	require.NoError(t, r.Close())
	r = open(t, c)
	s := conformance.Replica(t, r, 1, 0, func(s runtime.ReplicaStatus) bool { return s.Phase == runtime.PhaseRunning })
	require.Equal(t, runtime.HealthHealthy, s.Health, "nobody who looks sees it start")
	require.Equal(t, before.StartedAt, s.StartedAt)
}

func TestAPauseSurvivesTheAgentAndTheHost(t *testing.T) {
	needRoot(t)
	state, c := seeded(t)
	a := startAgent(t, state)
	w := conformance.Workload(1, "hello:1")
	a.tell(t, w)
	s := awaitServing(t, state, 1)
	conformance.Get(t, s, "/write", "path", "/tmp/kept", "mib", "1")
	a.send(t, order{Workload: w, Pause: true})
	require.True(t, a.out.Scan())
	a.kill() // before, or while it stops

	r, err := containerd.New(context.Background(), c)
	require.NoError(t, err)
	paused := func(s runtime.ReplicaStatus) bool { return s.Phase == runtime.PhasePaused }
	require.Zero(t, conformance.Replica(t, r, 1, 0, paused).Exits)
	require.NoError(t, r.Close())
	require.NoError(t, instance.Clear(context.Background(), instance.IDOf(c.ChainID, c.Provider, state)), "as if the machine was started again")

	r = open(t, c)
	conformance.Replica(t, r, 1, 0, paused)
	list, err := r.List(context.Background())
	require.NoError(t, err)
	require.True(t, list[0].Paused)
	require.NoError(t, r.Apply(context.Background(), w))
	s = conformance.Replica(t, r, 1, 0, func(s runtime.ReplicaStatus) bool { return s.Phase == runtime.PhaseRunning && len(s.Endpoints) > 0 })
	code, text := conformance.Get(t, s, "/read", "path", "/tmp/kept")
	require.Equal(t, 200, code, text)
}

func TestServicesStartInOrderAfterTheHost(t *testing.T) {
	needRoot(t)
	state, c := seeded(t)
	r, err := containerd.New(context.Background(), c)
	require.NoError(t, err)
	w := conformance.Workload(1, "hello:1", func(s *runtime.Service) {
		s.DependsOn = []runtime.Dependency{{Service: "db", Condition: runtime.DependencyHealthy}, {Service: "once", Condition: runtime.DependencyCompleted}}
	})
	db := checkedBy("/workload", "1").Services[0]
	db.Name = "db"
	once := conformance.Workload(1, "once:1", func(s *runtime.Service) {
		s.Name, s.Job, s.Restart, s.Args = "once", true, runtime.RestartNo, []string{"0"}
	}).Services[0]
	w.Services = append(w.Services, db, once)
	require.NoError(t, r.Apply(context.Background(), w))
	conformance.Replica(t, r, 1, 0, func(s runtime.ReplicaStatus) bool { return s.Phase == runtime.PhaseRunning })
	require.NoError(t, r.Close())
	require.NoError(t, instance.Clear(context.Background(), instance.IDOf(c.ChainID, c.Provider, state)))

	r = open(t, c)
	web := conformance.Replica(t, r, 1, 0, func(s runtime.ReplicaStatus) bool { return s.Phase == runtime.PhaseRunning && s.Restarts == 1 })
	status, err := r.Status(context.Background(), 1)
	require.NoError(t, err)
	of := func(name string) runtime.ReplicaStatus {
		return status.Replicas[slices.IndexFunc(status.Replicas, func(s runtime.ReplicaStatus) bool { return s.Service == name })]
	}
	require.Equal(t, runtime.HealthHealthy, of("db").Health)
	require.True(t, web.StartedAt.After(of("db").StartedAt))
	require.EqualValues(t, 1, of("once").Exits, "what is done is not done again")
}
