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
	if missing(bundle) && len(l.statesOf(container)) == 0 {
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
	for class, root := range l.statesOf(container) {
		program := l.r.libexec.path(isolationProgram[class])
		out, err := exec.CommandContext(ctx, program, "--root", root, "delete", "--force", container).CombinedOutput()
		if err != nil {
			return fmt.Errorf("delete what %s kept of %s: %w: %s", program, container, err, strings.TrimSpace(string(out)))
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

// statesOf finds the isolation classes whose programs keep something of a container, and where: runc a directory of its
// name, runsc files that begin with it.
func (l *lease) statesOf(container string) map[string]string {
	found := map[string]string{}
	for class := range isolationProgram {
		root := filepath.Join(l.r.isolationRoot(class), l.r.id.Namespace())
		for _, pattern := range []string{container, container + "_sandbox:*"} {
			if kept, err := filepath.Glob(filepath.Join(root, pattern)); err == nil && len(kept) > 0 {
				found[class] = root
			}
		}
	}
	return found
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
