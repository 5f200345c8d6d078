package containerd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
	"github.com/souk-network/souk/internal/failpoint"
)

const (
	revisionLabel   = "souk.network/revision"
	serviceLabel    = "souk.network/service"
	isolationLabel  = "souk.network/isolation"
	stopSignalLabel = "souk.network/stop-signal"
	graceLabel      = "souk.network/stop-grace"
	limitsLabel     = "souk.network/limits"
	layersLabel     = "souk.network/layers" // scope/chain: a name that moves on does not change what a container runs
)

// maxSteps bounds one pass; from any state a replica needs fewer.
const maxSteps = 16

// steps repeats looking and taking the next step until the replica rests or waits. It reports whether anything changed
// that others of the lease may wait for.
func (l *lease) steps(ctx context.Context, rec record, u unit) (wait time.Duration, moved bool, err error) {
	for range maxSteps {
		if err := ctx.Err(); err != nil {
			return 0, moved, err
		}
		v, err := l.look(ctx, rec, u)
		if err != nil {
			return 0, moved, err
		}
		next, wait := nextStep(v.goal, v.history, v.facts, v.trial, time.Now())
		if next == stepRest || next == stepWait || next == stepBlocked {
			if err := l.noteWorkload(&v); err != nil {
				return 0, moved, err
			}
			return l.rest(rec, v, next, wait), l.noteStanding(v) || moved, nil
		}
		again, err := l.take(ctx, rec, v, next)
		if errors.Is(err, errPreparing) {
			l.attend(v)
			return 0, l.noteStanding(v) || moved, nil
		}
		moved = l.noteStanding(v) || moved || again == 0
		if err != nil {
			return 0, moved, err
		}
		failpoint.Hit("runtime/step/" + next.String())
		if again > 0 {
			return again, moved, nil
		}
	}
	return time.Second, moved, nil
}

// view is all that is known of a replica at one moment.
type view struct {
	wanted  unit
	now     unit // in the definition to go on with
	c       client.Container
	task    client.Task
	facts   facts
	history history
	goal    goal
	check   *runtime.HealthCheck
	trial   trial
	blocked error // why it may not start
}

// look gathers what a step is decided by.
func (l *lease) look(ctx context.Context, rec record, u unit) (v view, err error) {
	v.wanted = u
	if v.c, v.task, v.facts, err = l.observe(ctx, u.id()); err != nil {
		return v, err
	}
	if v.history, err = l.history(u.id()); err != nil {
		return v, err
	}
	v.goal = goal{revision: u.revision, workload: u.workload, limits: limitsOf(u.service.Resources), job: u.service.Job, paused: rec.Paused}
	v.history = v.history.orGoodOf(v.goal, l.replicasOf(rec, u.service.Name))
	v.goal.mayMove = l.mayMove(rec, u)
	v.goal.mayStop = l.mayStop(rec, u)
	if v.now, err = l.as(u, v.goal.aim(v.history, v.facts)); err != nil {
		l.r.log.Error("a definition to go back to is lost; going on with what is wanted", "lease", l.id, "container", u.id(), "error", err)
		v.goal.mayMove, v.history.Good, v.now = true, "", u
	}
	v.blocked = l.awaited(rec, v.now)
	v.goal.mayStart = v.blocked == nil
	if v.facts.task == taskRunning {
		if v.check, err = l.checkOf(v.now); err != nil {
			return v, err
		}
		v.trial = judge(v.check != nil, l.healthOf(u), v.history.StartedAt, time.Now())
	}
	return v, nil
}

// rest leaves a replica as it is for now.
func (l *lease) rest(rec record, v view, next step, wait time.Duration) time.Duration {
	address, _ := l.r.network.address(v.wanted.id(), rec.Slot)
	l.settle(rec, v, next, address)
	l.attend(v)
	return wait
}

