package containerd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/errdefs"
	"github.com/moby/sys/signal"
	"github.com/opencontainers/go-digest"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
)

const (
	revisionLabel   = "souk.network/revision"
	serviceLabel    = "souk.network/service"
	isolationLabel  = "souk.network/isolation"
	stopSignalLabel = "souk.network/stop-signal"
	graceLabel      = "souk.network/stop-grace"
	policyLabel     = "souk.network/restart"
	layersLabel     = "souk.network/layers" // scope/chain: a name that moves on does not change what a container runs
)

// lostExitCode stands for a run whose end nobody saw.
const lostExitCode = 255

// maxSteps bounds one pass; from any state a replica needs fewer.
const maxSteps = 12

// steps repeats looking and taking the next step until the replica rests or waits.
func (l *lease) steps(ctx context.Context, rec record, u unit) (time.Duration, error) {
	for range maxSteps {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		c, task, f, err := l.observe(ctx, u.id())
		if err != nil {
			return 0, err
		}
		h, err := l.history(u.id())
		if err != nil {
			return 0, err
		}
		next, wait := nextStep(u.revision, h, f, time.Now())
		switch next {
		case stepRest, stepWait:
			address, _ := l.r.network.address(u.id(), rec.Slot)
			l.settle(u, f, h, address)
			if f.task == taskRunning {
				l.watch(u.id(), f.pid, task)
			}
			return wait, nil
		case stepReap:
			err = l.reap(ctx, c, task, f, h)
		case stepLost:
			f.exitCode, f.exitedAt = lostExitCode, time.Now()
			err = l.reap(ctx, c, nil, f, h)
		case stepDiscard:
			err = l.discard(ctx, task)
		case stepReplace:
			err = l.replace(ctx, rec, u, c, task)
		case stepCreate:
			err = l.create(ctx, rec, u)
		case stepStart:
			err = l.start(ctx, rec, u, c, h)
		}
		if err != nil {
			return 0, err
		}
	}
	return time.Second, nil
}

// observe reads what the engine has of a container.
func (l *lease) observe(ctx context.Context, id string) (client.Container, client.Task, facts, error) {
	c, err := l.r.engine.client.LoadContainer(ctx, id)
	if errdefs.IsNotFound(err) {
		return nil, nil, facts{}, nil
	}
	if err != nil {
		return nil, nil, facts{}, fmt.Errorf("find container %s: %w", id, err)
	}
	labels, err := c.Labels(ctx)
	if err != nil {
		return nil, nil, facts{}, fmt.Errorf("read the labels of container %s: %w", id, err)
	}
	f := facts{revision: labels[revisionLabel]}
	task, err := c.Task(ctx, nil)
	if errdefs.IsNotFound(err) {
		var ended exit
		found, err := readJSON(l.r.dir(l.id).exit(id), &ended)
		if found {
			f.task, f.exitCode, f.exitedAt, f.oom = taskStopped, ended.Code, ended.ExitedAt, ended.OOM
		}
		return c, nil, f, err
	}
	if err != nil {
		return nil, nil, facts{}, fmt.Errorf("find the process of %s: %w", id, err)
	}
	st, err := task.Status(ctx)
	if err != nil {
		return nil, nil, facts{}, fmt.Errorf("ask how %s is: %w", id, err)
	}
	f.pid = task.Pid()
	switch st.Status {
	case client.Created:
		f.task = taskCreated
	case client.Stopped:
		f.task, f.exitCode, f.exitedAt = taskStopped, int(st.ExitStatus), st.ExitTime
		f.oom = oomKills(cgroupOf(l.r.id, l.id, id)) > 0
	default:
		f.task = taskRunning
	}
	return c, task, f, nil
}

func (l *lease) history(id string) (history, error) {
	var h history
	_, err := readJSON(l.r.dir(l.id).history(id), &h)
	return h, err
}

// watch wakes the worker when a process ends.
func (l *lease) watch(id string, pid uint32, task client.Task) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.watched[id] == pid {
		return
	}
	ended, err := task.Wait(l.r.ctx)
	if err != nil {
		l.r.log.Error("cannot wait for a process to end", "container", id, "error", err)
		return
	}
	l.watched[id] = pid
	l.r.workers.Go(func() {
		select {
		case <-ended:
		case <-l.r.ctx.Done():
			return
		}
		l.mu.Lock()
		if l.watched[id] == pid {
			delete(l.watched, id)
		}
		l.mu.Unlock()
		l.wakeUp()
	})
}

