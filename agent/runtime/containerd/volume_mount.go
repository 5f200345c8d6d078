package containerd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/core/mount"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
)

// dataDir of a volume is what containers see of it. Beside it, in the volume, lies what only the agent may touch.
const volumeData = "data"

// volumePoint is where a volume's file system, or its directory on the lease's disk, is.
func (r *Runtime) volumePoint(lease runtime.LeaseID, v volume) string {
	if v.persistent() {
		return filepath.Join(r.volumePoints(lease), v.id())
	}
	return filepath.Join(r.dir(lease).disk(), "volumes", v.id())
}

// bindPoints holds the mounts that are made for one container: subpaths of volumes, and its image while its content is
// copied into a new volume.
func (r *Runtime) bindPoints(container string) string {
	return filepath.Join(r.id.RunDir(), "mounts", container)
}

func (r *Runtime) bindPoint(container string, n int) string {
	return filepath.Join(r.bindPoints(container), strconv.Itoa(n))
}

// volumeOf finds the volume of a mount of a replica.
func volumeOf(u unit, m runtime.Mount) (volume, bool) {
	for _, v := range u.volumes {
		if v.Name == m.Volume && m.Volume != "" {
			return volume{Volume: v, copy: u.copy}, true
		}
	}
	return volume{}, false
}

// storageMounts are the mounts of a replica's volumes, memory and files, as runc is told to make them. Their sources are
// there once prepareStorage was called.
func (r *Runtime) storageMounts(u unit, ids instance.IDRange) []specs.Mount {
	var list []specs.Mount
	for n, m := range u.service.Mounts {
		v, named := volumeOf(u, m)
		if !named {
			list = append(list, tmpfsMount(m, u.service.Resources.MemoryMiB))
			continue
		}
		source := filepath.Join(r.volumePoint(u.lease, v), volumeData)
		if m.Subpath != "" {
			source = r.bindPoint(u.id(), n)
		}
		access := "rw"
		if m.ReadOnly {
			access = "ro"
		}
		list = append(list, mapped(specs.Mount{Destination: m.Target, Type: "bind", Source: source, Options: []string{"bind", "rprivate", "nosuid", "nodev", access}}, ids))
	}
	sortByTarget(list)
	return append(list, r.fileMounts(u)...)
}

// prepareStorage brings what a replica needs to start: the lease's disk, volumes mounted and filled, files in memory.
// ids are those of its user namespace, layers gives the directories of the replica's image, uppermost first.
func (l *lease) prepareStorage(ctx context.Context, rec record, u unit, ids instance.IDRange, layers func() ([]string, error)) error {
	if err := l.growsLater(leaseDisk(l.r.dir(l.id)).ensure(ctx, diskMiB(rec.Workload))); err != nil {
		return err
	}
	if err := unmountBelow(l.r.bindPoints(u.id())); err != nil {
		return err
	}
	for n, m := range u.service.Mounts {
		v, named := volumeOf(u, m)
		if !named {
			continue
		}
		if err := l.prepareVolume(ctx, rec, u, v, m, layers); err != nil {
			return fmt.Errorf("volume %s for %s: %w", v.Name, u.service.Name, err)
		}
		if m.Subpath == "" {
			continue
		}
		if err := bindSubpath(filepath.Join(l.r.volumePoint(l.id, v), volumeData), m.Subpath, l.r.bindPoint(u.id(), n)); err != nil {
			return fmt.Errorf("volume %s for %s: %w", v.Name, u.service.Name, err)
		}
	}
	return l.r.writeSecretFiles(u, ids)
}

// growsLater takes a disk as it is when it cannot be made larger now.
func (l *lease) growsLater(err error) error {
	if errors.Is(err, errGrowsLater) {
		l.r.log.Warn("a disk stays smaller than wanted for now", "lease", l.id, "error", err)
		return nil
	}
	return err
}

// growStorage makes the disks larger that a new revision wants larger, without waiting for a replica to start. Those that
// are not there yet are made when one starts.
func (l *lease) growStorage(ctx context.Context, rec record) error {
	d := leaseDisk(l.r.dir(l.id))
	mounted, err := isMounted(d.point)
	if err == nil && mounted {
		err = l.growsLater(d.ensure(ctx, diskMiB(rec.Workload)))
	}
	for _, v := range volumes(rec.Workload) {
		if err != nil {
			return err
		}
		if !v.persistent() {
			continue
		}
		point := l.r.volumePoint(l.id, v)
		if mounted, err = isMounted(point); err == nil && mounted {
			err = l.ensureVolume(ctx, rec, v)
		}
	}
	return err
}

// ensureVolume mounts a persistent volume, making it when it is new.
func (l *lease) ensureVolume(ctx context.Context, rec record, v volume) error {
	n, err := l.r.takeVolume(rec, v)
	if err != nil {
		return err
	}
	return l.growsLater(l.r.volumeDisk(n).ensure(ctx, n.Volume.SizeMiB))
}

