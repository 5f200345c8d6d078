package containerd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/oci"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/instance"
)

const (
	probeIDs      = instance.IDRange(0x7FFD_0000) // stand for a lease's; the last range
	probePatience = 20 * time.Second
	probePrefix   = "userns-probe-"
	probeGroup    = "/userns-probe" // below the instance's
)

// usernsProbe tries what a container in a user namespace needs: on the file system of images and leases, and below /run.
type usernsProbe struct {
	disk string
	run  string
}

// probeUserns gives what is missing for user namespaces, with its remedy. A directory tells the file system. It leaves
// nothing behind.
func probeUserns(dir string, id instance.ID, programs libexec) (err error) {
	if err := os.MkdirAll(id.RunDir(), 0o711); err != nil {
		return fmt.Errorf("try user namespaces: %w", err)
	}
	defer func() { _ = os.Remove(id.RunDir()) }() // when it was not there before
	groups, err := instance.Cgroups(id)
	if err != nil {
		return fmt.Errorf("try user namespaces: %w", err)
	}
	if len(groups) == 0 {
		defer func() { err = errors.Join(err, removeGroups(id)) }()
	}
	var p usernsProbe
	if p.run, err = os.MkdirTemp(id.RunDir(), probePrefix); err != nil {
		return fmt.Errorf("try user namespaces: %w", err)
	}
	defer func() { err = errors.Join(err, unmountBelow(p.run), os.RemoveAll(p.run)) }()
	if err := os.Chmod(p.run, 0o711); err != nil { //nolint:gosec // a container passes through
		return fmt.Errorf("try user namespaces: %w", err)
	}
	if p.disk, err = os.MkdirTemp(dir, probePrefix); err != nil {
		return fmt.Errorf("try user namespaces: %w", err)
	}
	// The mounts have to be gone first: deferred calls run last first.
	defer func() { err = errors.Join(err, unmountBelow(p.run), os.RemoveAll(p.disk)) }()
	if err := makeOwnedNetns(p.at("user"), p.at("net"), probeIDs); err != nil {
		return fmt.Errorf("%w; the kernel needs CONFIG_USER_NS, and sysctl user.max_user_namespaces above zero", err)
	}
	if err := p.mountRoot(); err != nil {
		return err
	}
	return p.runContainer(id, programs)
}

func (p usernsProbe) at(name string) string { return filepath.Join(p.run, name) }

// mountRoot puts a root file system together as a container's is.
func (p usernsProbe) mountRoot() error {
	layers, upper, work := filepath.Join(p.disk, "layers"), filepath.Join(p.disk, "upper"), filepath.Join(p.disk, "work")
	for _, d := range []string{filepath.Join(layers, "1"), upper, work, p.at("rootfs")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return fmt.Errorf("try user namespaces: %w", err)
		}
	}
	err := os.WriteFile(filepath.Join(layers, "1", "file"), nil, 0o600)
	if err == nil {
		err = os.Chown(upper, int(probeIDs), int(probeIDs))
	}
	if err != nil {
		return fmt.Errorf("try user namespaces: %w", err)
	}
	if err := mapMount(layers, p.at("layers"), p.at("user"), unix.MOUNT_ATTR_RDONLY); err != nil {
		return fmt.Errorf("%w; that needs Linux 5.19, and the state directory on ext4, xfs or btrfs", err)
	}
	overlay := mount.Mount{Type: "overlay", Source: "overlay", Options: []string{"lowerdir=" + p.at("layers/1"), "upperdir=" + upper, "workdir=" + work}}
	if err := overlay.Mount(p.at("rootfs")); err != nil {
		return fmt.Errorf("mount an overlay of what is id-mapped: %w; that needs Linux 5.19", err)
	}
	return ownersMapped(p.at("rootfs/file"), filepath.Join(upper, "file"))
}