// attend looks after what runs, and only that.
func (l *lease) attend(v view) {
	if v.facts.task == taskRunning {
		l.watch(v.wanted.id(), v.facts.pid, v.task)
		l.checkHealth(v, v.task)
	} else {
		l.endChecks(v.wanted.id())
	}
}

// take does what a step says. A wait of more than zero says that the step goes on by itself.
func (l *lease) take(ctx context.Context, rec record, v view, next step) (time.Duration, error) {
	switch next {
	case stepReap:
		return 0, l.reap(ctx, v)
	case stepLost:
		h := v.history.afterLoss(time.Now(), l.policy(v.now))
		return 0, errors.Join(writeDurably(l.r.dir(l.id).history(v.wanted.id()), h), os.RemoveAll(l.r.dir(l.id).exit(v.wanted.id())))
	case stepAdopt:
		return 0, l.note(v, v.history.afterStart(v.goal, v.facts.revision, time.Now()))
	case stepDiscard:
		return 0, l.discard(ctx, v.task)
	case stepStop:
		return l.askToStop(ctx, rec, v)
	case stepResize:
		return 0, l.resize(ctx, rec, v)
	case stepProve:
		return 0, l.note(v, v.history.proven())
	case stepGiveUp:
		return 0, l.giveUp(v, "its health check failed: "+l.healthOutput(v.wanted), runtime.ClassTenant)
	case stepReplace:
		return 0, l.replace(ctx, rec, v)
	case stepCreate:
		return 0, l.create(ctx, v.now)
	case stepStart:
		return 0, l.start(ctx, rec, v)
	default:
		return 0, nil
	}
}

// note makes a replica's history durable.
func (l *lease) note(v view, h history) error {
	return writeDurably(l.r.dir(l.id).history(v.wanted.id()), h)
}

// noteWorkload makes durable which workload wants what runs, when that changed.
func (l *lease) noteWorkload(v *view) error {
	if v.facts.revision != v.wanted.revision || v.history.Revision != v.wanted.revision || v.history.Workload == v.wanted.workload {
		return nil
	}
	v.history = v.history.wantedBy(v.wanted.workload)
	return l.note(*v, v.history)
}

// giveUp notes that an update failed; the next step brings back what worked last.
func (l *lease) giveUp(v view, why string, class runtime.ErrorClass) error {
	return l.noteHeld(v, v.history.givenUp(v.goal, why, class))
}

// noteHeld makes a history durable and tells when it says that an update failed.
func (l *lease) noteHeld(v view, h history) error {
	if err := l.note(v, h); err != nil {
		return err
	}
	if h.heldBack(v.goal) && !v.history.heldBack(v.goal) {
		l.r.log.Warn("an update failed; the last revision that worked goes on", "lease", l.id, "service", v.wanted.service.Name, "replica", v.wanted.replica, "class", h.Held.Class, "error", h.Held.Error)
		l.tell(v.wanted, runtime.EventDegraded, runtime.ForTenant(h.Held.Class, h.Held.Error))
	}
	return nil
}

// checkOf is the health check of a definition.
func (l *lease) checkOf(u unit) (*runtime.HealthCheck, error) {
	l.mu.Lock()
	i, ok := l.images[u.revision]
	l.mu.Unlock()
	if ok {
		return mergeCheck(u.service.HealthCheck, i.check), nil
	}
	d, err := l.definition(u.revision)
	if errors.Is(err, errNoDefinition) {
		return mergeCheck(u.service.HealthCheck, nil), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the health check of %s: %w", u.id(), err)
	}
	return mergeCheck(u.service.HealthCheck, d.Image.Check), nil
}