// reap writes down how a process ended, durably, and then forgets it.
func (l *lease) reap(ctx context.Context, c client.Container, task client.Task, f facts, h history) error {
	labels, err := c.Labels(ctx)
	if err != nil {
		return fmt.Errorf("read the labels of container %s: %w", c.ID(), err)
	}
	h = h.afterExit(f, runtime.RestartPolicy(labels[policyLabel]), l.r.config.Backoff)
	if err := writeDurably(l.r.dir(l.id).history(c.ID()), h); err != nil {
		return err
	}
	return errors.Join(l.discard(ctx, task), os.RemoveAll(l.r.dir(l.id).exit(c.ID())))
}

// discard forgets a process that does not run.
func (l *lease) discard(ctx context.Context, task client.Task) error {
	if task == nil {
		return nil
	}
	_, err := task.Delete(ctx, withProcessKill)
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("forget the process of %s: %w", task.ID(), err)
	}
	return nil
}

// replace makes way for another revision, but not before the new image is ready, so that an image which cannot be had
// leaves the old revision running.
func (l *lease) replace(ctx context.Context, rec record, u unit, c client.Container, task client.Task) error {
	if _, err := l.prepareImage(ctx, u); err != nil {
		return err
	}
	l.progress(u, runtime.PhaseStarting, "stopping the old revision")
	labels, err := c.Labels(ctx)
	if err != nil {
		return fmt.Errorf("read the labels of container %s: %w", c.ID(), err)
	}
	if err := l.stop(ctx, c, task); err != nil {
		return err
	}
	if err := l.deleteContainer(ctx, c); err != nil {
		return err
	}
	old := l.r.dir(l.id).upper(u.id(), labels[revisionLabel])
	if err := os.RemoveAll(filepath.Dir(old)); err != nil {
		return fmt.Errorf("delete the files of the old revision: %w", err)
	}
	// The limit on egress is part of the network: connect anew.
	return l.r.network.detach(ctx, u.id(), rec.Slot)
}

func (l *lease) deleteContainer(ctx context.Context, c client.Container) error {
	if err := c.Delete(ctx); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("delete container %s: %w", c.ID(), err)
	}
	return nil
}

// stop asks a process to end and ends it when its grace is over.
func (l *lease) stop(ctx context.Context, c client.Container, task client.Task) error {
	if task == nil {
		return nil
	}
	labels, err := c.Labels(ctx)
	if err != nil {
		return fmt.Errorf("read the labels of container %s: %w", c.ID(), err)
	}
	grace, err := time.ParseDuration(labels[graceLabel])
	if err != nil {
		grace = defaultGrace * time.Second
	}
	ended, err := task.Wait(ctx)
	if err != nil {
		return fmt.Errorf("wait for %s to end: %w", c.ID(), err)
	}
	for _, try := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{stopSignal(labels[stopSignalLabel]), grace}, {syscall.SIGKILL, 10 * time.Second}} {
		if err := task.Kill(ctx, try.signal); err != nil && !errdefs.IsNotFound(err) {
			l.r.log.Debug("cannot signal", "container", c.ID(), "signal", try.signal, "error", err) // ended meanwhile, or never started
		}
		select {
		case <-ended:
			return l.discard(ctx, task)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(try.wait):
		}
	}
	return l.discard(ctx, task)
}

func stopSignal(name string) syscall.Signal {
	if s, err := signal.ParseSignal(name); name != "" && err == nil {
		return s
	}
	return syscall.SIGTERM
}

// holder is the engine's lease that keeps images and layers for one of ours.
func (l *lease) holder() string { return fmt.Sprintf("workload-%d", l.id) }

// cgroupOf is the path of a container's group: its lease's group is the parent.
func cgroupOf(id instance.ID, lease runtime.LeaseID, container string) string {
	return fmt.Sprintf("%s/%d/%s", id.CgroupParent(), lease, container)
}

