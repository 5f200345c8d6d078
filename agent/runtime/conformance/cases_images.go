package conformance

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/runtime"
)

func images(t *testing.T, p pair) {
	ctx := t.Context()
	store := p.a.Images()
	img := Image(t, serving())
	pushed := Push(t, store, alice, "hello", "1", img)
	digest, err := img.Digest()
	require.NoError(t, err)
	require.Equal(t, digest.String(), pushed.Digest)
	layers, err := img.Layers()
	require.NoError(t, err)
	secret, err := layers[0].Digest()
	require.NoError(t, err)

	t.Run("what was pushed can be read back by its owner alone", func(t *testing.T) {
		blob, d, err := store.OpenBlob(ctx, alice, secret.String())
		require.NoError(t, err)
		defer blob.Close()
		want, err := layers[0].Compressed()
		require.NoError(t, err)
		wantBytes, err := io.ReadAll(want)
		require.NoError(t, err)
		got, err := io.ReadAll(blob)
		require.NoError(t, err)
		require.Equal(t, wantBytes, got)
		require.EqualValues(t, len(wantBytes), d.Size)

		for _, scope := range []runtime.Scope{bob, runtime.PublicScope} {
			_, err = store.StatBlob(ctx, scope, secret.String())
			require.ErrorIs(t, err, runtime.ErrNotFound)
			_, _, err = store.OpenBlob(ctx, scope, secret.String())
			require.ErrorIs(t, err, runtime.ErrNotFound)
			_, _, err = store.GetManifest(ctx, scope, "hello", "1")
			require.ErrorIs(t, err, runtime.ErrNotFound)
			_, _, err = store.GetManifest(ctx, scope, "hello", digest.String())
			require.ErrorIs(t, err, runtime.ErrNotFound)
		}
		_, err = p.b.Images().StatBlob(ctx, alice, secret.String())
		require.ErrorIs(t, err, runtime.ErrNotFound, "another provider")
	})
	t.Run("a manifest cannot take in blobs that its scope does not hold", func(t *testing.T) {
		manifest, err := img.RawManifest()
		require.NoError(t, err)
		config, err := img.RawConfigFile()
		require.NoError(t, err)
		pushBlob(ctx, t, store, bob, io.NopCloser(bytes.NewReader(config)))
		_, err = store.PutManifest(ctx, bob, "stolen", "1", pushed.MediaType, manifest)
		require.ErrorIs(t, err, runtime.ErrIncomplete)
		contains(t, err.Error(), secret.String())
	})
	t.Run("tags, digests and lists", func(t *testing.T) {
		Push(t, store, alice, "hello", "2", img)
		d, body, err := store.GetManifest(ctx, alice, "hello", digest.String())
		require.NoError(t, err)
		require.Equal(t, pushed, d)
		want, err := img.RawManifest()
		require.NoError(t, err)
		require.Equal(t, want, body)
		tags, err := store.Tags(ctx, alice, "hello")
		require.NoError(t, err)
		require.Equal(t, []string{"1", "2"}, tags)
		_, err = store.Tags(ctx, bob, "hello")
		require.ErrorIs(t, err, runtime.ErrNotFound)
		list, err := store.List(ctx, alice)
		require.NoError(t, err)
		require.Len(t, list, 2)
		require.Equal(t, "hello:1", list[0].Name)
		has(t, store, alice, "hello:1", true)
		has(t, store, alice, "hello@"+digest.String(), true)
		has(t, store, bob, "hello:1", false)
	})
	t.Run("uploads", func(t *testing.T) { uploads(t, store) })
	t.Run("pins and deletion", func(t *testing.T) {
		require.NoError(t, store.Pin(ctx, alice, "hello:2"))
		require.NoError(t, store.Delete(ctx, alice, "hello:1"))
		require.NoError(t, store.Delete(ctx, alice, "hello:1"))
		require.NoError(t, store.Delete(ctx, alice, "hello:2"))
		has(t, store, alice, "hello:1", false)
		has(t, store, alice, "hello@"+digest.String(), true)
		require.NoError(t, store.Unpin(ctx, alice, "hello:2"))
		require.NoError(t, store.Unpin(ctx, alice, "hello:2"))
		has(t, store, alice, "hello@"+digest.String(), false)
		_, err := store.StatBlob(ctx, alice, secret.String())
		require.ErrorIs(t, err, runtime.ErrNotFound, "collected")
	})
	t.Run("layouts", func(t *testing.T) { layouts(t, store, img) })
	t.Run("a running workload keeps what it needs", func(t *testing.T) {
		Push(t, store, alice, "gone", "1", img)
		apply(t, p.a, Workload(1, "gone@"+digest.String()))
		s := Running(t, p.a, 1)
		require.NoError(t, store.DeleteScope(ctx, alice))
		has(t, store, alice, "gone:1", false)
		tell(t, s, "/exit?code=1")
		s = Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return running(s) && s.Restarts == 1 })
		Get(t, s, "/")
	})
}

