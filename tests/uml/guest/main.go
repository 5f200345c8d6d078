//go:build linux

// Command guest is the first process of the kernel in user mode: it mounts what a system needs over the host's read-only
// files, loads modules, runs one program, tells how that ended, and turns the machine off.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The environment comes from the kernel's command line.
const (
	modulesVariable = "GUEST_MODULES" // directory of modules.dep
	loadVariable    = "GUEST_LOAD"    // names, separated by commas
	dirVariable     = "GUEST_DIR"     // where the program runs
	programVariable = "GUEST_PROGRAM" // with its arguments, separated by commas
)

func main() {
	code := 1
	if err := setUp(); err != nil {
		fmt.Println("guest: cannot set up:", err)
	} else if err := run(); err == nil {
		code = 0
	} else {
		fmt.Println("guest:", err)
	}
	fmt.Printf("guest: ended with %d\n", code)
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

func setUp() error {
	for _, m := range []struct{ kind, target, data string }{
		{"proc", "/proc", ""},
		{"sysfs", "/sys", ""},
		{"devtmpfs", "/dev", ""},
		{"tmpfs", "/run", "mode=755,size=90%"},
		{"tmpfs", "/var/lib", "mode=755"}, // the root is read-only
		{"cgroup2", "/sys/fs/cgroup", ""},
	} {
		if err := unix.Mount(m.kind, m.target, m.kind, 0, m.data); err != nil && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	for dir, kind := range map[string]string{"/dev/pts": "devpts", "/dev/shm": "tmpfs", "/dev/mqueue": "mqueue"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(kind, dir, kind, 0, ""); err != nil {
			fmt.Printf("guest: mount %s: %v\n", dir, err)
		}
	}
	if err := os.MkdirAll("/run/tmp", 0o1777); err != nil {
		return err
	}
	dependencies, err := readDependencies(os.Getenv(modulesVariable))
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(os.Getenv(loadVariable), ",") {
		if err := load(os.Getenv(modulesVariable), name, dependencies); err != nil {
			fmt.Printf("guest: module %s: %v\n", name, err)
		}
	}
	if err := mountTemporary("/run/tmp.img", "/run/tmp"); err != nil {
		return err
	}
	// Groups below the first may use all controllers that there are.
	controllers, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
	if err != nil {
		return err
	}
	fmt.Printf("guest: cgroup v2 with %s", controllers)
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find the loopback link: %w", err)
	}
	return netlink.LinkSetUp(lo)
}

// mountTemporary gives temporary files a file system in a file, as a host's would be: memory is none whose ids this kernel can
// map.
func mountTemporary(image, dir string) error {
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		return err
	}
	if err := os.Truncate(image, 2<<30); err != nil {
		return err
	}
	for _, words := range [][]string{
		{"/usr/sbin/mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-E", "lazy_itable_init=1,nodiscard", image},
		{"/bin/mount", "-o", "loop,discard,noatime", image, dir},
	} {
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", words[0], err, out)
		}
	}
	return os.Chmod(dir, 0o1777) //nolint:gosec // as any directory of temporary files
}

// readDependencies gives the path of each module and what it needs, by name.
func readDependencies(dir string) (map[string][]string, error) {
	b, err := os.ReadFile(filepath.Join(dir, "modules.dep"))
	if err != nil {
		return nil, err
	}
	found := map[string][]string{}
	for line := range strings.Lines(string(b)) {
		path, needs, _ := strings.Cut(strings.TrimSpace(line), ":")
		found[moduleName(path)] = append([]string{path}, strings.Fields(needs)...)
	}
	return found, nil
}

func moduleName(path string) string {
	return strings.ReplaceAll(strings.TrimSuffix(filepath.Base(path), ".ko"), "-", "_")
}

// load loads a module after what it needs. One that is there already, or part of the kernel, is no error.
func load(dir, name string, dependencies map[string][]string) error {
	paths := dependencies[name]
	for i := len(paths) - 1; i >= 0; i-- {
		f, err := os.Open(filepath.Join(dir, paths[i]))
		if err != nil {
			return err
		}
		err = unix.FinitModule(int(f.Fd()), "", 0)
		_ = f.Close()
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("%s: %w", paths[i], err)
		}
	}
	return nil
}

func run() error {
	words := strings.Split(os.Getenv(programVariable), ",")
	c := exec.Command(words[0], words[1:]...)
	c.Dir = os.Getenv(dirVariable)
	c.Stdout, c.Stderr = os.Stdout, os.Stdout
	c.Env = append(os.Environ(), "TMPDIR=/run/tmp", "HOME=/run", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	return c.Run()
}
