package containerd

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/agent/runtime"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func TestNextStep(t *testing.T) {
	good := trial{verdict: verdictGood}
	bad := trial{verdict: verdictBad}
	runs := func(revision string) facts { return facts{revision: revision, limits: "l", task: taskRunning} }
	of := func(revision, good string) history {
		return history{Revision: revision, Running: true, Ordered: true, Good: good}
	}
	failed := held{Revision: "new", Workload: "w"}
	for name, c := range map[string]struct {
		change func(*goal)
		h      history
		f      facts
		t      trial
		want   step
		wait   time.Duration
	}{
		"nothing exists: make it":                          {want: stepCreate},
		"a container without process is started":           {f: facts{revision: "new", limits: "l"}, want: stepStart},
		"what runs is left alone":                          {h: of("new", "new"), f: runs("new"), want: stepRest},
		"an old definition is asked to end":                {h: of("old", "old"), f: runs("old"), want: stepStop},
		"an old definition makes way when it has ended":    {h: history{Revision: "old"}, f: facts{revision: "old"}, want: stepReplace},
		"an old definition that ended is written down":     {h: of("old", ""), f: facts{revision: "old", task: taskStopped}, want: stepReap},
		"a process that was never started is forgotten":    {f: facts{revision: "new", task: taskCreated}, want: stepDiscard},
		"what ended is written down":                       {f: facts{revision: "new", task: taskStopped}, want: stepReap},
		"a start that was not written down is written now": {h: history{Revision: "old"}, f: runs("new"), want: stepAdopt},
		"it waits for its time": {
			h: history{Revision: "new", NextStart: noon.Add(time.Second)}, f: facts{revision: "new", limits: "l"}, want: stepWait, wait: time.Second,
		},
		"its time has come":                {h: history{Revision: "new", NextStart: noon}, f: facts{revision: "new", limits: "l"}, want: stepStart},
		"what is over stays over":          {h: history{Revision: "new", Over: true}, f: facts{revision: "new", limits: "l"}, want: stepRest},
		"another definition is not over":   {h: history{Revision: "old", Over: true}, want: stepCreate},
		"another definition does not wait": {h: history{Revision: "old", NextStart: noon.Add(time.Hour)}, want: stepCreate},
		"a run whose end nobody saw is lost": {
			h: history{Revision: "new", Running: true}, f: facts{revision: "new", limits: "l"}, want: stepLost,
		},
		"a lost run of an old definition is lost, too": {
			h: history{Revision: "old", Running: true}, f: facts{revision: "old"}, want: stepLost,
		},

		"other limits are set while it runs":        {h: of("new", "new"), f: facts{revision: "new", limits: "less", task: taskRunning}, want: stepResize},
		"other limits are set before it starts":     {h: history{Revision: "new"}, f: facts{revision: "new", limits: "less"}, want: stepResize},
		"an old definition does not get new limits": {h: of("old", "old"), f: facts{revision: "old", limits: "less", task: taskRunning}, want: stepStop},

		"a pause asks it to end":                       {change: func(g *goal) { g.paused = true }, h: of("new", "new"), f: runs("new"), want: stepStop},
		"a pause waits for those that need it":         {change: func(g *goal) { g.paused, g.mayStop = true, false }, h: of("new", "new"), f: runs("new"), want: stepBlocked},
		"nothing starts in a pause":                    {change: func(g *goal) { g.paused = true }, f: facts{revision: "new", limits: "l"}, want: stepRest},
		"nothing is made in a pause":                   {change: func(g *goal) { g.paused = true }, want: stepRest},
		"nothing is replaced in a pause":               {change: func(g *goal) { g.paused = true }, f: facts{revision: "old"}, want: stepRest},
		"it starts when what it needs is there":        {change: func(g *goal) { g.mayStart = false }, f: facts{revision: "new", limits: "l"}, want: stepBlocked},
		"it is started again without waiting for that": {change: func(g *goal) { g.mayStart = false }, h: history{Revision: "new", Ordered: true}, f: facts{revision: "new", limits: "l"}, want: stepStart},
		"until its turn the old definition goes on":    {change: func(g *goal) { g.mayMove = false }, h: of("old", "old"), f: facts{revision: "old", limits: "l", task: taskRunning}, want: stepRest},
		"until its turn the old definition is started": {change: func(g *goal) { g.mayMove = false }, h: history{Revision: "old"}, f: facts{revision: "old", limits: "l"}, want: stepStart},

		"what works is written down":                       {h: of("new", ""), f: runs("new"), t: good, want: stepProve},
		"what replaced something good is proven, too":      {h: of("new", "old"), f: runs("new"), t: good, want: stepProve},
		"a trial takes its time":                           {h: of("new", "old"), f: runs("new"), t: trial{in: time.Second}, want: stepWait, wait: time.Second},
		"what fails is given up when there is a good one":  {h: of("new", "old"), f: runs("new"), t: bad, want: stepGiveUp},
		"what fails goes on when there is none":            {h: of("new", ""), f: runs("new"), t: bad, want: stepRest},
		"a job is not tried":                               {change: func(g *goal) { g.job = true }, h: of("new", ""), f: runs("new"), t: good, want: stepRest},
		"what was given up is asked to end":                {h: history{Revision: "new", Running: true, Good: "old", Held: failed}, f: runs("new"), want: stepStop},
		"the last good one is made again":                  {h: history{Revision: "new", Good: "old", Held: failed}, want: stepCreate},
		"the last good one goes on":                        {h: history{Revision: "old", Running: true, Good: "old", Held: failed}, f: runs("old"), want: stepRest},
		"another workload tries what was given up again":   {change: func(g *goal) { g.workload = "x" }, h: history{Revision: "old", Running: true, Good: "old", Held: failed}, f: runs("old"), want: stepStop},
		"what was given up does not come back by its wait": {h: history{Revision: "new", Good: "old", Held: failed}, f: facts{revision: "new"}, want: stepReplace},
	} {
		g := goal{revision: "new", workload: "w", limits: "l", mayStart: true, mayStop: true, mayMove: true}
		if c.change != nil {
			c.change(&g)
		}
		got, wait := nextStep(g, c.h, c.f, c.t, noon)
		require.Equal(t, c.want.String(), got.String(), name)
		require.Equal(t, c.wait, wait, name)
	}
}