func has(t *testing.T, store runtime.ImageStore, scope runtime.Scope, image string, want bool) {
	t.Helper()
	got, err := store.Has(t.Context(), scope, image)
	require.NoError(t, err)
	require.Equal(t, want, got, image)
}

func uploads(t *testing.T, store runtime.ImageStore) {
	ctx := t.Context()
	id, err := store.StartUpload(ctx, alice)
	require.NoError(t, err)
	size, err := store.AppendUpload(ctx, alice, id, 0, strings.NewReader("hello "))
	require.NoError(t, err)
	require.EqualValues(t, 6, size)
	_, err = store.AppendUpload(ctx, alice, id, 3, strings.NewReader("x"))
	require.ErrorIs(t, err, runtime.ErrUploadOffset)
	_, err = store.AppendUpload(ctx, bob, id, 6, strings.NewReader("x"))
	require.ErrorIs(t, err, runtime.ErrNotFound)
	size, err = store.UploadSize(ctx, alice, id)
	require.NoError(t, err)
	require.EqualValues(t, 6, size)
	_, err = store.AppendUpload(ctx, alice, id, -1, strings.NewReader("world"))
	require.NoError(t, err)
	const digest = "sha256:b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
	d, err := store.FinishUpload(ctx, alice, id, digest)
	require.NoError(t, err)
	require.EqualValues(t, 11, d.Size)
	_, err = store.UploadSize(ctx, alice, id)
	require.ErrorIs(t, err, runtime.ErrNotFound)

	id, err = store.StartUpload(ctx, alice)
	require.NoError(t, err)
	_, err = store.AppendUpload(ctx, alice, id, 0, strings.NewReader("something else"))
	require.NoError(t, err)
	_, err = store.FinishUpload(ctx, alice, id, digest)
	require.ErrorIs(t, err, runtime.ErrDigestMismatch)
	_, err = store.FinishUpload(ctx, alice, id, digest)
	require.ErrorIs(t, err, runtime.ErrNotFound, "discarded")

	id, err = store.StartUpload(ctx, alice)
	require.NoError(t, err)
	require.NoError(t, store.CancelUpload(ctx, alice, id))
	require.NoError(t, store.CancelUpload(ctx, alice, id))

	for _, bad := range []string{"", "../x", "sha256:short", "md5:d41d8cd98f00b204e9800998ecf8427e"} {
		_, err = store.StatBlob(ctx, alice, bad)
		require.ErrorIs(t, err, runtime.ErrInvalid, bad)
	}
	for _, scope := range []runtime.Scope{"", "../etc", "Upper", runtime.PublicScope} {
		_, err = store.StartUpload(ctx, scope)
		require.Error(t, err, scope)
	}
	for _, repository := range []string{"", "../x", "UPPER", "a//b", strings.Repeat("a", 300)} {
		_, err = store.PutManifest(ctx, alice, repository, "1", "application/vnd.oci.image.manifest.v1+json", []byte("{}"))
		require.ErrorIs(t, err, runtime.ErrInvalid, repository)
	}
	_, err = store.PutManifest(ctx, alice, "x", "1", "application/vnd.oci.image.manifest.v1+json", []byte("not json"))
	require.ErrorIs(t, err, runtime.ErrInvalid)
	_, err = store.PutManifest(ctx, alice, "x", "1", "text/plain", []byte("{}"))
	require.ErrorIs(t, err, runtime.ErrInvalid)
}

func layouts(t *testing.T, store runtime.ImageStore, img v1.Image) {
	tag, err := name.NewTag("local/app:1")
	require.NoError(t, err)
	var archive bytes.Buffer
	require.NoError(t, tarball.Write(tag, img, &archive))
	_, err = store.Import(t.Context(), alice, "docker/app", "1", &archive)
	require.NoError(t, err)
	has(t, store, alice, "docker/app:1", true)

	dir := t.TempDir()
	path, err := layout.Write(dir, emptyIndex)
	require.NoError(t, err)
	require.NoError(t, path.AppendImage(img))
	d, err := store.Import(t.Context(), alice, "oci/app", "1", tarOf(t, dir))
	require.NoError(t, err)
	want, err := img.Digest()
	require.NoError(t, err)
	require.Equal(t, want.String(), d.Digest)
	has(t, store, alice, "oci/app:1", true)
	_, err = store.Import(t.Context(), alice, "x", "1", strings.NewReader("no tar at all, but long enough to be read as one"))
	require.Error(t, err)
}
