package containerd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/errdefs"

	"github.com/souk-network/souk/agent/instance"
)

// clearLeftover removes what may be in the way of starting a container's process when an earlier start was cut off: a
// shim without task, runc's state, a mounted root, the bundle. It is called when the engine says that there is no task.
func (l *lease) clearLeftover(ctx context.Context, container string) error {
	if err := l.endIdleShims(ctx); err != nil {
		return err
	}
	bundle := filepath.Join(l.r.engineRunDir(), "io.containerd.runtime.v2.task", l.r.id.Namespace(), container)
	state := filepath.Join(l.r.runcRoot(), l.r.id.Namespace(), container)
	if missing(bundle) && missing(state) {
		return nil
	}
	l.r.log.Info("clearing what a killed agent left of a container", "container", container)
	_, err := l.r.engine.client.TaskService().Delete(ctx, &tasks.DeleteTaskRequest{ContainerID: container})
	if err != nil && !errdefs.IsNotFound(err) {
		l.r.log.Debug("the engine knows no task", "container", container, "error", err)
	}
	if err := instance.KillCgroup(ctx, l.r.id, fmt.Sprintf("%d/%s", l.id, container)); err != nil {
		return err
	}
	if !missing(state) {
		out, err := exec.CommandContext(ctx, l.r.libexec.path("runc"), "--root", filepath.Dir(state), "delete", "--force", container).CombinedOutput()
		if err != nil {
			return fmt.Errorf("delete what runc kept of %s: %w: %s", container, err, strings.TrimSpace(string(out)))
		}
	}
	if err := unmountBelow(bundle); err != nil {
		return err
	}
	if err := os.RemoveAll(bundle); err != nil {
		return fmt.Errorf("delete the bundle of %s: %w", container, err)
	}
	return nil
}

// endIdleShims ends the lease's shims when none of its containers has a task. One that was cut off in its start still
// waits for somebody to read its log: it would accept a connection, be taken for the lease's shim, and never answer.
func (l *lease) endIdleShims(ctx context.Context) error {
	found, err := l.containers(ctx)
	if err != nil {
		return err
	}
	for _, c := range found {
		_, err := c.Task(ctx, nil)
		if err == nil {
			return nil
		}
		if !errdefs.IsNotFound(err) {
			return fmt.Errorf("find the process of %s: %w", c.ID(), err)
		}
	}
	return instance.EndShims(ctx, l.r.id, 0, l.isMine)
}

func missing(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, os.ErrNotExist)
}
