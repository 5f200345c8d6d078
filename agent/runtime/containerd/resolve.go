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
}

func (i resolved) chainID() digest.Digest { return identity.ChainID(i.config.RootFS.DiffIDs) }

// locate finds the image of a service: pushed by its owner, else public and here, else pulled.
func (s *imageStore) locate(ctx context.Context, owner runtime.Scope, image string) (runtime.Scope, ocispec.Descriptor, error) {
	for _, scope := range []runtime.Scope{owner, runtime.PublicScope} {
		in, err := s.within(ctx, scope)
		if err != nil {
			return "", ocispec.Descriptor{}, err
		}
		target, err := s.find(in, scope, image)
		if err == nil {
			return scope, target, nil
		}
		if !errors.Is(err, runtime.ErrNotFound) && !errors.Is(err, runtime.ErrIncomplete) {
			return "", ocispec.Descriptor{}, err
		}
	}
	if _, err := s.Pull(ctx, image); err != nil {
		return "", ocispec.Descriptor{}, err
	}
	in, err := s.within(ctx, runtime.PublicScope)
	if err != nil {
		return "", ocispec.Descriptor{}, err
	}
	target, err := s.find(in, runtime.PublicScope, image)
	return runtime.PublicScope, target, err
}

// resolve locates an image and makes the lease called hold keep it.
func (s *imageStore) resolve(ctx context.Context, owner runtime.Scope, image, hold string) (resolved, error) {
	scope, target, err := s.locate(ctx, owner, image)
	if err != nil {
		return resolved{}, err
	}
	if ctx, err = s.within(ctx, scope); err != nil {
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
	r := resolved{scope: scope, target: target, manifest: manifest}
	if err := json.Unmarshal(raw, &r.config); err != nil {
		return resolved{}, runtime.Classify(runtime.ClassTenant, fmt.Errorf("image %s: decode its configuration: %w", image, err))
	}
	if len(r.config.RootFS.DiffIDs) != len(manifest.Layers) || len(manifest.Layers) == 0 {
		return resolved{}, runtime.Classify(runtime.ClassTenant, fmt.Errorf("image %s: %d layers with %d digests: not a container image", image, len(manifest.Layers), len(r.config.RootFS.DiffIDs)))
	}
	return r, nil
}
