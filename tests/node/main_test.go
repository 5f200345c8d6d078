package node

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/internal/ports"
)

const (
	nextPackage   = "github.com/souk-network/souk/tests/node/soukd-next"
	logsOfFailure = "../../build/node-logs"
)

// freePorts serves all networks of this process.
var freePorts *ports.Allocator

func TestMain(m *testing.M) {
	scope.Set()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if freePorts, err = ports.NewAllocator(""); err != nil {
		return 1, err
	}
	if err := os.RemoveAll(logsOfFailure); err != nil {
		return 1, err
	}
	code = m.Run()
	if next.folder != "" {
		err = os.RemoveAll(next.folder)
	}
	return code, errors.Join(err, freePorts.Close())
}

// soukd is the program that operators run.
func soukd(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts whole nodes: left out by -short")
	}
	folder := os.Getenv("SOUK_BIN")
	if folder == "" {
		folder = "../../build"
	}
	program, err := filepath.Abs(filepath.Join(folder, "soukd"))
	require.NoError(t, err)
	_, err = os.Stat(program)
	require.NoError(t, err, "make build/soukd builds it")
	return program
}

var next struct {
	sync.Once
	folder string
	err    error
}

// soukdNext is the program of the next version, built once.
func soukdNext(t *testing.T) string {
	t.Helper()
	next.Do(func() {
		if next.folder, next.err = os.MkdirTemp("", "soukd-next-"); next.err != nil {
			return
		}
		build := exec.Command("go", "build", "-buildvcs=false", "-ldflags", "-s -w", "-o", next.folder, nextPackage)
		if out, err := build.CombinedOutput(); err != nil {
			next.err = fmt.Errorf("build %s: %w: %s", nextPackage, err, out)
		}
	})
	require.NoError(t, next.err)
	return filepath.Join(next.folder, "soukd-next")
}
