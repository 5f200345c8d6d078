package containerd

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/images/archive"
	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/souk-network/souk/agent/runtime"
)

// platformHere picks the image for this machine from an index.
var platformHere = platforms.Default()

// The names that the OCI distribution specification allows.
var (
	repositoryPattern = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagPattern        = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
)

func checkRepository(repository string) error {
	if len(repository) > 255 || !repositoryPattern.MatchString(repository) {
		return runtime.Invalidf("repository %q: see the OCI distribution specification", repository)
	}
	return nil
}

// checkReference tells a tag from a digest.
func checkReference(repository, ref string) (reference, error) {
	if err := checkRepository(repository); err != nil {
		return reference{}, err
	}
	if strings.Contains(ref, ":") {
		d, err := digest.Parse(ref)
		if err != nil || d.Algorithm() != digest.SHA256 {
			return reference{}, runtime.Invalidf("reference %q: want a tag or a sha256 digest", ref)
		}
		return reference{repository: repository, digest: d}, nil
	}
	if !tagPattern.MatchString(ref) {
		return reference{}, runtime.Invalidf("tag %q: see the OCI distribution specification", ref)
	}
	return reference{repository: repository, tag: ref}, nil
}

// StatBlob implements runtime.ImageStore.
func (s *imageStore) StatBlob(ctx context.Context, scope runtime.Scope, d string) (runtime.Descriptor, error) {
	ctx, err := s.within(ctx, scope)
	if err != nil {
		return runtime.Descriptor{}, err
	}
	parsed, err := digest.Parse(d)
	if err != nil {
		return runtime.Descriptor{}, runtime.Invalidf("digest %q: %v", d, err)
	}
	info, err := s.client.ContentStore().Info(ctx, parsed)
	if err != nil {
		return runtime.Descriptor{}, storeError(err, "blob %s", d)
	}
	mediaType := info.Labels[mediaTypeLabel]
	if mediaType == "" {
		mediaType = "application/octet-stream"
	}
	return runtime.Descriptor{MediaType: mediaType, Digest: d, Size: info.Size}, nil
}

// blobReader makes a seekable stream of containerd's reader.
type blobReader struct {
	*io.SectionReader
	io.Closer
}

// OpenBlob implements runtime.ImageStore.
func (s *imageStore) OpenBlob(ctx context.Context, scope runtime.Scope, d string) (io.ReadSeekCloser, runtime.Descriptor, error) {
	desc, err := s.StatBlob(ctx, scope, d)
	if err != nil {
		return nil, runtime.Descriptor{}, err
	}
	if ctx, err = s.within(ctx, scope); err != nil {
		return nil, runtime.Descriptor{}, err
	}
	ra, err := s.client.ContentStore().ReaderAt(ctx, ocispec.Descriptor{Digest: digest.Digest(d), Size: desc.Size})
	if err != nil {
		return nil, runtime.Descriptor{}, storeError(err, "blob %s", d)
	}
	return blobReader{io.NewSectionReader(ra, 0, ra.Size()), ra}, desc, nil
}

// PutManifest implements runtime.ImageStore.
func (s *imageStore) PutManifest(ctx context.Context, scope runtime.Scope, repository, ref, mediaType string, body []byte) (runtime.Descriptor, error) {
	r, err := checkReference(repository, ref)
	if err != nil {
		return runtime.Descriptor{}, err
	}
	if ctx, err = s.into(ctx, scope); err != nil {
		return runtime.Descriptor{}, err
	}
	if int64(len(body)) > s.limits.ManifestBytes {
		return runtime.Descriptor{}, runtime.Classify(runtime.ClassTenant, fmt.Errorf("manifest: %w: more than %d bytes", runtime.ErrTooLarge, s.limits.ManifestBytes))
	}
	if !images.IsManifestType(mediaType) && !images.IsIndexType(mediaType) {
		return runtime.Descriptor{}, runtime.Invalidf("manifest of type %q: want an image manifest or index", mediaType)
	}
	target := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(body), Size: int64(len(body))}
	if r.digest != "" && r.digest != target.Digest {
		return runtime.Descriptor{}, runtime.Classify(runtime.ClassTenant, fmt.Errorf("manifest: %w: want %s, got %s", runtime.ErrDigestMismatch, r.digest, target.Digest))
	}
	if err := s.writeManifest(ctx, target, body); err != nil {
		return runtime.Descriptor{}, err
	}
	if err := s.adopt(ctx, scope, r, target); err != nil {
		return runtime.Descriptor{}, err
	}
	return plain(target), nil
}

