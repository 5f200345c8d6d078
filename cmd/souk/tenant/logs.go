package tenant

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	markettypes "github.com/souk-network/souk/x/market/types"
)

type logOptions struct {
	follow  bool
	tail    int64
	since   time.Duration
	replica uint32
	lease   uint64
	times   bool
}

// logLine is a line as it is printed for programs.
type logLine struct {
	Time   time.Time `json:"time"`
	Stream string    `json:"stream"`
	Line   string    `json:"line"`
}

func logsCommand() *cobra.Command {
	var o logOptions
	cmd := &cobra.Command{
		Use:     "logs NAME[/SERVICE]",
		Short:   "Print what a container writes",
		Example: "  souk logs -f hello\n  souk logs shop/web --since 10m --tail 100",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := openTenant(cmd)
			if err != nil {
				return err
			}
			defer t.Close()
			name, service, _ := strings.Cut(args[0], "/")
			return t.logs(cmd.Context(), name, service, o)
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&o.follow, "follow", "f", false, "go on with what comes")
	flags.Int64Var(&o.tail, "tail", -1, "print only so many of the last lines; all if negative")
	flags.DurationVar(&o.since, "since", 0, "print only lines of so long ago or newer")
	flags.Uint32Var(&o.replica, "replica", 0, "number of the replica within the service")
	flags.Uint64Var(&o.lease, "lease", 0, "lease to read, where a deployment has several")
	flags.BoolVarP(&o.times, "timestamps", "t", false, "print when each line was written")
	return cmd
}

func (t *tenant) logs(ctx context.Context, name, service string, o logOptions) error {
	d, err := t.mustFind(ctx, name)
	if err != nil {
		return err
	}
	lease, err := t.oneLease(ctx, d, o.lease)
	if err != nil {
		return err
	}
	request := &api.LogsRequest{Lease: lease.Id, Service: service, Replica: o.replica, Follow: o.follow}
	if o.since > 0 {
		request.Since = timestamppb.New(time.Now().Add(-o.since))
	}
	if o.tail >= 0 {
		tail := uint32(min(o.tail, 1<<31))
		request.Tail = &tail
	}
	g, err := t.gatewayOf(ctx, lease)
	if err != nil {
		return err
	}
	stream, err := g.Logs(ctx, connect.NewRequest(request))
	if err != nil {
		return fault.New("read the logs of "+name, err, "souk ps "+name)
	}
	defer stream.Close() //nolint:errcheck // read to its end
	for stream.Receive() {
		if err := t.printLine(stream.Msg(), o.times); err != nil {
			return err
		}
	}
	if err := stream.Err(); err != nil && !errors.Is(err, context.Canceled) && ctx.Err() == nil {
		return fault.New("read the logs of "+name, err, "souk ps "+name)
	}
	return nil
}

// oneLease picks the lease to read: the only active one, or the one that was named.
func (t *tenant) oneLease(ctx context.Context, d *open, id uint64) (markettypes.Lease, error) {
	leases, err := t.leases(ctx, d.Id)
	if err != nil {
		return markettypes.Lease{}, err
	}
	var found []markettypes.Lease
	for _, l := range leases {
		if live(l) && l.AckedAt != 0 && (id == 0 || l.Id == id) {
			found = append(found, l)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return markettypes.Lease{}, fault.New("deployment "+d.Name+" has no such active lease", nil, "souk ps -a "+d.Name)
	default:
		return markettypes.Lease{}, session.Usage(fault.Newf("choose one lease of "+d.Name, "add --lease ID; souk ps "+d.Name+" lists them",
			"it has %d", len(found)))
	}
}

// printLine prints a line; an empty message only keeps the stream alive.
func (t *tenant) printLine(m *api.LogsResponse, times bool) error {
	if m.GetTime() == nil {
		return nil
	}
	at := m.GetTime().AsTime()
	text := output.Clean(m.GetLine()) + "\n"
	if times {
		text = at.Format(time.RFC3339Nano) + " " + text
	}
	if t.Out.Format == output.JSON { // a stream has no end to wait for
		return output.Printer{Format: output.JSONL, Out: t.Out.Out}.One(lineOf(m, at), text)
	}
	return t.Out.One(lineOf(m, at), text)
}

func lineOf(m *api.LogsResponse, at time.Time) logLine {
	return logLine{Time: at, Stream: fmt.Sprint(word(m.GetStream(), "LOG_STREAM_")), Line: m.GetLine()}
}
