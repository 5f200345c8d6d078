package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/compose"
	"github.com/souk-network/souk/manifest/localimage"
)

// TestTheExampleBecomesAManifest goes the way of souk up as far as it goes without a network.
func TestTheExampleBecomesAManifest(t *testing.T) {
	dir := t.TempDir()
	file, err := os.ReadFile("../compose.yaml")
	require.NoError(t, err)
	path := filepath.Join(dir, "compose.yaml")
	require.NoError(t, os.WriteFile(path, file, 0o600))

	_, err = compose.Parse(context.Background(), compose.Source{Path: path})
	require.ErrorContains(t, err, "no such file", "before the image is made")
	hello := recipe{server: "github.com/souk-network/souk/examples/hello", port: 8080, tag: "hello:1", arch: runtime.GOARCH}
	require.NoError(t, hello.build(context.Background(), filepath.Join(dir, "hello.tar")))

	project, err := compose.Parse(context.Background(), compose.Source{Path: path})
	require.NoError(t, err)
	require.Len(t, project.LocalImages, 1)
	image, err := localimage.Open(dir, project.LocalImages[0].Path)
	require.NoError(t, err)
	defer func() { require.NoError(t, image.Close()) }()
	config, err := image.ConfigFile()
	require.NoError(t, err)
	require.Equal(t, []string{"/hello"}, config.Config.Entrypoint)
	require.NoError(t, project.Pin(project.LocalImages[0], image.Digest))

	salts, err := project.Salts(nil)
	require.NoError(t, err)
	m, err := project.Manifest(salts)
	require.NoError(t, err)
	hash, err := manifest.Hash(m)
	require.NoError(t, err)
	envelope, err := manifest.Seal(m, project.Demands[0].Group)
	require.NoError(t, err)
	verified, err := manifest.Verify(envelope, hash)
	require.NoError(t, err)
	require.Equal(t, manifest.Unit{100, 64, 64, 0, 0, 0, 0, 1}, verified.Unit)
	require.Equal(t, uint64(50_000), project.Demands[0].CapMicroPerHour)
}
