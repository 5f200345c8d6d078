package tenant

import (
	"context"
	"slices"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	markettypes "github.com/souk-network/souk/x/market/types"
)

type logOptions struct {
	follow   bool
	tail     int64
	since    time.Duration
	replica  int64
	lease    uint64
	times    bool
	receipts bool
}

// logLine is a line as it is printed for programs.
type logLine struct {
	Time    time.Time `json:"time"`
	Lease   uint64    `json:"lease"`
	Service string    `json:"service"`
	Replica uint32    `json:"replica"`
	Stream  string    `json:"stream"`
	Line    string    `json:"line"`

	source int
}

func logsCommand() *cobra.Command {
	var o logOptions
	cmd := &cobra.Command{
		Use:   "logs NAME[/SERVICE]…",
		Short: "Print what containers write",
		Long: `Print what containers write: of all services and replicas of a deployment, or of
those that are named. Lines of several are in the order of their times, each with
the name of its replica before it. While it follows them it signs receipts of what it
sees of their leases, which are evidence of service.`,
		Example: `  souk logs -f hello
  souk logs shop/web shop/db --since 10m --tail 100`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeManyTargets,
		RunE: func(cmd *cobra.Command, args []string) error {
			targets, err := parseTargets(args)
			if err != nil {
				return err
			}
			t, err := openReader(cmd)
			if err != nil {
				return err
			}
			defer t.Close()
			return t.logs(cmd.Context(), targets, o)
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&o.follow, "follow", "f", false, "go on with what comes")
	flags.Int64Var(&o.tail, "tail", -1, "print only so many of the last lines of each; all if negative")
	flags.DurationVar(&o.since, "since", 0, "print only lines of so long ago or newer")
	flags.Int64Var(&o.replica, "replica", -1, "number of the replica within the service; all if negative")
	flags.Uint64Var(&o.lease, "lease", 0, "lease to read, where a deployment has several")
	flags.BoolVarP(&o.times, "timestamps", "t", false, "print when each line was written")
	addReceiptsFlag(flags, &o.receipts)
	addOwnerFlag(flags)
	completeFlag(cmd, "lease", completeLeases)
	return cmd
}

func parseTargets(args []string) ([]target, error) {
	targets := make([]target, len(args))
	for i, arg := range args {
		var err error
		if targets[i], err = parseTarget(arg); err != nil {
			return nil, err
		}
	}
	return targets, nil
}

func (t *tenant) logs(ctx context.Context, targets []target, o logOptions) error {
	var sources []place
	var leases []markettypes.Lease
	for _, g := range targets {
		_, found, err := t.places(ctx, g, chosen{o.lease, o.replica})
		if err != nil {
			return err
		}
		sources = append(sources, found...)
		for _, p := range found {
			leases = append(leases, p.lease)
		}
	}
	if o.follow && o.receipts {
		var leases []served
		for _, p := range sources {
			leases = append(leases, p.served)
		}
		defer t.onlook(ctx, leases)()
	}
	streams := make([]stream[logLine], len(sources))
	for i, p := range sources {
		streams[i] = func(ctx context.Context, each func(logLine) error) error { return readLogs(ctx, p, i, o, each) }
	}
	printer := t.logPrinter(sources, len(targets) > 1, o.times)
	if err := merge(ctx, streams, o.follow, func(l logLine) time.Time { return l.Time }, printer); err != nil && ctx.Err() == nil {
		return fault.New("read the logs of "+targets[0].String(), err, "souk status "+targets[0].deployment)
	}
	if o.follow && ctx.Err() == nil {
		for _, l := range slices.CompactFunc(leases, func(a, b markettypes.Lease) bool { return a.Deployment == b.Deployment }) {
			t.noteEnds(ctx, l.Deployment, leases)
		}
	}
	return nil
}

// logPrinter prints lines, each with the name of its source where there are several.
func (t *tenant) logPrinter(sources []place, several, times bool) func(logLine) error {
	width, leases := 0, countLeases(sources)
	names := make([]string, len(sources))
	for i, p := range sources {
		names[i] = output.Clean(p.name(leases))
		width = max(width, len(names[i]))
	}
	several = several || len(sources) > 1
	return func(l logLine) error {
		text := output.Clean(l.Line) + "\n"
		if times {
			text = l.Time.Format(time.RFC3339Nano) + " " + text
		}
		if several {
			text = output.Series(l.source).Paint(t.Out.Colours, pad(names[l.source], width)+" |") + " " + text
		}
		return t.Out.Item(l, text)
	}
}

// readLogs reads one replica. A stream that is followed outlives its token: it is opened again where it was cut off.
func readLogs(ctx context.Context, p place, source int, o logOptions, each func(logLine) error) error {
	request := &api.LogsRequest{Lease: p.lease.Id, Service: p.replica.GetService(), Replica: p.replica.GetReplica(), Follow: o.follow}
	if o.since > 0 {
		request.Since = timestamppb.New(time.Now().Add(-o.since))
	}
	if o.tail >= 0 {
		tail := uint32(min(o.tail, 1<<31))
		request.Tail = &tail
	}
	for {
		lines, err := p.gateway.Logs(ctx, connect.NewRequest(request))
		if err != nil {
			return err
		}
		for lines.Receive() {
			m := lines.Msg()
			if m.GetTime() == nil {
				continue // a sign of life
			}
			at := m.GetTime().AsTime()
			request.Since, request.Tail = timestamppb.New(at.Add(1)), nil
			line := logLine{
				Time: at, Lease: p.lease.Id, Service: p.replica.GetService(), Replica: p.replica.GetReplica(),
				Stream: word(m.GetStream(), "LOG_STREAM_"), Line: m.GetLine(), source: source,
			}
			if err := each(line); err != nil {
				return err
			}
		}
		err = lines.Err()
		if closeErr := lines.Close(); err == nil {
			err = closeErr
		}
		if !o.follow || connect.CodeOf(err) != connect.CodeUnauthenticated {
			return err
		}
	}
}