// prepareImage finds and unpacks the image of a replica's service, once a revision.
func (l *lease) prepareImage(ctx context.Context, u unit) (resolved, error) {
	if l.imagesOf != u.revision {
		l.images, l.imagesOf = map[string]resolved{}, u.revision
	}
	if i, ok := l.images[u.service.Name]; ok {
		return i, nil
	}
	l.progress(u, runtime.PhasePulling, "getting "+u.service.Image)
	i, err := l.r.images.resolve(ctx, wish{
		owner: runtime.Scope(u.owner), image: u.service.Image, credentials: u.service.Credentials,
		tell: func(text string) { l.progress(u, runtime.PhasePulling, "pulling "+u.service.Image+": "+text) },
	}, l.holder())
	if err != nil {
		return resolved{}, err
	}
	l.progress(u, runtime.PhasePulling, "unpacking "+u.service.Image)
	if _, err := l.r.images.lowerDirs(ctx, i, l.holder()); err != nil {
		return resolved{}, err
	}
	l.images[u.service.Name] = i
	return i, nil
}

// create makes the container of a replica: image, disk, network, specification.
func (l *lease) create(ctx context.Context, rec record, u unit) error {
	i, err := l.prepareImage(ctx, u)
	if err != nil {
		return err
	}
	layers, err := l.r.images.lowerDirs(ctx, i, l.holder())
	if err != nil {
		return err
	}
	user := u.service.User
	if user == "" {
		user = i.config.Config.User
	}
	account, err := resolveUser(user, layers)
	if err != nil {
		return err
	}
	d := l.r.dir(l.id)
	spec, err := containerSpec(u, i.config.Config, surroundings{
		netns: l.r.network.netns(u.id()), files: d.files(u.id()), cgroup: cgroupOf(l.r.id, l.id, u.id()),
		swap: l.r.swap, ipv6: l.r.ipv6, openFiles: l.r.files, user: account, mounts: l.r.storageMounts(u),
	})
	if err != nil {
		return err
	}
	class := l.r.isolationOf(rec.Workload)
	if class == isolationGVisor {
		tmp := ""
		if emptyTmp(layers) {
			tmp = d.tmp(u.id(), u.revision)
		}
		sandboxed(spec, tmp)
	}
	grace := u.service.StopGraceSeconds
	if grace == 0 {
		grace = defaultGrace
	}
	_, err = l.r.engine.client.NewContainer(ctx, u.id(),
		l.r.isolated(class),
		withSealedSpec(l.r.sealer, spec),
		client.WithContainerLabels(map[string]string{
			leaseLabel: fmt.Sprint(l.id), serviceLabel: u.service.Name, revisionLabel: u.revision,
			isolationLabel: class, stopSignalLabel: i.config.Config.StopSignal, graceLabel: (time.Duration(grace) * time.Second).String(),
			policyLabel: string(u.service.Restart), layersLabel: string(i.scope) + "/" + i.chainID().String(),
		}),
	)
	if err != nil {
		return fmt.Errorf("make container %s: %w", u.id(), err)
	}
	return nil
}

// start runs the process of a container that exists.
func (l *lease) start(ctx context.Context, rec record, u unit, c client.Container, h history) error {
	l.progress(u, runtime.PhaseStarting, "starting")
	if err := l.clearLeftover(ctx, u.id()); err != nil {
		return err
	}
	d := l.r.dir(l.id)
	if err := l.prepareStorage(ctx, rec, u, func() ([]string, error) { return l.layersOf(ctx, c) }); err != nil {
		return err
	}
	address, err := l.r.network.attach(ctx, u, rec.Slot)
	if err != nil {
		return err
	}
	if err := l.readdress(ctx, c, rec.Slot, address); err != nil {
		return err
	}
	if err := l.r.network.writeFiles(d.files(u.id()), u, rec.Slot, address, l.members(rec)); err != nil {
		return err
	}
	root, err := l.rootfs(ctx, u, c)
	if err != nil {
		return err
	}
	began := time.Now() // before it starts, for it may end at once
	if err := l.launch(ctx, u, c, root); err != nil {
		if ctx.Err() != nil {
			return err
		}
		h = h.afterFailedStart(u.revision, l.r.config.Backoff, time.Now())
		return errors.Join(err, writeDurably(d.history(u.id()), h))
	}
	return writeDurably(d.history(u.id()), h.afterStart(u.revision, began))
}

