package containerd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/ttrpc"

	"github.com/souk-network/souk/agent/runtime"
)

// exit is how a process ended while no agent looked.
type exit struct {
	Code     int       `json:"code"`
	ExitedAt time.Time `json:"exited_at"`
	OOM      bool      `json:"oom"`
}

const rescueTimeout = 5 * time.Second

// rescueExits asks the shims that an earlier process left behind about processes that ended meanwhile, and writes it
// down. It must be done before the engine starts: containerd takes a shim whose process has ended for one that leaked,
// and removes it together with the exit code. For the same reason it goes on listening to the others until settle is
// called, once the engine has started: a process may end in between.
func (r *Runtime) rescueExits(ctx context.Context) (settle func(), err error) {
	bundles := filepath.Join(r.engineRunDir(), "io.containerd.runtime.v2.task", r.id.Namespace())
	ids, err := names(bundles)
	if err != nil {
		return nil, err
	}
	var running []*watch
	settle = func() {
		for _, w := range running {
			w.settle()
		}
	}
	for _, id := range ids {
		lease, ok := leaseOfUnit(id)
		if !ok {
			continue
		}
		bundle := filepath.Join(bundles, id)
		ended, err := askShim(ctx, bundle, id)
		if err != nil {
			r.log.Warn("cannot ask a shim how its container is; the engine will clean up", "container", id, "error", err)
			continue
		}
		if ended == nil {
			running = append(running, r.watchShim(ctx, bundle, lease, id))
			continue
		}
		if err := r.keepExit(lease, id, *ended); err != nil {
			settle()
			return nil, err
		}
	}
	return settle, nil
}

// keepExit writes down how a process ended.
func (r *Runtime) keepExit(lease runtime.LeaseID, id string, ended exit) error {
	ended.OOM = oomKills(cgroupOf(r.id, lease, id)) > 0
	d := r.dir(lease)
	if _, err := os.Stat(string(d)); errors.Is(err, fs.ErrNotExist) {
		return nil // an orphan: nobody will ask
	} else if err != nil {
		return fmt.Errorf("keep how %s ended: %w", id, err)
	}
	return writeDurably(d.exit(id), ended)
}

// watch listens to the shim of a process that runs.
type watch struct {
	bundle string
	cancel context.CancelFunc
	done   chan struct{}
}

// watchShim listens until the process ends or the watch is settled.
func (r *Runtime) watchShim(ctx context.Context, bundle string, lease runtime.LeaseID, id string) *watch {
	ctx, cancel := context.WithCancel(ctx)
	w := &watch{bundle: bundle, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		ended, err := awaitShim(ctx, bundle, id)
		if err == nil {
			err = r.keepExit(lease, id, ended)
		}
		if err != nil && ctx.Err() == nil {
			r.log.Warn("cannot learn how a container ended", "container", id, "error", err)
		}
	}()
	return w
}

// settle ends the watch of a shim that the engine has taken over. One that the engine has removed has told how its process
// ended: that is waited for.
func (w *watch) settle() {
	defer w.cancel()
	if _, err := os.Stat(w.bundle); err == nil {
		w.cancel()
	}
	select {
	case <-w.done:
	case <-time.After(rescueTimeout):
	}
}

// askShim gives how the process of a bundle ended, nil when it has not.
func askShim(ctx context.Context, bundle, id string) (*exit, error) {
	ctx, cancel := context.WithTimeout(ctx, rescueTimeout)
	defer cancel()
	shim, closeShim, err := dialShim(ctx, bundle, id)
	if err != nil {
		return nil, err
	}
	defer closeShim()
	state, err := shim.State(ctx, &taskapi.StateRequest{ID: id})
	if err != nil {
		return nil, fmt.Errorf("ask the shim of %s: %w", id, err)
	}
	if state.Status != tasktypes.Status_STOPPED {
		return nil, nil
	}
	return &exit{Code: int(state.ExitStatus), ExitedAt: state.ExitedAt.AsTime()}, nil
}

// awaitShim waits until the process of a bundle ends.
func awaitShim(ctx context.Context, bundle, id string) (exit, error) {
	shim, closeShim, err := dialShim(ctx, bundle, id)
	if err != nil {
		return exit{}, err
	}
	defer closeShim()
	ended, err := shim.Wait(ctx, &taskapi.WaitRequest{ID: id})
	if err != nil {
		return exit{}, fmt.Errorf("wait for the shim of %s: %w", id, err)
	}
	return exit{Code: int(ended.ExitStatus), ExitedAt: ended.ExitedAt.AsTime()}, nil
}

// dialShim connects to the shim of a bundle.
func dialShim(ctx context.Context, bundle, id string) (taskapi.TTRPCTaskService, func(), error) {
	b, err := os.ReadFile(filepath.Join(bundle, "bootstrap.json"))
	if err != nil {
		return nil, nil, fmt.Errorf("find the shim of %s: %w", id, err)
	}
	var shim struct {
		Address  string `json:"address"`
		Protocol string `json:"protocol"`
	}
	if err := json.Unmarshal(b, &shim); err != nil {
		return nil, nil, fmt.Errorf("find the shim of %s: %w", id, err)
	}
	path, ok := strings.CutPrefix(shim.Address, "unix://")
	if !ok || shim.Protocol != "ttrpc" {
		return nil, nil, fmt.Errorf("find the shim of %s: unknown address %s of protocol %s", id, shim.Address, shim.Protocol)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, nil, fmt.Errorf("reach the shim of %s: %w", id, err)
	}
	client := ttrpc.NewClient(conn)
	return taskapi.NewTTRPCTaskClient(client), func() { _ = client.Close() }, nil
}
