package containerd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/runtime"
)

const (
	uploadPrefix = "upload-"
	uploadStep   = 1 << 20 // bytes written between two looks at the limits
	openUploads  = 16      // of a scope at a time
	uploadIdle   = time.Hour
)

// StartUpload implements runtime.ImageStore. An upload that is not finished is forgotten after a day, or after an hour
// without a byte when its scope has too many.
func (s *imageStore) StartUpload(ctx context.Context, scope runtime.Scope) (string, error) {
	ctx, err := s.into(ctx, scope)
	if err != nil {
		return "", err
	}
	s.growing.Lock() // two that start must not both be the last one allowed
	defer s.growing.Unlock()
	if err := s.checkFree(); err != nil {
		return "", err
	}
	if err := s.checkOpenUploads(ctx); err != nil {
		return "", err
	}
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("name an upload: %w", err)
	}
	id := hex.EncodeToString(b[:])
	w, err := s.client.ContentStore().Writer(ctx, content.WithRef(uploadPrefix+id))
	if err != nil {
		return "", storeError(err, "start an upload")
	}
	return id, w.Close()
}

// AppendUpload implements runtime.ImageStore.
func (s *imageStore) AppendUpload(ctx context.Context, scope runtime.Scope, id string, offset int64, r io.Reader) (int64, error) {
	ctx, err := s.into(ctx, scope)
	if err != nil {
		return 0, err
	}
	w, at, err := s.resumeUpload(ctx, id)
	if err != nil {
		return 0, err
	}
	defer w.Close()
	if offset >= 0 && offset != at {
		return at, fmt.Errorf("upload %s stands at %d, chunk begins at %d: %w", id, at, offset, runtime.ErrUploadOffset)
	}
	end, err := s.copyUpload(ctx, w, at, r)
	if errors.Is(err, runtime.ErrTooLarge) {
		if err := errors.Join(w.Close(), s.client.ContentStore().Abort(ctx, uploadPrefix+id)); err != nil {
			return at, storeError(err, "discard upload %s", id)
		}
	}
	if err != nil {
		return end, storeError(err, "write upload %s", id)
	}
	return end, nil
}

// copyUpload writes r to an upload that stands at offset, and gives where it stands then.
func (s *imageStore) copyUpload(ctx context.Context, w content.Writer, offset int64, r io.Reader) (int64, error) {
	step := make([]byte, uploadStep)
	for {
		n, readErr := fill(r, step)
		if n > 0 {
			if err := s.writeStep(ctx, w, offset, step[:n]); err != nil {
				return offset, err
			}
			offset += int64(n)
		}
		if errors.Is(readErr, io.EOF) {
			return offset, nil
		}
		if readErr != nil {
			return offset, readErr
		}
	}
}

// fill reads until b is full or r fails. Unlike io.ReadFull it keeps apart the end of r and a body that was cut short.
func fill(r io.Reader, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var m int
		m, err = r.Read(b[n:])
		n += m
	}
	return n, err
}

// writeStep writes what is in memory already, so that the limits are measured and used up by one upload at a time
// without any waiting for its sender.
func (s *imageStore) writeStep(ctx context.Context, w content.Writer, offset int64, b []byte) error {
	s.growing.Lock()
	defer s.growing.Unlock()
	st, err := w.Status()
	if err != nil {
		return err
	}
	// A cancelled upload's file could be written to unseen as long as it is open.
	if _, err := s.client.ContentStore().Status(ctx, st.Ref); err != nil {
		return err
	}
	if err := s.checkRoom(ctx, offset, int64(len(b))); err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// checkRoom refuses size bytes for a blob that has offset already, when a limit forbids them. The caller holds growing
// until they are written.
func (s *imageStore) checkRoom(ctx context.Context, offset, size int64) error {
	if err := s.checkFree(); err != nil {
		return err
	}
	room, err := s.room(ctx, offset)
	if err != nil {
		return err
	}
	if size > room {
		return runtime.Classify(runtime.ClassTenant, fmt.Errorf("%w: a blob may have %d bytes, all of an account's images %d", runtime.ErrTooLarge, s.limits.BlobBytes, s.limits.ScopeBytes))
	}
	return nil
}

// checkOpenUploads refuses one upload more than a scope may have. Those left behind by clients that died make room.
func (s *imageStore) checkOpenUploads(ctx context.Context) error {
	statuses, err := s.client.ContentStore().ListStatuses(ctx)
	if err != nil {
		return storeError(err, "count the scope's uploads")
	}
	open := slices.DeleteFunc(statuses, func(st content.Status) bool { return !strings.HasPrefix(st.Ref, uploadPrefix) })
	if len(open) < openUploads {
		return nil
	}
	left := len(open)
	for _, st := range open {
		if time.Since(st.UpdatedAt) < uploadIdle {
			continue
		}
		if err := s.client.ContentStore().Abort(ctx, st.Ref); err != nil && !errdefs.IsNotFound(err) {
			return storeError(err, "discard %s", st.Ref)
		}
		left--
	}
	if left >= openUploads {
		return runtime.Classify(runtime.ClassTenant, fmt.Errorf("%w: an account may have %d; finish or cancel one, or wait until one had no byte for %v", runtime.ErrTooManyUploads, openUploads, uploadIdle))
	}
	return nil
}

// resumeUpload opens an upload that exists.
func (s *imageStore) resumeUpload(ctx context.Context, id string) (content.Writer, int64, error) {
	if len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" {
		return nil, 0, fmt.Errorf("upload %q: %w", id, runtime.ErrNotFound)
	}
	if _, err := s.client.ContentStore().Status(ctx, uploadPrefix+id); err != nil {
		return nil, 0, storeError(err, "upload %s", id)
	}
	w, err := s.client.ContentStore().Writer(ctx, content.WithRef(uploadPrefix+id))
	if err != nil {
		if errdefs.IsUnavailable(err) {
			err = runtime.Classify(runtime.ClassTransient, err) // another request writes to it
		}
		return nil, 0, storeError(err, "upload %s", id)
	}
	st, err := w.Status()
	if err != nil {
		_ = w.Close()
		return nil, 0, storeError(err, "upload %s", id)
	}
	return w, st.Offset, nil
}

