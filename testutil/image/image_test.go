package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/manifest/localimage"
)

// unpacked writes the regular files and links of an image below a folder.
func unpacked(t *testing.T, image v1.Image) string {
	t.Helper()
	layers, err := image.Layers()
	require.NoError(t, err)
	require.Len(t, layers, 1)
	r, err := layers[0].Uncompressed()
	require.NoError(t, err)
	defer r.Close()
	dir := t.TempDir()
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		require.NoError(t, err)
		at := filepath.Join(dir, header.Name)
		switch header.Typeflag {
		case tar.TypeDir:
			require.NoError(t, os.MkdirAll(at, 0o755))
		case tar.TypeSymlink:
			require.NoError(t, os.Symlink(header.Linkname, at))
		default:
			content, err := io.ReadAll(archive)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(at, content, header.FileInfo().Mode()))
		}
	}
}

func digest(t *testing.T, image v1.Image) string {
	t.Helper()
	d, err := image.Digest()
	require.NoError(t, err)
	return d.String()
}

func TestAProgramBecomesTheSameImageEveryTime(t *testing.T) {
	const program = "github.com/souk-network/souk/examples/hello"
	config := Config{User: "65534:65534", Files: map[string]string{"/etc/deep/note": "a"}}
	image, err := FromProgram(t.Context(), program, config)
	require.NoError(t, err)
	again, err := FromProgram(t.Context(), program, config)
	require.NoError(t, err)
	require.Equal(t, digest(t, image), digest(t, again))

	read, err := image.ConfigFile()
	require.NoError(t, err)
	require.Equal(t, []string{"/hello"}, read.Config.Entrypoint)
	require.Equal(t, "65534:65534", read.Config.User)
	note, err := os.ReadFile(filepath.Join(unpacked(t, image), "etc/deep/note"))
	require.NoError(t, err)
	require.Equal(t, "a", string(note))

	config.Files["/etc/deep/note"] = "b"
	other, err := FromProgram(t.Context(), program, config)
	require.NoError(t, err)
	require.NotEqual(t, digest(t, image), digest(t, other))
}

func TestAWrittenImageIsOneThatTenantsCanDeploy(t *testing.T) {
	image, err := FromProgram(t.Context(), "github.com/souk-network/souk/examples/hello", Config{})
	require.NoError(t, err)
	project := t.TempDir()
	require.NoError(t, Write(filepath.Join(project, "hello"), image))
	local, err := localimage.Open(project, "hello")
	require.NoError(t, err)
	require.Equal(t, digest(t, image), local.Digest)
	require.NoError(t, local.Close())
}

func TestAProgramOfDebianRunsFromItsImageAlone(t *testing.T) {
	image, err := FromPackages(t.Context(), []string{"hello"}, Config{Entrypoint: []string{"/usr/bin/hello"}})
	if errors.Is(err, ErrNoPackages) {
		t.Skip(err)
	}
	require.NoError(t, err)
	again, err := FromPackages(t.Context(), []string{"hello"}, Config{Entrypoint: []string{"/usr/bin/hello"}})
	require.NoError(t, err)
	require.Equal(t, digest(t, image), digest(t, again))
	if os.Geteuid() != 0 {
		t.Skip("needs root to change the root folder")
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "chroot", unpacked(t, image), "/usr/bin/hello")
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Run(), out.String())
	require.Equal(t, "Hello, world!\n", out.String())
}

func TestAHardLinkBecomesACopyOfItsTarget(t *testing.T) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "./usr/z", Typeflag: tar.TypeReg, Mode: 0o755, Size: 4}))
	_, err := w.Write([]byte("same"))
	require.NoError(t, err)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "./usr/a", Typeflag: tar.TypeLink, Linkname: "./usr/z"}))
	require.NoError(t, w.Close())

	files := newTree()
	require.NoError(t, files.addArchive(bytes.NewReader(archive.Bytes()), documentation))
	require.Equal(t, "same", string(files.entries["usr/a"].content))
	require.Equal(t, "usr/a", files.entries["usr/a"].header.Name)
	require.Equal(t, "usr/z", files.entries["usr/z"].header.Name)
}
