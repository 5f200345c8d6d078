package containerd

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/souk-network/souk/agent/runtime"
)

// lease is one lease with its worker.
type lease struct {
	r    *Runtime
	id   runtime.LeaseID
	wake chan struct{}

	mu      sync.Mutex
	record  record
	cancel  context.CancelFunc // ends the pass that runs, for what it works towards is no longer wanted
	status  map[string]runtime.ReplicaStatus
	watched map[string]uint32 // container to the pid whose end wakes the worker

	retries  map[string]retry    // by container
	images   map[string]resolved // by definition
	checkers map[string]*checker // by container
	pids     map[string]uint32   // by container that runs
	sights   sights

	holdsMore    bool                    // the engine may keep images for it that no definition names
	preparing    map[string]*preparation // by definition
	preparations sync.WaitGroup

	// Of the worker alone.
	standings   map[string]*standing // by container
	stoppings   map[string]stopping  // by container
	removeDelay time.Duration

	announced      []neighbour // who serves, as the network was told
	announcedPorts []runtime.PublishedPort
}

// retry spaces tries to prepare a replica. It is not durable: a new process tries at once.
type retry struct {
	delay time.Duration
	next  time.Time
}

// startWorker begins to look after a lease. The caller holds r.mu.
func (r *Runtime) startWorker(rec record) {
	l := &lease{
		r: r, id: rec.Workload.Lease, wake: make(chan struct{}, 1), record: rec.listed(),
		status: map[string]runtime.ReplicaStatus{}, watched: map[string]uint32{}, retries: map[string]retry{},
		images: map[string]resolved{}, preparing: map[string]*preparation{}, checkers: map[string]*checker{}, pids: map[string]uint32{},
		standings: map[string]*standing{}, stoppings: map[string]stopping{},
		holdsMore: true, // as far as a new process knows
	}
	r.leases[l.id] = l
	r.workers.Go(l.run)
}

func (l *lease) wanted() record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.record
}

// want changes what the worker works towards, ending whatever it does for the old. What waits after an error is tried
// again.
func (l *lease) want(rec record) {
	l.mu.Lock()
	l.record = rec.listed()
	clear(l.retries)
	l.cancelPreparations(l.record)
	for id, s := range l.status { // what went wrong with the old is not said of the new
		s.HeldBack, s.Error, s.Class, s.NextStart = false, "", runtime.ClassNone, time.Time{}
		l.status[id] = s
	}
	if l.cancel != nil {
		l.cancel()
	}
	l.mu.Unlock()
	l.wakeUp()
}

func (l *lease) wakeUp() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// retryNow lets replicas that wait after an error try again at once.
func (l *lease) retryNow() {
	l.mu.Lock()
	for id, t := range l.retries {
		t.next = time.Time{}
		l.retries[id] = t
	}
	l.mu.Unlock()
	l.wakeUp()
}

// run looks at the lease whenever it is woken or time has come, until the lease is gone or the runtime closed.
func (l *lease) run() {
	for {
		again, gone := l.pass()
		if gone {
			return
		}
		var timer <-chan time.Time
		if again > 0 {
			timer = time.After(again)
		}
		select {
		case <-l.r.ctx.Done():
			return
		case <-l.wake:
		case <-timer:
		}
	}
}

// pass takes the lease as far as it goes now. It says when to look again at the latest (zero: when woken), and whether
// the lease is gone.
func (l *lease) pass() (again time.Duration, gone bool) {
	ctx, cancel := context.WithCancel(l.r.ctx)
	defer cancel()
	l.mu.Lock()
	rec := l.record
	l.cancel = cancel
	l.mu.Unlock()

	if rec.Removing {
		return l.remove(ctx, rec)
	}
	wanted := rec.units()
	l.forgetOthers(wanted)
	if err := l.removeStrangers(ctx, rec, wanted); err != nil && ctx.Err() == nil {
		l.r.log.Error("cannot remove replicas that are no longer wanted", "lease", l.id, "error", err)
		again = 5 * time.Second
	}
	if err := l.growStorage(ctx, rec); err != nil && ctx.Err() == nil {
		l.r.log.Error("cannot make a disk larger; will try again", "lease", l.id, "error", err)
		again = time.Minute
	}
	for range maxRounds {
		moved := false
		next := again
		for _, u := range wanted {
			wait, changed := l.advance(ctx, rec, u)
			moved = moved || changed
			if wait > 0 && (next == 0 || wait < next) {
				next = wait
			}
		}
		if !moved || ctx.Err() != nil {
			again = next
			break
		}
	}
	if ctx.Err() != nil {
		return again, false
	}
	if err := l.tidy(ctx, wanted); err != nil {
		l.r.log.Error("cannot delete what is no longer used of a lease", "lease", l.id, "error", err)
	}
	return again, false
}

// maxRounds bounds one pass: replicas wait for one another, so each that moves lets all look again.
const maxRounds = 4 * maxReplicas

// advance takes one replica as far as it goes now. It says when to look again, and whether anything changed that others
// may wait for.
func (l *lease) advance(ctx context.Context, rec record, u unit) (again time.Duration, moved bool) {
	l.mu.Lock()
	t := l.retries[u.id()]
	l.mu.Unlock()
	if wait := time.Until(t.next); wait > 0 {
		return wait, false
	}
	wait, moved, err := l.steps(ctx, rec, u)
	l.announce(rec)
	if err == nil {
		l.mu.Lock()
		delete(l.retries, u.id())
		l.mu.Unlock()
		return wait, moved
	}
	if ctx.Err() != nil {
		return 0, false // no longer wanted, or closing
	}
	t.delay = min(max(2*t.delay, time.Second), time.Minute)
	t.next = time.Now().Add(t.delay)
	l.mu.Lock()
	l.retries[u.id()] = t
	l.mu.Unlock()
	l.fail(u, err, t.next)
	return t.delay, moved
}

// forgetOthers drops what was seen of replicas that are no longer wanted.
func (l *lease) forgetOthers(wanted []unit) {
	for id := range l.standings {
		if !slices.ContainsFunc(wanted, func(u unit) bool { return u.id() == id }) {
			delete(l.standings, id)
			delete(l.stoppings, id)
		}
	}
}

// tidy deletes definitions that nothing runs, wants or can go back to, and lets go of their images.
func (l *lease) tidy(ctx context.Context, wanted []unit) error {
	used := map[string]bool{}
	for _, u := range wanted {
		s := l.standings[u.id()]
		if s == nil {
			return nil // not looked at yet
		}
		used[u.revision], used[s.history.Good], used[s.facts.revision] = true, true, true
	}
	if err := l.forgetDefinitions(used); err != nil {
		return err
	}
	return l.releaseImages(ctx)
}
