package containerd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/mount"
	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
)

const (
	diskOverheadMiB = 8  // journal and tables of a small file system, on top of what was leased
	journalMiB      = 4  // enough for one lease's metadata
	diskSlackMiB    = 64 // kept free on the host beyond a new disk
)

// diskMiB is the disk of a lease: one file system for all its replicas.
func diskMiB(w runtime.Workload) uint64 {
	var total uint64
	for _, s := range w.Services {
		total += s.Resources.DiskMiB * uint64(s.Replicas)
	}
	return total
}

// ensureDisk makes and mounts the file system of a lease: a sparse file, so that writing beyond it fails with ENOSPC
// inside the workload and nowhere else.
func ensureDisk(ctx context.Context, d leaseDir, sizeMiB uint64) error {
	points, err := instance.MountPoints(d.disk())
	if err != nil {
		return err
	}
	if slices.Contains(points, d.disk()) {
		return nil
	}
	if _, err := os.Stat(d.diskImage()); errors.Is(err, os.ErrNotExist) {
		if err := makeDisk(ctx, d.diskImage(), sizeMiB+diskOverheadMiB); err != nil {
			return err
		}
	} else if err != nil {
		return fmt.Errorf("find the lease's disk: %w", err)
	}
	if err := os.MkdirAll(d.disk(), 0o711); err != nil {
		return fmt.Errorf("make the disk's mount point: %w", err)
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		return fmt.Errorf("mount the lease's disk: loop devices are missing (modprobe loop): %w", err)
	}
	m := mount.Mount{Type: "ext4", Source: d.diskImage(), Options: []string{"loop", "nodev", "nosuid", "noatime", "discard"}}
	if err := m.Mount(d.disk()); err != nil {
		return fmt.Errorf("mount the lease's disk %s by a loop device: %w", d.diskImage(), err)
	}
	return nil
}

// makeDisk formats a new disk under another name first, so that one that bears its name is whole.
func makeDisk(ctx context.Context, path string, sizeMiB uint64) error {
	free, err := freeMiB(filepath.Dir(path))
	if err != nil {
		return err
	}
	if uint64(max(free, 0)) < sizeMiB+diskSlackMiB { //nolint:gosec // not negative
		return fmt.Errorf("make a disk of %d MiB: only %d MiB are free at %s; free space there or offer less: %w", sizeMiB, free, filepath.Dir(path), unix.ENOSPC)
	}
	temporary := path + ".new"
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("make the lease's disk: %w", err)
	}
	if err := errors.Join(f.Truncate(int64(sizeMiB)<<20), f.Close()); err != nil { //nolint:gosec // bounded by validate
		return fmt.Errorf("size the lease's disk: %w", err)
	}
	mkfs, err := findMkfs()
	if err != nil {
		return err
	}
	// Nothing is reserved for root, tables are written as they are used, and small files do not exhaust inodes early.
	out, err := exec.CommandContext(ctx, mkfs, "-q", "-F", "-m", "0", "-i", "8192", "-J", fmt.Sprintf("size=%d", journalMiB),
		"-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=0:0", temporary).CombinedOutput()
	if err != nil {
		return fmt.Errorf("format the lease's disk: %w: %s", err, strings.TrimSpace(string(out)))
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("make the lease's disk: %w", err)
	}
	return nil
}

func findMkfs() (string, error) {
	for _, p := range []string{"/usr/sbin/mkfs.ext4", "/sbin/mkfs.ext4"} {
		if unix.Access(p, unix.X_OK) == nil {
			return p, nil
		}
	}
	return "", errors.New("format the lease's disk: /usr/sbin/mkfs.ext4 is missing; install e2fsprogs")
}

// unmountBelow unmounts everything at or below dir, last first.
func unmountBelow(dir string) error {
	points, err := instance.MountPoints(dir)
	if err != nil {
		return err
	}
	for _, p := range slices.Backward(points) {
		if err := mount.UnmountAll(p, unix.UMOUNT_NOFOLLOW); err != nil {
			return fmt.Errorf("unmount %s: %w", p, err)
		}
	}
	return nil
}
