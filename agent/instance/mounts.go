package instance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// MountPoints lists the mount points at or below any of the directories, in the order in which they were mounted.
func MountPoints(dirs ...string) ([]string, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	var points []string
	for line := range strings.Lines(string(b)) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		point := unescapeMount(fields[4])
		for _, dir := range dirs {
			if dir != "" && (point == dir || strings.HasPrefix(point, dir+"/")) {
				points = append(points, point)
				break
			}
		}
	}
	return points, nil
}

// unescapeMount undoes the octal escapes of mountinfo.
func unescapeMount(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

func unmountUnder(dirs ...string) error {
	points, err := MountPoints(dirs...)
	if err != nil {
		return err
	}
	for _, point := range slices.Backward(points) {
		err := unix.Unmount(point, unix.UMOUNT_NOFOLLOW)
		if errors.Is(err, unix.EBUSY) {
			err = unix.Unmount(point, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		}
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("%s: %w", point, err)
		}
	}
	return nil
}

// Loops lists the loop devices backed by a file below dir.
func Loops(dir string) ([]string, error) {
	if dir == "" {
		return nil, nil
	}
	files, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		return nil, fmt.Errorf("list loop devices: %w", err)
	}
	var devices []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // detached meanwhile
		}
		if strings.HasPrefix(strings.TrimSpace(string(b)), dir+"/") {
			devices = append(devices, "/dev/"+filepath.Base(filepath.Dir(filepath.Dir(f))))
		}
	}
	return devices, nil
}

// detachLoops waits for the kernel to free the loop devices of unmounted disks and frees those that it does not.
func detachLoops(ctx context.Context, dir string) error {
	for {
		devices, err := Loops(dir)
		if err != nil || len(devices) == 0 {
			return err
		}
		for _, device := range devices {
			if err := clearLoop(device); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("loop devices %v are still in use: %w", devices, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func clearLoop(device string) error {
	f, err := os.OpenFile(device, os.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", device, err)
	}
	defer f.Close()
	err = unix.IoctlSetInt(int(f.Fd()), unix.LOOP_CLR_FD, 0)
	if err != nil && !errors.Is(err, unix.ENXIO) && !errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("detach %s: %w", device, err)
	}
	return nil
}
