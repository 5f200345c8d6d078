package containerd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/client"

	"github.com/souk-network/souk/agent/runtime"
)

// checker checks one run of a replica until it is stopped.
type checker struct {
	l         *lease
	u         unit
	container client.Container
	task      client.Task
	check     runtime.HealthCheck
	pid       uint32
	startedAt time.Time
	cancel    context.CancelFunc
}

// checkHealth sees to it that the run of a replica is checked, once, as its definition says.
func (l *lease) checkHealth(v view, task client.Task) {
	id := v.wanted.id()
	l.mu.Lock()
	old := l.checkers[id]
	l.pids[id] = v.facts.pid
	l.mu.Unlock()
	if v.check != nil && old != nil && old.pid == v.facts.pid && sameCheck(old.check, *v.check) {
		return
	}
	l.endChecks(id)
	l.mu.Lock()
	l.pids[id] = v.facts.pid
	l.mu.Unlock()
	if v.check == nil {
		return
	}
	ctx, cancel := context.WithCancel(l.r.ctx)
	k := &checker{l: l, u: v.now, container: v.c, task: task, check: *v.check, pid: v.facts.pid, startedAt: v.history.StartedAt, cancel: cancel}
	state := firstState(k.check, v.history, v.facts, time.Now())
	l.mu.Lock()
	l.checkers[id] = k
	l.mu.Unlock()
	l.setHealth(k, state)
	l.r.workers.Go(func() { k.run(ctx, state) })
}

func sameCheck(a, b runtime.HealthCheck) bool {
	return strings.Join(a.Command, "\x00") == strings.Join(b.Command, "\x00") && a.Interval == b.Interval && a.Timeout == b.Timeout &&
		a.Retries == b.Retries && a.StartPeriod == b.StartPeriod && a.StartInterval == b.StartInterval
}

// endChecks stops checking a replica, for its run ends or is checked otherwise.
func (l *lease) endChecks(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.pids, id)
	if k := l.checkers[id]; k != nil {
		k.cancel()
		delete(l.checkers, id)
	}
	s := l.status[id]
	s.Health, s.HealthOutput = "", ""
	l.status[id] = s
}

func (k *checker) run(ctx context.Context, state healthState) {
	wait := firstCheck(k.check, k.startedAt, time.Now())
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		result := k.once(ctx)
		if ctx.Err() != nil {
			return
		}
		before := state.health
		state = state.after(k.check, k.startedAt, result)
		k.l.setHealth(k, state)
		if state.health != before {
			k.l.healthChanged(k.u, state)
		}
		wait = state.next(k.check, k.startedAt, time.Now())
	}
}

// once runs the check in the container and kills it, with all that it started, when its time is over.
func (k *checker) once(ctx context.Context) checkResult {
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, k.check.Timeout)
	defer cancel()
	code, output, err := k.exec(limited)
	r := checkResult{began: began, ok: err == nil && code == 0, output: output}
	switch {
	case err == nil && code != 0 && output == "":
		r.output = fmt.Sprintf("ended with exit code %d", code)
	case errors.Is(err, context.DeadlineExceeded):
		r.output = strings.TrimSpace(fmt.Sprintf("took longer than %v\n%s", k.check.Timeout, output))
	case err != nil:
		k.l.r.log.Info("a health check cannot be run", "container", k.u.id(), "class", runtime.ClassOf(err), "error", err)
		r.output = runtime.ForTenant(runtime.ClassOf(err), err.Error())
	}
	return r
}

func (k *checker) exec(ctx context.Context) (code int, output string, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	calls, stop := context.WithTimeout(context.WithoutCancel(ctx), execStart)
	defer stop()
	spec, err := k.l.execProcess(calls, k.container, k.u, runtime.ExecRequest{Command: k.check.Command})
	if err != nil {
		return 0, "", err
	}
	e := &execution{r: k.l.r, lease: k.l.id, container: k.u.id(), id: "h" + strings.ToLower(rand.Text())}
	if e.class, err = isolationOfContainer(calls, k.container); err != nil {
		return 0, "", err
	}
	spec.Env = append(spec.Env, e.mark())
	kept := &syncedOutput{}
	streams := newExecStreams(runtime.Streams{Stdout: kept, Stderr: kept}, false, cancel)
	defer e.clean()
	p, ended, err := e.start(calls, k.task, spec, streams)
	if err != nil {
		return 0, "", err
	}
	defer e.forget(ctx, p)
	code, err = e.await(ctx, p, ended, streams, nil)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	return code, kept.text(), err
}

// syncedOutput takes both streams of a command.
type syncedOutput struct {
	mu sync.Mutex
	b  boundedOutput
}

func (s *syncedOutput) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncedOutput) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.text()
}

// setHealth shows what the checks of a run say, unless they were ended.
func (l *lease) setHealth(k *checker, state healthState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.checkers[k.u.id()] != k {
		return
	}
	s := l.status[k.u.id()]
	s.Health, s.HealthOutput = state.health, state.output
	l.status[k.u.id()] = s
}

func (l *lease) healthOutput(u unit) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status[u.id()].HealthOutput
}

func (l *lease) healthOf(u unit) runtime.Health {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status[u.id()].Health
}

// healthChanged lets the worker look again: others may wait for it.
func (l *lease) healthChanged(u unit, state healthState) {
	switch state.health {
	case runtime.HealthHealthy:
		l.tell(u, runtime.EventHealthy, "its health check succeeds")
	case runtime.HealthUnhealthy:
		line, _, _ := strings.Cut(state.output, "\n")
		l.tell(u, runtime.EventUnhealthy, "its health check fails: "+line)
	}
	l.wakeUp()
}
