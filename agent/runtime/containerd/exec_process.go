package containerd

import (
	"context"
	"fmt"
	"strings"

	"github.com/containerd/containerd/v2/client"
	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/souk-network/souk/agent/runtime"
)

// execProcess is a command as the container's own process is, save for what the request says.
func (l *lease) execProcess(ctx context.Context, c client.Container, u unit, q runtime.ExecRequest) (*specs.Process, error) {
	spec, err := l.r.specOf(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("read the specification of %s: %w", u.id(), err)
	}
	p := *spec.Process
	p.Args, p.Terminal = q.Command, q.TTY
	p.Env = merged(p.Env, q.Env)
	if q.Dir != "" {
		p.Cwd = q.Dir
	}
	if q.User != "" {
		if p.User, err = l.execUser(ctx, c, u, q.User); err != nil {
			return nil, err
		}
		ids, err := hostIDsOf(ctx, c)
		if err == nil {
			err = checkIDs(ids, p.User, nil)
		}
		if err != nil {
			return nil, err
		}
		p.Capabilities = effective(p.Capabilities, p.User)
	}
	p.ConsoleSize = nil
	if q.TTY {
		if q.Size.Columns > 0 && q.Size.Rows > 0 {
			p.ConsoleSize = &specs.Box{Width: uint(q.Size.Columns), Height: uint(q.Size.Rows)}
		}
		p.Env = merged([]string{"TERM=xterm"}, p.Env)
	}
	return &p, nil
}

// execUser looks a user up in the container's files as they are now, over the image's.
func (l *lease) execUser(ctx context.Context, c client.Container, u unit, name string) (specs.User, error) {
	labels, err := c.Labels(ctx)
	if err != nil {
		return specs.User{}, fmt.Errorf("read the labels of container %s: %w", c.ID(), err)
	}
	scope, chain, _ := strings.Cut(labels[layersLabel], "/")
	layers, err := l.r.images.view(ctx, runtime.Scope(scope), digest.Digest(chain), l.holder())
	if err != nil {
		return specs.User{}, err
	}
	upper := l.r.dir(l.id).upper(u.id(), labels[revisionLabel])
	return resolveUser(name, append([]string{upper}, layers...))
}
