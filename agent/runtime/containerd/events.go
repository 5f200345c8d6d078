package containerd

import (
	"context"
	"sync"
	"time"

	"github.com/souk-network/souk/agent/runtime"
)

// heardEvents is how many events a slow reader may be behind.
const heardEvents = 256

// events passes on what happens to all who watch.
type events struct {
	mu      sync.Mutex
	readers map[chan runtime.Event]struct{}
}

var _ runtime.Watcher = (*Runtime)(nil)

// Watch implements runtime.Watcher. The channel is closed when ctx ends or the runtime is closed.
func (r *Runtime) Watch(ctx context.Context) <-chan runtime.Event {
	reader := make(chan runtime.Event, heardEvents)
	r.events.mu.Lock()
	if r.events.readers == nil {
		r.events.readers = map[chan runtime.Event]struct{}{}
	}
	r.events.readers[reader] = struct{}{}
	r.events.mu.Unlock()
	var once sync.Once
	leave := func() {
		once.Do(func() {
			r.events.mu.Lock()
			defer r.events.mu.Unlock()
			delete(r.events.readers, reader)
			close(reader)
		})
	}
	stop := context.AfterFunc(r.ctx, leave)
	context.AfterFunc(ctx, func() { stop(); leave() })
	return reader
}

// send never waits: the oldest event makes room for the newest.
func (e *events) send(event runtime.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for reader := range e.readers {
		for sent := false; !sent; {
			select {
			case reader <- event:
				sent = true
			default:
				select {
				case <-reader:
				default:
				}
			}
		}
	}
}

// tell passes on what happened to a replica.
func (l *lease) tell(u unit, kind runtime.EventKind, message string) {
	l.r.events.send(runtime.Event{Time: time.Now(), Lease: l.id, Service: u.service.Name, Replica: u.replica, Kind: kind, Message: message})
}

// tellAll passes on what happened to the lease.
func (l *lease) tellAll(kind runtime.EventKind, message string) {
	l.r.events.send(runtime.Event{Time: time.Now(), Lease: l.id, Kind: kind, Message: message})
}
