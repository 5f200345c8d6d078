package containerd

import (
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
	revision string // of its container; "" when there is none
	task     taskState
	pid      uint32
	exitCode int
	exitedAt time.Time
	oom      bool // a process was ended by the memory limit
}

// history is what a replica went through in one revision; it is durable.
type history struct {
	Revision  string        `json:"revision"`
	Restarts  uint32        `json:"restarts"`
	Exits     uint32        `json:"exits"`
	ExitCode  int           `json:"exit_code"`
	OOMKilled bool          `json:"oom_killed"`
	StartedAt time.Time     `json:"started_at"`
	ExitedAt  time.Time     `json:"exited_at"`
	NextStart time.Time     `json:"next_start"`
	Delay     time.Duration `json:"delay"`   // last waited before a start, in nanoseconds
	Running   bool          `json:"running"` // started, and its end not written down
	Over      bool          `json:"over"`    // the policy says that it stays ended
}

// step is what to do next with a replica.
type step int

const (
	stepRest    step = iota // nothing until something changes
	stepWait                // nothing until the time to start again
	stepReap                // write down how the process ended and forget it
	stepLost                // write down that a run ended, nobody knows how: its shim or the host went down
	stepDiscard             // forget a process that was made and never started
	stepReplace             // make way for another revision
	stepCreate              // make the container
	stepStart               // start its process
)

// nextStep compares what is wanted of a replica with what exists. Called again after each step, it leads from any
// state to a running replica of the wanted revision, or to rest. The duration belongs to stepWait.
func nextStep(wanted string, h history, f facts, now time.Time) (step, time.Duration) {
	switch {
	case f.task == taskStopped:
		return stepReap, 0
	case f.revision != "" && f.revision != wanted:
		return stepReplace, 0
	case f.task == taskRunning:
		return stepRest, 0
	case f.task == taskCreated:
		return stepDiscard, 0
	case h.Revision == wanted && f.revision == wanted && h.Running:
		return stepLost, 0
	case h.Revision == wanted && h.Over:
		return stepRest, 0
	case h.Revision == wanted && now.Before(h.NextStart):
		return stepWait, h.NextStart.Sub(now)
	case f.revision == "":
		return stepCreate, 0
	default:
		return stepStart, 0
	}
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

// afterExit adds the end of a run. Adding the same end twice changes nothing, so that the agent may die between
// writing it down and forgetting the process.
func (h history) afterExit(f facts, policy runtime.RestartPolicy, b RestartBackoff) history {
	if h.Revision == f.revision && !h.Running && h.Exits > 0 && h.ExitedAt.Equal(f.exitedAt) {
		return h
	}
	if h.Revision != f.revision {
		h = history{Revision: f.revision}
	}
	h.Running = false
	h.Exits++
	h.ExitCode, h.ExitedAt, h.OOMKilled = f.exitCode, f.exitedAt, f.oom
	switch policy {
	case runtime.RestartNo:
		h.Over = true
	case runtime.RestartOnFailure:
		h.Over = f.exitCode == 0
	}
	if h.Over {
		return h
	}
	if f.exitedAt.Sub(h.StartedAt) >= b.ResetAfter {
		h.Delay = 0
	}
	h.Delay = b.after(h.Delay)
	h.NextStart = f.exitedAt.Add(h.Delay)
	return h
}

// afterFailedStart spaces the next try after a container that could not be started.
func (h history) afterFailedStart(revision string, b RestartBackoff, now time.Time) history {
	if h.Revision != revision {
		h = history{Revision: revision}
	}
	h.Delay = b.after(h.Delay)
	h.NextStart = now.Add(h.Delay)
	return h
}

// afterStart notes that a run began.
func (h history) afterStart(revision string, now time.Time) history {
	if h.Revision != revision {
		h = history{Revision: revision}
	}
	if h.Exits > 0 {
		h.Restarts++
	}
	h.Running, h.StartedAt, h.NextStart = true, now, time.Time{}
	return h
}
