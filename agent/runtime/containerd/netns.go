package containerd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"

	"golang.org/x/sys/unix"
)

// makeNetns makes a network namespace that lives as long as its bind mount at path.
func makeNetns(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o711); err != nil {
		return fmt.Errorf("make a network namespace: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o600)
	if err != nil {
		return fmt.Errorf("make a network namespace: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("make a network namespace: %w", err)
	}
	done := make(chan error)
	go func() {
		// The thread stays locked when this goroutine ends: it must not run others, for it is in the new namespace.
		goruntime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("make a network namespace: %w", err)
			return
		}
		from := fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid())
		if err := unix.Mount(from, path, "", unix.MS_BIND, ""); err != nil {
			done <- fmt.Errorf("keep the network namespace %s: %w", path, err)
			return
		}
		done <- nil
	}()
	return <-done
}

// isNetns tells whether path is a kept namespace and not only the file for one.
func isNetns(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Type == unix.NSFS_MAGIC
}

// deleteNetns lets a namespace go; one that does not exist is no error.
func deleteNetns(path string) error {
	if err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("let go of the network namespace %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("delete the network namespace %s: %w", path, err)
	}
	return nil
}
