package containerd

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/diff"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/pkg/archive"
	"github.com/containerd/containerd/v2/pkg/archive/compression"
	"github.com/containerd/containerd/v2/pkg/rootfs"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/souk-network/souk/agent/runtime"
)

const snapshotterName = "overlayfs"

// lowerDirs unpacks an image, once for all who need it, and gives the directories of its layers, uppermost first.
// The lease called hold keeps them.
func (s *imageStore) lowerDirs(ctx context.Context, i resolved, hold string) ([]string, error) {
	ctx, err := s.within(ctx, i.scope)
	if err != nil {
		return nil, err
	}
	held := leases.WithLease(ctx, hold)
	key := string(i.scope) + "/" + i.chainID().String()
	if _, err, _ := s.unpacks.Do(key, func() (any, error) { return nil, s.unpack(held, i) }); err != nil {
		return nil, err
	}
	return s.view(ctx, i.scope, i.chainID(), hold)
}

// view gives the directories of unpacked layers, uppermost first, and makes the lease called hold keep them.
func (s *imageStore) view(ctx context.Context, scope runtime.Scope, chain digest.Digest, hold string) ([]string, error) {
	ctx, err := s.within(ctx, scope)
	if err != nil {
		return nil, err
	}
	key := viewKey(hold, chain)
	sn := s.client.SnapshotService(snapshotterName)
	mounts, err := sn.View(leases.WithLease(ctx, hold), key, chain.String())
	if errdefs.IsAlreadyExists(err) {
		mounts, err = sn.Mounts(ctx, key)
	}
	if err != nil {
		return nil, storeError(err, "view the layers %s", chain)
	}
	return layerDirs(mounts)
}

// layerDirs reads the layers' directories off the mount that would show them read-only.
func layerDirs(mounts []mount.Mount) ([]string, error) {
	if len(mounts) != 1 {
		return nil, fmt.Errorf("layers of an image: %d mounts, want 1", len(mounts))
	}
	if mounts[0].Type == "bind" {
		return []string{mounts[0].Source}, nil
	}
	for _, o := range mounts[0].Options {
		if dirs, ok := strings.CutPrefix(o, "lowerdir="); ok {
			return strings.Split(dirs, ":"), nil
		}
	}
	return nil, fmt.Errorf("layers of an image: no lowerdir in mount of type %s", mounts[0].Type)
}

// unpack applies an image's layers in order, within the limits on what it may grow to.
func (s *imageStore) unpack(ctx context.Context, i resolved) error {
	sn := s.client.SnapshotService(snapshotterName)
	if _, err := sn.Stat(ctx, i.chainID().String()); err == nil {
		return nil
	}
	if err := s.checkFree(); err != nil {
		return err
	}
	applier := &boundedApplier{
		store: s.client.ContentStore(), room: s.checkFreeFor,
		bytes: s.limits.UnpackedBytes, sizes: s.limits.UnpackedBytes, entries: s.limits.UnpackedFiles,
	}
	var chain []digest.Digest
	for n, blob := range i.manifest.Layers {
		layer := rootfs.Layer{Blob: blob, Diff: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: i.config.RootFS.DiffIDs[n]}}
		if _, err := rootfs.ApplyLayerWithOpts(ctx, layer, chain, sn, applier, nil, nil); err != nil {
			return unpackError(blob, errors.Join(err, s.sweep(context.WithoutCancel(ctx)))) // what was written must go at once
		}
		chain = append(chain, layer.Diff.Digest)
	}
	return nil
}

func unpackError(blob ocispec.Descriptor, err error) error {
	err = storeError(err, "unpack layer %s", blob.Digest)
	if runtime.ClassOf(err) == runtime.ClassTransient || errors.Is(err, context.Canceled) {
		return err
	}
	if errors.Is(err, runtime.ErrTooLarge) || strings.Contains(err.Error(), "wrong diff id") || strings.Contains(err.Error(), "archive/tar") {
		return runtime.Classify(runtime.ClassTenant, err)
	}
	return err
}

