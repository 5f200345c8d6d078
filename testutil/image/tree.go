package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// entry is a file, folder or link of a root filesystem.
type entry struct {
	header  tar.Header
	content []byte
}

// tree is a root filesystem by path without its leading slash.
type tree struct{ entries map[string]entry }

// newTree returns the folders that a runtime mounts over, and a writable /tmp.
func newTree() *tree {
	t := &tree{entries: map[string]entry{}}
	for _, folder := range []string{"dev", "etc", "proc", "sys"} {
		t.addFolder(folder, 0o755)
	}
	t.addFolder("tmp", 0o1777)
	return t
}

func (t *tree) addFolder(name string, mode int64) {
	t.entries[name] = entry{header: tar.Header{Name: name + "/", Typeflag: tar.TypeDir, Mode: mode}}
}

// addFile puts a regular file of root's at an absolute path, with the folders above it.
func (t *tree) addFile(at string, mode int64, content []byte) {
	name := clean(at)
	for folder := path.Dir(name); folder != "."; folder = path.Dir(folder) {
		if _, ok := t.entries[folder]; !ok {
			t.addFolder(folder, 0o755)
		}
	}
	t.entries[name] = entry{tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: mode, Size: int64(len(content))}, content}
}

// addArchive lays a tar over the tree, without the paths that leaveOut names. What is there stays: packages own their
// files, and share folders only.
func (t *tree) addArchive(r io.Reader, leaveOut func(name string) bool) error {
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read archive: %w", err)
		}
		name := clean(header.Name)
		if _, ok := t.entries[name]; ok || name == "." || leaveOut(name) {
			continue
		}
		if err := t.addEntry(name, header, archive); err != nil {
			return err
		}
	}
}

func (t *tree) addEntry(name string, from *tar.Header, content io.Reader) error {
	header := tar.Header{Name: name, Typeflag: from.Typeflag, Linkname: from.Linkname, Mode: from.Mode, Uid: from.Uid, Gid: from.Gid}
	switch from.Typeflag {
	case tar.TypeDir:
		header.Name += "/"
		t.entries[name] = entry{header: header}
	case tar.TypeSymlink:
		t.entries[name] = entry{header: header}
	case tar.TypeLink:
		target, ok := t.entries[clean(from.Linkname)]
		if !ok {
			return fmt.Errorf("%s is a link to %s, which is not there", name, from.Linkname)
		}
		target.header.Name = name
		t.entries[name] = target
	case tar.TypeReg:
		read, err := io.ReadAll(content)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		header.Size = int64(len(read))
		t.entries[name] = entry{header, read}
	default:
		return fmt.Errorf("%s is of type %q, which images for tests do not have", name, from.Typeflag)
	}
	return nil
}

// layer is the tree in the order of its paths, without times.
func (t *tree) layer() (v1.Layer, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, name := range slices.Sorted(maps.Keys(t.entries)) {
		e := t.entries[name]
		if err := w.WriteHeader(&e.header); err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
		if _, err := w.Write(e.content); err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(archive.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
}

func clean(name string) string {
	if name = strings.TrimPrefix(path.Clean("/"+name), "/"); name == "" {
		return "."
	}
	return name
}
