package agent

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/meter"
	"github.com/souk-network/souk/agent/runtime"
)

func TestWhetherAProviderDoesItsPartForAReplica(t *testing.T) {
	for name, c := range map[string]struct {
		replica runtime.ReplicaStatus
		served  bool
	}{
		"it runs": {runtime.ReplicaStatus{Phase: runtime.PhaseRunning}, true},
		"it runs and is not healthy by its check":  {runtime.ReplicaStatus{Phase: runtime.PhaseRunning, Health: runtime.HealthUnhealthy}, true},
		"it is not healthy for want of the host":   {runtime.ReplicaStatus{Phase: runtime.PhaseRunning, Health: runtime.HealthUnhealthy, Class: runtime.ClassProvider}, false},
		"an older revision runs, the new can not":  {runtime.ReplicaStatus{Phase: runtime.PhaseRunning, HeldBack: true, Class: runtime.ClassTransient}, true},
		"it ended by itself and stays so":          {runtime.ReplicaStatus{Phase: runtime.PhaseExited, ExitCode: 1}, true},
		"a job is done":                            {runtime.ReplicaStatus{Phase: runtime.PhaseExited, Job: true}, true},
		"it ended by itself and is to start again": {runtime.ReplicaStatus{Phase: runtime.PhasePending, Exits: 3, Class: runtime.ClassTenant, Error: "exit code 1"}, true},
		"its image does not exist":                 {runtime.ReplicaStatus{Phase: runtime.PhaseFailed, Class: runtime.ClassTenant}, true},
		"the registry does not answer":             {runtime.ReplicaStatus{Phase: runtime.PhaseFailed, Class: runtime.ClassTransient}, false},
		"the disk is full":                         {runtime.ReplicaStatus{Phase: runtime.PhaseFailed, Class: runtime.ClassProvider}, false},
		"it waits for another service":             {runtime.ReplicaStatus{Phase: runtime.PhasePending, Progress: "waits for db"}, true},
		"nothing was done for it yet":              {runtime.ReplicaStatus{Phase: runtime.PhasePending}, false},
		"its image is pulled":                      {runtime.ReplicaStatus{Phase: runtime.PhasePulling, Progress: "pulling"}, false},
		"it is being made":                         {runtime.ReplicaStatus{Phase: runtime.PhaseStarting}, false},
		"it is stopped though its lease is not":    {runtime.ReplicaStatus{Phase: runtime.PhasePaused}, false},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.served, isServed(c.replica)) })
	}
}

func TestWhatIsMeteredOfALease(t *testing.T) {
	running := runtime.ReplicaStatus{Service: "web", Replica: 1, Phase: runtime.PhaseRunning, StartedAt: time.Unix(0, 36)}
	for name, c := range map[string]struct {
		sight sight
		want  []meter.Replica
	}{
		"its tenant has brought nothing to run":   {sight{awaits: true}, nil},
		"what it brought does not run":            {sight{}, nothing},
		"its workload was just recorded":          {sight{known: true}, nothing},
		"an older revision runs, a new is waited": {sight{known: true, awaits: true, status: runtime.WorkloadStatus{Replicas: []runtime.ReplicaStatus{running}}}, []meter.Replica{{Name: "web/1", Run: "10", Up: true}}},
		"one of two runs": {
			sight{known: true, status: runtime.WorkloadStatus{Replicas: []runtime.ReplicaStatus{{Service: "web", Phase: runtime.PhasePulling}, running}}},
			[]meter.Replica{{Name: "web/0"}, {Name: "web/1", Run: "10", Up: true}},
		},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, c.sight.replicas()) })
	}
}
