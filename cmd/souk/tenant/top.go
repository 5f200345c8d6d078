package tenant

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/screen"
	"github.com/souk-network/souk/cmd/souk/session"
)

type topOptions struct {
	once     bool
	every    time.Duration
	lease    uint64
	receipts bool
}

func topCommand() *cobra.Command {
	var o topOptions
	cmd := &cobra.Command{
		Use:   "top [NAME[/SERVICE]]",
		Short: "Show what your deployments use: processor, memory, disk, traffic",
		Long: `Show what your deployments use, measured by their providers from outside. Disk and
traffic are counted for a lease; processor and memory for each container, too.
On a terminal the table is drawn anew; elsewhere one is printed each time. As long as
it runs it signs receipts of what it sees, which are evidence of service.`,
		Example: `  souk top
  souk top shop/web
  souk top shop --once -o json`,
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: completeTargets,
		RunE: func(cmd *cobra.Command, args []string) error {
			var g target
			if len(args) == 1 {
				var err error
				if g, err = parseTarget(args[0]); err != nil {
					return err
				}
			}
			if o.every < 500*time.Millisecond {
				return session.Usage(errors.New("--every: want at least 500ms"))
			}
			t, err := openReader(cmd)
			if err != nil {
				return err
			}
			defer t.Close()
			return t.top(cmd.Context(), g, o)
		},
	}
	cmd.Flags().BoolVar(&o.once, "once", false, "print one table and end")
	cmd.Flags().DurationVar(&o.every, "every", 2*time.Second, "time between two measurements")
	cmd.Flags().Uint64Var(&o.lease, "lease", 0, "lease to show, where a deployment has several")
	addReceiptsFlag(cmd.Flags(), &o.receipts)
	addOwnerFlag(cmd.Flags())
	completeFlag(cmd, "lease", completeLeases)
	return cmd
}

func (t *tenant) top(ctx context.Context, g target, o topOptions) error {
	m, err := t.newMeter(ctx, g, o.lease)
	if err != nil {
		return err
	}
	if o.receipts && !o.once {
		defer t.onlook(ctx, m.leases)()
	}
	before, err := m.measure(ctx)
	if err != nil {
		return err
	}
	next := func(ctx context.Context) ([]usageItem, error) {
		now, err := m.measure(ctx)
		if err != nil {
			return nil, err
		}
		items := usageSince(before, now, g.service)
		before = now
		return items, nil
	}
	pause := o.every
	if o.once {
		pause = min(pause, time.Second) // the processor's share needs two measurements
	}
	if !o.once && t.Out.ForPeople() && output.IsTerminal(t.Out.Out) {
		return t.drawTop(ctx, o.every, next)
	}
	return t.printTop(ctx, pause, o.once, next)
}

// printTop prints a table, or an item a line, each time.
func (t *tenant) printTop(ctx context.Context, pause time.Duration, once bool, next func(context.Context) ([]usageItem, error)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		items, err := next(ctx)
		if err != nil {
			return err
		}
		printer := t.Out
		if !once && printer.Format == output.JSON {
			printer.Format = output.JSONL // there is no last one
		}
		var printed []any
		for _, item := range items {
			printed = append(printed, item)
		}
		if err := printer.List(printed, usageRows(items)); err != nil || once {
			return err
		}
	}
}

// drawTop draws the table in place until q or an interrupt.
func (t *tenant) drawTop(ctx context.Context, every time.Duration, next func(context.Context) ([]usageItem, error)) error {
	return screen.Draw(ctx, t.In, t.Out.Out, every, func(ctx context.Context, w io.Writer) error {
		items, err := next(ctx)
		if err != nil {
			return err
		}
		rows := usageRows(items)
		_, err = fmt.Fprintf(w, "souk top  %s  every %s, q ends\n\n%s\n", time.Now().Format("15:04:05"), every, rows.Coloured(t.Out.Colours))
		return err
	})
}

// bytesText writes an amount of bytes with a binary unit.
func bytesText(n float64) string {
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if n < 1024 {
			return strings.TrimSuffix(fmt.Sprintf("%.1f", n), ".0") + " " + unit
		}
		n /= 1024
	}
	return fmt.Sprintf("%.1f TiB", n)
}
