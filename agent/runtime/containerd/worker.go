package containerd

import (
	"context"
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

	// Of the worker alone.
	retries     map[string]retry    // by container
	images      map[string]resolved // by service, of the revision below
	imagesOf    string
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
		r: r, id: rec.Workload.Lease, wake: make(chan struct{}, 1), record: rec,
		status: map[string]runtime.ReplicaStatus{}, watched: map[string]uint32{}, retries: map[string]retry{},
	}
	r.leases[l.id] = l
	r.workers.Go(l.run)
}

func (l *lease) wanted() record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.record
}

// want changes what the worker works towards, ending whatever it does for the old.
func (l *lease) want(rec record) {
	l.mu.Lock()
	l.record = rec
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
	wanted := units(rec.Workload)
	if err := l.removeStrangers(ctx, rec, wanted); err != nil && ctx.Err() == nil {
		l.r.log.Error("cannot remove replicas that are no longer wanted", "lease", l.id, "error", err)
		again = 5 * time.Second
	}
	if err := l.growStorage(ctx, rec); err != nil && ctx.Err() == nil {
		l.r.log.Error("cannot make a disk larger; will try again", "lease", l.id, "error", err)
		again = time.Minute
	}
	for _, u := range wanted {
		wait := l.advance(ctx, rec, u)
		if wait > 0 && (again == 0 || wait < again) {
			again = wait
		}
	}
	return again, false
}

// advance takes one replica as far as it goes now and says when to look again.
func (l *lease) advance(ctx context.Context, rec record, u unit) time.Duration {
	l.mu.Lock()
	t := l.retries[u.id()]
	l.mu.Unlock()
	if wait := time.Until(t.next); wait > 0 {
		return wait
	}
	wait, err := l.steps(ctx, rec, u)
	l.announce(rec)
	if err == nil {
		l.mu.Lock()
		delete(l.retries, u.id())
		l.mu.Unlock()
		return wait
	}
	if ctx.Err() != nil {
		return 0 // no longer wanted, or closing
	}
	t.delay = min(max(2*t.delay, time.Second), time.Minute)
	t.next = time.Now().Add(t.delay)
	l.mu.Lock()
	l.retries[u.id()] = t
	l.mu.Unlock()
	l.fail(u, err, t.next)
	return t.delay
}
