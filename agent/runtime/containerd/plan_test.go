package containerd

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/agent/runtime"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func TestNextStep(t *testing.T) {
	for name, c := range map[string]struct {
		h    history
		f    facts
		want step
		wait time.Duration
	}{
		"nothing exists: make it":                          {want: stepCreate},
		"a container without process is started":           {f: facts{revision: "new"}, want: stepStart},
		"what runs is left alone":                          {f: facts{revision: "new", task: taskRunning}, want: stepRest},
		"an old revision makes way":                        {f: facts{revision: "old", task: taskRunning}, want: stepReplace},
		"an old revision that ended is written down first": {f: facts{revision: "old", task: taskStopped}, want: stepReap},
		"a process that was never started is forgotten":    {f: facts{revision: "new", task: taskCreated}, want: stepDiscard},
		"what ended is written down":                       {f: facts{revision: "new", task: taskStopped}, want: stepReap},
		"it waits for its time": {
			h: history{Revision: "new", NextStart: noon.Add(time.Second)}, f: facts{revision: "new"}, want: stepWait, wait: time.Second,
		},
		"its time has come":              {h: history{Revision: "new", NextStart: noon}, f: facts{revision: "new"}, want: stepStart},
		"what is over stays over":        {h: history{Revision: "new", Over: true}, f: facts{revision: "new"}, want: stepRest},
		"another revision is not over":   {h: history{Revision: "old", Over: true}, want: stepCreate},
		"another revision does not wait": {h: history{Revision: "old", NextStart: noon.Add(time.Hour)}, want: stepCreate},
		"a run whose end nobody saw is lost": {
			h: history{Revision: "new", Running: true}, f: facts{revision: "new"}, want: stepLost,
		},
	} {
		got, wait := nextStep("new", c.h, c.f, noon)
		require.Equal(t, c.want, got, name)
		require.Equal(t, c.wait, wait, name)
	}
}

func TestAfterExit(t *testing.T) {
	b := RestartBackoff{}.withDefaults()
	exit := func(code int, at time.Duration) facts {
		return facts{revision: "r", task: taskStopped, exitCode: code, exitedAt: noon.Add(at)}
	}
	t.Run("the wait doubles up to its limit and a long run resets it", func(t *testing.T) {
		h := history{Revision: "r"}
		at := time.Duration(0)
		for _, want := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, time.Minute, time.Minute} {
			h = h.afterStart("r", noon.Add(at))
			at += time.Second
			h = h.afterExit(exit(1, at), runtime.RestartAlways, b)
			require.Equal(t, want, h.NextStart.Sub(h.ExitedAt))
			at += want
		}
		require.EqualValues(t, 9, h.Exits)
		require.EqualValues(t, 8, h.Restarts)
		h = h.afterStart("r", noon.Add(at)).afterExit(exit(1, at+time.Hour), runtime.RestartAlways, b)
		require.Equal(t, b.Min, h.NextStart.Sub(h.ExitedAt))
	})
	t.Run("policies", func(t *testing.T) {
		for _, c := range []struct {
			policy runtime.RestartPolicy
			code   int
			over   bool
		}{
			{"", 0, false},
			{runtime.RestartAlways, 0, false},
			{runtime.RestartAlways, 1, false},
			{runtime.RestartOnFailure, 0, true},
			{runtime.RestartOnFailure, 1, false},
			{runtime.RestartNo, 0, true},
			{runtime.RestartNo, 1, true},
		} {
			h := history{}.afterExit(exit(c.code, 0), c.policy, b)
			require.Equal(t, c.over, h.Over, "%s %d", c.policy, c.code)
			require.Equal(t, c.over, h.NextStart.IsZero())
		}
	})
}

// TestAReplicaConverges plays random histories: whatever happens in between, steps taken in turn lead to the wanted
// revision running or to rest by policy, every end is counted once, and no step repeats itself for ever.
func TestAReplicaConverges(t *testing.T) {
	b := RestartBackoff{}.withDefaults()
	rapid.Check(t, func(t *rapid.T) {
		policy := rapid.SampledFrom([]runtime.RestartPolicy{runtime.RestartAlways, runtime.RestartOnFailure, runtime.RestartNo}).Draw(t, "policy")
		var h history
		var f facts
		now, wanted, ends := noon, "a", uint32(0)
		for range rapid.IntRange(1, 30).Draw(t, "events") {
			now = now.Add(time.Duration(rapid.IntRange(1, 1000).Draw(t, "ms")) * time.Millisecond)
			switch rapid.IntRange(0, 4).Draw(t, "event") {
			case 0: // the process ends
				if f.task == taskRunning {
					f.task, f.exitCode, f.exitedAt = taskStopped, rapid.IntRange(0, 2).Draw(t, "code"), now
				}
			case 1: // the agent dies after writing down an end and before forgetting the process
				if f.task == taskStopped {
					if h.Revision != f.revision {
						ends = 0
					}
					h, ends = h.afterExit(f, policy, b), ends+1
				}
			case 2: // another revision is wanted
				wanted = rapid.SampledFrom([]string{"a", "b"}).Draw(t, "revision")
			case 3: // the agent dies between making and starting a process
				if f.revision != "" && f.task == taskNone {
					f.task = taskCreated
				}
			default:
				next, _ := nextStep(wanted, h, f, now)
				h, f, ends = take(next, wanted, h, f, ends, now, policy, b)
			}
			if h.Revision == "" || f.task == taskStopped {
				continue
			}
			if h.Exits > ends {
				t.Fatalf("%d ends counted as %d", ends, h.Exits)
			}
		}
		for i := range 20 {
			next, wait := nextStep(wanted, h, f, now)
			if next == stepRest {
				if f.task != taskRunning && !h.Over {
					t.Fatalf("rests without running: %+v %+v", h, f)
				}
				if f.task == taskRunning && f.revision != wanted {
					t.Fatalf("rests on %s, wanted %s", f.revision, wanted)
				}
				return
			}
			now = now.Add(wait)
			h, f, ends = take(next, wanted, h, f, ends, now, policy, b)
			if i == 19 {
				t.Fatalf("does not converge: %+v %+v", h, f)
			}
		}
	})
}

// take does what a worker does for a step.
func take(next step, wanted string, h history, f facts, ends uint32, now time.Time, policy runtime.RestartPolicy, b RestartBackoff) (history, facts, uint32) {
	switch next {
	case stepReap, stepLost:
		if next == stepLost {
			f.exitCode, f.exitedAt = lostExitCode, now
		}
		before := h.Exits
		if h.Revision != f.revision {
			before, ends = 0, 0
		}
		h = h.afterExit(f, policy, b)
		ends += h.Exits - before
		f = facts{revision: f.revision}
	case stepDiscard:
		f = facts{revision: f.revision}
	case stepReplace:
		f = facts{}
	case stepCreate:
		f = facts{revision: wanted}
	case stepStart:
		h, f.task = h.afterStart(wanted, now), taskRunning
	case stepRest, stepWait:
	}
	return h, f, ends
}