// room is how many bytes an upload at offset may still grow by.
func (s *imageStore) room(ctx context.Context, offset int64) (int64, error) {
	used, err := s.usedBytes(ctx)
	if err != nil {
		return 0, err
	}
	return max(0, min(s.limits.BlobBytes-offset, s.limits.ScopeBytes-used)), nil
}

// UploadSize implements runtime.ImageStore.
func (s *imageStore) UploadSize(ctx context.Context, scope runtime.Scope, id string) (int64, error) {
	ctx, err := s.into(ctx, scope)
	if err != nil {
		return 0, err
	}
	st, err := s.client.ContentStore().Status(ctx, uploadPrefix+id)
	if err != nil {
		return 0, storeError(err, "upload %s", id)
	}
	return st.Offset, nil
}

// FinishUpload implements runtime.ImageStore.
func (s *imageStore) FinishUpload(ctx context.Context, scope runtime.Scope, id, want string) (runtime.Descriptor, error) {
	ctx, err := s.into(ctx, scope)
	if err != nil {
		return runtime.Descriptor{}, err
	}
	expected, err := digest.Parse(want)
	if err != nil {
		return runtime.Descriptor{}, runtime.Invalidf("digest %q: %v", want, err)
	}
	if expected.Algorithm() != digest.SHA256 {
		return runtime.Descriptor{}, runtime.Invalidf("digest %q: want sha256", want)
	}
	w, size, err := s.resumeUpload(ctx, id)
	if err != nil {
		return runtime.Descriptor{}, err
	}
	defer w.Close()
	if got := w.Digest(); got != expected {
		if err := errors.Join(w.Close(), s.client.ContentStore().Abort(ctx, uploadPrefix+id)); err != nil {
			return runtime.Descriptor{}, storeError(err, "discard upload %s", id)
		}
		return runtime.Descriptor{}, runtime.Classify(runtime.ClassTenant, fmt.Errorf("upload %s: %w: want %s, got %s", id, runtime.ErrDigestMismatch, expected, got))
	}
	held, err := s.holding(ctx, heldLease)
	if err != nil {
		return runtime.Descriptor{}, err
	}
	if err := w.Commit(held, size, expected); err != nil && !errdefs.IsAlreadyExists(err) {
		return runtime.Descriptor{}, storeError(err, "finish upload %s", id)
	}
	return runtime.Descriptor{MediaType: "application/octet-stream", Digest: expected.String(), Size: size}, nil
}

// CancelUpload implements runtime.ImageStore.
func (s *imageStore) CancelUpload(ctx context.Context, scope runtime.Scope, id string) error {
	ctx, err := s.into(ctx, scope)
	if err != nil {
		return err
	}
	err = s.client.ContentStore().Abort(ctx, uploadPrefix+id)
	if err != nil && !errdefs.IsNotFound(err) {
		return storeError(err, "cancel upload %s", id)
	}
	return nil
}

// checkFree refuses new content when the host's file system is short, so that tenants alone can not fill it further.
func (s *imageStore) checkFree() error { return s.checkFreeFor(0) }

// checkFreeFor refuses so many bytes when the host's file system would be short with them.
func (s *imageStore) checkFreeFor(bytes int64) error {
	free, err := freeMiB(s.dataDir)
	if err != nil {
		return err
	}
	if free-bytes>>20 < s.limits.shortMiB() {
		return runtime.Classify(runtime.ClassProvider, fmt.Errorf("the provider's disk is full: %d MiB are free at %s, at least %d are kept; free space there: %w", free, s.dataDir, s.limits.shortMiB(), unix.ENOSPC))
	}
	return nil
}

func freeMiB(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("measure the file system of %s: %w", dir, err)
	}
	return int64(st.Bavail) * st.Bsize >> 20, nil //nolint:gosec // free blocks of a real file system
}
