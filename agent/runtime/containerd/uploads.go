package containerd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/runtime"
)

const uploadPrefix = "upload-"

// StartUpload implements runtime.ImageStore. An upload that is not finished is forgotten after a day.
func (s *imageStore) StartUpload(ctx context.Context, scope runtime.Scope) (string, error) {
	ctx, err := s.into(ctx, scope)
	if err != nil {
		return "", err
	}
	if err := s.checkFree(); err != nil {
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
	room, err := s.room(ctx, at)
	if err != nil {
		return at, err
	}
	n, err := io.Copy(w, io.LimitReader(r, room+1))
	if err != nil {
		return at + n, storeError(err, "write upload %s", id)
	}
	if n > room {
		if err := errors.Join(w.Close(), s.client.ContentStore().Abort(ctx, uploadPrefix+id)); err != nil {
			return at, storeError(err, "discard upload %s", id)
		}
		return at, runtime.Classify(runtime.ClassTenant, fmt.Errorf("upload %s: %w: a blob may have %d bytes, all of an account's images %d", id, runtime.ErrTooLarge, s.limits.BlobBytes, s.limits.ScopeBytes))
	}
	return at + n, nil
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

// checkFree refuses new content when the host's file system is nearly full.
func (s *imageStore) checkFree() error {
	free, err := freeMiB(s.dataDir)
	if err != nil {
		return err
	}
	if free < s.limits.MinimumFreeMiB {
		return runtime.Classify(runtime.ClassProvider, fmt.Errorf("the provider's disk is full: %d MiB are free at %s, at least %d are kept; free space there: %w", free, s.dataDir, s.limits.MinimumFreeMiB, unix.ENOSPC))
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
