package containerd

import (
	"fmt"
	"time"

	"github.com/souk-network/souk/agent/runtime"
)

// taskState is what the engine says of a replica's process.
type taskState int

const (
	taskNone    taskState = iota
	taskCreated           // made but never started: the agent died in between
	taskRunning
	taskStopped // ended, and its end not yet written down
)

// facts is what exists of a replica.
type facts struct {
	revision string // definition of its container; "" when there is none
	limits   string // that its container has
	task     taskState
	pid      uint32
	exitCode int
	exitedAt time.Time
	oom      bool // a process was ended by the memory limit
}

// goal is what is wanted of a replica, and what the others allow.
type goal struct {
	revision string // definition wanted
	workload string // revision of the workload that wants it
	limits   string // that can be changed while it runs
	job      bool
	paused   bool
	mayStart bool // what it depends on is there
	mayStop  bool // nothing that depends on it runs
	mayMove  bool // it is its turn to go over to the wanted definition
}

// judgement is what is known of the run of a definition that has not proven itself.
type judgement int

// trial is a judgement, and in what time it is good if nothing happens; zero for never.
type trial struct {
	verdict judgement
	in      time.Duration
}

const (
	verdictOpen judgement = iota
	verdictGood
	verdictBad
)

// step is what to do next with a replica.
type step int

const (
	stepRest    step = iota // nothing until something changes
	stepWait                // nothing until some time
	stepBlocked             // nothing until what it depends on is there
	stepReap                // write down how the process ended and forget it
	stepLost                // write down that a run ended, nobody knows how: its shim or the host went down
	stepAdopt               // write down that it runs: the agent died before it could
	stepDiscard             // forget a process that was made and never started
	stepStop                // ask its process to end
	stepResize              // change the limits of what exists
	stepProve               // write down that this definition works
	stepGiveUp              // write down that it does not, so that the last that did comes back
	stepReplace             // make way for another definition
	stepCreate              // make the container
	stepStart               // start its process
)

func (s step) String() string {
	return [...]string{"rest", "wait", "blocked", "reap", "lost", "adopt", "discard", "stop", "resize", "prove", "give-up", "replace", "create", "start"}[s]
}

// trialTime is how long a run without health check must last to prove a definition.
const trialTime = 10 * time.Second

// target is the definition that a replica should have: the wanted one, or the last good one when that failed.
func (g goal) target(h history) string {
	if h.heldBack(g) {
		return h.Good
	}
	return g.revision
}

// aim is the definition to go on with now: what exists stays until it is its turn.
func (g goal) aim(h history, f facts) string {
	target := g.target(h)
	if f.revision != "" && f.revision != target && !g.mayMove && !h.heldBack(g) {
		return f.revision
	}
	return target
}

// nextStep compares what is wanted of a replica with what exists. Called again after each step, it leads from any
// state to a running replica of the wanted definition, or of the last good one, or to rest. The duration belongs to
// stepWait.
func nextStep(g goal, h history, f facts, t trial, now time.Time) (step, time.Duration) {
	aim := g.aim(h, f)
	switch {
	case f.task == taskStopped:
		return stepReap, 0
	case f.task == taskRunning:
		return runningStep(g, h, f, t, aim)
	case f.task == taskCreated:
		return stepDiscard, 0
	case f.revision != "" && h.Revision == f.revision && h.Running:
		return stepLost, 0
	case g.paused:
		return stepRest, 0
	case h.Revision == aim && h.Over && (f.revision == aim || f.revision == ""):
		return stepRest, 0
	case h.Revision == aim && now.Before(h.NextStart):
		return stepWait, h.NextStart.Sub(now)
	case !g.mayStart && !(h.Revision == aim && h.Ordered):
		return stepBlocked, 0
	case f.revision != "" && f.revision != aim:
		return stepReplace, 0
	case f.revision == "":
		return stepCreate, 0
	case f.limits != g.limits:
		return stepResize, 0
	default:
		return stepStart, 0
	}
}