// launch makes and starts the process, leaving nothing behind when it cannot be started.
func (l *lease) launch(ctx context.Context, u unit, c client.Container, root mount.Mount) error {
	logs := l.r.dir(l.id).log(u.service.Name, u.replica)
	if err := os.MkdirAll(filepath.Dir(logs), 0o700); err != nil {
		return fmt.Errorf("make the log directory: %w", err)
	}
	output := cio.BinaryIO(l.r.libexec.path("souk-logger"), map[string]string{"path": logs})
	task, err := c.NewTask(ctx, output, client.WithRootFS([]mount.Mount{root}))
	if err != nil {
		return startError(u, err)
	}
	if err := task.Start(ctx); err != nil {
		return errors.Join(startError(u, err), l.discard(context.WithoutCancel(ctx), task))
	}
	return nil
}

// startError tells a program that is not there from a host that cannot run it.
func startError(u unit, err error) error {
	text := err.Error()
	wrapped := fmt.Errorf("start %s replica %d: %w", u.service.Name, u.replica, err)
	for _, tenants := range []string{"exec: ", "exec format error", "failed to load", "mkdir_all", "chdir to cwd", "not a directory", "permission denied"} {
		if strings.Contains(text, tenants) {
			return runtime.Classify(runtime.ClassTenant, wrapped)
		}
	}
	return wrapped
}

// layersOf gives the directories of the image that a container was made of, uppermost first.
func (l *lease) layersOf(ctx context.Context, c client.Container) ([]string, error) {
	labels, err := c.Labels(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the labels of container %s: %w", c.ID(), err)
	}
	scope, chain, _ := strings.Cut(labels[layersLabel], "/")
	return l.r.images.view(ctx, runtime.Scope(scope), digest.Digest(chain), l.holder())
}

// rootfs is the overlay of the image's layers and the replica's own directory on the lease's disk.
func (l *lease) rootfs(ctx context.Context, u unit, c client.Container) (mount.Mount, error) {
	layers, err := l.layersOf(ctx, c)
	if err != nil {
		return mount.Mount{}, err
	}
	d := l.r.dir(l.id)
	upper, work := d.upper(u.id(), u.revision), d.work(u.id(), u.revision)
	for _, dir := range []string{upper, work} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return mount.Mount{}, fmt.Errorf("make the files of %s on its disk: %w", c.ID(), err)
		}
	}
	class, err := isolationOfContainer(ctx, c)
	if err != nil {
		return mount.Mount{}, err
	}
	if class == isolationGVisor {
		if err := makeTmp(d.tmp(u.id(), u.revision)); err != nil {
			return mount.Mount{}, err
		}
	}
	options := []string{"nodev", "lowerdir=" + strings.Join(layers, ":"), "upperdir=" + upper, "workdir=" + work}
	if _, err := os.Stat("/sys/module/overlay/parameters/index"); err == nil {
		options = append(options, "index=off")
	}
	return mount.Mount{Type: "overlay", Source: "overlay", Options: options}, nil
}

// removeStrangers ends containers of the lease that are not among the wanted replicas.
func (l *lease) removeStrangers(ctx context.Context, rec record, wanted []unit) error {
	found, err := l.containers(ctx)
	if err != nil {
		return err
	}
	for _, c := range found {
		if slices.ContainsFunc(wanted, func(u unit) bool { return u.id() == c.ID() }) {
			continue
		}
		if err := l.end(ctx, c, rec.Slot); err != nil {
			return err
		}
	}
	return nil
}

// containers lists the lease's containers.
func (l *lease) containers(ctx context.Context) ([]client.Container, error) {
	all, err := l.r.engine.client.Containers(ctx)
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	return slices.DeleteFunc(all, func(c client.Container) bool { return !l.isMine(c.ID()) }), nil
}

// end stops and deletes a container, its network and its files.
func (l *lease) end(ctx context.Context, c client.Container, slot uint16) error {
	_, task, _, err := l.observe(ctx, c.ID())
	if err != nil {
		return err
	}
	if err := l.stop(ctx, c, task); err != nil {
		return err
	}
	if err := l.deleteContainer(ctx, c); err != nil {
		return err
	}
	if err := l.r.network.detach(ctx, c.ID(), slot); err != nil {
		return err
	}
	d := l.r.dir(l.id)
	return errors.Join(l.r.releaseStorage(c.ID()), os.RemoveAll(filepath.Join(d.disk(), c.ID())), os.RemoveAll(d.files(c.ID())), os.RemoveAll(d.history(c.ID())), os.RemoveAll(d.exit(c.ID())))
}
