package containerd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/souk-network/souk/agent/runtime"
)

// definition is all that a replica's container was made of, kept so that it can be made again when an update fails.
type definition struct {
	Service   runtime.Service  `json:"service"`
	Isolation string           `json:"isolation"`
	Volumes   []runtime.Volume `json:"volumes"`
	Image     pinnedImage      `json:"image"`
}

// pinnedImage is an image whatever its tag comes to mean.
type pinnedImage struct {
	Scope  runtime.Scope      `json:"scope"`
	Target ocispec.Descriptor `json:"target"`
	// Check is the image's own health check.
	Check *runtime.HealthCheck `json:"check,omitempty"`
}

// revisionOf hashes what of a replica needs another container when it changes. What is left out is changed in place:
// limits, policies, health check, order, published ports, and how many there are.
func revisionOf(w runtime.Workload, s runtime.Service, copyIndex uint32) string {
	limited := s.Resources.EgressMbps > 0
	s.Resources, s.Replicas, s.Credentials, s.Ports = runtime.Resources{}, 0, nil, nil
	s.Restart, s.MaxRestarts, s.StopGraceSeconds, s.StopSignal = "", 0, 0, ""
	s.HealthCheck, s.DependsOn = nil, nil
	volumes := mounted(w, s)
	for i := range volumes {
		volumes[i].SizeMiB = 0
	}
	if len(volumes) == 0 {
		copyIndex = 0 // replicas without volumes do not care which copy they are of
	}
	b, err := json.Marshal(struct {
		Service   runtime.Service
		Isolation string
		Volumes   []runtime.Volume
		Copy      uint32
		Egress    bool // the link that limits it is made with the network
	}{s, w.Isolation, volumes, copyIndex, limited})
	if err != nil {
		panic("containerd runtime: a service that cannot be encoded: " + err.Error()) // plain data
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// mounted lists the volumes that a service mounts.
func mounted(w runtime.Workload, s runtime.Service) []runtime.Volume {
	var list []runtime.Volume
	for _, v := range w.Volumes {
		for _, m := range s.Mounts {
			if m.Volume == v.Name {
				list = append(list, v)
				break
			}
		}
	}
	return list
}

// limitsOf are the limits of a replica that can be changed while it runs, as text.
func limitsOf(r runtime.Resources) string {
	pids := r.PIDs
	if pids == 0 {
		pids = defaultPIDs
	}
	return fmt.Sprintf("cpu=%d memory=%d pids=%d egress=%d", r.CPUMillis, r.MemoryMiB, pids, r.EgressMbps)
}

// egressOf reads the limit on egress off what limitsOf gives.
func egressOf(limits string) string {
	_, egress, _ := strings.Cut(limits, " egress=")
	return egress
}

func (l *lease) definitionContext(revision string) string {
	return fmt.Sprintf("definition/%s/%d/%s", l.r.id, l.id, revision)
}

// keepDefinition writes down what a container is about to be made of.
func (l *lease) keepDefinition(u unit, i resolved) error {
	d := l.r.dir(l.id)
	if err := os.MkdirAll(d.definitions(), 0o700); err != nil {
		return fmt.Errorf("keep the definition of %s: %w", u.id(), err)
	}
	return writeSealed(l.r.sealer, d.definition(u.revision), l.definitionContext(u.revision), definition{
		Service: u.service, Isolation: u.isolation, Volumes: u.volumes, Image: pinnedImage{Scope: i.scope, Target: i.target, Check: i.check},
	})
}

// errNoDefinition: nothing was kept of a definition.
var errNoDefinition = errors.New("its definition was not kept")

// definition reads what was kept of one.
func (l *lease) definition(revision string) (definition, error) {
	var d definition
	found, err := readSealed(l.r.sealer, l.r.dir(l.id).definition(revision), l.definitionContext(revision), &d)
	if err == nil && !found {
		err = errNoDefinition
	}
	return d, err
}

// as gives the unit in another definition than the wanted one, with the limits that are wanted now.
func (l *lease) as(u unit, revision string) (unit, error) {
	if revision == u.revision || revision == "" {
		return u, nil
	}
	d, err := l.definition(revision)
	if err != nil {
		return u, fmt.Errorf("read definition %.8s of %s: %w", revision, u.id(), err)
	}
	resources, replicas := u.service.Resources, u.service.Replicas
	u.service, u.isolation, u.volumes, u.revision = d.Service, d.Isolation, d.Volumes, revision
	u.service.Resources, u.service.Replicas = resources, replicas
	return u, nil
}

// findImage takes the image that the definition was made with, else the one that its name means now.
func (l *lease) findImage(ctx context.Context, u unit) (resolved, error) {
	kept, err := l.definition(u.revision)
	if err == nil {
		i, err := l.r.images.open(ctx, kept.Image.Scope, kept.Image.Target, u.service.Image, l.holder())
		if err == nil {
			return i, nil
		}
		l.r.log.Info("an image that was used is no longer here; it is looked for again", "lease", l.id, "image", u.service.Image, "error", err)
	} else if !errors.Is(err, errNoDefinition) {
		return resolved{}, err
	}
	l.progress(u, runtime.PhasePulling, "getting "+u.service.Image)
	l.tell(u, runtime.EventPulling, u.service.Image)
	i, err := l.r.images.resolve(ctx, wish{
		owner: runtime.Scope(u.owner), image: u.service.Image, credentials: u.service.Credentials,
		tell: func(text string) { l.progress(u, runtime.PhasePulling, "pulling "+u.service.Image+": "+text) },
	}, l.holder())
	if err != nil {
		return resolved{}, err
	}
	l.tell(u, runtime.EventPulled, u.service.Image)
	return i, nil
}

// keptDefinitions reads what was kept of all definitions.
func (l *lease) keptDefinitions() ([]definition, error) {
	files, err := names(l.r.dir(l.id).definitions())
	if err != nil {
		return nil, err
	}
	var list []definition
	for _, name := range files {
		revision, ok := strings.CutSuffix(name, ".definition.json")
		if !ok {
			continue // half written
		}
		d, err := l.definition(revision)
		if errors.Is(err, errNoDefinition) {
			continue // forgotten meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("read definition %.8s of lease %d: %w", revision, l.id, err)
		}
		list = append(list, d)
	}
	return list, nil
}

// forgetDefinitions deletes what was kept of definitions that nothing can go back to.
func (l *lease) forgetDefinitions(used map[string]bool) error {
	d := l.r.dir(l.id)
	files, err := names(d.definitions())
	if err != nil {
		return err
	}
	for _, name := range files {
		revision, _, _ := strings.Cut(name, ".")
		if used[revision] {
			continue
		}
		if err := os.Remove(d.definitions() + "/" + name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("forget a definition: %w", err)
		}
		l.mu.Lock()
		l.holdsMore = true
		l.mu.Unlock()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for revision := range l.images {
		if !used[revision] {
			delete(l.images, revision)
			l.holdsMore = true
		}
	}
	return nil
}
