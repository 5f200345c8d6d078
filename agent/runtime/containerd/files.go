package containerd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/instance"
)

// secretFiles is the file system in memory that holds the files of a container.
func (r *Runtime) secretFiles(container string) string {
	return filepath.Join(r.id.RunDir(), "files", container)
}

// fileMounts are the mounts of a replica's files.
func (r *Runtime) fileMounts(u unit) []specs.Mount {
	var list []specs.Mount
	for n, f := range u.service.Files {
		list = append(list, specs.Mount{
			Destination: f.Target, Type: "bind", Source: filepath.Join(r.secretFiles(u.id()), strconv.Itoa(n)),
			Options: []string{"bind", "rprivate", "ro", "nosuid", "nodev"},
		})
	}
	sortByTarget(list)
	return list
}

// writeSecretFiles puts the files of a replica into memory, anew for each start: nothing of them is ever on disk, and
// after a reboot nothing is left. They are the host's ids that stand for those of the container.
func (r *Runtime) writeSecretFiles(u unit, ids instance.IDRange) error {
	dir := r.secretFiles(u.id())
	if err := unmountBelow(dir); err != nil {
		return err
	}
	if len(u.service.Files) == 0 {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the directory of files: %w", err)
	}
	size := 0
	for _, f := range u.service.Files {
		size += len(f.Content) + 2*os.Getpagesize()
	}
	if err := mountMemory(dir, size); err != nil {
		return fmt.Errorf("keep files in memory: %w", err)
	}
	for n, f := range u.service.Files {
		if err := writeSecretFile(filepath.Join(dir, strconv.Itoa(n)), f.Content, int(uint32(ids)+f.UID), int(uint32(ids)+f.GID), f.Mode); err != nil {
			return fmt.Errorf("write file %s of %s: %w", f.Target, u.service.Name, err)
		}
	}
	return nil
}

func writeSecretFile(path string, content []byte, uid, gid int, mode uint32) error {
	if err := os.WriteFile(path, content, 0o400); err != nil {
		return err
	}
	return errors.Join(os.Chown(path, uid, gid), unix.Chmod(path, mode)) // in this order: a change of owner takes bits away
}

// mountMemory mounts memory that is not swapped out, where the kernel can promise that (Linux 6.4).
func mountMemory(dir string, size int) error {
	options := fmt.Sprintf("mode=0700,size=%d", size)
	err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options+",noswap")
	if errors.Is(err, unix.EINVAL) {
		err = unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options)
	}
	return err
}

// sortByTarget puts outer mounts before those within them.
func sortByTarget(list []specs.Mount) {
	slices.SortStableFunc(list, func(a, b specs.Mount) int { return strings.Compare(a.Destination, b.Destination) })
}
