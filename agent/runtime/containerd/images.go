package containerd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sort"
	"strings"
	"sync"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/singleflight"
	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
)

// imageStore keeps each scope in a containerd namespace of its own, with content isolated between them: a blob is in a
// namespace only after its bytes were written there, and a layer is unpacked in each from those bytes. Blobs that no
// manifest names yet are kept by the lease "held" of the namespace.
type imageStore struct {
	id      instance.ID
	client  *client.Client
	limits  ImageLimits
	dataDir string
	http    *http.Client
	plain   map[string]bool // registries that may be reached by plain HTTP at private addresses

	takingUp   sync.RWMutex // held for reading while a workload finds and holds an image, for writing while images are collected
	expectedMu sync.Mutex
	expected   map[string]int // how many workloads wait for the pull of an image, by name
	fetches    sync.Map       // how far pulls are: pullKey to *fetched
	growing    sync.Mutex     // held from measuring what a scope has until what it may have more of is written
	pulls      singleflight.Group
	unpacks    singleflight.Group
	onImage    func(runtime.Scope) // called when an image came: workloads may be waiting for it
}

const (
	heldLease      = "held"
	pinPrefix      = "pin-"
	mediaTypeLabel = "souk.network/manifest-media-type"
)

// within gives the context of a scope's namespace.
func (s *imageStore) within(ctx context.Context, scope runtime.Scope) (context.Context, error) {
	if scope != runtime.PublicScope {
		if err := validScope(scope); err != nil {
			return nil, err
		}
	}
	return namespaces.WithNamespace(ctx, scopeNamespace(s.id, scope)), nil
}

// into gives the context in which a scope may be written to from outside: not the public one, which only Pull fills.
func (s *imageStore) into(ctx context.Context, scope runtime.Scope) (context.Context, error) {
	if err := validScope(scope); err != nil {
		return nil, err
	}
	return s.within(ctx, scope)
}

func scopeNamespace(id instance.ID, scope runtime.Scope) string {
	return string(id) + "." + string(scope)
}

// holding makes everything written in ctx stay until it is let go of, whoever else needs it.
func (s *imageStore) holding(ctx context.Context, lease string) (context.Context, error) {
	_, err := s.client.LeasesService().Create(ctx, leases.WithID(lease))
	if err != nil && !errdefs.IsAlreadyExists(err) {
		return nil, fmt.Errorf("hold images as %s: %w", lease, err)
	}
	return leases.WithLease(ctx, lease), nil
}

// letGo undoes holding, collecting what nothing else needs.
func (s *imageStore) letGo(ctx context.Context, lease string) error {
	err := s.client.LeasesService().Delete(ctx, leases.Lease{ID: lease}, leases.SynchronousDelete)
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("let go of images held as %s: %w", lease, err)
	}
	return nil
}

// reference is an image name taken apart: a repository with a tag, a digest or both; the digest decides.
type reference struct {
	repository, tag string
	digest          digest.Digest
}

func parseReference(image string) (reference, error) {
	rest, d, hasDigest := strings.Cut(image, "@")
	r := reference{repository: rest}
	if hasDigest {
		parsed, err := digest.Parse(d)
		if err != nil {
			return reference{}, runtime.Invalidf("image %q: digest: %v", image, err)
		}
		r.digest = parsed
	}
	if colon := strings.LastIndexByte(rest, ':'); colon > strings.LastIndexByte(rest, '/') {
		r.repository, r.tag = rest[:colon], rest[colon+1:]
	} else if !hasDigest {
		r.tag = "latest"
	}
	if r.repository == "" || (r.tag == "" && !hasDigest) {
		return reference{}, runtime.Invalidf("image %q: want repository:tag or repository@sha256:…", image)
	}
	return r, nil
}

// target finds the manifest or index that a reference names in the namespace of ctx.
func (s *imageStore) target(ctx context.Context, r reference) (ocispec.Descriptor, error) {
	if r.digest == "" {
		image, err := s.client.ImageService().Get(ctx, r.repository+":"+r.tag)
		if err != nil {
			return ocispec.Descriptor{}, storeError(err, "image %s:%s", r.repository, r.tag)
		}
		return image.Target, nil
	}
	info, err := s.client.ContentStore().Info(ctx, r.digest)
	if err == nil && info.Labels[mediaTypeLabel] == "" {
		err = errdefs.ErrNotFound // a blob, but no manifest
	}
	if err != nil {
		return ocispec.Descriptor{}, storeError(err, "image %s@%s", r.repository, r.digest)
	}
	return ocispec.Descriptor{MediaType: info.Labels[mediaTypeLabel], Digest: info.Digest, Size: info.Size}, nil
}

