package containerd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/containerd/containerd/v2/client"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// sandboxPIDs is what the host counts of a sandbox beside the workload's own processes: threads of its kernel.
const sandboxPIDs = 512

// sandboxed adapts a specification to gVisor. Its kernel keeps an empty /tmp in memory unless something is mounted there:
// tmp is a directory on the lease's disk for that, "" when the image's /tmp is not empty.
func sandboxed(spec *specs.Spec, tmp string) {
	allowThreads(spec.Linux.Resources)
	for _, m := range spec.Mounts {
		if filepath.Clean(m.Destination) == "/tmp" {
			return
		}
	}
	if tmp == "" {
		return
	}
	writable := "rw"
	if spec.Root.Readonly {
		writable = "ro"
	}
	spec.Mounts = append(spec.Mounts, specs.Mount{
		Destination: "/tmp", Type: "bind", Source: tmp, Options: []string{"rbind", "rprivate", writable, "nosuid", "nodev"},
	})
}

// allowThreads raises the limit on processes: one of the workload is one or two of the host, and the sandbox has threads
// of its own.
func allowThreads(r *specs.LinuxResources) {
	if r.Pids != nil && r.Pids.Limit != nil {
		more := *r.Pids.Limit*2 + sandboxPIDs
		r.Pids.Limit = &more
	}
}

// emptyTmp tells whether an image has nothing in /tmp.
func emptyTmp(layers []string) bool {
	for _, layer := range layers {
		root, err := os.OpenRoot(layer)
		if err != nil {
			return false
		}
		d, err := root.OpenFile("tmp", os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0) // a pipe by that name is not waited for
		var entries []string
		if err == nil {
			entries, _ = d.Readdirnames(1)
			_ = d.Close()
		}
		_ = root.Close()
		if len(entries) > 0 {
			return false
		}
	}
	return true
}

// makeTmp makes the directory that stands for an empty /tmp.
func makeTmp(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("make /tmp on the lease's disk: %w", err)
	}
	if err := os.Chmod(path, 0o777|os.ModeSticky); err != nil { //nolint:gosec // as any /tmp
		return fmt.Errorf("open /tmp on the lease's disk: %w", err)
	}
	return nil
}

// withProcessKill is containerd's, but takes a sandbox that is gone for a process that ended.
func withProcessKill(ctx context.Context, p client.Process) error {
	err := client.WithProcessKill(ctx, p)
	if err != nil && strings.Contains(err.Error(), "sandbox is not running") {
		return nil
	}
	return err
}

// killInSandbox kills a command and what descends from it inside its sandbox, which shows the host none of its
// processes. Those whose parents ended before are not found: they end with the container.
func (e *execution) killInSandbox(ctx context.Context) error {
	pid, err := e.pidInSandbox()
	if err != nil || pid == 0 {
		return err
	}
	out, err := e.runsc(ctx, "ps", e.container)
	if err != nil {
		return err
	}
	var errs []error
	for _, victim := range descendants(out, pid) {
		if _, err := e.runsc(ctx, "kill", "--pid", strconv.Itoa(victim), e.container, "KILL"); err != nil && !strings.Contains(err.Error(), "no such process") {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// pidInSandbox is the command's number inside, 0 when it was not started.
func (e *execution) pidInSandbox() (int, error) {
	b, err := os.ReadFile(e.insidePath())
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("find a command in its sandbox: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0, fmt.Errorf("find a command in its sandbox: %w", err)
	}
	return pid, nil
}

// insidePath is where our runsc writes the number: beside the file that the shim asked for.
func (e *execution) insidePath() string {
	return filepath.Join(e.r.engineRunDir(), "io.containerd.runtime.v2.task", e.r.id.Namespace(), e.container, e.id+".pid.inside")
}

func (e *execution) runsc(ctx context.Context, args ...string) (string, error) {
	root := filepath.Join(e.r.isolationRoot(isolationGVisor), e.r.id.Namespace())
	out, err := exec.CommandContext(ctx, e.r.libexec.path("runsc"), append([]string{"--root", root}, args...)...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("runsc %s of %s: %w: %s", args[0], e.container, err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

// descendants reads a table of processes (UID PID PPID …) and gives those that come from pid, itself first.
func descendants(table string, pid int) []int {
	children := map[int][]int{}
	known := map[int]bool{}
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		own, err := strconv.Atoi(f[1])
		parent, err2 := strconv.Atoi(f[2])
		if err == nil && err2 == nil && !known[own] {
			known[own] = true
			children[parent] = append(children[parent], own)
		}
	}
	var found []int
	for next := []int{pid}; len(next) > 0; next = next[1:] {
		if known[next[0]] {
			found = append(found, next[0])
		}
		next = append(next, children[next[0]]...)
	}
	return found
}
