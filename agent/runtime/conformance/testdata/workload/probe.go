package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// probe tries what a workload must not be able to do, and tells how far it came.
func probe(r *http.Request) (string, error) {
	switch what := r.FormValue("what"); what {
	case "calls":
		return calls(), nil
	case "terminals":
		return exhaust(func(int) (int, error) { return syscall.Open("/dev/ptmx", syscall.O_RDWR|syscall.O_NOCTTY, 0) })
	case "files":
		return exhaust(func(int) (int, error) { return syscall.Open("/dev/null", syscall.O_RDONLY, 0) })
	case "inodes":
		return exhaust(func(i int) (int, error) {
			fd, err := syscall.Open(r.FormValue("path")+strconv.Itoa(i), syscall.O_CREAT|syscall.O_WRONLY, 0o600)
			if err == nil {
				err = syscall.Close(fd)
			}
			return -1, err
		})
	case "devices":
		return devices()
	case "chown":
		return "", os.Chown(r.FormValue("path"), 1, 1)
	case "limits":
		return limits()
	default:
		return "", errors.New("unknown probe " + what)
	}
}

// exhaust opens until it may not and closes again; it tells how often and why not more often.
func exhaust(open func(int) (int, error)) (string, error) {
	var held []int
	defer func() {
		for _, fd := range held {
			_ = syscall.Close(fd)
		}
	}()
	for i := range 200_000 {
		fd, err := open(i)
		if err != nil {
			return fmt.Sprintf("%d %v", i, err), nil
		}
		if fd >= 0 {
			held = append(held, fd)
		}
	}
	return "endless", nil
}

// calls lists the system calls that were not refused out of hand.
func calls() string {
	empty := []byte("\x00")
	at := uintptr(unsafe.Pointer(&empty[0]))
	var open []string
	for name, call := range map[string][4]uintptr{
		"unshare a user namespace":  {syscall.SYS_UNSHARE, syscall.CLONE_NEWUSER},
		"unshare a mount namespace": {syscall.SYS_UNSHARE, syscall.CLONE_NEWNS},
		"mount":                     {syscall.SYS_MOUNT, at, at, at},
		"umount":                    {syscall.SYS_UMOUNT2, at},
		"pivot_root":                {syscall.SYS_PIVOT_ROOT, at, at},
		"keyctl":                    {250, 0, 0},
		"add_key":                   {248, at, at, at},
		"bpf":                       {321, 0, 0, 0},
		"perf_event_open":           {298, at},
		"kexec_load":                {246, 0, 0, 0},
		"init_module":               {175, at, 0, at},
		"finit_module":              {313, 0, at},
		"reboot":                    {169, 0, 0, 0},
		"settimeofday":              {164, at, 0},
		"swapon":                    {167, at, 0},
		"iopl":                      {172, 3},
		"open_by_handle_at":         {304, 0, at, 0},
		"userfaultfd":               {323, 0},
		"io_uring_setup":            {425, 1, at},
		"acct":                      {163, at},
		"quotactl":                  {179, 0, at, 0},
	} {
		// A call that is filtered or needs a power fails with one of these before it looks at its arguments.
		_, _, errno := syscall.Syscall(call[0], call[1], call[2], call[3])
		if errno != syscall.EPERM && errno != syscall.ENOSYS && errno != syscall.EACCES {
			open = append(open, fmt.Sprintf("%s: %v", name, errno))
		}
	}
	return strings.Join(open, "\n")
}

// devices tries to make devices and lists the block devices and memory in /dev.
func devices() (string, error) {
	var found []string
	for name, number := range map[string]int{"a disk": 8 << 8, "the first loop": 7 << 8, "memory": 1<<8 | 1} {
		for _, kind := range []uint32{syscall.S_IFBLK, syscall.S_IFCHR} {
			path := "/tmp/device"
			if err := syscall.Mknod(path, kind|0o600, number); err == nil {
				if f, err := os.Open(path); err == nil {
					found = append(found, "opened "+name)
					_ = f.Close()
				}
				_ = os.Remove(path)
			}
		}
	}
	entries, err := os.ReadDir("/dev")
	for _, e := range entries {
		if e.Type()&os.ModeDevice != 0 && e.Type()&os.ModeCharDevice == 0 || e.Name() == "mem" || e.Name() == "kmsg" || e.Name() == "kvm" || e.Name() == "fuse" {
			found = append(found, e.Name())
		}
	}
	return strings.Join(found, "\n"), err
}

func limits() (string, error) {
	var lines []string
	for name, number := range map[string]int{"core": syscall.RLIMIT_CORE, "files": syscall.RLIMIT_NOFILE, "locked": 8, "signals": 11, "messages": 12} {
		var l syscall.Rlimit
		if err := syscall.Getrlimit(number, &l); err != nil {
			return "", err
		}
		lines = append(lines, fmt.Sprintf("%s %d %d", name, l.Cur, l.Max))
	}
	return strings.Join(lines, "\n"), nil
}