// storeError says what was asked for and turns containerd's "not found" into the runtime's.
func storeError(err error, format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	var classified *runtime.ClassifiedError
	switch {
	case errors.As(err, &classified): // says already what to do
		return fmt.Errorf("%s: %w", what, err)
	case errdefs.IsNotFound(err):
		return fmt.Errorf("%s: %w", what, runtime.ErrNotFound)
	case errors.Is(err, unix.ENOSPC):
		return runtime.Classify(runtime.ClassProvider, fmt.Errorf("%s: the provider's disk is full; free space below its state directory: %w", what, err))
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
}

// Has implements runtime.ImageStore.
func (s *imageStore) Has(ctx context.Context, scope runtime.Scope, image string) (bool, error) {
	ctx, err := s.within(ctx, scope)
	if err != nil {
		return false, err
	}
	_, err = s.find(ctx, scope, image)
	if errors.Is(err, runtime.ErrNotFound) || errors.Is(err, runtime.ErrIncomplete) {
		return false, nil
	}
	return err == nil, err
}

// find gives the target of an image all of whose content is there.
func (s *imageStore) find(ctx context.Context, scope runtime.Scope, image string) (ocispec.Descriptor, error) {
	if scope == runtime.PublicScope {
		normal, err := normalPublicName(image)
		if err != nil {
			return ocispec.Descriptor{}, err
		}
		image = normal
	}
	r, err := parseReference(image)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	target, err := s.target(ctx, r)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	complete, _, _, _, err := images.Check(ctx, s.client.ContentStore(), target, platformHere)
	if err != nil {
		return ocispec.Descriptor{}, storeError(err, "check image %s", image)
	}
	if !complete {
		return ocispec.Descriptor{}, fmt.Errorf("image %s: %w", image, runtime.ErrIncomplete)
	}
	return target, nil
}

// Pin implements runtime.ImageStore.
func (s *imageStore) Pin(ctx context.Context, scope runtime.Scope, image string) error {
	ctx, err := s.within(ctx, scope)
	if err != nil {
		return err
	}
	target, err := s.find(ctx, scope, image)
	if err != nil {
		return err
	}
	return s.holdImage(ctx, pinLease(image), target)
}

// Unpin implements runtime.ImageStore.
func (s *imageStore) Unpin(ctx context.Context, scope runtime.Scope, image string) error {
	ctx, err := s.within(ctx, scope)
	if err != nil {
		return err
	}
	return s.letGo(ctx, pinLease(image))
}

// pinLease names the lease that pins an image; names of images have characters that names of leases may not.
func pinLease(image string) string {
	return pinPrefix + digest.FromString(image).Encoded()[:32]
}

// holdImage makes a lease hold a manifest and with it, by their labels, all that it names.
func (s *imageStore) holdImage(ctx context.Context, lease string, target ocispec.Descriptor) error {
	if _, err := s.holding(ctx, lease); err != nil {
		return err
	}
	err := s.client.LeasesService().AddResource(ctx, leases.Lease{ID: lease}, leases.Resource{ID: target.Digest.String(), Type: "content"})
	if err != nil {
		return storeError(err, "hold image %s", target.Digest)
	}
	return nil
}

// List implements runtime.ImageStore.
func (s *imageStore) List(ctx context.Context, scope runtime.Scope) ([]runtime.Image, error) {
	ctx, err := s.within(ctx, scope)
	if err != nil {
		return nil, err
	}
	found, err := s.client.ImageService().List(ctx)
	if err != nil {
		return nil, storeError(err, "list images of %s", scope)
	}
	held, err := s.client.LeasesService().List(ctx)
	if err != nil {
		return nil, storeError(err, "list pins of %s", scope)
	}
	pinned := map[string]bool{}
	for _, l := range held {
		pinned[l.ID] = true
	}
	list := make([]runtime.Image, 0, len(found))
	for _, i := range found {
		list = append(list, runtime.Image{Scope: scope, Name: i.Name, Target: plain(i.Target), UpdatedAt: i.UpdatedAt, Pinned: pinned[pinLease(i.Name)]})
	}
	sort.Slice(list, func(a, b int) bool { return list[a].Name < list[b].Name })
	return list, nil
}

func plain(d ocispec.Descriptor) runtime.Descriptor {
	return runtime.Descriptor{MediaType: d.MediaType, Digest: d.Digest.String(), Size: d.Size}
}

// Delete implements runtime.ImageStore.
func (s *imageStore) Delete(ctx context.Context, scope runtime.Scope, image string) error {
	ctx, err := s.within(ctx, scope)
	if err != nil {
		return err
	}
	if scope == runtime.PublicScope {
		if image, err = normalPublicName(image); err != nil {
			return err
		}
	}
	r, err := parseReference(image)
	if err != nil {
		return err
	}
	name := r.repository + ":" + r.tag
	if r.digest != "" {
		name = r.repository + "@" + r.digest.String()
	}
	record, err := s.client.ImageService().Get(ctx, name)
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return storeError(err, "delete image %s", name)
	}
	if err := s.unhold(ctx, record.Target); err != nil {
		return err
	}
	err = s.client.ImageService().Delete(ctx, name, images.SynchronousDelete())
	if err != nil && !errdefs.IsNotFound(err) {
		return storeError(err, "delete image %s", name)
	}
	return nil
}