// boundedApplier unpacks layers until it has written as many bytes or entries as one image may, or the disk is short.
type boundedApplier struct {
	store   content.Provider
	room    func(bytes int64) error // refuses bytes for which the disk has no room
	bytes   int64                   // of the archives, left
	sizes   int64                   // of files as they say, which may be sparse in the archive, left
	entries int64                   // left
	step    int64                   // bytes until the disk is looked at again
}

const (
	unpackStep = 16 << 20 // bytes written between two looks at the disk
	entryBytes = 4 << 10  // that a file takes beside its content, about
)

// grow counts bytes that are about to be written.
func (a *boundedApplier) grow(n int64) error {
	if a.step -= n; a.step > 0 {
		return nil
	}
	a.step = unpackStep
	return a.room(0)
}

// Apply implements diff.Applier. It writes into the snapshot's own directory, so that no mount is left behind
// whenever the process dies.
func (a *boundedApplier) Apply(ctx context.Context, layer ocispec.Descriptor, mounts []mount.Mount, _ ...diff.ApplyOpt) (ocispec.Descriptor, error) {
	into, options, err := a.destination(mounts)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	blob, err := a.store.ReaderAt(ctx, layer)
	if err != nil {
		return ocispec.Descriptor{}, fmt.Errorf("open layer: %w", err)
	}
	defer blob.Close()
	stream, err := compression.DecompressStream(content.NewReader(blob))
	if err != nil {
		return ocispec.Descriptor{}, fmt.Errorf("decompress layer: %w", err)
	}
	defer stream.Close()

	digester := digest.Canonical.Digester()
	bounded := &boundedReader{r: io.TeeReader(stream, digester.Hash()), a: a}
	if _, err := archive.Apply(ctx, into, bounded, append(options, archive.WithFilter(a.countEntry))...); err != nil {
		return ocispec.Descriptor{}, err
	}
	if _, err := io.Copy(io.Discard, bounded); err != nil { // padding after the archive's end is part of the digest
		return ocispec.Descriptor{}, fmt.Errorf("read the end of the layer: %w", err)
	}
	return ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: digester.Digest()}, nil
}

// destination is the directory behind a writable snapshot's mount: bound for the lowest layer, the overlay's upper
// directory for the others.
func (a *boundedApplier) destination(mounts []mount.Mount) (string, []archive.ApplyOpt, error) {
	if len(mounts) != 1 {
		return "", nil, fmt.Errorf("unpack into %d mounts, want 1", len(mounts))
	}
	if mounts[0].Type == "bind" {
		return mounts[0].Source, nil, nil
	}
	upper, parents := "", []string(nil)
	for _, o := range mounts[0].Options {
		if dir, ok := strings.CutPrefix(o, "upperdir="); ok {
			upper = dir
		}
		if dirs, ok := strings.CutPrefix(o, "lowerdir="); ok {
			parents = strings.Split(dirs, ":")
		}
	}
	if upper == "" {
		return "", nil, fmt.Errorf("unpack into a mount of type %s without upperdir", mounts[0].Type)
	}
	return upper, []archive.ApplyOpt{archive.WithConvertWhiteout(archive.OverlayConvertWhiteout), archive.WithParents(parents)}, nil
}

func (a *boundedApplier) countEntry(h *tar.Header) (bool, error) {
	if a.entries--; a.entries < 0 {
		return false, fmt.Errorf("image unpacks to too many files: %w", runtime.ErrTooLarge)
	}
	if a.sizes -= h.Size; a.sizes < 0 {
		return false, errTooManyBytes
	}
	if h.Size >= unpackStep {
		if err := a.room(h.Size); err != nil {
			return false, err
		}
	}
	return true, a.grow(entryBytes)
}

var errTooManyBytes = fmt.Errorf("image unpacks to too many bytes: %w", runtime.ErrTooLarge)

type boundedReader struct {
	r io.Reader
	a *boundedApplier
}

func (b *boundedReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.a.bytes -= int64(n); b.a.bytes < 0 {
		return n, errTooManyBytes
	}
	if full := b.a.grow(int64(n)); full != nil {
		return n, full
	}
	return n, err
}
