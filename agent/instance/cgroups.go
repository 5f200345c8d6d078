package instance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const cgroupRoot = "/sys/fs/cgroup"

// cgroupDirs lists the instance's directory in each mounted hierarchy (one on cgroup v2).
func cgroupDirs(id ID) ([]string, error) {
	parent := strings.TrimPrefix(id.CgroupParent(), "/")
	deep, err := filepath.Glob(filepath.Join(cgroupRoot, "*", parent))
	if err != nil {
		return nil, fmt.Errorf("list cgroups: %w", err)
	}
	if top := filepath.Join(cgroupRoot, parent); exists(top) {
		deep = append(deep, top)
	}
	return deep, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// cgroupTree lists dir and the groups below it, deepest last.
func cgroupTree(dir string) ([]string, error) {
	var dirs []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		if d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("walk cgroup %s: %w", dir, err)
	}
	return dirs, nil
}

// containedProcesses lists every process in a cgroup of the instance, after thawing those groups.
func containedProcesses(id ID) ([]int, error) {
	tops, err := cgroupDirs(id)
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, top := range tops {
		found, err := treeProcesses(top)
		if err != nil {
			return nil, err
		}
		pids = append(pids, found...)
	}
	slices.Sort(pids)
	return slices.Compact(pids), nil
}

// treeProcesses lists the processes of a cgroup and those below it, after thawing them.
func treeProcesses(top string) ([]int, error) {
	dirs, err := cgroupTree(top)
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, dir := range dirs {
		thaw(dir)
		b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if err != nil {
			continue // removed meanwhile
		}
		for line := range strings.FieldsSeq(string(b)) {
			if pid, err := strconv.Atoi(line); err == nil && pid > 0 {
				pids = append(pids, pid)
			}
		}
	}
	return pids, nil
}

// thaw lets a frozen group die; groups that cannot be frozen have no such file.
func thaw(dir string) {
	_ = writeExisting(filepath.Join(dir, "freezer.state"), "THAWED")
	_ = writeExisting(filepath.Join(dir, "cgroup.freeze"), "0")
}

func writeExisting(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(value)
	return err
}

func deleteCgroups(ctx context.Context, id ID) error {
	tops, err := cgroupDirs(id)
	if err != nil {
		return err
	}
	for _, top := range tops {
		if err := DeleteCgroupTree(ctx, top); err != nil {
			return err
		}
	}
	return nil
}

// DeleteCgroupTree removes an empty cgroup and those below it, waiting for the kernel to let go of ended processes.
func DeleteCgroupTree(ctx context.Context, top string) error {
	dirs, err := cgroupTree(top)
	if err != nil {
		return err
	}
	for _, dir := range slices.Backward(dirs) {
		for {
			err := unix.Rmdir(dir)
			if err == nil || errors.Is(err, unix.ENOENT) {
				break
			}
			if !errors.Is(err, unix.EBUSY) {
				return fmt.Errorf("remove cgroup %s: %w", dir, err)
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("remove cgroup %s: still busy: %w", dir, ctx.Err())
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	return nil
}

// Cgroups lists the directories of the instance's parent cgroup, one a hierarchy, where it exists.
func Cgroups(id ID) ([]string, error) { return cgroupDirs(id) }

// KillCgroup ends every process in the instance's cgroup called name and removes the group.
func KillCgroup(ctx context.Context, id ID, name string) error {
	tops, err := cgroupDirs(id)
	if err != nil {
		return err
	}
	for _, top := range tops {
		dir := filepath.Join(top, name)
		if !exists(dir) {
			continue
		}
		if err := killTree(ctx, dir); err != nil {
			return err
		}
		if err := DeleteCgroupTree(ctx, dir); err != nil {
			return err
		}
	}
	return nil
}

// killTree kills until no process is left in a cgroup or below it.
func killTree(ctx context.Context, top string) error {
	return EndProcesses(ctx, func() ([]int, error) { return treeProcesses(top) })
}