// unhold takes an image's content out of the scope's held blobs, so that only names, pins and workloads keep it.
func (s *imageStore) unhold(ctx context.Context, target ocispec.Descriptor) error {
	forget := images.HandlerFunc(func(ctx context.Context, d ocispec.Descriptor) ([]ocispec.Descriptor, error) {
		err := s.client.LeasesService().DeleteResource(ctx, leases.Lease{ID: heldLease}, leases.Resource{ID: d.Digest.String(), Type: "content"})
		if err != nil && !errdefs.IsNotFound(err) {
			return nil, err
		}
		children, err := images.Children(ctx, s.client.ContentStore(), d)
		if errdefs.IsNotFound(err) {
			return nil, nil
		}
		return children, err
	})
	if err := images.Walk(ctx, forget, target); err != nil {
		return storeError(err, "let go of the content of %s", target.Digest)
	}
	return nil
}

// DeleteScope implements runtime.ImageStore.
func (s *imageStore) DeleteScope(ctx context.Context, scope runtime.Scope) error {
	ctx, err := s.within(ctx, scope)
	if err != nil {
		return err
	}
	statuses, err := s.client.ContentStore().ListStatuses(ctx)
	if err != nil {
		return storeError(err, "list uploads of %s", scope)
	}
	for _, st := range statuses {
		if err := s.client.ContentStore().Abort(ctx, st.Ref); err != nil && !errdefs.IsNotFound(err) {
			return storeError(err, "cancel upload %s", st.Ref)
		}
	}
	named, err := s.client.ImageService().List(ctx)
	if err != nil {
		return storeError(err, "list images of %s", scope)
	}
	for _, i := range named {
		if err := s.client.ImageService().Delete(ctx, i.Name); err != nil && !errdefs.IsNotFound(err) {
			return storeError(err, "delete image %s", i.Name)
		}
	}
	held, err := s.client.LeasesService().List(ctx)
	if err != nil {
		return storeError(err, "list what holds images of %s", scope)
	}
	for _, l := range held {
		if l.ID != heldLease && !strings.HasPrefix(l.ID, pinPrefix) {
			continue // a workload's: it goes with the workload
		}
		if err := s.letGo(ctx, l.ID); err != nil {
			return err
		}
	}
	return nil
}

// Size implements runtime.Sizer.
func (s *imageStore) Size(ctx context.Context, scope runtime.Scope) (int64, error) {
	ctx, err := s.within(ctx, scope)
	if err != nil {
		return 0, err
	}
	return s.usedBytes(ctx)
}

// usedBytes is what a scope holds. Uploads come first: one that is finished meanwhile counts twice rather than not at all.
func (s *imageStore) usedBytes(ctx context.Context) (int64, error) {
	statuses, err := s.client.ContentStore().ListStatuses(ctx)
	if err != nil {
		return 0, storeError(err, "measure the scope's uploads")
	}
	var total int64
	for _, st := range statuses {
		total += st.Offset
	}
	err = s.client.ContentStore().Walk(ctx, func(i content.Info) error {
		total += i.Size
		return nil
	})
	if err != nil {
		return 0, storeError(err, "measure the scope")
	}
	return total, nil
}
