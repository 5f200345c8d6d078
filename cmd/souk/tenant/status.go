package tenant

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/cmd/souk/output"
)

func statusCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "status NAME[/SERVICE]",
		Short: "Show how a deployment is doing: containers, health, volumes, addresses",
		Args:  cobra.ExactArgs(1), ValidArgsFunction: completeTargets,
		RunE: onTarget(func(ctx context.Context, t *tenant, g target, _ []string) error {
			views, err := t.views(ctx, g.deployment, all)
			if err != nil {
				return err
			}
			var items []any
			var text strings.Builder
			for i, v := range views {
				v.only(g.service)
				items = append(items, v)
				if i > 0 {
					text.WriteString("\n")
				}
				v.write(&text, t.Out.Colours, time.Now())
			}
			if t.Out.ForPeople() {
				err = t.Out.One(nil, text.String())
			} else {
				err = t.Out.List(items, output.Rows{})
			}
			t.warnOfShortRunway(views)
			return err
		}),
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "show ended leases too")
	addOwnerFlag(cmd.Flags())
	return cmd
}

// only leaves the containers and addresses of one service, if it is named.
func (v *leaseView) only(service string) {
	if service == "" {
		return
	}
	containers, addresses := []containerView{}, []addressView{}
	for _, c := range v.Containers {
		if c.Service == service {
			containers = append(containers, c)
		}
	}
	for _, a := range v.Addresses {
		if a.Service == service {
			addresses = append(addresses, a)
		}
	}
	v.Containers, v.Addresses = containers, addresses
}

// write prints a lease for people.
func (v *leaseView) write(text *strings.Builder, colours bool, now time.Time) {
	status := output.Clean(v.Status)
	if v.Lease == 0 {
		name := v.Deployment
		if v.Group != "" {
			name += "  group " + v.Group
		}
		fmt.Fprintf(text, "%s  %s\n", name, firstWordTone(status).Paint(colours, status))
		return
	}
	fmt.Fprintf(text, "%s  group %s  lease %d  %s\n", v.Deployment, v.Group, v.Lease, firstWordTone(status).Paint(colours, status))
	fmt.Fprintf(text, "provider  %s\n", v.Provider)
	fmt.Fprintf(text, "cost      %s", output.PerHour(v.Rate, v.Denom))
	if v.Standby {
		text.WriteString(" when it serves, a share of it while it stands by")
	}
	if v.acked != 0 && v.Runway != 0 && v.Reason == "" {
		fmt.Fprintf(text, ", lasts %s", output.Runway(v.Runway))
	}
	text.WriteString("\n")
	if len(v.Containers) > 0 {
		fmt.Fprintf(text, "\n%s\n", v.containerRows(now).Coloured(colours))
	}
	if len(v.Volumes) > 0 {
		text.WriteString("\n")
	}
	for _, volume := range v.Volumes {
		fmt.Fprintf(text, "volume    %s\n", output.Clean(volume.text()))
	}
	if len(v.Addresses) > 0 {
		text.WriteString("\n")
	}
	for _, a := range v.Addresses {
		writeAddress(text, a)
	}
}

func (v *leaseView) containerRows(now time.Time) output.Rows {
	rows := output.Rows{Columns: []output.Column{
		{Name: "service"},
		{Name: "replica", Right: true},
		{Name: "phase", Tone: output.StateTone},
		{Name: "health", Tone: output.StateTone},
		{Name: "restarts", Right: true},
		{Name: "up"},
		{Name: "message"},
	}}
	for _, c := range v.Containers {
		up := "-"
		if c.Started != nil && c.Phase == "running" {
			up = output.Age(now.Sub(*c.Started))
		}
		health := c.Health
		if health == "" {
			health = "-"
		}
		rows.Cells = append(rows.Cells, []string{
			c.Service, fmt.Sprint(c.Replica), c.Phase, health, fmt.Sprint(c.Restarts), up, c.message(now),
		})
	}
	return rows
}

// message says in one line what there is to know of a container beside its phase.
func (c containerView) message(now time.Time) string {
	var parts []string
	if c.HeldBack {
		parts = append(parts, "held back: an update failed, this is what worked before")
	}
	if c.Error != "" {
		parts = append(parts, c.Error)
	} else if c.Progress != "" && c.Phase != "running" {
		parts = append(parts, c.Progress)
	}
	if c.OOM {
		parts = append(parts, "ended by its memory limit")
	} else if c.ExitCode != nil && c.Phase != "running" {
		parts = append(parts, fmt.Sprintf("exit code %d", *c.ExitCode))
	}
	if c.NextTry != nil && c.NextTry.After(now) {
		parts = append(parts, fmt.Sprintf("starts again in %s", c.NextTry.Sub(now).Round(time.Second)))
	}
	return strings.Join(parts, "; ")
}
