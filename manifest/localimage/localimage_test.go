package localimage_test

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/manifest/localimage"
)

func randomImage(t *testing.T) v1.Image {
	t.Helper()
	image, err := random.Image(4096, 2)
	require.NoError(t, err)
	return mutate.MediaType(image, types.DockerManifestSchema2)
}

func writeLayout(t *testing.T, dir string, images ...v1.Image) {
	t.Helper()
	path, err := layout.Write(dir, empty.Index)
	require.NoError(t, err)
	for _, image := range images {
		require.NoError(t, path.AppendImage(image))
	}
}

// writeTar packs a folder.
func writeTar(t *testing.T, dir, file string) {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		relative, err := filepath.Rel(dir, path)
		require.NoError(t, err)
		require.NoError(t, w.WriteHeader(&tar.Header{Name: relative, Mode: 0o600, Size: int64(len(content)), Typeflag: tar.TypeReg}))
		_, err = w.Write(content)
		return err
	}))
	require.NoError(t, w.Close())
	require.NoError(t, os.WriteFile(file, archive.Bytes(), 0o600))
}

func TestAnImageIsTheSameInEachForm(t *testing.T) {
	dir, image := t.TempDir(), randomImage(t)
	tag, err := name.NewTag("hello:1")
	require.NoError(t, err)
	require.NoError(t, tarball.WriteToFile(filepath.Join(dir, "docker.tar"), tag, image))
	writeLayout(t, filepath.Join(dir, "layout"), image)
	writeTar(t, filepath.Join(dir, "layout"), filepath.Join(dir, "oci.tar"))
	want, err := image.Digest()
	require.NoError(t, err)

	for _, path := range []string{"layout", "oci.tar", "docker.tar"} {
		opened, err := localimage.Open(dir, path)
		require.NoError(t, err, path)
		layers, err := opened.Layers()
		require.NoError(t, err)
		require.Len(t, layers, 2)
		content, err := layers[0].Compressed()
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, content)
		require.NoError(t, err)
		require.NoError(t, content.Close())
		if path != "docker.tar" { // which keeps no manifest: it is made anew
			require.Equal(t, want.String(), opened.Digest, path)
		}
		again, err := localimage.Open(dir, path)
		require.NoError(t, err)
		require.Equal(t, opened.Digest, again.Digest)
		require.NoError(t, again.Close())
		require.NoError(t, opened.Close())
	}
}

func TestWhatIsNoImageIsRefused(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", t.TempDir())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "text.tar"), []byte("hello"), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "empty"), 0o700))
	writeTar(t, filepath.Join(dir, "empty"), filepath.Join(dir, "empty.tar"))
	writeLayout(t, filepath.Join(dir, "two"), randomImage(t), randomImage(t))
	writeTar(t, filepath.Join(dir, "two"), filepath.Join(dir, "two.tar"))
	escaping := func(header *tar.Header) string {
		var archive bytes.Buffer
		w := tar.NewWriter(&archive)
		require.NoError(t, w.WriteHeader(&tar.Header{Name: "oci-layout", Mode: 0o600, Typeflag: tar.TypeReg}))
		require.NoError(t, w.WriteHeader(header))
		require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Base(header.Name)+".tar"), archive.Bytes(), 0o600))
		return filepath.Base(header.Name) + ".tar"
	}
	require.NoError(t, os.Symlink("/etc/hostname", filepath.Join(dir, "link.tar")))

	for _, path := range []string{
		"text.tar", "empty", "empty.tar", "two", "two.tar",
		escaping(&tar.Header{Name: "../out", Typeflag: tar.TypeReg}),
		escaping(&tar.Header{Name: "huge", Typeflag: tar.TypeReg, Size: 1 << 40}),
	} {
		_, err := localimage.Open(dir, path)
		require.ErrorIs(t, err, localimage.ErrNotImage, path)
	}
	for _, path := range []string{"absent.tar", "../outside.tar", "link.tar"} {
		_, err := localimage.Open(dir, path)
		require.Error(t, err, path)
	}
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	require.Empty(t, left, "nothing unpacked stays behind")
}
