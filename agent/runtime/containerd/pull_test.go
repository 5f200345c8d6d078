package containerd_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/runtime/conformance"
	"github.com/souk-network/souk/agent/runtime/containerd"
)

// serve starts a server on loopback and gives its host and port.
func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func quietRegistry() http.Handler {
	return registry.New(registry.Logger(log.New(io.Discard, "", 0)))
}

func upload(t testing.TB, host, image string, img v1.Image) {
	t.Helper()
	ref, err := name.ParseReference(host+"/"+image, name.Insecure)
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, img))
}

func TestPublicImagesArePulledAndShared(t *testing.T) {
	needRoot(t)
	host := serve(t, quietRegistry())
	upload(t, host, "team/hello:1", helloImage(t))
	c := config(t, "souk1one", stateDir(t))
	c.Registries = []string{host}
	r := open(t, c)
	for lease := range runtime.LeaseID(2) {
		w := conformance.Workload(lease+1, host+"/team/hello:1")
		w.Owner = fmt.Sprintf("souk1tenant%d", lease)
		require.NoError(t, r.Apply(t.Context(), w))
	}
	for lease := range runtime.LeaseID(2) {
		conformance.Get(t, conformance.Running(t, r, lease+1), "/")
	}
	list, err := r.Images().List(t.Context(), runtime.PublicScope)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, host+"/team/hello:1", list[0].Name)

	_, err = r.Images().Pull(t.Context(), host+"/team/missing:1")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	require.Equal(t, runtime.ClassTenant, runtime.ClassOf(err))
	require.NoError(t, r.Images().Delete(t.Context(), runtime.PublicScope, host+"/team/hello:1"))
}

func TestPullsDoNotReachPrivateAddresses(t *testing.T) {
	needRoot(t)
	reached := false
	secret := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached = true
		w.WriteHeader(http.StatusNotFound)
	}))
	allowed := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+secret+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	c := config(t, "souk1one", stateDir(t))
	c.Registries = []string{allowed}
	r := open(t, c)
	for _, image := range []string{secret + "/x:1", "localhost:1/x:1", "169.254.169.254/x:1", "[::1]:80/x:1", allowed + "/x:1"} {
		_, err := r.Images().Pull(t.Context(), image)
		require.ErrorContains(t, err, "not public", image)
		require.Equal(t, runtime.ClassTenant, runtime.ClassOf(err))
	}
	require.False(t, reached)
}

// TestPublicImagesCannotTakeInPushedLayers: a registry that names a layer without having it gets nothing from what
// tenants pushed.
func TestPublicImagesCannotTakeInPushedLayers(t *testing.T) {
	needRoot(t)
	img := helloImage(t)
	manifest, err := img.RawManifest()
	require.NoError(t, err)
	configFile, err := img.RawConfigFile()
	require.NoError(t, err)
	configDigest, err := img.ConfigName()
	require.NoError(t, err)
	host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, "/manifests/"):
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			_, _ = w.Write(manifest)
		case strings.HasSuffix(r.URL.Path, configDigest.String()):
			_, _ = w.Write(configFile)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	c := config(t, "souk1one", stateDir(t))
	c.Registries = []string{host}
	r := open(t, c)
	conformance.Push(t, r.Images(), owner, "private", "1", img)
	_, err = r.Images().Pull(t.Context(), host+"/thief:1")
	require.Error(t, err)
	has, err := r.Images().Has(t.Context(), runtime.PublicScope, host+"/thief:1")
	require.NoError(t, err)
	require.False(t, has)
}

func TestImagesThatUnpackTooLargeAreTheTenantsFault(t *testing.T) {
	needRoot(t)
	for name, limits := range map[string]containerd.ImageLimits{
		"too many bytes": {UnpackedBytes: 1 << 20},
		"too many files": {UnpackedFiles: 4},
	} {
		c := config(t, "souk1one", stateDir(t))
		c.Limits = limits
		r := open(t, c)
		conformance.Push(t, r.Images(), owner, "bomb", "1", helloImage(t))
		require.NoError(t, r.Apply(t.Context(), conformance.Workload(1, "bomb:1")))
		s := conformance.Replica(t, r, 1, 0, func(s runtime.ReplicaStatus) bool { return s.Error != "" })
		require.Equal(t, runtime.ClassTenant, s.Class, s.Error)
		require.Contains(t, s.Error, name)
	}
}

