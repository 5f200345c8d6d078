package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/souk-network/souk/agent/custody"
	"github.com/souk-network/souk/agent/runtime"
)

// measuredFor is how long a measure of what an account has is good, unless it writes: then its next request measures anew.
const measuredFor = 5 * time.Second

// quota counts the images of accounts of which something is in custody. What a request is about to write is reserved before it
// is taken in: many that write at once stay within the bounds together.
type quota struct {
	measuring sync.Mutex // held while accounts are measured; before mu

	mu sync.Mutex
	of map[string]*measured // by owner
}

// measured is what an account has: so much when it was measured, and what was reserved since. It is measured while nothing of it
// is being written, so that no byte counts twice.
type measured struct {
	at      time.Time
	bytes   int64
	since   int64
	writing int // requests
}

func (m *measured) total() int64 { return m.bytes + m.since }

// room is what one request may write.
type room struct {
	*quota
	owner    string
	bounds   CustodyBounds
	reserved int64 // by this request
}

// open begins a request that writes images of an owner, one of all owners; close ends it. ErrFull when there is no room at all.
func (q *quota) open(ctx context.Context, owner string, all []string, bounds CustodyBounds, size func(context.Context, string) (int64, error)) (*room, error) {
	q.measuring.Lock()
	defer q.measuring.Unlock()
	if err := q.measure(ctx, owner, all, size); err != nil {
		return nil, err
	}
	r := &room{quota: q, owner: owner, bounds: bounds}
	q.mu.Lock()
	defer q.mu.Unlock()
	if r.left() <= 0 {
		return nil, r.full()
	}
	q.of[owner].writing++
	return r, nil
}

// measure looks at the owner, and at others of whom it is long known, as far as nothing of theirs is being written.
func (q *quota) measure(ctx context.Context, owner string, all []string, size func(context.Context, string) (int64, error)) error {
	for _, o := range q.due(owner, all) {
		bytes, err := size(ctx, o)
		if err != nil {
			return fmt.Errorf("measure the images of %s: %w", o, err)
		}
		q.mu.Lock()
		q.of[o] = &measured{at: time.Now(), bytes: bytes}
		q.mu.Unlock()
	}
	return nil
}

// due lists who is to be measured, and forgets who is none of all any more.
func (q *quota) due(owner string, all []string) (due []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.of == nil {
		q.of = map[string]*measured{}
	}
	known := map[string]bool{}
	for _, o := range append([]string{owner}, all...) {
		m := q.of[o]
		if !known[o] && (m == nil || m.writing == 0 && (o == owner || time.Since(m.at) > measuredFor)) {
			due = append(due, o)
		}
		known[o] = true
	}
	for o, m := range q.of {
		if !known[o] && m.writing == 0 {
			delete(q.of, o)
		}
	}
	return due
}

// left is how much may still be reserved. The caller holds r.mu.
func (r *room) left() int64 {
	everybody := int64(0)
	for _, m := range r.of {
		everybody += m.total()
	}
	return min(r.bounds.OwnerImageBytes-r.of[r.owner].total(), r.bounds.ImageBytes-everybody)
}

func (r *room) full() error {
	return fmt.Errorf("%w: %d MiB of images of one account, %d MiB in all", custody.ErrFull, r.bounds.OwnerImageBytes>>20, r.bounds.ImageBytes>>20)
}

// tooLarge is full in the words of an image store.
func tooLarge(full error) error {
	return runtime.Classify(runtime.ClassTenant, fmt.Errorf("%w: %w", runtime.ErrTooLarge, full))
}

// reserve takes so much, or nothing with ErrFull.
func (r *room) reserve(n int64) error {
	if got := r.upTo(n); got < n {
		r.release(got)
		return r.full()
	}
	return nil
}

// upTo takes so much or what is left.
func (r *room) upTo(n int64) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	n = max(0, min(n, r.left()))
	r.of[r.owner].since += n
	r.reserved += n
	return n
}

// release gives back what was not written after all.
func (r *room) release(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.of[r.owner].since -= n
	r.reserved -= n
}

// close ends the request; nothing of what it wrote is forgotten.
func (r *room) close() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.of[r.owner].writing--
}

// reader reserves what it reads, but for the first bytes, which have been.
func (r *room) reader(from io.Reader, already int64) io.Reader {
	return &reservingReader{r, from, already}
}

type reservingReader struct {
	room    *room
	from    io.Reader
	already int64
}

// Read implements io.Reader.
func (b *reservingReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if b.already > 0 {
		n, err := b.from.Read(p[:min(int64(len(p)), b.already)])
		b.already -= int64(n)
		if err != nil { // it is shorter than was said
			b.room.release(b.already)
			b.already = 0
		}
		return n, err
	}
	got := b.room.upTo(int64(len(p)))
	if got == 0 {
		return b.end()
	}
	n, err := b.from.Read(p[:got])
	b.room.release(got - int64(n))
	return n, err
}

// end is where there is no room any more: fine if nothing more comes.
func (b *reservingReader) end() (int, error) {
	var one [1]byte
	n, err := io.ReadFull(b.from, one[:])
	if n == 0 && errors.Is(err, io.EOF) {
		return 0, io.EOF
	}
	if n == 0 {
		return 0, err
	}
	return 0, tooLarge(b.room.full())
}
