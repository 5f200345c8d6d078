package containerd

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/containers"
	enginert "github.com/containerd/containerd/v2/core/runtime"
	"github.com/containerd/containerd/v2/plugins"
	"github.com/containerd/errdefs"
	"github.com/containerd/plugin"
	"github.com/containerd/typeurl/v2"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/protobuf/types/known/anypb"
)

// A container's specification holds command and environment, and containerd keeps it in its database, whose pages hold
// on to what was deleted. So what is kept is sealed, and opened just before it is written into the container's bundle,
// which lies below /run: the part of the engine that makes bundles is wrapped for that.

// sealedSpecURL is the type of a sealed specification in containerd's database.
const sealedSpecURL = "souk.network/sealed-spec"

func specContext(container string) []byte { return []byte("container/" + container) }

// sealSpec gives what the engine may keep of a specification.
func sealSpec(s Sealer, container string, spec *specs.Spec) (typeurl.Any, error) {
	b, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("encode the specification of %s: %w", container, err)
	}
	return &anypb.Any{TypeUrl: sealedSpecURL, Value: s.Seal(b, specContext(container))}, nil
}

// openSpec undoes sealSpec, in the form in which containerd passes specifications around. One that was never sealed stays
// as it is.
func openSpec(s Sealer, container string, kept typeurl.Any) (typeurl.Any, error) {
	if kept == nil || kept.GetTypeUrl() != sealedSpecURL {
		return kept, nil
	}
	b, err := s.Open(kept.GetValue(), specContext(container))
	if err != nil {
		return nil, fmt.Errorf("open the specification of %s: %w", container, err)
	}
	url, err := typeurl.TypeURL(&specs.Spec{})
	if err != nil {
		return nil, fmt.Errorf("name the type of the specification of %s: %w", container, err)
	}
	return &anypb.Any{TypeUrl: url, Value: b}, nil
}

// withSealedSpec makes a container of a specification that the engine does not keep in plain.
func withSealedSpec(s Sealer, spec *specs.Spec) client.NewContainerOpts {
	return func(_ context.Context, _ *client.Client, c *containers.Container) (err error) {
		c.Spec, err = sealSpec(s, c.ID, spec)
		return err
	}
}

// specOf reads the specification of a container.
func (r *Runtime) specOf(ctx context.Context, c client.Container) (*specs.Spec, error) {
	info, err := c.Info(ctx, client.WithoutRefreshedMetadata)
	if err != nil {
		return nil, fmt.Errorf("read container %s: %w", c.ID(), err)
	}
	kept, err := openSpec(r.sealer, c.ID(), info.Spec)
	if err != nil {
		return nil, err
	}
	var spec specs.Spec
	if err := json.Unmarshal(kept.GetValue(), &spec); err != nil {
		return nil, fmt.Errorf("decode the specification of %s: %w", c.ID(), err)
	}
	return &spec, nil
}

// opening wraps the part of the engine that makes bundles.
func opening(r plugin.Registration, s Sealer) plugin.Registration {
	if r.Type != plugins.RuntimePluginV2 || r.ID != "task" {
		return r
	}
	inner := r.InitFn
	r.InitFn = func(ic *plugin.InitContext) (any, error) {
		instance, err := inner(ic)
		if err != nil {
			return nil, err
		}
		tasks, ok := instance.(enginert.PlatformRuntime)
		if !ok {
			return nil, fmt.Errorf("seal specifications: containerd's %s is a %T", r.URI(), instance)
		}
		return &openingTasks{PlatformRuntime: tasks, sealer: s}, nil
	}
	return r
}

// openingTasks opens the specification of a container when its process is made.
type openingTasks struct {
	enginert.PlatformRuntime
	sealer Sealer
}

// Create implements the engine's PlatformRuntime.
func (o *openingTasks) Create(ctx context.Context, id string, opts enginert.CreateOpts) (enginert.Task, error) {
	spec, err := openSpec(o.sealer, id, opts.Spec)
	if err != nil {
		return nil, err
	}
	opts.Spec = spec
	return o.PlatformRuntime.Create(ctx, id, opts)
}

// PluginInfo passes on what others ask of the wrapped part.
func (o *openingTasks) PluginInfo(ctx context.Context, request any) (any, error) {
	if p, ok := o.PlatformRuntime.(interface {
		PluginInfo(context.Context, any) (any, error)
	}); ok {
		return p.PluginInfo(ctx, request)
	}
	return nil, fmt.Errorf("ask containerd's tasks about %T: %w", request, errdefs.ErrNotImplemented)
}
