package containerd

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/ttrpc"
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
// and removes it together with the exit code.
func (r *Runtime) rescueExits(ctx context.Context) error {
	bundles := filepath.Join(r.engineRunDir(), "io.containerd.runtime.v2.task", r.id.Namespace())
	ids, err := names(bundles)
	if err != nil {
		return err
	}
	for _, id := range ids {
		lease, ok := leaseOfUnit(id)
		if !ok {
			continue
		}
		ended, err := askShim(ctx, filepath.Join(bundles, id), id)
		if err != nil {
			r.log.Warn("cannot ask a shim how its container is; the engine will clean up", "container", id, "error", err)
			continue
		}
		if ended == nil {
			continue
		}
		ended.OOM = oomKills(cgroupOf(r.id, lease, id)) > 0
		d := r.dir(lease)
		if _, err := os.Stat(string(d)); err != nil {
			continue // an orphan: nobody will ask
		}
		if err := writeDurably(d.exit(id), ended); err != nil {
			return err
		}
	}
	return nil
}

// askShim gives how the process of a bundle ended, nil when it has not.
func askShim(ctx context.Context, bundle, id string) (*exit, error) {
	b, err := os.ReadFile(filepath.Join(bundle, "bootstrap.json"))
	if err != nil {
		return nil, fmt.Errorf("find the shim of %s: %w", id, err)
	}
	var shim struct {
		Address  string `json:"address"`
		Protocol string `json:"protocol"`
	}
	if err := json.Unmarshal(b, &shim); err != nil {
		return nil, fmt.Errorf("find the shim of %s: %w", id, err)
	}
	path, ok := strings.CutPrefix(shim.Address, "unix://")
	if !ok || shim.Protocol != "ttrpc" {
		return nil, fmt.Errorf("find the shim of %s: unknown address %s of protocol %s", id, shim.Address, shim.Protocol)
	}
	ctx, cancel := context.WithTimeout(ctx, rescueTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("reach the shim of %s: %w", id, err)
	}
	client := ttrpc.NewClient(conn)
	defer func() { _ = client.Close() }()
	state, err := taskapi.NewTTRPCTaskClient(client).State(ctx, &taskapi.StateRequest{ID: id})
	if err != nil {
		return nil, fmt.Errorf("ask the shim of %s: %w", id, err)
	}
	if state.Status != tasktypes.Status_STOPPED {
		return nil, nil
	}
	return &exit{Code: int(state.ExitStatus), ExitedAt: state.ExitedAt.AsTime()}, nil
}
