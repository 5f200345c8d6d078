package containerd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/errdefs"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
)

// remove takes away all that exists of a lease and then its record, so that a new process goes on where this one was
// stopped.
func (l *lease) remove(ctx context.Context, rec record) (again time.Duration, gone bool) {
	err := l.teardown(ctx, rec)
	if err == nil {
		l.r.mu.Lock()
		delete(l.r.leases, l.id)
		l.r.mu.Unlock()
		l.r.spreadCPUs()
		l.tellAll(runtime.EventRemoved, "nothing of it is left")
		l.r.log.Info("lease removed", "lease", l.id)
		return 0, true
	}
	if ctx.Err() != nil {
		return 0, false
	}
	l.removeDelay = min(max(2*l.removeDelay, time.Second), time.Minute)
	l.r.log.Error("cannot remove a lease; will try again", "lease", l.id, "in", l.removeDelay, "error", err)
	return l.removeDelay, false
}

// shimPatience is how long a lease's shim gets to end by itself once its containers are gone.
const shimPatience = 2 * time.Second

// isMine tells whether a container, by its name, is one of the lease.
func (l *lease) isMine(container string) bool {
	id, ok := leaseOfUnit(container)
	return ok && id == l.id
}

// teardown works on what it finds, not on what the record says: the record may be that of an orphan.
func (l *lease) teardown(ctx context.Context, rec record) error {
	l.preparations.Wait() // cancelled by want; else they would hold images once more
	found, err := l.containers(ctx)
	if err != nil {
		return err
	}
	if err := l.endAll(ctx, rec, found); err != nil {
		return err
	}
	if err := instance.KillCgroup(ctx, l.r.id, strconv.FormatUint(l.id, 10)); err != nil {
		return err
	}
	if err := instance.EndShims(ctx, l.r.id, shimPatience, l.isMine); err != nil {
		return err
	}
	for _, dir := range []string{l.r.id.NetnsDir(), l.r.id.UsernsDir()} {
		kept, err := names(dir)
		if err != nil {
			return err
		}
		for _, name := range kept {
			if l.isMine(name) {
				if err := l.r.network.detach(ctx, name, rec.Slot); err != nil {
					return err
				}
			}
		}
	}
	if err := l.r.network.deleteBridge(l.id, rec.Slot); err != nil {
		return err
	}
	if err := errors.Join(l.releaseStorage(time.Now()), l.r.keepLogs(l.id, time.Now())); err != nil {
		return err
	}
	d := l.r.dir(l.id)
	if err := l.letGoOfImages(ctx); err != nil {
		return err
	}
	if err := l.r.forgetUsage(l.id); err != nil {
		return err
	}
	return errors.Join(l.deleteFiles(d), l.r.held.FreeIDRange(strconv.FormatUint(l.id, 10)))
}

// letGoOfImages removes the lease's views of image layers in every scope and lets the engine collect the rest.
func (l *lease) letGoOfImages(ctx context.Context) error {
	spaces, err := l.r.engine.client.NamespaceService().List(ctx)
	if err != nil {
		return fmt.Errorf("list image scopes: %w", err)
	}
	for _, ns := range spaces {
		in := namespaces.WithNamespace(ctx, ns)
		held, err := l.r.engine.client.LeasesService().List(in, "id=="+l.holder())
		if err != nil {
			return fmt.Errorf("find the images of lease %d: %w", l.id, err)
		}
		if len(held) == 0 {
			continue
		}
		sn := l.r.engine.client.SnapshotService(snapshotterName)
		var views []string
		err = sn.Walk(in, func(_ context.Context, i snapshots.Info) error {
			if i.Kind == snapshots.KindView && len(i.Name) > len(l.holder()) && i.Name[:len(l.holder())+1] == l.holder()+"-" {
				views = append(views, i.Name)
			}
			return nil
		})
		if err != nil && !errdefs.IsNotFound(err) {
			return fmt.Errorf("find the layers of lease %d: %w", l.id, err)
		}
		for _, v := range views {
			if err := sn.Remove(in, v); err != nil && !errdefs.IsNotFound(err) {
				return fmt.Errorf("let go of layers %s: %w", v, err)
			}
		}
		if err := l.r.images.letGo(in, l.holder()); err != nil {
			return err
		}
	}
	return nil
}

// deleteFiles deletes the lease's directory, its record last.
func (l *lease) deleteFiles(d leaseDir) error {
	entries, err := names(string(d))
	if err != nil {
		return err
	}
	for _, name := range entries {
		path := string(d) + "/" + name
		if path == d.record() {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("delete the files of lease %d: %w", l.id, err)
		}
	}
	return errors.Join(os.RemoveAll(string(d)), syncDir(l.r.leasesDir()))
}
