package containerd

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/souk-network/souk/agent/runtime"
)

const (
	maxExecs     = 16               // at once in one lease
	execStart    = 30 * time.Second // for the engine to start a command
	execEnd      = 10 * time.Second // for a killed command to be gone
	execDrain    = 2 * time.Second  // for the output of an ended command, which its children may hold open
	maxArgBytes  = 128 << 10        // of one argument or variable, as the kernel has it
	maxExecWords = 1024             // arguments and variables
)

var _ runtime.Execer = (*Runtime)(nil)

// execs counts the commands that run beside the replicas' own.
type execs struct {
	mu      sync.Mutex
	running map[runtime.LeaseID]int
}

func (e *execs) enter(id runtime.LeaseID) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running[id] >= maxExecs {
		return runtime.Classify(runtime.ClassTenant, fmt.Errorf("%w: %d commands run in the lease already", runtime.ErrTooMany, maxExecs))
	}
	if e.running == nil {
		e.running = map[runtime.LeaseID]int{}
	}
	e.running[id]++
	return nil
}

func (e *execs) leave(id runtime.LeaseID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running[id]--; e.running[id] == 0 {
		delete(e.running, id)
	}
}

// Exec implements runtime.Execer. A command has the identity, limits, filter and namespaces of the replica's own.
func (r *Runtime) Exec(ctx context.Context, q runtime.ExecRequest, s runtime.Streams) (exitCode int, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("run a command in lease %d: %w", q.Lease, err)
		}
	}()
	if err := validateExec(q); err != nil {
		return 0, err
	}
	l, u, done, err := r.enterExec(q)
	if err != nil {
		return 0, err
	}
	defer done()
	ctx, cancel := context.WithCancelCause(namespaces.WithNamespace(ctx, r.id.Namespace()))
	defer cancel(nil)
	defer context.AfterFunc(r.ctx, func() { cancel(runtime.ErrClosed) })()
	e := &execution{r: r, lease: q.Lease, container: u.id(), id: "e" + strings.ToLower(rand.Text())}
	return e.exec(ctx, cancel, l, u, q, s)
}

// exec readies, runs and forgets the command. cancel is called when a stream breaks.
func (e *execution) exec(ctx context.Context, cancel context.CancelCauseFunc, l *lease, u unit, q runtime.ExecRequest, s runtime.Streams) (int, error) {
	// The engine is not left in the middle of a call: whether it has started the command would be unknown.
	calls, stop := context.WithTimeout(context.WithoutCancel(ctx), execStart)
	defer stop()
	c, task, f, err := l.observe(calls, u.id())
	if err != nil {
		return 0, err
	}
	if f.task != taskRunning {
		return 0, fmt.Errorf("service %s replica %d: %w", u.service.Name, u.replica, runtime.ErrNotRunning)
	}
	spec, err := l.execProcess(calls, c, u, q)
	if err != nil {
		return 0, err
	}
	if e.class, err = isolationOfContainer(calls, c); err != nil {
		return 0, err
	}
	spec.Env = append(spec.Env, e.mark())
	streams := newExecStreams(s, q.TTY, cancel)
	defer e.clean()
	p, ended, err := e.start(calls, task, spec, streams)
	if err != nil {
		return 0, err
	}
	defer e.forget(ctx, p)
	if size := spec.ConsoleSize; size != nil && e.class != isolationRunc {
		_ = p.Resize(calls, uint32(size.Width), uint32(size.Height)) //nolint:gosec // were 16 bits
	}
	return e.await(ctx, p, ended, streams, s.Resize)
}

// enterExec finds the replica and counts the command, so that Close waits for it.
func (r *Runtime) enterExec(q runtime.ExecRequest) (*lease, unit, func(), error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.leases[q.Lease]
	if r.closed {
		return nil, unit{}, nil, runtime.ErrClosed
	}
	if l == nil {
		return nil, unit{}, nil, runtime.ErrNotFound
	}
	rec := l.wanted()
	w := rec.Workload
	if q.Service == "" && len(w.Services) == 1 {
		q.Service = w.Services[0].Name
	}
	for _, u := range rec.units() {
		if u.service.Name != q.Service || u.replica != q.Replica {
			continue
		}
		if err := r.execs.enter(q.Lease); err != nil {
			return nil, unit{}, nil, err
		}
		r.workers.Add(1)
		return l, u, func() { r.execs.leave(q.Lease); r.workers.Done() }, nil
	}
	return nil, unit{}, nil, fmt.Errorf("service %q replica %d: %w", q.Service, q.Replica, runtime.ErrNotFound)
}

func validateExec(q runtime.ExecRequest) error {
	if len(q.Command) == 0 || q.Command[0] == "" {
		return runtime.Invalidf("no command")
	}
	if len(q.Command)+len(q.Env) > maxExecWords {
		return runtime.Invalidf("more than %d arguments and variables", maxExecWords)
	}
	for _, word := range append(append([]string{q.Dir, q.User}, q.Command...), q.Env...) {
		if len(word) > maxArgBytes || strings.ContainsRune(word, 0) {
			return runtime.Invalidf("an argument is longer than %d bytes or has a zero byte", maxArgBytes)
		}
	}
	for _, e := range q.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			return runtime.Invalidf("environment: want NAME=value")
		}
	}
	if q.Dir != "" && !filepath.IsAbs(q.Dir) {
		return runtime.Invalidf("directory %q is not absolute", q.Dir)
	}
	return nil
}

