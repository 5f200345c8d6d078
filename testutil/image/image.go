// Package image makes container images for tests without a registry and without a container engine: from Go programs of
// this repository, and from Debian packages. The same input gives the same image. It must not know the chain, the agent,
// or what an image is used for.
package image

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Config is how an image runs, and what files it has besides its program.
type Config struct {
	Entrypoint []string
	Env        []string          // NAME=value
	User       string            // "uid:gid"; root if empty
	Files      map[string]string // content by absolute path
	Without    []string          // packages that are left out though others depend on them
}

// Write puts an image into a new folder, as an OCI layout.
func Write(dir string, image v1.Image) error {
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return fmt.Errorf("write image layout %s: %w", dir, err)
	}
	if err := path.AppendImage(image); err != nil {
		return fmt.Errorf("write image to %s: %w", dir, err)
	}
	return nil
}

// assemble makes an image of one layer.
func assemble(files *tree, c Config) (v1.Image, error) {
	for path, content := range c.Files {
		files.addFile(path, 0o644, []byte(content))
	}
	layer, err := files.layer()
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.AppendLayers(base, layer)
	if err != nil {
		return nil, fmt.Errorf("add the layer: %w", err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config = v1.Config{Entrypoint: c.Entrypoint, Env: c.Env, User: c.User}
	return mutate.ConfigFile(image, config)
}

// cacheDir is a folder of this user that outlives a test run.
func cacheDir(name string) (string, error) {
	root, err := os.UserCacheDir()
	if err != nil {
		// A machine without HOME still has a place for temporary files.
		root = os.TempDir()
	}
	dir := filepath.Join(root, "souk-test", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the cache folder: %w", err)
	}
	return dir, nil
}
