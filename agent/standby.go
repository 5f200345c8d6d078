package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/souk-network/souk/agent/events"
	"github.com/souk-network/souk/agent/reconcile"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/workload"
	"github.com/souk-network/souk/manifest/manifestpb"
)

const (
	// prepareTimeout bounds pulling all images of a standby, preparePause is between two tries.
	prepareTimeout = time.Hour
	preparePause   = 15 * time.Second
)

// standbys remembers for which leases the images are here or being pulled, and what is pinned for them.
type standbys struct {
	mu       sync.Mutex
	prepared map[uint64]prepared
	pins     map[pin]bool // nil until they were looked up
}

// prepared is a standby that has its images, is having them pulled, or waits to try again.
type prepared struct {
	run     string
	running bool
	retry   time.Time // of a failure
}

// pin is an image that is kept although nothing runs it.
type pin struct {
	scope runtime.Scope
	name  string
}

// preparedNow lists what need not be prepared now. What is known of leases that ended goes.
func (a *Agent) preparedNow(leases []workload.Lease, now time.Time) []reconcile.Prepared {
	live := map[uint64]bool{}
	for _, l := range leases {
		live[l.ID] = true
	}
	a.standbys.mu.Lock()
	defer a.standbys.mu.Unlock()
	var out []reconcile.Prepared
	for id, p := range a.standbys.prepared {
		switch {
		case !live[id] && !p.running:
			delete(a.standbys.prepared, id)
		case p.running || p.retry.IsZero() || now.Before(p.retry):
			out = append(out, reconcile.Prepared{Lease: id, Run: p.run})
		}
	}
	return out
}

// startPrepare pulls and pins the images of a standby in the background.
func (a *Agent) startPrepare(ctx context.Context, id uint64) error {
	a.mu.Lock()
	l, live := a.leases[id]
	g, here := a.groups[id]
	a.mu.Unlock()
	if !live || !here {
		return fmt.Errorf("prepare lease %d: lease or manifest is gone", id)
	}
	if !a.setPrepared(id, prepared{run: g.run, running: true}) {
		return nil // of an older revision: when that is through
	}
	ctx = context.WithoutCancel(ctx)
	a.background.Go(func() {
		ctx, cancel := a.untilEnd(ctx)
		defer cancel()
		ctx, stop := context.WithTimeout(ctx, prepareTimeout)
		defer stop()
		err := a.pullAll(ctx, l, g.group)
		a.endPrepare(id, g.run, err)
	})
	return nil
}

// setPrepared notes what is being prepared; false when that goes on already.
func (a *Agent) setPrepared(id uint64, p prepared) bool {
	a.standbys.mu.Lock()
	defer a.standbys.mu.Unlock()
	if a.standbys.prepared == nil {
		a.standbys.prepared = map[uint64]prepared{}
	}
	if a.standbys.prepared[id].running {
		return false
	}
	a.standbys.prepared[id] = p
	return true
}

// endPrepare notes and tells how it went.
func (a *Agent) endPrepare(id uint64, run string, err error) {
	p := prepared{run: run}
	if err != nil {
		p.retry = time.Now().Add(preparePause)
	}
	a.standbys.mu.Lock()
	a.standbys.prepared[id] = p
	a.standbys.mu.Unlock()
	a.mu.Lock()
	before := a.problems[id]
	delete(a.problems, id)
	text := ""
	if err != nil {
		text = runtime.ForTenant(runtime.ClassOf(err), err.Error())
		a.problems[id] = problem{run: run, text: text}
	}
	a.mu.Unlock()
	switch {
	case err == nil:
		a.log.Info("standby is ready to start", "lease", id)
		a.events.Add(id, events.Prepared, "all images are here")
	case before.run != run || before.text != text:
		a.log.Warn("images of a standby could not be pulled, will be tried again", "lease", id, "error", err)
		a.events.Add(id, events.Refused, text)
	}
}

