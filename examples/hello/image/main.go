// Command image compiles the hello server and makes a container image of it, without a container engine and without a
// registry: a single static binary in a single layer. The same source and compiler give the same image.
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
	"path/filepath"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const server = "github.com/souk-network/souk/examples/hello"

func main() {
	out := flag.String("o", "examples/hello/hello.tar", "image archive to write, as docker save does")
	tag := flag.String("tag", "hello:1", "name and tag of the image")
	arch := flag.String("arch", runtime.GOARCH, "processor architecture that it is for")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := build(ctx, *out, *tag, *arch)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func build(ctx context.Context, out, tag, arch string) error {
	reference, err := name.NewTag(tag)
	if err != nil {
		return fmt.Errorf("name the image: %w", err)
	}
	binary, err := compile(ctx, arch)
	if err != nil {
		return err
	}
	image, err := assemble(binary, arch)
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
	_, err = fmt.Fprintln(os.Stdout, out, tag, digest)
	return err
}

// compile returns the static binary of the server.
func compile(ctx context.Context, arch string) (content []byte, err error) {
	dir, err := os.MkdirTemp("", "hello-image-")
	if err != nil {
		return nil, fmt.Errorf("make a folder to compile in: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	binary := filepath.Join(dir, "hello")
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w -buildid=", "-buildvcs=false", "-o", binary, server)
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	command.Stderr = os.Stderr
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("compile %s: %w", server, err)
	}
	return os.ReadFile(binary)
}

// assemble makes an image of the binary; the media types are docker's, as the archive is.
func assemble(binary []byte, arch string) (v1.Image, error) {
	content, err := layer(binary)
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
	config.OS, config.Architecture = "linux", arch
	config.Config = v1.Config{
		Entrypoint:   []string{"/hello"},
		User:         "65534:65534",
		ExposedPorts: map[string]struct{}{"8080/tcp": {}},
	}
	return mutate.ConfigFile(image, config)
}

// layer is a tar with the folders that a runtime mounts over, and the binary; without times, so that it is always the same.
func layer(binary []byte) (v1.Layer, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, folder := range []string{"dev/", "etc/", "proc/", "sys/", "tmp/"} {
		if err := w.WriteHeader(&tar.Header{Name: folder, Typeflag: tar.TypeDir, Mode: 0o755}); err != nil {
			return nil, err
		}
	}
	if err := w.WriteHeader(&tar.Header{Name: "hello", Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(binary))}); err != nil {
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