// writeManifest checks and stores a manifest's own bytes.
func (s *imageStore) writeManifest(ctx context.Context, target ocispec.Descriptor, body []byte) error {
	if err := s.checkChildren(ctx, target, body); err != nil {
		return err
	}
	held, err := s.holding(ctx, heldLease)
	if err != nil {
		return err
	}
	s.growing.Lock()
	defer s.growing.Unlock()
	size := target.Size
	if _, err := s.client.ContentStore().Info(ctx, target.Digest); err == nil {
		size = 0 // there already: it only gets another name
	}
	if err := s.checkRoom(ctx, 0, size); err != nil {
		return fmt.Errorf("store manifest %s: %w", target.Digest, err)
	}
	err = content.WriteBlob(held, s.client.ContentStore(), "manifest-"+target.Digest.String(), bytes.NewReader(body), target,
		content.WithLabels(map[string]string{mediaTypeLabel: target.MediaType}))
	if err != nil {
		return storeError(err, "store manifest %s", target.Digest)
	}
	return nil
}

// onlyBody provides a manifest that is not in the store yet.
type onlyBody struct {
	bytes.Reader
}

func (*onlyBody) Close() error { return nil }

type bodyProvider []byte

func (b bodyProvider) ReaderAt(context.Context, ocispec.Descriptor) (content.ReaderAt, error) {
	r := &onlyBody{}
	r.Reset(b)
	return r, nil
}

// checkChildren makes sure that the scope has what a manifest names directly.
func (s *imageStore) checkChildren(ctx context.Context, target ocispec.Descriptor, body []byte) error {
	children, err := images.Children(ctx, bodyProvider(body), target)
	if err != nil {
		return runtime.Invalidf("manifest: %v", err)
	}
	var missing []string
	for _, c := range children {
		info, err := s.client.ContentStore().Info(ctx, c.Digest)
		switch {
		case errdefs.IsNotFound(err):
			missing = append(missing, c.Digest.String())
		case err != nil:
			return storeError(err, "check blob %s", c.Digest)
		case info.Size != c.Size:
			return runtime.Invalidf("manifest: blob %s has %d bytes, not %d", c.Digest, info.Size, c.Size)
		}
	}
	if len(missing) > 0 {
		return runtime.Classify(runtime.ClassTenant, fmt.Errorf("%w: %s", runtime.ErrIncomplete, strings.Join(missing, ", ")))
	}
	return nil
}

// adopt links a stored manifest to what it names, gives it its name and wakes the workloads that wait for it.
func (s *imageStore) adopt(ctx context.Context, scope runtime.Scope, r reference, target ocispec.Descriptor) error {
	cs := s.client.ContentStore()
	// An index may name platforms that were not pushed; whoever needs one finds out then.
	present := func(ctx context.Context, d ocispec.Descriptor) ([]ocispec.Descriptor, error) {
		children, err := images.Children(ctx, cs, d)
		if errdefs.IsNotFound(err) {
			return nil, nil
		}
		return children, err
	}
	if err := images.Walk(ctx, images.SetChildrenMappedLabels(cs, present, nil), target); err != nil {
		return storeError(err, "link the content of %s", target.Digest)
	}
	name := r.repository + ":" + r.tag
	if r.digest != "" {
		name = r.repository + "@" + r.digest.String()
	}
	if err := s.name(ctx, name, target); err != nil {
		return err
	}
	s.onImage(scope)
	return nil
}

func (s *imageStore) name(ctx context.Context, name string, target ocispec.Descriptor) error {
	is := s.client.ImageService()
	_, err := is.Create(ctx, images.Image{Name: name, Target: target})
	if errdefs.IsAlreadyExists(err) {
		_, err = is.Update(ctx, images.Image{Name: name, Target: target}, "target")
	}
	if err != nil {
		return storeError(err, "name image %s", name)
	}
	return nil
}

// GetManifest implements runtime.ImageStore.
func (s *imageStore) GetManifest(ctx context.Context, scope runtime.Scope, repository, ref string) (runtime.Descriptor, []byte, error) {
	r, err := checkReference(repository, ref)
	if err != nil {
		return runtime.Descriptor{}, nil, err
	}
	if ctx, err = s.within(ctx, scope); err != nil {
		return runtime.Descriptor{}, nil, err
	}
	target, err := s.target(ctx, r)
	if err != nil {
		return runtime.Descriptor{}, nil, err
	}
	body, err := content.ReadBlob(ctx, s.client.ContentStore(), target)
	if err != nil {
		return runtime.Descriptor{}, nil, storeError(err, "manifest %s", target.Digest)
	}
	return plain(target), body, nil
}