func TestJudgement(t *testing.T) {
	require.Equal(t, trial{in: 4 * time.Second}, judge(false, "", noon, noon.Add(6*time.Second)), "it must last")
	require.Equal(t, trial{verdict: verdictGood}, judge(false, "", noon, noon.Add(trialTime)))
	require.Equal(t, trial{}, judge(true, runtime.HealthStarting, noon, noon.Add(time.Hour)), "only the check tells")
	require.Equal(t, trial{verdict: verdictGood}, judge(true, runtime.HealthHealthy, noon, noon))
	require.Equal(t, trial{verdict: verdictBad}, judge(true, runtime.HealthUnhealthy, noon, noon))
}

var anyGoal = goal{revision: "r", workload: "w", limits: "l", mayStart: true, mayStop: true, mayMove: true}

func TestAfterExit(t *testing.T) {
	b := RestartBackoff{}.withDefaults()
	exit := func(code int, at time.Duration) facts {
		return facts{revision: "r", task: taskStopped, exitCode: code, exitedAt: noon.Add(at)}
	}
	always := policy{restart: runtime.RestartAlways, backoff: b}
	t.Run("the wait doubles up to its limit and a long run resets it", func(t *testing.T) {
		h := history{Revision: "r"}
		at := time.Duration(0)
		for _, want := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, time.Minute, time.Minute} {
			h = h.afterStart(anyGoal, "r", noon.Add(at))
			at += time.Second
			h = h.afterExit(anyGoal, exit(1, at), always)
			require.Equal(t, want, h.NextStart.Sub(h.ExitedAt))
			at += want
		}
		require.EqualValues(t, 9, h.Exits)
		require.EqualValues(t, 8, h.Restarts)
		h = h.afterStart(anyGoal, "r", noon.Add(at)).afterExit(anyGoal, exit(1, at+time.Hour), always)
		require.Equal(t, b.Min, h.NextStart.Sub(h.ExitedAt))
	})
	t.Run("policies", func(t *testing.T) {
		for _, c := range []struct {
			policy   runtime.RestartPolicy
			most     uint32
			restarts uint32
			code     int
			over     bool
		}{
			{"", 0, 9, 0, false},
			{runtime.RestartAlways, 0, 9, 0, false},
			{runtime.RestartAlways, 0, 9, 1, false},
			{runtime.RestartAlways, 2, 1, 1, false},
			{runtime.RestartAlways, 2, 2, 1, true},
			{runtime.RestartOnFailure, 0, 9, 0, true},
			{runtime.RestartOnFailure, 0, 9, 1, false},
			{runtime.RestartOnFailure, 3, 3, 1, true},
			{runtime.RestartNo, 0, 0, 0, true},
			{runtime.RestartNo, 0, 0, 1, true},
		} {
			h := history{Revision: "r", Restarts: c.restarts, Running: true}.afterExit(anyGoal, exit(c.code, 0), policy{restart: c.policy, most: c.most, backoff: b})
			require.Equal(t, c.over, h.Over, "%+v", c)
			require.Equal(t, c.over, h.NextStart.IsZero())
		}
	})
	t.Run("on trial", func(t *testing.T) {
		tried := history{Revision: "r", Running: true, Good: "old", StartedAt: noon}
		require.True(t, tried.afterExit(anyGoal, exit(1, time.Second), always).heldBack(anyGoal), "an error is the end of it")
		require.True(t, tried.afterExit(anyGoal, exit(0, time.Second), always).heldBack(anyGoal), "it should have gone on")
		once := tried.afterExit(anyGoal, exit(0, time.Second), policy{restart: runtime.RestartNo, backoff: b})
		require.False(t, once.heldBack(anyGoal))
		require.Equal(t, "r", once.Good, "it ended well")
		job := anyGoal
		job.job = true
		require.False(t, tried.afterExit(job, exit(1, time.Second), always).heldBack(job), "an older job is not run again")
		require.False(t, tried.afterLoss(noon, always).heldBack(anyGoal), "the host went down")
		require.False(t, tried.afterStop(exit(137, time.Second)).heldBack(anyGoal), "it was asked to")
		first := history{Revision: "r", Running: true}.afterExit(anyGoal, exit(1, time.Second), always)
		require.False(t, first.heldBack(anyGoal), "nothing to go back to")
	})
	t.Run("starts that fail on trial", func(t *testing.T) {
		tenants := runtime.Classify(runtime.ClassTenant, errors.New("no such program"))
		tried := history{Revision: "old", Good: "old"}
		require.True(t, tried.afterFailedStart(anyGoal, "r", tenants, b, noon).heldBack(anyGoal))
		hosts := errors.New("no loop device")
		for range triesOfHost - 1 {
			tried = tried.afterFailedStart(anyGoal, "r", hosts, b, noon)
			require.False(t, tried.heldBack(anyGoal))
			require.False(t, tried.NextStart.IsZero())
		}
		require.True(t, tried.afterFailedStart(anyGoal, "r", hosts, b, noon).heldBack(anyGoal))
	})
}

