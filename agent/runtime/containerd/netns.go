package containerd

import (
	"errors"
	"fmt"
	"os"
	goruntime "runtime"

	"golang.org/x/sys/unix"
)

// makeNetns makes a network namespace that lives as long as its bind mount at path.
func makeNetns(path string) error {
	if err := makeNamespaceFile(path); err != nil {
		return err
	}
	done := make(chan error)
	go func() { done <- unshareTo(path) }()
	return <-done
}

// unshareTo makes the namespace and comes back from it. The thread is given back only when it is home again: else it
// stays locked and ends with the goroutine. (The main thread never ends, and would hold the namespace for ever: that
// is why coming back matters.)
func unshareTo(path string) error {
	goruntime.LockOSThread()
	mine := fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid())
	home, err := os.Open(mine)
	if err != nil {
		goruntime.UnlockOSThread()
		return fmt.Errorf("make a network namespace: %w", err)
	}
	defer home.Close()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		goruntime.UnlockOSThread()
		return fmt.Errorf("make a network namespace (CAP_SYS_ADMIN is needed): %w", err)
	}
	failed := refuseIPv6()
	if failed == nil {
		failed = unix.Mount(mine, path, "", unix.MS_BIND, "")
	}
	if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("come back from the network namespace %s: %w", path, err)
	}
	goruntime.UnlockOSThread()
	if failed != nil {
		return fmt.Errorf("keep the network namespace %s: %w", path, failed)
	}
	return nil
}

// refuseIPv6 keeps IPv6 off every link of this thread's network namespace, those to come too.
func refuseIPv6() error {
	for _, which := range []string{"all", "default"} {
		err := os.WriteFile("/proc/sys/net/ipv6/conf/"+which+"/disable_ipv6", []byte("1"), 0o600)
		if err != nil && !errors.Is(err, os.ErrNotExist) { // a kernel without IPv6
			return fmt.Errorf("refuse IPv6: %w", err)
		}
	}
	return nil
}

// isNetns tells whether path is a kept namespace and not only the file for one.
func isNetns(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Type == unix.NSFS_MAGIC
}

// deleteNetns lets a network or user namespace go; one that does not exist is no error.
func deleteNetns(path string) error {
	if err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("let go of the namespace %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("delete the namespace %s: %w", path, err)
	}
	return nil
}
