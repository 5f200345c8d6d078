package containerd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/instance"
)

// makeOwnedNetns makes a user namespace with a range of ids and a network namespace that it owns, which live as long as
// their bind mounts at the paths.
func makeOwnedNetns(userns, netns string, ids instance.IDRange) error {
	if err := deleteNetns(userns); err != nil { // of an agent that was killed in between
		return err
	}
	for _, path := range []string{userns, netns} {
		if err := makeNamespaceFile(path); err != nil {
			return err
		}
	}
	done := make(chan error)
	go func() { done <- keepNamespaces(userns, netns, ids) }()
	if err := <-done; err != nil {
		return fmt.Errorf("make a user namespace: %w", err)
	}
	return inNetns(netns, refuseIPv6)
}

// makeNamespaceFile makes the file on which a namespace is mounted.
func makeNamespaceFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o711); err != nil {
		return fmt.Errorf("make a namespace: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o600)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return fmt.Errorf("make a namespace: %w", err)
	}
	return nil
}

// keepNamespaces starts a process in new namespaces and mounts these. None of its code is ever run: it is traced, so that
// it stops as it starts, and is killed. A user namespace cannot be entered by a process with threads, as this one is.
func keepNamespaces(userns, netns string, ids instance.IDRange) error {
	goruntime.LockOSThread() // the tracer is a thread, and the process ends with it
	defer goruntime.UnlockOSThread()
	mapping := []syscall.SysProcIDMap{{ContainerID: 0, HostID: int(ids), Size: instance.IDRangeSize}}
	p, err := os.StartProcess("/proc/self/exe", []string{"souk-namespaces"}, &os.ProcAttr{Sys: &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNET, UidMappings: mapping, GidMappings: mapping, GidMappingsEnableSetgroups: true,
		Ptrace: true, Pdeathsig: syscall.SIGKILL,
	}})
	if err != nil {
		return err
	}
	failed := unix.Mount(fmt.Sprintf("/proc/%d/ns/user", p.Pid), userns, "", unix.MS_BIND, "")
	if failed == nil {
		failed = unix.Mount(fmt.Sprintf("/proc/%d/ns/net", p.Pid), netns, "", unix.MS_BIND, "")
	}
	err = p.Kill()
	if err == nil {
		_, err = p.Wait()
	}
	return errors.Join(failed, err)
}

// inNetns runs do on a thread in a network namespace. The thread ends with that when it cannot come back.
func inNetns(path string, do func() error) error {
	done := make(chan error)
	go func() { done <- visitNetns(path, do) }()
	return <-done
}

func visitNetns(path string, do func() error) error {
	goruntime.LockOSThread()
	home, err := os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
	if err != nil {
		goruntime.UnlockOSThread()
		return fmt.Errorf("enter the network namespace %s: %w", path, err)
	}
	defer home.Close()
	there, err := os.Open(path)
	if err == nil {
		defer there.Close()
		err = unix.Setns(int(there.Fd()), unix.CLONE_NEWNET)
	}
	if err != nil {
		goruntime.UnlockOSThread()
		return fmt.Errorf("enter the network namespace %s: %w", path, err)
	}
	failed := do()
	if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
		return errors.Join(failed, fmt.Errorf("come back from the network namespace %s: %w", path, err))
	}
	goruntime.UnlockOSThread()
	return failed
}