func runningStep(g goal, h history, f facts, t trial, aim string) (step, time.Duration) {
	switch {
	case h.Revision != f.revision || !h.Running:
		return stepAdopt, 0
	case g.paused && g.mayStop, f.revision != aim:
		return stepStop, 0
	case g.paused:
		return stepBlocked, 0
	case f.limits != g.limits:
		return stepResize, 0
	case g.job || h.Good == f.revision:
		return stepRest, 0
	case t.verdict == verdictGood:
		return stepProve, 0
	case t.verdict == verdictBad && h.onTrial(g):
		return stepGiveUp, 0
	case t.in > 0:
		return stepWait, t.in
	}
	return stepRest, 0
}

// judge tells what a run without or with a health check proves so far.
func judge(checked bool, health runtime.Health, startedAt, now time.Time) trial {
	switch {
	case checked && health == runtime.HealthHealthy:
		return trial{verdict: verdictGood}
	case checked && health == runtime.HealthUnhealthy:
		return trial{verdict: verdictBad}
	case checked:
		return trial{}
	}
	if left := trialTime - now.Sub(startedAt); left > 0 {
		return trial{in: left}
	}
	return trial{verdict: verdictGood}
}

// history is what a replica went through in one definition, and which definition proved itself last; it is durable.
type history struct {
	Revision  string        `json:"revision"` // of the definition
	Workload  string        `json:"workload"` // the last revision of the workload that wanted it
	Restarts  uint32        `json:"restarts"`
	Exits     uint32        `json:"exits"`
	ExitCode  int           `json:"exit_code"`
	OOMKilled bool          `json:"oom_killed"`
	StartedAt time.Time     `json:"started_at"`
	ExitedAt  time.Time     `json:"exited_at"`
	NextStart time.Time     `json:"next_start"`
	Delay     time.Duration `json:"delay"`    // last waited before a start, in nanoseconds
	Running   bool          `json:"running"`  // started, and its end not written down
	Over      bool          `json:"over"`     // the policy says that it stays ended
	Ordered   bool          `json:"ordered"`  // started when what it depends on was there: starts again by itself
	Failures  uint32        `json:"failures"` // starts in a row that failed

	Good         string `json:"good"` // definition that proved itself last; "" for none
	GoodWorkload string `json:"good_workload"`
	Held         held   `json:"held"`
}

// held is a definition that was tried and given up.
type held struct {
	Revision string             `json:"revision"` // of the definition
	Workload string             `json:"workload"` // that wanted it: another one may try it again
	Error    string             `json:"error"`
	Class    runtime.ErrorClass `json:"class"`
}

// heldBack tells whether what is wanted failed and the last good definition stands in for it.
func (h history) heldBack(g goal) bool {
	return h.Good != "" && h.Held.Revision == g.revision && h.Held.Workload == g.workload && g.revision != h.Good
}

// onTrial tells whether there is a definition to go back to from this one. What is meant to end is not tried.
func (h history) onTrial(g goal) bool {
	return !g.job && h.Good != "" && h.Good != h.Revision && h.Revision == g.revision
}

// of begins the history of another definition.
func (h history) of(revision, workload string) history {
	if h.Revision == revision {
		return h
	}
	if revision == h.Good {
		workload = h.GoodWorkload
	}
	return history{Revision: revision, Workload: workload, Good: h.Good, GoodWorkload: h.GoodWorkload, Held: h.Held}
}

// RestartBackoff spaces the starts of a replica that keeps ending: Min, then twice as long each time up to Max;
// a run of ResetAfter or longer counts as good and starts again at Min.
type RestartBackoff struct {
	Min        time.Duration // default 500 ms
	Max        time.Duration // default 1 minute
	ResetAfter time.Duration // default 1 minute
}

func (b RestartBackoff) withDefaults() RestartBackoff {
	if b.Min == 0 {
		b.Min = 500 * time.Millisecond
	}
	if b.Max == 0 {
		b.Max = time.Minute
	}
	if b.ResetAfter == 0 {
		b.ResetAfter = time.Minute
	}
	return b
}

func (b RestartBackoff) after(delay time.Duration) time.Duration {
	return min(max(2*delay, b.Min), b.Max)
}

// policy is when a replica is started again.
type policy struct {
	restart runtime.RestartPolicy
	most    uint32 // restarts; 0 for no bound
	backoff RestartBackoff
}

// stays tells whether a replica that ended stays so.
func (p policy) stays(restarts uint32, exitCode int) bool {
	if p.most > 0 && restarts >= p.most {
		return true
	}
	return p.restart == runtime.RestartNo || (p.restart == runtime.RestartOnFailure && exitCode == 0)
}

