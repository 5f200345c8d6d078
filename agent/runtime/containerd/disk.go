package containerd

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/core/mount"
	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
)

const (
	bytesPerInode = 8192                        // small files do not exhaust inodes early
	leastInodes   = (128 << 20) / bytesPerInode // of a group of blocks, whose number of inodes stays when it grows
	journalMiB    = 4                           // enough for one lease's metadata
	diskSlackMiB  = 64                          // kept free on the host beyond a new disk

	detachPatience = time.Second
)

// fileDiskMiB is the size of the file that holds a file system of so many usable MiB: journal, inode tables (256 bytes for
// each bytesPerInode, at least leastInodes) and descriptors go beside them.
func fileDiskMiB(usable uint64) uint64 { return usable + usable/27 + 10 }

// diskMiB is the disk of a lease: one file system for all its replicas.
func diskMiB(w runtime.Workload) uint64 {
	var total uint64
	for _, s := range w.Services {
		total += s.Resources.DiskMiB * uint64(s.Replicas)
	}
	return total
}

// fileDisk is a file system in a sparse file, mounted by a loop device, so that writing beyond it fails with ENOSPC inside
// the workload and nowhere else.
type fileDisk struct {
	what  string // for people
	image string // path of the file
	point string // where it is mounted
}

// errGrowsLater: this kernel lets nobody grow a file system in use, and it is in use.
var errGrowsLater = errors.New("it is in use and this host can not grow it then; it grows when the lease next starts all its containers anew")

// leaseDisk is a lease's own disk.
func leaseDisk(d leaseDir) fileDisk {
	return fileDisk{what: "the lease's disk", image: d.diskImage(), point: d.disk()}
}

// ensure makes, checks, grows and mounts the disk as far as needed. It gives errGrowsLater when the disk can be used and
// is still smaller than wanted.
func (d fileDisk) ensure(ctx context.Context, usableMiB uint64) error {
	mounted, err := isMounted(d.point)
	if err != nil {
		return err
	}
	if mounted {
		return d.grow(ctx, fileDiskMiB(usableMiB))
	}
	device, err := d.attached()
	if err != nil {
		return err
	}
	if device != "" { // containers have it still: a second device of the same file would destroy it
		return errors.Join(d.mountFrom(device), d.grow(ctx, fileDiskMiB(usableMiB)))
	}
	if _, err := os.Stat(d.image); errors.Is(err, os.ErrNotExist) {
		err = d.make(ctx, fileDiskMiB(usableMiB))
		if err != nil {
			return err
		}
	} else if err != nil {
		return fmt.Errorf("find %s: %w", d.what, err)
	} else if err := d.repair(ctx, fileDiskMiB(usableMiB)); err != nil {
		return err
	}
	return d.mountFrom("")
}

func isMounted(point string) (bool, error) {
	points, err := instance.MountPoints(point)
	return slices.Contains(points, point), err
}

// mountFrom mounts the disk from a loop device that has it, or from a new one.
func (d fileDisk) mountFrom(device string) error {
	if err := os.MkdirAll(d.point, 0o711); err != nil {
		return fmt.Errorf("make the mount point of %s: %w", d.what, err)
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		return fmt.Errorf("mount %s: loop devices are missing (modprobe loop): %w", d.what, err)
	}
	m := mount.Mount{Type: "ext4", Source: device, Options: []string{"nodev", "nosuid", "noatime", "discard"}}
	if device == "" {
		m.Source, m.Options = d.image, append(m.Options, "loop")
	}
	if err := m.Mount(d.point); err != nil {
		return fmt.Errorf("mount %s %s by a loop device: %w", d.what, d.image, err)
	}
	return nil
}

// attached gives the loop device that has the disk's file, "" when none has.
func (d fileDisk) attached() (string, error) {
	files, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		return "", fmt.Errorf("list loop devices: %w", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err == nil && strings.TrimSpace(string(b)) == d.image {
			return "/dev/" + filepath.Base(filepath.Dir(filepath.Dir(f))), nil
		}
	}
	return "", nil
}

