package tenant

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/session"
	"github.com/souk-network/souk/manifest"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// target is what a command is about, as people write it: a deployment, or one service of it.
type target struct{ deployment, service string }

// parseTarget reads DEPLOYMENT or DEPLOYMENT/SERVICE.
func parseTarget(text string) (target, error) {
	name, service, cut := strings.Cut(text, "/")
	if !manifest.ValidName(name) || cut && !manifest.ValidServiceName(service) {
		return target{}, session.Usage(fault.Newf(fmt.Sprintf("%q names no deployment or service", text), "souk ps shows what is open",
			"want DEPLOYMENT or DEPLOYMENT/SERVICE, in lower case"))
	}
	return target{name, service}, nil
}

func (g target) String() string {
	if g.service == "" {
		return g.deployment
	}
	return g.deployment + "/" + g.service
}

// onTarget makes a command of what is done with a target, which is its first argument; it signs no transaction.
func onTarget(do func(ctx context.Context, t *tenant, g target, rest []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		g, err := parseTarget(args[0])
		if err != nil {
			return err
		}
		t, err := openReader(cmd)
		if err != nil {
			return err
		}
		defer t.Close()
		return do(cmd.Context(), t, g, args[1:])
	}
}

// served is a lease whose provider knows of it, and the way there.
type served struct {
	lease   markettypes.Lease
	gateway *gateway
}

// known tells that a lease's provider can be asked about it: it has accepted it, and keeps nothing of what has ended.
func known(l markettypes.Lease) bool { return live(l) && l.AckedAt != 0 }

// opened opens the gateways of those of some leases that their providers know.
func (t *tenant) opened(ctx context.Context, leases []markettypes.Lease) ([]served, error) {
	var all []served
	for _, l := range leases {
		if known(l) {
			all = append(all, served{lease: l})
		}
	}
	lookUps, ctx := errgroup.WithContext(ctx)
	lookUps.SetLimit(16)
	for i := range all {
		lookUps.Go(func() (err error) {
			all[i].gateway, err = t.gatewayOf(ctx, all[i].lease)
			return err
		})
	}
	if err := lookUps.Wait(); err != nil {
		return nil, err
	}
	return all, nil
}

// place is one replica of a service, and the provider where it runs.
type place struct {
	served
	replica *api.ReplicaStatus
}

// name tells places of one deployment apart.
func (p place) name(leases int) string {
	text := fmt.Sprintf("%s-%d", p.replica.GetService(), p.replica.GetReplica())
	if leases > 1 {
		text = fmt.Sprintf("%d/%s", p.lease.Id, text)
	}
	return text
}

// chosen is what flags choose among the places of a target.
type chosen struct {
	lease   uint64 // 0 for all
	replica int64  // negative for all
}

// activeLeases are those of a deployment that a provider serves: all, or the one of a number.
func (t *tenant) activeLeases(ctx context.Context, d *open, id uint64) ([]markettypes.Lease, error) {
	leases, err := t.leases(ctx, d.Id)
	if err != nil {
		return nil, err
	}
	var found []markettypes.Lease
	for _, l := range leases {
		if known(l) && (id == 0 && !l.Standby || l.Id == id) {
			found = append(found, l)
		}
	}
	if len(found) == 0 {
		return nil, fault.New("deployment "+d.Name+" has no such active lease", endOf(leases), "souk ps -a "+d.Name)
	}
	return found, nil
}

// endOf says how the last lease ended, if none lives.
func endOf(leases []markettypes.Lease) error {
	var last *markettypes.Lease
	for i, l := range leases {
		if live(l) {
			return nil
		}
		if last == nil || l.ClosedAt >= last.ClosedAt {
			last = &leases[i]
		}
	}
	if last == nil {
		return nil
	}
	return fmt.Errorf("lease %d ended: %s", last.Id, reasonText(last.Reason))
}

