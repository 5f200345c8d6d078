package containerd

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/containers"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/vishvananda/netlink"

	"github.com/souk-network/souk/agent/instance"
)

// resize changes the limits of what exists to those that are wanted: of the process that runs, if any, and then of the
// container, so that the next start has them. A process that uses more memory than it is to have is started anew.
func (l *lease) resize(ctx context.Context, rec record, v view) error {
	spec, err := l.r.specOf(ctx, v.c)
	if err != nil {
		return err
	}
	want := &specs.Linux{Resources: &specs.LinuxResources{}}
	setLinux(want, v.now.service.Resources, surroundings{swap: l.r.swap})
	if l.r.isolationOf(v.now.isolation) == isolationGVisor {
		allowThreads(want.Resources)
	}
	if v.facts.task == taskRunning {
		if err := l.resizeRunning(ctx, rec, v, want.Resources); err != nil {
			l.r.log.Warn("limits cannot be changed while it runs; starting it anew", "lease", l.id, "container", v.wanted.id(), "error", err)
			return l.restartFor(ctx, v)
		}
	} else if egressOf(v.facts.limits) != egressOf(v.goal.limits) {
		// Connected anew, with its limit, when it starts.
		if err := l.r.network.detach(ctx, v.wanted.id(), rec.Slot); err != nil {
			return err
		}
	}
	spec.Linux.Resources.CPU, spec.Linux.Resources.Memory, spec.Linux.Resources.Pids = want.Resources.CPU, want.Resources.Memory, want.Resources.Pids
	return l.setLimits(ctx, v.c, spec, limitsOf(v.now.service.Resources))
}

// resizeRunning changes the limits of a process that runs.
func (l *lease) resizeRunning(ctx context.Context, rec record, v view, r *specs.LinuxResources) error {
	check := true
	memory := *r.Memory
	memory.CheckBeforeUpdate = &check
	err := v.task.Update(ctx, client.WithResources(&specs.LinuxResources{CPU: r.CPU, Memory: &memory, Pids: r.Pids}))
	if err != nil {
		return fmt.Errorf("change the limits of %s: %w", v.wanted.id(), err)
	}
	return l.r.network.resizeEgress(v.wanted.id(), rec.Slot, v.now.service.Resources.EgressMbps)
}

// restartFor stops a process so that it starts with other limits.
func (l *lease) restartFor(ctx context.Context, v view) error {
	if err := l.note(v, v.history.afterStop(v.facts)); err != nil {
		return err
	}
	return l.stop(ctx, v.c, v.task)
}

// setLimits writes down, at once, what a container is started with and that it has these limits.
func (l *lease) setLimits(ctx context.Context, c client.Container, spec *specs.Spec, limits string) error {
	sealed, err := sealSpec(l.r.sealer, c.ID(), spec)
	if err != nil {
		return err
	}
	err = c.Update(ctx, func(_ context.Context, _ *client.Client, kept *containers.Container) error {
		kept.Spec = sealed
		kept.Labels = maps.Clone(kept.Labels)
		kept.Labels[limitsLabel] = limits
		return nil
	})
	if err != nil {
		return fmt.Errorf("keep the limits of %s: %w", c.ID(), err)
	}
	return nil
}

// errNotLimited: the link that limits a container's egress is not there.
var errNotLimited = errors.New("its network has no limit that could be changed")

// resizeEgress changes the rate of the link that limits what a container sends.
func (n *network) resizeEgress(container string, slot uint16, egressMbps uint64) error {
	if egressMbps == 0 {
		return nil // going from or to no limit is another definition
	}
	link, err := netlink.LinkByName(ifbName(n.networkName(slot), container))
	if err != nil {
		return fmt.Errorf("limit the egress of %s: %w: %w", container, errNotLimited, err)
	}
	queues, err := instance.Complete(func() ([]netlink.Qdisc, error) { return netlink.QdiscList(link) })
	if err != nil {
		return fmt.Errorf("limit the egress of %s: %w", container, err)
	}
	for _, q := range queues {
		tbf, ok := q.(*netlink.Tbf)
		if !ok {
			continue
		}
		setRate(tbf, egressMbps)
		if err := netlink.QdiscChange(tbf); err != nil {
			return fmt.Errorf("limit the egress of %s: %w", container, err)
		}
		return nil
	}
	return fmt.Errorf("limit the egress of %s: %w", container, errNotLimited)
}

// setRate gives a token bucket the rate, burst and queue that the bandwidth plugin would.
func setRate(tbf *netlink.Tbf, egressMbps uint64) {
	const queuedFor = 0.025 // seconds
	rate := egressMbps * 1_000_000 / 8
	burst := egressBurstBits(egressMbps*1_000_000) / 8
	perSecond := float64(burst) * float64(netlink.TIME_UNITS_PER_SEC) / float64(rate)
	tbf.Rate, tbf.Peakrate, tbf.Minburst = rate, 0, 0
	tbf.Buffer = uint32(perSecond * netlink.TickInUsec())
	tbf.Limit = uint32(float64(rate)*queuedFor) + uint32(burst) //nolint:gosec // bounded by validate
}
