// Package events tells what happens to leases at a provider: it keeps the latest events of each and wakes whoever follows.
//
// It owns the order in which events are written and how they are handed on. It must not know the chain, tokens or engines;
// what happens it is told by the agent and by the runtime's watch. Events are for people: nothing is decided by them, and
// some may be lost.
package events

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/store"
)

const (
	// queued events wait to be written; more are lost.
	queued = 1024
	// batched events are written at once.
	batched = 64
	// maxMessageBytes of one event.
	maxMessageBytes = 512
)

// Kinds of events of the agent itself; those of the runtime stand in package runtime.
const (
	Acknowledged = "acknowledged"
	Manifest     = "manifest"
	Applied      = "applied"
	Refused      = "refused"
	ImagePushed  = "image-pushed"
	Fetched      = "fetched"    // from a custodian or another provider of the bid
	Waiting      = "waiting"    // for what nobody has brought
	Prepared     = "prepared"   // a standby has all that it would run
	Challenged   = "challenged" // by the chain, or another provider by this one
	Missed       = "missed"     // a provider that is watched does not answer
	Answered     = "answered"   // a challenge
)

// Event is something that happened to a lease.
type Event = store.Event

// Keeper keeps events.
type Keeper interface {
	AddEvents([]Event) error
	Events(lease, after uint64, limit int) ([]Event, error)
}

// Journal takes events in and hands them on. Its methods may be called concurrently.
type Journal struct {
	keeper Keeper
	log    *slog.Logger
	in     chan Event
	lost   atomic.Uint64

	mu        sync.Mutex
	listeners map[uint64]map[chan struct{}]struct{}
}

// New makes a journal; Run writes.
func New(keeper Keeper, log *slog.Logger) *Journal {
	return &Journal{keeper: keeper, log: log, in: make(chan Event, queued), listeners: map[uint64]map[chan struct{}]struct{}{}}
}

// Add notes what happened to a lease just now. It never waits.
func (j *Journal) Add(lease uint64, kind, message string) {
	j.add(Event{Lease: lease, Time: time.Now(), Kind: kind, Message: message})
}

func (j *Journal) add(e Event) {
	e.Time = e.Time.UTC().Truncate(time.Microsecond)
	if len(e.Message) > maxMessageBytes {
		e.Message = e.Message[:maxMessageBytes] + "…"
	}
	select {
	case j.in <- e:
	default:
		j.lost.Add(1)
	}
}

// Watch takes in what a runtime tells until ctx ends. A runtime that tells nothing is none.
func (j *Journal) Watch(ctx context.Context, rt runtime.Runtime) {
	watcher, ok := rt.(runtime.Watcher)
	if !ok {
		return
	}
	for e := range watcher.Watch(ctx) {
		j.add(Event{Lease: e.Lease, Time: e.Time, Service: e.Service, Replica: e.Replica, Kind: string(e.Kind), Message: e.Message})
	}
}

// Run writes what was added until ctx ends, and then what is left.
func (j *Journal) Run(ctx context.Context) {
	for {
		select {
		case e := <-j.in:
			j.write(j.gather(e))
		case <-ctx.Done():
			for {
				select {
				case e := <-j.in:
					j.write(j.gather(e))
				default:
					return
				}
			}
		}
	}
}

// gather takes along what waits already.
func (j *Journal) gather(first Event) []Event {
	batch := []Event{first}
	for len(batch) < batched {
		select {
		case e := <-j.in:
			batch = append(batch, e)
		default:
			return batch
		}
	}
	return batch
}

func (j *Journal) write(batch []Event) {
	if lost := j.lost.Swap(0); lost > 0 {
		j.log.Warn("events came quicker than they could be written", "lost", lost)
	}
	if err := j.keeper.AddEvents(batch); err != nil {
		j.log.Error("events could not be written", "events", len(batch), "error", err)
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range batch {
		for changed := range j.listeners[e.Lease] {
			select {
			case changed <- struct{}{}:
			default: // told already
			}
		}
	}
}

// After lists at most limit events of a lease after a number, in order.
func (j *Journal) After(lease, number uint64, limit int) ([]Event, error) {
	return j.keeper.Events(lease, number, limit)
}

// Listen gives a channel that says when there are new events of a lease, until done is called.
func (j *Journal) Listen(lease uint64) (changed <-chan struct{}, done func()) {
	c := make(chan struct{}, 1)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.listeners[lease] == nil {
		j.listeners[lease] = map[chan struct{}]struct{}{}
	}
	j.listeners[lease][c] = struct{}{}
	return c, func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		delete(j.listeners[lease], c)
		if len(j.listeners[lease]) == 0 {
			delete(j.listeners, lease)
		}
	}
}
