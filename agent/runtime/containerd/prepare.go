package containerd

import (
	"context"
	"errors"
	"slices"

	"github.com/souk-network/souk/agent/runtime"
)

// preparation is an image that is being made ready, beside the worker, so that other replicas of the lease go on.
type preparation struct {
	cancel context.CancelFunc
	done   bool
	err    error
}

// preparesAtOnce bounds how many images of one lease are fetched at the same time.
const preparesAtOnce = 3

// errPreparing: the image is being made ready, and the worker is woken when it is.
var errPreparing = errors.New("its image is being made ready")

// prepareImage gives the image of a definition, found and unpacked once: replicas of it run the same image whatever its tag
// has come to mean. It never waits: errPreparing stands for not yet.
func (l *lease) prepareImage(u unit) (resolved, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i, ok := l.images[u.revision]; ok {
		return i, nil
	}
	p := l.preparing[u.revision]
	if p != nil && p.done {
		delete(l.preparing, u.revision)
		return resolved{}, p.err
	}
	underway := 0
	for _, other := range l.preparing {
		if !other.done {
			underway++
		}
	}
	if p != nil || underway >= preparesAtOnce {
		return resolved{}, errPreparing
	}
	ctx, cancel := context.WithCancel(l.r.ctx)
	p = &preparation{cancel: cancel}
	l.preparing[u.revision] = p
	l.preparations.Add(1)
	l.r.workers.Go(func() {
		defer l.preparations.Done()
		i, err := l.makeReady(ctx, u)
		l.prepared(ctx, u.revision, p, i, err)
	})
	return resolved{}, errPreparing
}

// makeReady finds and unpacks an image.
func (l *lease) makeReady(ctx context.Context, u unit) (resolved, error) {
	i, err := l.findImage(ctx, u)
	if err != nil {
		return resolved{}, err
	}
	l.progress(u, runtime.PhasePulling, "unpacking "+u.service.Image)
	if _, err := l.r.images.lowerDirs(ctx, i, l.holder()); err != nil {
		return resolved{}, err
	}
	return i, nil
}

// prepared keeps how a preparation ended and wakes the worker. One that was cancelled is as if it had never begun.
func (l *lease) prepared(ctx context.Context, revision string, p *preparation, i resolved, err error) {
	l.mu.Lock()
	l.holdsMore = l.holdsMore || err != nil
	switch {
	case err == nil:
		l.images[revision] = i
		delete(l.preparing, revision)
	case ctx.Err() != nil:
		delete(l.preparing, revision)
	default:
		p.done, p.err = true, err
	}
	l.mu.Unlock()
	p.cancel()
	l.wakeUp()
}

// cancelPreparations ends those of definitions that are no longer wanted. The caller holds l.mu.
func (l *lease) cancelPreparations(rec record) {
	for revision, p := range l.preparing {
		if rec.Removing || !slices.ContainsFunc(rec.units(), func(u unit) bool { return u.revision == revision }) {
			p.cancel()
		}
	}
}
