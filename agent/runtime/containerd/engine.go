package containerd

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	shimmanager "github.com/containerd/containerd/v2/core/runtime/v2"
	metadataplugin "github.com/containerd/containerd/v2/plugins/metadata"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/plugins"
	"github.com/containerd/log"
	"github.com/containerd/plugin"
	"github.com/containerd/plugin/registry"

	// The parts of containerd that run inside this process.
	_ "github.com/containerd/containerd/api/types/runc/options"
	_ "github.com/containerd/containerd/v2/plugins/content/local/plugin"
	_ "github.com/containerd/containerd/v2/plugins/diff/walking/plugin"
	_ "github.com/containerd/containerd/v2/plugins/events"
	_ "github.com/containerd/containerd/v2/plugins/gc"
	_ "github.com/containerd/containerd/v2/plugins/leases"
	_ "github.com/containerd/containerd/v2/plugins/mount"
	_ "github.com/containerd/containerd/v2/plugins/sandbox"
	_ "github.com/containerd/containerd/v2/plugins/server/ttrpc"
	_ "github.com/containerd/containerd/v2/plugins/services/containers"
	_ "github.com/containerd/containerd/v2/plugins/services/content"
	_ "github.com/containerd/containerd/v2/plugins/services/diff"
	_ "github.com/containerd/containerd/v2/plugins/services/events"
	_ "github.com/containerd/containerd/v2/plugins/services/images"
	_ "github.com/containerd/containerd/v2/plugins/services/introspection"
	_ "github.com/containerd/containerd/v2/plugins/services/leases"
	_ "github.com/containerd/containerd/v2/plugins/services/namespaces"
	_ "github.com/containerd/containerd/v2/plugins/services/sandbox"
	_ "github.com/containerd/containerd/v2/plugins/services/snapshots"
	_ "github.com/containerd/containerd/v2/plugins/services/tasks"
	_ "github.com/containerd/containerd/v2/plugins/services/warning"
	_ "github.com/containerd/containerd/v2/plugins/snapshots/overlay/plugin"
	_ "github.com/containerd/containerd/v2/plugins/streaming"
	_ "github.com/containerd/containerd/v2/plugins/transfer"
)

// engine is one containerd inside this process. Several may run at once: each has its own database, content,
// snapshots, shims and event socket.
type engine struct {
	client  *client.Client
	plugins []*plugin.Plugin
}

// pluginConfigs guards the configurations of containerd's plugins, which the registry shares between engines.
var pluginConfigs sync.Mutex

// startEngine boots containerd with its durable data below root and the rest below run. What it keeps of containers
// was sealed by s.
func startEngine(ctx context.Context, root, run, namespace string, s Sealer) (*engine, error) {
	pluginConfigs.Lock()
	defer pluginConfigs.Unlock()

	if err := log.SetLevel("error"); err != nil {
		return nil, fmt.Errorf("quieten containerd: %w", err)
	}
	for _, dir := range []string{root, run} {
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return nil, fmt.Errorf("make containerd's directory: %w", err)
		}
	}
	e := &engine{}
	set := plugin.NewPluginSet()
	for _, r := range registry.Graph(func(*plugin.Registration) bool { return false }) {
		if err := e.load(ctx, set, opening(r, s), root, run); err != nil {
			e.stop()
			return nil, err
		}
	}
	c, err := client.New("", client.WithDefaultNamespace(namespace), client.WithTimeout(time.Minute),
		client.WithInMemoryServices(plugin.NewContext(ctx, set, nil)))
	if err != nil {
		e.stop()
		return nil, fmt.Errorf("connect to containerd in process: %w", err)
	}
	e.client = c
	return e, nil
}

// load initialises one plugin. Plugins that skip themselves are left out; any other failure is fatal.
func (e *engine) load(ctx context.Context, set *plugin.Set, r plugin.Registration, root, run string) error {
	events := filepath.Join(run, "events.sock")
	ic := plugin.NewContext(ctx, set, map[string]string{
		plugins.PropertyRootDir:      filepath.Join(root, r.URI()),
		plugins.PropertyStateDir:     filepath.Join(run, r.URI()),
		plugins.PropertyGRPCAddress:  filepath.Join(run, "none.sock"),
		plugins.PropertyTTRPCAddress: events,
	})
	ic.RegisterReadiness = func() func() { return func() {} }
	ic.Config = configure(r.Config, run, events)
	loaded := r.Init(ic)
	if err := set.Add(loaded); err != nil {
		return fmt.Errorf("add containerd plugin %s: %w", r.URI(), err)
	}
	instance, err := loaded.Instance()
	if plugin.IsSkipPlugin(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("start containerd plugin %s: %w", r.URI(), err)
	}
	e.plugins = append(e.plugins, loaded)
	if s, ok := instance.(interface{ Start(context.Context) error }); ok && r.Type == plugins.ServerPlugin {
		if err := s.Start(ctx); err != nil {
			return fmt.Errorf("serve containerd plugin %s: %w", r.URI(), err)
		}
	}
	return nil
}

// configure sets what differs from containerd's defaults: shim and event sockets under the instance's own names, and
// content that a namespace sees only after the bytes were given to it.
func configure(config any, run, events string) any {
	switch c := config.(type) {
	case *shimmanager.ShimConfig:
		c.SocketDir = filepath.Join(run, "s")
	case *metadataplugin.BoltConfig:
		c.ContentSharingPolicy = metadataplugin.SharingPolicyIsolated
	case interface{ SetAddress(string) }:
		c.SetAddress(events)
	}
	return config
}

// stop closes what was started, last first. Containers and their shims go on.
func (e *engine) stop() {
	if e.client != nil {
		_ = e.client.Close()
	}
	for i := len(e.plugins) - 1; i >= 0; i-- {
		instance, err := e.plugins[i].Instance()
		if err != nil {
			continue
		}
		if c, ok := instance.(io.Closer); ok {
			_ = c.Close()
		}
	}
}