// TestLayersAreWhatTheyAreSaidToBe: naming the content digest of another tenant's layer in an image's configuration
// does not give its files.
func TestLayersAreWhatTheyAreSaidToBe(t *testing.T) {
	needRoot(t)
	c := config(t, "souk1one", stateDir(t))
	r := open(t, c)
	victim := conformance.Image(t, v1.Config{Entrypoint: []string{"/workload"}, Cmd: []string{"serve", ":8080"}},
		[]conformance.File{{Name: "secret", Mode: 0o644, Content: []byte("secret")}})
	conformance.Push(t, r.Images(), owner, "victim", "1", victim)
	require.NoError(t, r.Apply(t.Context(), conformance.Workload(1, "victim:1")))
	conformance.Running(t, r, 1)

	stolen, err := victim.ConfigFile()
	require.NoError(t, err)
	forged := conformance.Image(t, v1.Config{Entrypoint: []string{"/workload"}, Cmd: []string{"serve", ":8080"}},
		[]conformance.File{{Name: "harmless", Mode: 0o644, Content: []byte("harmless")}})
	file, err := forged.ConfigFile()
	require.NoError(t, err)
	file = file.DeepCopy()
	file.RootFS.DiffIDs = stolen.RootFS.DiffIDs
	forged, err = mutate.ConfigFile(forged, file)
	require.NoError(t, err)
	conformance.Push(t, r.Images(), "souk1thief", "forged", "1", forged)
	w := conformance.Workload(2, "forged:1")
	w.Owner = "souk1thief"
	require.NoError(t, r.Apply(t.Context(), w))
	s := conformance.Replica(t, r, 2, 0, func(s runtime.ReplicaStatus) bool { return s.Error != "" })
	require.Equal(t, runtime.PhaseFailed, s.Phase)
	require.Equal(t, runtime.ClassTenant, s.Class, s.Error)
	require.Contains(t, s.Error, "wrong diff id")
}

func TestUploadsAreBounded(t *testing.T) {
	needRoot(t)
	c := config(t, "souk1one", stateDir(t))
	c.Limits = containerd.ImageLimits{BlobBytes: 100, ScopeBytes: 150}
	r := open(t, c)
	store := r.Images()
	id, err := store.StartUpload(t.Context(), owner)
	require.NoError(t, err)
	_, err = store.AppendUpload(t.Context(), owner, id, 0, strings.NewReader(strings.Repeat("x", 100)))
	require.NoError(t, err, "exactly the limit")
	other, err := store.StartUpload(t.Context(), owner)
	require.NoError(t, err)
	_, err = store.AppendUpload(t.Context(), owner, other, 0, strings.NewReader(strings.Repeat("x", 51)))
	require.ErrorIs(t, err, runtime.ErrTooLarge, "of the scope")
	_, err = store.AppendUpload(t.Context(), owner, id, -1, strings.NewReader("x"))
	require.ErrorIs(t, err, runtime.ErrTooLarge, "of the blob")
	_, err = store.UploadSize(t.Context(), owner, id)
	require.ErrorIs(t, err, runtime.ErrNotFound, "discarded")
	_, err = store.StartUpload(t.Context(), "souk1other")
	require.NoError(t, err)
}

func TestUploadsAtTheSameTimeShareOneLimit(t *testing.T) {
	needRoot(t)
	c := config(t, "souk1one", stateDir(t))
	c.Limits = containerd.ImageLimits{BlobBytes: 3 << 20, ScopeBytes: 4 << 20}
	store := open(t, c).Images()
	type upload struct {
		id  string
		in  *io.PipeWriter
		end chan error
	}
	uploads := make([]upload, 2)
	for i := range uploads {
		id, err := store.StartUpload(t.Context(), owner)
		require.NoError(t, err)
		out, in := io.Pipe()
		end := make(chan error, 1)
		uploads[i] = upload{id: id, in: in, end: end}
		go func() {
			_, err := store.AppendUpload(t.Context(), owner, id, 0, out)
			_ = out.Close() // a pipe's reader cannot fail to close
			end <- err
		}()
		_, err = in.Write([]byte("x")) // both were let in before either grows
		require.NoError(t, err)
	}
	for _, u := range uploads {
		go func() {
			_, err := u.in.Write(make([]byte, 3<<20-1))
			_ = u.in.CloseWithError(err)
		}()
	}
	var total int64
	refused := 0
	for _, u := range uploads {
		if err := <-u.end; err != nil {
			require.ErrorIs(t, err, runtime.ErrTooLarge)
			require.Equal(t, runtime.ClassTenant, runtime.ClassOf(err))
			refused++
			continue
		}
		size, err := store.UploadSize(t.Context(), owner, u.id)
		require.NoError(t, err)
		total += size
	}
	require.Positive(t, refused)
	require.LessOrEqual(t, total, c.Limits.ScopeBytes)
}

