package containerd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
)

// killMarked kills the processes of a container that a command started: those that descend from it, share its session
// or carry its mark in the environment that they began with. A process that took pains to be none of these belongs to
// the tenant's own container and ends with that.
func (r *Runtime) killMarked(ctx context.Context, lease runtime.LeaseID, container, mark string, pid uint32) error {
	group := cgroupPath("pids", cgroupOf(r.id, lease, container))
	return instance.EndProcesses(ctx, func() ([]int, error) {
		members, err := groupProcesses(group)
		if err != nil {
			return nil, err
		}
		return started(members, mark, int(pid)), nil
	})
}

// member is a process of a container as the host sees it.
type member struct {
	pid     int
	parent  int
	session int
	marks   []byte // its first environment
}

// groupProcesses reads the processes of a cgroup that have not ended.
func groupProcesses(group string) ([]member, error) {
	b, err := os.ReadFile(filepath.Join(group, "cgroup.procs"))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the processes of a container: %w", err)
	}
	var list []member
	for line := range strings.FieldsSeq(string(b)) {
		pid, err := strconv.Atoi(line)
		if err != nil || pid <= 0 {
			continue
		}
		if m, ok := readMember(pid); ok {
			list = append(list, m)
		}
	}
	return list, nil
}

func readMember(pid int) (member, bool) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return member{}, false
	}
	// The name, in parentheses, may have anything in it: state, parent, group and session follow the last of them.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 4 || fields[0] == "Z" || fields[0] == "X" {
		return member{}, false
	}
	m := member{pid: pid}
	m.parent, _ = strconv.Atoi(fields[1])
	m.session, _ = strconv.Atoi(fields[3])
	m.marks, _ = os.ReadFile(filepath.Join(dir, "environ"))
	return m, true
}

// started picks the processes that the command pid started, and itself. The container's first process is never one.
func started(members []member, mark string, pid int) []int {
	picked := map[int]bool{}
	for _, m := range members {
		if m.pid == pid || (pid > 0 && m.session == pid) || containsItem(m.marks, mark) {
			picked[m.pid] = true
		}
	}
	for grown := true; grown; {
		grown = false
		for _, m := range members {
			if picked[m.parent] && !picked[m.pid] {
				picked[m.pid], grown = true, true
			}
		}
	}
	list := make([]int, 0, len(picked))
	for _, m := range members {
		if picked[m.pid] {
			list = append(list, m.pid)
		}
	}
	return list
}

func containsItem(environment []byte, item string) bool {
	for entry := range bytes.SplitSeq(environment, []byte{0}) {
		if string(entry) == item {
			return true
		}
	}
	return false
}

// leftExecs lists the commands that an earlier process of this agent, killed, left running. It is to be called before
// this process runs any.
func (r *Runtime) leftExecs() ([]*execution, error) {
	containers, err := names(r.execDir())
	if err != nil {
		return nil, fmt.Errorf("list left commands: %w", err)
	}
	var left []*execution
	for _, container := range containers {
		lease, ok := leaseOfUnit(container)
		if !ok {
			continue
		}
		ids, err := names(filepath.Join(r.execDir(), container))
		if err != nil {
			return nil, fmt.Errorf("list left commands: %w", err)
		}
		for _, id := range ids {
			left = append(left, &execution{r: r, lease: lease, container: container, id: id})
		}
	}
	return left, nil
}

// endLeft ends a left command and what it started.
func (e *execution) endLeft() {
	ctx, cancel := context.WithTimeout(e.r.ctx, execEnd)
	defer cancel()
	c, err := e.r.engine.client.LoadContainer(ctx, e.container)
	switch {
	case errdefs.IsNotFound(err):
		err = nil
	case err == nil:
		err = e.endLeftIn(ctx, c)
	}
	if err == nil {
		e.clean()
	} else {
		e.r.log.Warn("cannot end a command that was left", "container", e.container, "error", err)
	}
}

func (e *execution) endLeftIn(ctx context.Context, c client.Container) (err error) {
	if e.class, err = isolationOfContainer(ctx, c); err != nil {
		return err
	}
	if err := e.killTree(ctx, 0); err != nil {
		return err
	}
	return e.forgetLeft(ctx, c)
}

// forgetLeft ends and forgets what the shim knows of the command.
func (e *execution) forgetLeft(ctx context.Context, c client.Container) error {
	task, err := c.Task(ctx, nil)
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find the process of %s: %w", e.container, err)
	}
	p, err := task.LoadProcess(ctx, e.id, nil)
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find a command in %s: %w", e.container, err)
	}
	ended, err := p.Wait(ctx)
	if err != nil {
		return fmt.Errorf("wait for a command in %s: %w", e.container, err)
	}
	if err := p.Kill(ctx, unix.SIGKILL); err == nil {
		<-ended
	}
	if _, err := p.Delete(ctx); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("forget a command in %s: %w", e.container, err)
	}
	return nil
}
