package tenant

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	gogoproto "github.com/cosmos/gogoproto/proto"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
	"github.com/souk-network/souk/match"
	markettypes "github.com/souk-network/souk/x/market/types"
)

func scaleCommand() *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use:   "scale NAME[/SERVICE]=N",
		Short: "Run more or fewer replicas of a service or a group",
		Long: `Run more or fewer replicas. NAME=N, or NAME/GROUP=N where there are several groups,
is what the market places: more bid for more leases, fewer close the newest.
NAME/SERVICE=N is what runs beside each other inside a group, at the provider where
it is: the lease is resized, at its price. The file is not changed: souk up makes
the deployment what the file says again.`,
		Example: `  souk scale shop/web=3
  souk scale shop=2`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: completeTargets,
		RunE: func(cmd *cobra.Command, args []string) error {
			g, n, err := parseReplicas(args[0])
			if err != nil {
				return err
			}
			t, err := openTenant(cmd)
			if err != nil {
				return err
			}
			defer t.Close()
			u := &upRun{tenant: t, options: o, project: &project{Project: &manifest.Project{Name: g.deployment}}, again: "souk scale " + args[0]}
			if err := u.scale(cmd.Context(), g, n); err != nil {
				return err
			}
			return u.printReady()
		},
	}
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask before signing")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 3*time.Minute, "how long to wait for each of: a match, a provider, ready")
	return cmd
}

// parseReplicas reads NAME[/SERVICE]=N.
func parseReplicas(text string) (target, uint32, error) {
	name, number, ok := strings.Cut(text, "=")
	n, err := strconv.ParseUint(number, 10, 32)
	if !ok || err != nil || n == 0 || n > markettypes.MaxReplicas {
		return target{}, 0, session.Usage(fault.Newf("scale "+text, "souk scale shop/web=3", "want NAME[/SERVICE]=N, N from 1 to %d", markettypes.MaxReplicas))
	}
	g, err := parseTarget(name)
	return g, uint32(n), err
}

func (u *upRun) scale(ctx context.Context, g target, n uint32) (err error) {
	if u.journal, err = openJournal(u.Home, u.Client.Config.ChainID, u.owner, g.deployment); err != nil {
		return err
	}
	if err := u.settle(ctx, u.journal, u.again); err != nil {
		return err
	}
	if u.deployment, err = u.mustFind(ctx, g.deployment); err != nil {
		return err
	}
	u.project.Custodians = u.deployment.Custodians
	before, err := u.previousManifest(ctx)
	if err != nil {
		return err
	}
	if u.manifest = before; before == nil {
		u.manifest = &manifestpb.Manifest{}
	}
	d, err := u.scaled(ctx, g, n)
	if err != nil {
		return err
	}
	if u.hash, err = manifest.Hash(u.manifest); err != nil {
		return err
	}
	if len(d.changes) == 0 {
		u.unchanged = true
	} else {
		u.Notef("%s", strings.Join(d.changes, "\n"))
		if err := u.change(ctx, d, "Scale it?"); err != nil {
			return err
		}
	}
	leases, err := u.awaitLeases(ctx)
	if err != nil {
		return err
	}
	if err := u.serveAll(ctx, leases); err != nil {
		return err
	}
	return u.provide(ctx)
}

// scaled is the difference to n replicas of a target. It changes the run's manifest when replicas of a service change.
func (u *upRun) scaled(ctx context.Context, g target, n uint32) (difference, error) {
	var d difference
	for _, b := range u.deployment.bids {
		if b.State != markettypes.BidState_BID_STATE_CLOSED {
			d.bids = append(d.bids, b.Spec)
		}
	}
	at, service, err := u.scaleTarget(d.bids, g)
	if err != nil {
		return d, err
	}
	was := d.bids[at]
	if service == "" {
		d.bids[at].Replicas, d.bids[at].MinReplicas = n, n
		if n > was.Replicas && pushes(u.manifest, was.Name) {
			return d, session.Usage(fault.New(fmt.Sprintf("group %s has images of this machine, which new providers need", was.Name), nil,
				fmt.Sprintf("souk up FILE --scale %s=%d", was.Name, n)))
		}
	} else if err := u.scaleService(ctx, &d.bids[at], service, n); err != nil {
		return d, err
	}
	if err := u.fits(d.bids[at]); err != nil {
		return d, session.Usage(err)
	}
	if change := d.bids[at]; !gogoproto.Equal(&was, &change) {
		d.changes = append(d.changes, fmt.Sprintf("~ group %s: %s", was.Name, bidChange(was, change)))
		d.changes = append(d.changes, fmt.Sprintf("  at most %s in all", output.PerHour(change.Cap*uint64(change.Replicas), u.deployment.Denom)))
	}
	return d, nil
}

// scaleTarget finds the bid that a target is of, and the service within it if it is one.
func (u *upRun) scaleTarget(bids []markettypes.BidSpec, g target) (at int, service string, err error) {
	var names []string
	for i, b := range bids {
		if b.Name == g.service || g.service == "" && len(bids) == 1 {
			return i, "", nil
		}
		names = append(names, g.deployment+"/"+b.Name)
	}
	for _, group := range u.manifest.GetGroups() {
		for _, s := range group.GetServices() {
			for i, b := range bids {
				if s.GetName() == g.service && b.Name == group.GetName() {
					return i, g.service, nil
				}
			}
			names = append(names, g.deployment+"/"+s.GetName())
		}
	}
	return 0, "", session.Usage(fault.Newf(fmt.Sprintf("%s is no one thing to scale", g), "souk scale "+g.deployment+"/SERVICE=N",
		"name one of %s", strings.Join(names, ", ")))
}

// scaleService changes the replicas of a service within its group, and what the group needs.
func (u *upRun) scaleService(ctx context.Context, bid *markettypes.BidSpec, service string, n uint32) error {
	u.manifest = proto.CloneOf(u.manifest)
	for _, group := range u.manifest.GetGroups() {
		if group.GetName() != bid.Name {
			continue
		}
		for _, s := range group.GetServices() {
			if s.GetName() == service {
				s.Replicas = n
			}
		}
		unit := markettypes.ResourcesOf(match.Vector(manifest.UnitOf(group)))
		if unit == bid.Unit {
			return nil
		}
		bid.Unit = unit
	}
	if err := manifest.Validate(u.manifest); err != nil {
		return session.Usage(fault.New(fmt.Sprintf("%d replicas of %s are not possible", n, service), err, "souk scale --help"))
	}
	dearest, err := u.dearest(ctx, *bid)
	if err == nil && dearest > bid.Cap {
		bid.Cap = dearest + (dearest+1)/2
	}
	return err
}

// fits tells whether every lease that the market may make of a bid can hold its part of the run's manifest, where that is
// known.
func (u *upRun) fits(bid markettypes.BidSpec) error {
	demand := manifest.Demand{Replicas: bid.Replicas, MaxPerProvider: bid.MaxPerProvider, MaxPerZone: bid.MaxPerZone}
	for _, group := range u.manifest.GetGroups() {
		if group.GetName() != bid.Name {
			continue
		}
		if err := manifest.CheckDemand(group, demand); err != nil {
			return tooManyTogether(u.again, group, err)
		}
	}
	return nil
}

// pushes tells whether a group has images that were pushed from a file.
func pushes(m *manifestpb.Manifest, group string) bool {
	for _, g := range m.GetGroups() {
		for _, s := range g.GetServices() {
			if g.GetName() == group && s.GetImage().GetPushed() {
				return true
			}
		}
	}
	return false
}