func TestACancelledUploadTakesNoMoreBytes(t *testing.T) {
	needRoot(t)
	store := open(t, config(t, "souk1one", stateDir(t))).Images()
	id, err := store.StartUpload(t.Context(), owner)
	require.NoError(t, err)
	out, in := io.Pipe()
	end := make(chan error, 1)
	go func() {
		_, err := store.AppendUpload(t.Context(), owner, id, 0, out)
		_ = out.Close() // a pipe's reader cannot fail to close
		end <- err
	}()
	_, err = in.Write([]byte("x"))
	require.NoError(t, err)
	require.NoError(t, store.CancelUpload(t.Context(), owner, id))
	require.NoError(t, in.Close())
	require.ErrorIs(t, <-end, runtime.ErrNotFound)
}

func TestOpenUploadsAreCounted(t *testing.T) {
	needRoot(t)
	store := open(t, config(t, "souk1one", stateDir(t))).Images()
	var id string
	for range 16 {
		var err error
		id, err = store.StartUpload(t.Context(), owner)
		require.NoError(t, err)
	}
	_, err := store.StartUpload(t.Context(), owner)
	require.ErrorIs(t, err, runtime.ErrTooManyUploads)
	require.Equal(t, runtime.ClassTenant, runtime.ClassOf(err))
	_, err = store.StartUpload(t.Context(), "souk1other")
	require.NoError(t, err, "each account has its own")
	require.NoError(t, store.CancelUpload(t.Context(), owner, id))
	_, err = store.StartUpload(t.Context(), owner)
	require.NoError(t, err)
}

func TestUploadsLeftBehindMakeRoom(t *testing.T) {
	needRoot(t)
	state := stateDir(t)
	store := open(t, config(t, "souk1one", state)).Images()
	var ids []string
	for range 16 {
		id, err := store.StartUpload(t.Context(), owner)
		require.NoError(t, err)
		ids = append(ids, id)
	}
	before := time.Now().Add(-2 * time.Hour)
	stamp, err := before.MarshalText()
	require.NoError(t, err)
	require.NoError(t, filepath.WalkDir(state, func(path string, _ os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case filepath.Base(path) == "updatedat":
			return os.WriteFile(path, stamp, 0o600)
		case filepath.Base(path) == "data" && strings.Contains(path, "/ingest/"):
			return os.Chtimes(path, before, before)
		}
		return nil
	}))
	_, err = store.AppendUpload(t.Context(), owner, ids[0], 0, strings.NewReader("x"))
	require.NoError(t, err)
	_, err = store.StartUpload(t.Context(), owner)
	require.NoError(t, err)
	_, err = store.UploadSize(t.Context(), owner, ids[0])
	require.NoError(t, err, "still in use")
	_, err = store.UploadSize(t.Context(), owner, ids[1])
	require.ErrorIs(t, err, runtime.ErrNotFound)
}

func TestManifestsCountTowardsTheLimits(t *testing.T) {
	needRoot(t)
	index := []byte(`{"schemaVersion":2,"manifests":[]}`)
	other := []byte(`{"schemaVersion":2, "manifests":[]}`)
	c := config(t, "souk1one", stateDir(t))
	c.Limits = containerd.ImageLimits{ScopeBytes: int64(len(index) + 1)}
	store := open(t, c).Images()
	put := func(store runtime.ImageStore, tag string, body []byte) error {
		_, err := store.PutManifest(t.Context(), owner, "x", tag, ocispec.MediaTypeImageIndex, body)
		return err
	}
	require.NoError(t, put(store, "1", index))
	require.ErrorIs(t, put(store, "2", other), runtime.ErrTooLarge)
	require.NoError(t, put(store, "2", index), "another name needs no room")

	full := config(t, "souk1two", stateDir(t))
	full.Limits.MinimumFreeMiB = 1 << 40
	require.ErrorIs(t, put(open(t, full).Images(), "1", index), unix.ENOSPC)
}

func TestAnOpenUploadStopsWhenTheDiskIsFull(t *testing.T) {
	needRoot(t)
	c := config(t, "souk1one", stateDir(t))
	r := open(t, c)
	id, err := r.Images().StartUpload(t.Context(), owner)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	c.Limits.MinimumFreeMiB = 1 << 40
	_, err = open(t, c).Images().AppendUpload(t.Context(), owner, id, 0, strings.NewReader("x"))
	require.ErrorIs(t, err, unix.ENOSPC)
	require.Equal(t, runtime.ClassProvider, runtime.ClassOf(err))
}