// afterExit adds the end of a run. Adding the same end twice changes nothing, so that the agent may die between
// writing it down and forgetting the process. A definition on trial that ends badly is given up.
func (h history) afterExit(g goal, f facts, p policy) history {
	if h.Revision == f.revision && !h.Running && h.Exits > 0 && h.ExitedAt.Equal(f.exitedAt) {
		return h
	}
	h = h.of(f.revision, h.Workload)
	h.Running = false
	h.Exits++
	h.ExitCode, h.ExitedAt, h.OOMKilled = f.exitCode, f.exitedAt, f.oom
	h.Over = p.stays(h.Restarts, f.exitCode)
	switch {
	case h.onTrial(g) && !h.heldBack(g) && (f.exitCode != 0 || !h.Over):
		return h.givenUp(g, exitText(h), runtime.ClassTenant)
	case h.Over && f.exitCode == 0 && !g.job:
		return h.proven()
	case h.Over:
		return h
	}
	if f.exitedAt.Sub(h.StartedAt) >= p.backoff.ResetAfter {
		h.Delay = 0
	}
	h.Delay = p.backoff.after(h.Delay)
	h.NextStart = f.exitedAt.Add(h.Delay)
	return h
}

// afterStop notes that a run ended because it was asked to: that is no end of its own.
func (h history) afterStop(f facts) history {
	h = h.of(f.revision, h.Workload)
	h.Running, h.Ordered, h.NextStart, h.Delay = false, false, time.Time{}, 0
	return h
}

// afterLoss notes that a run ended with its host or shim. It is not the replica's fault: it starts again in order.
func (h history) afterLoss(now time.Time, p policy) history {
	h.Running, h.Ordered = false, false
	h.Exits++
	h.ExitCode, h.ExitedAt, h.OOMKilled = lostExitCode, now, false
	if h.Over = p.stays(h.Restarts, lostExitCode); h.Over {
		return h
	}
	h.Delay = p.backoff.after(h.Delay)
	h.NextStart = now.Add(h.Delay)
	return h
}

// triesOfHost is how often a definition on trial may fail to start for a reason that is not the tenant's.
const triesOfHost = 3

// afterFailedStart spaces the next try after a container that could not be started.
func (h history) afterFailedStart(g goal, revision string, err error, b RestartBackoff, now time.Time) history {
	h = h.of(revision, g.workload)
	h.Failures++
	if class := runtime.ClassOf(err); h.onTrial(g) && (class == runtime.ClassTenant || h.Failures >= triesOfHost) {
		return h.givenUp(g, err.Error(), class)
	}
	h.Delay = b.after(h.Delay)
	h.NextStart = now.Add(h.Delay)
	return h
}

// afterStart notes that a run began.
func (h history) afterStart(g goal, revision string, now time.Time) history {
	h = h.of(revision, g.workload)
	if h.Exits > 0 {
		h.Restarts++
	}
	h.Running, h.Ordered, h.Over, h.Failures = true, true, false, 0
	h.StartedAt, h.NextStart = now, time.Time{}
	return h
}

// proven notes that the definition works.
func (h history) proven() history {
	h.Good, h.GoodWorkload, h.Held = h.Revision, h.Workload, held{}
	return h
}

// wantedBy notes which workload wants the definition that runs.
func (h history) wantedBy(workload string) history {
	h.Workload = workload
	if h.Good == h.Revision {
		h.GoodWorkload = workload
	}
	return h
}

// givenUp notes that the wanted definition does not work.
func (h history) givenUp(g goal, why string, class runtime.ErrorClass) history {
	h.Held = held{Revision: g.revision, Workload: g.workload, Error: why, Class: class}
	h.NextStart = time.Time{}
	return h
}

// lostExitCode stands for a run whose end nobody saw.
const lostExitCode = 255

func exitText(h history) string {
	if h.OOMKilled {
		return fmt.Sprintf("ended with exit code %d: its memory limit was reached; lease more memory or use less", h.ExitCode)
	}
	if h.ExitCode == lostExitCode {
		return "ended with the host or its supervisor, or with exit code 255; see its logs"
	}
	return fmt.Sprintf("ended with exit code %d; see its logs", h.ExitCode)
}
