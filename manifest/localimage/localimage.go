// Package localimage opens the images that a project carries in files: an OCI archive, an OCI layout folder, or what
// docker save writes. It gives the digest that pins them and the image to push; pushing is the caller's. It must not
// know the chain, the agent, or a network.
package localimage

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// ErrNotImage means that a file is none of the forms above, or holds more than one image.
var ErrNotImage = errors.New("not an image")

// Image is an open image. Its layers are read from the file when asked for: close it after the push.
type Image struct {
	v1.Image
	// Digest of the image manifest, "sha256:" and 64 hex digits, for manifest.Project.Pin.
	Digest string

	unpacked string // a folder to remove, or empty
}

// Close removes what opening has unpacked.
func (i *Image) Close() error { return os.RemoveAll(i.unpacked) }

// Open opens the image at path below the project folder dir; symbolic links cannot lead out of it.
func Open(dir, path string) (*Image, error) {
	image, err := open(dir, path)
	if err != nil {
		return nil, fmt.Errorf("open image %s: %w", path, err)
	}
	digest, err := image.Image.Digest()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open image %s: %w: %w", path, ErrNotImage, err), image.Close())
	}
	image.Digest = digest.String()
	return image, nil
}

func open(dir, path string) (*Image, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		image, err := fromLayout(filepath.Join(dir, path))
		return &Image{Image: image}, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: not a regular file", ErrNotImage)
	}
	oci, err := isOCI(root, path)
	if err != nil {
		return nil, err
	}
	if oci {
		return fromArchive(root, path, info.Size())
	}
	name := filepath.Join(dir, path)
	image, err := tarball.ImageFromPath(name, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotImage, err)
	}
	return &Image{Image: image}, nil
}

// isOCI tells an OCI archive from a docker tarball. What is both, as newer docker save writes, counts as OCI: there
// the digest is written down, and does not depend on who compresses the layers.
func isOCI(root *os.Root, path string) (bool, error) {
	f, err := root.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	docker := false
	for archive := tar.NewReader(f); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return false, fmt.Errorf("%w: %w", ErrNotImage, err)
		}
		switch filepath.Clean(header.Name) {
		case "oci-layout":
			return true, nil
		case "manifest.json":
			docker = true
		}
	}
	if !docker {
		return false, fmt.Errorf("%w: neither an OCI archive nor what docker save writes", ErrNotImage)
	}
	return false, nil
}

// fromLayout reads an OCI layout folder that holds one image.
func fromLayout(dir string) (v1.Image, error) {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotImage, err)
	}
	for {
		manifest, err := index.IndexManifest()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotImage, err)
		}
		if len(manifest.Manifests) != 1 {
			return nil, fmt.Errorf("%w: it holds %d images, wanted one", ErrNotImage, len(manifest.Manifests))
		}
		only := manifest.Manifests[0]
		if !only.MediaType.IsIndex() {
			image, err := index.Image(only.Digest)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrNotImage, err)
			}
			return image, nil
		}
		if index, err = index.ImageIndex(only.Digest); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotImage, err)
		}
	}
}

// fromArchive unpacks an OCI archive of the given size beside other temporary files, and reads the layout.
func fromArchive(root *os.Root, path string, size int64) (image *Image, err error) {
	dir, err := os.MkdirTemp("", "souk-image-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	f, err := root.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := unpack(f, dir, size); err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	read, err := fromLayout(dir)
	if err != nil {
		return nil, err
	}
	return &Image{Image: read, unpacked: dir}, nil
}

// unpack writes regular files and folders only, and never more than the archive itself holds: a sparse entry could
// claim any size.
func unpack(r io.Reader, dir string, left int64) error {
	into, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer into.Close()
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrNotImage, err)
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		if left -= header.Size; left < 0 || !filepath.IsLocal(header.Name) {
			return fmt.Errorf("%w: its entry %q is out of bounds", ErrNotImage, header.Name)
		}
		if err := unpackFile(into, header.Name, archive); err != nil {
			return err
		}
	}
}

func unpackFile(into *os.Root, name string, content io.Reader) error {
	if err := into.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := into.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: its entry %q is there twice", ErrNotImage, name)
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}