// make formats a new disk under another name first, so that one that bears its name is whole.
func (d fileDisk) make(ctx context.Context, sizeMiB uint64) error {
	if err := d.checkRoom(sizeMiB); err != nil {
		return err
	}
	temporary := d.image + ".new"
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("make %s: %w", d.what, err)
	}
	if err := errors.Join(f.Truncate(int64(sizeMiB)<<20), f.Close()); err != nil { //nolint:gosec // bounded by validate
		return fmt.Errorf("size %s: %w", d.what, err)
	}
	mkfs, err := findTool("mkfs.ext4")
	if err != nil {
		return err
	}
	inodes := max(sizeMiB<<20/bytesPerInode, leastInodes)
	// Nothing is reserved for root, and tables are written as they are used.
	out, err := exec.CommandContext(ctx, mkfs, "-q", "-F", "-m", "0", "-b", "4096", "-N", fmt.Sprint(inodes), "-J", fmt.Sprintf("size=%d", journalMiB),
		"-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=0:0", temporary).CombinedOutput()
	if err != nil {
		return fmt.Errorf("format %s: %w: %s", d.what, err, strings.TrimSpace(string(out)))
	}
	if err := errors.Join(os.Rename(temporary, d.image), syncDir(filepath.Dir(d.image))); err != nil {
		return fmt.Errorf("make %s: %w", d.what, err)
	}
	return nil
}

// checkRoom refuses what the host has no room for.
func (d fileDisk) checkRoom(sizeMiB uint64) error {
	free, err := freeMiB(filepath.Dir(d.image))
	if err != nil {
		return err
	}
	if uint64(max(free, 0)) < sizeMiB+diskSlackMiB { //nolint:gosec // not negative
		return fmt.Errorf("make room of %d MiB for %s: only %d MiB are free at %s; free space there or offer less: %w", sizeMiB, d.what, free, filepath.Dir(d.image), unix.ENOSPC)
	}
	return nil
}

// repair brings a disk that is not mounted in order, as after a crash of the host, and grows it.
func (d fileDisk) repair(ctx context.Context, wantMiB uint64) error {
	has, err := fileSystemMiB(d.image)
	if err != nil {
		return fmt.Errorf("measure %s: %w", d.what, err)
	}
	if has >= wantMiB {
		return d.check(ctx, "-p")
	}
	if err := d.stretch(has, wantMiB); err != nil {
		return err
	}
	if err := d.check(ctx, "-f", "-p"); err != nil {
		return err
	}
	return d.resize(ctx, d.image)
}

// stretch makes the file longer; the file system in it stays as it is.
func (d fileDisk) stretch(hasMiB, wantMiB uint64) error {
	info, err := os.Stat(d.image)
	if err != nil {
		return fmt.Errorf("grow %s: %w", d.what, err)
	}
	size := int64(wantMiB) << 20 //nolint:gosec // bounded by validate
	if info.Size() >= size {
		return nil
	}
	if err := d.checkRoom(wantMiB - hasMiB); err != nil {
		return err
	}
	if err := os.Truncate(d.image, size); err != nil {
		return fmt.Errorf("grow %s: %w", d.what, err)
	}
	return nil
}

// grow makes a mounted disk larger: in use where the kernel lets it, else in a moment in which nobody uses it.
func (d fileDisk) grow(ctx context.Context, wantMiB uint64) error {
	has, err := fileSystemMiB(d.image)
	if err != nil {
		return fmt.Errorf("measure %s: %w", d.what, err)
	}
	if has >= wantMiB {
		return nil
	}
	if err := d.stretch(has, wantMiB); err != nil {
		return err
	}
	device, err := d.device()
	if err != nil {
		return err
	}
	if d.resize(ctx, device) == nil {
		return nil
	}
	if err := unix.Unmount(d.point, unix.UMOUNT_NOFOLLOW); errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("grow %s to %d MiB: %w", d.what, wantMiB, errGrowsLater)
	} else if err != nil {
		return fmt.Errorf("grow %s: unmount: %w", d.what, err)
	}
	if err := d.detached(ctx); err != nil {
		return errors.Join(d.mountFrom(device), fmt.Errorf("grow %s to %d MiB: %w", d.what, wantMiB, err))
	}
	return errors.Join(d.repair(ctx, wantMiB), d.mountFrom(""))
}

