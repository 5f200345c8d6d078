package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/souk-network/souk/agent/gateway"
	"github.com/souk-network/souk/agent/workload"
)

const (
	// lookUpsAtOnce of leases that the last look did not see; anybody with a key can ask for any number.
	lookUpsAtOnce = 8
	// lookUpWait is how long one waits for its turn.
	lookUpWait = 2 * time.Second
	// maxAbsent numbers are remembered.
	maxAbsent = 65536
)

var errManyLookUps = errors.New("too many things are looked for at once: try again")

// lookUps bounds what strangers can make the agent ask of the node.
type lookUps struct {
	places chan struct{}

	mu     sync.Mutex
	height int64           // at which they were absent
	absent map[uint64]bool // leases, or whatever has these numbers, that this provider does not have
}

func newLookUps() *lookUps {
	return &lookUps{places: make(chan struct{}, lookUpsAtOnce), absent: map[uint64]bool{}}
}

// of asks about a lease, when it was not found absent at this height already.
func (u *lookUps) of(ctx context.Context, id uint64, height int64, ask func(context.Context, uint64) (workload.Lease, error)) (workload.Lease, error) {
	return lookFor(ctx, u, id, height, gateway.ErrNoLease, ask)
}

// lookFor asks about anything with a number, when it was not found absent at this height already.
func lookFor[T any](ctx context.Context, u *lookUps, id uint64, height int64, absent error, ask func(context.Context, uint64) (T, error)) (T, error) {
	var none T
	if u.isAbsent(id, height) {
		return none, absent
	}
	timer := time.NewTimer(lookUpWait)
	defer timer.Stop()
	select {
	case u.places <- struct{}{}:
		defer func() { <-u.places }()
	case <-timer.C:
		return none, errManyLookUps
	case <-ctx.Done():
		return none, fmt.Errorf("wait to look for it: %w", ctx.Err())
	}
	found, err := ask(ctx, id)
	if errors.Is(err, absent) {
		u.remember(id, height)
	}
	return found, err
}

func (u *lookUps) isAbsent(id uint64, height int64) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.height == height && u.absent[id]
}

// remember notes that a lease was absent when a height was acted on.
func (u *lookUps) remember(id uint64, height int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.height != height || len(u.absent) >= maxAbsent {
		u.height = height
		clear(u.absent)
	}
	u.absent[id] = true
}