// pullAll pulls and pins the images of a group that are not pushed: those are kept as long as the lease.
func (a *Agent) pullAll(ctx context.Context, l workload.Lease, group *manifestpb.Group) error {
	var errs []error
	for _, s := range group.GetServices() {
		if s.GetImage().GetPushed() {
			continue
		}
		if err := a.pullAndPin(ctx, l, s.GetImage()); err != nil {
			errs = append(errs, fmt.Errorf("image of %s: %w", s.GetName(), err))
		}
	}
	return errors.Join(errs...)
}

func (a *Agent) pullAndPin(ctx context.Context, l workload.Lease, image *manifestpb.Image) error {
	images, p := a.runtime.Images(), pinOf(l, image)
	here, err := images.Has(ctx, p.scope, p.name)
	if err != nil {
		return err
	}
	switch {
	case here:
	case p.scope == runtime.PublicScope:
		_, err = images.Pull(ctx, workload.ImageName(image))
	default:
		_, err = images.PullAs(ctx, p.scope, workload.ImageName(image), runtime.Credentials{Username: image.GetUsername(), Password: image.GetPassword()})
	}
	if err != nil {
		return err
	}
	if err := images.Pin(ctx, p.scope, p.name); err != nil {
		return err
	}
	a.standbys.mu.Lock()
	defer a.standbys.mu.Unlock()
	if a.standbys.pins != nil {
		a.standbys.pins[p] = true
	}
	return nil
}

// pinOf is an image by its digest, without its tag: so it is called where it is kept.
func pinOf(l workload.Lease, image *manifestpb.Image) pin {
	p := pin{scope: runtime.PublicScope, name: workload.ImageName(image)}
	if image.GetUsername() != "" {
		p.scope = runtime.Scope(l.Owner)
	}
	if name, digest, ok := strings.Cut(p.name, "@"); ok {
		p.name = repositoryOf(name) + "@" + digest
	}
	return p
}

// unpin lets go of images that no standby waits for any more. What is active keeps its own once it is made.
func (a *Agent) unpin(ctx context.Context, applied []reconcile.Workload) error {
	if err := a.findPins(ctx); err != nil {
		return err
	}
	wanted := a.wantedPins(applied)
	a.standbys.mu.Lock()
	var idle []pin
	for p := range a.standbys.pins {
		if !wanted[p] {
			idle = append(idle, p)
		}
	}
	a.standbys.mu.Unlock()
	for _, p := range idle {
		if err := a.runtime.Images().Unpin(ctx, p.scope, p.name); err != nil {
			return fmt.Errorf("let go of image %s: %w", p.name, err)
		}
		a.standbys.mu.Lock()
		delete(a.standbys.pins, p)
		a.standbys.mu.Unlock()
	}
	return nil
}

// wantedPins are those of standbys, and of leases that have taken over and are not applied yet.
func (a *Agent) wantedPins(applied []reconcile.Workload) map[pin]bool {
	runs := map[uint64]bool{}
	for _, w := range applied {
		runs[w.Lease] = true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	wanted := map[pin]bool{}
	for id, g := range a.groups {
		l, live := a.leases[id]
		if !live || !l.Standby && runs[id] {
			continue
		}
		for _, s := range g.group.GetServices() {
			wanted[pinOf(l, s.GetImage())] = true
		}
	}
	return wanted
}

// findPins looks once for what an earlier process pinned.
func (a *Agent) findPins(ctx context.Context) error {
	a.standbys.mu.Lock()
	found := a.standbys.pins != nil
	a.standbys.mu.Unlock()
	if found {
		return nil
	}
	scopes := []runtime.Scope{runtime.PublicScope}
	reserved, err := a.store.Leases()
	if err != nil {
		return err
	}
	for _, r := range reserved {
		scopes = append(scopes, runtime.Scope(r.Owner))
	}
	pins := map[pin]bool{}
	for _, scope := range scopes {
		images, err := a.runtime.Images().List(ctx, scope)
		if err != nil {
			return fmt.Errorf("list images of %s: %w", scope, err)
		}
		for _, i := range images {
			if i.Pinned {
				pins[pin{scope, i.Name}] = true
			}
		}
	}
	a.standbys.mu.Lock()
	defer a.standbys.mu.Unlock()
	a.standbys.pins = pins
	return nil
}
