package containerd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/souk-network/souk/agent/runtime"
)

// resolved is an image ready to be unpacked: where it is and what it says of itself.
type resolved struct {
	scope    runtime.Scope
	target   ocispec.Descriptor
	manifest ocispec.Manifest
	config   ocispec.Image
	check    *runtime.HealthCheck // nil when the image has none
}

func (i resolved) chainID() digest.Digest { return identity.ChainID(i.config.RootFS.DiffIDs) }

// wish is an image that a service asks for.
type wish struct {
	owner       runtime.Scope
	image       string
	credentials *runtime.Credentials
	tell        func(progress string)
}

// places are where an image may lie that was pushed or pulled before, in order, each with the name that it has there. One
// that is asked for with credentials is not looked for among the public ones.
func (w wish) places() (map[runtime.Scope]string, []runtime.Scope, error) {
	if w.credentials == nil {
		return map[runtime.Scope]string{w.owner: w.image, runtime.PublicScope: w.image}, []runtime.Scope{w.owner, runtime.PublicScope}, nil
	}
	name, err := normalPublicName(w.image)
	return map[runtime.Scope]string{w.owner: name}, []runtime.Scope{w.owner}, err
}

// locate finds the image of a service and makes the lease called hold keep it: pushed by its owner, else public and here,
// else pulled.
func (s *imageStore) locate(ctx context.Context, w wish, hold string) (runtime.Scope, ocispec.Descriptor, error) {
	scope, target, err := s.takeUp(ctx, w, hold)
	if err == nil || (!errors.Is(err, runtime.ErrNotFound) && !errors.Is(err, runtime.ErrIncomplete)) {
		return scope, target, err
	}
	into := runtime.PublicScope
	if w.credentials != nil {
		into = w.owner
	}
	defer s.expect(w.image)()
	if _, err := s.pullInto(ctx, into, w.image, w.credentials, w.tell); err != nil {
		return "", ocispec.Descriptor{}, err
	}
	return s.takeUp(ctx, w, hold)
}

// expect keeps an image that is being pulled from collection until the workload that waits for it has it.
func (s *imageStore) expect(image string) (done func()) {
	name, err := normalPublicName(image)
	if err != nil {
		return func() {}
	}
	add := func(n int) {
		s.takingUp.RLock() // the collector reads it under the same lock
		defer s.takingUp.RUnlock()
		s.expectedMu.Lock()
		defer s.expectedMu.Unlock()
		if s.expected == nil {
			s.expected = map[string]int{}
		}
		if s.expected[name] += n; s.expected[name] == 0 {
			delete(s.expected, name)
		}
	}
	add(1)
	return func() { add(-1) }
}

// takeUp finds an image that is here and holds it, with no collection in between.
func (s *imageStore) takeUp(ctx context.Context, w wish, hold string) (runtime.Scope, ocispec.Descriptor, error) {
	s.takingUp.RLock()
	defer s.takingUp.RUnlock()
	names, order, err := w.places()
	if err != nil {
		return "", ocispec.Descriptor{}, err
	}
	for _, scope := range order {
		in, inErr := s.within(ctx, scope)
		if inErr != nil {
			return "", ocispec.Descriptor{}, inErr
		}
		var target ocispec.Descriptor
		if target, err = s.find(in, scope, names[scope]); err == nil {
			return scope, target, s.holdImage(in, hold, target)
		}
		if !errors.Is(err, runtime.ErrNotFound) && !errors.Is(err, runtime.ErrIncomplete) {
			return "", ocispec.Descriptor{}, err
		}
	}
	return "", ocispec.Descriptor{}, err
}

// resolve locates an image, makes the lease called hold keep it and reads what it says of itself.
func (s *imageStore) resolve(ctx context.Context, w wish, hold string) (resolved, error) {
	scope, target, err := s.locate(ctx, w, hold)
	if err != nil {
		return resolved{}, err
	}
	return s.open(ctx, scope, target, w.image, hold)
}

// open reads what an image that is here says of itself, and makes the lease called hold keep it.
func (s *imageStore) open(ctx context.Context, scope runtime.Scope, target ocispec.Descriptor, image, hold string) (resolved, error) {
	ctx, err := s.within(ctx, scope)
	if err != nil {
		return resolved{}, err
	}
	if err := s.holdImage(ctx, hold, target); err != nil {
		return resolved{}, err
	}
	cs := s.client.ContentStore()
	manifest, err := images.Manifest(ctx, cs, target, platformHere)
	if err != nil {
		return resolved{}, runtime.Classify(runtime.ClassTenant, fmt.Errorf("image %s: read its manifest for this machine: %w", image, err))
	}
	raw, err := content.ReadBlob(ctx, cs, manifest.Config)
	if err != nil {
		return resolved{}, storeError(err, "image %s: read its configuration", image)
	}
	r := resolved{scope: scope, target: target, manifest: manifest, check: checkOfImage(raw)}
	if err := json.Unmarshal(raw, &r.config); err != nil {
		return resolved{}, runtime.Classify(runtime.ClassTenant, fmt.Errorf("image %s: decode its configuration: %w", image, err))
	}
	if len(r.config.RootFS.DiffIDs) != len(manifest.Layers) || len(manifest.Layers) == 0 {
		return resolved{}, runtime.Classify(runtime.ClassTenant, fmt.Errorf("image %s: %d layers with %d digests: not a container image", image, len(manifest.Layers), len(r.config.RootFS.DiffIDs)))
	}
	return r, nil
}