// behaviour is what a definition does when it runs.
type behaviour int

const (
	works behaviour = iota
	exits           // soon, with an error
	ails            // its health check fails
	never           // it cannot be started
)

// world is one replica on its host, with an agent that may die at any moment.
type world struct {
	t      *rapid.T
	goal   goal
	h      history
	f      facts
	now    time.Time
	does   map[string]behaviour
	policy policy
	dies   bool // the agent may
}

// dead draws whether the agent dies here.
func (w *world) dead() bool { return w.dies && rapid.IntRange(0, 9).Draw(w.t, "dies") == 0 }

// trial is what health checks and time say.
func (w *world) trial() trial {
	health := runtime.HealthHealthy
	if w.does[w.f.revision] == ails {
		health = runtime.HealthUnhealthy
	}
	return judge(w.does[w.f.revision] == ails, health, w.h.StartedAt, w.now)
}

// take does what a worker does for a step; it returns early where the agent dies in the middle.
func (w *world) take(next step) {
	aim := w.goal.aim(w.h, w.f)
	switch next {
	case stepReap:
		if w.goal.paused || w.f.revision != aim {
			w.h = w.h.afterStop(w.f)
		} else {
			w.h = w.h.afterExit(w.goal, w.f, w.policy)
		}
		if w.dead() {
			return
		}
		w.f.task = taskNone
	case stepLost:
		w.h = w.h.afterLoss(w.now, w.policy)
	case stepAdopt:
		w.h = w.h.afterStart(w.goal, w.f.revision, w.now)
	case stepDiscard:
		w.f.task = taskNone
	case stepStop:
		w.f.task, w.f.exitCode, w.f.exitedAt = taskStopped, 143, w.now
	case stepResize:
		w.f.limits = w.goal.limits
	case stepProve:
		if d := w.does[w.h.Revision]; d == ails || d == never {
			w.t.Fatalf("%s is proven", w.h.Revision)
		}
		w.h = w.h.proven()
	case stepGiveUp:
		w.h = w.h.givenUp(w.goal, "ails", runtime.ClassTenant)
	case stepReplace:
		w.f = facts{}
	case stepCreate:
		w.f = facts{revision: aim, limits: w.goal.limits}
	case stepStart:
		if w.dead() {
			w.f.task = taskCreated
			return
		}
		if w.does[aim] == never {
			w.h = w.h.afterFailedStart(w.goal, aim, runtime.Invalidf("cannot start"), w.policy.backoff, w.now)
			return
		}
		w.f.task = taskRunning
		if w.dead() {
			return
		}
		w.h = w.h.afterStart(w.goal, aim, w.now)
	case stepRest, stepWait, stepBlocked:
	}
}

