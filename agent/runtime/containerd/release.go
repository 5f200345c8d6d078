package containerd

import (
	"context"
	"fmt"

	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"

	"github.com/souk-network/souk/agent/runtime"
)

// releaseImages lets go of the images and layers that none of the lease's definitions names any more. It waits until no image
// is being made ready: what that holds is not in any definition yet.
func (l *lease) releaseImages(ctx context.Context) error {
	l.mu.Lock()
	due := l.holdsMore
	for _, p := range l.preparing {
		due = due && p.done
	}
	owner := runtime.Scope(l.record.Workload.Owner)
	keep := make([]resolved, 0, len(l.images))
	for _, i := range l.images {
		keep = append(keep, i)
	}
	l.mu.Unlock()
	if !due {
		return nil
	}
	kept, err := l.keptDefinitions()
	if err != nil {
		return err
	}
	for _, d := range kept {
		i, err := l.r.images.open(ctx, d.Image.Scope, d.Image.Target, d.Service.Image, l.holder())
		if err != nil {
			return fmt.Errorf("tell what lease %d still needs: %w", l.id, err)
		}
		keep = append(keep, i)
	}
	for _, scope := range []runtime.Scope{owner, runtime.PublicScope} {
		if err := l.r.images.release(ctx, scope, l.holder(), keep); err != nil {
			return err
		}
	}
	l.mu.Lock()
	l.holdsMore = false // only the worker begins to prepare, so nothing was added meanwhile
	l.mu.Unlock()
	return nil
}

// release makes the lease called hold keep no more of a scope than some images and their layers.
func (s *imageStore) release(ctx context.Context, scope runtime.Scope, hold string, keep []resolved) error {
	ctx, err := s.within(ctx, scope)
	if err != nil {
		return err
	}
	needed := map[string]bool{}
	for _, i := range keep {
		if i.scope == scope {
			needed[i.target.Digest.String()] = true
			needed[viewKey(hold, i.chainID())], needed[i.chainID().String()] = true, true
		}
	}
	held, err := s.client.LeasesService().ListResources(ctx, leases.Lease{ID: hold})
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return storeError(err, "list what %s holds", hold)
	}
	released := false
	for _, r := range held {
		if needed[r.ID] {
			continue
		}
		err := s.client.LeasesService().DeleteResource(ctx, leases.Lease{ID: hold}, r)
		if err != nil && !errdefs.IsNotFound(err) {
			return storeError(err, "let go of %s held as %s", r.ID, hold)
		}
		released = true
	}
	if !released {
		return nil
	}
	return s.sweep(ctx)
}

// viewKey names the view of layers that the lease called hold keeps.
func viewKey(hold string, chain digest.Digest) string { return hold + "-" + chain.Encoded() }

// sweepLease is made only to be deleted.
const sweepLease = "sweep"

// sweep collects at once what nothing holds any more: the engine does that when a lease is deleted.
func (s *imageStore) sweep(ctx context.Context) error {
	if _, err := s.holding(ctx, sweepLease); err != nil {
		return err
	}
	return s.letGo(ctx, sweepLease)
}
