package tenant

import (
	"context"
	"fmt"
	"slices"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// event is something that happened to a lease, as it is printed for programs.
type event struct {
	Time    time.Time `json:"time"`
	Lease   uint64    `json:"lease"`
	From    string    `json:"from"` // chain or provider
	Number  uint64    `json:"number,omitempty"`
	Service string    `json:"service,omitempty"`
	Replica uint32    `json:"replica"`
	Kind    string    `json:"kind"`
	Message string    `json:"message,omitempty"`
}

func eventsCommand() *cobra.Command {
	var (
		follow bool
		lease  uint64
		since  time.Duration
	)
	cmd := &cobra.Command{
		Use:   "events NAME[/SERVICE]",
		Short: "Print what happened to a deployment: leases, starts, ends, health, images, updates",
		Example: `  souk events shop
  souk events -f shop/web --since 1h`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: completeTargets,
		RunE: onTarget(func(ctx context.Context, t *tenant, g target, _ []string) error {
			return t.events(ctx, g, lease, since, follow)
		}),
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what comes")
	cmd.Flags().Uint64Var(&lease, "lease", 0, "lease to read, where a deployment has several")
	cmd.Flags().DurationVar(&since, "since", 0, "print only what happened so long ago or later")
	addOwnerFlag(cmd.Flags())
	completeFlag(cmd, "lease", completeLeases)
	return cmd
}

func (t *tenant) events(ctx context.Context, g target, lease uint64, since time.Duration, follow bool) error {
	d, err := t.mustFind(ctx, g.deployment)
	if err != nil {
		return err
	}
	leases, err := t.leases(ctx, d.Id)
	if err != nil {
		return err
	}
	leases = slices.DeleteFunc(leases, func(l markettypes.Lease) bool { return lease != 0 && l.Id != lease })
	history, err := t.chainEvents(ctx, leases)
	if err != nil {
		return err
	}
	streams := []stream[event]{listed(history)}
	asked, err := t.opened(ctx, leases)
	if err != nil {
		return err
	}
	for _, s := range asked {
		streams = append(streams, func(ctx context.Context, each func(event) error) error {
			return readEvents(ctx, s.gateway, s.lease.Id, follow, each)
		})
	}
	oldest := time.Now().Add(-since)
	show := func(e event) error {
		if since > 0 && e.Time.Before(oldest) || g.service != "" && e.Service != g.service {
			return nil
		}
		return t.Out.Item(e, t.eventText(e, len(leases) > 1))
	}
	if err := merge(ctx, streams, follow, func(e event) time.Time { return e.Time }, show); err != nil && ctx.Err() == nil {
		return fault.New("read the events of "+g.String(), err, "souk status "+g.deployment)
	}
	if follow && ctx.Err() == nil {
		t.noteEnds(ctx, d.Id, leases)
	}
	return nil
}

// listed is a stream of what is known already.
func listed(events []event) stream[event] {
	return func(_ context.Context, each func(event) error) error {
		for _, e := range events {
			if err := each(e); err != nil {
				return err
			}
		}
		return nil
	}
}

// chainEvents are the turning points of leases that the chain knows of, by time.
func (t *tenant) chainEvents(ctx context.Context, leases []markettypes.Lease) ([]event, error) {
	clock, err := t.serviceClock(ctx)
	if err != nil {
		return nil, err
	}
	var all []event
	window, err := t.answerWindow(ctx, leases)
	if err != nil {
		return nil, err
	}
	for _, l := range leases {
		all = append(all, leaseEvents(l, window, clock.at)...)
	}
	slices.SortStableFunc(all, func(a, b event) int { return a.Time.Compare(b.Time) })
	return all, nil
}

// answerWindow is how long a challenged provider has to answer, in seconds; it is asked for only if one is challenged.
func (t *tenant) answerWindow(ctx context.Context, leases []markettypes.Lease) (uint64, error) {
	if !slices.ContainsFunc(leases, func(l markettypes.Lease) bool { return l.AnswerBy != 0 }) {
		return 0, nil
	}
	res, err := t.Market.Params(ctx, &markettypes.QueryParamsRequest{})
	if err != nil {
		return 0, client.Explain("read the market parameters", err)
	}
	return uint64(res.Params.AnswerWindowSeconds), nil
}

func leaseEvents(l markettypes.Lease, answerWindow uint64, wall func(uint64) time.Time) []event {
	at := func(second uint64, kind, message string) event {
		return event{Time: wall(second), Lease: l.Id, From: "chain", Kind: kind, Message: message}
	}
	all := []event{at(l.CreatedAt, "matched", fmt.Sprintf("provider %s, %s", l.Provider, output.PerHour(l.Rate, l.Denom)))}
	switch {
	case l.AckedAt == 0:
	case l.Standby:
		all = append(all, at(l.AckedAt, "accepted", "it stands by; payment of a share of its rate begins"))
	default:
		all = append(all, at(l.AckedAt, "accepted", "payment begins"))
	}
	if l.AnswerBy != 0 {
		all = append(all, at(l.AnswerBy-min(answerWindow, l.AnswerBy), "challenged", fmt.Sprintf("the provider has to answer within %d s", answerWindow)))
	}
	if !live(l) {
		all = append(all, at(l.ClosedAt, "ended", reasonText(l.Reason)))
	}
	return all
}

// noteEnds says which of the leases that lived have ended meanwhile, and why.
func (t *tenant) noteEnds(ctx context.Context, deployment uint64, before []markettypes.Lease) {
	now, err := t.leases(ctx, deployment)
	if err != nil {
		return // it is a courtesy
	}
	for _, l := range now {
		lived := slices.ContainsFunc(before, func(b markettypes.Lease) bool { return b.Id == l.Id && live(b) })
		if lived && !live(l) {
			t.Notef("lease %d ended: %s", l.Id, reasonText(l.Reason))
		}
	}
}

// readEvents reads what a provider tells of a lease; followed, it outlives its token.
func readEvents(ctx context.Context, g *gateway, lease uint64, follow bool, each func(event) error) error {
	request := &api.EventsRequest{Lease: lease, Follow: follow}
	for {
		events, err := g.Events(ctx, connect.NewRequest(request))
		if err != nil {
			return err
		}
		for events.Receive() {
			m := events.Msg()
			if m.GetTime() == nil {
				continue // a sign of life
			}
			request.After = m.GetNumber()
			e := event{
				Time: m.GetTime().AsTime(), Lease: lease, From: "provider", Number: m.GetNumber(), Service: m.GetService(),
				Replica: m.GetReplica(), Kind: m.GetKind(), Message: m.GetMessage(),
			}
			if err := each(e); err != nil {
				return err
			}
		}
		err = events.Err()
		if closeErr := events.Close(); err == nil {
			err = closeErr
		}
		if !follow || connect.CodeOf(err) != connect.CodeUnauthenticated {
			return err
		}
	}
}

func (t *tenant) eventText(e event, several bool) string {
	about := "lease"
	if e.Service != "" {
		about = fmt.Sprintf("%s-%d", e.Service, e.Replica)
	}
	if several {
		about = fmt.Sprintf("%d/%s", e.Lease, about)
	}
	kind := output.Clean(e.Kind)
	return fmt.Sprintf("%s  %s  %s  %s\n", e.Time.Local().Format("2006-01-02 15:04:05"), pad(output.Clean(about), 14),
		eventTone(kind).Paint(t.Out.Colours, pad(kind, 12)), output.Clean(e.Message))
}

func eventTone(kind string) output.Tone {
	switch kind {
	case "started", "healthy", "accepted", "ready", "resumed":
		return output.Good
	case "oom-killed", "unhealthy", "degraded", "failed", "ended", "refused":
		return output.Bad
	case "exited", "paused", "challenged":
		return output.Weak
	}
	return output.Plain
}