// TestAReplicaConverges plays random histories: whatever happens in between, and wherever the agent dies, steps taken in
// turn lead to the wanted definition running, to the last good one when that fails, or to rest by policy.
func TestAReplicaConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{
			t: t, goal: anyGoal, now: noon, dies: true,
			does: map[string]behaviour{"a": works},
			policy: policy{
				restart: rapid.SampledFrom([]runtime.RestartPolicy{runtime.RestartAlways, runtime.RestartOnFailure, runtime.RestartNo}).Draw(t, "policy"),
				most:    rapid.Uint32Range(0, 3).Draw(t, "most"), backoff: RestartBackoff{}.withDefaults(),
			},
		}
		for _, d := range []string{"b", "c", "d"} {
			w.does[d] = rapid.SampledFrom([]behaviour{works, exits, ails, never}).Draw(t, d)
		}
		w.goal.revision = "a"
		w.goal.job = rapid.Bool().Draw(t, "job")
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			w.now = w.now.Add(time.Duration(rapid.IntRange(1, 4000).Draw(t, "ms")) * time.Millisecond)
			switch rapid.IntRange(0, 9).Draw(t, "event") {
			case 0: // the process ends
				w.end(rapid.IntRange(0, 2).Draw(t, "code"))
			case 1: // the host goes down
				w.f.task = taskNone
			case 2:
				w.goal.revision = rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "revision")
				w.goal.workload = rapid.SampledFrom([]string{"u", "v", "w"}).Draw(t, "workload")
			case 3:
				w.goal.limits = rapid.SampledFrom([]string{"l", "m"}).Draw(t, "limits")
			case 4:
				w.goal.paused = rapid.Bool().Draw(t, "paused")
			case 5:
				w.goal.mayMove = rapid.Bool().Draw(t, "turn")
				w.goal.mayStart = rapid.Bool().Draw(t, "ready")
			default:
				next, _ := nextStep(w.goal, w.h, w.f, w.trial(), w.now)
				w.take(next)
			}
		}
		w.dies = false
		w.goal.paused, w.goal.mayMove, w.goal.mayStart, w.goal.mayStop = rapid.Bool().Draw(t, "paused at last"), true, true, true
		w.converge()
	})
}

// end ends the process, if one runs.
func (w *world) end(code int) {
	if w.f.task == taskRunning {
		w.f.task, w.f.exitCode, w.f.exitedAt = taskStopped, code, w.now
	}
}

// converge takes steps until nothing changes any more, and checks where that is.
func (w *world) converge() {
	for range 400 {
		if w.f.task == taskRunning && w.does[w.f.revision] == exits && w.h.Running && w.h.Revision == w.f.revision {
			w.now = w.now.Add(time.Second)
			w.end(1)
		}
		next, wait := nextStep(w.goal, w.h, w.f, w.trial(), w.now)
		if next == stepBlocked {
			w.t.Fatalf("blocked though all is there: %+v %+v", w.h, w.f)
		}
		if next == stepRest {
			w.rested()
			return
		}
		w.now = w.now.Add(wait)
		w.take(next)
	}
	// Only a definition that has no good one before it is tried for ever.
	if w.does[w.goal.target(w.h)] == works || (w.does[w.h.Good] == works && !w.goal.job && w.h.Good != "" && w.h.Good != w.goal.revision) {
		w.t.Fatalf("does not converge: %+v %+v %+v", w.goal, w.h, w.f)
	}
}

func (w *world) rested() {
	target := w.goal.target(w.h)
	switch {
	case w.goal.paused:
		if w.f.task != taskNone {
			w.t.Fatalf("runs in a pause: %+v", w.f)
		}
	case w.f.task == taskRunning:
		if w.f.revision != target || w.f.limits != w.goal.limits {
			w.t.Fatalf("rests on %+v, wanted %+v", w.f, w.goal)
		}
		if w.does[target] == ails && !w.goal.job && w.h.Good != "" && w.h.Good != target {
			w.t.Fatalf("rests on what ails, though %s works", w.h.Good)
		}
	case !w.h.Over || w.h.Revision != target:
		w.t.Fatalf("rests without running: %+v %+v", w.h, w.f)
	}
}