func (l *lease) policy(u unit) policy {
	return policy{restart: u.service.Restart, most: u.service.MaxRestarts, backoff: l.r.config.Backoff}
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
	f := facts{revision: labels[revisionLabel], limits: labels[limitsLabel]}
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

// reap writes down how a process ended, durably, and then forgets it. One that was asked to end did not end by itself.
func (l *lease) reap(ctx context.Context, v view) error {
	asked := v.goal.paused || v.facts.revision != v.goal.aim(v.history, v.facts)
	if v.now.service.Job && v.facts.exitCode == 0 && v.facts.revision == v.now.revision {
		asked = false
	}
	h := v.history.afterStop(v.facts)
	if !asked {
		h = v.history.afterExit(v.goal, v.facts, l.policy(v.now))
	}
	if err := l.noteHeld(v, h); err != nil {
		return err
	}
	l.endChecks(v.wanted.id())
	l.tellEnd(v.wanted, v.facts, asked)
	return errors.Join(l.discard(ctx, v.task), os.RemoveAll(l.r.dir(l.id).exit(v.wanted.id())))
}

func (l *lease) tellEnd(u unit, f facts, asked bool) {
	switch {
	case f.oom:
		l.tell(u, runtime.EventOOMKilled, "a process was ended by the memory limit")
	case asked:
		l.tell(u, runtime.EventExited, "stopped")
		return
	}
	l.tell(u, runtime.EventExited, fmt.Sprintf("ended with exit code %d", f.exitCode))
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

// replace makes way for another definition. The process has ended.
func (l *lease) replace(ctx context.Context, rec record, v view) error {
	if _, err := l.prepareImage(v.now); err != nil {
		return err
	}
	if err := l.deleteContainer(ctx, v.c); err != nil {
		return err
	}
	old := l.r.dir(l.id).upper(v.wanted.id(), v.facts.revision)
	if err := os.RemoveAll(filepath.Dir(old)); err != nil {
		return fmt.Errorf("delete the files of the old revision: %w", err)
	}
	// The limit on egress is part of the network: connect anew.
	return l.r.network.detach(ctx, v.wanted.id(), rec.Slot)
}

func (l *lease) deleteContainer(ctx context.Context, c client.Container) error {
	if err := c.Delete(ctx); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("delete container %s: %w", c.ID(), err)
	}
	return nil
}

// stopping is a process that was asked to end.
type stopping struct {
	pid  uint32
	kill time.Time
}

// askToStop sends the stop signal once, and kills when the grace is over. It does not wait.
func (l *lease) askToStop(ctx context.Context, rec record, v view) (time.Duration, error) {
	id := v.wanted.id()
	if !rec.Paused { // an image that cannot be had leaves the old revision running
		if _, err := l.prepareImage(v.now); err != nil {
			return 0, err
		}
	}
	labels, err := v.c.Labels(ctx)
	if err != nil {
		return 0, fmt.Errorf("read the labels of container %s: %w", id, err)
	}
	l.watch(id, v.facts.pid, v.task)
	l.endChecks(id)
	s, asked := l.stoppings[id]
	now := time.Now()
	switch {
	case !asked || s.pid != v.facts.pid:
		l.progress(v.wanted, runtime.PhaseStarting, "stopping")
		s = stopping{pid: v.facts.pid, kill: now.Add(graceOf(labels))}
		l.stoppings[id] = s
		l.announce(rec) // before it is asked, so that nothing new comes to it
		l.signal(ctx, v.task, stopSignal(labels[stopSignalLabel]))
	case !now.Before(s.kill):
		s.kill = now.Add(killPatience)
		l.signal(ctx, v.task, syscall.SIGKILL)
	}
	l.stoppings[id] = s
	return time.Until(s.kill) + time.Millisecond, nil
}

// killPatience is how long a killed process may take to be gone.
const killPatience = 10 * time.Second

func (l *lease) signal(ctx context.Context, task client.Task, s syscall.Signal) {
	if err := task.Kill(ctx, s); err != nil && !errdefs.IsNotFound(err) {
		l.r.log.Debug("cannot signal", "container", task.ID(), "signal", s, "error", err) // ended meanwhile, or never started
	}
}

func graceOf(labels map[string]string) time.Duration {
	grace, err := time.ParseDuration(labels[graceLabel])
	if err != nil {
		return defaultGrace * time.Second
	}
	return grace
}

// stop asks a process to end, ends it when its grace is over, and forgets it.
func (l *lease) stop(ctx context.Context, c client.Container, task client.Task) error {
	if task == nil {
		return nil
	}
	labels, err := c.Labels(ctx)
	if err != nil {
		return fmt.Errorf("read the labels of container %s: %w", c.ID(), err)
	}
	ended, err := task.Wait(ctx)
	if err != nil {
		return fmt.Errorf("wait for %s to end: %w", c.ID(), err)
	}
	for _, try := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{stopSignal(labels[stopSignalLabel]), graceOf(labels)}, {syscall.SIGKILL, killPatience}} {
		l.signal(ctx, task, try.signal)
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

// create makes the container of a replica: image, disk, network, specification.
func (l *lease) create(ctx context.Context, u unit) error {
	i, err := l.prepareImage(u)
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
	if err == nil {
		account, err = withGroups(account, u.service.Groups, layers)
	}
	if err != nil {
		return err
	}
	class := l.r.isolationOf(u.isolation)
	ids := l.hostIDs(class)
	if err := checkIDs(ids, account, u.service.Files); err != nil {
		return err
	}
	d := l.r.dir(l.id)
	spec, err := containerSpec(u, i.config.Config, surroundings{
		netns: l.r.network.netns(u.id()), userns: l.r.network.userns(u.id()), hostIDs: ids, files: d.files(u.id()), cgroup: cgroupOf(l.r.id, l.id, u.id()),
		swap: l.r.swap, ipv6: l.r.ipv6, openFiles: l.r.files, user: account, mounts: l.r.storageMounts(u, ids),
	})
	if err != nil {
		return err
	}
	if u.service.Init {
		withInit(spec, l.r.libexec.path(initProgram))
	}
	if class == isolationGVisor {
		tmp := ""
		if emptyTmp(layers) {
			tmp = d.tmp(u.id(), u.revision)
		}
		sandboxed(spec, tmp)
	}
	if err := l.keepDefinition(u, i); err != nil {
		return err
	}
	_, err = l.r.engine.client.NewContainer(ctx, u.id(),
		l.r.isolated(class, ids),
		withSealedSpec(l.r.sealer, spec),
		client.WithContainerLabels(containerLabels(u, i)),
		client.WithAdditionalContainerLabels(apartLabels(class, ids)),
	)
	if err != nil {
		return fmt.Errorf("make container %s: %w", u.id(), err)
	}
	l.tell(u, runtime.EventCreated, u.service.Image)
	return nil
}

// apartLabels are the labels that say how a container is kept apart.
func apartLabels(class string, ids instance.IDRange) map[string]string {
	labels := map[string]string{isolationLabel: class}
	if ids != 0 {
		labels[hostIDsLabel] = strconv.FormatUint(uint64(ids), 10)
	}
	return labels
}

// containerLabels are what a container says of itself.
func containerLabels(u unit, i resolved) map[string]string {
	grace := u.service.StopGraceSeconds
	if grace == 0 {
		grace = defaultGrace
	}
	signal := u.service.StopSignal
	if signal == "" {
		signal = i.config.Config.StopSignal
	}
	return map[string]string{
		leaseLabel: fmt.Sprint(u.lease), serviceLabel: u.service.Name, revisionLabel: u.revision,
		stopSignalLabel: signal, graceLabel: (time.Duration(grace) * time.Second).String(),
		limitsLabel: limitsOf(u.service.Resources), layersLabel: string(i.scope) + "/" + i.chainID().String(),
	}
}

// start runs the process of a container that exists.
func (l *lease) start(ctx context.Context, rec record, v view) error {
	u := v.now
	l.progress(u, runtime.PhaseStarting, "starting")
	began := time.Now() // before it starts, for it may end at once
	err := l.bringUp(ctx, rec, u, v.c)
	if err == nil {
		l.tell(u, runtime.EventStarted, "started")
		return l.note(v, v.history.afterStart(v.goal, u.revision, began))
	}
	if ctx.Err() != nil {
		return err
	}
	l.tell(u, runtime.EventFailed, runtime.ForTenant(runtime.ClassOf(err), err.Error()))
	return errors.Join(err, l.noteHeld(v, v.history.afterFailedStart(v.goal, u.revision, err, l.r.config.Backoff, time.Now())))
}

// bringUp makes what a process needs around it, and the process.
func (l *lease) bringUp(ctx context.Context, rec record, u unit, c client.Container) error {
	if err := l.clearLeftover(ctx, u.id()); err != nil {
		return err
	}
	ids, err := hostIDsOf(ctx, c)
	if err != nil {
		return err
	}
	d := l.r.dir(l.id)
	if err := l.prepareStorage(ctx, rec, u, ids, func() ([]string, error) { return l.layersOf(ctx, c) }); err != nil {
		return err
	}
	address, err := l.r.network.attach(ctx, u, rec.Slot, ids)
	if err != nil {
		return err
	}
	if err := l.readdress(ctx, c, rec.Slot, address); err != nil {
		return err
	}
	if err := l.r.network.writeFiles(d.files(u.id()), u, rec.Slot, address, l.members(rec)); err != nil {
		return err
	}
	root, err := l.rootfs(ctx, u, c, ids)
	if err != nil {
		return err
	}
	return l.launch(ctx, u, c, root, ids)
}

// launch makes and starts the process, leaving nothing behind when it cannot be started.
func (l *lease) launch(ctx context.Context, u unit, c client.Container, root mount.Mount, ids instance.IDRange) error {
	logs := l.r.dir(l.id).log(u.service.Name, u.replica)
	if err := os.MkdirAll(filepath.Dir(logs), 0o700); err != nil {
		return fmt.Errorf("make the log directory: %w", err)
	}
	output := cio.BinaryIO(l.r.libexec.path("souk-logger"), loggerArguments(logs, ids))
	task, err := c.NewTask(ctx, output, client.WithRootFS([]mount.Mount{root}))
	if err != nil {
		return startError(u, err)
	}
	err = errors.Join(l.confine(u.id()), l.r.unmapLayers(u.id()))
	if err == nil {
		err = task.Start(ctx)
	}
	if err != nil {
		return errors.Join(startError(u, err), l.discard(context.WithoutCancel(ctx), task))
	}
	return nil
}

func loggerArguments(path string, ids instance.IDRange) map[string]string {
	arguments := map[string]string{"path": path}
	if ids != 0 {
		arguments["owner"] = strconv.FormatUint(uint64(ids), 10)
	}
	return arguments
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
func (l *lease) rootfs(ctx context.Context, u unit, c client.Container, ids instance.IDRange) (mount.Mount, error) {
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
	if err := ownUpper(upper, ids); err != nil {
		return mount.Mount{}, err
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
	if ids != 0 {
		if layers, err = l.r.mapLayers(c.ID(), layers); err != nil {
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
	found = slices.DeleteFunc(found, func(c client.Container) bool {
		return slices.ContainsFunc(wanted, func(u unit) bool { return u.id() == c.ID() })
	})
	return l.endAll(ctx, rec, found)
}

// endAll stops containers in good order and deletes them.
func (l *lease) endAll(ctx context.Context, rec record, found []client.Container) error {
	if err := l.stopAll(ctx, rec.Workload.Services, found); err != nil {
		return err
	}
	for _, c := range found {
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
	l.mu.Lock()
	delete(l.status, c.ID())
	l.mu.Unlock()
	d := l.r.dir(l.id)
	return errors.Join(l.r.releaseStorage(c.ID()), os.RemoveAll(filepath.Join(d.disk(), c.ID())), os.RemoveAll(d.files(c.ID())), os.RemoveAll(d.history(c.ID())), os.RemoveAll(d.exit(c.ID())))
}
