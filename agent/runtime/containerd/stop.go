package containerd

import (
	"context"
	"fmt"
	"slices"

	"github.com/containerd/containerd/v2/client"
	"golang.org/x/sync/errgroup"

	"github.com/souk-network/souk/agent/runtime"
)

// stopsAtOnce bounds how many containers of a lease are stopped at the same time.
const stopsAtOnce = 16

// stopAll stops containers at the same time, those first that others do not depend on. They are still to be deleted.
func (l *lease) stopAll(ctx context.Context, services []runtime.Service, found []client.Container) error {
	left := slices.Clone(found)
	for _, level := range append([][]string{nil}, stopLevels(services)...) {
		var now []client.Container
		for _, c := range left {
			labels, err := c.Labels(ctx)
			if err != nil {
				return fmt.Errorf("read the labels of container %s: %w", c.ID(), err)
			}
			name := labels[serviceLabel]
			known := slices.ContainsFunc(services, func(s runtime.Service) bool { return s.Name == name })
			if slices.Contains(level, name) || (level == nil && !known) {
				now = append(now, c)
			}
		}
		if err := l.stopTogether(ctx, now); err != nil {
			return err
		}
	}
	return nil
}

func (l *lease) stopTogether(ctx context.Context, containers []client.Container) error {
	var g errgroup.Group
	g.SetLimit(stopsAtOnce)
	for _, c := range containers {
		l.endChecks(c.ID())
		g.Go(func() error {
			_, task, _, err := l.observe(ctx, c.ID())
			if err != nil {
				return err
			}
			return l.stop(ctx, c, task)
		})
	}
	return g.Wait()
}