// execution is one command.
type execution struct {
	r         *Runtime
	lease     runtime.LeaseID
	container string
	id        string
	class     string // of the container's isolation
}

// mark is a variable by which the processes that a command started are known when it has to be killed.
func (e *execution) mark() string { return execMark + e.id }

const execMark = "SOUK_EXEC="

// dir holds the pipes of the command. Its name tells a later process of this agent what to end.
func (e *execution) dir() string { return filepath.Join(e.r.execDir(), e.container, e.id) }

// clean deletes the command's files.
func (e *execution) clean() {
	_ = os.RemoveAll(e.dir())
	_ = os.RemoveAll(e.insidePath())
}

func (r *Runtime) execDir() string { return filepath.Join(r.id.RunDir(), "exec") }

// start starts the command, leaving nothing behind when it cannot be started.
func (e *execution) start(ctx context.Context, task client.Task, spec *specs.Process, s *execStreams) (client.Process, <-chan client.ExitStatus, error) {
	options := []cio.Opt{cio.WithFIFODir(e.dir()), cio.WithStreams(s.in, s.out, s.err)}
	if spec.Terminal {
		options = append(options, cio.WithTerminal)
	}
	p, err := task.Exec(ctx, e.id, spec, cio.NewCreator(options...))
	if err != nil {
		return nil, nil, e.r.execError(err)
	}
	ended, err := p.Wait(context.WithoutCancel(ctx))
	if err == nil {
		err = p.Start(ctx)
	}
	if err != nil {
		e.kill(ctx, p)
		e.forget(ctx, p)
		return nil, nil, e.r.execError(err)
	}
	return p, ended, nil
}

// await follows a command that runs until its end, or ends it.
func (e *execution) await(ctx context.Context, p client.Process, ended <-chan client.ExitStatus, streams *execStreams, resize <-chan runtime.TerminalSize) (int, error) {
	inputEnded := streams.inputEnded
	for {
		select {
		case size, ok := <-resize:
			if !ok {
				resize = nil
				continue
			}
			// Fails only when the command has ended meanwhile.
			_ = p.Resize(ctx, uint32(size.Columns), uint32(size.Rows))
		case <-inputEnded:
			inputEnded = nil
			_ = p.CloseIO(ctx, client.WithStdinCloser)
		case status := <-ended:
			if err := status.Error(); err != nil {
				e.kill(ctx, p)
				return 0, fmt.Errorf("wait for the command: %w", err)
			}
			drain(ctx, p.IO())
			return int(status.ExitCode()), nil
		case <-ctx.Done():
			e.kill(ctx, p)
			select {
			case <-ended:
			case <-time.After(execEnd):
			}
			return 0, context.Cause(ctx)
		}
	}
}

// drain waits for the last output of a command that has ended. Children that it left may hold its output open.
func drain(ctx context.Context, out cio.IO) {
	done := make(chan struct{})
	go func() { out.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	case <-time.After(execDrain):
	}
}

// forget lets the engine forget a command that has ended.
func (e *execution) forget(ctx context.Context, p client.Process) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), execEnd)
	defer cancel()
	if _, err := p.Delete(ctx); err != nil && !errdefs.IsNotFound(err) {
		e.r.log.Warn("cannot forget a command that was run", "container", e.container, "error", err)
		p.IO().Cancel()
		_ = p.IO().Close()
	}
}

// killTree kills a command and what it started. pid is the host's number for it, 0 when unknown.
func (e *execution) killTree(ctx context.Context, pid uint32) error {
	if e.class == isolationGVisor {
		return e.killInSandbox(ctx)
	}
	return e.r.killMarked(ctx, e.lease, e.container, e.mark(), pid)
}

// kill ends a command and what it started.
func (e *execution) kill(ctx context.Context, p client.Process) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), execEnd)
	defer cancel()
	if err := e.killTree(ctx, p.Pid()); err != nil {
		e.r.log.Warn("cannot kill what a command started", "container", e.container, "error", err)
	}
	if err := p.Kill(ctx, syscall.SIGKILL); err != nil && !errdefs.IsNotFound(err) {
		e.r.log.Debug("cannot kill a command", "container", e.container, "error", err) // ended meanwhile, or never started
	}
}

// execError tells a command that is not there from a replica that ended and from a host that cannot run it.
func (r *Runtime) execError(err error) error {
	text := err.Error()
	for _, tenants := range []string{"exec: ", "exec format error", "chdir to cwd", "not a directory", "permission denied", "failed to find", "failed to load"} {
		if strings.Contains(text, tenants) && !r.ofHost(text) {
			return runtime.Classify(runtime.ClassTenant, fmt.Errorf("%w: %w", runtime.ErrInvalid, err))
		}
	}
	if errdefs.IsNotFound(err) || errdefs.IsFailedPrecondition(err) || strings.Contains(text, "cannot exec in a stopped") || strings.Contains(text, "container not running") {
		r.log.Debug("a command's container does not run", "error", err)
		return runtime.ErrNotRunning
	}
	return err
}

// ofHost tells whether a text names places of the host that are this runtime's, and so nobody else's business.
func (r *Runtime) ofHost(text string) bool {
	return strings.Contains(text, r.id.RunDir()) || strings.Contains(text, r.dataDir())
}