// prepareVolume makes a volume ready to be mounted into a container.
func (l *lease) prepareVolume(ctx context.Context, rec record, u unit, v volume, m runtime.Mount, layers func() ([]string, error)) error {
	if v.persistent() {
		if err := l.ensureVolume(ctx, rec, v); err != nil {
			return err
		}
	}
	point := l.r.volumePoint(l.id, v)
	if err := os.MkdirAll(point, 0o711); err != nil {
		return fmt.Errorf("make its directory: %w", err)
	}
	target := m.Target
	if m.Subpath != "" {
		target = "" // the image's content belongs at the root of the volume
	}
	return fillVolume(point, filepath.Join(l.r.bindPoints(u.id()), "image"), target, layers)
}

// bindSubpath mounts a directory of a volume at point, making it when it is missing. The path is followed within the
// volume only: a link that leads out of it is the tenant's mistake.
func bindSubpath(data, subpath, point string) error {
	root, err := os.OpenRoot(data)
	if err != nil {
		return fmt.Errorf("open the volume: %w", err)
	}
	defer root.Close()
	err = root.MkdirAll(subpath, 0o755)
	var dir *os.File
	if err == nil {
		dir, err = root.OpenFile(subpath, os.O_RDONLY|unix.O_DIRECTORY, 0)
	}
	if errors.Is(err, unix.ENOSPC) {
		return runtime.Classify(runtime.ClassTenant, fmt.Errorf("make subpath %s: the volume is full: %w", subpath, err))
	}
	if err != nil {
		return runtime.Classify(runtime.ClassTenant, fmt.Errorf("subpath %s: want a directory within the volume: %w", subpath, err))
	}
	defer dir.Close()
	if err := os.MkdirAll(point, 0o700); err != nil {
		return fmt.Errorf("make a mount point: %w", err)
	}
	if err := unix.Mount(fmt.Sprintf("/proc/self/fd/%d", dir.Fd()), point, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount subpath %s: %w", subpath, err)
	}
	return nil
}

// tmpfsMount is memory as a file system, with as many files as it has pages. It counts as memory of the service.
func tmpfsMount(m runtime.Mount, memoryMiB uint64) specs.Mount {
	size, mode := m.TmpfsMiB, m.Mode
	if size == 0 {
		size = memoryMiB
	}
	if mode == 0 {
		mode = 0o1777
	}
	options := []string{"nosuid", "nodev", "noexec", fmt.Sprintf("mode=%o", mode), fmt.Sprintf("size=%dm", size), fmt.Sprintf("nr_inodes=%d", max(size*256, 1024))}
	if m.ReadOnly {
		options = append(options, "ro")
	}
	return specs.Mount{Destination: m.Target, Type: "tmpfs", Source: "tmpfs", Options: options}
}

// releaseStorage unmounts what was mounted for a container.
func (r *Runtime) releaseStorage(container string) error {
	dirs := []string{r.bindPoints(container), r.secretFiles(container)}
	for _, dir := range dirs {
		if err := unmountBelow(dir); err != nil {
			return err
		}
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("delete the mount points of %s: %w", container, err)
		}
	}
	return nil
}

// releaseStorage unmounts all that the lease has and starts the time for which its persistent volumes are kept. Containers
// are gone already.
func (l *lease) releaseStorage(now time.Time) error {
	for _, kind := range []string{"mounts", "files"} {
		containers, err := names(filepath.Join(l.r.id.RunDir(), kind))
		if err != nil {
			return err
		}
		for _, c := range containers {
			if l.isMine(c) {
				if err := l.r.releaseStorage(c); err != nil {
					return err
				}
			}
		}
	}
	for _, dir := range []string{l.r.volumePoints(l.id), l.r.dir(l.id).disk()} {
		if err := unmountBelow(dir); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(l.r.volumePoints(l.id)); err != nil {
		return fmt.Errorf("delete the mount points of lease %d: %w", l.id, err)
	}
	return l.r.releaseVolumes(strconv.FormatUint(l.id, 10), func(volumeNote) bool { return false }, now)
}

// mountImage shows an image's files, read-only.
func mountImage(layers []string, point string) error {
	if err := os.MkdirAll(point, 0o700); err != nil {
		return fmt.Errorf("make a mount point: %w", err)
	}
	m := mount.Mount{Type: "overlay", Source: "overlay", Options: []string{"ro", "nodev", "nosuid", "lowerdir=" + strings.Join(layers, ":")}}
	if len(layers) == 1 {
		m = mount.Mount{Type: "bind", Source: layers[0], Options: []string{"bind", "ro"}}
	}
	if err := m.Mount(point); err != nil {
		return fmt.Errorf("look into the image: %w", err)
	}
	return nil
}
