package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// FromProgram compiles a main package by its import path, statically, and makes an image that holds nothing else. The
// program lies in the root folder under its own name and is the entrypoint unless c names another.
func FromProgram(ctx context.Context, program string, c Config) (v1.Image, error) {
	binary, err := compile(ctx, program)
	if err != nil {
		return nil, err
	}
	files := newTree()
	at := "/" + path.Base(program)
	files.addFile(at, 0o755, binary)
	if c.Entrypoint == nil {
		c.Entrypoint = []string{at}
	}
	image, err := assemble(files, c)
	if err != nil {
		return nil, fmt.Errorf("make an image of %s: %w", program, err)
	}
	return image, nil
}

func compile(ctx context.Context, program string) (content []byte, err error) {
	dir, err := os.MkdirTemp("", "souk-image-")
	if err != nil {
		return nil, fmt.Errorf("make a folder to compile in: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	binary := filepath.Join(dir, "program")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", binary, program)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("compile %s: %w: %s", program, err, strings.TrimSpace(string(out)))
	}
	return os.ReadFile(binary)
}
