package callers

import "sync"

// Tally counts what is held at once for each key, up to a limit.
type Tally struct {
	limit int
	mu    sync.Mutex
	held  map[string]int
}

// NewTally lets each key hold so many.
func NewTally(limit int) *Tally { return &Tally{limit: limit, held: map[string]int{}} }

// Take holds one more; false when that would be too many. What was taken is given back once.
func (t *Tally) Take(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[key] >= t.limit {
		return false
	}
	t.held[key]++
	return true
}

// GiveBack holds one less.
func (t *Tally) GiveBack(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[key]--; t.held[key] <= 0 {
		delete(t.held, key)
	}
}

// Keys is how many keys hold something.
func (t *Tally) Keys() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.held)
}
