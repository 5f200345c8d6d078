package conformance

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/runtime"
)

// workloadVariable names the test program where it cannot be built.
const workloadVariable = "SOUK_TEST_WORKLOAD"

// workloadBinary builds the program of testdata/workload once for all tests of a process.
var workloadBinary = sync.OnceValues(func() ([]byte, error) {
	if built := os.Getenv(workloadVariable); built != "" {
		return os.ReadFile(built)
	}
	_, here, _, ok := goruntime.Caller(0)
	if !ok {
		return nil, fmt.Errorf("find the source of the test workload")
	}
	dir, err := os.MkdirTemp("", "souk-workload-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	out := filepath.Join(dir, "workload")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, ".")
	build.Dir = filepath.Join(filepath.Dir(here), "testdata", "workload")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the test workload: %w: %s", err, text)
	}
	return os.ReadFile(out)
})

// File is one file of a test image; a name that ends with a slash makes a directory.
type File struct {
	Name     string
	Mode     int64
	Content  []byte
	UID, GID int
}

// Image makes an image of one or more layers, each a list of files, with /workload, /tmp and /etc in the first.
func Image(t testing.TB, config v1.Config, upper ...[]File) v1.Image {
	t.Helper()
	binary, err := workloadBinary()
	require.NoError(t, err)
	base := []File{
		{Name: "workload", Mode: 0o755, Content: binary},
		{Name: "etc/passwd", Mode: 0o644, Content: []byte("root:x:0:0::/:\nsmith:x:1000:1001::/:\n")},
		{Name: "etc/group", Mode: 0o644, Content: []byte("root:x:0:\nsmiths:x:1001:\nguild:x:1002:smith\n")},
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for i, files := range append([][]File{base}, upper...) {
		img, err = mutate.AppendLayers(img, layer(t, files, i == 0))
		require.NoError(t, err)
	}
	file, err := img.ConfigFile()
	require.NoError(t, err)
	file = file.DeepCopy()
	file.Architecture, file.OS, file.Config = goruntime.GOARCH, "linux", config
	img, err = mutate.ConfigFile(img, file)
	require.NoError(t, err)
	return img
}

func layer(t testing.TB, files []File, directories bool) v1.Layer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if directories {
		for _, dir := range []File{{Name: "etc/", Mode: 0o755}, {Name: "proc/", Mode: 0o755}, {Name: "sys/", Mode: 0o755}, {Name: "dev/", Mode: 0o755}, {Name: "tmp/", Mode: 0o1777}} {
			require.NoError(t, w.WriteHeader(&tar.Header{Name: dir.Name, Typeflag: tar.TypeDir, Mode: dir.Mode}))
		}
	}
	for _, f := range files {
		header := &tar.Header{Name: f.Name, Typeflag: tar.TypeReg, Mode: f.Mode, Size: int64(len(f.Content)), Uid: f.UID, Gid: f.GID}
		if strings.HasSuffix(f.Name, "/") {
			header.Typeflag = tar.TypeDir
		}
		require.NoError(t, w.WriteHeader(header))
		_, err := w.Write(f.Content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil }, tarball.WithMediaType(types.OCILayer))
	require.NoError(t, err)
	return l
}

// serving is the configuration of an image that serves HTTP.
func serving() v1.Config {
	return v1.Config{Entrypoint: []string{"/workload"}, Cmd: []string{"serve", ":8080"}}
}

// Push puts an image into a scope by the calls that a registry endpoint makes, in their order.
func Push(t testing.TB, store runtime.ImageStore, scope runtime.Scope, repository, tag string, img v1.Image) runtime.Descriptor {
	t.Helper()
	ctx := context.Background()
	layers, err := img.Layers()
	require.NoError(t, err)
	for _, l := range layers {
		r, err := l.Compressed()
		require.NoError(t, err)
		pushBlob(ctx, t, store, scope, r)
	}
	config, err := img.RawConfigFile()
	require.NoError(t, err)
	pushBlob(ctx, t, store, scope, io.NopCloser(bytes.NewReader(config)))
	manifest, err := img.RawManifest()
	require.NoError(t, err)
	mediaType, err := img.MediaType()
	require.NoError(t, err)
	d, err := store.PutManifest(ctx, scope, repository, tag, string(mediaType), manifest)
	require.NoError(t, err)
	return d
}

func pushBlob(ctx context.Context, t testing.TB, store runtime.ImageStore, scope runtime.Scope, r io.ReadCloser) string {
	t.Helper()
	defer r.Close()
	id, err := store.StartUpload(ctx, scope)
	require.NoError(t, err)
	hash := sha256.New()
	_, err = store.AppendUpload(ctx, scope, id, 0, io.TeeReader(r, hash))
	require.NoError(t, err)
	digest := "sha256:" + hex.EncodeToString(hash.Sum(nil))
	_, err = store.FinishUpload(ctx, scope, id, digest)
	require.NoError(t, err)
	return digest
}

// emptyIndex begins an OCI layout.
var emptyIndex = mutate.IndexMediaType(empty.Index, types.OCIImageIndex)

// tarOf archives a directory as tools write OCI layouts.
func tarOf(t testing.TB, dir string) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	require.NoError(t, w.AddFS(os.DirFS(dir)))
	require.NoError(t, w.Close())
	return &b
}
