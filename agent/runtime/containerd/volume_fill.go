package containerd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	continuityfs "github.com/containerd/continuity/fs"
	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/runtime"
)

// A new volume takes what the image has where it is mounted, as people expect of named volumes. That is done once, before
// any container has the volume: what a container may change meanwhile could lead the copying astray. The marker says how
// far that came.
const (
	volumeMarker = "filled"
	volumeNew    = "new" // being filled
	markerEmpty  = "empty"
	markerFilled = "image"
)

// fillVolume makes the data directory of a volume. With a target it takes content, owner and mode of the image's directory
// there; imagePoint is where the image may be mounted for that.
func fillVolume(point, imagePoint, target string, layers func() ([]string, error)) error {
	marker := filepath.Join(point, volumeMarker)
	b, err := os.ReadFile(marker)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read how the volume was filled: %w", err)
	}
	if string(b) == markerFilled || (string(b) == markerEmpty && target == "") {
		return nil
	}
	source, closeSource, err := imageDir(imagePoint, target, layers)
	if err != nil {
		return err
	}
	defer closeSource()
	if string(b) == markerEmpty {
		if source == "" {
			return nil
		}
		return takeOwner(filepath.Join(point, volumeData), source, marker)
	}
	return fillNew(point, source, marker)
}

// fillNew makes the data directory of a volume that no container has had.
func fillNew(point, source, marker string) error {
	fresh, data, how := filepath.Join(point, volumeNew), filepath.Join(point, volumeData), markerEmpty
	if err := errors.Join(os.RemoveAll(fresh), os.RemoveAll(data)); err != nil {
		return fmt.Errorf("clear what a killed agent left: %w", err)
	}
	if err := os.Mkdir(fresh, 0o755); err != nil {
		return fmt.Errorf("make the volume's directory: %w", err)
	}
	if source != "" {
		how = markerFilled
		err := continuityfs.CopyDir(fresh, source, continuityfs.WithAllowXAttrErrors())
		if errors.Is(err, unix.ENOSPC) {
			return runtime.Classify(runtime.ClassTenant, fmt.Errorf("it is too small for what the image has there: %w", err))
		}
		if err != nil {
			return fmt.Errorf("copy what the image has there: %w", err)
		}
	}
	if err := os.Rename(fresh, data); err != nil {
		return fmt.Errorf("make the volume's directory: %w", err)
	}
	return writeMarker(marker, how)
}

func writeMarker(path, how string) error {
	if err := os.WriteFile(path+".new", []byte(how), 0o600); err != nil {
		return fmt.Errorf("write how the volume was filled: %w", err)
	}
	if err := errors.Join(os.Rename(path+".new", path), syncDir(filepath.Dir(path))); err != nil {
		return fmt.Errorf("write how the volume was filled: %w", err)
	}
	return nil
}

// takeOwner gives the directory of an empty volume the owner and mode of the image's. Nothing else is touched, for a
// container may have the volume already.
func takeOwner(data, source, marker string) error {
	entries, err := os.ReadDir(data)
	if err != nil {
		return fmt.Errorf("look into the volume: %w", err)
	}
	if len(entries) == 0 {
		var st unix.Stat_t
		if err := unix.Stat(source, &st); err != nil {
			return fmt.Errorf("look into the image: %w", err)
		}
		if err := errors.Join(os.Chown(data, int(st.Uid), int(st.Gid)), unix.Chmod(data, st.Mode&0o7777)); err != nil {
			return fmt.Errorf("give the volume its owner: %w", err)
		}
	}
	return writeMarker(marker, markerFilled)
}

// imageDir opens a directory of an image, following links within the image; "" when it has none there.
func imageDir(point, target string, layers func() ([]string, error)) (path string, done func(), err error) {
	done = func() {}
	if target == "" {
		return "", done, nil
	}
	dirs, err := layers()
	if err != nil {
		return "", done, err
	}
	if err := mountImage(dirs, point); err != nil {
		return "", done, err
	}
	unmount := func() { _ = unix.Unmount(point, unix.UMOUNT_NOFOLLOW|unix.MNT_DETACH) } // else with the container's other mounts
	root, err := os.OpenFile(point, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		unmount()
		return "", done, fmt.Errorf("look into the image: %w", err)
	}
	defer root.Close()
	fd, err := unix.Openat2(int(root.Fd()), target, &unix.OpenHow{
		Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		unmount()
		return "", done, nil
	}
	if err != nil {
		unmount()
		return "", done, fmt.Errorf("look into the image at %s: %w", target, err)
	}
	return fmt.Sprintf("/proc/self/fd/%d/.", fd), func() { _ = unix.Close(fd); unmount() }, nil
}