// detached waits for the kernel to free the loop device of an unmounted disk, which it does at once unless a container
// has it mounted.
func (d fileDisk) detached(ctx context.Context) error {
	for until := time.Now().Add(detachPatience); ; {
		device, err := d.attached()
		if err != nil || device == "" {
			return err
		}
		if time.Now().After(until) {
			return errGrowsLater
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// errInUse: something has a disk mounted that is not the host's.
var errInUse = errors.New("it is still in use")

// giveUp unmounts the disk for good. One that a container still has stays mounted as it was.
func (d fileDisk) giveUp(ctx context.Context) error {
	mounted, err := isMounted(d.point)
	if err != nil {
		return err
	}
	if err := unmountBelow(d.point); err != nil {
		return err
	}
	err = d.detached(ctx)
	if !errors.Is(err, errGrowsLater) {
		return err
	}
	device, err := d.attached()
	if err == nil && mounted && device != "" {
		err = d.mountFrom(device)
	}
	return errors.Join(fmt.Errorf("%w by %s", errInUse, device), err)
}

// device is the loop device of a mounted disk, which has been told how large its file is now.
func (d fileDisk) device() (string, error) {
	var st unix.Stat_t
	if err := unix.Stat(d.point, &st); err != nil {
		return "", fmt.Errorf("find the device of %s: %w", d.what, err)
	}
	path := fmt.Sprintf("/dev/loop%d", unix.Minor(st.Dev))
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("find the device of %s: %w", d.what, err)
	}
	defer f.Close()
	if err := unix.IoctlSetInt(int(f.Fd()), unix.LOOP_SET_CAPACITY, 0); err != nil {
		return "", fmt.Errorf("tell %s how large %s is: %w", path, d.what, err)
	}
	return path, nil
}

// check runs e2fsck, which ends with 1 when it put something right.
func (d fileDisk) check(ctx context.Context, flags ...string) error {
	fsck, err := findTool("e2fsck")
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, fsck, append(flags, d.image)...).CombinedOutput()
	var ended *exec.ExitError
	if errors.As(err, &ended) && ended.ExitCode() == 1 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("check %s: %w: %s; if it is damaged, look with e2fsck %s", d.what, err, strings.TrimSpace(string(out)), d.image)
	}
	return nil
}

// resize lets the file system take all of its device or file.
func (d fileDisk) resize(ctx context.Context, target string) error {
	resize, err := findTool("resize2fs")
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, resize, target).CombinedOutput()
	if err != nil {
		return fmt.Errorf("grow %s: %w: %s", d.what, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// fileSystemMiB reads the size of an ext4 file system off its superblock, which lies 1 KiB into the file:
// https://docs.kernel.org/filesystems/ext4/globals.html#super-block.
func fileSystemMiB(image string) (uint64, error) {
	f, err := os.Open(image)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	super := make([]byte, 1024)
	if _, err := f.ReadAt(super, 1024); err != nil {
		return 0, err
	}
	if binary.LittleEndian.Uint16(super[0x38:]) != 0xEF53 {
		return 0, fmt.Errorf("%s is no ext4 file system", image)
	}
	blocks := uint64(binary.LittleEndian.Uint32(super[0x4:])) | uint64(binary.LittleEndian.Uint32(super[0x150:]))<<32
	return blocks << (10 + binary.LittleEndian.Uint32(super[0x18:])) >> 20, nil
}

// findTool finds a program of e2fsprogs.
func findTool(name string) (string, error) {
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if p := filepath.Join(dir, name); unix.Access(p, unix.X_OK) == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("disks need /usr/sbin/%s: it is missing; install e2fsprogs", name)
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