// ownersMapped tells whether a file of root is seen as the container's root's, and what it is given away to is kept.
func ownersMapped(file, kept string) error {
	var seen, after unix.Stat_t
	err := unix.Stat(file, &seen)
	if err == nil {
		err = os.Chown(file, int(probeIDs)+7, int(probeIDs)+8)
	}
	if err == nil {
		err = unix.Stat(kept, &after)
	}
	if err == nil && (seen.Uid != uint32(probeIDs) || after.Uid != uint32(probeIDs)+7 || after.Gid != uint32(probeIDs)+8) {
		err = fmt.Errorf("a file of 0 is seen as %d's, and given to 7:8 as %d:%d's", seen.Uid, after.Uid, after.Gid)
	}
	if err != nil {
		return fmt.Errorf("change owners in an overlay of what is id-mapped: %w; that needs Linux 5.19", err)
	}
	return nil
}

// runContainer runs the init alone, which then says how it is to be used: a container whose mounts and streams work.
func (p usernsProbe) runContainer(id instance.ID, programs libexec) error {
	spec, err := p.spec(id, programs)
	if err != nil {
		return fmt.Errorf("try user namespaces: %w", err)
	}
	b, err := json.Marshal(spec)
	if err == nil {
		err = os.WriteFile(p.at("config.json"), b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("try user namespaces: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), probePatience)
	defer cancel()
	name := filepath.Base(p.run)
	runc := func(args ...string) ([]byte, error) {
		return exec.CommandContext(ctx, programs.path("runc"), append([]string{"--root", p.at("runc")}, args...)...).CombinedOutput()
	}
	out, err := runc("run", "--bundle", p.run, name)
	var ended *exec.ExitError
	if errors.As(err, &ended) && ended.ExitCode() == initUsage && strings.Contains(string(out), initProgram) {
		return nil
	}
	_, _ = runc("delete", "--force", name) // if it came to be
	return fmt.Errorf("run a container in a user namespace: %w: %s; parts of /proc or /sys may be hidden from the agent, as in a container or by its service unit", err, strings.TrimSpace(string(out)))
}

func (p usernsProbe) spec(id instance.ID, programs libexec) (*specs.Spec, error) {
	ctx := namespaces.WithNamespace(context.Background(), "spec")
	spec, err := oci.GenerateSpec(ctx, nil, &containers.Container{ID: filepath.Base(p.run)}, oci.WithDefaultUnixDevices)
	if err != nil {
		return nil, err
	}
	spec.Process.Args, spec.Process.Cwd, spec.Process.Terminal = nil, "/", false
	withInit(spec, programs.path(initProgram))
	spec.Process.Args = []string{initPath}
	spec.Root = &specs.Root{Path: "rootfs"}
	spec.Linux.CgroupsPath = id.CgroupParent() + probeGroup
	for i := range spec.Linux.Namespaces {
		if spec.Linux.Namespaces[i].Type == specs.NetworkNamespace {
			spec.Linux.Namespaces[i].Path = p.at("net")
		}
	}
	inUserNamespace(spec, p.at("user"), probeIDs)
	return spec, nil
}

// removeGroups removes the instance's groups when nothing is in them: the container that was tried brought them.
func removeGroups(id instance.ID) error {
	groups, err := instance.Cgroups(id)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if err := unix.Rmdir(g); err != nil && !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("remove cgroup %s: %w", g, err)
		}
	}
	return nil
}

// clearProbes removes what an agent left that was killed while it tried.
func clearProbes(dirs ...string) {
	for _, dir := range dirs {
		left, _ := filepath.Glob(filepath.Join(dir, probePrefix+"*")) // the pattern is a good one
		for _, l := range left {
			if unmountBelow(l) == nil {
				_ = os.RemoveAll(l) // tried again at the next start
			}
		}
	}
}

// existingDir is a directory, or the one in which it will be made.
func existingDir(dir string) string {
	for missing(dir) && filepath.Dir(dir) != dir {
		dir = filepath.Dir(dir)
	}
	return dir
}
