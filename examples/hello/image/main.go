// Command image compiles a server, hello unless another is named, and makes a container image of it, without a container
// engine and without a registry: a single static binary in a single layer. The same source and compiler give the same
// image.
package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"path/filepath"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// recipe is what an image is made of, and what it is called.
type recipe struct {
	server string // package; its last word names the binary
	port   int    // that it listens on
	tag    string // name and tag of the image
	arch   string // processor architecture that it is for
}

func main() {
	var r recipe
	out := flag.String("o", "examples/hello/hello.tar", "image archive to write, as docker save does")
	flag.StringVar(&r.server, "server", "github.com/souk-network/souk/examples/hello", "package to compile; its last word names the binary")
	flag.IntVar(&r.port, "port", 8080, "port that the server listens on")
	flag.StringVar(&r.tag, "tag", "hello:1", "name and tag of the image")
	flag.StringVar(&r.arch, "arch", runtime.GOARCH, "processor architecture that it is for")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := r.build(ctx, *out)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

// build writes the image as an archive and prints how it is called.
func (r recipe) build(ctx context.Context, out string) error {
	reference, err := name.NewTag(r.tag)
	if err != nil {
		return fmt.Errorf("name the image: %w", err)
	}
	binary, err := r.compile(ctx)
	if err != nil {
		return err
	}
	image, err := r.assemble(binary)
	if err != nil {
		return fmt.Errorf("make image: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return fmt.Errorf("make folder of the image: %w", err)
	}
	if err := tarball.WriteToFile(out, reference, image); err != nil {
		return fmt.Errorf("write image: %w", err)
	}
	digest, err := image.Digest()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(os.Stdout, out, r.tag, digest)
	return err
}

// compile returns the static binary of the server.
func (r recipe) compile(ctx context.Context) (content []byte, err error) {
	dir, err := os.MkdirTemp("", "hello-image-")
	if err != nil {
		return nil, fmt.Errorf("make a folder to compile in: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	binary := filepath.Join(dir, "hello")
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w -buildid=", "-buildvcs=false", "-o", binary, r.server)
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+r.arch)
	command.Stderr = os.Stderr
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("compile %s: %w", r.server, err)
	}
	return os.ReadFile(binary)
}

// assemble makes an image of the binary; the media types are docker's, as the archive is.
func (r recipe) assemble(binary []byte) (v1.Image, error) {
	content, err := layer(path.Base(r.server), binary)
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.DockerManifestSchema2), content)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", r.arch
	config.Config = v1.Config{
		Entrypoint:   []string{"/" + path.Base(r.server)},
		User:         "65534:65534",
		ExposedPorts: map[string]struct{}{fmt.Sprintf("%d/tcp", r.port): {}},
	}
	return mutate.ConfigFile(image, config)
}

// layer is a tar with the folders that a runtime mounts over, and the binary; without times, so that it is always the same.
func layer(program string, binary []byte) (v1.Layer, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, folder := range []string{"dev/", "etc/", "proc/", "sys/", "tmp/"} {
		if err := w.WriteHeader(&tar.Header{Name: folder, Typeflag: tar.TypeDir, Mode: 0o755}); err != nil {
			return nil, err
		}
	}
	if err := w.WriteHeader(&tar.Header{Name: program, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(binary))}); err != nil {
		return nil, err
	}
	if _, err := w.Write(binary); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(archive.Bytes())), nil
	}, tarball.WithMediaType(types.DockerLayer))
}
