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

var errManyLookUps = errors.New("too many leases are looked for at once: try again")

// lookUps bounds what strangers can make the agent ask of the node.
type lookUps struct {
	places chan struct{}

	mu     sync.Mutex
	height int64           // at which they were absent
	absent map[uint64]bool // leases that this provider does not have
}

func newLookUps() *lookUps {
	return &lookUps{places: make(chan struct{}, lookUpsAtOnce), absent: map[uint64]bool{}}
}

// of asks about a lease, when it was not found absent at this height already.
func (u *lookUps) of(ctx context.Context, id uint64, height int64, ask func(context.Context, uint64) (workload.Lease, error)) (workload.Lease, error) {
	if u.isAbsent(id, height) {
		return workload.Lease{}, gateway.ErrNoLease
	}
	timer := time.NewTimer(lookUpWait)
	defer timer.Stop()
	select {
	case u.places <- struct{}{}:
		defer func() { <-u.places }()
	case <-timer.C:
		return workload.Lease{}, errManyLookUps
	case <-ctx.Done():
		return workload.Lease{}, fmt.Errorf("wait to look for it: %w", ctx.Err())
	}
	l, err := ask(ctx, id)
	if errors.Is(err, gateway.ErrNoLease) {
		u.remember(id, height)
	}
	return l, err
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