// Tags implements runtime.ImageStore.
func (s *imageStore) Tags(ctx context.Context, scope runtime.Scope, repository string) ([]string, error) {
	if err := checkRepository(repository); err != nil {
		return nil, err
	}
	all, err := s.List(ctx, scope)
	if err != nil {
		return nil, err
	}
	var tags []string
	for _, i := range all {
		if r, err := parseReference(i.Name); err == nil && r.repository == repository && r.digest == "" {
			tags = append(tags, r.tag)
		}
	}
	if tags == nil {
		return nil, fmt.Errorf("repository %s: %w", repository, runtime.ErrNotFound)
	}
	sort.Strings(tags)
	return tags, nil
}

// Import implements runtime.ImageStore.
func (s *imageStore) Import(ctx context.Context, scope runtime.Scope, repository, tag string, layout io.Reader) (runtime.Descriptor, error) {
	r, err := checkReference(repository, tag)
	if err != nil {
		return runtime.Descriptor{}, err
	}
	if ctx, err = s.into(ctx, scope); err != nil {
		return runtime.Descriptor{}, err
	}
	if err := s.checkFree(); err != nil {
		return runtime.Descriptor{}, err
	}
	held, err := s.holding(ctx, heldLease)
	if err != nil {
		return runtime.Descriptor{}, err
	}
	room, err := s.room(ctx, 0)
	if err != nil {
		return runtime.Descriptor{}, err
	}
	stepped := &steppedReader{r: layout, check: func(size int64) error { return s.checkRoom(ctx, 0, size) }}
	limited := &io.LimitedReader{R: stepped, N: room}
	index, err := archive.ImportIndex(held, s.client.ContentStore(), limited)
	if stepped.refused != nil {
		return runtime.Descriptor{}, fmt.Errorf("import %s:%s: %w", repository, tag, stepped.refused)
	}
	if limited.N == 0 {
		return runtime.Descriptor{}, runtime.Classify(runtime.ClassTenant, fmt.Errorf("import %s:%s: %w", repository, tag, runtime.ErrTooLarge))
	}
	if err != nil {
		return runtime.Descriptor{}, storeError(err, "import %s:%s", repository, tag)
	}
	target, err := s.onlyImage(held, index)
	if err != nil {
		return runtime.Descriptor{}, err
	}
	if err := s.labelManifest(ctx, target); err != nil {
		return runtime.Descriptor{}, err
	}
	if err := s.adopt(ctx, scope, r, target); err != nil {
		return runtime.Descriptor{}, err
	}
	return plain(target), nil
}

// steppedReader asks before every step whether its bytes may still be written, for others grow the scope meanwhile.
type steppedReader struct {
	r       io.Reader
	check   func(size int64) error
	left    int // of the step
	refused error
}

func (s *steppedReader) Read(b []byte) (int, error) {
	if s.left == 0 {
		if s.refused = s.check(1); s.refused != nil {
			return 0, s.refused
		}
		s.left = uploadStep
	}
	n, err := s.r.Read(b[:min(len(b), s.left)])
	s.left -= n
	return n, err
}

// onlyImage takes the one entry of a layout's index.
func (s *imageStore) onlyImage(ctx context.Context, index ocispec.Descriptor) (ocispec.Descriptor, error) {
	entries, err := images.Children(ctx, s.client.ContentStore(), index)
	if err != nil {
		return ocispec.Descriptor{}, storeError(err, "read the layout's index")
	}
	if len(entries) != 1 {
		return ocispec.Descriptor{}, runtime.Invalidf("image layout with %d images: want one", len(entries))
	}
	return entries[0], nil
}

// labelManifest marks a stored blob as a manifest, so that it can be asked for by digest.
func (s *imageStore) labelManifest(ctx context.Context, d ocispec.Descriptor) error {
	_, err := s.client.ContentStore().Update(ctx, content.Info{Digest: d.Digest, Labels: map[string]string{mediaTypeLabel: d.MediaType}}, "labels."+mediaTypeLabel)
	if err != nil {
		return storeError(err, "mark manifest %s", d.Digest)
	}
	return nil
}
