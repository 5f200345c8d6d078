package agent

import (
	"context"
	"sync"
)

// seats lets so many do something at once, and one for each owner: who is slow keeps nobody else's from being done.
type seats struct {
	places chan struct{}

	mu    sync.Mutex
	queue map[string]*turn // by owner
}

// turn is that of one owner.
type turn struct {
	place   chan struct{}
	waiting int // with the one whose turn it is
}

func newSeats(atOnce int) *seats {
	return &seats{places: make(chan struct{}, atOnce), queue: map[string]*turn{}}
}

// take waits for a place of an owner, until ctx ends. Give it back.
func (s *seats) take(ctx context.Context, owner string) (give func(), err error) {
	s.mu.Lock()
	t := s.queue[owner]
	if t == nil {
		t = &turn{place: make(chan struct{}, 1)}
		s.queue[owner] = t
	}
	t.waiting++
	s.mu.Unlock()
	leave := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if t.waiting--; t.waiting == 0 {
			delete(s.queue, owner)
		}
	}
	select {
	case t.place <- struct{}{}:
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
	select {
	case s.places <- struct{}{}:
	case <-ctx.Done():
		<-t.place
		leave()
		return nil, ctx.Err()
	}
	return func() {
		<-s.places
		<-t.place
		leave()
	}, nil
}