// places finds the replicas of a target, ordered by lease, service and number.
func (t *tenant) places(ctx context.Context, g target, c chosen) (*open, []place, error) {
	d, err := t.mustFind(ctx, g.deployment)
	if err != nil {
		return nil, nil, err
	}
	leases, err := t.activeLeases(ctx, d, c.lease)
	if err != nil {
		return nil, nil, err
	}
	all, err := t.statuses(ctx, leases)
	if err != nil {
		return nil, nil, err
	}
	var found []place
	for _, p := range all {
		if (g.service == "" || p.replica.GetService() == g.service) && (c.replica < 0 || int64(p.replica.GetReplica()) == c.replica) {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return nil, nil, noPlace(g, all)
	}
	return d, found, nil
}

// noPlace says what there is instead of what was asked for.
func noPlace(g target, all []place) error {
	names := placeNames(all)
	if len(names) == 0 {
		return fault.New(g.String()+" has no containers yet", nil, "souk status "+g.deployment+" says what is waited for")
	}
	return session.Usage(fault.Newf(fmt.Sprintf("%s has no such replica", g), "souk status "+g.deployment, "it has %s", strings.Join(names, ", ")))
}

func placeNames(all []place) []string {
	leases := countLeases(all)
	var names []string
	for _, p := range all {
		names = append(names, p.name(leases))
	}
	return names
}

func countLeases(all []place) int {
	seen := map[uint64]bool{}
	for _, p := range all {
		seen[p.lease.Id] = true
	}
	return len(seen)
}

// statuses asks the providers of all leases at once. It fails when one does not answer.
func (t *tenant) statuses(ctx context.Context, leases []markettypes.Lease) ([]place, error) {
	all, err := t.opened(ctx, leases)
	if err != nil {
		return nil, err
	}
	found := make([][]place, len(all))
	calls, ctx := errgroup.WithContext(ctx)
	calls.SetLimit(16)
	for i, s := range all {
		calls.Go(func() error {
			res, err := s.gateway.Status(ctx, connect.NewRequest(&api.StatusRequest{Lease: s.lease.Id}))
			if err != nil {
				return fault.New(fmt.Sprintf("ask the provider of lease %d", s.lease.Id), err, "souk doctor")
			}
			for _, r := range res.Msg.GetReplicas() {
				found[i] = append(found[i], place{s, r})
			}
			return nil
		})
	}
	if err := calls.Wait(); err != nil {
		return nil, err
	}
	places := slices.Concat(found...)
	slices.SortStableFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.lease.Id, b.lease.Id), strings.Compare(a.replica.GetService(), b.replica.GetService()),
			cmp.Compare(a.replica.GetReplica(), b.replica.GetReplica()))
	})
	return places, nil
}

// reasonText says for people why a lease or a deployment ended.
func reasonText(r markettypes.Reason) string {
	switch r {
	case markettypes.Reason_REASON_UNSPECIFIED:
		return "for no reason that the chain knows"
	case markettypes.Reason_REASON_TENANT:
		return "its tenant closed it"
	case markettypes.Reason_REASON_INSUFFICIENT_FUNDS:
		return "its money ran out"
	case markettypes.Reason_REASON_NOT_ACKED:
		return "the provider did not accept it in time"
	case markettypes.Reason_REASON_DECLINED:
		return "the provider declined it"
	case markettypes.Reason_REASON_EXPIRED:
		return "its term was over"
	case markettypes.Reason_REASON_JAILED:
		return "the provider was jailed"
	case markettypes.Reason_REASON_PROVIDER_LEFT:
		return "the provider resigned"
	case markettypes.Reason_REASON_POLICY:
		return "the provider does not serve what it runs"
	case markettypes.Reason_REASON_RECLAIMED:
		return "the provider took the spot capacity back"
	case markettypes.Reason_REASON_UNREACHABLE:
		return "it was challenged, and its provider gave no sign of life"
	case markettypes.Reason_REASON_TENANT_FAILOVER:
		return "its tenant gave it up for another provider"
	case markettypes.Reason_REASON_NOT_NEEDED:
		return "there was nothing left to stand by for"
	default:
		return word(r, "REASON_")
	}
}
