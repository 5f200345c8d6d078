package tenant

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/session"
	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/compose"
)

// defaultFiles are looked for in the current folder, in this order.
var defaultFiles = []string{"compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"}

// project is a tenant's file together with the images that lie beside it.
type project struct {
	*manifest.Project

	file   string
	images map[manifest.LocalImage]v1.Image
	close  func() error // of the images' temporary folders
}

// loadProject reads a compose file and opens its local images, so that a missing one is found before anything is paid.
func loadProject(ctx context.Context, file, name string) (*project, error) {
	if file == "" {
		if file = findDefault(); file == "" {
			return nil, session.Usage(fault.Newf("find a compose file", "souk up FILE",
				"there is none of %s here", strings.Join(defaultFiles, ", ")))
		}
	}
	parsed, err := compose.Parse(ctx, compose.Source{Path: file, Name: name, Env: environment()})
	var refusals manifest.Refusals
	if errors.As(err, &refusals) {
		return nil, session.Usage(fault.New(fmt.Sprintf("%s can not be run as it is", file), refusals, "change the lines above; nothing was sent"))
	}
	if err != nil {
		return nil, session.Usage(fault.New("read "+file, err, ""))
	}
	p := &project{Project: parsed, file: file, images: map[manifest.LocalImage]v1.Image{}, close: func() error { return nil }}
	for _, local := range parsed.LocalImages {
		if err := p.open(local); err != nil {
			return nil, errors.Join(err, p.close())
		}
	}
	return p, nil
}

func findDefault() string {
	for _, file := range defaultFiles {
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	return ""
}

func environment() map[string]string {
	env := map[string]string{}
	for _, pair := range os.Environ() {
		if key, value, ok := strings.Cut(pair, "="); ok {
			env[key] = value
		}
	}
	return env
}

// open opens an image and pins its digest into the manifest.
func (p *project) open(local manifest.LocalImage) error {
	path := filepath.Join(filepath.Dir(p.file), filepath.FromSlash(local.Path))
	image, err := p.openImage(path)
	if err != nil {
		return session.Usage(fault.New(fmt.Sprintf("open the image of service %s in %s", local.Service, path), err,
			"build it first; it has to be an OCI layout (folder or archive) or a docker tarball of one image"))
	}
	digest, err := image.Digest()
	if err != nil {
		return fmt.Errorf("digest of image %s: %w", path, err)
	}
	p.images[local] = image
	return p.Pin(local, digest.String())
}

func (p *project) openImage(path string) (v1.Image, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return imageOfLayout(path)
	}
	archive, err := isLayoutArchive(path)
	if err != nil {
		return nil, err
	}
	if !archive {
		return tarball.ImageFromPath(path, nil)
	}
	dir, err := os.MkdirTemp("", "souk-image-")
	if err != nil {
		return nil, err
	}
	before := p.close
	p.close = func() error { return errors.Join(before(), os.RemoveAll(dir)) }
	if err := unpack(path, dir); err != nil {
		return nil, err
	}
	return imageOfLayout(dir)
}

// imageOfLayout opens the one image of an OCI layout.
func imageOfLayout(dir string) (v1.Image, error) {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, err
	}
	listed, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	if len(listed.Manifests) != 1 {
		return nil, fmt.Errorf("it holds %d images, not one", len(listed.Manifests))
	}
	return index.Image(listed.Manifests[0].Digest)
}

// isLayoutArchive tells an OCI archive from a docker tarball.
func isLayoutArchive(path string) (bool, error) {
	found := false
	err := eachEntry(path, func(header *tar.Header, _ io.Reader) error {
		found = found || filepath.Clean(header.Name) == "oci-layout"
		return nil
	})
	return found, err
}

// unpack writes the files of an archive into a folder and never outside it.
func unpack(path, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return eachEntry(path, func(header *tar.Header, content io.Reader) error {
		target := filepath.Clean(header.Name)
		switch header.Typeflag {
		case tar.TypeDir:
			return root.MkdirAll(target, 0o755)
		case tar.TypeReg:
			if err := root.MkdirAll(filepath.Dir(target), 0o755); err != nil {
				return err
			}
			file, err := root.Create(target)
			if err != nil {
				return err
			}
			_, err = io.Copy(file, content)
			return errors.Join(err, file.Close())
		default:
			return fmt.Errorf("%s is neither a file nor a folder", header.Name)
		}
	})
}

func eachEntry(path string, do func(*tar.Header, io.Reader) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	for archive := tar.NewReader(file); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		if err := do(header, archive); err != nil {
			return err
		}
	}
}
