package containerd

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/leases"

	"github.com/souk-network/souk/agent/runtime"
)

const (
	usedLabel    = "souk.network/used-at" // of an image: when a lease was last seen to use it
	usedStep     = 10 * time.Minute       // how exact that needs to be
	justUsed     = time.Minute            // a pull that is about to be used is not undone even when the disk is short
	workloadHold = "workload-"            // begins the names under which leases hold images
)

// collectImages deletes public images that no lease has used for long, and when the disk is short those that no lease
// uses, the longest unused first.
func (r *Runtime) collectImages(ctx context.Context, now time.Time) error {
	free := func() (bool, error) {
		free, err := freeMiB(r.dataDir())
		return free >= r.config.Limits.shortMiB(), err
	}
	deleted, err := r.images.collect(ctx, now, r.config.Keep.Images, free)
	for _, name := range deleted {
		r.log.Info("public image deleted: no lease uses it", "image", name)
	}
	return err
}

// unused is an image that no lease uses.
type unused struct {
	name string
	at   time.Time // last used
}

// collect gives the names that it deleted. No workload can take an image up meanwhile: resolve waits.
func (s *imageStore) collect(ctx context.Context, now time.Time, keep time.Duration, enough func() (bool, error)) ([]string, error) {
	s.takingUp.Lock()
	defer s.takingUp.Unlock()
	in, err := s.within(ctx, runtime.PublicScope)
	if err != nil {
		return nil, err
	}
	idle, err := s.unusedImages(in, now)
	if err != nil {
		return nil, err
	}
	var deleted []string
	for _, i := range idle {
		over := now.Sub(i.at) >= keep
		if !over {
			ok, err := enough()
			if err != nil || ok {
				return deleted, err // those that follow were used later
			}
			if now.Sub(i.at) < justUsed {
				continue
			}
		}
		if err := s.Delete(ctx, runtime.PublicScope, i.name); err != nil {
			return deleted, err
		}
		deleted = append(deleted, i.name)
	}
	return deleted, nil
}

// unusedImages lists the images of a scope that nobody holds or waits for, the longest unused first, and notes the use of
// the others. The caller holds takingUp for writing.
func (s *imageStore) unusedImages(ctx context.Context, now time.Time) ([]unused, error) {
	held, err := s.heldDigests(ctx)
	if err != nil {
		return nil, err
	}
	all, err := s.client.ImageService().List(ctx)
	if err != nil {
		return nil, storeError(err, "list public images")
	}
	var idle []unused
	var errs []error
	for _, i := range all {
		at := i.UpdatedAt
		if used, err := time.Parse(time.RFC3339, i.Labels[usedLabel]); err == nil && used.After(at) {
			at = used
		}
		if s.expected[i.Name] > 0 {
			continue
		}
		if !held[i.Target.Digest.String()] {
			idle = append(idle, unused{name: i.Name, at: at})
		} else if now.Sub(at) > usedStep {
			errs = append(errs, s.noteUse(ctx, i, now))
		}
	}
	slices.SortFunc(idle, func(a, b unused) int { return a.at.Compare(b.at) })
	return idle, errors.Join(errs...)
}

func (s *imageStore) noteUse(ctx context.Context, i images.Image, now time.Time) error {
	i.Labels = map[string]string{usedLabel: now.UTC().Format(time.RFC3339)}
	if _, err := s.client.ImageService().Update(ctx, i, "labels."+usedLabel); err != nil {
		return storeError(err, "note the use of image %s", i.Name)
	}
	return nil
}

// heldDigests are the manifests that workloads and pins hold in the scope of ctx.
func (s *imageStore) heldDigests(ctx context.Context) (map[string]bool, error) {
	holders, err := s.client.LeasesService().List(ctx)
	if err != nil {
		return nil, storeError(err, "list who holds images")
	}
	held := map[string]bool{}
	for _, h := range holders {
		if !strings.HasPrefix(h.ID, workloadHold) && !strings.HasPrefix(h.ID, pinPrefix) {
			continue
		}
		resources, err := s.client.LeasesService().ListResources(ctx, leases.Lease{ID: h.ID})
		if err != nil {
			return nil, storeError(err, "list what %s holds", h.ID)
		}
		for _, res := range resources {
			if res.Type == "content" {
				held[res.ID] = true
			}
		}
	}
	return held, nil
}
